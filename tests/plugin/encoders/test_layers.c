/* test_layers.c: encoders from a linear map and from networks learned elsewhere, against loops. */
#include "support.h"

#include "lbh.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define OK(call) cr_assert_eq((call), LBH_OK, "%s", lbh_last_error())

enum { N = 700, D = 12, BITS = 20, BYTES = (BITS + 7) / 8 };

static float *numbers(int64_t n, uint64_t seed)
{
    float *x = malloc(sizeof *x * (size_t)n);
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)test_normal(seed, (uint64_t)i);
    return x;
}

static lbh_layers made(int nlayers, int hidden, int decoder)
{
    lbh_layers l = {.nlayers = nlayers, .width = {D}};
    for (int i = 0; i < nlayers; i++) {
        l.width[i + 1] = i == nlayers - 1 ? BITS : hidden + i;
        l.W[i] = numbers((int64_t)l.width[i] * l.width[i + 1], 10 + (uint64_t)i);
        l.b[i] = numbers(l.width[i + 1], 20 + (uint64_t)i);
    }
    if (decoder) {
        l.U = numbers(BITS * D, 30);
        l.c = numbers(D, 31);
    }
    return l;
}

static void drop(const lbh_layers *l)
{
    for (int i = 0; i < l->nlayers; i++)
        free((void *)l->W[i]), free((void *)l->b[i]);
    free((void *)l->U), free((void *)l->c);
}

/* Outputs of the last layer, in double. */
static void apply(const lbh_layers *l, const float *x, double *z)
{
    double y[64], next[64];
    for (int j = 0; j < D; j++)
        y[j] = x[j];
    for (int i = 0; i < l->nlayers; i++) {
        for (int r = 0; r < l->width[i + 1]; r++) {
            next[r] = l->b[i][r];
            for (int j = 0; j < l->width[i]; j++)
                next[r] += (double)l->W[i][r * l->width[i] + j] * y[j];
            if (i < l->nlayers - 1 && next[r] < 0)
                next[r] = 0;
        }
        memcpy(y, next, sizeof y);
    }
    memcpy(z, y, BITS * sizeof *z);
}

Test(layers, codes_are_those_of_the_network)
{
    float *x = test_mixture(N, D, 3, NULL);
    uint8_t codes[N * BYTES];
    for (int nlayers = 1; nlayers <= LBH_MAX_LAYERS; nlayers++) {
        lbh_layers l = made(nlayers, 30, nlayers % 2);
        lbh_encoder *enc = NULL, *back = NULL;
        void *data;
        size_t size;
        OK(lbh_encoder_from_layers(&enc, &l));
        cr_assert_str_eq(lbh_encoder_method(enc), LBH_METHOD_LAYERS);
        OK(lbh_encoder_encode(enc, N, x, codes));
        for (int i = 0; i < N; i++) {
            double z[64];
            apply(&l, x + i * D, z);
            for (int k = 0; k < BITS; k++)
                cr_assert(fabs(z[k]) < 1e-3 || (codes[i * BYTES + k / 8] >> k % 8 & 1) == (z[k] >= 0),
                          "%d layers, row %d, bit %d: %g", nlayers, i, k, z[k]);
        }
        OK(lbh_encoder_save_memory(enc, &data, &size));
        OK(lbh_encoder_load_memory(&back, data, size));
        cr_assert_eq(lbh_encoder_digest(enc), lbh_encoder_digest(back));
        float U[BITS * D], c[D];
        if (nlayers % 2) {
            OK(lbh_encoder_decoder(back, U, c));
            cr_assert_arr_eq(U, l.U, sizeof U);
            cr_assert_arr_eq(c, l.c, sizeof c);
        } else {
            cr_assert_eq(lbh_encoder_decoder(back, U, c), LBH_EINVAL);
        }
        float A[BITS * D], b[BITS];
        cr_assert_eq(lbh_encoder_linear(enc, A, b), nlayers == 1 ? LBH_OK : LBH_EINVAL);
        lbh_free(data);
        lbh_encoder_free(enc), lbh_encoder_free(back);
        drop(&l);
    }
    free(x);
}

Test(layers, what_cannot_be_is_refused)
{
    lbh_layers l = made(2, 30, 1), bad = l;
    lbh_encoder *enc = NULL;
    cr_assert_eq(lbh_encoder_from_layers(NULL, &l), LBH_EINVAL);
    bad.nlayers = 5;
    cr_assert_eq(lbh_encoder_from_layers(&enc, &bad), LBH_EINVAL);
    bad = l, bad.width[1] = 0;
    cr_assert_eq(lbh_encoder_from_layers(&enc, &bad), LBH_EINVAL);
    bad = l, bad.b[1] = NULL;
    cr_assert_eq(lbh_encoder_from_layers(&enc, &bad), LBH_EINVAL);
    ((float *)l.W[1])[7] = NAN;
    cr_assert_eq(lbh_encoder_from_layers(&enc, &l), LBH_EINVAL);
    cr_assert(strstr(lbh_last_error(), "W of layer 1"), "%s", lbh_last_error());
    drop(&l);
    float x[D] = {0};
    OK(lbh_encoder_new(&enc, LBH_METHOD_LAYERS, D, BITS));
    cr_assert_eq(lbh_encoder_train(enc, 1, x), LBH_ESTATE);
    lbh_encoder_free(enc);
}
