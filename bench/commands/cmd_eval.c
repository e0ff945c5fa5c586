/* cmd_eval.c: `lbh eval`: how good the codes of one model are, by neighbours or by labels. */
#include "bench_measure.h"
#include "code_classes.h"
#include "code_stats.h"
#include "eval_report.h"
#include "given_data.h"
#include "rebuild.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct eval_args {
    common common;
    const char *model, *factory;
    char *set;
    given_data data;
    int score;
    int64_t map_r, refine, knn_k;
    curve_args curve;
    int classify;
    rescore_args rescore;
    ann_args ann;
} eval_args;

typedef struct eval_job {
    eval_args *a;
    bench_data data;
    lbh_encoder *enc; /* until the model has it */
    bench_model model;
    bench_engine engine;
    float *x;         /* all queries */
    bool by_decoder;  /* the decoder ranks, not the distances of codes */
    rescore_table rescored;
} eval_job;

/* ---- Before the work ----------------------------------------------------------------------- */

/* Models say which rows they have not seen; a measurement on others deserves a word. */
static void compare_splits(const eval_job *j)
{
    const char *trained = lbh_encoder_note(j->enc, "split"), *given = j->a->data.split;
    if (given && (!trained || strcmp(trained, j->data.split.text) != 0))
        progress_say("note: the model was trained %s%s: queries may be among its training rows",
                     trained ? "with another split, " : "without --split", trained ? trained : "");
    else if (!given && trained)
        progress_say("note: the model was trained with a split, %s: queries may be among its training rows",
                     trained);
}

/* Options that do not go together. */
static int check(const eval_job *j)
{
    const eval_args *a = j->a;
    bool by_label = a->data.metric == BENCH_LABEL;
    LBH_TRY(rescore_check(&a->rescore));
    if (j->by_decoder && (strcmp(a->factory, "BFlat") != 0 || a->set))
        return fail_usage("eval: the decoder's scores are of all codes, without an index; "
                          "--score hamming measures --index and --set");
    if (j->by_decoder && (a->curve.precision_at || a->curve.pr))
        return fail_usage("eval: --precision-at and --pr are of the Hamming ranking; "
                          "--score hamming measures it");
    if (a->rescore.mode && (j->by_decoder || by_label))
        return fail_usage("eval: --rescore ranks the answers of an index again, and counts true "
                          "neighbours: --score hamming, --metric l2, ip or cosine");
    if (a->data.truth && (by_label || a->data.split))
        return fail_usage("eval: --truth names the true neighbours of the queries in the base; it "
                          "does not go with %s", a->data.split ? "--split" : "--metric label");
    return ann_check(&a->ann, a->data.metric, j->by_decoder, &a->rescore);
}

/* So that a wrong string costs nothing. */
static int probe_index(const eval_job *j)
{
    FaissIndexBinary *index = NULL;
    int rc = lbh_index_new(&index, lbh_encoder_code_size(j->enc), j->a->factory);
    lbh_index_free(index);
    return cli_usage(rc);
}

static int open_inputs(eval_job *j)
{
    eval_args *a = j->a;
    LBH_TRY(curve_check(&a->curve));
    LBH_TRY(given_open_rows(&j->data, &a->data));
    LBH_TRY(model_load(&j->enc, a->model, &j->data.base));
    LBH_TRY(model_fits(j->enc, &j->data.query));
    LBH_TRY(choose_score(j->enc, a->score, true, &j->by_decoder));
    LBH_TRY(check(j));
    compare_splits(j);
    LBH_TRY(probe_index(j));
    LBH_TRY(given_open_relevance(&j->data, &a->data));
    return bench_query_floats(&j->data, &j->x);
}

/* ---- The measurement ----------------------------------------------------------------------- */

/* Codes, and the index unless the decoder ranks. */
static int make_codes(eval_job *j, cJSON *doc)
{
    const eval_args *a = j->a;
    spec_method method = {.method = lbh_encoder_method(j->enc), .options = "",
                          .refine = a->refine};
    model_wish wish = {.method = &method, .trained = &j->enc};
    LBH_TRY(model_open(&j->model, &wish, &j->data));
    report_seconds(doc, "encode_seconds", j->model.encode_s);
    engine_open(&j->engine, &j->data, &j->model);
    if (j->by_decoder)
        return engine_rank(&j->engine, (spec_rescore){RANK_DECODER, -1}, (lbh_shortlist){0});
    progress_note("building %s ...", a->factory);
    LBH_TRY(engine_index(&j->engine, a->factory, a->set, NULL));
    report_seconds(doc, "build_seconds", j->engine.build_s);
    return LBH_OK;
}

/* Searches, for time and for recall. */
static int measure_answers_of(eval_job *j, cJSON *doc)
{
    recall_row row;
    LBH_TRY(recall_row_measure(&row, &j->engine, j->x));
    report_seconds(doc, "search_seconds", row.seconds);
    report_number(doc, "queries_per_second", (double)j->data.query.n / row.seconds);
    if (j->data.near.ids)
        report_recall(doc, row.recall);
    return LBH_OK;
}

static int measure_ranking(eval_job *j, cJSON *doc)
{
    map_scores s;
    const relevance *rel = bench_relevance(&j->data);
    const bench_model *m = &j->model;
    bool by_label = j->a->data.metric == BENCH_LABEL;
    int64_t n = j->data.base.n, r = j->a->map_r < n ? j->a->map_r : n;
    ranker decoder = engine_ranker(&j->engine);
    code_pair codes = {n, m->nbits, m->code_size, m->codes, m->sample};
    LBH_TRY(j->by_decoder ? ranker_scores(&decoder, rel, r, &s)
                      : curve_scores(doc, &j->a->curve, j->a->common.json, &s, rel,
                                     lbh_encoder_method(m->enc), &codes, r));
    if (!by_label)
        report_number(doc, "map_k", (double)rel->k);
    report_number(doc, "map", s.map);
    if (by_label) {
        report_number(doc, "map_zero", s.map_zero);
        report_number(doc, "map_r_cut", (double)r);
        report_number(doc, "map_r", s.map_r);
        report_number(doc, "map_r_zero", s.map_r_zero);
        report_number(doc, "queries_without_relevant_rows", (double)s.skipped);
        report_number(doc, "queries_without_hit_in_r", (double)s.skipped_r);
    }
    report_number(doc, "precision_100", s.precision);
    if (!j->by_decoder) {
        report_number(doc, "precision_h2", s.precision_h2);
        report_number(doc, "precision_h2_filled", s.precision_h2_filled);
        report_number(doc, "queries_with_empty_h2", (double)s.empty_h2);
    }
    report_number(doc, "map_queries", (double)s.queries);
    return LBH_OK;
}

static int measure_rescoring(eval_job *j, cJSON *doc)
{
    rescore_args how = rescore_for(&j->a->rescore, j->model.enc);
    LBH_TRY(rescore_measure(&j->rescored, &j->engine, j->x, &how));
    if (j->a->common.json)
        rescore_report(doc, &j->rescored, &how);
    return LBH_OK;
}

static int measure_classes(eval_job *j, cJSON *doc)
{
    const bench_data *d = &j->data;
    const bench_model *m = &j->model;
    classify_job c = {m->enc, d->base.n, d->query.n, m->codes, m->sample,
                      &d->base_labels, &d->query_labels, d->own, j->a->knn_k};
    return classify_report(doc, &c);
}

static int measure(eval_job *j, cJSON *doc)
{
    const bench_model *m = &j->model;
    const eval_args *a = j->a;
    LBH_TRY(measure_answers_of(j, doc));
    LBH_TRY(measure_ranking(j, doc));
    if (has_decoder(m->enc)) {
        double error, left;
        LBH_TRY(measure_rebuilding(m->enc, &j->data.base, m->codes, &error, &left));
        report_number(doc, "rebuild_error", error);
        report_number(doc, "variance_left", left);
    }
    LBH_TRY(code_stats_report(doc, a->common.json, j->data.base.n, m->nbits, m->code_size, m->codes));
    if (a->rescore.mode)
        LBH_TRY(measure_rescoring(j, doc));
    if (a->classify)
        LBH_TRY(measure_classes(j, doc));
    return a->ann.dir ? eval_export(&a->ann, &j->engine, &a->rescore, a->factory, a->set) : LBH_OK;
}

static void describe(const eval_job *j, cJSON *doc)
{
    const bench_data *d = &j->data;
    report_text(doc, "model", j->a->model);
    report_text(doc, "method", lbh_encoder_method(j->enc));
    report_number(doc, "nbits", lbh_encoder_nbits(j->enc));
    report_number(doc, "bytes_per_item", (double)lbh_encoder_code_size(j->enc));
    report_text(doc, "base", d->base.name);
    report_text(doc, "query", d->query.name);
    report_number(doc, "n", (double)d->base.n);
    report_number(doc, "queries", (double)d->query.n);
    report_text(doc, "metric", bench_metrics[d->spec->metric]);
    report_text(doc, "ranking", j->by_decoder ? "decoder" : "hamming");
    if (!j->by_decoder)
        report_text(doc, "index", j->a->factory);
    if (j->a->refine > 0)
        report_number(doc, "refine", (double)j->a->refine);
    if (j->a->data.split)
        split_report(doc, &d->plan, &d->split);
}

static int eval(eval_args *a)
{
    eval_job j = {.a = a};
    cJSON *doc = report_new("eval");
    int rc = open_inputs(&j);
    if (rc == LBH_OK) {
        describe(&j, doc);
        rc = make_codes(&j, doc);
    }
    if (rc == LBH_OK)
        rc = measure(&j, doc);
    engine_close(&j.engine);
    model_close(&j.model);
    lbh_encoder_free(j.enc);
    free(j.x);
    bench_data_close(&j.data);
    rc = common_end(doc, a->common.json, rc);
    return rc || a->common.json || !a->rescore.mode ? rc : rescore_print(&j.rescored);
}

static int run(const command *self, int argc, char **argv)
{
    eval_args a = {.factory = "BFlat", .map_r = 1000, .knn_k = 10, .rescore = RESCORE_DEFAULTS,
                   .ann = ANN_DEFAULTS, .data = {.command = self->name, .map_k = 1000}};
    const option_def defs[] = {
        {OPT_TEXT, 0, "model", "MODEL", &a.model, 0, 0, "model file", 1},
        {OPT_TEXT, 0, "base", "FILE", &a.data.base, 0, 0, "vectors to search in", 1},
        {OPT_TEXT, 0, "query", "FILE", &a.data.query, 0, 0, "vectors to look for", 0},
        {OPT_TEXT, 0, "query-ids", "FILE", &a.data.query_ids, 0, 0,
         "row of the base that each query is; left out", 0},
        {OPT_CHOICE, 0, "metric", "l2|ip|cosine|label", &a.data.metric, 0, 0, "what is relevant (l2)", 0},
        {OPT_TEXT, 0, "truth", "FILE", &a.data.truth, 0, 0,
         "ids of the true neighbours of each query (found by exact search)", 0},
        {OPT_CHOICE, 0, "score", "auto|hamming|decoder", &a.score, 0, 0,
         "what ranks the codes (auto: as the model was trained for)", 0},
        {OPT_INT, 0, "refine", "N", &a.refine, 0, MAX_REFINE,
         "flips that refine each base code towards the decoder (0)", 0},
        {OPT_TEXT, 0, "base-labels", "FILE", &a.data.base_labels, 0, 0, "labels of the base", 0},
        {OPT_TEXT, 0, "query-labels", "FILE", &a.data.query_labels, 0, 0, "labels of the queries", 0},
        {OPT_TEXT, 0, "index", "FACTORY", &a.factory, 0, 0, "FAISS binary factory string (BFlat)",
         0},
        {OPT_JOIN, 's', "set", "NAME=VALUE", &a.set, 0, 0,
         "search parameter: nprobe, nflip, efSearch; may repeat", 0},
        {OPT_INT, 0, "map-k", "K", &a.data.map_k, 10, 1 << 20,
         "true neighbours that count for mAP and precision (1000)", 0},
        {OPT_INT, 0, "map-r", "R", &a.map_r, 1, INT64_MAX, "R of mAP@R by labels (1000)", 0},
        {OPT_TEXT, 0, "precision-at", "LIST", &a.curve.precision_at, 0, 0,
         "ranks of the precision (100)", 0},
        {OPT_TEXT, 0, "pr", "FILE", &a.curve.pr, 0, 0, "precision-recall curve, .csv or .svg", 0},
        {OPT_TEXT, 0, "split", "PLAN", &a.data.split, 0, 0,
         "queries out of the rows: queries-per-class=N,train-per-class=N,seed=N", 0},
        {OPT_FLAG, 0, "classify", 0, &a.classify, 0, 0,
         "accuracy of the model's classifier and of nearest codes", 0},
        {OPT_INT, 0, "knn-k", "K", &a.knn_k, 1, 1 << 20, "nearest codes that vote (10)", 0},
        OPTIONS_RESCORE(&a.rescore, "none|margin|decoder|float|auto|all"),
        OPTIONS_ANN(&a.ann),
        OPTIONS_COMMON(&a.common.json, &a.common.threads, &a.common.quiet),
        OPTIONS_LAST,
    };
    int rc = options_parse(self, defs, argc, argv, NULL);
    if (rc == LBH_OK)
        rc = a.data.split ? LBH_OK : query_check(a.data.query, a.data.base, self->name);
    if (rc == LBH_OK) {
        a.data.wants_labels = a.classify;
        common_begin(&a.common);
        rc = eval(&a);
    }
    free(a.set);
    return rc;
}

const command command_eval = {
    "eval", "Measure a model: recall, mAP, precision, time",
    "--model MODEL --base FILE --query FILE [OPTIONS]",
    "recall K@N: share of the K true neighbours among the first N answers of the index.\n"
    "mAP, precision: over the full ranking by (distance, id), whatever the index.\n"
    "--score decoder ranks all rows by ||q - x^||^2 or q.x^, x^ being what the decoder makes of a\n"
    "code. rebuild_error is the mean of ||x - x^||^2 / 2 over the base, and variance_left its share\n"
    "of the error that the mean of the base makes.\n"
    "--rescore: the first 10 answers of the index beside those of a shortlist, 10 times k-factor,\n"
    "ranked again by the query's margins, by the decoder or by the vectors of the base themselves.\n"
    "map and map_r leave out queries without a hit, map_zero and map_r_zero count them as 0.\n"
    "precision_h2 counts an empty ball as 0, precision_h2_filled leaves it out.\n"
    "--split takes N rows of each class from the base (with the queries, if given, behind it) as\n"
    "queries, and all others as base: the protocol of papers on supervised hashing.\n"
    "With a synthetic base, --query and the label files may be left out.\n",
    run};
