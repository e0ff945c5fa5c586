/* compare_run.c: trains, encodes, searches and scores one row of `lbh compare`. See compare.h.
 *
 * Every row gets the same training rows, base, queries and excluded rows, answers with the same
 * number of candidates, and breaks ties by (distance, id). Search time holds everything that must be
 * done for a query: encoding it, or building PQ's tables.
 */
#include "compare.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

/* mAP of a float index needs its full ranking, n answers a query. Beyond this many (query, row)
 * pairs it is measured on evenly spaced queries; beyond this many rows not at all. */
static const double RANKED_PAIRS = 1e9, RANKED_ROWS = 1e7;

/* ---- Hamming codes, ours or FAISS's -------------------------------------------------------- */

static int score_hamming(contest *c, const uint8_t *base, const uint8_t *query, size_t code_size,
                         result *out)
{
    FaissIndexBinary *index = NULL;
    int32_t *distances = NULL;
    int64_t *ids = NULL;
    int code = lbh_index_build_codes(&index, code_size, "BFlat", c->base.n, base);
    if (code)
        return fail_library(code);
    double began = cli_now();
    int rc = search_all(index, code_size, c->query.n, query, c->answers, c->own, &distances, &ids);
    out->search += cli_now() - began;
    lbh_index_free(index);
    for (int i = 0; rc == EXIT_OK && i < RECALLS; i++)
        out->recall[i] = c->near.ids
                             ? recall_at(&c->near, ids, c->answers, recall_k[i], recall_n[i])
                             : NAN;
    free(ids);
    free(distances);
    map_scores s;
    if (rc == EXIT_OK)
        rc = score_codes(&s, &c->rel, c->base.n, base, query, code_size, c->base.n);
    if (rc)
        return rc;
    out->map = s.map;
    out->precision = s.precision;
    out->map_queries = (double)s.queries;
    out->bytes = (double)code_size;
    return EXIT_OK;
}

static int run_ours(contest *c, const rival *r, int64_t seed, result *out)
{
    lbh_encoder *enc;
    uint8_t *base = NULL, *query = NULL;
    int rc = encoder_make(&enc, r->method, c->base.d, c->nbits, r->settings, seed);
    if (rc)
        return rc;
    lbh_rows rows = vectors_rows(&c->train);
    lbh_lists lists = labels_lists(&c->train_labels);
    double began = cli_now();
    int code = lbh_encoder_train_rows(enc, &rows, lists.start ? &lists : NULL, NULL);
    progress_clear();
    out->train = cli_now() - began;
    rc = code ? fail_library(code) : EXIT_OK;
    began = cli_now();
    if (rc == EXIT_OK)
        rc = encode_all(enc, &c->base, false, &base);
    out->encode = cli_now() - began;
    began = cli_now();
    if (rc == EXIT_OK)
        rc = encode_all(enc, &c->query, true, &query);
    out->search = cli_now() - began;
    if (rc == EXIT_OK)
        rc = score_hamming(c, base, query, lbh_encoder_code_size(enc), out);
    free(base);
    free(query);
    lbh_encoder_free(enc);
    return rc;
}

/* Codes of all rows by FAISS's own encoder. */
static int faiss_encode(const FaissIndex *index, const vectors *v, uint8_t **codes)
{
    size_t code_size = lbh_float_index_code_size(index);
    int64_t block = block_rows(v->d);
    float *x = cli_alloc(block * v->d, sizeof *x);
    *codes = cli_alloc(v->n, code_size);
    int rc = x && *codes ? EXIT_OK : EXIT_RUNTIME;
    for (int64_t i = 0; i < v->n && rc == EXIT_OK; i += block) {
        int64_t count = v->n - i < block ? v->n - i : block;
        rc = progress_tick("encode", i, v->n);
        if (rc == EXIT_OK)
            rc = vectors_floats(v, i, count, x);
        if (rc)
            break;
        int code = lbh_float_index_encode(index, count, x, *codes + (size_t)i * code_size);
        rc = code ? fail_library(code) : EXIT_OK;
    }
    progress_clear();
    free(x);
    return rc;
}

static int run_faiss_codes(contest *c, FaissIndex *index, result *out)
{
    uint8_t *base = NULL, *query = NULL;
    double began = cli_now();
    int rc = faiss_encode(index, &c->base, &base);
    out->encode = cli_now() - began;
    began = cli_now();
    if (rc == EXIT_OK)
        rc = faiss_encode(index, &c->query, &query);
    out->search = cli_now() - began;
    if (rc == EXIT_OK)
        rc = score_hamming(c, base, query, lbh_float_index_code_size(index), out);
    free(base);
    free(query);
    return rc;
}

/* ---- FAISS's float indexes ----------------------------------------------------------------- */

typedef struct float_answer {
    float key; /* rising = nearer first */
    int64_t id;
} float_answer;

static int compare_answers(const void *a, const void *b)
{
    const float_answer *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

/* Drops the missing answers and the own row of one query, and puts the others in the order of
 * (distance, id). FAISS gives rising distances, so that only runs of equal ones are left to sort: a
 * full sort would take as long as the search. */
static int64_t tidy(const contest *c, int64_t q, int64_t k, const float *distances,
                    const int64_t *ids, float_answer *out)
{
    int64_t count = 0;
    for (int64_t i = 0; i < k; i++)
        if (ids[i] >= 0 && !(c->own && c->own[q] == ids[i]))
            out[count++] = (float_answer){
                c->metric == METRIC_IP ? -distances[i] : distances[i], ids[i]};
    for (int64_t start = 0, i = 1; i <= count; i++) {
        if (i < count && out[i].key < out[i - 1].key) { /* not as promised */
            qsort(out, (size_t)count, sizeof *out, compare_answers);
            return count;
        }
        if (i < count && out[i].key == out[start].key)
            continue;
        if (i - start > 1)
            qsort(out + start, (size_t)(i - start), sizeof *out, compare_answers);
        start = i;
    }
    return count;
}

static int add_base(contest *c, FaissIndex *index)
{
    int64_t block = block_rows(c->base.d);
    float *x = cli_alloc(block * c->base.d, sizeof *x);
    int rc = x ? EXIT_OK : EXIT_RUNTIME;
    for (int64_t i = 0; i < c->base.n && rc == EXIT_OK; i += block) {
        int64_t count = c->base.n - i < block ? c->base.n - i : block;
        rc = progress_tick("encode", i, c->base.n);
        if (rc == EXIT_OK)
            rc = vectors_floats(&c->base, i, count, x);
        int code = rc == EXIT_OK ? lbh_float_index_add(index, count, x) : LBH_OK;
        if (code)
            rc = fail_library(code);
    }
    progress_clear();
    free(x);
    return rc;
}

/* Scratch of a search with k answers for `block` queries. */
typedef struct float_search {
    int64_t block, k;
    float *x, *distances;
    int64_t *ids;
    float_answer *sorted;
} float_search;

static int float_search_new(float_search *f, const contest *c, int64_t block, int64_t k)
{
    *f = (float_search){.block = block, .k = k};
    f->x = cli_alloc(block * c->query.d, sizeof *f->x);
    f->distances = cli_alloc(block * k, sizeof *f->distances);
    f->ids = cli_alloc(block * k, sizeof *f->ids);
    f->sorted = cli_alloc(block * k, sizeof *f->sorted);
    return f->x && f->distances && f->ids && f->sorted ? EXIT_OK : EXIT_RUNTIME;
}

static void float_search_free(float_search *f)
{
    free(f->x);
    free(f->distances);
    free(f->ids);
    free(f->sorted);
}

static int search_rows(const contest *c, const FaissIndex *index, int64_t count,
                       const int64_t *queries, float_search *f)
{
    int rc = vectors_gather(&c->query, count, queries, f->x);
    if (rc)
        return rc;
    int code = lbh_float_index_search(index, count, f->x, f->k, f->distances, f->ids);
    return code ? fail_library(code) : EXIT_OK;
}

/* Time and recall. */
static int float_recall(contest *c, const FaissIndex *index, result *out)
{
    enum { BLOCK = 1024 };
    float_search f;
    int64_t nq = c->query.n, k = c->answers, queries[BLOCK];
    int64_t *answers = cli_alloc(nq * k, sizeof *answers);
    int rc = float_search_new(&f, c, BLOCK, k + (c->own ? 1 : 0));
    rc = answers ? rc : EXIT_RUNTIME;
    for (int64_t q0 = 0; q0 < nq && rc == EXIT_OK; q0 += BLOCK) {
        int64_t count = nq - q0 < BLOCK ? nq - q0 : BLOCK;
        for (int64_t i = 0; i < count; i++)
            queries[i] = q0 + i;
        rc = progress_tick("search", q0, nq);
        double began = cli_now();
        if (rc == EXIT_OK)
            rc = search_rows(c, index, count, queries, &f);
        out->search += cli_now() - began;
        for (int64_t i = 0; i < count && rc == EXIT_OK; i++) {
            int64_t found =
                tidy(c, q0 + i, f.k, f.distances + i * f.k, f.ids + i * f.k, f.sorted);
            for (int64_t j = 0; j < k; j++)
                answers[(q0 + i) * k + j] = j < found ? f.sorted[j].id : -1;
        }
    }
    progress_clear();
    for (int i = 0; rc == EXIT_OK && i < RECALLS; i++)
        out->recall[i] = c->near.ids ? recall_at(&c->near, answers, k, recall_k[i], recall_n[i])
                                     : NAN;
    float_search_free(&f);
    free(answers);
    return rc;
}

/* Scores one query from its full ranking; `mark` is zero before and after. */
static void score_float_query(const contest *c, int64_t q, int64_t count, const float_answer *sorted,
                              int64_t *items, uint8_t *mark, int64_t *rank, ap_sums *out)
{
    int64_t relevant = relevance_of(&c->rel, q, items, mark), hits = 0;
    int64_t *hit = rank + c->rel.most;
    for (int64_t i = 0; i < relevant; i++)
        mark[items[i]] = 1;
    for (int64_t i = 0; i < count; i++)
        if (mark[sorted[i].id]) {
            rank[hits] = i + 1;
            hit[hits] = hits + 1;
            hits++;
        }
    for (int64_t i = 0; i < relevant; i++)
        mark[items[i]] = 0;
    score_ranks(out, hits, rank, hit, count);
}

static int score_float_block(const contest *c, int64_t count, const int64_t *queries,
                             const float_search *f, ap_sums *sums)
{
    int failed = 0;
#pragma omp parallel
    {
        int64_t *items = malloc((size_t)c->rel.most * sizeof *items + 1);
        int64_t *rank = malloc(2 * (size_t)c->rel.most * sizeof *rank + 1);
        uint8_t *mark = calloc((size_t)c->base.n, 1);
#pragma omp for schedule(dynamic, 1)
        for (int64_t i = 0; i < count; i++) {
            if (!items || !rank || !mark) {
#pragma omp atomic write
                failed = 1;
                continue;
            }
            float_answer *sorted = f->sorted + i * f->k;
            int64_t found =
                tidy(c, queries[i], f->k, f->distances + i * f->k, f->ids + i * f->k, sorted);
            score_float_query(c, queries[i], found, sorted, items, mark, rank, &sums[i]);
        }
        free(items);
        free(rank);
        free(mark);
    }
    return failed ? fail_memory() : EXIT_OK;
}

/* mAP and precision over the full ranking, on as many queries as is decent. */
static int float_map(contest *c, const FaissIndex *index, result *out)
{
    double affordable = floor(RANKED_PAIRS / (double)c->base.n);
    int64_t nq = c->query.n, block = (1 << 26) / c->base.n + 1;
    int64_t sample = affordable < (double)nq ? (int64_t)affordable : nq;
    if ((double)c->base.n > RANKED_ROWS)
        return EXIT_OK;
    block = block > 64 ? 64 : block;
    int64_t queries[64];
    float_search f;
    ap_sums *sums = cli_alloc(sample, sizeof *sums);
    int rc = float_search_new(&f, c, block, c->base.n);
    rc = sums ? rc : EXIT_RUNTIME;
    for (int64_t s = 0; s < sample && rc == EXIT_OK; s += block) {
        int64_t count = sample - s < block ? sample - s : block;
        for (int64_t i = 0; i < count; i++)
            queries[i] = (int64_t)((double)(s + i) * (double)nq / (double)sample);
        rc = progress_tick("full rankings", s, sample);
        if (rc == EXIT_OK)
            rc = search_rows(c, index, count, queries, &f);
        if (rc == EXIT_OK)
            rc = score_float_block(c, count, queries, &f, sums + s);
    }
    progress_clear();
    if (rc == EXIT_OK) {
        map_scores m;
        score_mean(&m, sample, sums);
        out->map = m.map;
        out->precision = m.precision;
        out->map_queries = (double)sample;
    }
    float_search_free(&f);
    free(sums);
    return rc;
}

static int run_faiss_floats(contest *c, FaissIndex *index, result *out)
{
    double began = cli_now();
    int rc = add_base(c, index);
    out->encode = cli_now() - began;
    out->bytes = (double)lbh_float_index_code_size(index);
    if (rc == EXIT_OK)
        rc = float_recall(c, index, out);
    return rc ? rc : float_map(c, index, out);
}

static int run_faiss(contest *c, const rival *r, result *out)
{
    FaissIndex *index = NULL;
    if (!c->train_x) {
        c->train_x = cli_alloc(c->train.n * c->train.d, sizeof *c->train_x);
        int rc = c->train_x ? vectors_floats(&c->train, 0, c->train.n, c->train_x) : EXIT_RUNTIME;
        if (rc)
            return rc;
    }
    progress_note("training %s ...", r->name);
    double began = cli_now();
    int metric = c->metric == METRIC_IP && !r->hamming ? LBH_METRIC_IP : LBH_METRIC_L2;
    int code = lbh_float_index_new(&index, c->base.d, r->factory, metric);
    if (code == LBH_OK)
        code = lbh_float_index_train(index, c->train.n, c->train_x);
    out->train = cli_now() - began;
    int rc = code ? fail_library(code) : EXIT_OK;
    if (rc == EXIT_OK && cli_interrupted())
        rc = fail_cancelled();
    if (rc == EXIT_OK)
        rc = r->hamming ? run_faiss_codes(c, index, out) : run_faiss_floats(c, index, out);
    lbh_float_index_free(index);
    return rc;
}

int contest_run(contest *c, const rival *r, int64_t seed, result *out)
{
    *out = (result){.map = NAN, .precision = NAN};
    for (int i = 0; i < RECALLS; i++)
        out->recall[i] = NAN;
    return r->method ? run_ours(c, r, seed, out) : run_faiss(c, r, out);
}
