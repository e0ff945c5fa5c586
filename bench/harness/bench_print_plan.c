/* bench_print_plan.c: see bench_print_plan.h. Files are named by the digest of their set. */
#define _GNU_SOURCE
#include "bench_print_plan.h"

#include "bench_job.h"
#include "bench_rival.h"
#include "encode.h"
#include "output.h"
#include "outfile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- Rows ---------------------------------------------------------------------------------- */

static int write_block(void *ctx, int64_t first, int64_t count, const float *x)
{
    (void)first;
    return array_write(ctx, count, x);
}

static int write_floats(const char *path, const vectors *v)
{
    array_out out;
    LBH_TRY(array_open(&out, path, ARRAY_FLOATS, v->n, v->d));
    return array_close(&out, each_block(v, NULL, write_block, &out));
}

typedef struct part {
    const char *name;
    const vectors *rows;
    const int64_t *ids;
    int64_t n; /* of the ids */
} part;

static int put_part(cJSON *o, const char *folder, uint64_t digest, const part *p)
{
    char *path = NULL;
    if (asprintf(&path, "%s/%016llx-%s.npy", folder, (unsigned long long)digest, p->name) < 0)
        return fail_memory();
    int rc = access(path, R_OK) == 0 ? LBH_OK
             : p->rows               ? write_floats(path, p->rows)
                                     : array_put(path, ARRAY_IDS, p->n, 1, p->ids);
    cJSON_AddStringToObject(o, p->name, path);
    free(path);
    return rc;
}

static int put_parts(cJSON *o, const char *folder, const bench_data *d)
{
    const labels *base = &d->base_labels, *query = &d->query_labels;
    bool by_label = d->spec->metric == BENCH_LABEL;
    const part parts[] = {
        {"base", &d->base, NULL, 0},
        {"query", &d->query, NULL, 0},
        {"train", d->train.n ? &d->train : NULL, NULL, 0},
        {"own", NULL, d->own, d->query.n},
        {"base_start", NULL, by_label ? base->start : NULL, base->n + 1},
        {"base_class", NULL, by_label ? base->item : NULL, by_label ? base->start[base->n] : 0},
        {"query_start", NULL, by_label ? query->start : NULL, query->n + 1},
        {"query_class", NULL, by_label ? query->item : NULL, by_label ? query->start[query->n] : 0}};
    int rc = LBH_OK;
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        rc = fail_errno("make the directory", folder);
    for (size_t i = 0; i < sizeof parts / sizeof *parts && rc == LBH_OK; i++)
        if (parts[i].rows || parts[i].ids)
            rc = put_part(o, folder, d->digest, &parts[i]);
    return rc;
}

static int put_truth(cJSON *o, const bench_data *d, const bench_run *r)
{
    char *near, *sample;
    if (d->spec->metric == BENCH_LABEL)
        return LBH_OK;
    int rc = bench_truth_paths(d, &r->spec->what, r->dir, &near, &sample);
    if (rc == LBH_OK) {
        cJSON_AddStringToObject(o, "near", near);
        if (r->spec->what.map_k)
            cJSON_AddStringToObject(o, "sample_near", sample);
    }
    free(near);
    free(sample);
    return rc;
}

static int put_set(cJSON *list, const bench_run *r, int data, const char *folder)
{
    bench_data d;
    bool missing;
    cJSON *o = cJSON_CreateObject();
    cJSON_AddItemToArray(list, o);
    cJSON_AddStringToObject(o, "name", r->spec->data[data].name);
    if (r->missing[data])
        cJSON_AddStringToObject(o, "missing", r->missing[data]);
    if (r->missing[data])
        return LBH_OK;
    LBH_TRY(bench_data_open(&d, &r->spec->data[data], r->data_dir, &missing));
    d.digest = r->data[data].digest;
    cJSON_AddStringToObject(o, "metric", bench_metrics[d.spec->metric]);
    int rc = bench_sample(&d, r->spec->what.map_queries);
    if (rc == LBH_OK)
        rc = bench_truth_make(&d, &r->spec->what, r->dir);
    if (rc == LBH_OK)
        rc = put_truth(o, &d, r);
    if (rc == LBH_OK)
        rc = put_parts(o, folder, &d);
    bench_data_close(&d);
    return rc;
}

/* ---- Groups -------------------------------------------------------------------------------- */

static int put_group(cJSON *list, const bench_run *r, int group)
{
    const bench_group *g = &r->plan.group[group];
    const spec_method *m = &r->spec->method[g->method];
    rival_recipe recipe;
    rival_options own;
    LBH_TRY(bench_rival_options(&own, m->method, m->options));
    LBH_TRY(bench_rival_recipe(&recipe, m->method, r->data[g->data].d, g->nbits, &own));
    cJSON *o = cJSON_CreateObject(), *cells;
    cJSON_AddItemToArray(list, o);
    cJSON_AddNumberToObject(o, "data", g->data);
    cJSON_AddNumberToObject(o, "max_train", (double)own.max_train);
    if (recipe.links) /* FAISS counts no ids and no links */
        cJSON_AddNumberToObject(o, "bytes", (double)recipe.nbits / 8 + recipe.links);
    cJSON_AddStringToObject(o, "factory", recipe.factory);
    cJSON_AddBoolToObject(o, "hamming", recipe.hamming);
    cells = cJSON_AddArrayToObject(o, "cells");
    for (int i = g->first; i < g->first + g->count; i++)
        cJSON_AddItemToArray(cells, bench_cell_line(&r->plan, group, i, &r->env));
    return LBH_OK;
}

static void put_measured(cJSON *doc, const bench_run *r)
{
    bench_put_measures(doc, &r->spec->what);
    report_number(doc, "threads", r->env.threads);
    report_number(doc, "time_limit", r->spec->time_limit);
    report_number(doc, "memory_limit", r->spec->memory_limit);
}

static int put_plan(cJSON *doc, bench_run *r)
{
    char *folder = NULL;
    int rc = bench_plan_make(&r->plan, r->spec, r->data, r->env.threads);
    cJSON *sets = cJSON_AddArrayToObject(doc, "data"), *groups;
    put_measured(doc, r);
    if (rc == LBH_OK && asprintf(&folder, "%s/rows", r->dir) < 0)
        rc = fail_memory();
    for (int i = 0; i < r->spec->ndata && rc == LBH_OK; i++)
        rc = put_set(sets, r, i, folder);
    free(folder);
    groups = cJSON_AddArrayToObject(doc, "groups");
    for (int g = 0; g < r->plan.ngroups && rc == LBH_OK; g++)
        if (bench_is_rival(r->spec->method[r->plan.group[g].method].method))
            rc = put_group(groups, r, g);
    return rc;
}

int bench_print_plan(bench_run *r)
{
    cJSON *doc = report_new("bench");
    int fd = -1, rc = doc ? LBH_OK : LBH_ENOMEM;
    if (rc == LBH_OK && mkdir(r->dir, 0777) != 0 && errno != EEXIST)
        rc = fail_errno("make the directory", r->dir);
    if (rc == LBH_OK)
        rc = bench_lock(r, &fd);
    if (rc == LBH_OK)
        rc = bench_open_sets(r);
    if (rc == LBH_OK)
        rc = put_plan(doc, r);
    if (fd >= 0)
        close(fd);
    if (rc == LBH_OK)
        return report_print(doc, 1);
    cJSON_Delete(doc);
    return rc;
}
