/* test_linear.c: the fused kernel against a sum in double precision, and against itself: every
 * instruction set, block size and neighbour gives the same bits. */
#define _POSIX_C_SOURCE 200809L
#include "support.h"

#include "cpu.h"
#include "error.h"
#include "linear.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static float *normal(int64_t n, uint64_t seed)
{
    float *x = malloc((size_t)(n ? n : 1) * sizeof *x);
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)test_normal(seed, (uint64_t)i);
    return x;
}

static lbh_panels *panels(const char *isa, int nout, int d, const float *A, const float *b)
{
    lbh_panels *p;
    setenv("LBH_ISA", isa, 1);
    lbh_cpu_choose_again();
    cr_assert_eq(lbh_panels_new(&p, nout, d, A, b), LBH_OK);
    unsetenv("LBH_ISA");
    return p;
}

static void check(int64_t n, int d, int nout)
{
    float *A = normal((int64_t)nout * d, 1), *b = normal(nout, 2), *x = normal(n * d, 3);
    size_t zsize = (size_t)(n * nout) * 4, code_size = ((size_t)nout + 7) / 8;
    float *z = malloc(zsize + 4), *other = malloc(zsize + 4);
    uint8_t *codes = malloc((size_t)n * code_size + 1), *others = malloc((size_t)n * code_size + 1);
    lbh_panels *best = panels("avx512", nout, d, A, b);
    lbh_panels_apply(best, n, x, z);
    for (int64_t i = 0; i < n; i++)
        for (int j = 0; j < nout; j++) {
            double sum = b[j], size = fabs(sum);
            for (int k = 0; k < d; k++) {
                sum += (double)A[j * d + k] * x[i * d + k];
                size += fabs((double)A[j * d + k] * x[i * d + k]);
            }
            cr_assert_float_eq(z[i * nout + j], sum, 1e-6 * size + 1e-30);
        }
    lbh_panels_encode(best, n, x, codes);
    for (int64_t i = 0; i < n; i++)
        for (size_t j = 0; j < 8 * code_size; j++) {
            int bit = codes[i * code_size + j / 8] >> (j % 8) & 1;
            cr_assert_eq(bit, j < (size_t)nout && z[i * nout + j] >= 0);
        }
    const char *isa[] = {"scalar", "avx2"};
    for (int v = 0; v < 2; v++) {
        lbh_panels *p = panels(isa[v], nout, d, A, b);
        lbh_panels_apply(p, n, x, other);
        cr_assert(memcmp(z, other, zsize) == 0, "%s differs at %lld x %d x %d", isa[v],
                  (long long)n, d, nout);
        lbh_panels_encode(p, n, x, others);
        cr_assert(memcmp(codes, others, (size_t)n * code_size) == 0);
        lbh_panels_free(p);
    }
    for (int64_t i = 0; i < n; i++) /* one row at a time */
        lbh_panels_apply(best, 1, x + i * d, other + i * nout);
    cr_assert(memcmp(z, other, zsize) == 0);
    lbh_panels_free(best);
    free(A), free(b), free(x), free(z), free(other), free(codes), free(others);
}

Test(linear, agrees_at_every_boundary)
{
    const int n[] = {0, 1, 5, 6, 7, 95, 96, 97, 200};
    const int d[] = {1, 3, 16, 33};
    const int nout[] = {1, 7, 8, 15, 16, 17, 31, 63, 64, 65, 100, 129};
    for (size_t i = 0; i < sizeof n / sizeof *n; i++)
        for (size_t j = 0; j < sizeof d / sizeof *d; j++)
            for (size_t k = 0; k < sizeof nout / sizeof *nout; k++)
                check(n[i], d[j], nout[k]);
}

Test(linear, agrees_beyond_one_slice_of_columns)
{
    check(13, 1023, 20);
    check(13, 1024, 20);
    check(13, 1025, 70);
    check(7, 3000, 64);
}

Test(linear, a_nan_gives_a_zero_bit)
{
    float A[] = {1, -1}, x[] = {NAN};
    uint8_t code = 255;
    lbh_panels *p = panels("avx512", 2, 1, A, NULL);
    lbh_panels_encode(p, 1, x, &code);
    cr_assert_eq(code, 0);
    x[0] = 0; /* z = 0 is bit 1 */
    lbh_panels_encode(p, 1, x, &code);
    cr_assert_eq(code, 3);
    lbh_panels_free(p);
}

Test(linear, unpacking_undoes_packing)
{
    enum { N = 9, BITS = 21 };
    float *z = normal(N * BITS, 8), h[N * BITS];
    uint8_t codes[N * 3];
    lbh_pack_bits(N, BITS, z, codes);
    lbh_unpack_bits(N, BITS, codes, h);
    for (int i = 0; i < N * BITS; i++)
        cr_assert_eq(h[i], z[i] >= 0);
    free(z);
}

/* 1 .. 130 of both, against the chain of fused multiply-adds that linear.h promises. */
Test(linear, every_shape_is_the_chain_of_fused_multiply_adds)
{
    enum { MOST = 130, N = 8 };
    float *A = normal(MOST * MOST, 21), *b = normal(MOST, 22), *x = normal(N * MOST, 23);
    float z[N * MOST];
    for (int d = 1; d <= MOST; d += d < 20 ? 1 : 11)
        for (int nout = 1; nout <= MOST; nout++) {
            lbh_panels *p = panels("avx512", nout, d, A, b);
            int n = 1 + (d + nout) % N;
            cr_assert(lbh_panels_apply(p, n, x, z));
            for (int i = 0; i < n; i++)
                for (int j = 0; j < nout; j++) {
                    float sum = 0;
                    for (int k = 0; k < d; k++)
                        sum = fmaf(x[i * d + k], A[j * d + k], sum);
                    cr_assert_eq(z[i * nout + j], sum + b[j], "%d x %d x %d", n, d, nout);
                }
            lbh_panels_free(p);
        }
    free(A), free(b), free(x);
}

Test(linear, bytes_give_the_codes_of_the_same_floats)
{
    const int shape[][3] = {{1, 1, 1},    {5, 7, 9},     {6, 16, 64},   {97, 33, 65},
                            {200, 130, 8}, {13, 1025, 70}, {7, 2049, 130}, {385, 4, 3}};
    const char *isa[] = {"scalar", "avx2", "avx512"};
    for (size_t s = 0; s < sizeof shape / sizeof *shape; s++)
        for (int extra = 0; extra <= 4; extra += 4)
            for (int v = 0; v < 3; v++) {
                int n = shape[s][0], d = shape[s][1], nout = shape[s][2], stride = d + extra;
                size_t code_size = ((size_t)nout + 7) / 8;
                float *A = normal((int64_t)nout * d, 31), *b = normal(nout, 32);
                float *x = malloc(sizeof *x * (size_t)(n * d));
                uint8_t *bytes = malloc((size_t)(n * stride)); /* exactly: no byte beyond is read */
                uint8_t *codes = malloc((size_t)n * code_size);
                uint8_t *same = malloc((size_t)n * code_size);
                for (int i = 0; i < n * stride; i++)
                    bytes[i] = (uint8_t)(256 * test_uniform(33, (uint64_t)i));
                for (int i = 0; i < n; i++)
                    for (int k = 0; k < d; k++)
                        x[i * d + k] = bytes[i * stride + k];
                lbh_panels *p = panels(isa[v], nout, d, A, b);
                cr_assert(lbh_panels_encode(p, n, x, codes));
                lbh_panels_encode_u8(p, n, bytes, stride, same);
                cr_assert(memcmp(codes, same, (size_t)n * code_size) == 0, "%s %d x %d x %d",
                          isa[v], n, d, nout);
                lbh_panels_free(p);
                free(A), free(b), free(x), free(bytes), free(codes), free(same);
            }
}

/* Wherever it stands, and whatever it is multiplied with, zeros included. */
Test(linear, a_value_that_is_not_finite_shows)
{
    enum { D = 37, OUT = 70, N = 100 };
    const float bad[] = {NAN, INFINITY, -INFINITY};
    float *A = normal(OUT * D, 41), *x = normal(N * D, 42), z[N * OUT];
    uint8_t codes[N * 9];
    for (int k = 0; k < D; k += 2)
        A[k] = 0;
    lbh_panels *p = panels("avx512", OUT, D, A, NULL);
    cr_assert(lbh_panels_apply(p, N, x, z) && lbh_panels_encode(p, N, x, codes));
    for (int i = 0; i < N * D; i += 7) {
        float kept = x[i];
        x[i] = bad[i % 3];
        cr_assert(!lbh_panels_apply(p, N, x, z) && !lbh_panels_encode(p, N, x, codes), "%d", i);
        x[i] = kept;
    }
    lbh_panels_free(p);
    free(A), free(x);
}
