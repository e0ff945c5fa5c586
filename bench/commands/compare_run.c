/* compare_run.c: one row of `lbh compare`, measured as cells of `lbh bench` are. See compare.h.
 *
 * Every row gets the same training rows, base, queries and excluded rows, answers with the same
 * number of candidates, and breaks ties by (distance, id). Search time holds everything that must be
 * done for a query: encoding it, or building PQ's tables. */
#include "compare.h"

#include "bench_measure.h"
#include "bench_model.h"
#include "result_lines.h"

#include <math.h>
#include <stdlib.h>

/* The answers, into new memory, and the time of the search. Float scores that are equal are put in
 * the order of the rows. */
static int answer(const contest *c, const bench_engine *e, int64_t **ids, double *seconds)
{
    ranker r = engine_ranker(e, &c->d);
    *ids = NULL;
    if (!e->index)
        return ranker_answers(&r, c->answers, ids, seconds);
    *ids = cli_alloc(c->d.query.n * c->answers, sizeof **ids);
    return *ids ? measure_search(e, c->d.query.n, c->x, c->d.own, c->answers, *ids, seconds)
                : EXIT_RUNTIME;
}

static int score(const contest *c, const bench_engine *e, const bench_model *m, result *out)
{
    int64_t *ids, n = c->d.base.n;
    map_scores s;
    ranker r = engine_ranker(e, &c->d);
    int rc = answer(c, e, &ids, &out->search);
    for (int i = 0; rc == EXIT_OK && c->d.near.ids && i < RECALLS; i++)
        out->recall[i] = recall_at(&c->d.near, ids, c->answers, recall_k[i], recall_n[i]);
    free(ids);
    if (rc == EXIT_OK)
        rc = e->index ? score_codes(&s, c->rel, n, m->codes, m->sample, m->code_size, n)
                      : ranker_scores(&r, c->rel, n, &s);
    if (rc)
        return rc;
    out->map = s.map;
    out->precision = s.precision;
    out->map_queries = (double)s.queries;
    return EXIT_OK;
}

/* Codes go into an index, unless the decoder ranks them; so do FAISS's. */
static int search(const contest *c, const bench_model *m, bool by_decoder, result *out)
{
    FaissIndexBinary *index = NULL;
    int code = LBH_OK;
    bench_engine e = {.metric = bench_distance(&c->d), .n = c->d.base.n, .base = &c->d.base,
                      .how = {by_decoder ? RANK_DECODER : m->codes ? RANK_HAMMING : RANK_NONE,
                              by_decoder ? -1 : 0},
                      .enc = m->enc, .codes = m->codes, .code_size = m->code_size,
                      .floats = m->floats};
    if (by_decoder && c->set.metric == BENCH_LABEL)
        e.metric = decoder_metric(m->enc, -1);
    if (m->codes && !by_decoder)
        code = lbh_index_build_codes(&index, m->code_size, "BFlat", e.n, m->codes);
    e.index = index;
    int rc = code ? fail_library(code) : score(c, &e, m, out);
    lbh_index_free(index);
    return rc;
}

int contest_run(contest *c, const rival *r, int64_t seed, result *out)
{
    bench_model m;
    bool by_decoder = false;
    spec_method method = {.id = r->name, .label = r->name, .refine = r->refine,
                          .method = r->method ? r->method : r->name,
                          .options = r->settings ? r->settings : ""};
    model_wish wish = {.method = &method, .recipe = r->method ? NULL : &r->recipe,
                       .nbits = c->nbits, .seed = seed, .refine = c->refine};
    *out = (result){.map = NAN, .precision = NAN};
    for (int i = 0; i < RECALLS; i++)
        out->recall[i] = NAN;
    if (!r->method)
        progress_note("training %s ...", r->name);
    int rc = model_open(&m, &wish, &c->d);
    if (rc == EXIT_OK && cli_interrupted())
        rc = fail_cancelled();
    if (rc == EXIT_OK && m.enc)
        rc = choose_score(m.enc, r->score ? r->score : c->score, r->score != 0, &by_decoder);
    if (rc == EXIT_OK) {
        out->decoder = by_decoder;
        out->train = result_number(m.facts, "train_s");
        out->encode = result_number(m.facts, "encode_s");
        out->bytes = (double)m.code_size;
        rc = search(c, &m, by_decoder, out);
    }
    model_close(&m);
    return rc;
}
