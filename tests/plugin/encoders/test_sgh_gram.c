/* test_sgh_gram.c: the gradients of a batch by way of the codes' and templates' inner products against
 * the sum of its rows' gradients, each by rebuilding the row. */
#include "support.h"

#include "sgh_gram.h"
#include "sgh_step.h"

#include <math.h>
#include <omp.h>
#include <string.h>

enum { L = 8, D = 45, B = 64 };
enum {
    AT_W = 0,
    AT_B = AT_W + L * D,
    AT_U = AT_B + L,
    AT_S = AT_U + L * D,
    AT_C = AT_S + D,
    AT_BETA = AT_C + D,
    AT_RHO = AT_BETA + L,
    SIZE = AT_RHO + 1
};

typedef struct work {
    float theta[SIZE], grad[SIZE], X[B * D], noise[B * L];
    float A[B * L], P[B * L], H[B * L], G[B * L], T[B * D], sums[L + D];
} work;

static sgh_params view(float *theta)
{
    return (sgh_params){theta + AT_W, theta + AT_B,    theta + AT_U, theta + AT_S,
                        theta + AT_C, theta + AT_BETA, theta + AT_RHO};
}

static void prepare(work *w)
{
    memset(w, 0, sizeof *w);
    for (int i = 0; i < SIZE; i++)
        w->theta[i] = 0.4f * (float)test_normal(1, (uint64_t)i);
    w->theta[AT_S] = 0; /* a dimension that the decoder leaves out */
    for (int i = 0; i < B * D; i++)
        w->X[i] = 1 + (float)test_normal(2, (uint64_t)i);
    for (int i = 0; i < B * L; i++)
        w->noise[i] = (float)test_uniform(3, (uint64_t)i);
}

static double gradients(const sgh_config *cfg, work *w, int first, int count)
{
    sgh_params p = view(w->theta), g = view(w->grad);
    sgh_batch batch = {w->A, w->P, w->H, w->G, w->T, w->sums};
    double rec;
    memset(w->grad, 0, sizeof w->grad);
    sgh_gradients(cfg, &p, count, w->X + first * D, w->noise + first * L, &batch, &g, &rec);
    return rec;
}

/* The decay that every call adds. */
static double decay(const sgh_config *cfg, const work *w, int i)
{
    if (i >= AT_W && i < AT_W + L * D)
        return (double)cfg->decay_w * w->theta[i];
    if (i >= AT_U && i < AT_U + L * D)
        return (double)cfg->decay_u * w->theta[i];
    return 0;
}

static void check(const sgh_config *cfg)
{
    static work w;
    double sum[SIZE] = {0}, size[SIZE] = {0}, rec = 0;
    prepare(&w);
    cr_assert(sgh_gram_pays(cfg, B));
    cr_assert_not(sgh_gram_pays(cfg, 1));
    for (int i = 0; i < B; i++) {
        rec += gradients(cfg, &w, i, 1);
        for (int j = 0; j < SIZE; j++) {
            sum[j] += w.grad[j] - (i ? decay(cfg, &w, j) : 0);
            size[j] += fabs((double)w.grad[j]);
        }
    }
    float first[SIZE];
    for (int threads = 1; threads <= 3; threads++) {
        omp_set_num_threads(threads);
        double got = gradients(cfg, &w, 0, B);
        cr_assert_float_eq(got, rec, 1e-5 * rec, "%g, not %g", got, rec);
        for (int j = 0; j < SIZE; j++)
            cr_assert_float_eq(w.grad[j], sum[j], 2e-5 * (1 + size[j]), "%d: %g, not %g", j,
                               w.grad[j], sum[j]);
        if (threads == 1)
            memcpy(first, w.grad, sizeof first);
        cr_assert(memcmp(first, w.grad, sizeof first) == 0, "%d threads differ", threads);
    }
}

Test(sgh_gram, a_batch_is_the_sum_of_its_rows)
{
    for (int decoder = SGH_BASIC; decoder <= SGH_SCALED; decoder++)
        for (int objective = SGH_PAPER; objective <= SGH_OFFICIAL; objective++)
            for (int coding = SGH_CODING_01; coding <= SGH_CODING_PM1; coding++)
                for (int estimator = SGH_BIASED; estimator <= SGH_UNBIASED; estimator++)
                    check(&(sgh_config){.d = D, .nbits = L, .decoder = (sgh_decoder)decoder,
                                        .estimator = (sgh_estimator)estimator,
                                        .objective = (sgh_objective)objective,
                                        .coding = (sgh_coding)coding, .kl = 0.7f, .alpha = 0.25f,
                                        .decay_u = 0.5f, .decay_w = 0.125f});
}

/* Scratch is enough: what a batch needs at most fits into B x d, for every shape that takes it. */
Test(sgh_gram, room_fits_where_it_pays)
{
    static const int sizes[] = {8, 16, 24, 64, 128, 256, 500, 784, 4096};
    int n = sizeof sizes / sizeof *sizes;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++)
            for (int k = 0; k < n; k++) {
                double bits = sizes[i], d = sizes[j], rows = sizes[k];
                sgh_config cfg = {.d = sizes[j], .nbits = sizes[i]};
                if (sgh_gram_pays(&cfg, sizes[k]))
                    cr_assert_leq(2 * bits * d + bits * bits + 2 * (d / 32 + 2), rows * d);
            }
}
