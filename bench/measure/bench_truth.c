/* bench_truth.c: true neighbours, computed once for a data set and kept in files; the sample of
 * queries for full rankings. See bench_data.h.
 *
 * Recall looks at few neighbours of all queries, full rankings at many neighbours of some queries,
 * so there are two files; reading all neighbours of all queries would take longer than a search. */
#define _GNU_SOURCE
#include "bench_data.h"

#include "outfile.h"
#include "progress.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int bench_sample(bench_data *d, int64_t most)
{
    int64_t nq = d->query.n, count = most && most < nq ? most : nq;
    int64_t *rows = rows_evenly(nq, count);
    if (!rows)
        return LBH_ENOMEM;
    LBH_TRY(vectors_view(&d->sample, &d->query, NULL, "sample", count, rows));
    d->sample_rows = d->sample.pick;
    if (d->own && !(d->sample_own = cli_alloc(count, sizeof *d->sample_own)))
        return LBH_ENOMEM;
    for (int64_t i = 0; d->own && i < count; i++)
        d->sample_own[i] = d->own[rows[i]];
    if (!d->query_labels.start || !d->base_labels.start)
        return LBH_OK;
    int rc = labels_pick(&d->sample_labels, &d->query_labels, count, rows);
    return rc ? rc : relevance_labels(&d->label_rel, d->sample_own, &d->base_labels,
                                      &d->sample_labels);
}

static int64_t most_neighbours(const spec_measures *s)
{
    int64_t most = 1;
    for (int i = 0; i < s->k.count; i++)
        most = s->k.value[i] > most ? s->k.value[i] : most;
    return most;
}

static char *truth_path(const bench_data *d, const char *dir, const char *of, int64_t count,
                        int64_t k)
{
    char *path = NULL;
    if (asprintf(&path, "%s/truth/%016llx-%s-true-%s%lld-%lld.ivecs", dir,
                 (unsigned long long)d->digest, bench_metrics[d->spec->metric], of,
                 (long long)count, (long long)k) < 0) {
        fail_memory();
        return NULL;
    }
    return path;
}

/* rows[nq] of t (NULL: all), the first k neighbours of each. */
static int write_truth(const char *path, const truth *t, int64_t nq, const int64_t *rows, int64_t k)
{
    array_out out;
    k = k < t->k ? k : t->k;
    int rc = array_open(&out, path, ARRAY_IDS, nq, k);
    if (rc)
        return rc;
    for (int64_t q = 0; q < nq && rc == LBH_OK; q++)
        rc = array_write(&out, 1, t->ids + (rows ? rows[q] : q) * t->k);
    return array_close(&out, rc);
}

int bench_truth_paths(const bench_data *d, const spec_measures *s, const char *dir, char **near,
                      char **sample)
{
    *near = truth_path(d, dir, "q", d->query.n, most_neighbours(s));
    *sample = truth_path(d, dir, "s", d->sample.n, s->map_k);
    return *near && *sample ? LBH_OK : LBH_ENOMEM;
}

int bench_truth_make(bench_data *d, const spec_measures *s, const char *dir)
{
    if (d->spec->metric == BENCH_LABEL)
        return LBH_OK;
    int64_t k = most_neighbours(s);
    char *near, *sample, *folder = NULL;
    truth t = {0};
    int rc = bench_truth_paths(d, s, dir, &near, &sample);
    if (rc == LBH_OK && asprintf(&folder, "%s/truth", dir) < 0)
        rc = fail_memory();
    if (rc == LBH_OK && mkdir(folder, 0777) != 0 && errno != EEXIST)
        rc = fail_errno("make the directory", folder);
    bool have = rc == LBH_OK && access(near, R_OK) == 0 &&
                (!s->map_k || access(sample, R_OK) == 0);
    if (rc == LBH_OK && !have)
        rc = truth_compute(&t, &d->base, &d->query, d->own, k > s->map_k ? k : s->map_k,
                           bench_distance(d));
    if (rc == LBH_OK && !have && s->map_k)
        rc = write_truth(sample, &t, d->sample.n, d->sample_rows, s->map_k);
    if (rc == LBH_OK && !have)
        rc = write_truth(near, &t, d->query.n, NULL, k);
    truth_free(&t);
    free(near);
    free(sample);
    free(folder);
    return rc;
}

int bench_truth_open(bench_data *d, const spec_measures *s, const char *dir)
{
    if (d->spec->metric == BENCH_LABEL)
        return LBH_OK;
    int64_t k = most_neighbours(s);
    char *near, *sample;
    int rc = bench_truth_paths(d, s, dir, &near, &sample);
    if (rc == LBH_OK)
        rc = truth_read(&d->near, near, &d->base, &d->query, NULL, k);
    if (rc == LBH_OK && s->map_k)
        rc = truth_read(&d->sample_near, sample, &d->base, &d->sample, NULL, s->map_k);
    if (rc == LBH_OK && s->map_k)
        rc = relevance_near(&d->near_rel, d->base.n, d->sample_own, &d->sample_near, s->map_k);
    free(near);
    free(sample);
    return rc;
}
