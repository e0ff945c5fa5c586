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

/* What is left out scores no less than the bar, and of codes far above it most are left out. */
static void check(int nbytes, int64_t n, double size, double shift)
{
    lbh_code_block block = {.nbytes = nbytes, .stride = N, .word = words};
    lbh_score_table table = {.byte = bytes, .offset = (float)shift};
    lbh_filter f = {.whole = whole};
    uint16_t pass[N];
    float most = 0, score[N];
    for (int i = 0; i < nbytes * 256; i++)
        bytes[i] = (float)(size * (test_normal(1, (uint64_t)i) + 3));
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
    for (int64_t bar = 0; bar < n; bar += 7) {
        int count = lbh_filter_pass(&f, nbytes, n, plane, norm, score[bar], pass), at = 0, below = 0;
        for (int64_t i = 0; i < n; i++) {
            bool passes = at < count && pass[at] == i;
            at += passes;
            cr_assert(passes || score[i] >= score[bar], "code %lld: %g, bar %g", (long long)i,
                      score[i], score[bar]);
            below += score[i] < score[bar] + 0.04 * size * nbytes + 4e-6 * fabs(shift);
        }
        cr_assert_eq(at, count); /* rising, none twice */
        cr_assert(!lbh_filter_pays() || count <= below, "%d pass, %d are near", count, below);
    }
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
