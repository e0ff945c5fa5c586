/* test_query_group.c: scores of several queries at a time against those of one after the other. */
#define _POSIX_C_SOURCE 200809L
#include "support.h"

#include "lbh.h"
#include "query_group.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define OK(call) cr_assert_eq((call), LBH_OK, "%s", lbh_last_error())

enum { N = LBH_DECODED_BLOCK, BLOCKS = 6, LONGEST = 17, MAX = LBH_GROUP_QUERIES };

static uint8_t codes[BLOCKS * N * LONGEST];
static uint32_t words[(LONGEST + 3) / 4 * N];
static float norm[N], entries[LONGEST * 256 * MAX];
static lbh_score_table table[MAX];
static lbh_topk best[MAX], wanted[MAX];

static void new_best(lbh_topk *t, int64_t k, int64_t room)
{
    *t = (lbh_topk){.k = k, .room = room, .bar = INFINITY};
    t->key = calloc((size_t)room, sizeof *t->key);
}

/* Of each query the last codes are the best, so that bars fall for long; those of later queries lie
 * higher. Every score is raised to `least` at least. */
static void check(int nbytes, int64_t count, int64_t k, float least)
{
    lbh_query_group g = {.entry = entries};
    lbh_code_block block = {.nbytes = nbytes, .stride = N, .word = words};
    float score[N];
    for (int64_t i = 0; i < BLOCKS * N * nbytes; i++)
        codes[i] = (uint8_t)(256 * test_uniform(5, (uint64_t)i));
    for (int64_t j = 0; j < count; j++) {
        OK(lbh_score_table_new(&table[j], nbytes, 0, 1));
        table[j].offset = (float)(10 * j) - 1.7f;
        table[j].least = least;
        for (int64_t i = 0; i < 256 * nbytes; i++)
            table[j].byte[i] = (float)test_normal(6 + (uint64_t)j, (uint64_t)i);
        new_best(&best[j], k, 2 * k);
        new_best(&wanted[j], k, 2 * k);
    }
    lbh_query_group_fill(&g, nbytes, count, table);
    for (int b = 0; b < BLOCKS; b++) {
        int64_t n = b == BLOCKS - 1 ? N - 5 : N, first = b * N;
        for (int64_t i = 0; i < N; i++)
            norm[i] = (float)(BLOCKS * N - first - i) * 0.01f;
        lbh_code_block_fill(&block, n, codes + first * nbytes);
        for (int64_t j = 0; j < count; j++) {
            lbh_byte_score()(&block, &table[j], norm, score);
            lbh_topk_add(&wanted[j], n, score, (uint32_t)first);
        }
        lbh_query_group_add(&g, nbytes, count, n, codes + first * nbytes, norm, (uint32_t)first,
                            best);
    }
    for (int64_t j = 0; j < count; j++) {
        cr_assert_eq(best[j].bar, wanted[j].bar, "query %lld", (long long)j);
        cr_assert_eq(best[j].count, wanted[j].count);
        cr_assert_arr_eq(best[j].key, wanted[j].key, (size_t)best[j].count * sizeof *best[j].key);
        free(best[j].key), free(wanted[j].key), free(table[j].byte), free(table[j].nibble);
    }
}

static void check_all(void)
{
    for (int64_t count = 1; count <= MAX; count++)
        check(8, count, 3 + count, -INFINITY);
    check(1, MAX, 100, -INFINITY);
    check(LONGEST, 5, 1, 0);
    check(16, MAX, 900, 20);
}

Test(query_group, scores_like_one_query_after_the_other)
{
    check_all();
}

Test(query_group, in_plain_c)
{
    setenv("LBH_ISA", "scalar", 1);
    check_all();
}
