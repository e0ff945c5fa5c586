/* blas.h: the matrix product in the names of the papers. Row-major; C[m,n] = alpha op(A) op(B) +
 * beta C. Never called inside an OpenMP region: BLAS has threads of its own. */
#ifndef LBH_CORE_BLAS_H
#define LBH_CORE_BLAS_H

#include <cblas.h>

/* C[m,n] = alpha A[m,k] B[k,n] + beta C */
static inline void lbh_gemm_nn(int m, int n, int k, float alpha, const float *A, const float *B,
                               float beta, float *C)
{
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, n, k, alpha, A, k, B, n, beta, C, n);
}

/* C[m,n] = alpha A[m,k] B[n,k]^T + beta C */
static inline void lbh_gemm_nt(int m, int n, int k, float alpha, const float *A, const float *B,
                               float beta, float *C)
{
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, m, n, k, alpha, A, k, B, k, beta, C, n);
}

/* C[m,n] = alpha A[k,m]^T B[k,n] + beta C */
static inline void lbh_gemm_tn(int m, int n, int k, float alpha, const float *A, const float *B,
                               float beta, float *C)
{
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, m, n, k, alpha, A, m, B, n, beta, C, n);
}

#endif
