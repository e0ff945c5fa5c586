/* cmd_compare.c: `lbh compare`: our methods and FAISS's on the same data, as one table. */
#include "bench_measure.h"
#include "compare.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct compare_args {
    common common;
    given_data data;
    const char *methods;
    int score;
    int64_t nbits, seed, seeds, refine;
} compare_args;

/* ---- Rows ---------------------------------------------------------------------------------- */

/* The median of each field on its own. */
static void medians(const result *runs, int64_t count, result *out)
{
    double column[64];
    for (size_t f = 0; f < RESULT_FIELDS; f++) {
        for (int64_t i = 0; i < count; i++)
            memcpy(&column[i], (const char *)&runs[i] + f * sizeof(double), sizeof(double));
        double middle = median_of(column, (int)count);
        memcpy((char *)out + f * sizeof(double), &middle, sizeof middle);
    }
}

static int run_rival(contest *c, const compare_args *a, const rival *r, result *out)
{
    result runs[64];
    int64_t count = r->method ? a->seeds : 1; /* FAISS's seeds are fixed */
    int rc = LBH_OK;
    for (int64_t i = 0; i < count && rc == LBH_OK; i++) {
        int64_t seed = a->seed >= 0 ? a->seed + i : count > 1 ? i + 1 : -1;
        rc = contest_run(c, r, seed, &runs[i]);
    }
    if (rc == LBH_OK)
        medians(runs, count, out);
    return rc;
}

/* The name of a row says it where the decoder ranks: "sgh@decoder:steps=500". */
static void add_name(cJSON *o, const rival *r, bool by_decoder)
{
    char name[512];
    size_t len = r->method ? strlen(r->method) : strlen(r->name);
    bool add = by_decoder && r->name[len] != '@';
    snprintf(name, sizeof name, "%.*s%s%s", (int)len, r->name, add ? "@decoder" : "",
             r->name + len);
    report_text(o, "method", name);
}

static void add_row(cJSON *rows, const rival *r, const result *x, const char *error)
{
    cJSON *o = cJSON_CreateObject();
    bool by_decoder = !error && x->decoder != 0;
    add_name(o, r, by_decoder);
    report_text(o, "engine", r->method ? "lbh" : "faiss");
    report_text(o, "ranking", by_decoder                ? "decoder"
                              : r->method || r->recipe.hamming ? "hamming"
                                                        : "float");
    if (error)
        report_text(o, "error", error);
    else {
        report_seconds(o, "train_seconds", x->train);
        report_seconds(o, "encode_seconds", x->encode);
        report_seconds(o, "search_seconds", x->search);
        report_recall(o, x->recall);
        report_number(o, "map", x->map);
        report_number(o, "precision_100", x->precision);
        report_number(o, "map_queries", x->map_queries);
        report_number(o, "bytes_per_item", x->bytes);
    }
    cJSON_AddItemToArray(rows, o);
}

/* ---- The table ----------------------------------------------------------------------------- */

static double value(const cJSON *row, const char *name)
{
    return cJSON_GetNumberValue(cJSON_GetObjectItem(row, name));
}

static void table_row(sheet *s, const cJSON *row, double queries)
{
    bool faiss = strcmp(cJSON_GetObjectItem(row, "engine")->valuestring, "faiss") == 0;
    bool sampled = value(row, "map_queries") < queries; /* measured on a sample */
    const char *share = sampled && !isnan(value(row, "map")) ? "%.3f~" : "%.3f";
    const cJSON *recall = cJSON_GetObjectItem(row, "recall");
    sheet_cell(s, "%s%s", cJSON_GetObjectItem(row, "method")->valuestring, faiss ? " (FAISS)" : "");
    for (int i = 0; i < RECALLS; i++)
        sheet_number(s, "%.3f", cJSON_GetNumberValue(cJSON_GetArrayItem(recall, i)));
    sheet_number(s, share, value(row, "map"));
    sheet_number(s, share, value(row, "precision_100"));
    sheet_number(s, "%.2f", value(row, "train_seconds"));
    sheet_number(s, "%.2f", value(row, "encode_seconds"));
    sheet_number(s, "%.2f", value(row, "search_seconds"));
    sheet_number(s, "%.0f", value(row, "bytes_per_item"));
}

static int print_table(const cJSON *rows, double queries)
{
    static const char *const heads[] = {"method", "1@1", "10@10", "10@100", "10@1000", "mAP", "P@100",
                                        "train s", "encode s", "search s", "bytes"};
    sheet *s = sheet_new(11, heads);
    const cJSON *row;
    cJSON_ArrayForEach(row, rows)
        table_row(s, row, queries);
    return sheet_print(s);
}

static void print_head(const contest *c, const compare_args *a)
{
    static const char *const relevant[] = {
        [BENCH_L2] = "squared L2",
        [BENCH_IP] = "inner product",
        [BENCH_COSINE] = "cosine",
        [BENCH_LABEL] = "common label",
    };
    printf("%s: %lld x %d, %lld queries, trained on %lld rows, %lld bits, %s", c->d.base.name,
           (long long)c->d.base.n, c->d.base.d, (long long)c->d.query.n, (long long)c->d.train.n,
           (long long)a->nbits, relevant[a->data.metric]);
    if (a->data.metric != BENCH_LABEL)
        printf(", mAP and P@100 with %lld true neighbours", (long long)c->d.near_rel.k);
    if (a->refine > 0)
        printf(", codes refined by %lld flips", (long long)a->refine);
    if (a->seeds > 1)
        printf(", medians of %lld seeds", (long long)a->seeds);
    printf("\n\n");
}

static void describe(cJSON *doc, const contest *c, const compare_args *a)
{
    report_text(doc, "base", c->d.base.name);
    report_text(doc, "query", c->d.query.name);
    report_text(doc, "train", c->d.train.name);
    report_number(doc, "n", (double)c->d.base.n);
    report_number(doc, "d", c->d.base.d);
    report_number(doc, "queries", (double)c->d.query.n);
    report_number(doc, "n_train", (double)c->d.train.n);
    report_number(doc, "nbits", (double)a->nbits);
    report_text(doc, "metric", bench_metrics[a->data.metric]);
    if (a->data.split)
        split_report(doc, &c->d.plan, &c->d.split);
    report_number(doc, "map_k", a->data.metric == BENCH_LABEL ? NAN : (double)c->d.near_rel.k);
    report_number(doc, "seeds", (double)a->seeds);
    report_number(doc, "refine", (double)a->refine);
}

/* Runs all rows. One that fails does not take the others with it, but the exit code tells. */
static int run_all(contest *c, const compare_args *a, const rival *list, int count, cJSON *rows,
                   int *failures)
{
    for (int i = 0; i < count; i++) {
        const rival *r = &list[i];
        result x = {0};
        if (r->skip) {
            progress_say("note: left out: %s", r->skip);
            continue;
        }
        progress_note("%d/%d %s", i + 1, count, r->name);
        int rc = run_rival(c, a, r, &x);
        progress_clear();
        if (cli_stopped(rc))
            return rc;
        if (rc) {
            ++*failures;
            progress_say("%s: %s", r->name, lbh_last_error());
        }
        add_row(rows, r, &x, rc ? lbh_last_error() : NULL);
    }
    return LBH_OK;
}

static int compare(const compare_args *a)
{
    contest c = {.given = a->data, .nbits = (int)a->nbits, .score = a->score, .refine = a->refine};
    rival *list = NULL;
    int count = 0, failures = 0;
    cJSON *doc = report_new("compare"), *rows = NULL;
    int rc = given_open_rows(&c.d, &c.given);
    if (rc == LBH_OK)
        rc = rivals_new(&list, &count, a->methods, c.d.base.d, (int)a->nbits, a->data.metric,
                        c.d.train_labels.start != NULL);
    if (rc == LBH_OK)
        rc = given_open_relevance(&c.d, &c.given);
    if (rc == LBH_OK)
        rc = bench_query_floats(&c.d, &c.x);
    if (rc == LBH_OK) {
        describe(doc, &c, a);
        rows = cJSON_AddArrayToObject(doc, "rows");
        rc = run_all(&c, a, list, count, rows, &failures);
    }
    if (rc == LBH_OK && !a->common.json) {
        print_head(&c, a);
        rc = print_table(rows, (double)c.d.query.n);
        cJSON_Delete(doc);
    } else
        rc = common_end(doc, a->common.json, rc);
    rivals_free(list, count);
    free(c.x);
    bench_data_close(&c.d);
    if (rc == LBH_OK && failures)
        rc = fail("%d of %d rows failed", failures, count);
    return rc;
}

static int run(const command *self, int argc, char **argv)
{
    compare_args a = {.nbits = 64, .seed = -1, .seeds = 1,
                      .data = {.command = self->name, .learns = true, .map_k = 1000}};
    const option_def defs[] = {
        {OPT_TEXT, 0, "base", "FILE", &a.data.base, 0, 0, "vectors to search in", 1},
        {OPT_TEXT, 0, "query", "FILE", &a.data.query, 0, 0, "vectors to look for", 0},
        {OPT_TEXT, 0, "train", "FILE", &a.data.train, 0, 0, "vectors to learn from (the base)", 0},
        {OPT_TEXT, 0, "query-ids", "FILE", &a.data.query_ids, 0, 0,
         "row of the base that each query is; left out", 0},
        {OPT_INT, 'b', "nbits", "N", &a.nbits, 1, 4096, "bits a code (64)", 0},
        {OPT_TEXT, 'm', "methods", "LIST", &a.methods, 0, 0, "rows of the table", 0},
        {OPT_CHOICE, 0, "metric", "l2|ip|cosine|label", &a.data.metric, 0, 0, "what is relevant (l2)", 0},
        {OPT_CHOICE, 0, "score", "auto|hamming|decoder", &a.score, 0, 0,
         "what ranks the codes of rows that do not say so themselves (auto)", 0},
        {OPT_INT, 0, "refine", "N", &a.refine, 0, MAX_REFINE,
         "flips that refine each base code where there is a decoder (0)", 0},
        {OPT_TEXT, 0, "labels", "FILE", &a.data.labels, 0, 0,
         "labels of the training rows (those of the base, if it is what is learned from)", 0},
        {OPT_TEXT, 0, "base-labels", "FILE", &a.data.base_labels, 0, 0, "labels of the base", 0},
        {OPT_TEXT, 0, "query-labels", "FILE", &a.data.query_labels, 0, 0, "labels of the queries", 0},
        {OPT_TEXT, 0, "split", "PLAN", &a.data.split, 0, 0,
         "queries and training rows out of the base: queries-per-class=N,train-per-class=N,seed=N",
         0},
        {OPT_INT, 0, "seed", "N", &a.seed, 0, (int64_t)1 << 53, "first seed", 0},
        {OPT_INT, 0, "seeds", "N", &a.seeds, 1, 64, "train N times, show medians (1)", 0},
        {OPT_INT, 0, "map-k", "K", &a.data.map_k, 10, 1 << 20,
         "true neighbours that count for mAP and P@100 (1000)", 0},
        OPTIONS_COMMON(&a.common.json, &a.common.threads, &a.common.quiet),
        OPTIONS_LAST,
    };
    LBH_TRY(options_parse(self, defs, argc, argv, NULL));
    LBH_TRY(a.data.split ? LBH_OK : query_check(a.data.query, a.data.base, self->name));
    common_begin(&a.common);
    return compare(&a);
}

const command command_compare = {
    "compare", "Compare methods with each other and with FAISS's own",
    "--base FILE --query FILE [--nbits N] [--methods LIST] [OPTIONS]",
    "LIST: names of methods (lsh,itq,sgh), each with options if wanted (sgh:steps=500:seed=7), and\n"
    "FAISS factory strings (PQ8, OPQ8,PQ8, ITQ64,LSH). ITQ, LSH and PQ stand for FAISS's at the same\n"
    "number of bits. Without --methods: lsh, itq, sgh, sigah and these three; with --labels itq, sgh,\n"
    "itq-cca, ksh, sdh, jmlh, ITQ and PQ. 'all': every method that can train on what there is.\n"
    "NAME@decoder:refine=N ranks by the decoder's scores, after a search for better codes (N flips);\n"
    "auto does so for methods that were trained for it (sgh:score=decoder). --metric is also the\n"
    "option metric of all methods, unless LIST says otherwise.\n"
    "Columns: recall K@N; mAP and precision at 100 over the full ranking; seconds to train, to encode\n"
    "the base, and to answer all queries with 1000 neighbours; bytes an item. '~': of a sample of\n"
    "the queries, where FAISS would have to sort more than a thousand million distances.\n",
    run};
