/* test_code_norms.c: norms of codes against double precision, and bounds of them against the norms. */
#include "support.h"

#include "code_norms.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = 83, LONGEST = 5 };

static uint8_t codes[N * LONGEST];
static float norm[N], bound[N];

static float *numbers(int64_t n, uint64_t seed)
{
    float *x = malloc(sizeof *x * (size_t)n);
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)(test_normal(seed, (uint64_t)i) * exp2(-(double)(i % 7)));
    return x;
}

/* What code i adds to column c: of byte tables, or of bits. */
static double component(const uint8_t *code, int nbits, int columns, const float *from, int tables, int c)
{
    double sum = 0;
    for (int m = 0; m < nbits / 8 && tables; m++)
        sum += from[(256 * m + code[m]) * columns + c];
    for (int k = 0; k < nbits && !tables; k++)
        sum += (code[k / 8] >> k % 8 & 1 ? 0.5 : -0.5) * from[k * columns + c];
    return sum;
}

static void check_bounds(const lbh_code_norms *s, int nbytes)
{
    lbh_code_norms_bound(s, N, codes, bound);
    for (int i = 0; i < N; i++) {
        const uint8_t *code = codes + i * nbytes;
        cr_assert_leq(bound[i], norm[i], "%.9g above %.9g", (double)bound[i], (double)norm[i]);
        cr_assert_gt(bound[i], 0);
        cr_assert_eq(lbh_code_norm_below(s, code, 0, 0, INFINITY), norm[i]);
        float sum = -norm[i], offset = norm[i] / 2, score = (sum + norm[i]) + offset;
        cr_assert_eq(lbh_code_norm_below(s, code, sum, offset, score), norm[i]); /* as good as the bar */
        for (float bar = -2 * offset; bar < score; bar += offset / 16) {
            float got = lbh_code_norm_below(s, code, sum, offset, bar);
            cr_assert_gt((sum + got) + offset, bar);
        }
    }
}

static void check(int nbits, int columns, int tables, int shifted)
{
    int nbytes = (nbits + 7) / 8;
    float *from = numbers((int64_t)(tables ? 256 * nbytes : nbits) * columns, 1);
    float *shift = shifted ? numbers(columns, 2) : NULL;
    lbh_code_norms s;
    for (int i = 0; i < N * nbytes; i++)
        codes[i] = (uint8_t)(256 * test_uniform(3, (uint64_t)i));
    for (int i = 0; i < N && nbits % 8; i++)
        codes[i * nbytes + nbytes - 1] &= (uint8_t)((1 << nbits % 8) - 1);
    cr_assert_eq(tables ? lbh_code_norms_of_bytes(&s, nbytes, columns, from, shift)
                        : lbh_code_norms_of_bits(&s, nbits, columns, from, shift), 0);
    lbh_code_norms_fill(&s, N, codes, norm);
    for (int i = 0; i < N; i++) {
        double want = 0;
        for (int c = 0; c < columns; c++) {
            double x = component(codes + i * nbytes, nbits, columns, from, tables, c) + (shift ? (double)shift[c] : 0);
            want += x * x;
        }
        cr_assert_float_eq(norm[i], want, 1e-5 * want + 1e-6, "%d bits, %d columns, code %d: %g, not %g",
                           nbits, columns, i, (double)norm[i], want);
        float alone;
        lbh_code_norms_fill(&s, 1, codes + i * nbytes, &alone);
        cr_assert_eq(alone, norm[i]);
    }
    check_bounds(&s, nbytes);
    lbh_code_norms_clear(&s);
    free(from);
    free(shift);
}

Test(code_norms, all_sizes)
{
    static const int columns[] = {1, 7, 31, 32, 33, 64, 65, 96, 100, 128, 200};
    for (int i = 0; i < 11; i++)
        for (int shifted = 0; shifted < 2; shifted++) {
            check(16, columns[i], 1, shifted);
            check(40, columns[i], 1, shifted);
            check(16, columns[i], 0, shifted);
            check(30, columns[i], 0, shifted);
            check(4, columns[i], 0, shifted);
        }
}
