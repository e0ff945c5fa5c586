/* test_byte_filter.c: bounds of scores by byte tables against the scores. */
#include "support.h"

#include "byte_filter.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = LBH_DECODED_BLOCK, LONGEST = 24 };

static uint8_t plane[LONGEST * N], whole[LONGEST * 256], codes[N * LONGEST];
static uint32_t words[LONGEST / 4 * N];
static float bytes[LONGEST * 256], norm[N];

/* As the kernels add. */
static float score_of(int nbytes, const lbh_score_table *t, int64_t i)
{
    float sum = 0;
    for (int m = 0; m < nbytes; m++)
        sum += t->byte[256 * m + codes[i * nbytes + m]];
    return (sum + norm[i]) + t->offset;
}

/* Each code passes a bar that is the least above its score. */
static void check_own_bars(const lbh_filter *f, int nbytes, int64_t n, const float *score)
{
    uint16_t pass[N];
    for (int64_t i = 0; i < n; i++) {
        float bar = nextafterf(score[i], INFINITY);
        int count = lbh_filter_pass(f, nbytes, n, plane, norm, bar, pass), at = 0;
        while (at < count && pass[at] != i)
            at++;
        cr_assert_lt(at, count, "code %lld of score %.9g is left out", (long long)i, score[i]);
    }
}

/* What is left out scores no less than the bar, and of codes far above it most are left out. steps:
 * the values are whole numbers of one step, so that rounding them down loses nothing. */
static void check_values(int nbytes, int64_t n, double size, double shift, bool steps)
{
    lbh_code_block block = {.nbytes = nbytes, .stride = N, .word = words};
    lbh_score_table table = {.byte = bytes, .offset = (float)shift};
    lbh_filter f = {.whole = whole};
    uint16_t pass[N];
    float most = 0, score[N];
    for (int i = 0; i < nbytes * 256; i++)
        bytes[i] = steps ? (float)(i % 256 - (int)shift / nbytes)
                         : (float)(size * (test_normal(1, (uint64_t)i) + 3));
    for (int64_t i = 0; i < n * nbytes; i++)
        codes[i] = (uint8_t)(256 * test_uniform(2, (uint64_t)i));
    for (int64_t i = 0; i < n; i++) {
        norm[i] = (float)(size * test_uniform(3, (uint64_t)i));
        most = norm[i] > most ? norm[i] : most;
    }
    lbh_code_block_fill(&block, n, codes);
    lbh_filter_planes(&block, plane);
    lbh_filter_fill(&f, nbytes, &table, most);
    for (int64_t i = 0; i < n; i++)
        score[i] = score_of(nbytes, &table, i);
    check_own_bars(&f, nbytes, n, score);
    /* A fifth more than twice the additions that a bound allows for, of the largest numbers. */
    double large = 2 * fabs(shift) + 510 * nbytes + (double)most;
    double room = 1.2 * (2 * nbytes + 16) * 0x1p-24 * large;
    for (int64_t bar = 0; bar < n; bar += 7) {
        int count = lbh_filter_pass(&f, nbytes, n, plane, norm, score[bar], pass), at = 0, below = 0;
        for (int64_t i = 0; i < n; i++) {
            bool passes = at < count && pass[at] == i;
            at += passes;
            cr_assert(passes || score[i] >= score[bar], "code %lld: %g, bar %g", (long long)i,
                      score[i], score[bar]);
            below += score[i] < score[bar] + (steps ? room : 0.04 * size * nbytes + 4e-6 * fabs(shift));
        }
        cr_assert_eq(at, count); /* rising, none twice */
        cr_assert(!lbh_filter_pays() || count <= below, "%d pass, %d are near", count, below);
    }
}

static void check(int nbytes, int64_t n, double size, double shift)
{
    check_values(nbytes, n, size, shift, false);
}

Test(byte_filter, leaves_out_only_what_cannot_be_an_answer)
{
    check(1, N, 1, 0);
    check(8, N, 1, 0);
    check(8, 77, 1, 0); /* no whole number of 64 */
    check(16, N, 1e3, -5e4);
    check(LONGEST, N, 1e-3, 2);
}

/* Scores that are small differences of large numbers: the additions of floats decide. */
Test(byte_filter, allows_for_rounding)
{
    for (int power = 10; power < 24; power += 2)
        check(8, N, 1, ldexp(1, power));
    check_values(8, N, 1, 0, true);
    for (int power = 10; power < 24; power++) {
        check_values(8, N, 1, ldexp(1, power), true);
        check_values(LONGEST, N, 1, ldexp(1, power), true);
    }
}

/* One value everywhere: no range to divide. */
Test(byte_filter, tables_without_a_range)
{
    lbh_score_table table = {.byte = bytes};
    lbh_code_block block = {.nbytes = 2, .stride = N, .word = words};
    lbh_filter f = {.whole = whole};
    uint16_t pass[N];
    for (int i = 0; i < 512; i++)
        bytes[i] = 7;
    memset(norm, 0, sizeof norm);
    lbh_code_block_fill(&block, N, codes);
    lbh_filter_planes(&block, plane);
    lbh_filter_fill(&f, 2, &table, 0);
    cr_assert_eq(lbh_filter_pass(&f, 2, N, plane, norm, INFINITY, pass), N);
    cr_assert_eq(lbh_filter_pass(&f, 2, N, plane, norm, 14.1f, pass), N);
    cr_assert(!lbh_filter_pays() || lbh_filter_pass(&f, 2, N, plane, norm, 13.9f, pass) == 0);
}
