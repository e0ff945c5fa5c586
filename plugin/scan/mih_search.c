/* mih_search.c: searches in a multi-index hash: queries shared among threads, each with the tables
 * as long as that is cheaper than reading all codes; those for which it is not are answered by one
 * exhaustive scan for them all. */
#include "hamming_run.h"
#include "mih_probe.h"

#include "error.h"
#include "watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Nanoseconds a byte of codes in an exhaustive scan, for one query and in a batch, and the number
 * of queries that makes a batch; see the costs in mih_probe.c. */
static const double scan_ns = 0.044, batch_scan_ns = 0.011;
enum { BATCH = 8 };

/* A search of k codes, or (k = 0) of all within a radius. */
typedef struct job {
    const lbh_mih *mih;
    int64_t nq, k;
    const uint8_t *queries;
    int limit;
    double budget;      /* of a query, ns */
    bool *dear;         /* [nq] to be scanned for */
    int32_t *distances; /* k > 0: nq x k */
    int64_t *labels;
    int64_t *count; /* k = 0: [nq] answers found, and their keys */
    uint64_t **key;
} job;

static int64_t label_of(const lbh_mih *mih, int64_t row)
{
    return mih->ids ? mih->ids[row] : row;
}

/* ---- With the tables ----------------------------------------------------------------------- */

static void put_nearest(const job *j, int64_t q, const lbh_topk *found)
{
    int32_t *distances = j->distances + q * j->k;
    int64_t *labels = j->labels + q * j->k;
    for (int64_t i = 0; i < j->k; i++) {
        bool there = i < found->count;
        distances[i] = there ? (int32_t)lbh_topk_score(found->key[i]) : INT32_MAX;
        labels[i] = there ? label_of(j->mih, (uint32_t)found->key[i]) : -1;
    }
}

static int put_range(const job *j, int64_t q, const lbh_topk *found)
{
    size_t size = (size_t)found->count * sizeof *found->key;
    j->key[q] = malloc(size + 1);
    if (!j->key[q])
        return lbh_error(LBH_ENOMEM, "mih: no memory for %lld answers", (long long)found->count);
    memcpy(j->key[q], found->key, size);
    j->count[q] = found->count;
    return LBH_OK;
}

static int probe_one(const job *j, lbh_probe *probe, int64_t q)
{
    const uint8_t *query = j->queries + (size_t)q * j->mih->code_size;
    int rc = lbh_probe_query(probe, query, j->limit, j->budget);
    if (rc == LBH_PROBE_TOO_DEAR) {
        j->dear[q] = true;
        return LBH_OK;
    }
    LBH_TRY(rc);
    if (j->k == 0)
        return put_range(j, q, &probe->found);
    put_nearest(j, q, &probe->found);
    return LBH_OK;
}

static void add_stats(lbh_mih_stats *sum, const lbh_mih_stats *s)
{
    sum->buckets += s->buckets;
    sum->candidates += s->candidates;
    sum->checked += s->checked;
}

/* An error in any thread ends the rest of the work; its text is the caller's. */
static int probe_all(const job *j, lbh_mih_stats *stats)
{
    char text[512] = "";
    int failed = LBH_OK;
    bool stop = false;
#pragma omp parallel if (j->nq > 1)
    {
        lbh_probe *probe = NULL;
        int rc = lbh_probe_new(&probe, j->mih, j->k);
#pragma omp for schedule(dynamic, 4)
        for (int64_t q = 0; q < j->nq; q++)
            if (rc == LBH_OK && !lbh_watch_stopped(&stop))
                rc = probe_one(j, probe, q);
#pragma omp critical
        {
            if (rc != LBH_OK && failed == LBH_OK) {
                failed = rc;
                snprintf(text, sizeof text, "%s", lbh_last_error());
            }
            if (probe)
                add_stats(stats, &probe->stats);
        }
        lbh_probe_free(probe);
    }
    LBH_TRY(lbh_watch_check());
    return failed ? lbh_error(failed, "%s", text) : LBH_OK;
}

/* ---- Without ------------------------------------------------------------------------------- */

/* Queries for which the tables are too dear, one after another; the caller frees. */
static int gather(const job *j, int64_t *count, uint8_t **queries)
{
    size_t size = j->mih->code_size;
    *count = 0;
    for (int64_t q = 0; q < j->nq; q++)
        *count += j->dear[q];
    *queries = malloc((size_t)*count * size + 1);
    if (!*queries)
        return lbh_error(LBH_ENOMEM, "mih: no memory for %lld queries", (long long)*count);
    uint8_t *to = *queries;
    for (int64_t q = 0; q < j->nq; q++)
        if (j->dear[q]) {
            memcpy(to, j->queries + (size_t)q * size, size);
            to += size;
        }
    return LBH_OK;
}

static lbh_hamming scan_of(const lbh_mih *mih, int64_t count, const uint8_t *queries)
{
    return (lbh_hamming){.nq = count,
                         .queries = queries,
                         .code_size = mih->code_size,
                         .n = mih->n,
                         .codes = mih->codes,
                         .rows = mih->rows,
                         .row_bits = mih->row_bits};
}

/* Of a damaged file they may be anything. */
static int check_rows(const lbh_mih *mih, int64_t n, const int64_t *rows)
{
    for (int64_t i = 0; i < n; i++)
        if (rows[i] >= mih->n)
            return lbh_error(LBH_EFORMAT, "mih: damaged index: row %lld of %lld", (long long)rows[i],
                             (long long)mih->n);
    return LBH_OK;
}

static int scan_nearest(const job *j, int64_t count, const uint8_t *queries)
{
    const lbh_mih *mih = j->mih;
    lbh_hamming h = scan_of(mih, count, queries);
    size_t answers = (size_t)count * (size_t)j->k;
    int32_t *distances = malloc(answers * sizeof *distances);
    int64_t *labels = malloc(answers * sizeof *labels);
    h.distances = distances;
    h.labels = labels;
    int rc = distances && labels ? lbh_hamming_search_array(&h, j->k)
                                 : lbh_error(LBH_ENOMEM, "mih: no memory for %zu answers", answers);
    if (rc == LBH_OK)
        rc = check_rows(mih, (int64_t)answers, labels);
    for (int64_t q = 0, at = 0; rc == LBH_OK && q < j->nq; q++) {
        if (!j->dear[q])
            continue;
        memcpy(j->distances + q * j->k, distances + at, (size_t)j->k * sizeof *distances);
        for (int64_t i = 0; i < j->k; i++, at++)
            j->labels[q * j->k + i] = labels[at] < 0 ? -1 : label_of(mih, labels[at]);
    }
    free(distances);
    free(labels);
    return rc;
}

static int scan_range(const job *j, int64_t count, const uint8_t *queries)
{
    const lbh_mih *mih = j->mih;
    lbh_range_result *r = NULL;
    lbh_hamming h = scan_of(mih, count, queries);
    LBH_TRY(lbh_hamming_range_array(&r, &h, (int32_t)j->limit + 1));
    int rc = check_rows(mih, r->lims[count], r->labels);
    for (int64_t q = 0, at = 0; rc == LBH_OK && q < j->nq; q++) {
        if (!j->dear[q] || (rc = lbh_watch_check()) != LBH_OK)
            continue;
        int64_t found = r->lims[at + 1] - r->lims[at];
        j->key[q] = malloc((size_t)found * sizeof **j->key + 1);
        if (!j->key[q])
            rc = lbh_error(LBH_ENOMEM, "mih: no memory for %lld answers", (long long)found);
        for (int64_t i = 0; j->key[q] && i < found; i++)
            j->key[q][i] = lbh_topk_key((float)r->distances[r->lims[at] + i],
                                        (uint32_t)r->labels[r->lims[at] + i]);
        j->count[q] = found;
        at++;
    }
    lbh_range_result_free(r);
    return rc;
}

static int scan_rest(const job *j, lbh_mih_stats *stats)
{
    int64_t count;
    uint8_t *queries;
    LBH_TRY(gather(j, &count, &queries));
    int rc = LBH_OK;
    if (count)
        rc = j->k ? scan_nearest(j, count, queries) : scan_range(j, count, queries);
    stats->scanned += count;
    free(queries);
    return rc;
}

static int probe_and_scan(job *j, lbh_mih_stats *stats)
{
    lbh_mih_stats done = {.queries = j->nq};
    double bytes = (double)j->mih->n * (double)j->mih->code_size;
    j->budget = bytes * (j->nq < BATCH ? scan_ns : batch_scan_ns);
    j->dear = calloc((size_t)j->nq + 1, sizeof *j->dear);
    if (!j->dear)
        return lbh_error(LBH_ENOMEM, "mih: no memory for %lld queries", (long long)j->nq);
    int rc = LBH_OK;
    if ((double)j->k > j->budget) /* so many answers cannot be gathered one by one */
        memset(j->dear, true, (size_t)j->nq);
    else
        rc = probe_all(j, &done);
    if (rc == LBH_OK)
        rc = scan_rest(j, &done);
    free(j->dear);
    if (rc == LBH_OK && stats) {
        stats->queries += done.queries;
        stats->scanned += done.scanned;
        add_stats(stats, &done);
    }
    return rc;
}

static int run(job *j, lbh_mih_stats *stats)
{
    lbh_watch_begin("search", j->nq);
    return lbh_watch_end(probe_and_scan(j, stats));
}

/* ---- Entry points -------------------------------------------------------------------------- */

static int check_queries(const lbh_mih *mih, int64_t nq, const uint8_t *queries)
{
    if (!mih)
        return lbh_error(LBH_EINVAL, "mih: no index given");
    if (nq < 0 || nq > INT64_MAX / 2 / LBH_MIH_MAX_CODE_SIZE)
        return lbh_error(LBH_EINVAL, "mih: the number of queries (%lld) is impossible",
                         (long long)nq);
    if (nq > 0 && !queries)
        return lbh_error(LBH_EINVAL, "mih: no queries given");
    return LBH_OK;
}

int lbh_mih_search(const lbh_mih *mih, int64_t nq, const uint8_t *queries, int64_t k,
                   int32_t *distances, int64_t *labels, lbh_mih_stats *stats)
{
    LBH_TRY(check_queries(mih, nq, queries));
    if (k < 1 || k > INT32_MAX || nq > INT64_MAX / 16 / k)
        return lbh_error(LBH_EINVAL,
                         "mih: k (%lld) must be within 1..%d, and the answers to %lld queries must "
                         "fit into memory",
                         (long long)k, INT32_MAX, (long long)nq);
    if (nq > 0 && (!distances || !labels))
        return lbh_error(LBH_EINVAL, "mih: no place for the answers given");
    job j = {.mih = mih,
             .nq = nq,
             .k = k,
             .queries = queries,
             .limit = 8 * (int)mih->code_size,
             .distances = distances,
             .labels = labels};
    return run(&j, stats);
}

/* The keys of all queries as a result. */
static int collect(lbh_range_result **result, const job *j)
{
    int64_t total = 0;
    for (int64_t q = 0; q < j->nq; q++)
        total += j->count[q];
    lbh_range_result *r = calloc(1, sizeof *r);
    if (r) {
        r->n = j->nq;
        r->lims = calloc((size_t)j->nq + 1, sizeof *r->lims);
        r->distances = malloc((size_t)total * sizeof *r->distances + 1);
        r->labels = malloc((size_t)total * sizeof *r->labels + 1);
    }
    if (!r || !r->lims || !r->distances || !r->labels) {
        lbh_range_result_free(r);
        return lbh_error(LBH_ENOMEM, "mih: no memory for %lld answers", (long long)total);
    }
    int rc = LBH_OK;
    for (int64_t q = 0, at = 0; q < j->nq && (rc = lbh_watch_check()) == LBH_OK; q++) {
        for (int64_t i = 0; i < j->count[q]; i++, at++) {
            r->distances[at] = (int32_t)lbh_topk_score(j->key[q][i]);
            r->labels[at] = label_of(j->mih, (uint32_t)j->key[q][i]);
        }
        r->lims[q + 1] = at;
    }
    if (rc == LBH_OK)
        *result = r;
    else
        lbh_range_result_free(r);
    return rc;
}

static int run_range(lbh_range_result **result, job *j, lbh_mih_stats *stats)
{
    LBH_TRY(run(j, stats));
    return collect(result, j);
}

int lbh_mih_range(lbh_range_result **result, const lbh_mih *mih, int64_t nq, const uint8_t *queries,
                  int32_t radius, lbh_mih_stats *stats)
{
    LBH_TRY(check_queries(mih, nq, queries));
    if (!result)
        return lbh_error(LBH_EINVAL, "mih: nowhere to put the result");
    int nbits = 8 * (int)mih->code_size;
    job j = {.mih = mih,
             .nq = nq,
             .queries = queries,
             .limit = radius <= 0      ? -1
                      : radius > nbits ? nbits
                                       : (int)radius - 1};
    j.count = calloc((size_t)nq + 1, sizeof *j.count);
    j.key = calloc((size_t)nq + 1, sizeof *j.key);
    lbh_watch_begin("search", nq);
    int rc = j.count && j.key
                 ? run_range(result, &j, stats)
                 : lbh_error(LBH_ENOMEM, "mih: no memory for %lld queries", (long long)nq);
    rc = lbh_watch_end(rc);
    for (int64_t q = 0; j.key && q < nq; q++)
        free(j.key[q]);
    free(j.key);
    free(j.count);
    return rc;
}
