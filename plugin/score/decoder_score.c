/* decoder_score.c: see decoder_score.h. */
#include "decoder_score.h"
#include "finite.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static double dot(int d, const float *x, const float *y)
{
    double sum = 0;
    for (int i = 0; i < d; i++)
        sum += (double)x[i] * y[i];
    return sum;
}

/* The centre and the map to weights; scales U. */
static int prepare_weights(lbh_decoder_score *s, float *U, const float *c)
{
    float scale = s->metric == LBH_METRIC_L2 ? -2.0f : -1.0f;
    for (int i = 0; i < s->d; i++) {
        double sum = c[i];
        for (int k = 0; k < s->nbits; k++)
            sum += 0.5 * U[(int64_t)k * s->d + i];
        s->centre[i] = (float)sum;
    }
    for (int k = 0; k < s->nbits; k++) {
        float *u = U + (int64_t)k * s->d;
        s->reach += sqrt(dot(s->d, u, u));
        for (int i = 0; i < s->d; i++)
            u[i] *= scale;
    }
    return lbh_panels_new(&s->weights, s->nbits, s->d, U, NULL);
}

/* G = R R^T in place, R lower triangular, for a G that may lack full rank: a column without a pivot
 * is 0. In plain loops: the same bits on every CPU. */
static void cholesky(int n, double *G)
{
    double most = 0;
    for (int k = 0; k < n; k++)
        most = fmax(most, G[(int64_t)k * n + k]);
    for (int k = 0; k < n; k++) {
        const double *row = G + (int64_t)k * n;
        for (int i = k; i < n; i++) {
            double *other = G + (int64_t)i * n;
            for (int j = 0; j < k; j++)
                other[k] -= row[j] * other[j];
        }
        double pivot = row[k], scale = pivot > 1e-12 * most ? 1 / sqrt(pivot) : 0;
        for (int i = k; i < n; i++)
            G[(int64_t)i * n + k] *= scale;
    }
}

static int reduce_vectors(lbh_decoder_score *s, const float *U)
{
    int n = s->nbits;
    double *G = lbh_alloc((int64_t)n * n, sizeof *G);
    s->vectors = lbh_alloc((int64_t)n * n, sizeof *s->vectors);
    if (!G || !s->vectors) {
        free(G);
        return LBH_ENOMEM;
    }
    for (int k = 0; k < n; k++)
        for (int l = 0; l <= k; l++)
            G[(int64_t)k * n + l] = dot(s->d, U + (int64_t)k * s->d, U + (int64_t)l * s->d);
    cholesky(n, G);
    for (int k = 0; k < n; k++)
        for (int l = 0; l <= k; l++)
            s->vectors[(int64_t)k * n + l] = (float)G[(int64_t)k * n + l];
    s->columns = n;
    free(G);
    return LBH_OK;
}

static int prepare_vectors(lbh_decoder_score *s, const float *U, bool reduce)
{
    if (s->metric != LBH_METRIC_L2)
        return LBH_OK;
    if (reduce && s->nbits < s->d)
        return reduce_vectors(s, U);
    s->vectors = lbh_alloc((int64_t)s->nbits * s->d, sizeof *s->vectors);
    if (!s->vectors)
        return LBH_ENOMEM;
    memcpy(s->vectors, U, (size_t)s->nbits * (size_t)s->d * sizeof *U);
    s->columns = s->d;
    return LBH_OK;
}

int lbh_decoder_score_init(lbh_decoder_score *s, const lbh_encoder *enc, int metric, bool reduce)
{
    *s = (lbh_decoder_score){.metric = metric, .d = enc->d, .nbits = enc->nbits};
    float *U = lbh_alloc((int64_t)s->nbits * s->d, sizeof *U);
    float *c = lbh_alloc(s->d, sizeof *c);
    s->centre = lbh_alloc(s->d, sizeof *s->centre);
    int rc = U && c && s->centre ? lbh_encoder_decoder(enc, U, c) : LBH_ENOMEM;
    if (!rc)
        rc = prepare_vectors(s, U, reduce);
    if (!rc)
        rc = prepare_weights(s, U, c);
    free(U);
    free(c);
    if (rc)
        lbh_decoder_score_clear(s);
    return rc;
}

void lbh_decoder_score_clear(lbh_decoder_score *s)
{
    lbh_panels_free(s->weights);
    free(s->centre);
    free(s->vectors);
    *s = (lbh_decoder_score){0};
}

double lbh_decoder_score_query(const lbh_decoder_score *s, const float *q, float *x)
{
    bool l2 = s->metric == LBH_METRIC_L2;
    double sum = 0;
    for (int j = 0; j < s->d; j++) {
        x[j] = l2 ? q[j] - s->centre[j] : q[j];
        sum += l2 ? (double)x[j] * x[j] : -(double)q[j] * s->centre[j];
    }
    return sum;
}

int lbh_decoder_score_check(const lbh_decoder_score *s, const char *method, int64_t nq,
                            const float *q)
{
    int64_t bad = lbh_find_nonfinite(nq, s->d, q);
    if (bad >= 0)
        return lbh_error(LBH_EINVAL, "%s: query %lld holds a NaN or an infinity", method,
                         (long long)bad);
    float *x = lbh_alloc(s->d, sizeof *x);
    if (!x)
        return LBH_ENOMEM;
    for (int64_t i = 0; i < nq && bad < 0; i++) {
        double offset = fabs(lbh_decoder_score_query(s, q + i * s->d, x));
        double most = offset + 2 * sqrt(dot(s->d, x, x)) * s->reach + s->reach * s->reach;
        bad = most < FLT_MAX ? -1 : i;
    }
    free(x);
    return bad < 0 ? LBH_OK
                   : lbh_error(LBH_EINVAL, "%s: query %lld holds numbers so large that its scores "
                               "overflow", method, (long long)bad);
}
