/* compare_run.c: one row of `lbh compare`, measured as cells of `lbh bench` are. See compare.h.
 *
 * Every row gets the same training rows, base, queries and excluded rows, answers with the same
 * number of candidates, and breaks ties by (distance, id). Search time holds everything that must be
 * done for a query: encoding it, or building PQ's tables. */
#include "compare.h"

#include "bench_measure.h"

#include <math.h>
#include <stdio.h>

/* Full rankings of all queries, of codes or by float scores. */
static int rank(const bench_engine *e, map_scores *s)
{
    const bench_model *m = e->model;
    const relevance *rel = bench_relevance(e->data);
    int64_t n = e->data->base.n;
    ranker r = engine_ranker(e);
    return e->index ? score_codes(s, rel, n, m->codes, m->sample, m->code_size, n)
                    : ranker_scores(&r, rel, n, s);
}

/* Codes go into an index, unless the decoder ranks them; so do FAISS's. */
static int search(const contest *c, bench_engine *e, bool by_decoder, result *out)
{
    recall_row row;
    map_scores s;
    LBH_TRY(by_decoder ? engine_rank(e, (spec_rescore){RANK_DECODER, -1}, (lbh_shortlist){0})
                   : engine_index(e, "BFlat", NULL, NULL));
    LBH_TRY(recall_row_measure(&row, e, c->x));
    LBH_TRY(rank(e, &s));
    out->search = row.seconds;
    for (int i = 0; i < RECALLS; i++)
        out->recall[i] = row.recall[i];
    out->map = s.map;
    out->precision = s.precision;
    out->map_queries = (double)s.queries;
    return LBH_OK;
}

static int measure(const contest *c, const rival *r, const bench_model *m, result *out)
{
    bench_engine e;
    bool by_decoder = false;
    if (cli_interrupted())
        return fail_cancelled();
    if (m->enc)
        LBH_TRY(choose_score(m->enc, r->score ? r->score : c->score, r->score != 0, &by_decoder));
    out->decoder = by_decoder;
    out->train = m->train_s;
    out->encode = m->encode_s;
    out->bytes = (double)m->code_size;
    engine_open(&e, &c->d, m);
    int rc = search(c, &e, by_decoder, out);
    engine_close(&e);
    return rc;
}

int contest_run(contest *c, const rival *r, int64_t seed, result *out)
{
    bench_model m;
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
    if (rc == LBH_OK)
        rc = measure(c, r, &m, out);
    if (rc == LBH_OK)
        say_notes(r->name, m.enc); /* beside the table */
    model_close(&m);
    return rc;
}
