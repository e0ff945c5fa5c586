/* product.h: products with one short side, as training has them: rows of a batch by the weights of
 * some bits, gradients of those weights. Made of the tiles of core/tile.h, so that every sum is one
 * chain of fused multiply-adds: the same bits with any number of threads and any instruction set.
 * BLAS copies its operands into panels of its own at every call, which pays for long sides only. */
#ifndef LBH_CORE_PRODUCT_H
#define LBH_CORE_PRODUCT_H

#include <stdbool.h>
#include <stdint.h>

/* C[m,n] = alpha op(A) op(B) + beta C as lbh_gemm() has it. False, and nothing is done, for shapes
 * that BLAS is better at, and where a fused multiply-add is no instruction. */
bool lbh_product(bool ta, bool tb, int m, int n, int k, float alpha, const float *A, const float *B,
                 float beta, float *C);

/* The same of lbh_gather_product(): see blas.h. */
bool lbh_product_gathered(int m, int n, int k, const float *table, const int64_t *ids, float *A,
                          const float *B, float *C);

#endif
