/* compare_run.c: trains, encodes, searches and scores one row of `lbh compare`. See compare.h.
 *
 * Every row gets the same training rows, base, queries and excluded rows, answers with the same
 * number of candidates, and breaks ties by (distance, id). Search time holds everything that must be
 * done for a query: encoding it, or building PQ's tables.
 */
#include "compare.h"

#include "faiss_rows.h"
#include "float_rank.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

static void keep_recall(const contest *c, const int64_t *ids, result *out)
{
    for (int i = 0; c->near.ids && i < RECALLS; i++)
        out->recall[i] = recall_at(&c->near, ids, c->answers, recall_k[i], recall_n[i]);
}

static void keep_scores(const map_scores *s, result *out)
{
    out->map = s->map;
    out->precision = s->precision;
    out->map_queries = (double)s->queries;
}

/* Recall, mAP and precision of float scores; times the search. */
static int score_floats(const contest *c, const ranker *r, result *out)
{
    int64_t *ids = NULL;
    map_scores s;
    int rc = ranker_answers(r, c->answers, &ids, &out->search);
    if (rc == EXIT_OK)
        keep_recall(c, ids, out);
    free(ids);
    if (rc == EXIT_OK)
        rc = ranker_scores(r, &c->rel, c->base.n, &s);
    if (rc == EXIT_OK)
        keep_scores(&s, out);
    return rc;
}

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
    if (rc == EXIT_OK)
        keep_recall(c, ids, out);
    free(ids);
    free(distances);
    map_scores s;
    if (rc == EXIT_OK)
        rc = score_codes(&s, &c->rel, c->base.n, base, query, code_size, c->base.n);
    if (rc)
        return rc;
    keep_scores(&s, out);
    out->bytes = (double)code_size;
    return EXIT_OK;
}

static int score_decoded(contest *c, const lbh_encoder *enc, const uint8_t *base, result *out)
{
    decoded_codes codes = {enc, decoder_metric(enc, c->metric), c->base.n, base};
    ranker r = decoded_ranker(&codes, &c->query, c->own);
    out->bytes = (double)lbh_encoder_code_size(enc);
    return score_floats(c, &r, out);
}

static int score_ours(contest *c, const lbh_encoder *enc, const uint8_t *base, result *out)
{
    uint8_t *query = NULL;
    if (out->decoder != 0)
        return score_decoded(c, enc, base, out);
    double began = cli_now();
    int rc = encode_all(enc, &c->query, ENCODE_QUERIES, &query);
    out->search = cli_now() - began;
    if (rc == EXIT_OK)
        rc = score_hamming(c, base, query, lbh_encoder_code_size(enc), out);
    free(query);
    return rc;
}

static int train_ours(contest *c, lbh_encoder *enc, result *out)
{
    lbh_rows rows = vectors_rows(&c->train);
    lbh_lists lists = labels_lists(&c->train_labels);
    double began = cli_now();
    int code = lbh_encoder_train_rows(enc, &rows, lists.start ? &lists : NULL, NULL);
    progress_clear();
    out->train = cli_now() - began;
    return code ? fail_library(code) : EXIT_OK;
}

/* The row's own refinement; the command's where the method has a decoder. */
static int64_t refinement(const contest *c, const rival *r, const lbh_encoder *enc)
{
    if (r->refine > 0)
        return r->refine;
    return c->refine > 0 && has_decoder(enc) ? c->refine : 0;
}

static int distance_of(const contest *c)
{
    return c->metric == METRIC_LABEL ? LBH_METRIC_L2 : c->metric;
}

static int run_ours(contest *c, const rival *r, int64_t seed, result *out)
{
    lbh_encoder *enc;
    uint8_t *base = NULL;
    bool by_decoder = false;
    int rc = encoder_make(&enc, r->method, c->base.d, c->nbits, distance_of(c), r->settings,
                          seed);
    if (rc)
        return rc;
    rc = train_ours(c, enc, out);
    if (rc == EXIT_OK)
        rc = choose_score(enc, r->score ? r->score : c->score, r->score != 0, &by_decoder);
    out->decoder = by_decoder;
    double began = cli_now();
    if (rc == EXIT_OK)
        rc = encode_all(enc, &c->base, refinement(c, r, enc), &base);
    out->encode = cli_now() - began;
    if (rc == EXIT_OK)
        rc = score_ours(c, enc, base, out);
    free(base);
    lbh_encoder_free(enc);
    return rc;
}

static int run_faiss_codes(contest *c, FaissIndex *index, result *out)
{
    uint8_t *base = NULL, *query = NULL;
    double began = cli_now();
    int rc = faiss_encode_rows(index, &c->base, &base);
    out->encode = cli_now() - began;
    began = cli_now();
    if (rc == EXIT_OK)
        rc = faiss_encode_rows(index, &c->query, &query);
    out->search = cli_now() - began;
    if (rc == EXIT_OK)
        rc = score_hamming(c, base, query, lbh_float_index_code_size(index), out);
    free(base);
    free(query);
    return rc;
}

/* ---- FAISS's float indexes ----------------------------------------------------------------- */

static int search_index(const void *ctx, int64_t n, const float *x, int64_t k, float *distances,
                        int64_t *ids)
{
    return lbh_float_index_search(ctx, n, x, k, distances, ids);
}

static int run_faiss_floats(contest *c, FaissIndex *index, result *out)
{
    ranker r = {.search = search_index, .ctx = index,
                .query = &c->query, .n = c->base.n, .own = c->own};
    double began = cli_now();
    int rc = faiss_add_rows(index, &c->base);
    out->encode = cli_now() - began;
    out->bytes = (double)lbh_float_index_code_size(index);
    return rc ? rc : score_floats(c, &r, out);
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
    int code = faiss_index_new(&index, c->base.d, r->factory, r->hamming, distance_of(c));
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
