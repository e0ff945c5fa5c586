/* cmd_search.c: `lbh search`: the nearest codes of a file of queries. */
#include "code_file.h"
#include "common.h"
#include "rescoring.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct search_args {
    common common;
    const char *pipeline, *model, *index, *query, *codes, *query_ids, *ids, *distances;
    char *set;
    int64_t k;
    int bit_order, stock;
    rescore_args rescore;
    const char *base;
    int metric;
} search_args;

enum { METRIC_MODEL, METRIC_L2 }; /* then as LBH_METRIC_* + METRIC_L2 */

typedef struct answers {
    int64_t nq, k;
    int64_t *ids;
    int32_t *distances;
    float *scores; /* instead of distances, where answers are rescored */
} answers;

static double distance_of(const answers *r, int64_t i)
{
    return r->scores ? (double)r->scores[i] : r->distances[i];
}

/* Without -o: one line an answer. */
static void print_answers(const answers *r)
{
    printf("# query\tid\tdistance\n");
    for (int64_t q = 0; q < r->nq; q++)
        for (int64_t i = q * r->k; i < (q + 1) * r->k; i++)
            if (r->ids[i] >= 0)
                printf("%lld\t%lld\t%.9g\n", (long long)q, (long long)r->ids[i],
                       distance_of(r, i));
}

static int add_answers(cJSON *doc, const answers *r)
{
    cJSON *ids = cJSON_AddArrayToObject(doc, "ids");
    cJSON *distances = cJSON_AddArrayToObject(doc, "distances");
    for (int64_t q = 0; q < r->nq; q++) {
        cJSON *row_ids = cJSON_CreateArray(), *row_distances = cJSON_CreateArray();
        if (!ids || !distances || !row_ids || !row_distances)
            return fail_memory();
        for (int64_t i = q * r->k; i < (q + 1) * r->k && r->ids[i] >= 0; i++) {
            cJSON_AddItemToArray(row_ids, cJSON_CreateNumber((double)r->ids[i]));
            cJSON_AddItemToArray(row_distances, cJSON_CreateNumber(distance_of(r, i)));
        }
        cJSON_AddItemToArray(ids, row_ids);
        cJSON_AddItemToArray(distances, row_distances);
    }
    return LBH_OK;
}

static int output(const search_args *a, const answers *r, double seconds)
{
    if (cli_interrupted())
        return fail_cancelled();
    int rc = a->ids ? array_put(a->ids, ARRAY_IDS, r->nq, r->k, r->ids) : LBH_OK;
    if (rc == LBH_OK && a->distances)
        rc = r->scores ? array_put(a->distances, ARRAY_FLOATS, r->nq, r->k, r->scores)
                       : array_put(a->distances, ARRAY_INTS, r->nq, r->k, r->distances);
    if (rc)
        return rc;
    if (!a->ids && !a->common.json) {
        print_answers(r);
        return LBH_OK;
    }
    cJSON *doc = report_new("search");
    if (a->ids)
        report_text(doc, "ids", a->ids);
    else
        rc = add_answers(doc, r);
    report_number(doc, "queries", (double)r->nq);
    report_number(doc, "k", (double)r->k);
    report_seconds(doc, "search_seconds", seconds);
    report_number(doc, "queries_per_second", (double)r->nq / seconds);
    return common_end(doc, a->common.json, rc);
}

static int by_codes(const search_args *a, const lbh_encoder *enc, const FaissIndexBinary *index,
                    const vectors *query, const int64_t *own, answers *r, double *seconds)
{
    uint8_t *codes = NULL;
    double began = cli_now();
    int rc = a->codes ? codes_read_all(query, a->bit_order, &codes)
                      : encode_all(enc, query, ENCODE_QUERIES, &codes);
    if (rc == LBH_OK)
        rc = search_all(index, a->codes ? (size_t)query->d : lbh_encoder_code_size(enc), query->n,
                        codes, a->k, own, &r->distances, &r->ids);
    *seconds = cli_now() - began;
    free(codes);
    return rc;
}

static int by_rescorer(const search_args *a, const lbh_encoder *enc, const FaissIndexBinary *index,
                       const vectors *query, const int64_t *own, answers *r, double *seconds)
{
    vectors base;
    int metric = decoder_metric(enc, a->metric - METRIC_L2);
    if (a->base)
        LBH_TRY(vectors_open(&base, a->base));
    int rc = a->base ? vectors_fit_metric(&base, metric) : LBH_OK;
    if (rc == LBH_OK)
        rc = rescored_search(index, enc, query, &a->rescore, rescore_for(&a->rescore, enc).mode, metric,
                             a->base ? &base : NULL, a->k, own, &r->scores, &r->ids, seconds);
    if (a->base)
        vectors_close(&base);
    return rc;
}

static int by_index(const search_args *a, const vectors *query, const int64_t *own, answers *r, double *seconds)
{
    lbh_encoder *enc = NULL;
    FaissIndexBinary *index = NULL;
    int rc = a->model ? model_load(&enc, a->model, a->query ? query : NULL) : LBH_OK;
    if (rc == LBH_OK && a->codes)
        rc = codes_check(query, enc ? lbh_encoder_code_size(enc) : 0);
    if (rc == LBH_OK)
        rc = lbh_index_load(&index, a->index);
    if (rc == LBH_OK && !a->stock)
        rc = lbh_index_accelerate(&index);
    if (rc == LBH_OK && a->set)
        rc = cli_usage(lbh_index_set(index, a->set));
    if (rc == LBH_OK)
        rc = (a->rescore.mode ? by_rescorer : by_codes)(a, enc, index, query, own, r, seconds);
    lbh_index_free(index);
    lbh_encoder_free(enc);
    return rc;
}

/* A pipeline has all that a search needs, and ranks as it was told to. */
static int by_pipeline(const search_args *a, const vectors *query, const int64_t *own, answers *r,
                       double *seconds)
{
    lbh_pipeline *p = NULL;
    int rc = lbh_pipeline_load(&p, a->pipeline);
    if (rc == LBH_OK && lbh_pipeline_d(p) != query->d)
        rc = fail("'%s' has dimension %d, the pipeline is for dimension %d", query->name, query->d,
                  lbh_pipeline_d(p));
    if (rc == LBH_OK && a->set)
        rc = cli_usage(lbh_pipeline_set(p, a->set));
    if (rc == LBH_OK)
        rc = pipeline_search(p, query, a->k, own, &r->scores, &r->ids, seconds);
    lbh_pipeline_free(p);
    return rc;
}

static int check_pipeline_args(const search_args *a)
{
    if (!a->pipeline && !a->index)
        return fail_usage("search: option --index or --pipeline is missing (try 'lbh search --help')");
    if (a->pipeline && (a->index || a->model || a->codes || a->base || a->stock || a->metric ||
                        a->rescore.mode))
        return fail_usage("search: a pipeline has its model, index, vectors and ranking (--set): no other "
                          "goes with it");
    return LBH_OK;
}

static int check_args(const search_args *a)
{
    LBH_TRY(check_pipeline_args(a));
    if (!a->query == !a->codes)
        return fail_usage("search: give vectors (--query) or codes (--codes)");
    if (a->query && !a->model && !a->pipeline)
        return fail_usage("search: option --model is missing (try 'lbh search --help')");
    if (a->query && a->bit_order != BITS_LSB)
        return fail_usage("search: --bit-order is for --codes");
    int rc = rescore_check(&a->rescore);
    if (rc != LBH_OK)
        return rc;
    if (a->rescore.mode && !a->query)
        return fail_usage("search: --rescore needs vectors (--query), not codes");
    if ((a->rescore.mode == LBH_RESCORE_FLOAT) != (a->base != NULL))
        return fail_usage("search: --rescore float and --base, the vectors of the index, go together");
    if (a->ids)
        rc = array_check(a->ids, ARRAY_IDS);
    if (rc == LBH_OK && a->ids)
        rc = outfile_check(a->ids, false);
    if (rc == LBH_OK && a->distances)
        rc = array_check(a->distances,
                         a->rescore.mode || a->pipeline ? ARRAY_FLOATS : ARRAY_INTS);
    if (rc == LBH_OK && a->distances)
        rc = outfile_check(a->distances, false);
    return rc;
}

static int search(const search_args *a)
{
    vectors query;
    int64_t *own = NULL;
    double seconds = 0;
    LBH_TRY(check_args(a));
    LBH_TRY(vectors_open(&query, a->query ? a->query : a->codes));
    answers r = {.nq = query.n, .k = a->k};
    int rc = a->query_ids ? read_row_ids(a->query_ids, query.n, INT64_MAX, &own) : LBH_OK;
    if (rc == LBH_OK)
        rc = (a->pipeline ? by_pipeline : by_index)(a, &query, own, &r, &seconds);
    if (rc == LBH_OK)
        rc = output(a, &r, seconds);
    free(r.ids);
    free(r.distances);
    free(r.scores);
    free(own);
    vectors_close(&query);
    return rc;
}

static int run(const command *self, int argc, char **argv)
{
    search_args a = {.rescore = RESCORE_DEFAULTS, .k = 10};
    const option_def defs[] = {
        {OPT_TEXT, 0, "model", "MODEL", &a.model, 0, 0, "model file", 0},
        {OPT_TEXT, 0, "index", "INDEX", &a.index, 0, 0, "index file of 'lbh build' or of FAISS", 0},
        {OPT_TEXT, 0, "pipeline", "FILE", &a.pipeline, 0, 0,
         "or a pipeline, of 'lbh tune' or a program, instead of both", 0},
        {OPT_TEXT, 0, "query", "FILE", &a.query, 0, 0, "vectors to look for", 0},
        {OPT_TEXT, 0, "codes", "CODES", &a.codes, 0, 0, "or codes to look for; needs no model", 0},
        {OPT_CHOICE, 0, "bit-order", BIT_ORDERS, &a.bit_order, 0, 0,
         "bits of a byte of CODES: least (lsb, as FAISS) or most significant first", 0},
        {OPT_TEXT, 0, "query-ids", "FILE", &a.query_ids, 0, 0,
         "row of the base that each query is; left out", 0},
        {OPT_INT, 'k', "k", "K", &a.k, 1, 1 << 20, "answers a query (10)", 0},
        {OPT_JOIN, 's', "set", "NAME=VALUE", &a.set, 0, 0,
         "search parameter: nprobe, nflip, efSearch, ...; may repeat", 0},
        {OPT_FLAG, 0, "stock", 0, &a.stock, 0, 0, "FAISS's own search of BFlat and BIVF: slower",
         0},
        OPTIONS_RESCORE(&a.rescore, "none|margin|decoder|float|auto"),
        {OPT_TEXT, 0, "base", "FILE", &a.base, 0, 0,
         "float: vectors of the index, row i that of id i", 0},
        {OPT_CHOICE, 0, "metric", "model|l2|ip|cosine", &a.metric, 0, 0,
         "what rescoring goes by (that of the model)", 0},
        {OPT_TEXT, 'o', "output", "IDS", &a.ids, 0, 0, "ids; without it they are printed", 0},
        {OPT_TEXT, 0, "distances", "FILE", &a.distances, 0, 0, "Hamming distances, or scores", 0},
        OPTIONS_COMMON(&a.common.json, &a.common.threads, &a.common.quiet),
        OPTIONS_LAST,
    };
    int rc = options_parse(self, defs, argc, argv, NULL);
    if (rc == LBH_OK) {
        common_begin(&a.common);
        rc = search(&a);
    }
    free(a.set);
    return rc;
}

const command command_search = {
    "search", "Search an index",
    "(--pipeline FILE --query FILE | --index INDEX (--model MODEL --query FILE | --codes CODES))\n"
    "       [-k K] [-o IDS] [OPTIONS]",
    "IDS: .ivecs, .ibin or .npy, one row a query, nearest first, -1 where there are fewer answers.\n",
    run};
