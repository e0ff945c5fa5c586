/* itq_cca.c: ITQ on supervised projections (Gong, Lazebnik, Gordo & Perronnin, PAMI 2013): canonical
 * correlation analysis of the data and their 0/1 label matrix in place of principal components.
 *
 *   Cxx = X^T X / m + ridge I,  Cyy, Cxy alike;  Cxy^T Cxx^-1 Cxy v = r^2 Cyy v
 *   Z = X Cxx^-1 Cxy v: the canonical directions, each times its correlation r, as in the paper
 *   bits = signs of Z, rotated as in itq.c; more bits than classes: padded there
 *
 * Rows without labels are left out. */
#include "blas.h"
#include "linalg.h"
#include "itq.h"
#include "supervised.h"

#include <lapacke.h>
#include <stdlib.h>
#include <string.h>

enum { OPT_ITERATIONS, OPT_RIDGE, OPT_MAX_TRAIN };

enum { MAX_D = 16384, MAX_CCA_CLASSES = 8192, CHUNK = 4096 };

static const lbh_param params[] = {
    [OPT_ITERATIONS] = {"iterations", 50, 0, 100000, 1, NULL, "rotation updates"},
    [OPT_RIDGE] = {"ridge", 1e-4, 1e-12, 1e6, 0, NULL,
                   "ridge of the covariances, as a share of the mean variance"},
    [OPT_MAX_TRAIN] = {"max_train", 100000, 1, 1e9, 1, NULL, "rows to learn from, at most"},
    {0},
};

typedef struct itq_cca {
    float *A, *b;
} itq_cca;

static int visit(lbh_encoder *self, lbh_visitor *v)
{
    itq_cca *s = self->state;
    LBH_TRY(v->tensor(v, "A", &s->A, self->nbits, self->d));
    return v->tensor(v, "b", &s->b, 1, self->nbits);
}

static int check(const lbh_encoder *self)
{
    if (self->d > MAX_D)
        return lbh_error(LBH_EINVAL, "itq-cca: d (%d) must be at most %d: reduce it by PCA first",
                         self->d, MAX_D);
    return LBH_OK;
}

/* C[p * q] = P^T Q / m in double sums of chunks; part[p * q] is scratch. */
static void covariance(int64_t m, int p, int q, const float *P, const float *Q, float *part,
                       double *C)
{
    int64_t size = (int64_t)p * q;
    memset(C, 0, (size_t)size * sizeof *C);
    for (int64_t i = 0; i < m; i += CHUNK) {
        int rows = m - i < CHUNK ? (int)(m - i) : CHUNK;
        lbh_gemm_tn(p, q, rows, 1, P + i * p, Q + i * q, 0, part);
        for (int64_t k = 0; k < size; k++)
            C[k] += (double)part[k] / (double)m;
    }
}

static double mean_diagonal(int k, const double *C)
{
    double sum = 0;
    for (int i = 0; i < k; i++)
        sum += C[(int64_t)i * k + i];
    return sum > 0 ? sum / k : 1;
}

static int failed(const char *what, int info)
{
    return info == LAPACK_WORK_MEMORY_ERROR || info == LAPACK_TRANSPOSE_MEMORY_ERROR
               ? lbh_error(LBH_ENOMEM, "itq-cca: out of memory in %s", what)
               : lbh_error(LBH_ENUMERIC, "itq-cca: %s failed (LAPACK info %d)", what, info);
}

/* The matrices of the analysis, in doubles. */
typedef struct cca {
    int d, K;
    double *Cxx, *Cxy, *Cyy; /* d x d, d x K, K x K */
    double *T;               /* d x K: Cxx^-1 Cxy */
    double *M, *r2;          /* K x K: Cxy^T T, then eigenvectors in its columns; K values, rising */
} cca;

static int take(lbh_training *t, cca *c)
{
    int64_t d = c->d, K = c->K;
    c->Cxx = lbh_scratch(t, d * d, sizeof(double));
    c->Cxy = lbh_scratch(t, d * K, sizeof(double));
    c->Cyy = lbh_scratch(t, K * K, sizeof(double));
    c->T = lbh_scratch(t, d * K, sizeof(double));
    c->M = lbh_scratch(t, K * K, sizeof(double));
    c->r2 = lbh_scratch(t, K, sizeof(double));
    return c->Cxx && c->Cxy && c->Cyy && c->T && c->M && c->r2 ? LBH_OK : LBH_ENOMEM;
}

/* Directions D[r * d], the r strongest, each times its correlation: rows (T v)^T. LAPACK gives v with
 * v^T Cyy v = 1, and then T v has the variance r^2. */
static int directions(cca *c, double ridge, int r, float *D)
{
    int d = c->d, K = c->K;
    memcpy(c->T, c->Cxy, (size_t)d * (size_t)K * sizeof *c->T);
    LBH_TRY(lbh_solve_spd(d, K, c->Cxx, ridge * mean_diagonal(d, c->Cxx), c->T));
    double y_ridge = ridge * mean_diagonal(K, c->Cyy);
    for (int i = 0; i < K; i++)
        c->Cyy[(int64_t)i * K + i] += y_ridge;
    int info = 0;
/* inside a parallel region OpenBLAS keeps to one thread: the same bits with any number of them */
#pragma omp parallel
#pragma omp single
    {
        cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, K, K, d, 1, c->Cxy, K, c->T, K, 0,
                    c->M, K);
        info = LAPACKE_dsygvd(LAPACK_ROW_MAJOR, 1, 'V', 'U', K, c->M, K, c->Cyy, K, c->r2);
    }
    if (info)
        return failed("the canonical correlation analysis", info);
    for (int k = 0; k < r; k++)
        for (int j = 0; j < d; j++) {
            double sum = 0;
            for (int i = 0; i < K; i++)
                sum += c->T[(int64_t)j * K + i] * c->M[(int64_t)i * K + (K - 1 - k)];
            D[(int64_t)k * d + j] = (float)sum;
        }
    return LBH_OK;
}

/* Directions from the sample, centred X and labels. */
static int analyse(const lbh_encoder *self, lbh_training *t, int64_t m, const float *X,
                   const int64_t *ids, int K, int r, float *D)
{
    int d = self->d, wide = d > K ? d : K;
    cca c = {.d = d, .K = K};
    float *Y = lbh_scratch_f(t, m, K), *mean = lbh_scratch_f(t, 1, K);
    float *part = lbh_scratch_f(t, wide, wide);
    if (!Y || !mean || !part)
        return LBH_ENOMEM;
    LBH_TRY(take(t, &c));
    lbh_label_matrix(t, m, ids, K, Y);
    lbh_centre(m, K, Y, mean);
    covariance(m, d, d, X, X, part, c.Cxx);
    covariance(m, d, K, X, Y, part, c.Cxy);
    covariance(m, K, K, Y, Y, part, c.Cyy);
    return directions(&c, self->value[OPT_RIDGE], r, D);
}

/* One factor on X that puts its entries near 1, so that single precision is enough for any unit. */
static float normalise_scale(int64_t size, float *X)
{
    float top = 0;
    for (int64_t i = 0; i < size; i++) {
        float a = X[i] < 0 ? -X[i] : X[i];
        top = a > top ? a : top;
    }
    float scale = top > 1e-30f ? 1 / top : 1;
    for (int64_t i = 0; i < size; i++)
        X[i] *= scale;
    return scale;
}

static int train(lbh_encoder *self, lbh_training *t)
{
    itq_cca *s = self->state;
    int d = self->d, L = self->nbits;
    lbh_labelled all;
    int64_t m, *ids;
    float *X, *mean = lbh_scratch_f(t, 1, d);
    LBH_TRY(lbh_find_labelled(t, 0, &all));
    if (all.nclasses > MAX_CCA_CLASSES)
        return lbh_error(LBH_EINVAL, "itq-cca: %d classes, but at most %d can be analysed",
                         all.nclasses, MAX_CCA_CLASSES);
    LBH_TRY(lbh_sample_labelled(t, &all, (int64_t)self->value[OPT_MAX_TRAIN], &m, &ids, &X));
    int K = all.nclasses, r = L < K ? L : K;
    r = r < d ? r : d;
    float *D = lbh_scratch_f(t, r, d), *Z = lbh_scratch_f(t, m, r), *R = lbh_scratch_f(t, L, r);
    if (!mean || !D || !Z || !R)
        return LBH_ENOMEM;
    lbh_centre(m, d, X, mean);
    float scale = normalise_scale(m * d, X);
    LBH_TRY(analyse(self, t, m, X, ids, K, r, D));
    lbh_gemm_nt((int)m, r, d, 1, X, D, 0, Z);
    LBH_TRY(lbh_itq_learn(t, m, r, Z, L, (int)self->value[OPT_ITERATIONS],
                          (uint64_t)self->common[LBH_OPT_SEED], 1, R));
    lbh_gemm_nn(L, d, r, scale, R, D, 0, s->A);
    lbh_gemm_nt(1, L, d, -1, mean, s->A, 0, s->b);
    return LBH_OK;
}

static int linear(const lbh_encoder *self, lbh_role role, float *A, float *b)
{
    (void)role;
    const itq_cca *s = self->state;
    memcpy(A, s->A, (size_t)self->nbits * (size_t)self->d * sizeof *A);
    memcpy(b, s->b, (size_t)self->nbits * sizeof *b);
    return LBH_OK;
}

const lbh_method lbh_method_itq_cca = {
    .name = "itq-cca",
    .summary = "directions most correlated with the labels, rotated so that their signs lose least",
    .cite = "Gong, Lazebnik, Gordo & Perronnin, Iterative quantization, PAMI 35(12), 2013",
    .needs_labels = 1,
    .state_size = sizeof(itq_cca),
    .params = params,
    .check = check,
    .train = train,
    .visit = visit,
    .linear = linear,
};
