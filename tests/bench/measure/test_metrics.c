/* test_metrics.c: ranks, average precision and recall against their definitions, spelt out. */
#include "support.h"

#include "metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The full ranking of one query by (distance, id) without its own row. */
static int64_t naive_ranking(int64_t n, const uint8_t *base, const uint8_t *q, size_t code_size,
                             int64_t own, int64_t *ids, int32_t *distances)
{
    test_naive_search(n, base, 1, q, code_size, n, distances, ids);
    int64_t kept = 0;
    for (int64_t i = 0; i < n; i++)
        if (ids[i] != own) {
            distances[kept] = distances[i];
            ids[kept++] = ids[i];
        }
    return kept;
}

/* algorithms as the definitions have them: walk ranks 1..R */
static double naive_ap(const int64_t *ids, int64_t count, const uint8_t *relevant, int64_t r, int *c)
{
    double acc = 0;
    *c = 0;
    for (int64_t j = 1; j <= r && j <= count; j++)
        if (relevant[ids[j - 1]])
            acc += (double)++*c / (double)j;
    return *c ? acc / *c : 0;
}

typedef struct naive_scores {
    double map, map_r, map_r_zero, precision, h2;
} naive_scores;

static naive_scores naive(const relevance *rel, int64_t n, const uint8_t *base,
                          const uint8_t *query, size_t code_size, int64_t r)
{
    int64_t *ids = malloc(n * sizeof *ids), *items = malloc(n * sizeof *items);
    int32_t *distances = malloc(n * sizeof *distances);
    uint8_t *relevant = calloc(n, 1), *mark = calloc(n, 1);
    naive_scores s = {0};
    int hits = 0, hits_r = 0;
    for (int64_t q = 0; q < rel->nq; q++) {
        int64_t count = naive_ranking(n, base, query + q * code_size, code_size,
                                      rel->own ? rel->own[q] : -1, ids, distances);
        int64_t nrel = relevance_of(rel, q, items, mark);
        memset(relevant, 0, n);
        for (int64_t i = 0; i < nrel; i++)
            relevant[items[i]] = 1;
        int c;
        s.map += naive_ap(ids, count, relevant, count, &c);
        hits += c > 0;
        s.map_r += naive_ap(ids, count, relevant, r, &c);
        hits_r += c > 0;
        int ball = 0, inside = 0, first = 0;
        for (int64_t i = 0; i < count; i++) {
            ball += distances[i] <= 2;
            inside += distances[i] <= 2 && relevant[ids[i]];
            first += i < 100 && relevant[ids[i]];
        }
        s.h2 += ball ? (double)inside / ball : 0;
        s.precision += first / 100.0;
    }
    s.map /= hits;
    s.map_r_zero = s.map_r / rel->nq;
    s.map_r /= hits_r;
    s.h2 /= rel->nq;
    s.precision /= rel->nq;
    free(ids), free(items), free(distances), free(relevant), free(mark);
    return s;
}

enum { N = 20000, NQ = 7, K = 60 };

/* Codes with many ties: only the low bits differ. */
static uint8_t *clumped(int64_t n, size_t code_size, uint64_t seed)
{
    uint8_t *c = test_codes(n, code_size, seed);
    for (int64_t i = 0; i < n * (int64_t)code_size; i++)
        c[i] &= code_size > 2 ? 0x11 : 0x7f;
    return c;
}

static void check(const relevance *rel, size_t code_size, int64_t r)
{
    uint8_t *base = clumped(N, code_size, 1), *query = clumped(NQ, code_size, 2);
    map_scores s;
    cr_assert_eq(score_codes(&s, rel, N, base, query, code_size, r), LBH_OK);
    naive_scores e = naive(rel, N, base, query, code_size, r);
    cr_assert_float_eq(s.map, e.map, 1e-12, "code_size %zu", code_size);
    cr_assert_float_eq(s.map_r, e.map_r, 1e-12);
    cr_assert_float_eq(s.map_r_zero, e.map_r_zero, 1e-12);
    cr_assert_float_eq(s.precision, e.precision, 1e-12);
    cr_assert_float_eq(s.precision_h2, e.h2, 1e-12);
    free(base), free(query);
}

Test(metrics, neighbours_against_the_definition)
{
    static const size_t sizes[] = {1, 2, 4, 7, 8, 9, 16, 24, 40};
    truth t = {.nq = NQ, .k = K, .ids = malloc(NQ * K * sizeof(int64_t))};
    int64_t own[NQ];
    for (int q = 0; q < NQ; q++) {
        own[q] = q == 3 ? N - 1 : 2900 * q;
        for (int i = 0; i < K; i++) /* distinct, never the own row */
            t.ids[q * K + i] = (own[q] + 1 + (int64_t)(330 * (i + test_uniform(5, q * K + i)))) % N;
    }
    for (int with_own = 0; with_own < 2; with_own++) {
        relevance rel;
        relevance_near(&rel, N, with_own ? own : NULL, &t, K);
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            check(&rel, sizes[i], 500);
        relevance_free(&rel);
    }
    free(t.ids);
}

Test(metrics, labels_against_the_definition)
{
    labels b = {.n = N, .classes = 6}, q = {.n = NQ, .classes = 6};
    b.start = calloc(N + 1, sizeof(int64_t));
    b.item = calloc(2 * N, sizeof(int64_t));
    q.start = calloc(NQ + 1, sizeof(int64_t));
    q.item = calloc(2 * NQ, sizeof(int64_t));
    for (int64_t i = 0, at = 0; i < N; i++) { /* none, one or two classes of 0..3 */
        int count = (int)(3 * test_uniform(8, i));
        for (int c = 0; c < count; c++)
            b.item[at++] = 2 * c + (int64_t)(2 * test_uniform(9 + c, i));
        b.start[i + 1] = at;
    }
    for (int64_t i = 0, at = 0; i < NQ; i++) { /* query 5 has a class that no row has */
        q.item[at++] = i == 5 ? 5 : i % 4;
        if (i == 2)
            q.item[at++] = 3;
        q.start[i + 1] = at;
    }
    int64_t own[NQ] = {0, 1, 2, 3, 4, 5, N - 1};
    for (int with_own = 0; with_own < 2; with_own++) {
        relevance rel;
        cr_assert_eq(relevance_labels(&rel, with_own ? own : NULL, &b, &q), LBH_OK);
        check(&rel, 1, 50);
        check(&rel, 8, 3);
        relevance_free(&rel);
    }
    labels_close(&b);
    labels_close(&q);
}

Test(metrics, worked_example_of_average_precision)
{
    /* relevant at ranks 1, 3, 6: (1/1 + 2/3 + 3/6) / 3; with R = 4: (1 + 2/3) / 2 */
    ap_sums s;
    score_ranks(&s, 3, (int64_t[]){1, 3, 6}, (int64_t[]){1, 2, 3}, 4);
    cr_assert_float_eq(s.ap, (1 + 2 / 3.0 + 0.5) / 3, 1e-15);
    cr_assert_float_eq(s.ap_r, (1 + 2 / 3.0) / 2, 1e-15);
    cr_assert_float_eq(s.precision, 0.03, 1e-15);
}

Test(metrics, recall_is_a_share_of_the_true_neighbours)
{
    int64_t near[] = {1, 2, 3, 4, 5, 6}, answers[] = {9, 2, 1, -1, 4, 8, 7, 5};
    truth t = {.nq = 2, .k = 3, .ids = near};
    cr_assert_float_eq(recall_at(&t, answers, 4, 1, 1), 0.5, 1e-15);
    cr_assert_float_eq(recall_at(&t, answers, 4, 3, 2), 2 / 6.0, 1e-15);
    cr_assert_float_eq(recall_at(&t, answers, 4, 3, 1000), 4 / 6.0, 1e-15);
    cr_assert_float_eq(recall_at(&t, answers, 4, 10, 4), 4 / 6.0, 1e-15, "K is bounded by truth");
}

Test(metrics, own_rows_are_dropped_in_place)
{
    int64_t ids[] = {5, 6, 7, 1, 2, 3, 8, 9, -1};
    int32_t distances[] = {0, 1, 2, 3, 4, 5, 6, 7, 8};
    int64_t own[] = {6, 9, 4};
    int64_t three[] = {5, 7, 1, 2, 8, 9};
    int32_t three_d[] = {0, 2, 3, 4, 6, 7};
    drop_own(3, 2, own, ids, distances);
    cr_assert_arr_eq(ids, three, sizeof three);
    cr_assert_arr_eq(distances, three_d, sizeof three_d);
}
