/* blas.c: see blas.h. */
#include "core/blas.h"

#include "core/product.h"
#include "core/profile.h"

#include <stddef.h>

/* About 8 blocks, of 64 to 512 rows or columns of C. */
static int block_size(int extent)
{
    int block = (extent / 8 + 15) / 16 * 16;
    return block < 64 ? 64 : block > 512 ? 512 : block;
}

void lbh_gemm(bool ta, bool tb, int m, int n, int k, float alpha, const float *A, const float *B,
              float beta, float *C)
{
    enum CBLAS_TRANSPOSE opa = ta ? CblasTrans : CblasNoTrans, opb = tb ? CblasTrans : CblasNoTrans;
    int lda = ta ? m : k, ldb = tb ? k : n, rows = m >= n, extent = rows ? m : n;
    int block = block_size(extent), nblocks = (extent + block - 1) / block;
    if (k == 0 || m == 0 || n == 0)
        nblocks = 0;
    lbh_time before = lbh_clock(LBH_TIME_GEMM);
    if (lbh_product(ta, tb, m, n, k, alpha, A, B, beta, C))
        nblocks = 0;
#pragma omp parallel for schedule(static)
    for (int i = 0; i < nblocks; i++) {
        ptrdiff_t at = (ptrdiff_t)i * block;
        int count = extent - (int)at < block ? extent - (int)at : block;
        if (rows)
            cblas_sgemm(CblasRowMajor, opa, opb, count, n, k, alpha, A + (ta ? at : at * k), lda, B,
                        ldb, beta, C + at * n, n);
        else
            cblas_sgemm(CblasRowMajor, opa, opb, m, count, k, alpha, A, lda,
                        B + (tb ? at * k : at), ldb, beta, C + at, n);
    }
    lbh_clock(before);
}
