/* test_pipeline.c: a pipeline of every kind against naive searches over floats and codes. */
#include "lbh_pipeline.h"

#include "cases.h"

#include <float.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N = 500, NQ = 6, K = 8, D = 20, BITS = 24 };

static float *rows_, *queries;
static void set_up(void)
{
    rows_ = test_mixture(2 * N, D, 11, NULL);
    queries = test_mixture(NQ, D, 12, NULL);
}

static void tear_down(void)
{
    free(rows_);
    free(queries);
}

TestSuite(pipeline, .init = set_up, .fini = tear_down);

static lbh_pipeline *make(const char *format, const char *index, int metric)
{
    char factory[128];
    lbh_pipeline *p = NULL;
    snprintf(factory, sizeof factory, format, index);
    cr_assert_eq(lbh_pipeline_new(&p, D, factory, metric), LBH_OK, "%s: %s", factory,
                 lbh_last_error());
    cr_assert_eq(lbh_pipeline_train(p, N, rows_), LBH_OK, "%s: %s", factory, lbh_last_error());
    return p;
}

/* What is in a pipeline, as the oracle has it. */
typedef struct content {
    int64_t n;
    int64_t id[2 * N];
    const float *row[2 * N];
} content;

static void put(content *c, const float *row, int64_t id)
{
    c->row[c->n] = row;
    c->id[c->n++] = id;
}

static content in_order(int64_t n)
{
    content c = {0};
    for (int64_t i = 0; i < n; i++)
        put(&c, rows_ + i * D, i);
    return c;
}

/* The score of a row, smaller is better. */
static double score(lbh_pipeline *p, const float *q, const float *row)
{
    lbh_encoder *enc = lbh_pipeline_encoder(p);
    int mode = lbh_pipeline_rescore(p), metric = lbh_pipeline_metric(p);
    uint8_t code[BITS / 8], query_code[BITS / 8];
    float z[BITS], decoded[D];
    double sum = 0;
    lbh_encoder_encode(enc, 1, row, code);
    lbh_encoder_encode_queries(enc, 1, q, query_code);
    lbh_encoder_project_queries(enc, 1, q, z);
    if (mode == LBH_RESCORE_NONE)
        return test_hamming(code, query_code, sizeof code);
    if (mode == LBH_RESCORE_MARGIN) {
        for (int j = 0; j < BITS; j++)
            if ((code[j / 8] ^ query_code[j / 8]) >> (j % 8) & 1)
                sum += fabs((double)z[j]);
        return sum;
    }
    if (mode == LBH_RESCORE_DECODER)
        cr_assert_eq(lbh_encoder_decode(enc, 1, code, decoded), LBH_OK);
    const float *v = mode == LBH_RESCORE_DECODER ? decoded : row;
    double qq = 0, vv = 0;
    for (int j = 0; j < D; j++) {
        sum += metric != LBH_METRIC_L2 ? -(double)q[j] * v[j]
                                       : ((double)q[j] - v[j]) * ((double)q[j] - v[j]);
        qq += (double)q[j] * q[j];
        vv += (double)v[j] * v[j];
    }
    if (metric == LBH_METRIC_COSINE)
        return qq > 0 && vv > 0 ? sum / sqrt(qq * vv) : 0;
    return sum;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Searches; every answer must have the score of its row, and the scores must be the best ones where
 * the search looks at everything. */
static void check_search(lbh_pipeline *p, const content *c, bool exact)
{
    float distances[NQ * K];
    int64_t labels[NQ * K];
    int mode = lbh_pipeline_rescore(p);
    bool falling = lbh_pipeline_metric(p) != LBH_METRIC_L2 && mode >= LBH_RESCORE_DECODER;
    cr_ok(lbh_pipeline_search(p, NQ, queries, K, distances, labels));
    for (int q = 0; q < NQ; q++) {
        double scores[2 * N], sorted[2 * N], last = -INFINITY;
        for (int64_t i = 0; i < c->n; i++)
            sorted[i] = scores[i] = score(p, queries + q * D, c->row[i]);
        qsort(sorted, (size_t)c->n, sizeof *sorted, compare_doubles);
        double tolerance = 1e-4 * (1 + fabs(sorted[0]) + fabs(sorted[c->n - 1]));
        for (int j = 0; j < K; j++) {
            int64_t label = labels[q * K + j], i = 0;
            if (label < 0) {
                cr_assert(!exact, "%s: an answer is missing", lbh_pipeline_factory(p));
                cr_assert_eq(distances[q * K + j], falling ? -FLT_MAX : FLT_MAX);
                continue;
            }
            while (i < c->n && c->id[i] != label)
                i++;
            cr_assert(i < c->n, "%s: no row has the id %lld", lbh_pipeline_factory(p),
                      (long long)label);
            double got = falling ? -distances[q * K + j] : distances[q * K + j];
            cr_assert_float_eq(got, scores[i], tolerance, "%s, mode %d: id %lld has %g, not %g",
                               lbh_pipeline_factory(p), mode, (long long)label, scores[i], got);
            cr_assert(got >= last - tolerance);
            last = got;
            if (exact)
                cr_assert_float_eq(got, sorted[j], tolerance, "%s, mode %d, place %d: %g, not %g",
                                   lbh_pipeline_factory(p), mode, j, got, sorted[j]);
        }
    }
}

/* All modes with a shortlist of all rows. */
static void check_modes(lbh_pipeline *p, const content *c, const test_case *t)
{
    static const char *const modes[] = {"none", "margin", "decoder", "float"};
    if (t->thorough && *t->thorough)
        cr_ok(lbh_pipeline_set(p, t->thorough));
    for (int i = 0; i < 4; i++) {
        char text[128];
        snprintf(text, sizeof text, "rescore=%s,k_factor=%d,margin_factor=1", modes[i], 2 * N);
        cr_ok(lbh_pipeline_set(p, text));
        cr_assert_eq(lbh_pipeline_rescore(p), i);
        check_search(p, c, t->thorough != NULL);
    }
}

/* Every kind of index, every metric, every mode. */
Test(pipeline, search)
{
    for (const test_case *t = test_cases; t->factory; t++)
        for (int metric = LBH_METRIC_L2; metric <= LBH_METRIC_COSINE; metric++) {
            content c = in_order(N);
            lbh_pipeline *p = make("itq24,%s,RFlat", t->factory, metric);
            cr_assert_eq(lbh_pipeline_rescore(p), LBH_RESCORE_FLOAT);
            cr_ok(lbh_pipeline_add(p, N / 2, rows_));
            cr_ok(lbh_pipeline_add(p, N - N / 2, rows_ + N / 2 * D));
            cr_assert_eq(lbh_pipeline_ntotal(p), N);
            cr_assert_str_eq(lbh_index_kind(lbh_pipeline_index(p)), t->kind);
            check_modes(p, &c, t);
            lbh_pipeline_free(p);
        }
}

Test(pipeline, ids)
{
    for (const test_case *t = test_cases; t->factory; t++) {
        lbh_pipeline *p = make("itq24,%s,RFlat", t->factory, LBH_METRIC_L2);
        content c = {0};
        int64_t ids[N];
        for (int i = 0; i < N; i++) {
            ids[i] = INT64_C(1) << 40 | (i * 7 + 3) % N;
            put(&c, rows_ + i * D, ids[i]);
        }
        if (!t->takes_ids) {
            cr_fails(lbh_pipeline_add_with_ids(p, N, rows_, ids), LBH_EFAISS, "IDMap");
            cr_assert_eq(lbh_pipeline_ntotal(p), 0);
            lbh_pipeline_free(p);
            continue;
        }
        cr_ok(lbh_pipeline_add_with_ids(p, N, rows_, ids));
        cr_fails(lbh_pipeline_add_with_ids(p, 1, rows_, ids + 5), LBH_EINVAL, "there already");
        int64_t twice[2] = {3, 3}, negative = -1;
        cr_fails(lbh_pipeline_add_with_ids(p, 2, rows_, twice), LBH_EINVAL, "there already");
        cr_fails(lbh_pipeline_add_with_ids(p, 1, rows_, &negative), LBH_EINVAL, "-1");
        cr_assert_eq(lbh_pipeline_ntotal(p), N);
        cr_ok(lbh_pipeline_add(p, 3, rows_ + N * D)); /* ids go on above the highest */
        for (int i = 0; i < 3; i++)
            put(&c, rows_ + (N + i) * D, (INT64_C(1) << 40 | (N - 1)) + 1 + i);
        int64_t next = (INT64_C(1) << 40 | (N - 1)) + 4, given = next + 1; /* that would come next */
        cr_ok(lbh_pipeline_add(p, 1, rows_ + (N + 3) * D));
        put(&c, rows_ + (N + 3) * D, next);
        cr_ok(lbh_pipeline_add_with_ids(p, 1, rows_ + (N + 4) * D, &given));
        put(&c, rows_ + (N + 4) * D, given);
        cr_ok(lbh_pipeline_add(p, 1, rows_ + (N + 5) * D));
        put(&c, rows_ + (N + 5) * D, given + 1);
        check_modes(p, &c, t);
        float x[D];
        cr_ok(lbh_pipeline_reconstruct(p, ids[7], x));
        cr_assert_arr_eq(x, rows_ + 7 * D, sizeof x);
        cr_fails(lbh_pipeline_reconstruct(p, 12, x), LBH_EINVAL, "12");
        lbh_pipeline_free(p);
    }
}

/* One id with two codes: BHash says by the distance which of them it found. */
Test(pipeline, one_id_twice)
{
    static const char *const kinds[] = {"BHash9", "BIVF4", "IDMap,BFlat"};
    for (int i = 0; i < 3; i++) {
        lbh_pipeline *p = make("itq24,%s", kinds[i], LBH_METRIC_L2);
        int64_t id[2] = {5, 5}, labels[2];
        float distances[2];
        cr_ok(lbh_pipeline_add_with_ids(p, 2, rows_, id));
        cr_ok(lbh_pipeline_set(p, i == 0 ? "nflip=9" : i == 1 ? "nprobe=4" : "k_factor=2"));
        cr_ok(lbh_pipeline_set(p, "rescore=decoder"));
        cr_ok(lbh_pipeline_search(p, 1, rows_, 2, distances, labels));
        double a = score(p, rows_, rows_), b = score(p, rows_, rows_ + D);
        cr_assert(labels[0] == 5 && labels[1] == 5);
        cr_assert_float_eq(distances[0], fmin(a, b), 1e-3 * (1 + fmax(a, b)));
        cr_assert_float_eq(distances[1], fmax(a, b), 1e-3 * (1 + fmax(a, b)));
        lbh_pipeline_free(p);
    }
}

Test(pipeline, remove)
{
    for (const test_case *t = test_cases; t->factory; t++) {
        lbh_pipeline *p = make("itq24,%s,RFlat", t->factory, LBH_METRIC_L2);
        bool flat = strstr(t->kind, "BFlat") != NULL, map = strstr(t->kind, "IDMap") != NULL;
        bool can = flat || strstr(t->kind, "BIVF");
        int64_t gone[] = {3, 4, 100, N - 1, N + 77, 3}, count = -1;
        cr_ok(lbh_pipeline_add(p, N, rows_));
        if (!can) {
            cr_fails(lbh_pipeline_remove_ids(p, 6, gone, &count), LBH_EFAISS, t->kind);
            cr_assert_eq(lbh_pipeline_ntotal(p), N);
            lbh_pipeline_free(p);
            continue;
        }
        cr_ok(lbh_pipeline_remove_ids(p, 6, gone, &count));
        cr_assert_eq(count, 4);
        content c = {0};
        for (int64_t i = 0; i < N; i++)
            if (i != 3 && i != 4 && i != 100 && i != N - 1)
                put(&c, rows_ + i * D, flat && !map ? c.n : i);
        check_modes(p, &c, t);
        cr_ok(lbh_pipeline_add(p, 2, rows_ + N * D));
        for (int64_t i = 0; i < 2; i++)
            put(&c, rows_ + (N + i) * D, flat && !map ? c.n : N + i);
        check_modes(p, &c, t);
        lbh_pipeline_free(p);
    }
}

Test(pipeline, range)
{
    lbh_pipeline *p = make("itq24,%s", "BFlat", LBH_METRIC_L2);
    lbh_range_result *r = NULL;
    cr_ok(lbh_pipeline_add(p, N, rows_));
    cr_ok(lbh_pipeline_range_search(&r, p, NQ, queries, 7));
    int64_t found = 0;
    for (int q = 0; q < NQ; q++)
        for (int64_t i = 0; i < N; i++)
            found += score(p, queries + q * D, rows_ + i * D) < 7;
    cr_assert_eq(r->lims[NQ], found);
    lbh_range_result_free(r);
    lbh_pipeline_free(p);
}

/* 8 bits a number: within half a step of the range of a column, and rescoring by what is stored. */
Test(pipeline, bytes)
{
    lbh_pipeline *p = make("itq24,%s,RSQ8", "BFlat", LBH_METRIC_L2);
    float low[D], high[D], *stored = malloc(sizeof *stored * N * D);
    content c = {0};
    cr_ok(lbh_pipeline_add(p, N, rows_));
    for (int j = 0; j < D; j++) {
        low[j] = high[j] = rows_[j];
        for (int i = 0; i < N; i++) {
            low[j] = fminf(low[j], rows_[i * D + j]);
            high[j] = fmaxf(high[j], rows_[i * D + j]);
        }
    }
    for (int i = 0; i < N; i++) {
        float *x = stored + i * D;
        cr_ok(lbh_pipeline_reconstruct(p, i, x));
        for (int j = 0; j < D; j++)
            cr_assert(fabsf(x[j] - rows_[i * D + j]) <= 0.502f * (high[j] - low[j]) / 255);
        put(&c, x, i);
    }
    cr_ok(lbh_pipeline_set(p, "k_factor=500,margin_factor=1"));
    check_search(p, &c, true);
    float far[D], x[D]; /* beyond the range: the nearest end of it */
    for (int j = 0; j < D; j++)
        far[j] = j % 2 ? 1e6f : -1e6f;
    cr_ok(lbh_pipeline_add(p, 1, far));
    cr_ok(lbh_pipeline_reconstruct(p, N, x));
    for (int j = 0; j < D; j++)
        cr_assert_float_eq(x[j], j % 2 ? high[j] : low[j], 1e-4 * (high[j] - low[j]));
    cr_fails(lbh_pipeline_reconstruct(p, N + 1, x), LBH_EINVAL, "the id 501");
    free(stored);
    lbh_pipeline_free(p);
}

Test(pipeline, reconstruct_by_decoder)
{
    for (const test_case *t = test_cases; t->factory; t++) {
        lbh_pipeline *p = make("itq24,%s", t->factory, LBH_METRIC_L2);
        lbh_encoder *enc = lbh_pipeline_encoder(p);
        uint8_t code[BITS / 8];
        float x[D], want[D];
        cr_ok(lbh_pipeline_add(p, N, rows_));
        for (int64_t i = 0; i < N; i += 37) {
            cr_ok(lbh_encoder_encode(enc, 1, rows_ + i * D, code));
            cr_ok(lbh_encoder_decode(enc, 1, code, want));
            cr_ok(lbh_pipeline_reconstruct(p, i, x));
            cr_assert_arr_eq(x, want, sizeof x);
        }
        cr_fails(lbh_pipeline_reconstruct(p, N, x), LBH_EINVAL, "no id 500");
        cr_fails(lbh_pipeline_reconstruct(p, -1, x), LBH_EINVAL, "no id -1");
        lbh_pipeline_free(p);
    }
}

/* The margins choose well: with four codes for each vector read, more of the true ones are
 * found. */
Test(pipeline, margins_choose_vectors)
{
    lbh_pipeline *p = make("itq24,%s,RFlat", "BFlat", LBH_METRIC_L2);
    content c = in_order(2 * N);
    int hits[2] = {0, 0};
    cr_ok(lbh_pipeline_add(p, 2 * N, rows_));
    for (int with = 0; with < 2; with++) {
        float distances[NQ * K];
        int64_t labels[NQ * K];
        cr_ok(lbh_pipeline_set(p, with ? "k_factor=2,margin_factor=8"
                                       : "k_factor=2,margin_factor=1"));
        cr_ok(lbh_pipeline_search(p, NQ, queries, K, distances, labels));
        for (int q = 0; q < NQ; q++) {
            double sorted[2 * N];
            for (int64_t i = 0; i < c.n; i++)
                sorted[i] = score(p, queries + q * D, c.row[i]);
            qsort(sorted, 2 * N, sizeof *sorted, compare_doubles);
            for (int j = 0; j < K; j++)
                hits[with] += distances[q * K + j] <= sorted[K - 1] * (1 + 1e-5);
        }
    }
    cr_assert(hits[1] > hits[0], "%d with margins, %d without", hits[1], hits[0]);
    lbh_pipeline_free(p);
}

Test(pipeline, searches_at_the_same_time)
{
    lbh_pipeline *p = make("itq24,%s,RFlat", "BIVF16", LBH_METRIC_L2);
    float want[NQ * K];
    int64_t labels[NQ * K];
    int differences = 0;
    cr_ok(lbh_pipeline_add(p, N, rows_));
    cr_ok(lbh_pipeline_search(p, NQ, queries, K, want, labels));
#pragma omp parallel for num_threads(4) reduction(+ : differences)
    for (int i = 0; i < 16; i++) {
        float got[NQ * K];
        int64_t found[NQ * K];
        differences += lbh_pipeline_search(p, NQ, queries, K, got, found) != LBH_OK;
        differences += memcmp(got, want, sizeof got) != 0 || memcmp(found, labels, sizeof found);
    }
    cr_assert_eq(differences, 0);
    lbh_pipeline_free(p);
}

/* Methods that learn from labels get them. */
Test(pipeline, labels)
{
    int64_t label[N], start[N + 1], two = 2;
    free(test_mixture(N, D, 11, label));
    for (int64_t i = 0; i <= N; i++)
        start[i] = i;
    lbh_pipeline *p = NULL;
    lbh_rows rows = lbh_rows_from_matrix(N, D, rows_);
    lbh_lists labels = {N, 10, start, label};
    cr_ok(lbh_pipeline_new(&p, D, "ITQ-CCA8,BIVF4", LBH_METRIC_L2));
    cr_assert_eq(lbh_pipeline_train(p, N, rows_), LBH_EINVAL);
    cr_ok(lbh_pipeline_train_rows(p, &rows, &labels, NULL));
    cr_ok(lbh_pipeline_add_with_ids(p, 1, rows_, &two));
    cr_assert_eq(lbh_pipeline_ntotal(p), 1);
    lbh_pipeline_free(p);
}

/* An empty pipeline answers that there is nothing. */
Test(pipeline, empty)
{
    for (const test_case *t = test_cases; t->factory; t++) {
        lbh_pipeline *p = make("itq24,%s,RFlat", t->factory, LBH_METRIC_IP);
        float distances[K];
        int64_t labels[K];
        for (int i = 0; i < 2; i++) {
            cr_ok(lbh_pipeline_set(p, i ? "rescore=float" : "rescore=none"));
            cr_ok(lbh_pipeline_search(p, 1, queries, K, distances, labels));
            for (int j = 0; j < K; j++)
                cr_assert(labels[j] == -1 && distances[j] == (i ? -FLT_MAX : FLT_MAX));
        }
        cr_ok(lbh_pipeline_search(p, 0, NULL, K, NULL, NULL));
        cr_ok(lbh_pipeline_add(p, 0, NULL));
        lbh_pipeline_free(p);
    }
}

/* ---- Words --------------------------------------------------------------------------------- */

Test(pipeline, strings)
{
    static const char *const good[] = {
        "SGH64,BFlat", "sgh64,BFlat", "Itq-CCA32,BIVF1024", "IDMap2,SGH64,BHNSW32",
        "SGH64,BHash4x16,RFlat", "ITQ64,BFlat,RSQ8", "SGH64(steps=5000,seed=7),BFlat",
        "idmap,SGH64(seed=7),BFlat,rflat", "ITQ8,BIVF16_HNSW8,RSQ8", "LSH20,BFlat,IDMap2,RFlat",
        "SGH64(preset=official),BFlat", "jmlh-vae16,BHash9"};
    static const struct {
        const char *text, *words;
    } bad[] = {
        {"", "is no method"},
        {"BFlat", "\"BFlat\" is no method"},
        {"XYZ64,BFlat", "\"XYZ64\" is no method with its bits, as \"SGH64\"; methods are "},
        {"SGH,BFlat", "\"SGH\" lacks a number of bits"},
        {"SGH0,BFlat", "lacks a number of bits within 1..4096"},
        {"SGH5000,BFlat", "lacks a number of bits within 1..4096"},
        {"SGH64", "the index is missing"},
        {"SGH64,", "the index is missing"},
        {"SGH64x,BFlat", "only options in parentheses"},
        {"SGH64(seed=7,BFlat", "parenthesis"},
        {"SGH64)seed=7(,BFlat", "parenthesis"},
        {"SGH64(seed=7)x,BFlat", "only options in parentheses"},
        {"SGH64(speed=7),BFlat", "speed"},
        {"SGH64,Flat", "is no binary index: expected BFlat, BIVF<lists>"},
        {"SGH64,BFlat,RFlatt", "\"RFlatt\" is no rescorer: RFlat (floats) or RSQ8"},
        {"SGH64,BFlat,Refine", "\"Refine\" is no rescorer"},
        {"SGH64,RFlat", "is no binary index"},
        {"SGH64,BHash4x20", "4 hash(es) of 20 bits do not fit codes of 64 bits"},
        {"IDMap,SGH64,IDMap,BFlat", "is no binary index"},
        {"SGH64, BFlat", "blank"},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        lbh_pipeline *p = NULL;
        cr_assert_eq(lbh_pipeline_new(&p, 128, good[i], LBH_METRIC_L2), LBH_OK, "%s: %s", good[i],
                     lbh_last_error());
        cr_assert_str_eq(lbh_pipeline_factory(p), good[i]);
        lbh_pipeline_free(p);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        lbh_pipeline *p = NULL;
        cr_fails(lbh_pipeline_new(&p, 128, bad[i].text, LBH_METRIC_L2), LBH_EINVAL, bad[i].words);
        cr_assert_null(p);
    }
    char all[64]; /* every registered method, whatever its name */
    for (int i = 0; i < lbh_method_count(); i++) {
        lbh_pipeline *p = NULL;
        snprintf(all, sizeof all, "%s16,BFlat", lbh_method_name(i));
        cr_ok(lbh_pipeline_new(&p, 32, all, LBH_METRIC_L2));
        cr_assert_str_eq(lbh_encoder_method(lbh_pipeline_encoder(p)), lbh_method_name(i));
        cr_assert_eq(lbh_encoder_nbits(lbh_pipeline_encoder(p)), 16);
        lbh_pipeline_free(p);
    }
}

Test(pipeline, options_reach_the_encoder)
{
    lbh_pipeline *p = NULL;
    double value = 0;
    cr_ok(lbh_pipeline_new(&p, D, "SGH16(steps=77,seed=9),BFlat", LBH_METRIC_IP));
    cr_ok(lbh_encoder_get_value(lbh_pipeline_encoder(p), "steps", &value));
    cr_assert_eq(value, 77);
    cr_ok(lbh_encoder_get_value(lbh_pipeline_encoder(p), "metric", &value));
    cr_assert_eq(value, LBH_METRIC_IP);
    lbh_pipeline_free(p);
}

Test(pipeline, errors)
{
    lbh_pipeline *p = NULL, *plain = make("lsh24,%s", "BFlat", LBH_METRIC_L2);
    float distances[K], x[D] = {0};
    int64_t labels[K], removed;
    cr_fails(lbh_pipeline_new(NULL, D, "LSH8,BFlat", 0), LBH_EINVAL, "nowhere");
    cr_fails(lbh_pipeline_new(&p, D, NULL, 0), LBH_EINVAL, "no factory string");
    cr_fails(lbh_pipeline_new(&p, D, "nope64,BFlat", 0), LBH_EINVAL, "methods are");
    for (int i = 0; i < lbh_method_count(); i++)
        cr_assert(strstr(lbh_last_error(), lbh_method_name(i)), "%s", lbh_last_error());
    cr_fails(lbh_pipeline_new(&p, D, "LSH8,BFlat", 7), LBH_EINVAL, "metric (7)");
    cr_fails(lbh_pipeline_new(&p, 0, "LSH8,BFlat", 0), LBH_EINVAL, "d (0)");
    cr_ok(lbh_pipeline_new(&p, D, "itq24,BIVF16,RSQ8", 0));
    cr_fails(lbh_pipeline_add(p, 1, x), LBH_ESTATE, "not trained");
    cr_fails(lbh_pipeline_search(p, 1, x, K, distances, labels), LBH_ESTATE, "not trained");
    cr_fails(lbh_pipeline_remove_ids(p, 1, labels, &removed), LBH_ESTATE, "not trained");
    cr_fails(lbh_pipeline_save(p, test_tmp("untrained")), LBH_ESTATE, "not trained");
    cr_fails(lbh_pipeline_set(p, "rescore=decoder"), LBH_ESTATE, "train before");
    cr_fails(lbh_pipeline_train(p, 15, rows_), LBH_EINVAL, "at least 16 rows");
    cr_assert(!lbh_encoder_is_trained(lbh_pipeline_encoder(p)));
    cr_ok(lbh_pipeline_train(p, N, rows_));
    cr_fails(lbh_pipeline_train(p, N, rows_), LBH_ESTATE, "is trained");
    cr_fails(lbh_pipeline_set(p, "rescore=decode"), LBH_EINVAL, "none, margin, decoder, float or auto");
    cr_fails(lbh_pipeline_set(p, "k_factor=0.9"), LBH_EINVAL, "k_factor (0.9)");
    static const char *const factors[] = {"x", "", ".5", "1e3", "0.999999", "1000.1", "4x", "1.5.5",
                                          "-2", "99999999999"};
    for (size_t i = 0; i < sizeof factors / sizeof *factors; i++) {
        char text[64], words[64];
        snprintf(text, sizeof text, "margin_factor=%s", factors[i]);
        snprintf(words, sizeof words, "margin_factor (%s) must be a number within 1..1000",
                 factors[i]);
        cr_fails(lbh_pipeline_set(p, text), LBH_EINVAL, words);
    }
    cr_ok(lbh_pipeline_set(p, "margin_factor=1000,k_factor=1.000001"));
    cr_ok(lbh_pipeline_set(p, "margin_factor=4.,k_factor=2.5"));
    cr_fails(lbh_pipeline_set(p, "nflip=3"), LBH_EINVAL, "nprobe");
    cr_fails(lbh_pipeline_set(p, "nflip=3"), LBH_EINVAL, "k_factor");
    cr_fails(lbh_pipeline_set(p, "k_factor"), LBH_EINVAL, "name=value");
    cr_fails(lbh_pipeline_set(p, "rescore=margin,nprobe=9999"), LBH_EINVAL, "9999");
    cr_assert_eq(lbh_pipeline_rescore(p), LBH_RESCORE_FLOAT); /* all or none */
    cr_fails(lbh_pipeline_set(plain, "rescore=float"), LBH_EINVAL, "RFlat or RSQ8");
    cr_fails(lbh_pipeline_set(plain, "rescore=decoder"), LBH_EINVAL, "no decoder");
    cr_assert_eq(lbh_pipeline_rescore(plain), LBH_RESCORE_NONE);
    cr_fails(lbh_pipeline_reconstruct(plain, 0, x), LBH_EINVAL, "no id 0");
    cr_ok(lbh_pipeline_add(plain, 1, rows_));
    cr_fails(lbh_pipeline_reconstruct(plain, 0, x), LBH_EINVAL, "no decoder");
    cr_fails(lbh_pipeline_search(plain, 1, x, 0, distances, labels), LBH_EINVAL, "k (0)");
    cr_fails(lbh_pipeline_search(plain, 1, x, 1, NULL, labels), LBH_EINVAL, "no place");
    x[3] = NAN;
    cr_fails(lbh_pipeline_add(p, 1, x), LBH_EINVAL, "NaN");
    cr_assert_eq(lbh_pipeline_ntotal(p), 0);
    lbh_pipeline_free(p);
    lbh_pipeline_free(plain);
    lbh_pipeline_free(NULL);
}
