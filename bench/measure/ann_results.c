/* ann_results.c: see ann_results.h. The data set is written by ann_data.c. */
#define _POSIX_C_SOURCE 200809L
#include "ann_job.h"

#include "ann_file.h"
#include "progress.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RUNS = 3 };

static bool is_set_name(const char *name)
{
    const char *p = name;
    while (isalnum((unsigned char)*p) || *p == '.' || *p == '-')
        p++;
    return p > name && !*p && p - name <= 128;
}

int ann_check(const ann_args *a, int metric, bool by_decoder, const rescore_args *rescore)
{
    if (!a->dir)
        return a->set ? fail_usage("--ann-set goes with --ann-benchmarks") : LBH_OK;
    LBH_TRY(ann_available());
    if (metric < LBH_METRIC_L2 || metric > LBH_METRIC_COSINE)
        return fail_usage("--ann-benchmarks is of true neighbours: --metric l2, ip or cosine");
    if (by_decoder)
        return fail_usage("--ann-benchmarks is of the answers of an index: --score hamming, with "
                          "--rescore decoder if the decoder shall rank");
    if (rescore->mode == RESCORE_ALL)
        return fail_usage("--ann-benchmarks takes one way to rescore at a time, not all");
    /* Its website splits names at underscores. */
    if (a->set && !is_set_name(a->set))
        return fail_usage("--ann-set '%s': a name is up to 128 letters, digits, dots and hyphens",
                          a->set);
    return LBH_OK;
}

/* ---- Names --------------------------------------------------------------------------------- */

/* Like sift-128-euclidean; a file that is called so already keeps its name. */
static void name_set(export_job *j)
{
    const vectors *base = j->r->base;
    const char *kind = j->augmented ? "mips" : ann_distance_names[j->distance];
    const char *name = j->r->stem ? j->r->stem : base->name, *slash = strrchr(name, '/');
    char stem[129], tail[64];
    snprintf(stem, sizeof stem, "%s", slash ? slash + 1 : name);
    stem[strcspn(stem, ".:@")] = '\0';
    for (char *p = stem; *p; p++)
        if (!isalnum((unsigned char)*p) && *p != '-')
            *p = '-';
    snprintf(tail, sizeof tail, "-%d-%s", base->d, kind);
    size_t length = strlen(stem), end = strlen(tail);
    bool named = length > end && strcmp(stem + length - end, tail) == 0;
    snprintf(j->set, sizeof j->set, "%s%s", *stem ? stem : "set", named ? "" : tail);
    if (j->a->set)
        snprintf(j->set, sizeof j->set, "%s", j->a->set);
}

static int result_path(const export_job *j, const char *name, char *path, size_t size)
{
    char file[2 * ANN_NAME];
    size_t length = 0;
    for (const char *p = name; *p && length + 1 < sizeof file; p++)
        if (isalnum((unsigned char)*p))
            file[length++] = *p;
        else if (length && file[length - 1] != '_')
            file[length++] = '_';
    while (length && file[length - 1] == '_')
        length--;
    file[length] = '\0';
    int n = snprintf(path, size, "%s/results/%s/%lld/lbh-%s/%s.hdf5", j->a->dir, j->set,
                     (long long)j->k, j->r->method, file);
    return n > 0 && (size_t)n < size ? LBH_OK : fail_usage("'%s' is too long a path", j->a->dir);
}

/* ---- The search ---------------------------------------------------------------------------- */

/* All queries once; keeps the times if they are the best so far. */
static int search_run(export_job *j, int64_t want, int64_t *found, float *times)
{
    const vectors *query = j->r->query;
    double sum = 0;
    for (int64_t q = 0; q < query->n; q++) {
        int rc = q % 64 ? LBH_OK : progress_tick("search, one by one", q, query->n);
        if (rc == LBH_OK)
            rc = vectors_floats(query, q, 1, j->query);
        double began = cli_now();
        if (rc == LBH_OK)
            rc = engine_answers(j->r->engine, 1, j->query, want, found);
        double took = cli_now() - began;
        if (rc)
            return rc;
        times[q] = (float)took;
        sum += took;
        int64_t kept = 0, *ids = j->ids + q * j->k;
        for (int64_t i = 0; i < want && kept < j->k; i++)
            if (found[i] >= 0 && !(j->r->own && found[i] == j->r->own[q]))
                ids[kept++] = found[i];
        while (kept < j->k)
            ids[kept++] = -1;
    }
    progress_clear();
    if (sum / (double)query->n < j->best) {
        j->best = sum / (double)query->n;
        memcpy(j->times, times, (size_t)query->n * sizeof *times);
    }
    return LBH_OK;
}

static int search_runs(export_job *j)
{
    int64_t want = j->k + (j->r->own ? 1 : 0);
    float *times = cli_alloc(j->r->query->n, sizeof *times);
    int64_t *found = cli_alloc(want, sizeof *found);
    int rc = found && times ? LBH_OK : LBH_ENOMEM;
    j->best = HUGE_VAL;
    for (int run = 0; run < RUNS && rc == LBH_OK; run++)
        rc = search_run(j, want, found, times);
    free(found);
    free(times);
    return rc;
}

/* ---- The results --------------------------------------------------------------------------- */

static void write_attributes(ann_file *f, const export_job *j, const char *name, int64_t answers)
{
    char algorithm[ANN_NAME];
    snprintf(algorithm, sizeof algorithm, "lbh-%s", j->r->method);
    ann_text(f, "algo", algorithm);
    ann_text(f, "name", name);
    ann_text(f, "dataset", j->set);
    ann_text(f, "distance", ann_distance_names[j->distance]);
    ann_bool(f, "batch_mode", false);
    ann_bool(f, "expect_extra", false);
    ann_int(f, "count", j->k);
    ann_int(f, "run_count", RUNS);
    ann_number(f, "best_search_time", j->best);
    ann_number(f, "build_time", j->r->build_seconds);
    ann_number(f, "candidates", (double)answers / (double)j->r->query->n);
    ann_number(f, "index_size", j->r->bytes * (double)j->r->base->n / 1024);
}

/* k places a query, those behind the last answer with id -1 at distance infinity. */
static int write_answers(ann_file *f, const export_job *j, int64_t *answers)
{
    int64_t nq = j->r->query->n, k = j->k;
    int32_t *ids = cli_alloc(nq * k, sizeof *ids);
    float *distances = cli_alloc(nq * k, sizeof *distances);
    int rc = ids && distances ? LBH_OK : LBH_ENOMEM;
    *answers = 0;
    for (int64_t q = 0; q < nq && rc == LBH_OK; q++) {
        rc = vectors_floats(j->r->query, q, 1, j->query);
        for (int64_t i = 0; i < k && rc == LBH_OK; i++) {
            int64_t id = j->ids[q * k + i];
            double distance = HUGE_VAL;
            if (id >= 0)
                rc = ann_distance(j, id, &distance);
            *answers += id >= 0;
            ids[q * k + i] = (int32_t)id;
            distances[q * k + i] = (float)distance;
        }
    }
    ann_set(f, "times", ANN_F32, nq, 0);
    ann_append(f, nq, j->times);
    ann_set(f, "neighbors", ANN_I32, nq, k);
    if (rc == LBH_OK)
        ann_append(f, nq, ids);
    ann_set(f, "distances", ANN_F32, nq, k);
    if (rc == LBH_OK)
        ann_append(f, nq, distances);
    free(ids);
    free(distances);
    return rc;
}

static int write_results(const export_job *j)
{
    char path[ANN_PATH], name[ANN_NAME];
    int64_t answers;
    ann_file *f;
    /* what the point in the plot is called */
    snprintf(name, sizeof name, "lbh-%s(%s)", j->r->method, j->r->parameters);
    LBH_TRY(result_path(j, name, path, sizeof path));
    LBH_TRY(ann_create(&f, path));
    int rc = write_answers(f, j, &answers);
    if (rc == LBH_OK)
        write_attributes(f, j, name, answers);
    rc = ann_close(f, rc);
    if (rc == LBH_OK)
        progress_note("wrote %s", path);
    return rc;
}

int ann_export(const ann_args *a, const ann_run *named)
{
    const bench_data *d = named->engine->data;
    vectors base = d->base, query = d->query;
    ann_run run = *named, *r = &run;
    run.base = &base;
    run.query = &query;
    run.own = d->own;
    run.metric = bench_distance(d);
    if (r->metric == LBH_METRIC_COSINE) /* its distance is of unit vectors */
        base.unit = query.unit = true;
    export_job j = {.a = a, .r = r, .k = a->k, .augmented = r->metric == LBH_METRIC_IP};
    if (r->base->n > INT32_MAX)
        return fail("ann-benchmarks has 32-bit ids; '%s' has %lld rows", r->base->name,
                    (long long)r->base->n);
    if (r->metric != LBH_METRIC_IP && r->base->unit && r->query->unit)
        j.distance = ANGULAR;
    else if (r->metric == LBH_METRIC_L2 && r->base->bits && r->query->bits)
        j.distance = HAMMING;
    name_set(&j);
    j.ids = cli_alloc(r->query->n * j.k, sizeof *j.ids);
    j.times = cli_alloc(r->query->n, sizeof *j.times);
    j.query = cli_alloc(r->base->d + 1, sizeof *j.query);
    j.row = cli_alloc(r->base->d + 1, sizeof *j.row);
    int rc = j.ids && j.times && j.query && j.row ? LBH_OK : LBH_ENOMEM;
    if (rc == LBH_OK && j.augmented)
        rc = ann_measure_norms(&j);
    if (rc == LBH_OK)
        rc = ann_write_data(&j);
    if (rc == LBH_OK)
        rc = search_runs(&j);
    if (rc == LBH_OK)
        rc = write_results(&j);
    free(j.added);
    free(j.ids);
    free(j.times);
    free(j.query);
    free(j.row);
    return rc;
}
