/* bench_measure.c: answers and their times. See bench_measure.h.
 *
 * Times are those of a search for `answers` neighbours (10), as a user would ask for; recall
 * further down, up to 1000, needs a longer search, which is done once and not timed. A search
 * holds all that must be done for a query: encoding it, or building look-up tables. */
#include "bench_measure.h"

#include "progress.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 1024, LATENCIES = 1000 };

/* Repeats and single queries end early where one takes long. */
static const double REPEAT_SECONDS = 10, LATENCY_SECONDS = 2;

void add_number(cJSON *o, const char *name, double value)
{
    if (isfinite(value))
        cJSON_AddNumberToObject(o, name, short_number(value));
}

double short_number(double value)
{
    char text[32];
    snprintf(text, sizeof text, "%.7g", value);
    return strtod(text, NULL);
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double median_of(double *x, int n)
{
    if (n < 1)
        return NAN;
    qsort(x, (size_t)n, sizeof *x, compare_doubles);
    return (x[(n - 1) / 2] + x[n / 2]) / 2;
}

double nearest_rank(const double *x, int n, double share)
{
    return x[(int)fmax(ceil(share * n) - 1, 0)];
}

int bench_query_floats(const bench_data *d, float **x)
{
    *x = cli_alloc(d->query.n * d->query.d, sizeof **x);
    return *x ? vectors_floats(&d->query, 0, d->query.n, *x) : LBH_ENOMEM;
}

/* ---- Searches ------------------------------------------------------------------------------ */

int measure_search(const bench_engine *e, int64_t n, const float *x, const int64_t *own, int64_t k,
                   int64_t *ids, double *seconds)
{
    int64_t want = own ? k + 1 : k;
    int64_t *block = own ? cli_alloc((n < BLOCK ? n : BLOCK) * want, sizeof *block) : NULL;
    int rc = own && !block ? LBH_ENOMEM : LBH_OK;
    for (int64_t q = 0; q < n && rc == LBH_OK; q += BLOCK) {
        int64_t count = n - q < BLOCK ? n - q : BLOCK, *to = own ? block : ids + q * k;
        if (n > 1)
            rc = progress_tick("search", q, n);
        if (rc || cli_interrupted())
            return free(block), rc ? rc : fail_cancelled();
        double began = cli_now();
        rc = engine_answers(e, count, x + q * e->data->base.d, want, to);
        *seconds += cli_now() - began;
        if (rc || !own)
            continue;
        drop_own(count, k, own + q, block, NULL);
        memcpy(ids + q * k, block, (size_t)(count * k) * sizeof *ids);
    }
    free(block);
    return rc;
}

static int add_times(cJSON *o, const spec_measures *s, const bench_engine *e, const float *x,
                     int64_t k, int64_t *ids)
{
    const bench_data *d = e->data;
    double seconds[1000], total = 0;
    int repeats = 0, rc = LBH_OK;
    while (repeats < s->repeats && rc == LBH_OK && (repeats == 0 || total < REPEAT_SECONDS)) {
        seconds[repeats] = 0;
        rc = measure_search(e, d->query.n, x, d->own, k, ids, &seconds[repeats]);
        total += rc == LBH_OK ? seconds[repeats] : 0;
        repeats++;
    }
    if (rc)
        return rc;
    double median = median_of(seconds, repeats);
    add_number(o, "search_s", median);
    add_number(o, "qps", (double)d->query.n / median);
    add_number(o, "answers", (double)k);
    add_number(o, "repeats", repeats);
    return LBH_OK;
}

/* Queries one by one, at even distances. */
static int add_latency(cJSON *o, const bench_engine *e, const float *x, int64_t k)
{
    const bench_data *d = e->data;
    static const struct {
        const char *name;
        double share;
    } parts[] = {{"p50", .5}, {"p95", .95}, {"p99", .99}};
    double ms[LATENCIES], total = 0, one;
    int64_t most = d->query.n < LATENCIES ? d->query.n : LATENCIES, *ids;
    int count = 0, rc = LBH_OK;
    ids = cli_alloc(k, sizeof *ids);
    if (!ids)
        return LBH_ENOMEM;
    for (int64_t i = 0; i < most && rc == LBH_OK && total < LATENCY_SECONDS; i++) {
        int64_t q = (int64_t)((double)i * (double)d->query.n / (double)most);
        one = 0;
        rc = measure_search(e, 1, x + q * d->query.d, d->own ? d->own + q : NULL, k, ids, &one);
        total += one;
        ms[count++] = one * 1e3;
    }
    free(ids);
    if (rc)
        return rc;
    cJSON *latency = cJSON_AddObjectToObject(o, "latency_ms");
    qsort(ms, (size_t)count, sizeof *ms, compare_doubles);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        add_number(latency, parts[i].name, nearest_rank(ms, count, parts[i].share));
    return LBH_OK;
}

/* ---- Recall, precision --------------------------------------------------------------------- */

/* Answers of the timed search and of the longer one. */
typedef struct answers {
    int64_t k, *ids, longer_k, *longer;
} answers;

/* The answers that hold the first N: those of the timed search, if there are so many. */
static const int64_t *holding(const answers *a, int64_t n, int64_t *stride)
{
    bool small = n <= a->k || !a->longer;
    *stride = small ? a->k : a->longer_k;
    return small ? a->ids : a->longer;
}

static void add_recall(cJSON *o, const bench_data *d, const spec_measures *s, const answers *a)
{
    cJSON *all = cJSON_AddArrayToObject(o, "recall");
    for (int i = 0; i < s->k.count; i++) {
        cJSON *one = cJSON_CreateObject(), *at, *value;
        cJSON_AddItemToArray(all, one);
        cJSON_AddNumberToObject(one, "k", (double)s->k.value[i]);
        at = cJSON_AddArrayToObject(one, "at");
        value = cJSON_AddArrayToObject(one, "value");
        for (int j = 0; j < s->at.count; j++) {
            int64_t n = s->at.value[j], stride;
            const int64_t *ids = holding(a, n, &stride);
            cJSON_AddItemToArray(at, cJSON_CreateNumber((double)n));
            cJSON_AddItemToArray(value, cJSON_CreateNumber(short_number(
                                            recall_at(&d->near, ids, stride, s->k.value[i], n))));
        }
    }
}

/* Share of relevant rows among the first N answers, mean over the queries of the sample. */
static int add_precision(cJSON *o, const bench_data *d, const answers *a)
{
    static const int64_t ranks[] = {1, 10, 100, 1000};
    const relevance *rel = bench_relevance(d);
    if (!rel->nq)
        return LBH_OK;
    int64_t *items = cli_alloc(rel->most, sizeof *items), most = a->longer ? a->longer_k : a->k;
    uint8_t *scratch = cli_alloc(rel->n, 1), *mark = cli_alloc(rel->n, 1);
    double hits[4] = {0};
    if (!items || !scratch || !mark) {
        free(items);
        free(scratch);
        free(mark);
        return LBH_ENOMEM;
    }
    memset(scratch, 0, (size_t)rel->n);
    memset(mark, 0, (size_t)rel->n);
    for (int64_t q = 0; q < rel->nq; q++) {
        int64_t count = relevance_of(rel, q, items, scratch);
        for (int64_t i = 0; i < count; i++)
            mark[items[i]] = 1;
        for (int r = 0; r < 4 && ranks[r] <= most; r++) {
            int64_t stride;
            const int64_t *ids = holding(a, ranks[r], &stride) + d->sample_rows[q] * stride;
            for (int64_t i = 0; i < ranks[r]; i++)
                hits[r] += ids[i] >= 0 && mark[ids[i]];
        }
        for (int64_t i = 0; i < count; i++)
            mark[items[i]] = 0;
    }
    cJSON *precision = cJSON_AddObjectToObject(o, "precision");
    cJSON *at = cJSON_AddArrayToObject(precision, "at");
    cJSON *value = cJSON_AddArrayToObject(precision, "value");
    for (int r = 0; r < 4 && ranks[r] <= most; r++) {
        cJSON_AddItemToArray(at, cJSON_CreateNumber((double)ranks[r]));
        cJSON_AddItemToArray(value, cJSON_CreateNumber(short_number(
                                        hits[r] / (double)ranks[r] / (double)rel->nq)));
    }
    free(items);
    free(scratch);
    free(mark);
    return LBH_OK;
}

static int64_t longest(const bench_data *d, const spec_measures *s)
{
    int64_t most = s->answers, rows = d->base.n - (d->own ? 1 : 0);
    for (int i = 0; i < s->at.count; i++)
        most = s->at.value[i] > most ? s->at.value[i] : most;
    return most < rows ? most : rows;
}

int measure_answers(cJSON *o, const spec_measures *s, const bench_engine *e, const float *x)
{
    const bench_data *d = e->data;
    answers a = {.longer_k = longest(d, s)};
    double ignored = 0;
    a.k = s->answers < a.longer_k ? s->answers : a.longer_k;
    a.ids = cli_alloc(d->query.n * a.k, sizeof *a.ids);
    int rc = a.ids ? add_times(o, s, e, x, a.k, a.ids) : LBH_ENOMEM;
    if (rc == LBH_OK)
        rc = add_latency(o, e, x, a.k);
    if (rc == LBH_OK && a.longer_k > a.k) {
        a.longer = cli_alloc(d->query.n * a.longer_k, sizeof *a.longer);
        rc = a.longer ? measure_search(e, d->query.n, x, d->own, a.longer_k, a.longer, &ignored)
                      : LBH_ENOMEM;
    }
    if (rc == LBH_OK && d->near.ids)
        add_recall(o, d, s, &a);
    if (rc == LBH_OK)
        rc = add_precision(o, d, &a);
    free(a.ids);
    free(a.longer);
    return rc;
}
