/* space.c: see space.h. */
#include "space.h"

#include "blas.h"
#include "linalg.h"
#include "rng.h"
#include "itq.h"

#include <math.h>
#include <string.h>

enum { ITQ_ROWS = 20000, ITQ_ITERATIONS = 20, BLOCK = 1024 };

static const int64_t MAX_FLOATS = (int64_t)1 << 27; /* of training rows in memory: 512 MB */

int lbh_space_dimension(int least, int nbits, int d)
{
    int wanted = least > 2 * nbits ? least : 2 * nbits;
    return wanted < d ? wanted : d;
}

int lbh_space_components(int64_t m, int d, const float *S, int r, int nbits, uint64_t seed,
                         float *V, float *variance, float *scale)
{
    int leading = nbits < r ? nbits : r;
    double sum = 0;
    LBH_TRY(lbh_pca(m, d, S, r, seed, V, variance));
    for (int j = 0; j < leading; j++)
        sum += (double)variance[j];
    *scale = sum > 0 ? (float)fmin(1 / sqrt(sum / leading), 1e30) : 1;
    return LBH_OK;
}

/* Pulls the rows ids[0..count) and writes them to out[count * r] in the space. */
static int bring_rows(lbh_training *t, int d, int r, const float *mean, const float *V, float scale,
                      int64_t count, const int64_t *ids, float *block, float *norm, float *out)
{
    float *into = V ? block : out;
    LBH_TRY(lbh_pull(t, count, ids, into));
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < count; i++) {
        double square = 0;
        for (int j = 0; j < d; j++) {
            square += (double)into[i * d + j] * (double)into[i * d + j];
            into[i * d + j] = (into[i * d + j] - mean[j]) * scale;
        }
        if (norm)
            norm[i] = (float)sqrt(square);
    }
    if (V)
        lbh_gemm_nt((int)count, r, d, 1, block, V, 0, out);
    return LBH_OK;
}

int lbh_space_rows(lbh_training *t, int d, int r, const float *mean, const float *V, float scale,
                   int64_t *n, float **rows, float **norm)
{
    int64_t limit = MAX_FLOATS / r;
    *n = t->n < limit ? t->n : limit;
    int64_t *ids = lbh_scratch(t, *n, sizeof *ids);
    float *block = lbh_scratch_f(t, BLOCK, d);
    *rows = lbh_scratch_f(t, *n, r);
    if (norm)
        *norm = lbh_scratch_f(t, 1, *n);
    if (!ids || !block || !*rows || (norm && !*norm))
        return LBH_ENOMEM;
    LBH_TRY(lbh_sample_ids(t, *n, ids));
    for (int64_t i = 0; i < *n; i += BLOCK) {
        int64_t count = *n - i < BLOCK ? *n - i : BLOCK;
        LBH_TRY(bring_rows(t, d, r, mean, V, scale, count, ids + i, block, norm ? *norm + i : NULL,
                           *rows + i * r));
    }
    return LBH_OK;
}

int lbh_space_rotations(lbh_training *t, int64_t n, int d, const float *rows, int L, uint64_t seed,
                        uint64_t stream, bool as_itq, float *A, int64_t *m, float **T)
{
    int l = L < d ? L : d;
    *m = n < ITQ_ROWS || as_itq ? n : ITQ_ROWS;
    *T = lbh_scratch_f(t, *m, d);
    float *R = lbh_scratch_f(t, l, d);
    if (!*T || !R)
        return LBH_ENOMEM;
    for (int64_t i = 0; i < *m; i++) {
        int64_t row = as_itq ? i : lbh_rng_below(seed, stream, (uint64_t)i, n);
        memcpy(*T + i * d, rows + row * d, (size_t)d * sizeof **T);
    }
    if (as_itq)
        return lbh_itq_learn(t, *m, d, *T, L, LBH_ITQ_ITERATIONS, seed, 0, A);
    for (int k = 0; k < L; k += l) {
        int count = L - k < l ? L - k : l;
        LBH_TRY(lbh_itq_learn(t, *m, d, *T, l, ITQ_ITERATIONS, seed + (uint64_t)k, 0, R));
        memcpy(A + (int64_t)k * d, R, (size_t)count * (size_t)d * sizeof *A);
    }
    return LBH_OK;
}

/* ---- A sample of the rows ------------------------------------------------------------------ */

int lbh_reduce(lbh_training *t, int64_t max_train, int max_components, lbh_reduced *out)
{
    lbh_reduced p = {.d = t->enc->d};
    uint64_t seed = (uint64_t)t->enc->common[LBH_OPT_SEED];
    float *X;
    LBH_TRY(lbh_sample_rows(t, max_train, &p.m, &X));
    p.r = max_components < p.d ? max_components : p.d;
    p.mean = lbh_scratch_f(t, 1, p.d);
    p.V = lbh_scratch_f(t, p.r, p.d);
    p.variance = lbh_scratch_f(t, 1, p.r);
    p.Y = lbh_scratch_f(t, p.m, p.r);
    if (!p.mean || !p.V || !p.variance || !p.Y)
        return LBH_ENOMEM;
    lbh_centre(p.m, p.d, X, p.mean);
    LBH_TRY(lbh_space_components(p.m, p.d, X, p.r, t->enc->nbits, seed, p.V, p.variance, &p.scale));
    lbh_gemm_nt((int)p.m, p.r, p.d, p.scale, X, p.V, 0, p.Y);
    for (int i = 0; i < p.r; i++)
        p.variance[i] *= p.scale * p.scale;
    *out = p;
    return LBH_OK;
}

void lbh_reduced_expand(const lbh_reduced *p, int L, const float *W, const float *w, float *A,
                        float *b)
{
    if (w)
        memcpy(b, w, (size_t)L * sizeof *b);
    else
        memset(b, 0, (size_t)L * sizeof *b);
    lbh_gemm_nn(L, p->d, p->r, p->scale, W, p->V, 0, A);
    lbh_gemm_nt(1, L, p->d, -1, p->mean, A, 1, b);
}
