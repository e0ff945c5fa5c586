/* test_accelerate.c: indexes with our search in them against the same indexes without. */
#define _POSIX_C_SOURCE 200809L
#include "cases.h"
#include "lbh_pipeline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum { N = 1200, NQ = 30, K = 20 };
static const size_t code_sizes[] = {3, 8, 20, 32, 0};

typedef struct answers {
    int32_t *d;
    int64_t *l;
} answers;

static answers search(const FaissIndexBinary *index, int64_t nq, const uint8_t *query, int64_t k)
{
    answers a = {malloc((size_t)(nq * k) * sizeof *a.d), malloc((size_t)(nq * k) * sizeof *a.l)};
    cr_ok(lbh_index_search_codes(index, lbh_index_code_size(index), nq, query, k, a.d, a.l));
    return a;
}

static void free_answers(answers a)
{
    free(a.d);
    free(a.l);
}

/* The first k of what a stock index answers when it is asked for everything: FAISS's own choice
 * among equal distances at place k is left out of it. (But what an HNSW is asked for decides where it
 * looks.) */
static void check_same(const FaissIndexBinary *fast, const FaissIndexBinary *stock,
                       const uint8_t *query, int64_t nq, const char *what)
{
    const int64_t k = strstr(lbh_index_kind(stock), "BHNSW") ? K : N;
    answers all = search(stock, nq, query, k), some = search(fast, nq, query, K);
    for (int64_t q = 0; q < nq; q++) {
        cr_assert_arr_eq(some.d + q * K, all.d + q * k, K * sizeof *all.d, "%s: distances", what);
        cr_assert_arr_eq(some.l + q * K, all.l + q * k, K * sizeof *all.l, "%s: ids", what);
    }
    free_answers(all);
    free_answers(some);
}

static void check_same_range(const FaissIndexBinary *fast, const FaissIndexBinary *stock,
                             const uint8_t *query, const char *what)
{
    size_t size = lbh_index_code_size(stock);
    for (int32_t radius = 0; radius < 8 * (int)size; radius += (int)size) {
        lbh_range_result *a = NULL, *b = NULL;
        cr_ok(lbh_index_range_search_codes(&a, fast, size, NQ, query, radius));
        cr_ok(lbh_index_range_search_codes(&b, stock, size, NQ, query, radius));
        cr_assert_arr_eq(a->lims, b->lims, (NQ + 1) * sizeof *a->lims, "%s, radius %d", what,
                         radius);
        size_t found = (size_t)b->lims[NQ];
        cr_assert_arr_eq(a->distances, b->distances, found * sizeof *a->distances, "%s", what);
        cr_assert_arr_eq(a->labels, b->labels, found * sizeof *a->labels, "%s", what);
        lbh_range_result_free(a);
        lbh_range_result_free(b);
    }
}

static FaissIndexBinary *build(const char *factory, size_t size, const uint8_t *base)
{
    FaissIndexBinary *index = NULL;
    cr_ok(lbh_index_build_codes(&index, size, factory, N, base));
    return index;
}

/* The same index again, from a file: an HNSW that is built again is another one. */
static FaissIndexBinary *twin(const FaissIndexBinary *index)
{
    FaissIndexBinary *read = NULL;
    const char *path = test_tmp("twin.faiss");
    cr_ok(lbh_index_save(index, path));
    cr_ok(lbh_index_load(&read, path));
    return read;
}

static void set_both(FaissIndexBinary *a, FaissIndexBinary *b, const char *settings)
{
    cr_ok(lbh_index_set(a, settings));
    cr_ok(lbh_index_set(b, settings));
}

/* Whether lbh_index_accelerate does something: an HNSW's walk is open to us until FAISS 1.8. */
static int is_taken(const char *kind)
{
    return strstr(kind, "BHNSW") ? strncmp(lbh_faiss_version(), "1.7.", 4) == 0
                                 : strstr(kind, "BFlat") || strstr(kind, "BIVF");
}

Test(c_api_accelerate, same_answers)
{
    static const char *const factories[] = {
        "BFlat",  "IDMap,BFlat",  "IDMap2,BFlat", "BIVF16", "IDMap,BIVF16", "BIVF16_HNSW8",
        "BHNSW8", "IDMap,BHNSW8", NULL};
    static const char *const settings[] = {
        "nprobe=1", "nprobe=5", "nprobe=16", "nprobe=16,max_codes=100", "nprobe=5,max_codes=1",
        NULL};
    for (const size_t *size = code_sizes; *size; size++) {
        uint8_t *base = test_near_codes(N, *size, 12, 1),
                *query = test_near_codes(NQ, *size, 12, 2);
        for (const char *const *f = factories; *f; f++) {
            FaissIndexBinary *stock = build(*f, *size, base), *fast = twin(stock);
            cr_assert_eq(lbh_index_is_accelerated(fast), 0);
            cr_ok(lbh_index_accelerate(&fast));
            cr_assert_eq(lbh_index_is_accelerated(fast), is_taken(*f), "%s", *f);
            cr_assert_str_eq(lbh_index_kind(fast), lbh_index_kind(stock));
            cr_assert_eq(lbh_index_ntotal(fast), N);
            check_same(fast, stock, query, NQ, *f);
            check_same(fast, stock, query, 1, *f);
            if (!strstr(*f, "BHNSW")) /* has none */
                check_same_range(fast, stock, query, *f);
            for (const char *const *s = settings; strstr(*f, "IVF") && *s; s++) {
                set_both(fast, stock, *s);
                check_same(fast, stock, query, NQ, *f);
                check_same_range(fast, stock, query, *f);
            }
            lbh_index_free(stock);
            lbh_index_free(fast);
        }
        free(base);
        free(query);
    }
}

/* More queries than go into one block. */
Test(c_api_accelerate, many_queries)
{
    enum { MANY = 2500 };
    uint8_t *base = test_near_codes(N, 8, 12, 1), *query = test_near_codes(MANY, 8, 12, 2);
    FaissIndexBinary *stock = build("BIVF16", 8, base), *fast = twin(stock);
    cr_ok(lbh_index_accelerate(&fast));
    set_both(fast, stock, "nprobe=2");
    check_same(fast, stock, query, MANY, "many queries");
    lbh_range_result *a = NULL, *b = NULL;
    cr_ok(lbh_index_range_search_codes(&a, fast, 8, MANY, query, 12));
    cr_ok(lbh_index_range_search_codes(&b, stock, 8, MANY, query, 12));
    cr_assert_arr_eq(a->lims, b->lims, (MANY + 1) * sizeof *a->lims);
    cr_assert_arr_eq(a->labels, b->labels, (size_t)b->lims[MANY] * sizeof *a->labels);
    lbh_range_result_free(a);
    lbh_range_result_free(b);
    lbh_index_free(stock);
    lbh_index_free(fast);
    free(base);
    free(query);
}

/* A rescored search of an accelerated BFlat ranks candidates where they are found; under IDMap it does not. */
Test(c_api_accelerate, rescored)
{
    enum { D = 24, BITS = 40, SHORT = 200 };
    float *x = test_mixture(N, D, 1, NULL), *q = test_mixture(NQ, D, 2, NULL);
    static float got[NQ * K], want[NQ * K];
    static int64_t labels[NQ * K], expected[NQ * K];
    lbh_encoder *enc = NULL;
    cr_ok(lbh_encoder_new(&enc, "lsh", D, BITS));
    cr_ok(lbh_encoder_train(enc, N, x));
    lbh_rows rows = lbh_rows_from_matrix(N, D, x);
    FaissIndexBinary *index[2] = {NULL, NULL};
    for (int i = 0; i < 2; i++) {
        cr_ok(lbh_index_new(&index[i], BITS / 8, i ? "IDMap,BFlat" : "BFlat"));
        cr_ok(lbh_index_add(index[i], enc, N, x, NULL));
        cr_ok(lbh_index_accelerate(&index[i]));
    }
    for (int mode = LBH_RESCORE_MARGIN; mode <= LBH_RESCORE_FLOAT; mode += 2)
        for (int factor = 1; factor <= 4; factor += 3) {
            lbh_shortlist list = {.k_factor = SHORT / K, .margin_factor = factor};
            lbh_rescorer *r = NULL;
            cr_ok(lbh_rescorer_new(&r, enc, mode, LBH_METRIC_L2, &rows));
            cr_ok(lbh_index_search_rescored(index[0], r, list, NQ, q, K, got, labels));
            cr_ok(lbh_index_search_rescored(index[1], r, list, NQ, q, K, want, expected));
            cr_assert_arr_eq(labels, expected, sizeof labels);
            cr_assert_arr_eq(got, want, sizeof got);
            lbh_rescorer_free(r);
        }
    lbh_index_free(index[0]);
    lbh_index_free(index[1]);
    lbh_encoder_free(enc);
    free(x);
    free(q);
}

/* Codes added between searches: what a search keeps for the next one fits no longer. */
Test(c_api_accelerate, hnsw_grows)
{
    uint8_t *base = test_near_codes(N, 8, 12, 1), *query = test_near_codes(NQ, 8, 12, 2);
    FaissIndexBinary *fast = NULL;
    cr_ok(lbh_index_build_codes(&fast, 8, "BHNSW8", 50, base));
    cr_ok(lbh_index_accelerate(&fast));
    free_answers(search(fast, NQ, query, K));
    cr_ok(lbh_index_add_codes(fast, 8, N - 50, base + 50 * 8, NULL));
    FaissIndexBinary *stock = twin(fast);
    for (int i = 0; i < 300; i++) /* FAISS clears its marks after 250 */
        check_same(fast, stock, query, 1 + i % NQ, "grown");
    cr_ok(lbh_index_set(fast, "efSearch=64"));
    cr_ok(lbh_index_set(stock, "efSearch=64"));
    check_same(fast, stock, query, NQ, "grown, efSearch");
    lbh_index_free(stock);
    lbh_index_free(fast);
    free(base);
    free(query);
}

Test(c_api_accelerate, ties)
{
    uint8_t *base = calloc(N, 8), *query = test_codes(NQ, 8, 3);
    FaissIndexBinary *stock = build("BFlat", 8, base), *fast = twin(stock);
    cr_ok(lbh_index_accelerate(&fast));
    check_same(fast, stock, query, NQ, "all codes equal");
    lbh_index_free(stock);
    lbh_index_free(fast);
    free(base);
    free(query);
}

/* Every kind takes it; others than BFlat, BIVF and BHNSW stay what they are. */
Test(c_api_accelerate, every_kind_and_twice)
{
    uint8_t *base = test_near_codes(N, 8, 12, 1), *query = test_near_codes(NQ, 8, 12, 2);
    for (const test_case *t = test_cases; t->factory; t++) {
        FaissIndexBinary *index = build(t->factory, 8, base);
        answers before = search(index, NQ, query, K);
        cr_ok(lbh_index_accelerate(&index));
        cr_ok(lbh_index_accelerate(&index));
        cr_assert_eq(lbh_index_is_accelerated(index), is_taken(t->kind), "%s", t->factory);
        cr_assert_str_eq(lbh_index_kind(index), t->kind);
        answers after = search(index, NQ, query, K);
        cr_assert_arr_eq(before.d, after.d, NQ * K * sizeof *before.d, "%s", t->factory);
        free_answers(before);
        free_answers(after);
        lbh_index_free(index);
    }
    free(base);
    free(query);
    FaissIndexBinary *none = NULL;
    cr_fails(lbh_index_accelerate(NULL), LBH_EINVAL, "no index");
    cr_fails(lbh_index_accelerate(&none), LBH_EINVAL, "no index");
    cr_assert_eq(lbh_index_is_accelerated(NULL), 0);
}

/* Made empty, filled afterwards, with ids; and a search in nothing. */
Test(c_api_accelerate, life)
{
    uint8_t *base = test_near_codes(N, 8, 12, 1), *query = test_near_codes(NQ, 8, 12, 2);
    int64_t ids[N];
    for (int i = 0; i < N; i++)
        ids[i] = 5000 - 2 * i;
    static const char *const factories[] = {"IDMap,BFlat", "IDMap2,BFlat", "BFlat"};
    for (int f = 0; f < 3; f++) {
        const int64_t *own = f < 2 ? ids : NULL;
        FaissIndexBinary *stock = NULL, *fast = NULL;
        cr_ok(lbh_index_new(&stock, 8, factories[f]));
        cr_ok(lbh_index_new(&fast, 8, factories[f]));
        cr_ok(lbh_index_accelerate(&fast));
        answers nothing = search(fast, NQ, query, K);
        cr_assert_eq(nothing.l[0], -1);
        free_answers(nothing);
        cr_ok(lbh_index_add_codes(stock, 8, N, base, own));
        cr_ok(lbh_index_add_codes(fast, 8, 100, base, own));
        cr_ok(lbh_index_add_codes(fast, 8, N - 100, base + 800, own ? own + 100 : NULL));
        cr_assert_eq(lbh_index_ntotal(fast), N);
        answers a = search(fast, NQ, query, N), b = search(stock, NQ, query, N);
        cr_assert_arr_eq(a.d, b.d, NQ * N * sizeof *a.d);
        cr_assert_arr_eq(a.l, b.l, NQ * N * sizeof *a.l);
        free_answers(a);
        free_answers(b);
        lbh_index_free(stock);
        lbh_index_free(fast);
    }
    FaissIndexBinary *ivf = build("BIVF16", 8, base), *stock = twin(ivf);
    cr_ok(lbh_index_accelerate(&ivf)); /* its quantizer, too: adding uses it */
    cr_ok(lbh_index_add_codes(ivf, 8, N, base, NULL));
    cr_ok(lbh_index_add_codes(stock, 8, N, base, NULL));
    set_both(ivf, stock, "nprobe=3");
    check_same(ivf, stock, query, NQ, "added to");
    lbh_index_free(ivf);
    lbh_index_free(stock);
    free(base);
    free(query);
}

/* The file is the stock index's, byte for byte, and stock Python reads the stock class from it. */
Test(c_api_accelerate, files)
{
    static const char *const kinds[][2] = {{"BFlat", "IndexBinaryFlat"},
                                           {"BIVF16", "IndexBinaryIVF"},
                                           {"BIVF16_HNSW8", "IndexBinaryIVF"},
                                           {"IDMap2,BFlat", "IndexBinaryIDMap2"}};
    uint8_t *base = test_near_codes(N, 8, 12, 1), *query = test_near_codes(NQ, 8, 12, 2);
    char *path = strdup(test_tmp("fast.faiss")), *stock_path = strdup(test_tmp("stock.faiss"));
    int python = 1;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        FaissIndexBinary *index = build(kinds[i][0], 8, base), *read = NULL;
        if (strstr(kinds[i][0], "IVF"))
            cr_ok(lbh_index_set(index, "nprobe=7"));
        cr_ok(lbh_index_save(index, stock_path));
        cr_ok(lbh_index_accelerate(&index));
        cr_ok(lbh_index_save(index, path));
        size_t size, stock_size;
        unsigned char *bytes = test_slurp(path, &size),
                      *stock = test_slurp(stock_path, &stock_size);
        cr_assert_eq(size, stock_size, "%s", kinds[i][0]);
        cr_assert_arr_eq(bytes, stock, size, "%s", kinds[i][0]);
        free(bytes);
        free(stock);
        cr_ok(lbh_index_load(&read, path));
        cr_assert_eq(lbh_index_is_accelerated(read), 0);
        check_same(index, read, query, NQ, kinds[i][0]);
        lbh_index_free(read);
        lbh_index_free(index);
        char command[1024];
        snprintf(command, sizeof command,
                 "/usr/bin/python3 -c 'import sys\ntry: import faiss\nexcept ImportError: "
                 "sys.exit(77)\nassert type(faiss.read_index_binary(\"%s\")).__name__ == \"%s\"'",
                 path, kinds[i][1]);
        int status = python ? system(command) : 0;
        if (WIFEXITED(status) && (WEXITSTATUS(status) == 77 || WEXITSTATUS(status) == 127))
            python = 0;
        else
            cr_assert_eq(status, 0, "%s: not %s in Python", kinds[i][0], kinds[i][1]);
    }
    free(base);
    free(query);
    free(path);
    free(stock_path);
    if (!python)
        cr_skip_test("no Python FAISS here (python3-faiss): its part was left out");
}
