/* cmd_tune.c: `lbh tune`: tries methods, lengths, rankings and indexes on a data set, and chooses. */
#define _GNU_SOURCE
#include "common.h"
#include "drawing.h"
#include "tune_show.h"
#include "tune_write.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct tune_args {
    common common;
    const char *base, *query, *query_ids, *methods, *bits, *at, *out, *output, *figure;
    int metric;
    double bytes, recall, query_us, memory, time_limit;
    int64_t sample, queries;
} tune_args;

/* ---- Arguments ----------------------------------------------------------------------------- */

/* "10@100". */
static int parse_at(const char *text, int64_t *k, int64_t *at)
{
    long long a, b;
    char rest;
    if (sscanf(text, "%lld@%lld%c", &a, &b, &rest) != 2 || a < 1 || b < a || b > 1000)
        return fail_usage("tune: --at '%.40s' is no K@N with 1 <= K <= N <= 1000, as 10@100", text);
    *k = a;
    *at = b;
    return LBH_OK;
}

static int check_args(const tune_args *a)
{
    int wanted = (a->recall > 0) + (a->query_us > 0) + (a->memory > 0);
    if (wanted > 1)
        return fail_usage("tune: one of --recall, --query-us and --memory");
    if (!wanted && !(a->bytes > 0))
        return fail_usage("tune: say what is wanted: --recall, --query-us, --memory or --bytes");
    if (a->query_ids && !a->query)
        return fail_usage("tune: --query-ids goes with --query");
    if (vectors_come_once(a->base) || (a->query && vectors_come_once(a->query)))
        return fail_usage("tune: '%s' can be read once only, and is read by each trial; name a file",
                          vectors_come_once(a->base) ? a->base : a->query);
    int rc = a->output ? outfile_check(a->output, true) : LBH_OK;
    if (rc == LBH_OK && a->figure)
        rc = outfile_check(a->figure, false);
    return rc == LBH_OK && a->figure ? drawing_check() : rc;
}

/* Without --query some rows are held out, unless the set brings queries along. */
static int open_rows(const tune_args *a, vectors *base, tune_run *t, char held[40])
{
    vectors query;
    LBH_TRY(vectors_open(base, a->base));
    LBH_TRY(vectors_fit_metric(base, a->metric));
    int64_t n = a->sample && a->sample < base->n ? a->sample : base->n;
    t->query = a->query;
    if (!a->query && !base->made) {
        int64_t count = a->queries < n / 10 ? a->queries : n / 10;
        if (count < 1)
            return fail("'%s' has %lld rows: too few to hold some out; give --query", base->name,
                        (long long)base->n);
        snprintf(held, 40, "split:%lld", (long long)count);
        t->query = held;
        n -= count;
    } else if (a->query) {
        LBH_TRY(vectors_open(&query, a->query));
        int d = query.d;
        vectors_close(&query);
        if (d != base->d)
            return fail("'%s' has dimension %d, '%s' has %d", a->query, d, a->base, base->d);
    }
    t->ask.n = n;
    t->ask.d = base->d;
    return n < t->ask.at ? fail("'%s': recall @%lld of %lld rows", base->name, (long long)t->ask.at,
                                (long long)n)
                         : LBH_OK;
}

/* ---- The command --------------------------------------------------------------------------- */

static void describe(cJSON *doc, const tune_args *a, const tune_run *t, const vectors *base)
{
    char at[32];
    snprintf(at, sizeof at, "%lld@%lld", (long long)t->ask.k, (long long)t->ask.at);
    report_text(doc, "base", a->base);
    report_text(doc, "query", t->query ? t->query : "");
    report_number(doc, "n", (double)base->n);
    report_number(doc, "searched", (double)t->ask.n);
    report_number(doc, "d", base->d);
    report_text(doc, "recall_at", at);
    report_text(doc, "directory", a->out);
    report_number(doc, "trials", t->ndone);
    report_number(doc, "failed", t->failed);
    report_number(doc, "ways", t->npoints);
    report_seconds(doc, "seconds", t->spent);
    cJSON_AddBoolToObject(doc, "complete", t->complete);
}

static int finish(const tune_args *a, tune_run *t, const vectors *base)
{
    cJSON *doc = report_new("tune");
    int best = tune_best(&t->ask, t->point, t->npoints);
    bool whole = t->ask.n == base->n;
    int rc = best >= 0 ? LBH_OK
                       : fail("none of %d ways that were measured keeps the bounds", t->npoints);
    describe(doc, a, t, base);
    if (rc == LBH_OK)
        rc = tune_report(doc, t, best);
    if (rc == LBH_OK && !a->common.json)
        rc = tune_print(t, best);
    if (rc == LBH_OK && a->figure)
        rc = tune_draw(t, a->figure);
    if (rc == LBH_OK && a->output)
        rc = tune_write(t, &t->point[best], base, whole, a->output, doc);
    if (rc == LBH_OK && a->output && !a->common.json) {
        const char *parameters = cJSON_GetObjectItem(doc, "parameters")->valuestring;
        printf("'%s' is a %s, %s%s%s, of all %lld rows.\n", a->output,
               cJSON_GetObjectItem(doc, "kind")->valuestring,
               cJSON_GetObjectItem(doc, "factory")->valuestring, *parameters ? " with " : "", parameters,
               (long long)base->n);
    }
    if (rc || a->common.json)
        return common_end(doc, a->common.json, rc);
    cJSON_Delete(doc);
    return rc;
}

static int tune(const tune_args *a)
{
    char held[40] = "";
    vectors base = {0};
    tune_run t = {.base = a->base, .query_ids = a->query_ids, .dir = a->out, .command = "lbh tune",
                  .sample = a->sample, .queries = a->queries, .budget = a->time_limit,
                  .threads = a->common.threads > 0 ? (int)a->common.threads : omp_get_max_threads(),
                  .quiet = true,
                  .ask = {.metric = a->metric, .recall = a->recall, .seconds = a->query_us * 1e-6,
                          .bytes = a->bytes}};
    int rc = check_args(a);
    if (rc == LBH_OK)
        rc = parse_at(a->at, &t.ask.k, &t.ask.at);
    if (rc == LBH_OK)
        rc = open_rows(a, &base, &t, held);
    if (rc == LBH_OK && a->memory > 0) {
        double each = a->memory * 1e6 / (double)base.n;
        t.ask.bytes = t.ask.bytes > 0 ? fmin(t.ask.bytes, each) : each;
    }
    if (rc == LBH_OK)
        rc = tune_space_make(&t.space, &t.ask, a->methods, a->bits);
    if (rc == LBH_OK)
        rc = tune_run_all(&t);
    if (rc == LBH_OK)
        rc = finish(a, &t, &base);
    tune_run_free(&t);
    vectors_close(&base);
    return rc;
}

static int run(const command *self, int argc, char **argv)
{
    tune_args a = {.at = "10@10", .out = "lbh-tune", .time_limit = 120, .sample = 1000000,
                   .queries = 1000};
    const option_def defs[] = {
        {OPT_TEXT, 0, "base", "FILE", &a.base, 0, 0, "vectors to search in", 1},
        {OPT_TEXT, 0, "query", "FILE", &a.query, 0, 0, "vectors to look for (rows held out)", 0},
        {OPT_TEXT, 0, "query-ids", "FILE", &a.query_ids, 0, 0,
         "row of the base that each query is; left out", 0},
        {OPT_CHOICE, 0, "metric", "l2|ip|cosine", &a.metric, 0, 0, "what is near (l2)", 0},
        {OPT_NUMBER, 0, "recall", "F", &a.recall, 0, 1, "recall to be reached, by the fastest", 0},
        {OPT_NUMBER, 0, "query-us", "US", &a.query_us, 0, 1000000000,
         "microseconds a query, at most", 0},
        {OPT_NUMBER, 0, "memory", "MB", &a.memory, 0, 1000000000, "memory for all rows, at most", 0},
        {OPT_NUMBER, 0, "bytes", "B", &a.bytes, 0, 1000000000, "bytes an item, at most", 0},
        {OPT_TEXT, 0, "at", "K@N", &a.at, 0, 0,
         "recall: the K nearest among the first N answers (10@10)", 0},
        {OPT_TEXT, 'm', "methods", "LIST", &a.methods, 0, 0, "methods to try (those that may win)", 0},
        {OPT_TEXT, 'b', "bits", "LIST", &a.bits, 0, 0, "bits a code (by the bounds)", 0},
        {OPT_INT, 0, "sample", "N", &a.sample, 100, (int64_t)1 << 40,
         "rows of the base to measure on, at most (1000000)", 0},
        {OPT_INT, 0, "queries", "N", &a.queries, 1, (int64_t)1 << 30,
         "queries to measure with, at most (1000)", 0},
        {OPT_NUMBER, 0, "time-limit", "S", &a.time_limit, 1, 1000000000,
         "seconds for all trials (120)", 0},
        {OPT_TEXT, 0, "out", "DIR", &a.out, 0, 0, "where results are kept (lbh-tune)", 0},
        {OPT_TEXT, 0, "figure", "SVG", &a.figure, 0, 0, "figure of recall and speed to write", 0},
        {OPT_TEXT, 'o', "output", "FILE", &a.output, 0, 0,
         "what is recommended, of all rows: a pipeline, or an index of FAISS", 0},
        OPTIONS_COMMON(&a.common.json, &a.common.threads, &a.common.quiet),
        OPTIONS_LAST,
    };
    LBH_TRY(options_parse(self, defs, argc, argv, NULL));
    common_begin(&a.common);
    return tune(&a);
}

const command command_tune = {
    "tune", "Choose method, bits, ranking and index for a recall, a time or a memory",
    "--base FILE (--recall F | --query-us US | --memory MB | --bytes B) [-o FILE] [OPTIONS]",
    "Tries ours and FAISS's: with little training first, the best of them as usual, then indexes and\n"
    "shortlists of these; on rows that are held out if there are no queries. Prints\n"
    "the ways that no other beats in recall, speed and bytes at once, and recommends one (*): with\n"
    "--recall the fastest that reaches it, else the highest recall within the bounds. Results go to\n"
    "DIR as those of lbh bench (lbh report DIR draws them); after Ctrl-C or a crash the same command\n"
    "goes on where it was. FILE is a pipeline, or an index of FAISS's where one is recommended.\n"
    "LIST of --methods: sgh, sgh-decoder, itq, sigah; pq, opq, pqfs, sq, rabitq, flat,\n"
    "ivfpq, ivfopq, hnsw of FAISS (the last three where speed counts).\n",
    run};
