/* cmd_eval.c: `lbh eval`: how good the codes of one model are, by neighbours or by labels. */
#include "code_stats.h"
#include "eval_labels.h"
#include "eval_rescore.h"
#include "float_rank.h"
#include "rebuild.h"
#include "split.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { METRIC_L2, METRIC_IP, METRIC_COSINE, METRIC_LABEL }; /* but for the last as LBH_METRIC_* */

typedef struct eval_args {
    common common;
    const char *model, *base, *query, *query_ids, *base_labels, *query_labels, *factory, *truth;
    char *set;
    int metric, score;
    int64_t map_k, map_r, refine, knn_k;
    const char *split;
    curve_args curve;
    int classify;
    rescore_args rescore;
    ann_args ann;
} eval_args;

typedef struct eval_job {
    const eval_args *a;
    vectors base, query;
    lbh_encoder *enc;
    int64_t *own;
    labels base_l, query_l;
    truth near;
    relevance rel;
    uint8_t *base_codes, *query_codes;
    bool by_decoder; /* the decoder ranks, not the distances of codes */
    FaissIndexBinary *index;
    split_plan plan;
    split_data split;
    rescore_table rescored;
    double build_seconds; /* to encode the base and to fill the index */
} eval_job;

/* Models say which rows they have not seen; a measurement on others deserves a word. */
static void compare_splits(const eval_job *j)
{
    const char *trained = lbh_encoder_note(j->enc, "split");
    if (j->a->split && (!trained || strcmp(trained, j->split.text) != 0))
        fprintf(stderr, "lbh: note: the model was trained %s%s: queries may be among its training "
                        "rows\n", trained ? "with another split, " : "without --split",
                trained ? trained : "");
    else if (!j->a->split && trained)
        fprintf(stderr, "lbh: note: the model was trained with a split, %s: queries may be among "
                        "its training rows\n", trained);
}

static int open_rows(eval_job *j)
{
    const eval_args *a = j->a;
    if (!a->split) {
        int rc = vectors_open(&j->base, a->base);
        return rc ? rc : query_open(&j->query, a->query, a->base);
    }
    int rc = split_parse(&j->plan, a->split);
    if (rc == EXIT_OK && a->query_ids)
        rc = fail_usage("eval: --query-ids are rows of the whole base and do not go with --split");
    if (rc == EXIT_OK && !j->plan.queries && !a->query)
        rc = fail_usage("eval: --split without queries-per-class needs --query");
    if (rc == EXIT_OK)
        rc = split_open(&j->split, &j->plan, "eval", a->base, a->base_labels, a->query,
                        a->query_labels);
    return rc;
}

static int open_inputs(eval_job *j)
{
    const eval_args *a = j->a;
    int rc = curve_check(&a->curve);
    if (rc == EXIT_OK)
        rc = open_rows(j);
    if (rc == EXIT_OK && a->split)
        split_move(&j->split, &j->base, &j->base_l, &j->query, &j->query_l);
    if (rc == EXIT_OK)
        rc = model_load(&j->enc, a->model, &j->base);
    if (rc == EXIT_OK)
        rc = model_fits(j->enc, &j->query);
    if (rc == EXIT_OK && a->query_ids)
        rc = read_row_ids(a->query_ids, j->query.n, j->base.n, &j->own);
    if (rc == EXIT_OK)
        rc = choose_score(j->enc, a->score, true, &j->by_decoder);
    if (rc == EXIT_OK && j->by_decoder && (strcmp(a->factory, "BFlat") != 0 || a->set))
        rc = fail_usage("eval: the decoder's scores are of all codes, without an index; "
                        "--score hamming measures --index and --set");
    if (rc == EXIT_OK && j->by_decoder && (a->curve.precision_at || a->curve.pr))
        rc = fail_usage("eval: --precision-at and --pr are of the Hamming ranking; "
                        "--score hamming measures it");
    if (rc == EXIT_OK && a->rescore.mode && (j->by_decoder || a->metric == METRIC_LABEL))
        rc = fail_usage("eval: --rescore ranks the answers of an index again, and counts true "
                        "neighbours: --score hamming, --metric l2, ip or cosine");
    if (rc == EXIT_OK && a->truth && (a->metric == METRIC_LABEL || a->split))
        rc = fail_usage("eval: --truth names the true neighbours of the queries in the base; it "
                        "does not go with %s", a->split ? "--split" : "--metric label");
    if (rc == EXIT_OK)
        rc = ann_check(&a->ann, a->metric, j->by_decoder, &a->rescore);
    if (rc == EXIT_OK)
        compare_splits(j);
    if (rc == EXIT_OK) { /* before the long work, so that a wrong string costs nothing */
        int code = lbh_index_new(&j->index, lbh_encoder_code_size(j->enc), a->factory);
        rc = fail_library(code);
        rc = code == LBH_EINVAL ? EXIT_USAGE : rc;
        lbh_index_free(j->index);
        j->index = NULL;
    }
    return rc;
}

/* The labels of base and queries, where something asks for them. */
static int open_labels(eval_job *j)
{
    const eval_args *a = j->a;
    bool have_base = j->base_l.start, have_query = j->query_l.start;
    int rc = EXIT_OK;
    if (a->metric != METRIC_LABEL && !a->classify)
        return EXIT_OK;
    if (!have_base)
        rc = row_labels_open(&j->base_l, a->base_labels, &j->base, &have_base);
    if (rc == EXIT_OK && !have_query)
        rc = row_labels_open(&j->query_l, a->query_labels, &j->query, &have_query);
    if (rc == EXIT_OK && !(have_base && have_query))
        rc = fail_usage("eval: %s needs --base-labels and --query-labels",
                        a->metric == METRIC_LABEL ? "--metric label" : "--classify");
    if (rc == EXIT_OK)
        rc = labels_dense(&j->base_l, &j->query_l);
    return rc ? rc : labels_meet(&j->base_l, &j->query_l);
}

static int open_relevance(eval_job *j)
{
    const eval_args *a = j->a;
    int rc = open_labels(j);
    if (rc)
        return rc;
    if (a->metric != METRIC_LABEL) {
        rc = a->truth ? truth_read(&j->near, a->truth, &j->base, &j->query, j->own, a->map_k)
                      : truth_compute(&j->near, &j->base, &j->query, j->own, a->map_k, a->metric);
        return rc ? rc : relevance_near(&j->rel, j->base.n, j->own, &j->near, a->map_k);
    }
    return relevance_labels(&j->rel, j->own, &j->base_l, &j->query_l);
}

static int make_codes(eval_job *j, cJSON *doc)
{
    double began = cli_now();
    int rc = encode_all(j->enc, &j->base, j->a->refine, &j->base_codes);
    j->build_seconds = cli_now() - began;
    report_seconds(doc, "encode_seconds", j->build_seconds);
    if (rc || j->by_decoder)
        return rc;
    began = cli_now();
    progress_note("building %s ...", j->a->factory);
    int code = lbh_index_build_codes(&j->index, lbh_encoder_code_size(j->enc), j->a->factory,
                                     j->base.n, j->base_codes);
    if (code)
        return fail_library(code);
    j->build_seconds += cli_now() - began;
    report_seconds(doc, "build_seconds", cli_now() - began);
    if (j->a->set)
        code = lbh_index_set(j->index, j->a->set);
    rc = fail_library(code);
    return code == LBH_EINVAL ? EXIT_USAGE : rc;
}

/* The first k answers of the index, timed with the encoding of the queries. */
static int search_index(eval_job *j, int64_t k, int64_t **ids, double *seconds)
{
    int32_t *distances = NULL;
    double began = cli_now();
    int rc = encode_all(j->enc, &j->query, ENCODE_QUERIES, &j->query_codes);
    if (rc == EXIT_OK)
        rc = search_all(j->index, lbh_encoder_code_size(j->enc), j->query.n, j->query_codes, k,
                        j->own, &distances, ids);
    *seconds = cli_now() - began;
    free(distances);
    return rc;
}

/* Searches, for time and for recall. */
static int measure_search(eval_job *j, const ranker *decoder, cJSON *doc)
{
    int64_t rows = j->base.n - (j->own ? 1 : 0), *ids = NULL;
    int64_t k = rows < ANSWERS ? rows : ANSWERS;
    double seconds = 0;
    TRY(j->by_decoder ? ranker_answers(decoder, k, &ids, &seconds)
                           : search_index(j, k, &ids, &seconds));
    report_seconds(doc, "search_seconds", seconds);
    report_number(doc, "queries_per_second", (double)j->query.n / seconds);
    if (j->near.ids) {
        double recall[RECALLS];
        for (int i = 0; i < RECALLS; i++)
            recall[i] = recall_at(&j->near, ids, k, recall_k[i], recall_n[i]);
        report_recall(doc, recall);
    }
    free(ids);
    return EXIT_OK;
}

static int measure_ranking(eval_job *j, const ranker *decoder, cJSON *doc)
{
    map_scores s;
    int64_t r = j->a->map_r < j->base.n ? j->a->map_r : j->base.n;
    TRY(j->by_decoder ? ranker_scores(decoder, &j->rel, r, &s)
                           : curve_scores(doc, &j->a->curve, j->a->common.json, &s, &j->rel, j->enc,
                                          j->base.n, j->base_codes, j->query_codes, r));
    bool by_label = j->a->metric == METRIC_LABEL;
    if (!by_label)
        report_number(doc, "map_k", (double)j->rel.k);
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
    return EXIT_OK;
}

static int measure_rescoring(eval_job *j, cJSON *doc)
{
    rescore_eval e = {j->index, j->enc, &j->base, &j->query, &j->near, j->own, j->a->metric,
                      rescore_for(&j->a->rescore, j->enc)};
    int rc = rescore_measure(&j->rescored, &e);
    if (rc == EXIT_OK && j->a->common.json)
        rescore_report(doc, &j->rescored, &e.how);
    return rc;
}

static int measure(eval_job *j, cJSON *doc)
{
    decoded_codes codes = {j->enc, decoder_metric(j->enc, j->a->metric), j->base.n, j->base_codes};
    ranker decoder = decoded_ranker(&codes, &j->query, j->own);
    int rc = measure_search(j, &decoder, doc);
    if (rc == EXIT_OK)
        rc = measure_ranking(j, &decoder, doc);
    if (rc == EXIT_OK && has_decoder(j->enc))
        rc = report_rebuilding(doc, j->enc, &j->base, j->base_codes);
    if (rc == EXIT_OK)
        rc = code_stats_report(doc, j->a->common.json, j->base.n, lbh_encoder_nbits(j->enc),
                               lbh_encoder_code_size(j->enc), j->base_codes);
    if (rc == EXIT_OK && j->a->rescore.mode)
        rc = measure_rescoring(j, doc);
    classify_job c = {j->enc, &j->query, j->base.n, j->base_codes, j->query_codes,
                      &j->base_l, &j->query_l, j->own, j->a->knn_k};
    if (rc == EXIT_OK && j->a->classify)
        rc = classify_report(doc, &c);
    ann_codes ours = {.index = &j->index, .enc = j->enc,
                      .rescore = rescore_for(&j->a->rescore, j->enc)};
    ann_run run = {.base = &j->base, .query = &j->query, .near = &j->near, .own = j->own,
                   .metric = j->a->metric, .build_seconds = j->build_seconds};
    if (rc == EXIT_OK && j->a->ann.dir)
        rc = eval_export(&j->a->ann, &run, &ours, j->a->factory, j->a->set);
    return rc;
}

static void describe(const eval_job *j, cJSON *doc)
{
    static const char *const metrics[] = {"l2", "ip", "cosine", "label"};
    report_text(doc, "model", j->a->model);
    report_text(doc, "method", lbh_encoder_method(j->enc));
    report_number(doc, "nbits", lbh_encoder_nbits(j->enc));
    report_number(doc, "bytes_per_item", (double)lbh_encoder_code_size(j->enc));
    report_text(doc, "base", j->base.name);
    report_text(doc, "query", j->query.name);
    report_number(doc, "n", (double)j->base.n);
    report_number(doc, "queries", (double)j->query.n);
    report_text(doc, "metric", metrics[j->a->metric]);
    report_text(doc, "ranking", j->by_decoder ? "decoder" : "hamming");
    if (!j->by_decoder)
        report_text(doc, "index", j->a->factory);
    if (j->a->refine > 0)
        report_number(doc, "refine", (double)j->a->refine);
    if (j->a->split)
        split_report(doc, &j->plan, &j->split);
}

static int eval(const eval_args *a)
{
    eval_job j = {.a = a};
    cJSON *doc = report_new("eval");
    int rc = open_inputs(&j);
    if (rc == EXIT_OK)
        rc = open_relevance(&j);
    if (rc == EXIT_OK)
        describe(&j, doc);
    if (rc == EXIT_OK)
        rc = make_codes(&j, doc);
    if (rc == EXIT_OK)
        rc = measure(&j, doc);
    lbh_index_free(j.index);
    free(j.base_codes);
    free(j.query_codes);
    relevance_free(&j.rel);
    truth_free(&j.near);
    labels_close(&j.base_l);
    labels_close(&j.query_l);
    free(j.own);
    lbh_encoder_free(j.enc);
    vectors_close(&j.query);
    vectors_close(&j.base);
    split_close(&j.split);
    rc = common_end(doc, a->common.json, rc);
    return rc || a->common.json || !a->rescore.mode ? rc : rescore_print(&j.rescored);
}

static int run(const command *self, int argc, char **argv)
{
    eval_args a = {.factory = "BFlat", .map_k = 1000, .map_r = 1000, .knn_k = 10,
                   .rescore = RESCORE_DEFAULTS, .ann = ANN_DEFAULTS};
    const option_def defs[] = {
        {OPT_TEXT, 0, "model", "MODEL", &a.model, 0, 0, "model file", 1},
        {OPT_TEXT, 0, "base", "FILE", &a.base, 0, 0, "vectors to search in", 1},
        {OPT_TEXT, 0, "query", "FILE", &a.query, 0, 0, "vectors to look for", 0},
        {OPT_TEXT, 0, "query-ids", "FILE", &a.query_ids, 0, 0,
         "row of the base that each query is; left out", 0},
        {OPT_CHOICE, 0, "metric", "l2|ip|cosine|label", &a.metric, 0, 0, "what is relevant (l2)", 0},
        {OPT_TEXT, 0, "truth", "FILE", &a.truth, 0, 0,
         "ids of the true neighbours of each query (found by exact search)", 0},
        {OPT_CHOICE, 0, "score", "auto|hamming|decoder", &a.score, 0, 0,
         "what ranks the codes (auto: as the model was trained for)", 0},
        {OPT_INT, 0, "refine", "N", &a.refine, 0, MAX_REFINE,
         "flips that refine each base code towards the decoder (0)", 0},
        {OPT_TEXT, 0, "base-labels", "FILE", &a.base_labels, 0, 0, "labels of the base", 0},
        {OPT_TEXT, 0, "query-labels", "FILE", &a.query_labels, 0, 0, "labels of the queries", 0},
        {OPT_TEXT, 0, "index", "FACTORY", &a.factory, 0, 0, "FAISS binary factory string (BFlat)",
         0},
        {OPT_JOIN, 's', "set", "NAME=VALUE", &a.set, 0, 0,
         "search parameter: nprobe, nflip, efSearch; may repeat", 0},
        {OPT_INT, 0, "map-k", "K", &a.map_k, 10, 1 << 20,
         "true neighbours that count for mAP and precision (1000)", 0},
        {OPT_INT, 0, "map-r", "R", &a.map_r, 1, INT64_MAX, "R of mAP@R by labels (1000)", 0},
        {OPT_TEXT, 0, "precision-at", "LIST", &a.curve.precision_at, 0, 0,
         "ranks of the precision (100)", 0},
        {OPT_TEXT, 0, "pr", "FILE", &a.curve.pr, 0, 0, "precision-recall curve, .csv or .svg", 0},
        {OPT_TEXT, 0, "split", "PLAN", &a.split, 0, 0,
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
    if (rc == EXIT_OK)
        rc = a.split ? EXIT_OK : query_check(a.query, a.base, self->name);
    if (rc == EXIT_OK) {
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
