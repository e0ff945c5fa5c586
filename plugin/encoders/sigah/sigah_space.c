/* sigah_space.c: the space that SiGAH trains in, and where it starts.
 *
 *   t = (x - mean) V^T scale
 *
 * V are the leading r principal components, scale is one number for the set, such that the leading
 * nbits components have variance 1 on average: any data end where tanh learns, and the order of
 * distances is kept. A Gaussian measurement matrix stays one under a rotation, so that nothing is
 * lost but the directions that hold next to no variance.
 *
 * Start (the paper's is random Gaussian): the rotation of ITQ as hash layer. */
#include "blas.h"
#include "linalg.h"
#include "rng.h"
#include "fit_decoder.h"
#include "sigah.h"
#include "space.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { STATISTICS_ROWS = 100000, PAIRS = 20000 };
static const float LEAST_MEDIAN = 0.5f;

enum { STREAM_W = 32, STREAM_WG, STREAM_A, STREAM_WE, STREAM_WD, STREAM_ITQ, STREAM_PAIRS };

sigah_config sigah_configure(const lbh_encoder *self)
{
    const double *o = self->value;
    int d = lbh_space_dimension((int)o[SIGAH_OPT_PCA], self->nbits, self->d);
    sigah_measurement A = (sigah_measurement)o[SIGAH_OPT_MEASUREMENT];
    return (sigah_config){.d = d,
                          .nbits = self->nbits,
                          .m = A == SIGAH_IDENTITY ? d : (int)ceil(o[SIGAH_OPT_M_SCALE] * d),
                          .k = (int)ceil(o[SIGAH_OPT_HIDDEN] * d),
                          .activation = (sigah_activation)o[SIGAH_OPT_ACTIVATION],
                          .measurement = A,
                          .leak = (float)o[SIGAH_OPT_LEAK],
                          .sparsity = (float)o[SIGAH_OPT_SPARSITY],
                          .graph = (float)o[SIGAH_OPT_GRAPH],
                          .adversarial = (float)o[SIGAH_OPT_ADVERSARIAL],
                          .margin = (float)o[SIGAH_OPT_MARGIN]};
}

/* ---- Into the space ------------------------------------------------------------------------ */

static int compare_floats(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* The variance of the data may be that of a few very long rows, beside which the others are
 * nothing: then the scale goes up, until half of the rows have at least half the mean square. */
static int lift_short_rows(lbh_training *t, sigah_run *r)
{
    int d = r->cfg.d;
    float *share = lbh_scratch_f(t, 1, r->n);
    if (!share)
        return LBH_ENOMEM;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < r->n; i++)
        for (int j = 0; j < d; j++)
            share[i] += r->rows[i * d + j] * r->rows[i * d + j] * r->cfg.unit;
    qsort(share, (size_t)r->n, sizeof *share, compare_floats);
    float median = share[r->n / 2];
    if (!(median > 0 && median < LEAST_MEDIAN))
        return LBH_OK;
    float factor = fminf(sqrtf(LEAST_MEDIAN / median), 1e6f);
    for (int64_t i = 0; i < r->n * d; i++)
        r->rows[i] *= factor;
    r->scale *= factor;
    return LBH_OK;
}

int sigah_enter_space(const lbh_encoder *self, lbh_training *t, sigah_run *r)
{
    int dim = r->cfg.d;
    int64_t m;
    float *S;
    double all = 0;
    r->mean = lbh_scratch_f(t, 1, r->d);
    r->variance = lbh_scratch_f(t, 1, dim);
    r->V = lbh_scratch_f(t, dim, r->d);
    if (!r->mean || !r->variance || !r->V)
        return LBH_ENOMEM;
    LBH_TRY(lbh_sample_rows(t, STATISTICS_ROWS, &m, &S));
    lbh_centre(m, r->d, S, r->mean);
    LBH_TRY(lbh_space_components(m, r->d, S, dim, self->nbits, r->seed, r->V, r->variance,
                                 &r->scale));
    for (int j = 0; j < dim; j++) {
        r->variance[j] *= r->scale * r->scale;
        all += r->variance[j];
    }
    r->cfg.unit = all > 0 ? (float)(1 / all) : 1;
    LBH_TRY(lbh_space_rows(t, r->d, dim, r->mean, r->V, r->scale, &r->n, &r->rows, NULL));
    return lift_short_rows(t, r);
}

/* ---- The start ----------------------------------------------------------------------------- */

static void normal(const sigah_run *r, int which, uint64_t stream, double std)
{
    lbh_rng_normal(r->seed, stream, r->learned[which].size, r->p[which]);
    for (int64_t i = 0; i < r->learned[which].size; i++)
        r->p[which][i] *= (float)std;
}

static int start_itq(lbh_training *t, sigah_run *r, float slope, bool as_itq)
{
    int64_t m;
    float *T;
    LBH_TRY(lbh_space_rotations(t, r->n, r->cfg.d, r->rows, r->cfg.nbits, r->seed, STREAM_ITQ,
                                as_itq, r->p[SIGAH_W], &m, &T));
    for (int64_t i = 0; i < r->learned[SIGAH_W].size; i++)
        r->p[SIGAH_W][i] *= slope;
    return LBH_OK;
}

/* Rows of the data have length 1 / sqrt(unit), codes sqrt(L): the generator starts with features of
 * a few tenths, the hash layer with values of standard deviation `slope`. */
int sigah_start(const lbh_encoder *self, lbh_training *t, sigah_run *r, bool as_itq)
{
    const sigah_config *c = &r->cfg;
    double slope = self->value[SIGAH_OPT_SLOPE];
    normal(r, SIGAH_WG, STREAM_WG, 0.3 / sqrt(c->nbits));
    normal(r, SIGAH_A, STREAM_A, 1 / sqrt(c->d));
    normal(r, SIGAH_WE, STREAM_WE, 1 / sqrt(c->d));
    normal(r, SIGAH_WD, STREAM_WD, 1 / sqrt(c->k));
    if ((int)self->value[SIGAH_OPT_INIT] == SIGAH_INIT_ITQ)
        return start_itq(t, r, (float)slope, as_itq);
    normal(r, SIGAH_W, STREAM_W, slope * sqrt((double)c->unit));
    return LBH_OK;
}

int sigah_median_distance(lbh_training *t, const sigah_run *r, float *median)
{
    int d = r->cfg.d;
    float *square = lbh_scratch_f(t, 1, PAIRS);
    if (!square)
        return LBH_ENOMEM;
#pragma omp parallel for schedule(static)
    for (int i = 0; i < PAIRS; i++) {
        uint64_t at = 2 * (uint64_t)i;
        const float *x = r->rows + lbh_rng_below(r->seed, STREAM_PAIRS, at, r->n) * d;
        const float *y = r->rows + lbh_rng_below(r->seed, STREAM_PAIRS, at + 1, r->n) * d;
        for (int j = 0; j < d; j++)
            square[i] += (x[j] - y[j]) * (x[j] - y[j]);
    }
    qsort(square, PAIRS, sizeof *square, compare_floats);
    *median = square[PAIRS / 2];
    return LBH_OK;
}

/* ---- Out of the space ---------------------------------------------------------------------- */

/* z = W t + b and x^ = (h U + c) V / scale + mean, with h = 2 bit - 1. */
int sigah_leave_space(lbh_training *t, const sigah_run *r, sigah_model *model)
{
    int d = r->d, s = r->cfg.d, L = r->cfg.nbits;
    float *U = lbh_scratch_f(t, L, s), *c = lbh_scratch_f(t, 1, s);
    if (!U || !c)
        return LBH_ENOMEM;
    LBH_TRY(lbh_fit_decoder(t, r->n, s, r->rows, L, r->p[SIGAH_W], r->p[SIGAH_B], -1, U,
                            c));
    lbh_gemm_nn(L, d, s, r->scale, r->p[SIGAH_W], r->V, 0, model->W);
    lbh_gemm_nn(L, d, s, 1 / r->scale, U, r->V, 0, model->U);
    lbh_gemm_nn(1, d, s, 1 / r->scale, c, r->V, 0, model->c);
    for (int j = 0; j < d; j++)
        model->c[j] += r->mean[j];
    for (int k = 0; k < L; k++) {
        double shift = 0;
        for (int j = 0; j < d; j++) {
            int64_t i = (int64_t)k * d + j;
            shift += (double)model->W[i] * (double)r->mean[j];
            model->c[j] -= model->U[i];
            model->U[i] *= 2;
        }
        model->b[k] = (float)((double)r->p[SIGAH_B][k] - shift);
    }
    return LBH_OK;
}
