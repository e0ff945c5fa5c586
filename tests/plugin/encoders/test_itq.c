/* test_itq.c: the decoder of ITQ against sums written out here. */
#include "support.h"

#include "lbh.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = 1500, D = 24 };

#define OK(call) cr_assert_eq((call), LBH_OK, "%s", lbh_last_error())

static lbh_encoder *trained(const float *x, int nbits, const char *options)
{
    lbh_encoder *enc = NULL;
    OK(lbh_encoder_new(&enc, "itq", D, nbits));
    OK(lbh_encoder_set(enc, "rebuild=linear")); /* ITQ's own decoder, not byte tables */
    OK(lbh_encoder_set(enc, options));
    OK(lbh_encoder_train(enc, N, x));
    return enc;
}

/* x^ of all rows by the library. The caller frees. */
static float *rebuilt(const lbh_encoder *enc, const float *x)
{
    uint8_t *codes = malloc(N * lbh_encoder_code_size(enc));
    float *y = malloc(sizeof(float) * N * D);
    OK(lbh_encoder_encode(enc, N, x, codes));
    OK(lbh_encoder_decode(enc, N, codes, y));
    free(codes);
    return y;
}

static double error_of(const float *x, int nbits, const char *options)
{
    lbh_encoder *enc = trained(x, nbits, options);
    float *y = rebuilt(enc, x);
    double sum = 0;
    for (int i = 0; i < N * D; i++)
        sum += ((double)x[i] - y[i]) * ((double)x[i] - y[i]);
    free(y);
    lbh_encoder_free(enc);
    return sum / N / 2;
}

Test(itq, error_falls_with_bits)
{
    static const int bits[] = {1, 4, 8, 12, 16, 24, 48};
    float *x = test_mixture(N, D, 1, NULL);
    double last = INFINITY;
    for (size_t i = 0; i < sizeof bits / sizeof *bits; i++) {
        double error = error_of(x, bits[i], "");
        cr_assert(error < 0.97 * last, "%d bits: %g after %g", bits[i], error, last);
        last = error;
    }
    free(x);
}

Test(itq, scale_pays)
{
    float *x = test_mixture(N, D, 1, NULL);
    for (int nbits = 4; nbits <= D; nbits += 4) {
        double with = error_of(x, nbits, ""), without = error_of(x, nbits, "decoder_scale=0");
        cr_assert(with < without, "%d bits: %g with, %g without", nbits, with, without);
    }
    /* what the scales are for: other units change nothing but the unit */
    double here = error_of(x, 16, "");
    for (int i = 0; i < N * D; i++)
        x[i] *= 256;
    double there = error_of(x, 16, "");
    cr_assert(fabs(there / 65536 - here) < 1e-3 * here, "%g, %g", there / 65536, here);
    free(x);
}

/* mean + sum_k b_k s_k a_k from the linear map and the rows alone, and the normal equations: no s_k
 * rebuilds the training rows better. */
static void check_decoder(const float *x, int L, const char *options, bool scaled)
{
    lbh_encoder *enc = trained(x, L, options);
    float *A = malloc(sizeof(float) * L * D), *b = malloc(sizeof(float) * L), *y = rebuilt(enc, x);
    double mean[D] = {0}, *z = calloc((size_t)N * L, sizeof *z), *s = calloc(L, sizeof *s);
    OK(lbh_encoder_linear(enc, A, b));
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < D; j++)
            mean[j] += x[i * D + j] / (double)N;
        for (int k = 0; k < L; k++) {
            z[i * L + k] = b[k];
            for (int j = 0; j < D; j++)
                z[i * L + k] += (double)A[k * D + j] * x[i * D + j];
            s[k] += fabs(z[i * L + k]) / N;
        }
    }
    double worst = 0, *slope = calloc(L, sizeof *slope);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < D; j++) {
            double v = mean[j];
            for (int k = 0; k < L; k++)
                v += (z[i * L + k] >= 0 ? 1 : -1) * (scaled ? s[k] : 1) * A[k * D + j];
            worst = fmax(worst, fabs(v - y[i * D + j]));
            for (int k = 0; k < L; k++)
                slope[k] += (z[i * L + k] >= 0 ? 1 : -1) * A[k * D + j] * (x[i * D + j] - v) / N;
        }
    cr_assert(worst < 1e-4, "%s: %g", options, worst);
    for (int k = 0; scaled && L <= D && k < L; k++)
        cr_assert(fabs(slope[k]) < 1e-4, "%s: bit %d, slope %g", options, k, slope[k]);
    free(A), free(b), free(y), free(z), free(s), free(slope);
    lbh_encoder_free(enc);
}

Test(itq, decoder_is_what_it_says)
{
    float *x = test_mixture(N, D, 2, NULL);
    check_decoder(x, 10, "", true);
    check_decoder(x, 10, "normalize=1", true);
    check_decoder(x, 24, "iterations=0", true);
    check_decoder(x, 40, "", true);
    check_decoder(x, 10, "decoder_scale=0", false);
    free(x);
}
