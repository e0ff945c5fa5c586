/* blas.h: the matrix product in the names of the papers. Row-major; C[m,n] = alpha op(A) op(B) +
 * beta C. Not to be called inside an OpenMP region.
 *
 * Products with a short side are done by core/product.h, the others by BLAS. BLAS picks kernels and
 * cuts sums by the number of its threads, so its results depend on it. Here the longer side of C is
 * cut into blocks that depend on the shape alone, each done by BLAS with one thread: the same bits
 * with any number of threads.
 *
 * Whoever stops the call that they are in leaves them undone: lbh_watch_check() says so later (watch.h). */
#ifndef LBH_CORE_BLAS_H
#define LBH_CORE_BLAS_H

#include <cblas.h>
#include <stdbool.h>
#include <stdint.h>

/* op = transpose where ta, tb say so */
void lbh_gemm(bool ta, bool tb, int m, int n, int k, float alpha, const float *A, const float *B,
              float beta, float *C);

/* C[m,n] = alpha A[m,k] B[k,n] + beta C */
static inline void lbh_gemm_nn(int m, int n, int k, float alpha, const float *A, const float *B,
                               float beta, float *C)
{
    lbh_gemm(false, false, m, n, k, alpha, A, B, beta, C);
}

/* C[m,n] = alpha A[m,k] B[n,k]^T + beta C */
static inline void lbh_gemm_nt(int m, int n, int k, float alpha, const float *A, const float *B,
                               float beta, float *C)
{
    lbh_gemm(false, true, m, n, k, alpha, A, B, beta, C);
}

/* C[m,n] = alpha A[k,m]^T B[k,n] + beta C */
static inline void lbh_gemm_tn(int m, int n, int k, float alpha, const float *A, const float *B,
                               float beta, float *C)
{
    lbh_gemm(true, false, m, n, k, alpha, A, B, beta, C);
}

/* A[i] = table[ids[i]] for rows i < m of k floats, and C[m,n] = A B[n,k]^T. The rows lie anywhere in
 * memory: it is asked for them while those before are multiplied. */
void lbh_gather_product(int m, int n, int k, const float *table, const int64_t *ids, float *A,
                        const float *B, float *C);

#endif
