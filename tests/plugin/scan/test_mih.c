/* test_mih.c: multi-index hashing against the naive search: on random codes, on codes with
 * neighbours, on all kinds of bad luck. Files are in test_mih_file.c. */
#include "support.h"

#include "lbh_mih.h"
#include "mih_probe.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OK(call) cr_assert_eq((call), LBH_OK, "%s: %s", #call, lbh_last_error())

/* n codes around `centres` random ones: every bit flipped with probability `noise`. */
static uint8_t *near_codes(int64_t n, size_t size, int centres, double noise, uint64_t seed)
{
    uint8_t *centre = test_codes(centres, size, 99), *codes = malloc((size_t)n * size + 1);
    for (int64_t i = 0; i < n; i++) {
        size_t c = (size_t)(centres * test_uniform(seed, (uint64_t)i));
        memcpy(codes + (size_t)i * size, centre + c * size, size);
        for (size_t b = 0; b < 8 * size; b++)
            if (test_uniform(seed + 1, (uint64_t)i * 8 * size + b) < noise)
                codes[(size_t)i * size + b / 8] ^= (uint8_t)(1 << b % 8);
    }
    free(centre);
    return codes;
}

/* ---- The tables alone, with no way out to the scan ----------------------------------------- */

/* The probe's answers as distances and rows, compared with the naive search. */
static void check_probe(const lbh_mih *mih, const uint8_t *base, int64_t nq, const uint8_t *queries,
                        int64_t k, const char *what)
{
    int64_t n = lbh_mih_ntotal(mih);
    size_t size = lbh_mih_code_size(mih);
    int32_t *d = malloc((size_t)(nq * k) * sizeof *d);
    int64_t *l = malloc((size_t)(nq * k) * sizeof *l);
    test_naive_search(n, base, nq, queries, size, k, d, l);
    lbh_probe *p = NULL;
    OK(lbh_probe_new(&p, mih, k));
    for (int64_t q = 0; q < nq; q++) {
        OK(lbh_probe_query(p, queries + (size_t)q * size, 8 * (int)size, INFINITY));
        cr_assert_eq(p->found.count, k < n ? k : n, "%s: %lld answers", what,
                     (long long)p->found.count);
        for (int64_t i = 0; i < p->found.count; i++) {
            uint64_t key = p->found.key[i];
            cr_assert_eq((int)lbh_topk_score(key), d[q * k + i], "%s: query %d, distance %d", what,
                         (int)q, (int)i);
            cr_assert_eq((int64_t)(uint32_t)key, l[q * k + i], "%s: query %d, row %d", what, (int)q,
                         (int)i);
        }
    }
    lbh_probe_free(p);
    free(d);
    free(l);
}

static void check_tables(size_t size, int64_t n, const uint8_t *base, int64_t nq,
                         const uint8_t *queries, int m, const char *what)
{
    static const int64_t ks[] = {1, 10, 600};
    lbh_mih *mih = NULL;
    OK(lbh_mih_build(&mih, size, n, base, NULL, m));
    for (size_t i = 0; i < sizeof ks / sizeof *ks; i++)
        check_probe(mih, base, nq, queries, ks[i], what);
    lbh_mih_free(mih);
}

Test(mih, tables_agree_with_the_naive_search)
{
    /* Sizes around whole words, substrings that cut bytes, are longer than prefixes, and of one bit. */
    static const struct {
        size_t size;
        int m[3];
    } shapes[] = {{1, {0, 2, 8}},   {2, {0, 1, 3}},    {3, {0, 1, 5}},    {4, {0, 2, 4}},
                  {7, {0, 3, 7}},   {8, {0, 6, 64}},    {9, {0, 5, 9}},    {12, {0, 9, 12}},
                  {16, {0, 9, 16}}, {20, {0, 17, 20}}, {33, {33, 40, 66}}};
    enum { N = 700, NQ = 4 };
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        size_t size = shapes[s].size;
        uint8_t *base = near_codes(N, size, 9, 0.08, 1);
        uint8_t *queries = near_codes(NQ, size, 9, 0.08, 2);
        for (int i = 0; i < 3; i++) {
            char what[64];
            snprintf(what, sizeof what, "%zu bytes, m = %d", size, shapes[s].m[i]);
            /* All 700 codes of 33 bytes would take more steps than a test may. */
            if (size <= 20)
                check_tables(size, N, base, NQ, queries, shapes[s].m[i], what);
            else
                check_tables(size, 100, base, 1, queries, shapes[s].m[i], what);
        }
        free(base);
        free(queries);
    }
}

/* Entries are the rest of a code of up to 64 bits, unless that is too long; of others they name places. */
Test(mih, both_kinds_of_entries)
{
    static const struct {
        size_t size;
        int m, word_bits;
        bool places;
    } shapes[] = {{1, 2, 4, false},  {4, 0, 24, false}, {8, 4, 56, false},
                  {8, 64, 56, true}, {9, 9, 56, true},  {16, 8, 56, true}};
    enum { N = 700 };
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        uint8_t *base = near_codes(N, shapes[s].size, 9, 0.08, 1);
        lbh_mih *mih = NULL;
        OK(lbh_mih_build(&mih, shapes[s].size, N, base, NULL, shapes[s].m));
        cr_expect_eq(mih->place_bits, shapes[s].places ? 10 : 0, "%zu bytes", shapes[s].size);
        cr_expect_eq(mih->word_bits, shapes[s].word_bits, "%zu bytes", shapes[s].size);
        lbh_mih_free(mih);
        free(base);
    }
}

/* Each code many times, rows of equal ones far apart: tables hold them once, searches find them all. */
Test(mih, equal_codes)
{
    enum { N = 3000, DISTINCT = 40, NQ = 5 };
    for (size_t size = 2; size <= 16; size += 7) {
        uint8_t *few = near_codes(DISTINCT, size, 9, 0.2, 1), *base = malloc(N * size);
        uint8_t *queries = near_codes(NQ, size, 9, 0.08, 2);
        for (size_t i = 0; i < N; i++)
            memcpy(base + i * size, few + i * 7 % DISTINCT * size, size);
        lbh_mih *mih = NULL;
        OK(lbh_mih_build(&mih, size, N, base, NULL, 0));
        cr_assert_leq(mih->distinct, DISTINCT);
        lbh_mih_free(mih);
        check_tables(size, N, base, NQ, queries, 0, "equal codes");
        free(few);
        free(base);
        free(queries);
    }
}

Test(mih, takes_24_bytes_for_a_code_of_8)
{
    enum { N = 400000 };
    uint8_t *codes = test_codes(N, 8, 3);
    lbh_mih *mih = NULL;
    OK(lbh_mih_build(&mih, 8, N, codes, NULL, 0));
    cr_expect_leq(lbh_mih_bytes(mih), (size_t)24 * N, "%zu bytes", lbh_mih_bytes(mih));
    cr_expect_arr_eq(lbh_mih_codes(mih), codes, 8 * N);
    cr_expect_eq(lbh_mih_codes(mih), lbh_mih_codes(mih));
    lbh_mih_free(mih);
    free(codes);
}

Test(mih, substrings_longer_than_prefixes)
{
    enum { N = 3000, NQ = 20, K = 5 };
    uint8_t *base = near_codes(N, 8, 300, 0.03, 3), *queries = near_codes(NQ, 8, 300, 0.03, 4);
    lbh_mih *mih = NULL;
    OK(lbh_mih_build(&mih, 8, N, base, NULL, 2));
    cr_assert_lt(mih->prefix_bits, 32);
    check_probe(mih, base, NQ, queries, K, "two substrings of 32 bits");
    lbh_mih_free(mih);
    free(base);
    free(queries);
}

Test(mih, tables_on_adversarial_codes)
{
    enum { N = 5000, SIZE = 8 };
    uint8_t *codes = malloc(N * SIZE), query[3 * SIZE];
    memset(query, 0, SIZE);
    memset(query + SIZE, 0xff, SIZE);
    memset(query + 2 * SIZE, 0x0f, SIZE);

    memset(codes, 0, N * SIZE);
    check_tables(SIZE, N, codes, 3, query, 4, "all equal");

    for (int i = 0; i < N; i++)
        memset(codes + i * SIZE, i % 2 ? 0xff : 0, SIZE);
    check_tables(SIZE, N, codes, 3, query, 4, "two clusters at the largest distance");

    for (int i = 0; i < N * SIZE; i++)
        codes[i] = i % SIZE < 2 ? 7 : (uint8_t)(256 * test_uniform(5, (uint64_t)i));
    check_tables(SIZE, N, codes, 3, query, 4, "a constant substring");

    for (int i = 0; i < N; i++) { /* each code within one flip of the query */
        memset(codes + i * SIZE, 0, SIZE);
        codes[i * SIZE + i % SIZE] = (uint8_t)(1 << i / SIZE % 8);
    }
    check_tables(SIZE, N, codes, 1, query, 5, "a shell");
    free(codes);
}

/* ---- Searches ------------------------------------------------------------------------------ */

typedef struct world {
    int64_t n, nq, k;
    size_t size;
    uint8_t *base, *queries;
    int32_t *d, *true_d;
    int64_t *l, *true_l;
} world;

static world new_world(int64_t n, size_t size, int centres, double noise, int64_t nq, int64_t k)
{
    world w = {.n = n, .nq = nq, .k = k, .size = size};
    w.base = near_codes(n, size, centres, noise, 11);
    w.queries = near_codes(nq, size, centres, noise, 12);
    w.d = malloc((size_t)(nq * k) * sizeof *w.d);
    w.l = malloc((size_t)(nq * k) * sizeof *w.l);
    w.true_d = malloc((size_t)(nq * k) * sizeof *w.d);
    w.true_l = malloc((size_t)(nq * k) * sizeof *w.l);
    test_naive_search(n, w.base, nq, w.queries, size, k, w.true_d, w.true_l);
    return w;
}

static void free_world(world *w)
{
    free(w->base);
    free(w->queries);
    free(w->d);
    free(w->l);
    free(w->true_d);
    free(w->true_l);
}

static void check_search(world *w, const lbh_mih *mih, lbh_mih_stats *stats, const char *what)
{
    memset(w->d, 99, (size_t)(w->nq * w->k) * sizeof *w->d);
    memset(w->l, 99, (size_t)(w->nq * w->k) * sizeof *w->l);
    OK(lbh_mih_search(mih, w->nq, w->queries, w->k, w->d, w->l, stats));
    cr_assert_arr_eq(w->d, w->true_d, (size_t)(w->nq * w->k) * sizeof *w->d, "%s: distances", what);
    cr_assert_arr_eq(w->l, w->true_l, (size_t)(w->nq * w->k) * sizeof *w->l, "%s: labels", what);
}

Test(mih, search_by_tables_any_number_of_threads)
{
    world w = new_world(60000, 8, 6000, 0.02, 7, 5);
    lbh_mih *mih = NULL;
    OK(lbh_mih_build(&mih, w.size, w.n, w.base, NULL, 0));
    cr_assert_eq(lbh_mih_substrings(mih), 4);
    for (int threads = 1; threads <= 3; threads += 2) {
        lbh_mih_stats stats = {0};
        omp_set_num_threads(threads);
        check_search(&w, mih, &stats, "60000 codes");
        cr_assert_eq(stats.queries, w.nq);
        cr_assert_lt(stats.scanned, w.nq, "all queries were scanned for");
        cr_assert_gt(stats.buckets, 0);
        cr_assert_geq(stats.candidates, stats.checked);
    }
    lbh_mih_free(mih);
    free_world(&w);
}

Test(mih, random_codes_and_equal_codes_fall_back_to_the_scan)
{
    world w = new_world(3000, 16, 3000, 0.5, 10, 10);
    lbh_mih *mih = NULL;
    lbh_mih_stats stats = {0};
    OK(lbh_mih_build(&mih, w.size, w.n, w.base, NULL, 0));
    check_search(&w, mih, &stats, "random codes");
    cr_assert_eq(stats.scanned, w.nq);
    lbh_mih_free(mih);

    memset(w.base, 1, (size_t)w.n * w.size);
    memset(w.queries, 1, (size_t)w.nq * w.size);
    test_naive_search(w.n, w.base, w.nq, w.queries, w.size, w.k, w.true_d, w.true_l);
    OK(lbh_mih_build(&mih, w.size, w.n, w.base, NULL, 0));
    check_search(&w, mih, &stats, "equal codes");
    cr_assert_eq(stats.scanned, 2 * w.nq, "%lld", (long long)stats.scanned);
    cr_assert_eq(stats.queries, 2 * w.nq);
    lbh_mih_free(mih);
    free_world(&w);
}

Test(mih, few_codes)
{
    for (int64_t n = 0; n < 4; n++) {
        world w = new_world(n, 5, 2, 0.1, 3, 3);
        lbh_mih *mih = NULL;
        OK(lbh_mih_build(&mih, w.size, n, w.base, NULL, 0));
        cr_assert_eq(lbh_mih_ntotal(mih), n);
        check_search(&w, mih, NULL, "few codes");
        if (n)
            check_probe(mih, w.base, w.nq, w.queries, w.k, "few codes");
        OK(lbh_mih_search(mih, 0, NULL, 3, NULL, NULL, NULL));
        lbh_mih_free(mih);
        free_world(&w);
    }
}

/* Ids are a permutation: the naive search of the codes in the order of ids gives the answers. */
Test(mih, ids_and_ties)
{
    enum { N = 4001, STEP = 1234 };
    world w = new_world(N, 4, 40, 0.05, 9, 30);
    uint8_t *shuffled = malloc(N * w.size);
    int64_t *ids = malloc(N * sizeof *ids);
    for (int64_t i = 0; i < N; i++) {
        int64_t at = i * STEP % N; /* 4001 is prime */
        ids[i] = at * 1000000007;
        memcpy(shuffled + (size_t)i * w.size, w.base + (size_t)at * w.size, w.size);
    }
    for (int64_t i = 0; i < w.nq * w.k; i++)
        w.true_l[i] *= 1000000007;
    lbh_mih *mih = NULL;
    OK(lbh_mih_build(&mih, w.size, N, shuffled, ids, 0));
    check_search(&w, mih, NULL, "ids");
    cr_assert_arr_eq(lbh_mih_codes(mih), w.base, N * w.size);
    cr_assert_eq(lbh_mih_ids(mih)[N - 1], (N - 1) * INT64_C(1000000007));
    lbh_mih_free(mih);
    /* The same in two portions. */
    OK(lbh_mih_build(&mih, w.size, 1000, shuffled, ids, 0));
    cr_assert_eq(lbh_mih_add(mih, 1, shuffled, NULL), LBH_EINVAL);
    OK(lbh_mih_add(mih, N - 1000, shuffled + 1000 * w.size, ids + 1000));
    check_search(&w, mih, NULL, "ids, added");
    lbh_mih_free(mih);
    free(shuffled);
    free(ids);
    free_world(&w);
}

Test(mih, add)
{
    world w = new_world(9000, 8, 900, 0.02, 9, 7);
    lbh_mih *mih = NULL;
    OK(lbh_mih_build(&mih, w.size, 0, NULL, NULL, 0));
    OK(lbh_mih_add(mih, 4000, w.base, NULL));
    OK(lbh_mih_add(mih, 0, NULL, NULL));
    OK(lbh_mih_add(mih, 5000, w.base + 4000 * w.size, NULL));
    int64_t id = 3;
    cr_assert_eq(lbh_mih_add(mih, 1, w.base, &id), LBH_EINVAL);
    cr_assert_eq(lbh_mih_ntotal(mih), 9000);
    check_search(&w, mih, NULL, "added");
    check_probe(mih, w.base, w.nq, w.queries, w.k, "added");
    lbh_mih_free(mih);
    free_world(&w);
}

/* ---- Range --------------------------------------------------------------------------------- */

static void check_range(const world *w, const lbh_mih *mih, int32_t radius, int64_t scale)
{
    lbh_range_result *r = NULL;
    OK(lbh_mih_range(&r, mih, w->nq, w->queries, radius, NULL));
    cr_assert_eq(r->n, w->nq);
    for (int64_t q = 0; q < w->nq; q++) {
        int64_t at = r->lims[q], inside = 0;
        for (int64_t i = 0; i < w->n; i++)
            inside += test_hamming(w->base + (size_t)i * w->size, w->queries + (size_t)q * w->size,
                                   w->size) < radius;
        cr_assert_eq(r->lims[q + 1] - at, inside, "radius %d: %lld answers, not %lld", radius,
                     (long long)(r->lims[q + 1] - at), (long long)inside);
        for (; at < r->lims[q + 1]; at++) {
            int64_t row = r->labels[at] / scale;
            cr_assert_eq(r->distances[at], test_hamming(w->base + (size_t)row * w->size,
                                                        w->queries + (size_t)q * w->size, w->size));
            if (at > r->lims[q])
                cr_assert(r->distances[at - 1] < r->distances[at] ||
                          (r->distances[at - 1] == r->distances[at] &&
                           r->labels[at - 1] < r->labels[at]));
        }
    }
    lbh_range_result_free(r);
}

Test(mih, range)
{
    world w = new_world(30000, 8, 3000, 0.02, 12, 1);
    int64_t *ids = malloc((size_t)w.n * sizeof *ids);
    for (int64_t i = 0; i < w.n; i++)
        ids[i] = 7 * i;
    lbh_mih *mih = NULL, *with_ids = NULL;
    OK(lbh_mih_build(&mih, w.size, w.n, w.base, NULL, 0));
    OK(lbh_mih_build(&with_ids, w.size, w.n, w.base, ids, 0));
    static const int32_t radii[] = {-3, 0, 1, 2, 5, 30, 64, 65, 1000};
    for (size_t i = 0; i < sizeof radii / sizeof *radii; i++) {
        check_range(&w, mih, radii[i], 1);
        check_range(&w, with_ids, radii[i], 7);
    }
    lbh_mih_stats stats = {0};
    lbh_range_result *r = NULL;
    OK(lbh_mih_range(&r, mih, w.nq, w.queries, 3, &stats));
    cr_assert_eq(stats.scanned, 0);
    lbh_range_result_free(r);
    lbh_mih_free(mih);
    lbh_mih_free(with_ids);
    free(ids);
    free_world(&w);
}

/* More answers than the list of a probe starts with, by tables alone. */
Test(mih, range_of_many)
{
    enum { N = 5000 };
    uint8_t *codes = calloc(N, 8);
    lbh_mih *mih = NULL;
    lbh_probe *p = NULL;
    OK(lbh_mih_build(&mih, 8, N, codes, NULL, 0));
    OK(lbh_probe_new(&p, mih, 0));
    /* The budget pays for comparing them all, but not for taking them all. */
    cr_assert_eq(lbh_probe_query(p, codes, 3, 5000), LBH_PROBE_TOO_DEAR);
    OK(lbh_probe_query(p, codes, 3, INFINITY));
    cr_assert_eq(p->found.count, N);
    for (uint32_t i = 0; i < N; i++)
        cr_assert_eq(p->found.key[i], lbh_topk_key(0, i));
    lbh_probe_free(p);
    lbh_mih_free(mih);
    free(codes);
}
