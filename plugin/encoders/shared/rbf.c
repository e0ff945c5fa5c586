/* rbf.c: see rbf.h. -gamma ||u - a||^2 = (2 gamma a) . u - gamma ||a||^2 - gamma ||u||^2. */
#include "rbf.h"

#include "blas.h"
#include "cpu.h"
#include "linalg.h"
#include "linear.h"
#include "rng.h"
#include "vmath.h"
#include "watch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_ROWS = 96, FEATURE_ROWS = 4096, WIDTH_ROWS = 2000 };

static const uint64_t STREAM_ANCHORS = 0x616e63686f72;

int lbh_rbf_visit(lbh_rbf *r, const lbh_encoder *enc, int nanchors, lbh_visitor *v)
{
    LBH_TRY(v->tensor(v, "mean", &r->mean, 1, enc->d));
    LBH_TRY(v->tensor(v, "scale", &r->scale, 1, 1));
    LBH_TRY(v->tensor(v, "anchors", &r->anchors, nanchors, enc->d));
    LBH_TRY(v->tensor(v, "gamma", &r->gamma, 1, 1));
    LBH_TRY(v->tensor(v, "W", &r->W, enc->nbits, nanchors));
    return v->tensor(v, "b", &r->b, 1, enc->nbits);
}

static double squared_norm(int d, const float *u)
{
    double sum = 0;
    for (int j = 0; j < d; j++)
        sum += (double)u[j] * (double)u[j];
    return sum;
}

static double mean_squared_distance(int64_t m, int d, const float *U, int nanchors,
                                    const float *anchors)
{
    int64_t rows = m < WIDTH_ROWS ? m : WIDTH_ROWS, step = m / rows;
    double total = 0;
    /* E||u - a||^2 = E||u||^2 + E||a||^2 - 2 E[u] . E[a] over independent rows and anchors */
    for (int64_t i = 0; i < rows; i++)
        total += squared_norm(d, U + i * step * d) / (double)rows;
    for (int k = 0; k < nanchors; k++)
        total += squared_norm(d, anchors + (int64_t)k * d) / nanchors;
    for (int j = 0; j < d; j++) {
        double u = 0, a = 0;
        for (int64_t i = 0; i < rows; i++)
            u += U[i * step * d + j];
        for (int k = 0; k < nanchors; k++)
            a += anchors[(int64_t)k * d + j];
        total -= 2 * u * a / (double)rows / nanchors;
    }
    return total;
}

int lbh_rbf_start(lbh_rbf *r, int64_t m, int d, float *X, int nanchors, double width,
                  uint64_t seed)
{
    double total = 0;
    lbh_centre(m, d, X, r->mean);
    for (int64_t i = 0; i < m; i++)
        total += squared_norm(d, X + i * d);
    LBH_TRY(lbh_watch_check());
    double rms = sqrt(total / (double)m / d);
    r->scale[0] = (float)(rms > 0 ? fmin(1 / rms, 1e30) : 1);
    for (int64_t i = 0; i < m * d; i++)
        X[i] *= r->scale[0];
    int64_t *ids = lbh_alloc(nanchors, sizeof *ids);
    int rc = ids ? lbh_rng_sample(seed, STREAM_ANCHORS, m, nanchors, ids) : LBH_ENOMEM;
    for (int k = 0; k < nanchors && !rc; k++)
        memcpy(r->anchors + (int64_t)k * d, X + ids[k] * d, (size_t)d * sizeof *X);
    free(ids);
    LBH_TRY(rc);
    double distance = mean_squared_distance(m, d, X, nanchors, r->anchors);
    r->gamma[0] = (float)(1 / (width * width * (distance > 1e-6 ? distance : 1)));
    return LBH_OK;
}

/* dot[n] = 2 gamma a . u - gamma ||a||^2, becomes phi */
LBH_CLONES
static void exponentials(int n, float own, float *restrict dot)
{
    for (int j = 0; j < n; j++) {
        float e = dot[j] - own;
        dot[j] = lbh_expf(e < 0 ? e : 0);
    }
}

int lbh_rbf_features(const lbh_rbf *r, int64_t m, int d, const float *U, int nanchors, float *phi,
                      float *norms)
{
    float gamma = r->gamma[0];
    for (int64_t i = 0; i < m; i += FEATURE_ROWS) {
        int rows = m - i < FEATURE_ROWS ? (int)(m - i) : FEATURE_ROWS;
        lbh_gemm_nt(rows, nanchors, d, 2 * gamma, U + i * d, r->anchors, 0, phi + i * nanchors);
        LBH_TRY(lbh_watch_check());
    }
    for (int k = 0; k < nanchors; k++)
        norms[k] = gamma * (float)squared_norm(d, r->anchors + (int64_t)k * d);
    bool stop = false;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < m; i++) {
        if (lbh_watch_stopped(&stop))
            continue;
        float *row = phi + i * nanchors;
        for (int k = 0; k < nanchors; k++)
            row[k] -= norms[k];
        exponentials(nanchors, gamma * (float)squared_norm(d, U + i * d), row);
    }
    return lbh_watch_check();
}

int lbh_rbf_prepare(lbh_rbf *r, const lbh_encoder *enc, int nanchors)
{
    int d = enc->d;
    float gamma = r->gamma[0], *A = lbh_alloc((int64_t)nanchors * d, sizeof *A);
    float *b = lbh_alloc(nanchors, sizeof *b);
    int rc = A && b ? LBH_OK : LBH_ENOMEM;
    lbh_rbf_release(r);
    for (int64_t i = 0; i < (int64_t)nanchors * d && !rc; i++)
        A[i] = 2 * gamma * r->anchors[i];
    for (int k = 0; k < nanchors && !rc; k++)
        b[k] = -gamma * (float)squared_norm(d, r->anchors + (int64_t)k * d);
    if (!rc)
        rc = lbh_panels_new(&r->to_anchors, nanchors, d, A, b);
    if (!rc)
        rc = lbh_panels_new(&r->to_bits, enc->nbits, nanchors, r->W, r->b);
    free(A);
    free(b);
    if (rc)
        lbh_rbf_release(r);
    return rc;
}

void lbh_rbf_release(lbh_rbf *r)
{
    lbh_panels_free(r->to_anchors);
    lbh_panels_free(r->to_bits);
    r->to_anchors = r->to_bits = NULL;
}

int lbh_rbf_project(const lbh_rbf *r, const lbh_encoder *enc, int nanchors, int64_t n,
                    const float *x, float *z)
{
    int d = enc->d;
    float gamma = r->gamma[0], scale = r->scale[0];
    float *U = lbh_alloc((int64_t)BLOCK_ROWS * (d + nanchors), sizeof *U);
    if (!U)
        return LBH_ENOMEM;
    float *phi = U + (int64_t)BLOCK_ROWS * d;
    for (int64_t i = 0; i < n; i += BLOCK_ROWS) {
        int rows = n - i < BLOCK_ROWS ? (int)(n - i) : BLOCK_ROWS;
        for (int k = 0; k < rows; k++)
            for (int j = 0; j < d; j++)
                U[(int64_t)k * d + j] = (x[(i + k) * d + j] - r->mean[j]) * scale;
        lbh_panels_apply(r->to_anchors, rows, U, phi);
        for (int k = 0; k < rows; k++)
            exponentials(nanchors, gamma * (float)squared_norm(d, U + (int64_t)k * d),
                         phi + (int64_t)k * nanchors);
        lbh_panels_apply(r->to_bits, rows, phi, z + i * enc->nbits);
    }
    free(U);
    return LBH_OK;
}
