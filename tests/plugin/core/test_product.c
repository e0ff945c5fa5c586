/* test_product.c: matrix products against sums in double precision; those of core/product.h also
 * against the chain of fused multiply-adds that they are, bit for bit, with every instruction set
 * and number of threads. */
#define _POSIX_C_SOURCE 200809L
#include "support.h"

#include "blas.h"
#include "cpu.h"
#include "product.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

typedef struct shape {
    bool ta, tb;
    int m, n, k;
} shape;

static float *normal(int64_t n, uint64_t seed)
{
    float *x = malloc((size_t)(n ? n : 1) * sizeof *x);
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)test_normal(seed, (uint64_t)i);
    return x;
}

static void use_isa(const char *isa)
{
    setenv("LBH_ISA", isa, 1);
    lbh_cpu_choose_again();
    unsetenv("LBH_ISA");
}

static float entry(const float *M, bool transposed, int rows, int columns, int i, int j)
{
    return transposed ? M[(int64_t)j * rows + i] : M[(int64_t)i * columns + j];
}

/* C by the definition; *exact by the chain of fused multiply-adds. */
static void by_definition(const shape *s, float alpha, const float *A, const float *B, float beta,
                          const float *C, double *sum, double *size, float *chain)
{
    for (int i = 0; i < s->m; i++)
        for (int j = 0; j < s->n; j++) {
            int64_t at = (int64_t)i * s->n + j;
            double total = 0, magnitude = 0;
            float acc = 0;
            for (int k = 0; k < s->k; k++) {
                float a = entry(A, s->ta, s->m, s->k, i, k), b = entry(B, s->tb, s->k, s->n, k, j);
                total += (double)a * b;
                magnitude += fabs((double)a * b);
                acc = fmaf(a, b, acc);
            }
            sum[at] = alpha * total + (beta != 0 ? (double)beta * C[at] : 0);
            size[at] = fabs(alpha) * magnitude + (beta != 0 ? fabs((double)beta * C[at]) : 0);
            float scaled = alpha * acc, added = beta != 0 ? beta * C[at] : 0;
            chain[at] = beta != 0 ? scaled + added : scaled;
        }
}

static void check(const shape *s, float alpha, float beta)
{
    static const char *const isas[] = {"avx512", "avx2", "scalar"};
    int64_t mn = (int64_t)s->m * s->n;
    float *A = normal((int64_t)s->m * s->k, 1), *B = normal((int64_t)s->k * s->n, 2);
    float *C = normal(mn, 3), *got = malloc((size_t)mn * 4 + 4), *chain = malloc((size_t)mn * 4 + 4);
    double *sum = malloc((size_t)mn * 8 + 8), *size = malloc((size_t)mn * 8 + 8);
    if (beta == 0) /* what is there must not count */
        for (int64_t i = 0; i < mn; i++)
            C[i] = NAN;
    by_definition(s, alpha, A, B, beta, C, sum, size, chain);
    for (int v = 0; v < 3; v++) {
        use_isa(isas[v]);
        memcpy(got, C, (size_t)mn * 4);
        bool own = lbh_product(s->ta, s->tb, s->m, s->n, s->k, alpha, A, B, beta, got);
        cr_assert(memcmp(got, own ? chain : C, (size_t)mn * 4) == 0,
                  "%s differs at %d%d %d x %d x %d, alpha %g beta %g", isas[v], s->ta, s->tb, s->m,
                  s->n, s->k, alpha, beta);
        memcpy(got, C, (size_t)mn * 4);
        lbh_gemm(s->ta, s->tb, s->m, s->n, s->k, alpha, A, B, beta, got);
        for (int64_t i = 0; i < mn; i++)
            cr_assert_float_eq(got[i], sum[i], 1e-6 * size[i] + 1e-30);
    }
    free(A), free(B), free(C), free(got), free(chain), free(sum), free(size);
}

static void check_all(int m, int n, int k)
{
    for (int t = 0; t < 4; t++)
        check(&(shape){t & 1, t & 2, m, n, k}, 1, 0);
}

Test(product, agrees_at_every_boundary)
{
    static const int m[] = {1, 5, 6, 7, 12, 47, 48, 49}, k[] = {1, 15, 16, 33};
    static const int n[] = {1, 15, 16, 17, 31, 48, 63, 64, 65, 130};
    for (size_t i = 0; i < sizeof m / sizeof *m; i++)
        for (size_t j = 0; j < sizeof n / sizeof *n; j++)
            for (size_t l = 0; l < sizeof k / sizeof *k; l++)
                check_all(m[i], n[j], k[l]);
}

Test(product, scales_and_adds)
{
    static const float alpha[] = {1, 0, -2, 0.3f}, beta[] = {0, 1, 0.7f};
    for (int a = 0; a < 4; a++)
        for (int b = 0; b < 3; b++)
            for (int t = 0; t < 4; t++)
                check(&(shape){t & 1, t & 2, 20, 70, 9}, alpha[a], beta[b]);
}

Test(product, agrees_at_the_borders_of_what_is_done_here)
{
    check_all(7, 20, 1024);
    check_all(7, 20, 1025);
    check_all(256, 17, 5);
    check_all(257, 17, 5);
}

/* Same bits with 1 to 4 threads: of what is done here and of what BLAS does. */
Test(product, the_number_of_threads_changes_nothing)
{
    static const shape shapes[] = {{false, true, 211, 64, 100}, {false, false, 100, 211, 64},
                                   {true, false, 64, 211, 100}, {true, false, 700, 90, 40},
                                   {false, true, 300, 40, 1100}, {false, false, 130, 9, 500}};
    enum { MOST = 700 * 500 };
    float *A = normal(MOST, 4), *B = normal(MOST, 5);
    float *first = malloc(MOST * sizeof *first), *C = malloc(MOST * sizeof *C);
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (int threads = 1; threads <= 4; threads++) {
            const shape *x = shapes + s;
            float *out = threads == 1 ? first : C;
            omp_set_num_threads(threads);
            lbh_gemm(x->ta, x->tb, x->m, x->n, x->k, 1, A, B, 0, out);
            cr_assert(memcmp(out, first, (size_t)x->m * (size_t)x->n * sizeof *out) == 0,
                      "%d threads differ at shape %zu", threads, s);
        }
    free(A), free(B), free(first), free(C);
}

Test(product, shapes_of_training_are_done_here)
{
    enum { MOST = 500 * 784 };
    float *A = normal(MOST, 6), *B = normal(MOST, 7), *C = malloc(MOST * sizeof *C);
    bool fused = lbh_product(false, true, 1, 1, 1, 1, A, B, 0, C);
    if (!fused)
        cr_skip("no fused multiply-add on this CPU: BLAS does them");
    cr_assert(lbh_product(false, true, 500, 64, 784, 1, A, B, 0, C));
    cr_assert(lbh_product(false, false, 500, 784, 64, 1, A, B, 0, C));
    cr_assert(lbh_product(true, false, 64, 784, 500, 1, A, B, 0, C));
    free(A), free(B), free(C);
}

/* Rows drawn with replacement; the last shape goes to BLAS. */
Test(product, gathers_rows_while_it_multiplies)
{
    static const shape shapes[] = {{.m = 1, .n = 3, .k = 5}, {.m = 100, .n = 70, .k = 33},
                                   {.m = 131, .n = 64, .k = 784}, {.m = 50, .n = 20, .k = 1030}};
    enum { ROWS = 77, MOST = 1030 };
    float *table = normal(ROWS * MOST, 8), *B = normal(70 * MOST, 9);
    float *A = malloc(131 * MOST * sizeof *A), *C = malloc(131 * 70 * sizeof *C);
    float *expected = malloc(131 * 70 * sizeof *C);
    int64_t ids[131];
    for (int i = 0; i < 131; i++)
        ids[i] = i * 29 % ROWS;
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (int threads = 1; threads <= 3; threads++) {
            const shape *x = shapes + s;
            size_t row = (size_t)x->k * sizeof *A;
            omp_set_num_threads(threads);
            memset(A, 0, 131 * MOST * sizeof *A);
            lbh_gather_product(x->m, x->n, x->k, table, ids, A, B, C);
            for (int i = 0; i < x->m; i++)
                cr_assert(memcmp(A + i * x->k, table + ids[i] * x->k, row) == 0);
            lbh_gemm_nt(x->m, x->n, x->k, 1, A, B, 0, expected);
            cr_assert(memcmp(C, expected, (size_t)x->m * (size_t)x->n * sizeof *C) == 0);
        }
    free(table), free(B), free(A), free(C), free(expected);
}
