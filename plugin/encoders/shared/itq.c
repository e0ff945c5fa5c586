/* itq.c: iterative quantization (Gong & Lazebnik, CVPR 2011).
 *
 *   Z = (X - mean) V^T                       V: the leading principal components
 *   repeat:  B = sign(Z R),  R = argmax trace(R^T Z^T B) over rotations    (Procrustes, by SVD)
 *   bit_k = [ (R^T V (x - mean))_k >= 0 ]
 *
 * More bits than dimensions: Z is padded with zero columns, which the rotation fills (what FAISS
 * users do with "Pad128,ITQ128,LSH"). FAISS's ITQ scales centred rows to unit length before it
 * learns; that is the option normalize here, off as in the paper.
 *
 * Decoder (the paper has none): x^ = mean + sum_k b_k s_k a_k, b = +-1, a_k the k-th row of
 * A = R^T V. The a_k are orthonormal for nbits <= d, so that the best s_k is E[b_k z_k] = E|z_k|,
 * z = A (x - mean). With s_k = 1 (decoder_scale=0) it is what SGH's authors compared with, on data
 * of one particular scale. */
#include "itq.h"

#include "blas.h"
#include "linalg.h"
#include "watch.h"

#include <math.h>
#include <string.h>

enum { OPT_ITERATIONS, OPT_NORMALIZE, OPT_MAX_TRAIN, OPT_DECODER_SCALE };

static const lbh_param params[] = {
    [OPT_ITERATIONS] = {"iterations", LBH_ITQ_ITERATIONS, 0, 100000, 1, NULL, "rotation updates"},
    [OPT_NORMALIZE] = {"normalize", 0, 0, 1, 1, NULL,
                       "1: scale centred training rows to unit length, as FAISS does"},
    [OPT_MAX_TRAIN] = {"max_train", 100000, 1, 1e9, 1, NULL, "rows to learn from, at most"},
    [OPT_DECODER_SCALE] = {"decoder_scale", 1, 0, 1, 1, NULL,
                           "1: each bit is decoded to the mean size of its value; 0: to 1"},
    {0},
};

typedef struct itq {
    float *A, *b;
    float *mean, *scale; /* the decoder's, besides A */
} itq;

static int visit(lbh_encoder *self, lbh_visitor *v)
{
    itq *s = self->state;
    LBH_TRY(v->tensor(v, "A", &s->A, self->nbits, self->d));
    LBH_TRY(v->tensor(v, "b", &s->b, 1, self->nbits));
    LBH_TRY(v->tensor(v, "mean", &s->mean, 1, self->d));
    return v->tensor(v, "scale", &s->scale, 1, self->nbits);
}

/* B = sign(Y), in place of nothing else; returns sum (y - sign y)^2. */
static double take_signs(int64_t size, const float *Y, float *B)
{
    enum { CHUNK = 1 << 16 }; /* partial sums in a fixed order, whatever the threads do */
    int64_t nchunks = (size + CHUNK - 1) / CHUNK;
    double total = 0;
#pragma omp parallel for schedule(static) ordered
    for (int64_t c = 0; c < nchunks; c++) {
        double loss = 0;
        int64_t end = (c + 1) * CHUNK < size ? (c + 1) * CHUNK : size;
        for (int64_t i = c * CHUNK; i < end; i++) {
            B[i] = Y[i] >= 0 ? 1.0f : -1.0f;
            double e = (double)Y[i] - (double)B[i];
            loss += e * e;
        }
#pragma omp ordered
        total += loss;
    }
    return total;
}

int lbh_itq_learn(lbh_training *t, int64_t m, int d, const float *X, int nbits, int iterations,
                  uint64_t seed, int report, float *A)
{
    int npca = nbits < d ? nbits : d, L = nbits;
    float *V = lbh_scratch_f(t, L, d), *variance = lbh_scratch_f(t, 1, L);
    float *Z = lbh_scratch_f(t, m, L), *Y = lbh_scratch_f(t, m, L), *B = lbh_scratch_f(t, m, L);
    float *R = lbh_scratch_f(t, L, L), *M = lbh_scratch_f(t, L, L);
    if (!V || !variance || !Z || !Y || !B || !R || !M)
        return LBH_ENOMEM;
    LBH_TRY(lbh_pca(m, d, X, npca, seed, V, variance)); /* rows beyond npca stay 0: the padding */
    lbh_gemm_nt((int)m, L, d, 1, X, V, 0, Z);
    LBH_TRY(lbh_random_rotation(L, L, seed, 1, R));
    for (int i = 0; i < iterations && !t->stop; i++) {
        lbh_gemm_nn((int)m, L, L, 1, Z, R, 0, Y);
        double loss = take_signs(m * L, Y, B);
        lbh_gemm_tn(L, L, (int)m, 1, Z, B, 0, M);
        LBH_TRY(lbh_procrustes(L, M, R));
        if (report)
            LBH_TRY(lbh_report(t, i + 1, iterations, loss / (double)m));
    }
    lbh_gemm_tn(L, d, L, 1, R, V, 0, A);
    return LBH_OK;
}

/* Keeps the lengths in norm[m]. */
static void scale_to_unit(int64_t m, int d, float *X, float *norm)
{
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < m; i++) {
        double square = 0;
        for (int j = 0; j < d; j++)
            square += (double)X[i * d + j] * (double)X[i * d + j];
        norm[i] = (float)sqrt(square);
        float scale = square > 0 ? (float)(1 / sqrt(square)) : 0;
        for (int j = 0; j < d; j++)
            X[i * d + j] *= scale;
    }
}

/* scale_k = mean |z_k| over the centred rows norm_i X_i (norm NULL: all 1). */
static int mean_sizes(lbh_training *t, int64_t m, int d, int L, const float *X, const float *norm,
                      const float *A, float *scale)
{
    enum { BLOCK = 2048 };
    float *Z = lbh_scratch_f(t, BLOCK, L);
    double *sum = lbh_scratch(t, L, sizeof *sum);
    if (!Z || !sum)
        return LBH_ENOMEM;
    for (int64_t i = 0; i < m; i += BLOCK) {
        int64_t count = m - i < BLOCK ? m - i : BLOCK;
        lbh_gemm_nt((int)count, L, d, 1, X + i * d, A, 0, Z);
        for (int64_t r = 0; r < count; r++) {
            double length = norm ? (double)norm[i + r] : 1;
            for (int k = 0; k < L; k++)
                sum[k] += length * fabs((double)Z[r * L + k]);
        }
        LBH_TRY(lbh_watch_check());
    }
    for (int k = 0; k < L; k++)
        scale[k] = (float)(sum[k] / (double)m);
    return LBH_OK;
}

static int train(lbh_encoder *self, lbh_training *t)
{
    itq *s = self->state;
    int d = self->d, nbits = self->nbits;
    int64_t m;
    float *X, *norm = NULL;
    LBH_TRY(lbh_sample_rows(t, (int64_t)self->value[OPT_MAX_TRAIN], &m, &X));
    lbh_centre(m, d, X, s->mean);
    if (self->value[OPT_NORMALIZE] != 0) {
        norm = lbh_scratch_f(t, 1, m);
        if (!norm)
            return LBH_ENOMEM;
        scale_to_unit(m, d, X, norm);
    }
    int iterations = (int)self->value[OPT_ITERATIONS];
    LBH_TRY(lbh_itq_learn(t, m, d, X, nbits, iterations, (uint64_t)self->common[LBH_OPT_SEED], 1,
                          s->A));
    lbh_gemm_nt(1, nbits, d, -1, s->mean, s->A, 0, s->b);
    if (self->value[OPT_DECODER_SCALE] != 0)
        return mean_sizes(t, m, d, nbits, X, norm, s->A, s->scale);
    for (int k = 0; k < nbits; k++)
        s->scale[k] = 1;
    return LBH_OK;
}

static int linear(const lbh_encoder *self, lbh_role role, float *A, float *b)
{
    (void)role;
    const itq *s = self->state;
    memcpy(A, s->A, (size_t)self->nbits * (size_t)self->d * sizeof *A);
    memcpy(b, s->b, (size_t)self->nbits * sizeof *b);
    return LBH_OK;
}

/* Bits of 0 and 1: b_k s_k a_k = 2 s_k a_k bit_k - s_k a_k. */
static int decoder(const lbh_encoder *self, float *U, float *c)
{
    const itq *s = self->state;
    int64_t d = self->d;
    for (int64_t j = 0; j < d; j++) {
        double centre = s->mean[j];
        for (int k = 0; k < self->nbits; k++) {
            float step = s->scale[k] * s->A[k * d + j];
            U[k * d + j] = 2 * step;
            centre -= (double)step;
        }
        c[j] = (float)centre;
    }
    return LBH_OK;
}

const lbh_method lbh_method_itq = {
    .name = "itq",
    .summary = "principal components, rotated so that their signs lose least",
    .cite = "Gong & Lazebnik, Iterative quantization: a procrustean approach, CVPR 2011",
    .state_size = sizeof(itq),
    .params = params,
    .train = train,
    .visit = visit,
    .linear = linear,
    .decoder = decoder,
};
