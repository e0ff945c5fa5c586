/* test_code_classes.c: scores of given labels, and labels from the nearest codes. */
#include "support.h"

#include "code_classes.h"

#include <stdlib.h>
#include <string.h>

/* From lists that end with -1. */
static labels lists(int64_t n, int64_t classes, const int64_t *item)
{
    labels l;
    int64_t at = 0;
    cr_assert_eq(labels_alloc(&l, n, 100), LBH_OK);
    l.name = NULL;
    l.number = NULL;
    l.classes = classes;
    for (int64_t i = 0; i < n; i++, item++) {
        for (; *item >= 0; item++)
            l.item[at++] = *item;
        l.start[i + 1] = at;
    }
    return l;
}

Test(classify, worked_example_of_the_scores)
{
    /* have: {0,1} {1} {} {2} {0}; given: {0} {1} {3} {1,2} {2}. Row 2 has no labels and is left out.
     * class 0: TP 1, given 1, have 2; 1: TP 1, given 2, have 2; 2: TP 1, given 2, have 1 */
    labels have = lists(5, 4, (int64_t[]){0, 1, -1, 1, -1, -1, 2, -1, 0, -1});
    labels given = lists(5, 4, (int64_t[]){0, -1, 1, -1, 3, -1, 1, 2, -1, 2, -1});
    label_scores s;
    cr_assert_eq(label_scores_of(&s, &given, &have, 4), LBH_OK);
    cr_assert_eq(s.rows, 4);
    cr_assert_float_eq(s.exact, 1 / 4.0, 1e-15);
    cr_assert_float_eq(s.micro_f1, 2 * 3 / 10.0, 1e-15);
    cr_assert_float_eq(s.macro_f1, (2 / 3.0 + 2 / 4.0 + 2 / 3.0) / 3, 1e-15);
    labels_close(&have), labels_close(&given);
}

Test(classify, ties_of_the_vote_go_to_the_nearest)
{
    /* distances from the query 0: 0 1 1 2 3; labels 2 1 1 2 0 */
    uint8_t base[] = {0x00, 0x01, 0x02, 0x03, 0x07}, query[] = {0x00};
    labels have = lists(5, 3, (int64_t[]){2, -1, 1, -1, 1, -1, 2, -1, 0, -1}), given;
    static const int64_t expected[] = {2, 2, 1, 2, 2}; /* k = 1 .. 5 */
    for (int64_t k = 1; k <= 5; k++) {
        cr_assert_eq(knn_labels(&given, 1, 5, base, &have, 1, query, NULL, k, false), LBH_OK);
        cr_assert_eq(given.start[1], 1);
        cr_assert_eq(given.item[0], expected[k - 1], "k = %d", (int)k);
        labels_close(&given);
    }
    /* without its own row 0: 1, 1, 1, then 1 1 2 0 */
    for (int64_t k = 1; k <= 4; k++) {
        cr_assert_eq(knn_labels(&given, 1, 5, base, &have, 1, query, (int64_t[]){0}, k, false),
                     LBH_OK);
        cr_assert_eq(given.item[0], 1);
        labels_close(&given);
    }
    labels_close(&have);
}

Test(classify, rows_without_labels_have_no_vote)
{
    uint8_t base[] = {0x00, 0x01, 0x03}, query[] = {0x00};
    labels have = lists(3, 2, (int64_t[]){-1, -1, 1, -1}), given;
    cr_assert_eq(knn_labels(&given, 1, 3, base, &have, 1, query, NULL, 1, false), LBH_OK);
    cr_assert_eq(given.item[0], 1);
    labels_close(&given);
    /* an own row that has no vote is not missed */
    cr_assert_eq(knn_labels(&given, 1, 3, base, &have, 1, query, (int64_t[]){0}, 1, false), LBH_OK);
    cr_assert_eq(given.start[1], 1);
    labels_close(&given);
    labels_close(&have);
    have = lists(3, 2, (int64_t[]){-1, -1, -1});
    cr_assert_eq(knn_labels(&given, 1, 3, base, &have, 1, query, NULL, 1, false), LBH_EFORMAT);
    labels_close(&have);
}

Test(classify, several_labels_need_more_than_half_of_the_votes)
{
    uint8_t base[] = {0x00, 0x01, 0x03, 0x07}, query[] = {0x00};
    labels have = lists(4, 4, (int64_t[]){3, -1, 1, 3, -1, 0, 1, -1, 0, -1}), given;
    static const int64_t expected[4][4] = {{3, -1}, {3, -1}, {1, 3, -1}, {-1}};
    for (int64_t k = 1; k <= 4; k++) {
        cr_assert_eq(knn_labels(&given, 1, 4, base, &have, 1, query, NULL, k, true), LBH_OK);
        int64_t count = 0;
        for (; expected[k - 1][count] >= 0; count++)
            cr_assert_eq(given.item[count], expected[k - 1][count], "k = %d", (int)k);
        cr_assert_eq(given.start[1], count, "k = %d", (int)k);
        labels_close(&given);
    }
    labels_close(&have);
}

/* Random codes and labels against a vote spelt out. */
Test(classify, nearest_codes_against_the_definition)
{
    enum { N = 500, NQ = 60, K = 7, CLASSES = 6 };
    uint8_t *base = test_codes(N, 3, 1), *query = test_codes(NQ, 3, 2);
    int32_t distances[NQ * K];
    int64_t ids[NQ * K];
    labels have, given;
    cr_assert_eq(labels_alloc(&have, N, N), LBH_OK);
    have.name = NULL, have.number = NULL, have.classes = CLASSES;
    for (int64_t i = 0; i < N; i++) {
        have.item[i] = (int64_t)(CLASSES * test_uniform(3, (uint64_t)i));
        have.start[i + 1] = i + 1;
    }
    test_naive_search(N, base, NQ, query, 3, K, distances, ids);
    cr_assert_eq(knn_labels(&given, 3, N, base, &have, NQ, query, NULL, K, false), LBH_OK);
    for (int64_t q = 0; q < NQ; q++) {
        int64_t best = -1;
        int most = 0;
        for (int i = 0; i < K; i++) { /* nearest first: only a larger count takes over */
            int64_t c = have.item[ids[q * K + i]];
            int votes = 0;
            for (int j = 0; j < K; j++)
                votes += have.item[ids[q * K + j]] == c;
            if (votes > most) {
                most = votes;
                best = c;
            }
        }
        cr_assert_eq(given.item[q], best);
    }
    labels_close(&have), labels_close(&given);
    free(base), free(query);
}
