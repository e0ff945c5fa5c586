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

int lbh_space_components(int64_t m, int d, const float *S, int r, int nbits, uint64_t seed,
                         float *V, float *variance, float *scale)
{
    int leading = nbits < r ? nbits : r;
    double sum = 0;
    LBH_TRY(lbh_pca(m, d, S, r, seed, V, variance));
    for (int j = 0; j < leading; j++)
        sum += variance[j];
    *scale = sum > 0 ? (float)(1 / sqrt(sum / leading)) : 1;
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
                        uint64_t stream, float *A, int64_t *m, float **T)
{
    int l = L < d ? L : d;
    *m = n < ITQ_ROWS ? n : ITQ_ROWS;
    *T = lbh_scratch_f(t, *m, d);
    float *R = lbh_scratch_f(t, l, d);
    if (!*T || !R)
        return LBH_ENOMEM;
    for (int64_t i = 0; i < *m; i++) {
        int64_t row = lbh_rng_below(seed, stream, (uint64_t)i, n);
        memcpy(*T + i * d, rows + row * d, (size_t)d * sizeof **T);
    }
    for (int k = 0; k < L; k += l) {
        int count = L - k < l ? L - k : l;
        LBH_TRY(lbh_itq_learn(t, *m, d, *T, l, ITQ_ITERATIONS, seed + (uint64_t)k, 0, R));
        memcpy(A + (int64_t)k * d, R, (size_t)count * (size_t)d * sizeof *A);
    }
    return LBH_OK;
}
