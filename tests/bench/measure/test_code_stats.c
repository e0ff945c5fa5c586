/* test_code_stats.c: balance, correlation and entropy of codes, against the definitions spelt out
 * over 0/1 numbers. */
#include "support.h"

#include "code_stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_N = 700, MAX_BITS = 21 };

typedef struct sample {
    int64_t n;
    int nbits;
    size_t code_size;
    uint8_t codes[MAX_N * 3];
    int bit[MAX_N][MAX_BITS];
} sample;

static void set(sample *s, int64_t i, int j, int value)
{
    s->bit[i][j] = value;
    if (value)
        s->codes[(size_t)i * s->code_size + (size_t)j / 8] |= (uint8_t)(1 << j % 8);
}

/* Bits with different means, a copy, an opposite, a constant one; so few bits that codes repeat. */
static void make(sample *s, int64_t n, int nbits, uint64_t seed)
{
    *s = (sample){.n = n, .nbits = nbits, .code_size = ((size_t)nbits + 7) / 8};
    for (int64_t i = 0; i < n; i++)
        for (int j = 0; j < nbits; j++) {
            double u = test_uniform(seed, (uint64_t)(i * nbits + j));
            int value = u < 0.2 + 0.6 * j / nbits;
            if (j == 3)
                value = s->bit[i][1];
            else if (j == 4)
                value = !s->bit[i][0];
            else if (j == 5)
                value = 1;
            set(s, i, j, value);
        }
}

static double mean_of(const sample *s, int j)
{
    double sum = 0;
    for (int64_t i = 0; i < s->n; i++)
        sum += s->bit[i][j];
    return sum / (double)s->n;
}

/* Pearson's coefficient from centred products; NaN if a bit is constant. */
static double pearson(const sample *s, int a, int b)
{
    double ma = mean_of(s, a), mb = mean_of(s, b), ab = 0, aa = 0, bb = 0;
    for (int64_t i = 0; i < s->n; i++) {
        ab += (s->bit[i][a] - ma) * (s->bit[i][b] - mb);
        aa += (s->bit[i][a] - ma) * (s->bit[i][a] - ma);
        bb += (s->bit[i][b] - mb) * (s->bit[i][b] - mb);
    }
    return aa * bb > 1e-9 ? ab / sqrt(aa * bb) : NAN;
}

static double naive_correlation(const sample *s)
{
    double sum = 0;
    int pairs = 0;
    for (int a = 0; a < s->nbits; a++)
        for (int b = a + 1; b < s->nbits; b++) {
            double r = pearson(s, a, b);
            if (!isnan(r)) {
                sum += fabs(r);
                pairs++;
            }
        }
    return pairs ? sum / pairs : NAN;
}

static int64_t times(const sample *s, int64_t of, int64_t first, int64_t last)
{
    int64_t count = 0;
    for (int64_t i = first; i < last; i++)
        count += memcmp(s->bit[i], s->bit[of], sizeof s->bit[i]) == 0;
    return count;
}

static void check(const sample *s)
{
    code_stats got;
    cr_assert_eq(code_stats_compute(&got, s->n, s->nbits, s->code_size, s->codes), LBH_OK);
    double sum = 0, least = 1, greatest = 0, entropy = 0;
    int constant = 0;
    int64_t distinct = 0;
    for (int j = 0; j < s->nbits; j++) {
        double m = mean_of(s, j);
        cr_assert_float_eq(got.ones[j], m, 1e-12);
        sum += m;
        least = fmin(least, m);
        greatest = fmax(greatest, m);
        constant += m == 0 || m == 1;
    }
    for (int64_t i = 0; i < s->n; i++) {
        entropy -= log2((double)times(s, i, 0, s->n) / (double)s->n) / (double)s->n;
        distinct += times(s, i, 0, i) == 0;
    }
    cr_assert_float_eq(got.mean, sum / s->nbits, 1e-12);
    cr_assert_float_eq(got.least, least, 1e-12);
    cr_assert_float_eq(got.greatest, greatest, 1e-12);
    cr_assert_eq(got.constant, constant);
    cr_assert_eq(got.distinct, distinct);
    cr_assert_float_eq(got.entropy, entropy, 1e-9);
    cr_assert_float_eq(got.entropy_limit, fmin(s->nbits, log2((double)s->n)), 1e-12);
    double r = naive_correlation(s);
    if (isnan(r))
        cr_assert(isnan(got.correlation));
    else
        cr_assert_float_eq(got.correlation, r, 1e-9, "%.12f, naive %.12f", got.correlation, r);
    code_stats_free(&got);
}

Test(code_stats, equals_the_definitions)
{
    static sample s;
    for (int nbits = 1; nbits <= MAX_BITS; nbits += 5)
        for (int64_t n = 1; n <= MAX_N; n = n * 3 + 4) {
            make(&s, n, nbits, (uint64_t)(n + nbits));
            check(&s);
        }
}

/* All 2^8 codes once: nothing to improve. All codes equal: nothing left. */
Test(code_stats, best_and_worst)
{
    uint8_t all[256], same[256];
    code_stats s;
    for (int i = 0; i < 256; i++) {
        all[i] = (uint8_t)i;
        same[i] = 77;
    }
    cr_assert_eq(code_stats_compute(&s, 256, 8, 1, all), LBH_OK);
    cr_assert_float_eq(s.entropy, 8, 1e-12);
    cr_assert_float_eq(s.correlation, 0, 1e-12);
    cr_assert(s.least == 0.5 && s.greatest == 0.5 && s.distinct == 256);
    code_stats_free(&s);
    cr_assert_eq(code_stats_compute(&s, 256, 8, 1, same), LBH_OK);
    cr_assert(s.entropy == 0 && s.distinct == 1 && s.constant == 8 && isnan(s.correlation));
    code_stats_free(&s);
}

/* More rows than the correlation looks at: bit 1 follows bit 0 in three of four codes, r = 1/2. */
Test(code_stats, many_rows)
{
    int64_t n = 3 * (int64_t)CORRELATION_ROWS + 5;
    uint8_t *codes = calloc((size_t)n, 1);
    code_stats s;
    for (int64_t i = 0; i < n; i++) {
        int a = test_uniform(3, (uint64_t)i) < 0.5;
        int b = test_uniform(4, (uint64_t)i) < 0.75 ? a : !a;
        codes[i] = (uint8_t)(a | b << 1);
    }
    cr_assert_eq(code_stats_compute(&s, n, 2, 1, codes), LBH_OK);
    cr_assert_float_eq(s.correlation, 0.5, 0.01);
    cr_assert_eq(s.distinct, 4);
    code_stats_free(&s);
    free(codes);
}
