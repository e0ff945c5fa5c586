/* bench_worker.c: the worker's side of the line to the runner. See bench_worker.h. */
#define _GNU_SOURCE
#include "bench_worker.h"

#include "progress.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

void worker_phase(const worker_job *job)
{
    fputs("P\n", job->out);
    fflush(job->out);
}

void worker_begin(const worker_job *job, int cell)
{
    fprintf(job->out, "B\t%s\n", job->plan.cell[cell].key);
    fflush(job->out);
}

int worker_line(const worker_job *job, cJSON *line)
{
    char *text = line ? cJSON_PrintUnformatted(line) : NULL;
    cJSON_Delete(line);
    if (!text)
        return fail_memory();
    fprintf(job->out, "L\t%s\n", text);
    cJSON_free(text);
    return fflush(job->out) ? fail("the results could not be handed over") : EXIT_OK;
}

/* Whether an error is one of too little memory, by any of those who say so. */
static bool is_memory(const char *text)
{
    static const char *const words[] = {"out of memory", "bad_alloc", "emory allocation",
                                        "annot allocate", "ENOMEM"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strstr(text, words[i]))
            return true;
    return false;
}

int worker_failed(const worker_job *job, int cell, int rc)
{
    char text[1024];
    if (rc == EXIT_CANCELLED)
        return rc;
    snprintf(text, sizeof text, "%s", cli_error());
    for (char *p = text; *p; p++)
        if (*p == '\n' || *p == '\t')
            *p = ' ';
    fprintf(job->out, "F\t%s\t%s\t%s\n", cell < 0 ? "*" : job->plan.cell[cell].key,
            is_memory(text) ? "memory" : "failed", text);
    fflush(job->out);
    cli_clear_error();
    return EXIT_OK;
}

/* ---- The job ------------------------------------------------------------------------------- */

static char *read_input(void)
{
    size_t size = 0, room = 1 << 16;
    char *text = malloc(room);
    for (size_t got = 1; text && got > 0;) {
        got = fread(text + size, 1, room - size - 1, stdin);
        size += got;
        if (room - size < 2) {
            char *more = realloc(text, room *= 2);
            if (!more)
                free(text);
            text = more;
        }
    }
    if (text)
        text[size] = '\0';
    return text;
}

static const char *text_of(const cJSON *job, const char *name)
{
    const cJSON *v = cJSON_GetObjectItem(job, name);
    return cJSON_IsString(v) ? v->valuestring : "";
}

static double number_of(const cJSON *job, const char *name)
{
    const cJSON *v = cJSON_GetObjectItem(job, name);
    return cJSON_IsNumber(v) ? v->valuedouble : 0;
}

static int take_data(worker_job *w, const cJSON *job)
{
    const cJSON *list = cJSON_GetObjectItem(job, "data");
    if (cJSON_GetArraySize(list) != w->spec->ndata)
        return fail("the job does not fit its specification");
    w->data = calloc((size_t)w->spec->ndata, sizeof *w->data);
    for (int i = 0; w->data && i < w->spec->ndata; i++) {
        const cJSON *one = cJSON_GetArrayItem(list, i);
        w->data[i] = (plan_data){.there = number_of(one, "there") != 0,
                                 .n = (int64_t)number_of(one, "n"),
                                 .nq = (int64_t)number_of(one, "nq"),
                                 .d = (int)number_of(one, "d"),
                                 .digest = strtoull(text_of(one, "digest"), NULL, 16)};
    }
    return w->data ? EXIT_OK : fail_memory();
}

static int take_cells(worker_job *w, const cJSON *job)
{
    const cJSON *list = cJSON_GetObjectItem(job, "cells"), *one;
    w->group = (int)number_of(job, "group");
    w->truth = (int)number_of(job, "truth");
    w->cell = cli_alloc(cJSON_GetArraySize(list) + 1, sizeof *w->cell);
    if (!w->cell)
        return EXIT_RUNTIME;
    cJSON_ArrayForEach(one, list)
        w->cell[w->ncells++] = (int)one->valuedouble;
    if (w->truth >= w->spec->ndata || (w->truth < 0 && w->group >= w->plan.ngroups))
        return fail("the job does not fit its specification");
    return EXIT_OK;
}

static int take_job(worker_job *w, const cJSON *job)
{
    const char *text = text_of(job, "spec");
    int rc = bench_spec_parse(&w->spec, text_of(job, "name"), text, strlen(text));
    if (rc == EXIT_OK && number_of(job, "quick") != 0)
        rc = bench_spec_quick(w->spec);
    if (rc == EXIT_OK)
        rc = take_data(w, job);
    w->env = (bench_env){text_of(job, "preset"), text_of(job, "command"),
                         (int)number_of(job, "threads")};
    w->dir = text_of(job, "dir");
    w->data_dir = text_of(job, "data_dir");
    w->force = number_of(job, "force") != 0;
    if (rc == EXIT_OK) /* NOLINTNEXTLINE(*Malloc): bench_worker_main() frees all of w */
        rc = bench_plan_make(&w->plan, w->spec, w->data, w->env.threads);
    return rc ? rc : take_cells(w, job);
}

/* Memory that a process asks for, not what its files take up. */
static int limit_memory(double megabytes)
{
    struct rlimit limit;
    limit.rlim_cur = limit.rlim_max = (rlim_t)(megabytes * 1e6);
    return setrlimit(RLIMIT_DATA, &limit) ? fail_errno("limit the memory of", "the worker")
                                          : EXIT_OK;
}

int bench_worker_main(void)
{
    static char buffer[1 << 16];
    worker_job w = {.truth = -1};
    w.out = fdopen(WORKER_FD, "w");
    if (!w.out)
        return fail_usage("bench: --worker is for lbh bench itself");
    setvbuf(w.out, buffer, _IOFBF, sizeof buffer);
    progress_init(1);
    char *text = read_input();
    cJSON *job = text ? cJSON_Parse(text) : NULL;
    int rc = job ? take_job(&w, job) : fail("the job could not be read");
    if (rc == EXIT_OK) {
        omp_set_num_threads(w.env.threads);
        rc = limit_memory(w.spec->memory_limit);
    }
    if (rc == EXIT_OK)
        rc = w.truth >= 0 ? worker_truth(&w) : worker_group(&w);
    if (rc && rc != EXIT_CANCELLED)
        rc = worker_failed(&w, -1, rc);
    bench_plan_free(&w.plan);
    bench_spec_free(w.spec);
    free(w.data);
    free(w.cell);
    cJSON_Delete(job);
    free(text);
    fclose(w.out);
    return rc;
}
