/* test_search.c: every kind of index against a naive Hamming search. */
#include "cases.h"

#include <stdlib.h>
#include <string.h>

enum { N = 1500, NQ = 40, K = 25 };
static const size_t code_sizes[] = {3, 4, 5, 8, 16, 20, 32, 33, 64, 0};

typedef struct world {
    size_t code_size;
    uint8_t *base, *query;
    int32_t true_d[NQ * K], d[NQ * K];
    int64_t true_l[NQ * K], l[NQ * K];
} world;

static world *new_world(size_t code_size)
{
    world *w = malloc(sizeof *w);
    w->code_size = code_size;
    w->base = test_near_codes(N, code_size, 12, 1);
    w->query = test_near_codes(NQ, code_size, 12, 2);
    test_naive_search(N, w->base, NQ, w->query, code_size, K, w->true_d, w->true_l);
    return w;
}

static void free_world(world *w)
{
    free(w->base);
    free(w->query);
    free(w);
}

static FaissIndexBinary *build(const world *w, const char *factory)
{
    FaissIndexBinary *index = NULL;
    cr_ok(lbh_index_build_codes(&index, w->code_size, factory, N, w->base));
    cr_assert_eq(lbh_index_ntotal(index), N);
    cr_assert_eq(lbh_index_code_size(index), w->code_size);
    return index;
}

static void search(world *w, const FaissIndexBinary *index)
{
    memset(w->d, 99, sizeof w->d);
    memset(w->l, 99, sizeof w->l);
    cr_ok(lbh_index_search_codes(index, w->code_size, NQ, w->query, K, w->d, w->l));
}

/* Whatever the kind: no distance is wrong, no answer comes twice, the order is (distance, id). id =
 * position * step + offset. Returns the number of answers. */
static int check_answers(const world *w, const char *what, int64_t step, int64_t offset)
{
    int found = 0;
    for (int q = 0; q < NQ; q++) {
        for (int j = 0; j < K; j++) {
            int at = q * K + j;
            if (w->l[at] == -1) {
                cr_assert_eq(w->d[at], INT32_MAX, "%s: distance of a missing answer", what);
                continue;
            }
            int64_t i = (w->l[at] - offset) / step;
            cr_assert(i >= 0 && i < N && i * step + offset == w->l[at], "%s: id %lld", what,
                      (long long)w->l[at]);
            cr_assert_eq(w->d[at],
                         test_hamming(w->base + (size_t)i * w->code_size,
                                      w->query + (size_t)q * w->code_size, w->code_size),
                         "%s, %zu bytes: wrong distance", what, w->code_size);
            found++;
            if (j == 0)
                continue;
            cr_assert(w->l[at - 1] != -1, "%s: an answer after a missing one", what);
            cr_assert(w->d[at - 1] < w->d[at] ||
                          (w->d[at - 1] == w->d[at] && w->l[at - 1] < w->l[at]),
                      "%s: not in the order of (distance, id)", what);
        }
    }
    return found;
}

static double recall(const world *w)
{
    int hits = 0;
    for (int at = 0; at < NQ * K; at++)
        hits += w->d[at] <= w->true_d[at / K * K + K - 1];
    return (double)hits / (NQ * K);
}

Test(c_api_search, every_kind_and_code_size)
{
    for (const size_t *size = code_sizes; *size; size++) {
        world *w = new_world(*size);
        for (const test_case *t = test_cases; t->factory; t++) {
            FaissIndexBinary *index = build(w, t->factory);
            cr_assert_str_eq(lbh_index_kind(index), t->kind);
            search(w, index); /* at FAISS's defaults */
            check_answers(w, t->factory, 1, 0);
            if (t->thorough) {
                cr_ok(lbh_index_set(index, t->thorough));
                search(w, index);
                check_answers(w, t->factory, 1, 0);
                cr_assert_arr_eq(w->d, w->true_d, sizeof w->d, "%s, %zu bytes: distances",
                                 t->factory, *size);
                if (strstr(t->factory, "BFlat"))
                    cr_assert_arr_eq(w->l, w->true_l, sizeof w->l, "%s, %zu bytes: ids",
                                     t->factory, *size);
            } else {
                cr_ok(lbh_index_set(index, "efSearch=100"));
                search(w, index);
                cr_assert_eq(check_answers(w, t->factory, 1, 0), NQ * K);
                cr_assert_geq(recall(w), 0.9, "%s, %zu bytes: recall %g", t->factory, *size,
                              recall(w));
            }
            lbh_index_free(index);
        }
        free_world(w);
    }
}

Test(c_api_search, parameters_do_something)
{
    static const char *const pairs[][3] = {{"BIVF64", "nprobe=1", "nprobe=64"},
                                           {"IDMap2,BIVF64", "nprobe=1", "nprobe=64"},
                                           {"BHash9", "nflip=0", "nflip=2"},
                                           {"IDMap,BHash3x7", "nflip=0", "nflip=2"},
                                           {"BHNSW4", "efSearch=1", "efSearch=200"}};
    world *w = new_world(8);
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        double before;
        FaissIndexBinary *index = build(w, pairs[i][0]);
        cr_ok(lbh_index_set(index, pairs[i][1]));
        search(w, index);
        before = recall(w);
        cr_ok(lbh_index_set(index, pairs[i][2]));
        search(w, index);
        cr_assert_gt(recall(w), before, "%s: %g with %s", pairs[i][0], before, pairs[i][2]);
        lbh_index_free(index);
    }
    FaissIndexBinary *index = build(w, "BIVF64");
    cr_ok(lbh_index_set(index, "nprobe=64,max_codes=1"));
    search(w, index);
    cr_assert_lt(recall(w), 1.0);
    lbh_index_free(index);
    free_world(w);
}

Test(c_api_search, own_ids)
{
    world *w = new_world(16);
    int64_t *ids = malloc(N * sizeof *ids);
    for (int64_t i = 0; i < N; i++)
        ids[i] = i * 1000003 + 77;
    for (const test_case *t = test_cases; t->factory; t++) {
        FaissIndexBinary *index = NULL, *trained = build(w, t->factory);
        /* An index that has been trained and holds nothing: an IVF one cannot be made otherwise. */
        if (strstr(t->factory, "BIVF")) {
            lbh_index_free(trained);
            continue;
        }
        lbh_index_free(trained);
        cr_ok(lbh_index_new(&index, w->code_size, t->factory));
        int rc = lbh_index_add_codes(index, w->code_size, N, w->base, ids);
        if (!t->takes_ids) {
            cr_assert_eq(rc, LBH_EFAISS, "%s", t->factory);
            cr_assert(strstr(lbh_last_error(), "IDMap"), "%s", lbh_last_error());
            cr_assert_eq(lbh_index_ntotal(index), 0);
        } else {
            cr_assert_eq(rc, LBH_OK, "%s: %s", t->factory, lbh_last_error());
            if (t->thorough)
                cr_ok(lbh_index_set(index, t->thorough));
            search(w, index);
            check_answers(w, t->factory, 1000003, 77);
            if (t->thorough)
                cr_assert_arr_eq(w->d, w->true_d, sizeof w->d);
        }
        lbh_index_free(index);
    }
    free(ids);
    free_world(w);
}

/* IVF takes ids for what is added after training. */
Test(c_api_search, own_ids_of_ivf)
{
    static const char *const factories[] = {"BIVF16", "IDMap,BIVF16", "IDMap2,BIVF16_HNSW8"};
    world *w = new_world(8);
    for (int f = 0; f < 3; f++) {
        FaissIndexBinary *index = NULL;
        int64_t ids[NQ], l[NQ];
        int32_t d[NQ];
        cr_ok(lbh_index_build_codes(&index, 8, factories[f], N, w->base));
        for (int i = 0; i < NQ; i++)
            ids[i] = 5000000000 + i;
        cr_ok(lbh_index_add_codes(index, 8, NQ, w->query, ids));
        cr_assert_eq(lbh_index_ntotal(index), N + NQ);
        cr_ok(lbh_index_set(index, "nprobe=16"));
        cr_ok(lbh_index_search_codes(index, 8, NQ, w->query, 1, d, l));
        for (int i = 0; i < NQ; i++)
            cr_assert(d[i] == 0 && (l[i] == ids[i] || l[i] < N));
        lbh_index_free(index);
    }
    free_world(w);
}

/* The same answers in one call, in pieces, for codes added bit by bit. */
Test(c_api_search, pieces)
{
    world *w = new_world(4);
    for (const test_case *t = test_cases; t->factory; t++) {
        FaissIndexBinary *index = NULL;
        if (strstr(t->factory, "BIVF"))
            continue;
        cr_ok(lbh_index_new(&index, 4, t->factory));
        for (int i = 0; i < N; i += 100)
            cr_ok(lbh_index_add_codes(index, 4, 100, w->base + 4 * i, NULL));
        cr_ok(lbh_index_add_codes(index, 4, 0, NULL, NULL));
        if (t->thorough)
            cr_ok(lbh_index_set(index, t->thorough));
        for (int q = 0; q < NQ; q++)
            cr_ok(lbh_index_search_codes(index, 4, 1, w->query + 4 * q, K, w->d + q * K,
                                         w->l + q * K));
        check_answers(w, t->factory, 1, 0);
        if (t->thorough)
            cr_assert_arr_eq(w->d, w->true_d, sizeof w->d, "%s", t->factory);
        lbh_index_free(index);
    }
    free_world(w);
}

static void check_range(const world *w, const lbh_range_result *r, int32_t radius, int exact,
                        const char *what)
{
    cr_assert_eq(r->n, NQ);
    cr_assert_eq(r->lims[0], 0);
    for (int q = 0; q < NQ; q++) {
        int expected = 0;
        for (int i = 0; i < N; i++)
            expected += test_hamming(w->base + (size_t)i * w->code_size,
                                     w->query + (size_t)q * w->code_size, w->code_size) < radius;
        int64_t found = r->lims[q + 1] - r->lims[q];
        cr_assert(exact ? found == expected : found <= expected, "%s: %lld answers, not %d", what,
                  (long long)found, expected);
        for (int64_t j = r->lims[q]; j < r->lims[q + 1]; j++) {
            const uint8_t *code = w->base + (size_t)r->labels[j] * w->code_size;
            cr_assert_eq(r->distances[j], test_hamming(code, w->query + (size_t)q * w->code_size,
                                                       w->code_size));
            cr_assert_lt(r->distances[j], radius);
            if (j > r->lims[q])
                cr_assert(r->distances[j - 1] < r->distances[j] ||
                          (r->distances[j - 1] == r->distances[j] &&
                           r->labels[j - 1] < r->labels[j]), "%s: order", what);
        }
    }
}

Test(c_api_search, range)
{
    world *w = new_world(8);
    for (const test_case *t = test_cases; t->factory; t++) {
        FaissIndexBinary *index = build(w, t->factory);
        lbh_range_result *r = NULL;
        if (!t->has_range) {
            cr_fails(lbh_index_range_search_codes(&r, index, 8, NQ, w->query, 14), LBH_EFAISS,
                     "range");
            cr_assert_null(r);
            lbh_index_free(index);
            continue;
        }
        cr_ok(lbh_index_range_search_codes(&r, index, 8, NQ, w->query, 14));
        check_range(w, r, 14, 0, t->factory);
        lbh_range_result_free(r);
        cr_ok(lbh_index_set(index, t->thorough));
        cr_ok(lbh_index_range_search_codes(&r, index, 8, NQ, w->query, 14));
        check_range(w, r, 14, 1, t->factory);
        lbh_range_result_free(r);
        for (int radius = -1; radius <= 0; radius++) {
            cr_ok(lbh_index_range_search_codes(&r, index, 8, NQ, w->query, radius));
            cr_assert_eq(r->lims[NQ], 0);
            lbh_range_result_free(r);
        }
        lbh_index_free(index);
    }
    free_world(w);
}

Test(c_api_search, empty_index)
{
    uint8_t code[8] = {0};
    int32_t d[3];
    int64_t l[3];
    for (const test_case *t = test_cases; t->factory; t++) {
        FaissIndexBinary *index = NULL;
        lbh_range_result *r = NULL;
        cr_ok(lbh_index_new(&index, 8, t->factory));
        if (strstr(t->factory, "BIVF")) {
            cr_fails(lbh_index_search_codes(index, 8, 1, code, 3, d, l), LBH_ESTATE, "trained");
        } else {
            cr_ok(lbh_index_search_codes(index, 8, 1, code, 3, d, l));
            cr_assert(l[0] == -1 && l[2] == -1 && d[0] == INT32_MAX && d[2] == INT32_MAX);
            if (t->has_range) {
                cr_ok(lbh_index_range_search_codes(&r, index, 8, 1, code, 5));
                cr_assert_eq(r->lims[1], 0);
                lbh_range_result_free(r);
            }
        }
        lbh_index_free(index);
    }
}

/* Far more rows than k-means wants: it is given a sample, and still makes fair lists. */
Test(c_api_search, ivf_of_many_rows)
{
    enum { MANY = 20000 };
    uint8_t *base = test_near_codes(MANY, 8, 50, 5);
    FaissIndexBinary *index = NULL;
    static int32_t d[MANY / 2];
    static int64_t l[MANY / 2];
    cr_ok(lbh_index_build_codes(&index, 8, "BIVF8", MANY, base));
    cr_ok(lbh_index_search_codes(index, 8, NQ, base, 1, d, l));
    for (int q = 0; q < NQ; q++)
        cr_assert_eq(d[q], 0); /* a code is found in its own list */
    for (int q = 0; q < 8; q++) {
        cr_ok(lbh_index_search_codes(index, 8, 1, base + (int64_t)q * MANY / 8 * 8, MANY / 2, d, l));
        cr_assert_eq(l[MANY / 2 - 1], -1, "no list has half of the rows");
    }
    lbh_index_free(index);
    free(base);
}

/* The sample is of rows from everywhere: one row that is far from two groups gets no list of its own. */
Test(c_api_search, ivf_learns_from_a_fair_sample)
{
    enum { MANY = 5120 };
    uint8_t *base = calloc(MANY, 8);
    for (int i = 0; i < MANY; i += 2)
        base[i * 8] = 0xff;
    memset(base + (MANY - 1) * 8, 0xff, 8);
    FaissIndexBinary *index = NULL;
    int64_t list[2];
    cr_ok(lbh_index_build_codes(&index, 8, "BIVF2", MANY, base));
    cr_ok(lbh_index_assign_codes(index, 8, 2, base, list));
    cr_assert_neq(list[0], list[1]);
    lbh_index_free(index);
    free(base);
}

/* The road from floats: the encoder's codes are what is stored and searched. */
Test(c_api_search, with_an_encoder)
{
    enum { D = 24, NBITS = 40 };
    float *x = test_mixture(N, D, 3, NULL);
    lbh_encoder *enc = NULL;
    const char *method = NULL;
    for (int i = 0; i < lbh_method_count() && !method; i++)
        if (!lbh_method_needs_labels(lbh_method_name(i)))
            method = lbh_method_name(i);
    cr_ok(lbh_encoder_new(&enc, method, D, NBITS));
    cr_ok(lbh_encoder_train(enc, N, x));
    world *w = malloc(sizeof *w);
    w->code_size = lbh_encoder_code_size(enc);
    w->base = malloc(N * w->code_size);
    w->query = malloc(NQ * w->code_size);
    cr_ok(lbh_encoder_encode(enc, N, x, w->base));
    cr_ok(lbh_encoder_encode_queries(enc, NQ, x, w->query));
    test_naive_search(N, w->base, NQ, w->query, w->code_size, K, w->true_d, w->true_l);
    for (const test_case *t = test_cases; t->factory; t++) {
        FaissIndexBinary *index = NULL;
        cr_ok(lbh_index_build(&index, enc, t->factory, N / 2, x));
        cr_ok(lbh_index_add(index, enc, N - N / 2, x + N / 2 * D, NULL));
        cr_ok(lbh_index_set(index, t->thorough ? t->thorough : "efSearch=100"));
        cr_ok(lbh_index_search(index, enc, NQ, x, K, w->d, w->l));
        check_answers(w, t->factory, 1, 0);
        if (t->thorough)
            cr_assert_arr_eq(w->d, w->true_d, sizeof w->d, "%s", t->factory);
        if (t->has_range) {
            lbh_range_result *r = NULL;
            cr_ok(lbh_index_range_search(&r, index, enc, NQ, x, 5));
            check_range(w, r, 5, 1, t->factory);
            lbh_range_result_free(r);
        }
        lbh_index_free(index);
    }
    lbh_encoder_free(enc);
    free(x);
    free_world(w);
}

Test(c_api_search, counting_finds_what_the_heap_finds)
{
    static const char *const factories[] = {"BFlat", "BIVF16", "IDMap,BFlat", NULL};
    world *w = new_world(8);
    for (int f = 0; factories[f]; f++) {
        FaissIndexBinary *index = build(w, factories[f]);
        if (strstr(factories[f], "IVF"))
            cr_ok(lbh_index_set(index, "nprobe=16"));
        cr_ok(lbh_index_set(index, "use_heap=0"));
        search(w, index);
        check_answers(w, factories[f], 1, 0);
        cr_assert_arr_eq(w->d, w->true_d, sizeof w->d, "%s", factories[f]);
        lbh_index_free(index);
    }
    free_world(w);
}
