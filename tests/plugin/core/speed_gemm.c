/* speed_gemm.c: the matrix products of training against BLAS, shape by shape. Not a test: run it by
 * hand. Times are the least of many calls, GFLOP/s in columns. */
#include "blas.h"
#include "product.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct shape {
    const char *name;
    bool ta, tb;
    int m, n, k;
} shape;

static const shape shapes[] = {
    {"X W^T", false, true, 500, 64, 784},    {"X [W;V]^T", false, true, 500, 128, 784},
    {"H U", false, false, 500, 784, 64},     {"dA^T X", true, false, 64, 784, 500},
    {"[dA;H]^T X", true, false, 129, 784, 500},
    {"X W^T", false, true, 500, 64, 256},
    {"X [W;V]^T", false, true, 500, 128, 256}, {"H U", false, false, 500, 256, 64},
    {"dA^T X", true, false, 64, 256, 500},   {"[dA;H]^T X", true, false, 129, 256, 500},
    {"H S", false, false, 500, 64, 64},      {"H^T H", true, false, 64, 64, 500},
    {"W W^T", false, true, 64, 64, 784},     {"S V", false, false, 64, 784, 64},
    {"X W^T", false, true, 500, 32, 784},    {"dA^T X", true, false, 32, 784, 500},
    {"X W^T", false, true, 500, 16, 784},    {"dA^T X", true, false, 16, 784, 500},
    {"X W^T", false, true, 500, 256, 784},   {"dA^T X", true, false, 256, 784, 500},
    {"mlp up", false, true, 500, 1024, 784}, {"mlp up", false, true, 500, 1024, 1024},
    {"mlp down", false, false, 500, 1024, 1024}, {"mlp grad", true, false, 1024, 784, 500},
    {"mlp grad", true, false, 1024, 1024, 500}, {"mlp out", true, false, 64, 1024, 500},
    {"cov", true, false, 256, 256, 1000}, {"nt", false, true, 100, 100, 100},
    {"nt", false, true, 30, 30, 30},
};

static float *numbers(int64_t n)
{
    float *x = malloc((size_t)n * sizeof *x);
    for (int64_t i = 0; x && i < n; i++)
        x[i] = (float)(i % 1009) / 1009 - 0.5f;
    return x;
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 300;
    float *A = numbers(1 << 21), *B = numbers(1 << 21), *C = numbers(1 << 21);
    if (!A || !B || !C)
        return 1;
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        const shape *x = shapes + s;
        double best[2] = {1e9, 1e9};
        bool own = true;
        for (int r = 0; r < rounds; r++)
            for (int which = 0; which < 2; which++) {
                double began = omp_get_wtime();
                if (which)
                    cblas_sgemm(CblasRowMajor, x->ta ? CblasTrans : CblasNoTrans,
                                x->tb ? CblasTrans : CblasNoTrans, x->m, x->n, x->k, 1, A,
                                x->ta ? x->m : x->k, B, x->tb ? x->k : x->n, 0, C, x->n);
                else
                    own = lbh_product(x->ta, x->tb, x->m, x->n, x->k, 1, A, B, 0, C);
                double time = omp_get_wtime() - began;
                best[which] = time < best[which] ? time : best[which];
            }
        double flop = 2e-9 * x->m * x->n * x->k;
        printf("%-12s %5d %5d %5d  blas %6.1f", x->name, x->m, x->n, x->k, flop / best[1]);
        if (own)
            printf("  own %6.1f  ratio %.2f", flop / best[0], best[1] / best[0]);
        putchar('\n');
    }
    free(A), free(B), free(C);
    return 0;
}
