/* test_truth.c: exact neighbours against a naive search in double precision. */
#include "support.h"

#include "lbh_faiss.h"
#include "metrics.h"
#include "truth.h"

#include <stdlib.h>
#include <string.h>

typedef struct pair {
    double distance;
    int64_t id;
} pair;

static int by_distance(const void *a, const void *b)
{
    const pair *x = a, *y = b;
    return x->distance != y->distance ? (x->distance < y->distance ? -1 : 1)
                                      : (x->id > y->id) - (x->id < y->id);
}

static void check(const char *base_spec, const char *query_spec, bool own_rows, int metric, int64_t k)
{
    vectors b, q;
    truth t;
    cr_assert_eq(vectors_open(&b, base_spec), LBH_OK);
    cr_assert_eq(vectors_open(&q, query_spec), LBH_OK);
    int64_t *own = own_rows ? malloc(q.n * sizeof *own) : NULL;
    for (int64_t i = 0; own && i < q.n; i++)
        own[i] = i;
    cr_assert_eq(truth_compute(&t, &b, &q, own, k, metric), LBH_OK, "%s", lbh_last_error());
    cr_assert_eq(t.k, k < b.n - own_rows ? k : b.n - own_rows);
    float *x = malloc(b.n * b.d * sizeof *x), *y = malloc(q.n * q.d * sizeof *y);
    pair *p = malloc(b.n * sizeof *p);
    vectors_floats(&b, 0, b.n, x);
    vectors_floats(&q, 0, q.n, y);
    for (int64_t i = 0; i < q.n; i++) {
        int64_t count = 0;
        for (int64_t r = 0; r < b.n; r++) {
            double sum = 0;
            for (int j = 0; j < b.d; j++) {
                double u = x[r * b.d + j], v = y[i * b.d + j];
                sum += metric == LBH_METRIC_L2 ? (u - v) * (u - v) : -u * v;
            }
            if (!own || own[i] != r)
                p[count++] = (pair){sum, r};
        }
        qsort(p, count, sizeof *p, by_distance);
        for (int64_t j = 0; j < t.k; j++)
            cr_assert(t.ids[i * t.k + j] == p[j].id, "query %ld, place %ld", (long)i, (long)j);
    }
    free(x), free(y), free(p), free(own);
    truth_free(&t);
    vectors_close(&b);
    vectors_close(&q);
}

Test(truth, squared_distance)
{
    check("synthetic:n=3000,d=24,queries=40", "synthetic:n=3000,d=24,queries=40,part=query", false,
          LBH_METRIC_L2, 30);
}

Test(truth, inner_product)
{
    check("synthetic:n=3000,d=24,queries=40", "synthetic:n=3000,d=24,queries=40,part=query", false,
          LBH_METRIC_IP, 30);
}

Test(truth, own_rows_are_left_out_and_k_is_bounded)
{
    check("synthetic:n=50,d=5,clusters=3", "synthetic:n=50,d=5,clusters=3@:20", true, LBH_METRIC_L2,
          1000);
}

Test(truth, several_chunks)
{
    check("synthetic:n=2500,d=65536,clusters=2@:2200", "synthetic:n=2500,d=65536,clusters=2@2200:2203",
          false, LBH_METRIC_L2, 5);
}

/* ---- From files ------------------------------------------------------------------------------ */

enum { NQ = 3, WIDTH = 4 };

static int read_ids(truth *t, const int32_t *ids, const int64_t *own, int64_t k)
{
    char data[NQ * (4 + 4 * WIDTH)];
    int32_t width = WIDTH;
    for (int i = 0; i < NQ; i++) {
        memcpy(data + i * (4 + 4 * WIDTH), &width, 4);
        memcpy(data + i * (4 + 4 * WIDTH) + 4, ids + i * WIDTH, 4 * WIDTH);
    }
    const char *path = test_tmp("t.ivecs");
    test_spit(path, data, sizeof data);
    vectors base = {.n = 20, .name = (char[]){"base"}}, query = {.n = NQ, .name = (char[]){"query"}};
    return truth_read(t, path, &base, &query, own, k);
}

/* Rows may know of fewer neighbours; recall and average precision count those that are known. */
Test(truth, lists_may_end_in_minus_one)
{
    static const int32_t ids[] = {5, 6, 7, 0, 9, 3, -1, -1, -1, -1, -1, -1};
    static const int64_t answers[] = {5, 1, 6, 2, 3, -1, 9, -1, 1, 2, -1, -1};
    truth t;
    relevance rel;
    uint8_t mark[20] = {0};
    int64_t items[WIDTH];
    cr_assert_eq(read_ids(&t, ids, NULL, 10), LBH_OK, "%s", lbh_last_error());
    cr_assert_eq(t.k, WIDTH);
    for (int i = 0; i < NQ * WIDTH; i++)
        cr_assert_eq(t.ids[i], ids[i]);
    /* queries 0 and 1 have answers, 2 does not count; no missing answer is a hit */
    cr_assert_float_eq(recall_at(&t, answers, WIDTH, 4, 4), (2. / 4 + 2. / 2) / 2, 1e-12);
    cr_assert_float_eq(recall_at(&t, answers, WIDTH, 4, 1), (1. / 4 + 1. / 2) / 2, 1e-12);
    cr_assert_float_eq(recall_at(&t, answers, WIDTH, 2, 4), (2. / 2 + 2. / 2) / 2, 1e-12);
    cr_assert_float_eq(recall_at(&t, answers, WIDTH, 1, 1), (1. + 0) / 2, 1e-12);
    relevance_near(&rel, 20, NULL, &t, 3);
    cr_assert_eq(relevance_of(&rel, 0, items, mark), 3);
    cr_assert_eq(relevance_of(&rel, 1, items, mark), 2);
    cr_assert(items[0] == 3 && items[1] == 9);
    cr_assert_eq(relevance_of(&rel, 2, items, mark), 0);
    truth_free(&t);
    static const int64_t own[] = {6, 3, 0};
    cr_assert_eq(read_ids(&t, ids, own, 10), LBH_OK);
    static const int64_t left[] = {5, 7, 0, 9, -1, -1, -1, -1, -1};
    cr_assert_eq(t.k, 3);
    for (int i = 0; i < NQ * 3; i++)
        cr_assert_eq(t.ids[i], left[i]);
    truth_free(&t);
}

Test(truth, lists_that_are_none_are_refused)
{
    static const struct {
        int32_t ids[NQ * WIDTH];
        const char *says;
    } bad[] = {{{0, 1, 2, 3, 4, -1, 5, -1, 6, 7, 8, 9}, "row 1 names row 5 behind -1"},
               {{0, 1, 2, 3, -1, 4, 5, 6, 6, 7, 8, 9}, "row 1 names row 4 behind -1"},
               {{0, 1, 2, 3, 4, 5, 4, -1, 6, 7, 8, 9}, "row 1 names a row of the base twice"},
               {{0, 1, 2, 20, 4, 5, 6, 7, 6, 7, 8, 9}, "row 0 names row 20"},
               {{0, 1, 2, -2, 4, 5, 6, 7, 6, 7, 8, 9}, "row 0 names row -2"},
               {{-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1}, "no neighbours at all"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        truth t;
        cr_assert_eq(read_ids(&t, bad[i].ids, NULL, 10), LBH_EFORMAT, "%zu", i);
        cr_assert(strstr(lbh_last_error(), bad[i].says), "%s", lbh_last_error());
    }
}
