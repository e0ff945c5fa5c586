/* bench_job.c: see bench_job.h. */
#define _GNU_SOURCE
#include "bench_job.h"

#include "bench_rival.h"
#include "result_lines.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Members ------------------------------------------------------------------------------- */

/* What a job says of a data set and of how it is measured, by name. */
typedef struct member {
    const char *name;
    enum { TEXT, INT64, INT, LIST } kind;
    size_t offset;
} member;

#define MEMBER(type, kind, name) {#name, kind, offsetof(type, name)}
static const member of_measures[] = {
    MEMBER(spec_measures, LIST, k), MEMBER(spec_measures, LIST, at),
    MEMBER(spec_measures, INT64, map_k), MEMBER(spec_measures, INT64, map_at),
    MEMBER(spec_measures, INT64, map_queries), MEMBER(spec_measures, INT64, answers),
    MEMBER(spec_measures, INT64, repeats), {0}};
static const member of_data[] = {
    MEMBER(spec_data, TEXT, name), MEMBER(spec_data, TEXT, base),
    MEMBER(spec_data, TEXT, queries), MEMBER(spec_data, TEXT, query_ids),
    MEMBER(spec_data, TEXT, labels), MEMBER(spec_data, TEXT, query_labels),
    MEMBER(spec_data, TEXT, train), MEMBER(spec_data, TEXT, train_labels),
    MEMBER(spec_data, TEXT, split), MEMBER(spec_data, INT64, limit),
    MEMBER(spec_data, INT64, sample), MEMBER(spec_data, INT64, split_seed),
    MEMBER(spec_data, INT64, max_queries), MEMBER(spec_data, INT64, codes),
    MEMBER(spec_data, INT, metric), MEMBER(spec_data, INT, height), MEMBER(spec_data, INT, width),
    {0}};
static const member of_method[] = {
    MEMBER(spec_method, TEXT, id), MEMBER(spec_method, TEXT, method),
    MEMBER(spec_method, TEXT, label), MEMBER(spec_method, TEXT, options),
    MEMBER(spec_method, INT64, refine), {0}};

static cJSON *numbers(const spec_numbers *list)
{
    cJSON *out = cJSON_CreateArray();
    for (int i = 0; i < list->count; i++)
        cJSON_AddItemToArray(out, cJSON_CreateNumber((double)list->value[i]));
    return out;
}

static void put_members(cJSON *o, const member *list, const void *from)
{
    for (const member *m = list; m->name; m++) {
        const void *at = (const char *)from + m->offset;
        if (m->kind == LIST)
            cJSON_AddItemToObject(o, m->name, numbers(at));
        else if (m->kind != TEXT)
            cJSON_AddNumberToObject(o, m->name,
                                    m->kind == INT64 ? (double)*(const int64_t *)at
                                                        : *(const int *)at);
        else if (*(const char *const *)at)
            cJSON_AddStringToObject(o, m->name, *(const char *const *)at);
    }
}

void bench_put_measures(cJSON *o, const spec_measures *what)
{
    put_members(o, of_measures, what);
}

static void take_numbers(spec_numbers *list, const cJSON *from)
{
    const cJSON *one;
    list->count = 0;
    cJSON_ArrayForEach(one, from)
        if (list->count < SPEC_LIST)
            list->value[list->count++] = (int64_t)one->valuedouble;
}

static double number_of(const cJSON *o, const char *name)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);
    return cJSON_IsNumber(v) ? v->valuedouble : 0;
}

static const char *text_of(const cJSON *o, const char *name)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, name));
}

static void take_members(void *to, const member *list, const cJSON *o)
{
    for (const member *m = list; m->name; m++) {
        void *at = (char *)to + m->offset;
        if (m->kind == TEXT)
            *(const char **)at = text_of(o, m->name);
        else if (m->kind == INT64)
            *(int64_t *)at = (int64_t)number_of(o, m->name);
        else if (m->kind == INT)
            *(int *)at = (int)number_of(o, m->name);
        else
            take_numbers((spec_numbers *)at, cJSON_GetObjectItemCaseSensitive(o, m->name));
    }
}

/* ---- From the plan ------------------------------------------------------------------------- */

/* Numbers of bits whose images from principal components are drawn. */
static cJSON *image_bits(const bench_plan *p, int data)
{
    spec_numbers done = {0};
    for (int g = 0; g < p->ngroups; g++) {
        const bench_group *group = &p->group[g];
        bool again = group->data != data || group->nbits < 32 || done.count == SPEC_LIST ||
                     bench_is_rival(p->spec->method[group->method].method);
        for (int i = 0; i < done.count; i++)
            again = again || done.value[i] == group->nbits;
        if (!again)
            done.value[done.count++] = group->nbits;
    }
    return numbers(&done);
}

static cJSON *cell_of(const job_maker *m, int group, int at)
{
    const bench_cell *c = &m->plan->cell[at];
    cJSON *o = cJSON_CreateObject();
    cJSON_AddNumberToObject(o, "mode", c->how.mode);
    cJSON_AddNumberToObject(o, "depth", (double)c->how.depth);
    cJSON_AddItemToObject(o, "line", bench_cell_line(m->plan, group, at, m->env));
    return o;
}

static void put_group(cJSON *o, const job_maker *m, int group, const char *state)
{
    const bench_group *g = &m->plan->group[group];
    cJSON *method = cJSON_AddObjectToObject(o, "method");
    put_members(method, of_method, &m->plan->spec->method[g->method]);
    cJSON_AddNumberToObject(o, "nbits", (double)g->nbits);
    cJSON_AddNumberToObject(o, "seed", (double)g->seed);
    cJSON_AddStringToObject(o, "model", g->model);
    cJSON *cells = cJSON_AddArrayToObject(o, "cells");
    for (int i = g->first; i < g->first + g->count; i++)
        if (!state[i])
            cJSON_AddItemToArray(cells, cell_of(m, group, i));
}

char *bench_job_text(const job_maker *m, int data, int group, const char *state)
{
    const bench_plan *p = m->plan;
    cJSON *o = cJSON_CreateObject();
    char digest[24];
    snprintf(digest, sizeof digest, "%016llx", (unsigned long long)p->data[data].digest);
    bench_put_measures(cJSON_AddObjectToObject(o, "what"), &p->spec->what);
    cJSON_AddNumberToObject(o, "memory_limit", p->spec->memory_limit);
    put_members(cJSON_AddObjectToObject(o, "data"), of_data, &p->spec->data[data]);
    cJSON_AddStringToObject(o, "digest", digest);
    cJSON_AddStringToObject(o, "dir", m->dir);
    cJSON_AddStringToObject(o, "data_dir", m->data_dir);
    if (m->ann)
        cJSON_AddStringToObject(o, "ann", m->ann);
    cJSON_AddNumberToObject(o, "threads", m->env->threads);
    cJSON_AddBoolToObject(o, "force", m->force);
    if (group < 0)
        cJSON_AddItemToObject(o, "images", image_bits(p, data));
    else
        put_group(o, m, group, state);
    char *text = cJSON_PrintUnformatted(o);
    cJSON_Delete(o);
    if (!text)
        fail_memory();
    return text;
}

/* ---- Back ---------------------------------------------------------------------------------- */

static int take_cells(bench_job *job, const cJSON *list)
{
    const cJSON *one;
    job->cell = cli_alloc(cJSON_GetArraySize(list) + 1, sizeof *job->cell);
    if (!job->cell)
        return LBH_ENOMEM;
    cJSON_ArrayForEach(one, list) {
        job_cell *c = &job->cell[job->ncells++];
        *c = (job_cell){.line = cJSON_GetObjectItemCaseSensitive(one, "line")};
        c->cell = (bench_cell){.index = result_text(c->line, "index"),
                               .search = result_text(c->line, "search"),
                               .how = {(int)number_of(one, "mode"),
                                       (int64_t)number_of(one, "depth")}};
        snprintf(c->cell.key, sizeof c->cell.key, "%s", result_text(c->line, "key"));
    }
    return LBH_OK;
}

int bench_job_parse(bench_job *job, const char *text)
{
    *job = (bench_job){.text = cJSON_Parse(text), .spec = calloc(1, sizeof *job->spec)};
    const cJSON *o = job->text, *method = cJSON_GetObjectItemCaseSensitive(o, "method");
    const char *digest = text_of(o, "digest");
    job->dir = text_of(o, "dir");
    job->data_dir = text_of(o, "data_dir");
    job->ann = text_of(o, "ann");
    if (!job->spec)
        return fail_memory();
    if (!digest || !job->dir || !job->data_dir)
        return fail("the job could not be read");
    take_members(&job->spec->what, of_measures, cJSON_GetObjectItemCaseSensitive(o, "what"));
    job->spec->memory_limit = number_of(o, "memory_limit");
    take_members(&job->spec->data[0], of_data, cJSON_GetObjectItemCaseSensitive(o, "data"));
    take_members(&job->spec->method[0], of_method, method);
    job->digest = strtoull(digest, NULL, 16);
    job->threads = (int)number_of(o, "threads");
    job->force = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, "force"));
    job->truth = !method;
    take_numbers(&job->images, cJSON_GetObjectItemCaseSensitive(o, "images"));
    job->nbits = (int64_t)number_of(o, "nbits");
    job->seed = (int64_t)number_of(o, "seed");
    job->model = text_of(o, "model");
    return take_cells(job, cJSON_GetObjectItemCaseSensitive(o, "cells"));
}

void bench_job_free(bench_job *job)
{
    cJSON_Delete(job->text);
    free(job->spec);
    free(job->cell);
    *job = (bench_job){0};
}
