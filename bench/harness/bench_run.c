/* bench_run.c: see bench_run.h. Lines of a group are written when its worker has ended, because
 * only then the memory that it took is known: whatever ends us, at most the running group is
 * lost. */
#define _GNU_SOURCE
#include "bench_run.h"

#include "bench_child.h"
#include "bench_job.h"
#include "bench_show.h"
#include "result_lines.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CELL_WAITS, CELL_DONE, CELL_FAILED };

/* The work of one worker. */
typedef struct work {
    bench_run *run;
    bench_show *show;
    char *state;    /* of all cells of the plan */
    char *path;     /* of bench.jsonl */
    int group;      /* -1: neighbours of a data set */
    int current;    /* the cell it is at, or -1 */
    int nlines, room;
    cJSON **line;   /* that it sent */
    char *reason;   /* neighbours: why they failed, NULL: they did not */
    char status[16];
    double end;     /* of all work, by cli_now() */
} work;

/* ---- Results ------------------------------------------------------------------------------- */

static int write_line(const work *w, cJSON *line)
{
    char *text = cJSON_PrintUnformatted(line);
    int rc = text ? result_lines_append(w->path, text) : fail_memory();
    cJSON_free(text);
    return rc;
}

static int write_failure(work *w, int cell, const char *status, const char *text)
{
    bench_run *r = w->run;
    cJSON *o = bench_cell_line(&r->plan, w->group, cell, &r->env);
    if (!o)
        return LBH_ENOMEM;
    cJSON_ReplaceItemInObject(o, "status", cJSON_CreateString(status));
    cJSON_AddStringToObject(o, "error", text);
    int rc = write_line(w, o);
    cJSON_Delete(o);
    w->state[cell] = CELL_FAILED;
    r->failed++;
    show_failure(w->show, &r->plan, w->group, cell, status, text);
    return rc;
}

static int cell_of(const work *w, const char *key)
{
    const bench_group *g = &w->run->plan.group[w->group];
    for (int i = g->first; i < g->first + g->count; i++)
        if (strcmp(w->run->plan.cell[i].key, key) == 0)
            return i;
    return -1;
}

static void give_reason(work *w, const char *status, const char *text)
{
    free(w->reason);
    w->reason = strdup(text);
    snprintf(w->status, sizeof w->status, "%s", status);
}

/* "F KEY STATUS TEXT" without the F. */
static int take_failure(work *w, char *line)
{
    char *rest = NULL, *key = strtok_r(line, "\t", &rest), *status = strtok_r(NULL, "\t", &rest);
    char *text = strtok_r(NULL, "\n", &rest);
    if (!key || !status)
        return LBH_OK;
    text = text ? text : (char[]){""};
    if (w->group < 0) {
        give_reason(w, status, text);
        return LBH_OK;
    }
    const bench_group *g = &w->run->plan.group[w->group];
    int rc = LBH_OK;
    w->current = -1;
    for (int i = g->first; i < g->first + g->count && rc == LBH_OK; i++)
        if (w->state[i] == CELL_WAITS && (*key == '*' || i == cell_of(w, key)))
            rc = write_failure(w, i, status, text);
    return rc;
}

static int take_result(work *w, const char *text)
{
    cJSON *line = cJSON_Parse(text);
    int cell = w->group < 0 ? -1 : cell_of(w, line ? result_text(line, "key") : "");
    if (!line)
        return LBH_OK;
    if (w->nlines == w->room) {
        cJSON **more = realloc(w->line, (size_t)(w->room + 16) * sizeof *more);
        if (!more) {
            cJSON_Delete(line);
            return fail_memory();
        }
        w->line = more;
        w->room += 16;
    }
    w->line[w->nlines++] = line;
    if (cell >= 0) {
        w->state[cell] = CELL_DONE;
        w->current = -1;
        w->run->ok++;
    }
    return LBH_OK;
}

static int take(void *ctx, char *line)
{
    work *w = ctx;
    if (!line)
        show_now(w->show, w->run->ok + w->run->failed, w->run->failed);
    else if (line[0] == 'B' && w->group >= 0)
        w->current = cell_of(w, line + 2);
    else if (line[0] == 'L')
        return take_result(w, line + 2);
    else if (line[0] == 'F')
        return take_failure(w, line + 2);
    return LBH_OK;
}

/* Writes what the worker sent. */
static int write_lines(work *w, double peak_mb)
{
    int rc = LBH_OK;
    for (int i = 0; i < w->nlines; i++) {
        if (result_is(w->line[i], "type", "cell"))
            cJSON_AddNumberToObject(w->line[i], "peak_mb", (double)(int64_t)(peak_mb * 10) / 10);
        if (rc == LBH_OK)
            rc = write_line(w, w->line[i]);
        cJSON_Delete(w->line[i]);
    }
    w->nlines = 0;
    return rc;
}

/* ---- Jobs ---------------------------------------------------------------------------------- */

/* The job for the waiting cells of the group, or for the neighbours of a data set. */
static char *job_text(const work *w, int data)
{
    const bench_run *r = w->run;
    job_maker m = {&r->plan, &r->env, r->dir, r->data_dir, r->ann, r->force};
    return bench_job_text(&m, data, w->group, w->state);
}

static int waiting(const work *w)
{
    const bench_group *g = &w->run->plan.group[w->group];
    int count = 0;
    for (int i = g->first; i < g->first + g->count; i++)
        count += w->state[i] == CELL_WAITS;
    return count;
}

static const char *status_of(const child_end *end)
{
    return end->late ? "timeout" : end->memory ? "memory" : "failed";
}

/* A worker that did not come to its end: the cell it was at is to blame, or all of them if it was
 * at none yet. */
static int blame(work *w, const child_end *end)
{
    const bench_group *g = &w->run->plan.group[w->group];
    int rc = LBH_OK;
    for (int i = g->first; i < g->first + g->count && rc == LBH_OK; i++)
        if (w->state[i] == CELL_WAITS && (w->current < 0 || w->current == i))
            rc = write_failure(w, i, status_of(end), end->why);
    return rc;
}

static int run_group(work *w)
{
    int rc = LBH_OK;
    while (rc == LBH_OK && waiting(w) && cli_now() < w->end) {
        child_end end = {0};
        char *job = job_text(w, w->run->plan.group[w->group].data);
        w->current = -1;
        rc = job ? child_run(job, w->run->spec->time_limit, w->end, take, w, &end) : LBH_ENOMEM;
        cJSON_free(job);
        int written = write_lines(w, end.peak_mb);
        rc = rc ? rc : written;
        if (rc == LBH_OK && waiting(w) && !end.over) {
            if (end.whole)
                snprintf(end.why, sizeof end.why, "the worker ended without a result");
            rc = blame(w, &end);
        }
    }
    return rc;
}

/* Neighbours are not a cell: four times the limit of one, for they serve all. */
static int run_truth(work *w, int data)
{
    child_end end = {0};
    w->group = -1;
    free(w->reason);
    w->reason = NULL;
    char *job = job_text(w, data);
    int rc = job ? child_run(job, 4 * w->run->spec->time_limit, w->end, take, w, &end) : LBH_ENOMEM;
    cJSON_free(job);
    int written = write_lines(w, end.peak_mb);
    rc = rc ? rc : written;
    if (rc == LBH_OK && !end.whole && !end.over && !w->reason)
        give_reason(w, status_of(&end), end.why);
    return rc;
}

/* ---- The whole ----------------------------------------------------------------------------- */

/* Fails the waiting cells of a data set that has no true neighbours. */
static int fail_data(work *w, int data)
{
    char text[1200];
    int rc = LBH_OK;
    snprintf(text, sizeof text, "exact neighbours: %s", w->reason);
    for (int g = 0; g < w->run->plan.ngroups && rc == LBH_OK; g++) {
        const bench_group *group = &w->run->plan.group[g];
        w->group = g;
        for (int i = group->first; i < group->first + group->count && rc == LBH_OK; i++)
            if (group->data == data && w->state[i] == CELL_WAITS)
                rc = write_failure(w, i, w->status, text);
    }
    return rc;
}

static int run_groups(work *w)
{
    bench_run *r = w->run;
    int rc = LBH_OK, ready = -1;
    for (int g = 0; g < r->plan.ngroups && rc == LBH_OK && cli_now() < w->end; g++) {
        int data = r->plan.group[g].data;
        w->group = g;
        if (!waiting(w))
            continue;
        if (ready != data) {
            show_work(w->show, r->spec->data[data].name, "exact neighbours", 0, 0);
            rc = run_truth(w, data);
            ready = data;
            if (rc == LBH_OK && w->reason)
                rc = fail_data(w, data);
            w->group = g;
        }
        double began = cli_now();
        int count = waiting(w);
        if (rc || !count)
            continue;
        const bench_group *group = &r->plan.group[g];
        show_work(w->show, r->spec->data[data].name, r->spec->method[group->method].label,
                  group->nbits, group->seed);
        rc = run_group(w);
        show_done(w->show, data, count, cli_now() - began);
    }
    return rc;
}

/* Cells that have a line already. */
static int find_finished(work *w)
{
    bench_run *r = w->run;
    result_lines lines;
    int rc = result_lines_read(&lines, r->dir), count = 0;
    const char **keys = rc ? NULL : cli_alloc(2 * (int64_t)lines.n + 1, sizeof *keys);
    rc = rc ? rc : keys ? LBH_OK : LBH_ENOMEM;
    for (int failed = 0; failed < 2 && rc == LBH_OK && !r->force && !r->ann; failed++) {
        count = 0;
        for (int i = 0; i < lines.n; i++)
            if (result_is(lines.line[i], "type", "cell") &&
                result_is(lines.line[i], "status", "ok") == !failed)
                keys[count++] = result_text(lines.line[i], "key");
        qsort(keys, (size_t)count, sizeof *keys, compare_texts);
        for (int i = 0; i < r->plan.ncells && !(failed && r->retry); i++) {
            const char *key = r->plan.cell[i].key;
            if (w->state[i] != CELL_WAITS ||
                !bsearch(&key, keys, (size_t)count, sizeof *keys, compare_texts))
                continue;
            w->state[i] = failed ? CELL_FAILED : CELL_DONE;
            r->found += !failed;
            r->failed_before += failed;
        }
    }
    free(keys);
    result_lines_free(&lines);
    return rc;
}

static int run_plan(bench_run *r)
{
    bench_show show = {0};
    work w = {.run = r, .show = &show, .end = INFINITY};
    double began = cli_now();
    LBH_TRY(bench_plan_make(&r->plan, r->spec, r->data, r->env.threads));
    w.state = calloc((size_t)r->plan.ncells + 1, 1);
    int rc = w.state && asprintf(&w.path, "%s/bench.jsonl", r->dir) > 0 ? find_finished(&w)
                                                                    : fail_memory();
    if (r->may_take)
        w.end = began + r->may_take(r, r->ctx);
    show_begin(&show, &r->plan, w.state, r->quiet);
    if (rc == LBH_OK)
        rc = run_groups(&w);
    show_end(&show, r->ok + r->failed, r->failed);
    for (int i = 0; w.state && i < r->plan.ncells; i++)
        r->left += w.state[i] == CELL_WAITS;
    free(w.state);
    free(w.path);
    free(w.line);
    free(w.reason);
    return rc;
}

int bench_run_all(bench_run *r)
{
    int fd = -1;
    double began = cli_now();
    int rc = LBH_OK;
    if (mkdir(r->dir, 0777) != 0 && errno != EEXIST)
        return fail_errno("make the directory", r->dir);
    rc = bench_lock(r, &fd);
    if (rc == LBH_OK)
        rc = bench_keep_spec(r);
    if (rc == LBH_OK)
        rc = bench_open_sets(r);
    if (rc == LBH_OK)
        rc = run_plan(r);
    r->seconds = cli_now() - began;
    if (fd >= 0)
        close(fd);
    if (cli_stopped(rc))
        return cli_kept("what was measured is in '%s', and the same command goes on from there", r->dir);
    return rc;
}

void bench_run_free(bench_run *r)
{
    for (int i = 0; r->missing && i < r->spec->ndata; i++)
        free(r->missing[i]);
    free(r->missing);
    free(r->data);
    bench_plan_free(&r->plan);
}
