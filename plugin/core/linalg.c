/* linalg.c: see linalg.h. LAPACK is called by one thread of a parallel region: there OpenBLAS keeps
 * to one thread, and the result has the same bits with any number of them. */
#include "linalg.h"

#include "arena.h"
#include "blas.h"
#include "cpu.h"
#include "error.h"
#include "profile.h"
#include "rng.h"
#include "watch.h"

#include <lapacke.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

enum { FULL_COVARIANCE = 1500, OVERSAMPLE = 16, SUBSPACE_ROUNDS = 8, CENTRE_WIDTH = 128 };

static int lapack_failed(const char *what, int info)
{
    if (info == LAPACK_WORK_MEMORY_ERROR || info == LAPACK_TRANSPOSE_MEMORY_ERROR)
        return lbh_error(LBH_ENOMEM, "out of memory in %s", what);
    return lbh_error(LBH_ENUMERIC, "%s did not converge (LAPACK info %d)", what, info);
}

/* LAPACK's iterations may never end on a NaN or an infinity. */
static int check_finite(const char *what, double worst)
{
    if (isfinite(worst))
        return LBH_OK;
    return lbh_error(LBH_ENUMERIC, "%s: the numbers have grown beyond floats; scale the rows", what);
}

/* Infinite or NaN if an entry is. */
static double sum_of_sizes(int64_t n, const float *x)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += fabs((double)x[i]);
    return sum;
}

/* Columns of X that begin at X. */
LBH_CLONES
static void centre_columns(int64_t n, int d, int width, float *X, float *restrict mean)
{
    double sum[CENTRE_WIDTH] = {0};
    for (int64_t i = 0; i < n; i++)
        for (int j = 0; j < width; j++)
            sum[j] += (double)X[i * d + j];
    for (int j = 0; j < width; j++)
        mean[j] = (float)(sum[j] / (double)n);
    for (int64_t i = 0; i < n; i++)
        for (int j = 0; j < width; j++)
            X[i * d + j] -= mean[j];
}

/* Each sum has one order whatever the blocks: whole cache lines, as wide as leaves each thread one,
 * since what is far apart in memory is slow to read. */
void lbh_centre(int64_t n, int d, float *X, float *mean)
{
    bool stop = false;
    int share = (d / omp_get_max_threads() + 15) / 16 * 16;
    int width = share < 16 ? 16 : share > CENTRE_WIDTH ? CENTRE_WIDTH : share;
#pragma omp parallel for schedule(static)
    for (int j = 0; j < d; j += width)
        if (!lbh_watch_stopped(&stop))
            centre_columns(n, d, d - j < width ? d - j : width, X + j, mean + j);
}

/* A component and its negative are equally good: take the one whose largest entry is positive. */
static void fix_signs(int k, int d, float *V)
{
    for (int i = 0; i < k; i++) {
        float *v = V + (int64_t)i * d;
        int largest = 0;
        for (int j = 1; j < d; j++)
            if (fabsf(v[j]) > fabsf(v[largest]))
                largest = j;
        if (v[largest] < 0)
            for (int j = 0; j < d; j++)
                v[j] = -v[j];
    }
}

int lbh_leading_eigenvectors(int m, double *C, int k, float *V, float *value)
{
    double *w = lbh_alloc(m, sizeof *w);
    double *z = lbh_alloc((int64_t)m * k, sizeof *z);
    lapack_int *support = lbh_alloc(2 * (int64_t)m, sizeof *support);
    lapack_int found = 0, info = 0;
    int rc = w && z && support ? LBH_OK : LBH_ENOMEM;
    double trace = 0; /* of a covariance: infinite or NaN if an entry is */
    for (int i = 0; i < m; i++)
        trace += C[(int64_t)i * m + i];
    if (!rc)
        rc = check_finite("the eigenvalue decomposition", trace);
    if (!rc) { /* column-major, so that the eigenvectors come out as rows of ours */
#pragma omp parallel
#pragma omp single
        info = LAPACKE_dsyevr(LAPACK_COL_MAJOR, 'V', 'I', 'L', m, C, m, 0, 0, m - k + 1, m, 0,
                              &found, w, z, m, support);
    }
    if (!rc && (info || found != k))
        rc = lapack_failed("the eigenvalue decomposition", info);
    for (int i = 0; i < k && !rc; i++) {
        value[i] = (float)fmax(0, w[k - 1 - i]);
        for (int j = 0; j < m; j++)
            V[(int64_t)i * m + j] = (float)z[(int64_t)(k - 1 - i) * m + j];
    }
    free(w);
    free(z);
    free(support);
    return rc;
}

static int pca_full(int64_t n, int d, const float *X, int k, float *V, float *variance)
{
    enum { CHUNK = 4096 }; /* float sums of a chunk, double sums of the chunks */
    int64_t size = (int64_t)d * d, nchunks = (n + CHUNK - 1) / CHUNK;
    int threads = omp_get_max_threads(), most = nchunks > 1 ? (int)nchunks : 2; /* 2: see above */
    threads = threads < most ? threads : most;
    float *parts = lbh_alloc(threads * size, sizeof *parts);
    double *C = lbh_alloc(size, sizeof *C);
    int rc = parts && C ? LBH_OK : LBH_ENOMEM;
    lbh_time before = lbh_clock(LBH_TIME_GEMM);
    if (rc)
        nchunks = 0;
    bool stop = false;
#pragma omp parallel for ordered schedule(static, 1) num_threads(threads)
    for (int64_t c = 0; c < nchunks; c++) {
        if (lbh_watch_stopped(&stop))
            continue;
        int rows = n - c * CHUNK < CHUNK ? (int)(n - c * CHUNK) : CHUNK;
        float *part = parts + omp_get_thread_num() * size;
        cblas_ssyrk(CblasRowMajor, CblasUpper, CblasTrans, d, rows, 1, X + c * CHUNK * d, d, 0,
                    part, d);
#pragma omp ordered
        for (int64_t a = 0; a < d; a++)
            for (int64_t b = a; b < d; b++)
                C[a * d + b] += (double)part[a * d + b] / (double)n;
    }
    lbh_clock(before);
    free(parts);
    if (!rc)
        rc = lbh_watch_check();
    if (!rc)
        rc = lbh_leading_eigenvectors(d, C, k, V, variance);
    free(C);
    return rc;
}

/* Q[q * d] <- orthonormal basis of C Q, C = X^T X; Y[n * q] is scratch and holds X Q^T. */
static int subspace_round(int64_t n, int d, const float *X, int q, float *Q, float *Y)
{
    lbh_gemm_nt((int)n, q, d, 1, X, Q, 0, Y);
    lbh_gemm_tn(q, d, (int)n, 1, Y, X, 0, Q);
    LBH_TRY(lbh_watch_check());
    return lbh_orthonormal_rows(q, d, Q);
}

static int pca_subspace(int64_t n, int d, const float *X, int k, uint64_t seed, float *V,
                        float *variance)
{
    int q = k + OVERSAMPLE < d ? k + OVERSAMPLE : d;
    float *Q = lbh_alloc((int64_t)q * d, sizeof *Q), *Y = lbh_alloc(n * q, sizeof *Y);
    float *part = lbh_alloc((int64_t)q * q, sizeof *part);
    float *W = lbh_alloc((int64_t)k * q, sizeof *W);
    double *C = lbh_alloc((int64_t)q * q, sizeof *C);
    int rc = Q && Y && part && W && C ? LBH_OK : LBH_ENOMEM;
    if (!rc)
        rc = lbh_random_rotation(q, d, seed, 0x706361, Q);
    for (int i = 0; i < SUBSPACE_ROUNDS && !rc; i++)
        rc = subspace_round(n, d, X, q, Q, Y);
    if (!rc) { /* Rayleigh-Ritz: the covariance within the subspace */
        lbh_gemm_nt((int)n, q, d, 1, X, Q, 0, Y);
        lbh_gemm_tn(q, q, (int)n, 1.0f / (float)n, Y, Y, 0, part);
        for (int64_t i = 0; i < (int64_t)q * q; i++)
            C[i] = part[i];
        rc = lbh_leading_eigenvectors(q, C, k, W, variance);
    }
    if (!rc)
        lbh_gemm_nn(k, d, q, 1, W, Q, 0, V);
    free(Q);
    free(Y);
    free(part);
    free(W);
    free(C);
    return rc;
}

int lbh_pca(int64_t n, int d, const float *X, int k, uint64_t seed, float *V, float *variance)
{
    LBH_TRY(d <= FULL_COVARIANCE ? pca_full(n, d, X, k, V, variance)
                                 : pca_subspace(n, d, X, k, seed, V, variance));
    fix_signs(k, d, V);
    return LBH_OK;
}

int lbh_orthonormal_rows(int k, int d, float *Q)
{
    float *tau = lbh_alloc(k, sizeof *tau);
    if (!tau)
        return LBH_ENOMEM;
    /* k x d row-major is d x k column-major: its columns are our rows. */
    int info = 0;
#pragma omp parallel
#pragma omp single
    {
        info = LAPACKE_sgeqrf(LAPACK_COL_MAJOR, d, k, Q, d, tau);
        if (!info)
            info = LAPACKE_sorgqr(LAPACK_COL_MAJOR, d, k, k, Q, d, tau);
    }
    free(tau);
    return info ? lapack_failed("the QR decomposition", info) : LBH_OK;
}

int lbh_random_rotation(int k, int d, uint64_t seed, uint64_t stream, float *Q)
{
    lbh_rng_normal(seed, stream, (int64_t)k * d, Q);
    return lbh_orthonormal_rows(k, d, Q);
}

int lbh_procrustes(int k, const float *M, float *R)
{
    int64_t size = (int64_t)k * k;
    float *copy = lbh_alloc(size, sizeof *copy), *U = lbh_alloc(size, sizeof *U);
    float *Vt = lbh_alloc(size, sizeof *Vt), *s = lbh_alloc(k, sizeof *s);
    int rc = copy && U && Vt && s ? lbh_watch_check() : LBH_ENOMEM;
    if (!rc)
        rc = check_finite("the singular value decomposition", sum_of_sizes(size, M));
    if (!rc) {
        memcpy(copy, M, (size_t)size * sizeof *copy);
        int info = 0;
#pragma omp parallel
#pragma omp single
        info = LAPACKE_sgesdd(LAPACK_ROW_MAJOR, 'A', k, k, copy, k, s, U, k, Vt, k);
        if (info)
            rc = lapack_failed("the singular value decomposition", info);
    }
    if (!rc)
        lbh_gemm_nn(k, k, k, 1, U, Vt, 0, R);
    free(copy);
    free(U);
    free(Vt);
    free(s);
    return rc;
}

int lbh_solve_spd(int k, int d, double *G, double ridge, double *B)
{
    LBH_TRY(lbh_watch_check());
    for (int i = 0; i < k; i++)
        G[(int64_t)i * k + i] += ridge;
    int info = 0;
#pragma omp parallel
#pragma omp single
    info = LAPACKE_dposv(LAPACK_ROW_MAJOR, 'U', k, d, G, k, B, d);
    return info ? lapack_failed("the Cholesky decomposition", info) : LBH_OK;
}

void lbh_add_normal(int n, int k, int d, const float *X, const float *Y, float *part, double *G,
                    double *R)
{
    lbh_gemm_tn(k, k, n, 1, X, X, 0, part);
    for (int64_t i = 0; i < (int64_t)k * k; i++)
        G[i] += (double)part[i];
    lbh_gemm_tn(k, d, n, 1, X, Y, 0, part);
    for (int64_t i = 0; i < (int64_t)k * d; i++)
        R[i] += (double)part[i];
}

int lbh_least_squares(int64_t n, int k, int d, const float *X, const float *Y, double ridge,
                      float *W)
{
    enum { BLOCK = 4096 };
    float *part = lbh_alloc((int64_t)k * (d > k ? d : k), sizeof *part);
    double *G = lbh_alloc((int64_t)k * k, sizeof *G), *R = lbh_alloc((int64_t)k * d, sizeof *R);
    int rc = part && G && R ? LBH_OK : LBH_ENOMEM;
    for (int64_t i = 0; i < n && !rc; i += BLOCK) {
        int rows = n - i < BLOCK ? (int)(n - i) : BLOCK;
        lbh_add_normal(rows, k, d, X + i * k, Y + i * d, part, G, R);
        rc = lbh_watch_check();
    }
    if (!rc)
        rc = lbh_solve_spd(k, d, G, ridge * (double)n, R);
    for (int64_t j = 0; j < (int64_t)k * d && !rc; j++)
        W[j] = (float)R[j];
    free(part);
    free(G);
    free(R);
    return rc;
}
