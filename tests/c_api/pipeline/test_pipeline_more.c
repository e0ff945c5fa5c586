/* test_pipeline_more.c: pipelines around an encoder, in memory, from pulled rows all or nothing, with parameters
 * and filters of one search; what is cancelled leaves everything as it was. */
#define _GNU_SOURCE
#include "lbh_pipeline.h"

#include "cases.h"
#include "watch.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { N = 600, NQ = 5, K = 7, D = 20, BITS = 24 };

static float *x, *q;
static void set_up(void)
{
    x = test_mixture(N, D, 21, NULL);
    q = test_mixture(NQ, D, 22, NULL);
}

static void tear_down(void)
{
    free(x);
    free(q);
}

TestSuite(pipeline_more, .init = set_up, .fini = tear_down);

static const char *const kinds[] = {"BFlat", "IDMap2,BFlat", "BIVF8", "IDMap,BHNSW8", "BHash6,RFlat",
                                    "BIVF8,RSQ8", "IDMap2,BHash2x8", "IDMap2,BFlat,RFlat"};
enum { KINDS = sizeof kinds / sizeof *kinds };

static lbh_encoder *trained(void)
{
    lbh_encoder *enc = NULL;
    cr_ok(lbh_encoder_new(&enc, "itq", D, BITS));
    cr_ok(lbh_encoder_train(enc, N, x));
    return enc;
}

static lbh_pipeline *around(lbh_encoder *enc, const char *kind, int64_t n)
{
    lbh_pipeline *p = NULL;
    cr_assert_eq(lbh_pipeline_new_with_encoder(&p, enc, kind, LBH_METRIC_L2), LBH_OK, "%s: %s", kind,
                 lbh_last_error());
    if (!lbh_pipeline_is_trained(p))
        cr_ok(lbh_pipeline_train(p, N, x));
    cr_ok(lbh_pipeline_add(p, n, x));
    return p;
}

typedef struct answers {
    float distances[NQ * K];
    int64_t labels[NQ * K];
} answers;

static answers search(const lbh_pipeline *p)
{
    answers a;
    cr_ok(lbh_pipeline_search(p, NQ, q, K, a.distances, a.labels));
    return a;
}

static void expect_same(answers a, answers b, const char *what)
{
    for (int i = 0; i < NQ * K; i++) {
        cr_assert_eq(a.labels[i], b.labels[i], "%s: answer %d is %lld, not %lld", what, i,
                     (long long)b.labels[i], (long long)a.labels[i]);
        cr_assert_eq(a.distances[i], b.distances[i], "%s: distance %d", what, i);
    }
}

/* ---- Around an encoder --------------------------------------------------------------------- */

Test(pipeline_more, an_encoder_is_shared)
{
    lbh_encoder *enc = trained();
    lbh_set_num_threads(1); /* building BHNSW, threads race */
    uint64_t digest = lbh_encoder_digest(enc);
    for (int i = 0; i < KINDS; i++) {
        lbh_pipeline *p = around(enc, kinds[i], N), *same = NULL;
        char factory[128], text[64];
        cr_assert_eq(lbh_pipeline_encoder(p), enc);
        const char *map = strstr(kinds[i], "IDMap2,") ? "IDMap2," : strstr(kinds[i], "IDMap,") ? "IDMap," : "";
        snprintf(factory, sizeof factory, "%sitq%d,%s", map, BITS, kinds[i] + strlen(map));
        cr_assert_str_eq(lbh_pipeline_factory(p), factory);
        cr_ok(lbh_pipeline_new(&same, D, factory, LBH_METRIC_L2));
        cr_ok(lbh_pipeline_train(same, N, x));
        cr_ok(lbh_pipeline_add(same, N, x));
        expect_same(search(same), search(p), kinds[i]);
        snprintf(text, sizeof text, "more%d.lbhp", i);
        cr_ok(lbh_pipeline_save(p, test_tmp(text)));
        lbh_pipeline_free(p);
        lbh_pipeline_free(same);
        p = NULL;
        cr_ok(lbh_pipeline_load(&p, test_tmp(text)));
        lbh_pipeline_free(p);
        cr_assert_eq(lbh_encoder_digest(enc), digest);
    }
    lbh_encoder_free(enc);
}

Test(pipeline_more, training_a_pipeline_trains_the_encoder)
{
    lbh_encoder *enc = NULL;
    lbh_pipeline *p = NULL;
    cr_ok(lbh_encoder_new(&enc, "itq", D, BITS));
    cr_ok(lbh_pipeline_new_with_encoder(&p, enc, "BFlat,RFlat", LBH_METRIC_L2));
    cr_assert_not(lbh_pipeline_is_trained(p));
    cr_ok(lbh_pipeline_train(p, N, x));
    cr_assert(lbh_encoder_is_trained(enc));
    lbh_pipeline_free(p);
    cr_assert_eq(lbh_pipeline_new_with_encoder(&p, enc, "nonsense", LBH_METRIC_L2), LBH_EINVAL);
    cr_assert_eq(lbh_pipeline_new_with_encoder(&p, NULL, "BFlat", LBH_METRIC_L2), LBH_EINVAL);
    lbh_encoder_free(enc);
}

/* ---- In memory ----------------------------------------------------------------------------- */

Test(pipeline_more, in_memory_and_back)
{
    lbh_encoder *enc = trained();
    for (int i = 0; i < KINDS; i++) {
        lbh_pipeline *p = around(enc, kinds[i], N / 2), *back = NULL;
        void *data = NULL;
        size_t size = 0;
        if (strstr(kinds[i], "BIVF"))
            cr_ok(lbh_pipeline_remove_ids(p, 1, &(int64_t){3}, NULL)); /* ids need a member then */
        cr_ok(lbh_pipeline_set(p, "rescore=margin,k_factor=3"));
        cr_ok(lbh_pipeline_save_memory(p, &data, &size));
        cr_ok(lbh_pipeline_load_memory(&back, data, size));
        for (size_t cut = 0; cut < size; cut += 1 + size / 97) { /* any piece, any flipped bit */
            lbh_pipeline *bad = NULL;
            cr_assert_eq(lbh_pipeline_load_memory(&bad, data, cut), LBH_EFORMAT, "%s: %zu of %zu",
                         kinds[i], cut, size);
            ((char *)data)[cut] ^= 4;
            cr_assert_neq(lbh_pipeline_load_memory(&bad, data, size), LBH_OK, "%s: byte %zu",
                          kinds[i], cut);
            ((char *)data)[cut] ^= 4;
        }
        lbh_free(data); /* was copied */
        expect_same(search(p), search(back), kinds[i]);
        cr_ok(lbh_pipeline_add(back, N / 2, x + N / 2 * D)); /* ids go on where they were */
        cr_ok(lbh_pipeline_add(p, N / 2, x + N / 2 * D));
        cr_ok(lbh_pipeline_set(p, "rescore=none"));
        cr_ok(lbh_pipeline_set(back, "rescore=none"));
        if (!strstr(kinds[i], "HNSW")) /* whose threads race */
            expect_same(search(p), search(back), kinds[i]);
        lbh_pipeline_free(p);
        lbh_pipeline_free(back);
    }
    lbh_encoder_free(enc);
}

Test(pipeline_more, encoders_and_indexes_in_memory)
{
    lbh_encoder *enc = trained(), *back = NULL;
    lbh_pipeline *p = around(enc, "BIVF8", N);
    void *data = NULL;
    size_t size = 0, length = 0;
    cr_ok(lbh_encoder_save_memory(enc, &data, &size));
    cr_ok(lbh_encoder_save(enc, test_tmp("e.lbh")));
    unsigned char *file = test_slurp(test_tmp("e.lbh"), &length);
    cr_assert_eq(size, length);
    cr_assert_arr_eq(data, file, size);
    cr_ok(lbh_encoder_load_memory(&back, data, size));
    cr_assert_eq(lbh_encoder_digest(back), lbh_encoder_digest(enc));
    lbh_free(data);
    free(file);
    FaissIndexBinary *index = NULL;
    cr_ok(lbh_index_save_memory(lbh_pipeline_index(p), &data, &size));
    cr_ok(lbh_index_save(lbh_pipeline_index(p), test_tmp("i.faiss")));
    file = test_slurp(test_tmp("i.faiss"), &length);
    cr_assert_eq(size, length);
    cr_assert_arr_eq(data, file, size);
    cr_ok(lbh_index_load_memory(&index, data, size));
    cr_assert_eq(lbh_index_ntotal(index), N);
    lbh_index_free(index);
    cr_assert_eq(lbh_index_load_memory(&index, data, size / 2), LBH_EFORMAT);
    lbh_free(data);
    free(file);
    lbh_pipeline_free(p);
    lbh_encoder_free(enc);
    lbh_encoder_free(back);
}

Test(pipeline_more, an_index_from_elsewhere)
{
    lbh_encoder *enc = trained();
    for (int i = 0; i < KINDS; i++) {
        if (strstr(kinds[i], ",R"))
            continue;
        lbh_pipeline *p = around(enc, kinds[i], N), *q2 = NULL;
        FaissIndexBinary *index = NULL;
        void *data;
        size_t size;
        cr_ok(lbh_index_save_memory(lbh_pipeline_index(p), &data, &size));
        cr_ok(lbh_index_load_memory(&index, data, size));
        lbh_free(data);
        cr_ok(lbh_pipeline_new_with_encoder(&q2, enc, kinds[i], LBH_METRIC_L2));
        cr_ok(lbh_pipeline_take_index(q2, &index));
        cr_assert_null(index);
        cr_assert(lbh_pipeline_is_trained(q2));
        expect_same(search(p), search(q2), kinds[i]);
        cr_ok(lbh_pipeline_add(q2, 1, x)); /* an id after those that are there */
        cr_assert_eq(lbh_pipeline_ntotal(q2), N + 1);
        cr_ok(lbh_index_new(&index, 4, "BFlat"));
        cr_assert_eq(lbh_pipeline_take_index(q2, &index), LBH_EINVAL);
        lbh_index_free(index);
        lbh_pipeline_free(p);
        lbh_pipeline_free(q2);
    }
    lbh_encoder_free(enc);
}

Test(pipeline_more, codes_may_stay_in_their_file)
{
    lbh_encoder *enc = trained();
    lbh_pipeline *p = around(enc, "BIVF8,RFlat", N), *mapped = NULL;
    cr_ok(lbh_pipeline_save(p, test_tmp("mapped.lbhp")));
    cr_ok(lbh_pipeline_load_mapped(&mapped, test_tmp("mapped.lbhp")));
    expect_same(search(p), search(mapped), "mapped");
    cr_assert_eq(lbh_pipeline_add(mapped, 1, x), LBH_ESTATE);
    cr_assert_eq(lbh_pipeline_ntotal(mapped), N);
    expect_same(search(p), search(mapped), "mapped, after adding failed");
    lbh_pipeline_free(p);
    lbh_pipeline_free(mapped);
    lbh_encoder_free(enc);
}

/* ---- Rows, all or none --------------------------------------------------------------------- */

typedef struct source {
    const float *x;
    int64_t n, bad; /* reading row `bad` fails */
} source;

/* Row i is row i % N of x. */
static int read_rows(const lbh_rows *self, int64_t count, const int64_t *ids, float *to)
{
    const source *s = self->ctx;
    for (int64_t i = 0; i < count; i++) {
        if (ids[i] == s->bad)
            return LBH_EIO;
        memcpy(to + i * D, s->x + ids[i] % N * D, D * sizeof *to);
    }
    return LBH_OK;
}

Test(pipeline_more, rows_come_all_or_none)
{
    enum { MANY = 20000 }; /* several blocks */
    lbh_encoder *enc = trained();
    float *nan = malloc(sizeof *nan * N * D);
    memcpy(nan, x, sizeof *nan * N * D);
    for (int i = 0; i < KINDS; i++) {
        if (strstr(kinds[i], "HNSW"))
            continue; /* slow, and like the others here */
        lbh_pipeline *p = around(enc, kinds[i], N);
        answers before = search(p);
        source s = {x, MANY, MANY - 10};
        lbh_rows rows = {MANY, D, read_rows, &s};
        cr_assert_eq(lbh_pipeline_add_rows(p, &rows, NULL), LBH_EIO);
        cr_assert_eq(lbh_pipeline_ntotal(p), N);
        expect_same(before, search(p), kinds[i]);
        nan[(N - 1) * D + 3] = NAN;
        cr_assert_eq(lbh_pipeline_add(p, N, nan), LBH_EINVAL);
        cr_assert(strstr(lbh_last_error(), "row 599"), "%s", lbh_last_error());
        s = (source){nan, MANY, -1};
        cr_assert_eq(lbh_pipeline_add_rows(p, &rows, NULL), LBH_EINVAL);
        cr_assert_eq(lbh_pipeline_ntotal(p), N);
        expect_same(before, search(p), kinds[i]);
        s = (source){x, MANY, -1};
        cr_ok(lbh_pipeline_add_rows(p, &rows, NULL));
        cr_assert_eq(lbh_pipeline_ntotal(p), N + MANY);
        cr_ok(lbh_pipeline_reset(p));
        cr_assert_eq(lbh_pipeline_ntotal(p), 0);
        cr_ok(lbh_pipeline_add(p, N, x)); /* ids from 0 again */
        expect_same(before, search(p), kinds[i]);
        lbh_pipeline_free(p);
    }
    free(nan);
    lbh_encoder_free(enc);
}

/* ---- One search ---------------------------------------------------------------------------- */

static int thirds(const void *ctx, int64_t id)
{
    return id % 3 == *(const int *)ctx;
}

/* The answers that pass, of a search for all. */
static answers expected(const lbh_pipeline *p, const char *parameters, int rest)
{
    static float d[NQ * N];
    static int64_t l[NQ * N];
    answers a;
    cr_ok(lbh_pipeline_search_with(p, parameters, NULL, NULL, NQ, q, N, d, l));
    for (int i = 0; i < NQ; i++) {
        int found = 0;
        for (int j = 0; j < N && found < K; j++)
            if (l[i * N + j] >= 0 && l[i * N + j] % 3 == rest) {
                a.distances[i * K + found] = d[i * N + j];
                a.labels[i * K + found++] = l[i * N + j];
            }
        cr_assert_eq(found, K);
    }
    return a;
}

Test(pipeline_more, filters)
{
    static const char *const modes[] = {"", "rescore=margin,k_factor=600", "rescore=decoder,k_factor=600",
                                        "rescore=float,k_factor=600"};
    lbh_encoder *enc = trained();
    int rest = 1;
    for (int i = 0; i < KINDS; i++)
        for (int m = 0; m < 4; m++) {
            char with[64];
            if (strstr(kinds[i], "HNSW") || strstr(kinds[i], "RSQ8") ||
                (m == 3) != (strstr(kinds[i], ",RFlat") != NULL))
                continue;
            lbh_pipeline *p = around(enc, kinds[i], N);
            const char *all = strstr(kinds[i], "BIVF") ? "nprobe=8" : strstr(kinds[i], "BHash6") ? "nflip=6"
                              : strstr(kinds[i], "x8") ? "nflip=8" : "";
            snprintf(with, sizeof with, "%s%s%s", modes[m], *modes[m] && *all ? "," : "", all);
            answers a;
            cr_ok(lbh_pipeline_search_with(p, with, thirds, &rest, NQ, q, K, a.distances, a.labels));
            expect_same(expected(p, with, rest), a, kinds[i]);
            lbh_pipeline_free(p);
        }
    lbh_encoder_free(enc);
}

/* More queries than are looked at together. */
Test(pipeline_more, many_queries)
{
    enum { MANY = 1100 };
    lbh_encoder *enc = trained();
    lbh_pipeline *p = around(enc, "BFlat", N);
    float *many = test_mixture(MANY, D, 23, NULL), *d = malloc(sizeof *d * MANY * K), few[NQ * K];
    int64_t *l = malloc(sizeof *l * MANY * K), label[NQ * K];
    cr_ok(lbh_pipeline_set(p, "rescore=margin,k_factor=4"));
    cr_ok(lbh_pipeline_search(p, MANY, many, K, d, l));
    for (int i = 0; i < MANY; i += NQ) {
        cr_ok(lbh_pipeline_search(p, NQ, many + i * D, K, few, label));
        cr_assert_arr_eq(d + i * K, few, sizeof few);
        cr_assert_arr_eq(l + i * K, label, sizeof label);
    }
    free(many);
    free(d);
    free(l);
    lbh_pipeline_free(p);
    lbh_encoder_free(enc);
}

Test(pipeline_more, parameters_of_one_search)
{
    lbh_encoder *enc = trained();
    lbh_pipeline *p = around(enc, "BIVF8", N);
    char before[512], after[512];
    answers one = search(p), all;
    cr_ok(lbh_pipeline_parameters(p, before, sizeof before));
    cr_assert(strstr(before, "nprobe=1") && strstr(before, "rescore=none"), "%s", before);
    cr_assert_eq(lbh_pipeline_parameters(p, after, 10), LBH_EINVAL);
    cr_ok(lbh_pipeline_search_with(p, "nprobe=8", NULL, NULL, NQ, q, K, all.distances, all.labels));
    cr_assert(memcmp(&one, &all, sizeof one) != 0, "nprobe did nothing");
    expect_same(one, search(p), "afterwards");
    cr_ok(lbh_pipeline_parameters(p, after, sizeof after));
    cr_assert_str_eq(before, after);
    cr_assert_eq(lbh_pipeline_search_with(p, "nprobe=9", NULL, NULL, NQ, q, K, all.distances, all.labels),
                 LBH_EINVAL);
    cr_assert_eq(lbh_pipeline_search_with(p, "rescore=float", NULL, NULL, NQ, q, K, all.distances,
                                          all.labels), LBH_EINVAL);
    cr_ok(lbh_pipeline_set(p, "nprobe=8"));
    expect_same(search(p), all, "as set");
    cr_ok(lbh_pipeline_parameters(p, after, sizeof after));
    cr_ok(lbh_pipeline_set(p, after)); /* is what it takes */
    lbh_pipeline_free(p);
    lbh_encoder_free(enc);
}

/* Threads with parameters of their own do not see each other's. */
Test(pipeline_more, searches_at_the_same_time)
{
    lbh_encoder *enc = trained();
    lbh_pipeline *p = around(enc, "BIVF8", N);
    answers one = search(p), all;
    int wrong = 0;
    cr_ok(lbh_pipeline_search_with(p, "nprobe=8", NULL, NULL, NQ, q, K, all.distances, all.labels));
#pragma omp parallel for num_threads(4) reduction(+ : wrong)
    for (int i = 0; i < 400; i++) {
        answers a;
        int rc = lbh_pipeline_search_with(p, i % 2 ? "nprobe=8" : "", NULL, NULL, NQ, q, K, a.distances,
                                          a.labels);
        wrong += rc != LBH_OK ||
                 memcmp(a.labels, i % 2 ? all.labels : one.labels, sizeof a.labels) != 0;
    }
    cr_assert_eq(wrong, 0);
    lbh_pipeline_free(p);
    lbh_encoder_free(enc);
}

/* ---- Cancelling ---------------------------------------------------------------------------- */

static int never(void *ctx, const char *what, int64_t step, int64_t steps, double loss)
{
    (void)what, (void)step, (void)steps, (void)loss;
    ++*(int *)ctx;
    return 1;
}

/* The call asks at its first look: the callback's clock has run before. */
#define CANCELS(call)                                                                              \
    do {                                                                                           \
        int calls_ = 0;                                                                            \
        lbh_on_progress(never, &calls_);                                                           \
        lbh_watch_begin("test", 0);                                                                \
        nanosleep(&(struct timespec){.tv_nsec = 60000000}, NULL);                                  \
        cr_expect_eq(lbh_watch_end(call), LBH_ECANCELLED, "%s", #call);                            \
        lbh_on_progress(NULL, NULL);                                                               \
    } while (0)

/* Reading takes longer than lies between two questions. */
static int read_slowly(const lbh_rows *self, int64_t count, const int64_t *ids, float *to)
{
    nanosleep(&(struct timespec){.tv_nsec = 60000000}, NULL);
    return read_rows(self, count, ids, to);
}

Test(pipeline_more, cancelled_calls_leave_all_as_it_was)
{
    enum { MANY = 30000 };
    lbh_encoder *enc = trained();
    int calls = 0;
    source s = {x, MANY, -1};
    lbh_rows rows = {MANY, D, read_slowly, &s};
    for (int i = 0; i < KINDS; i++) {
        lbh_pipeline *p = around(enc, kinds[i], N);
        answers before = search(p);
        calls = 0;
        lbh_on_progress(never, &calls);
        cr_assert_eq(lbh_pipeline_add_rows(p, &rows, NULL), LBH_ECANCELLED, "%s", kinds[i]);
        lbh_on_progress(NULL, NULL);
        cr_assert_eq(calls, 1);
        cr_assert_eq(lbh_pipeline_ntotal(p), N);
        expect_same(before, search(p), kinds[i]);
        lbh_pipeline_free(p);
    }
    lbh_encoder_free(enc);
}

/* FAISS builds the graph in parts: a cancelled one is gone, and what was there is searched as before. */
Test(pipeline_more, adding_to_hnsw_is_cancelled)
{
    enum { CS = 8, FIRST = 3000, MORE = 60000 };
    uint8_t *codes = test_codes(FIRST + MORE, CS, 5);
    for (int64_t first = 0; first <= FIRST; first += FIRST)
        for (int map = 0; map < 2; map++) {
            FaissIndexBinary *index = NULL;
            int32_t distances[2][10];
            int64_t labels[2][10];
            int calls = 0;
            cr_ok(lbh_index_new(&index, CS, map ? "IDMap2,BHNSW32" : "BHNSW32"));
            cr_ok(lbh_index_add_codes(index, CS, first, codes, NULL));
            cr_ok(lbh_index_search_codes(index, CS, 1, codes, 10, distances[0], labels[0]));
            lbh_on_progress(never, &calls);
            cr_assert_eq(lbh_index_add_codes(index, CS, MORE, codes + FIRST * CS, NULL), LBH_ECANCELLED);
            lbh_on_progress(NULL, NULL);
            cr_assert_eq(lbh_index_ntotal(index), first);
            cr_ok(lbh_index_search_codes(index, CS, 1, codes, 10, distances[1], labels[1]));
            cr_assert_arr_eq(labels[0], labels[1], sizeof labels[0]);
            cr_ok(lbh_index_add_codes(index, CS, 500, codes + FIRST * CS, NULL));
            cr_ok(lbh_index_search_codes(index, CS, 1, codes + FIRST * CS, 1, distances[1], labels[1]));
            cr_assert_eq(labels[1][0], first);
            lbh_index_free(index);
        }
    free(codes);
}

/* A stopped save leaves what was there, and no files beside it; a stopped load leaves nothing. */
Test(pipeline_more, saving_and_loading_are_cancelled)
{
    lbh_encoder *enc = trained();
    lbh_pipeline *p = around(enc, "BFlat,RFlat", N), *back = NULL;
    const char *path = test_tmp("stopped.lbhp");
    void *data = NULL, *none = NULL;
    size_t size = 0;
    cr_ok(lbh_pipeline_save(p, path));
    cr_ok(lbh_pipeline_save_memory(p, &data, &size));
    CANCELS(lbh_pipeline_save(p, path));
    CANCELS(lbh_pipeline_save_memory(p, &none, &size));
    CANCELS(lbh_pipeline_load(&back, path));
    CANCELS(lbh_pipeline_load_memory(&back, data, size));
    CANCELS(lbh_pipeline_verify(path));
    cr_assert_null(none);
    cr_assert_null(back);
    cr_ok(lbh_pipeline_verify(path));
    cr_ok(lbh_pipeline_load(&back, path));
    expect_same(search(p), search(back), "BFlat,RFlat");
    lbh_pipeline_free(p), lbh_pipeline_free(back);
    lbh_encoder_free(enc);
    lbh_free(data);
}

static int when_some_were_added(void *ctx, const char *what, int64_t step, int64_t steps, double loss)
{
    (void)what, (void)step, (void)steps, (void)loss;
    return lbh_index_ntotal(ctx) > 2000;
}

/* The parts that were added before are taken back, ids of the caller's too. */
Test(pipeline_more, adding_in_parts_is_cancelled)
{
    enum { CS = 8, FIRST = 2000, MORE = 600000, NEW = FIRST + 1000 };
    static const char *const factories[] = {"BIVF1024", "BHash16", "BHash4x16", "IDMap2,BIVF1024"};
    uint8_t *codes = test_codes(FIRST + MORE, CS, 8);
    int64_t *ids = malloc(sizeof *ids * (FIRST + MORE));
    for (int64_t i = 0; i < FIRST + MORE; i++)
        ids[i] = 7 * i;
    for (int i = 0; i < 4; i++) {
        FaissIndexBinary *index = NULL;
        bool named = i != 2; /* BHash4x16 has places for ids */
        int32_t distances[2][10];
        int64_t labels[2][10];
        cr_ok(lbh_index_new(&index, CS, factories[i]));
        cr_ok(lbh_index_train_codes(index, CS, FIRST, codes));
        cr_ok(lbh_index_add_codes(index, CS, FIRST, codes, named ? ids : NULL));
        cr_ok(lbh_index_search_codes(index, CS, 1, codes + NEW * CS, 10, distances[0], labels[0]));
        lbh_on_progress(when_some_were_added, index);
        cr_assert_eq(lbh_index_add_codes(index, CS, MORE, codes + FIRST * CS, named ? ids + FIRST : NULL),
                     LBH_ECANCELLED, "%s", factories[i]);
        lbh_on_progress(NULL, NULL);
        cr_assert_eq(lbh_index_ntotal(index), FIRST);
        cr_ok(lbh_index_search_codes(index, CS, 1, codes + NEW * CS, 10, distances[1], labels[1]));
        cr_assert_arr_eq(labels[0], labels[1], sizeof labels[0], "%s", factories[i]);
        cr_ok(lbh_index_add_codes(index, CS, 1, codes + NEW * CS, named ? ids + NEW : NULL));
        cr_ok(lbh_index_search_codes(index, CS, 1, codes + NEW * CS, 10, distances[1], labels[1]));
        cr_assert_eq(labels[1][0], named ? ids[NEW] : FIRST, "%s", factories[i]);
        lbh_index_free(index);
    }
    free(codes), free(ids);
}

/* The callback asks FAISS's k-means, and searches of all kinds, to stop. */
Test(pipeline_more, training_and_searching_are_cancelled)
{
    enum { CS = 16, MANY = 40000 };
    uint8_t *codes = test_codes(MANY, CS, 6);
    int32_t *distances = malloc(sizeof *distances * MANY * 10);
    int64_t *labels = malloc(sizeof *labels * MANY * 10);
    static const char *const factories[] = {"BFlat", "BIVF256", "BHNSW16", "BHash16"};
    for (int i = 0; i < 4; i++) {
        FaissIndexBinary *index = NULL;
        int calls = 0;
        cr_ok(lbh_index_new(&index, CS, factories[i]));
        lbh_on_progress(never, &calls);
        if (i == 1)
            cr_assert_eq(lbh_index_train_codes(index, CS, MANY, codes), LBH_ECANCELLED);
        lbh_on_progress(NULL, NULL);
        cr_ok(lbh_index_train_codes(index, CS, i == 1 ? 3000 : MANY, codes));
        cr_ok(lbh_index_add_codes(index, CS, i == 2 ? 4000 : MANY, codes, NULL));
        if (i != 2)
            cr_ok(lbh_index_set(index, i == 1 ? "nprobe=256" : i == 3 ? "nflip=2" : ""));
        cr_ok(lbh_index_accelerate(&index));
        lbh_on_progress(never, &calls);
        cr_assert_eq(lbh_index_search_codes(index, CS, MANY, codes, 10, distances, labels),
                     LBH_ECANCELLED, "%s", factories[i]);
        lbh_on_progress(NULL, NULL);
        cr_ok(lbh_index_search_codes(index, CS, 1, codes, 10, distances, labels));
        cr_assert_eq(labels[0], 0);
        lbh_index_free(index);
    }
    free(codes), free(distances), free(labels);
}
