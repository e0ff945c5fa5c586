/* test_truth.c: exact neighbours against a naive search in double precision. */
#include "support.h"

#include "lbh_faiss.h"
#include "truth.h"

#include <stdlib.h>

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
    cr_assert_eq(vectors_open(&b, base_spec), EXIT_OK);
    cr_assert_eq(vectors_open(&q, query_spec), EXIT_OK);
    int64_t *own = own_rows ? malloc(q.n * sizeof *own) : NULL;
    for (int64_t i = 0; own && i < q.n; i++)
        own[i] = i;
    cr_assert_eq(truth_compute(&t, &b, &q, own, k, metric), EXIT_OK, "%s", cli_error());
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
