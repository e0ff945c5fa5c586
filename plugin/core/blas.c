/* blas.c: see blas.h. */
#include "blas.h"

#include "product.h"
#include "profile.h"
#include "watch.h"

#include <stddef.h>
#include <string.h>

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
    bool stop = false;
    lbh_time before = lbh_clock(LBH_TIME_GEMM);
    if (lbh_product(ta, tb, m, n, k, alpha, A, B, beta, C))
        nblocks = 0;
#pragma omp parallel for schedule(static)
    for (int i = 0; i < nblocks; i++) {
        ptrdiff_t at = (ptrdiff_t)i * block;
        int count = extent - (int)at < block ? extent - (int)at : block;
        if (lbh_watch_stopped(&stop))
            continue;
        if (rows)
            cblas_sgemm(CblasRowMajor, opa, opb, count, n, k, alpha, A + (ta ? at : at * k), lda, B,
                        ldb, beta, C + at * n, n);
        else
            cblas_sgemm(CblasRowMajor, opa, opb, m, count, k, alpha, A, lda,
                        B + (tb ? at * k : at), ldb, beta, C + at, n);
    }
    lbh_clock(before);
}

void lbh_gather_product(int m, int n, int k, const float *table, const int64_t *ids, float *A,
                        const float *B, float *C)
{
    lbh_time before = lbh_clock(LBH_TIME_GEMM);
    bool done = lbh_product_gathered(m, n, k, table, ids, A, B, C);
    lbh_clock(done ? before : LBH_TIME_DATA);
    if (done)
        return;
#pragma omp parallel for schedule(static)
    for (int i = 0; i < m; i++)
        memcpy(A + (int64_t)i * k, table + ids[i] * k, (size_t)k * sizeof *A);
    lbh_clock(before);
    lbh_gemm_nt(m, n, k, 1, A, B, 0, C);
}
