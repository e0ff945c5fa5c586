/* tune_run.c: see tune_run.h. A trial's seconds are kept as a line of their own beside the results of
 * its cells, so that a run that goes on counts what was spent before. */
#define _GNU_SOURCE
#include "tune_run.h"

#include "bench_run.h"
#include "progress.h"
#include "result_lines.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    TRIAL_TEXT = 8192,
    HEADER = 33,       /* bytes of a file of codes before its first code */
    FIRST_SECONDS = 10 /* for the first trial at least, that there be an answer */
};

/* Rounds of little training may fall this short of a recall that is wanted. */
static const double SLACK = .05;

/* ---- Specifications ------------------------------------------------------------------------ */

/* File names need not be what an INI file can say: they are put in behind the parser. */
static int make_spec(const tune_run *t, const tune_step *s, char text[TRIAL_TEXT], bench_spec **spec)
{
    int used = snprintf(text, TRIAL_TEXT, "# One trial of lbh tune.\n[data tune]\nbase = -\nmetric = %s\n",
                        bench_metrics[t->ask.metric]);
    tune_trial_text(text + used, (size_t)(TRIAL_TEXT - used), &t->ask,
                    &t->space.candidate[s->candidate], s->round);
    LBH_TRY(bench_spec_parse(spec, "tune", text, strlen(text)));
    spec_data *d = &(*spec)->data[0];
    d->base = t->base;
    d->queries = t->query;
    d->query_ids = t->query_ids;
    d->sample = t->sample;
    d->max_queries = t->queries;
    (*spec)->time_limit = fmax(FIRST_SECONDS, s->seconds);
    return LBH_OK;
}

/* ---- Points -------------------------------------------------------------------------------- */

static double first_recall(const cJSON *line)
{
    const cJSON *one = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(line, "recall"), 0);
    const cJSON *v = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(one, "value"), 0);
    return cJSON_IsNumber(v) ? v->valuedouble : NAN;
}

static bool same_way(const tune_point *a, const tune_point *b)
{
    return strcmp(a->method, b->method) == 0 && strcmp(a->options, b->options) == 0 &&
           strcmp(a->index, b->index) == 0 && strcmp(a->search, b->search) == 0 &&
           strcmp(a->rescore, b->rescore) == 0 && a->nbits == b->nbits;
}

/* What is measured again, more often, takes the place of what was there. */
static int keep_point(tune_run *t, const tune_point *p)
{
    for (int i = 0; i < t->npoints; i++)
        if (same_way(&t->point[i], p)) {
            t->point[i] = *p;
            return LBH_OK;
        }
    tune_point *more = realloc(t->point, (size_t)(t->npoints + 1) * sizeof *more);
    if (!more)
        return fail_memory();
    t->point = more;
    t->point[t->npoints++] = *p;
    return LBH_OK;
}

#define COPY(to, name) snprintf(to, sizeof(to), "%s", result_text(line, name))

static int take_line(tune_run *t, const cJSON *line, const char *model, double slack, tune_done *done)
{
    tune_point p = {.nbits = (int64_t)result_number(line, "nbits"),
                    .faiss = strcmp(result_text(line, "family"), "rival") == 0 ||
                             strcmp(result_text(line, "family"), "ceiling") == 0,
                    .recall = first_recall(line), .qps = result_number(line, "qps"),
                    .bytes = fmax(result_number(line, "index_bytes") - HEADER, 0) /
                             result_number(line, "n"),
                    .train = result_number(line, "train_s")};
    COPY(p.method, "method");
    COPY(p.options, "options");
    COPY(p.index, "index");
    COPY(p.search, "search");
    COPY(p.rescore, "rescore");
    snprintf(p.model, sizeof p.model, "%s", model);
    if (!isfinite(p.recall) || !isfinite(p.qps) || !isfinite(p.bytes))
        return LBH_OK;
    done->value = fmax(done->value, tune_value(&t->ask, &p, slack));
    done->train = fmax(done->train, p.train); /* one model has many lines */
    return keep_point(t, &p);
}

/* The results of a run's cells, and the seconds that were written down for it. */
static int take_results(tune_run *t, const bench_run *r, const char *key, tune_done *done)
{
    result_lines lines;
    double slack = done->round + 1 < TUNE_ROUNDS ? SLACK : 0;
    int rc = result_lines_read(&lines, t->dir);
    for (int i = 0; i < lines.n && rc == LBH_OK; i++) {
        const cJSON *line = lines.line[i];
        if (result_is(line, "key", key))
            done->seconds = result_number(line, "seconds");
        bool mine = false;
        for (int c = 0; c < r->plan.ncells; c++)
            mine |= result_is(line, "key", r->plan.cell[c].key);
        if (mine && result_is(line, "status", "ok"))
            rc = take_line(t, line, r->plan.group[0].model, slack, done);
    }
    result_lines_free(&lines);
    return rc;
}

/* ---- Trials -------------------------------------------------------------------------------- */

static int write_seconds(const tune_run *t, const char *key, double seconds)
{
    char *path = NULL, *text = NULL;
    int rc = asprintf(&path, "%s/tune.jsonl", t->dir) > 0 ? LBH_OK : fail_memory();
    if (rc == LBH_OK &&
        asprintf(&text, "{\"format\":\"%s\",\"type\":\"trial\",\"key\":\"%s\",\"seconds\":%.3f}",
                 RESULT_FORMAT, key, seconds) < 0)
        rc = fail_memory();
    if (rc == LBH_OK)
        rc = result_lines_append(path, text);
    free(path);
    free(text);
    return rc;
}

static void show(const tune_run *t, const tune_step *s)
{
    static const char *const rounds[] = {"little training", "full training",
                                         "indexes and shortlists"};
    char text[TRIAL_TEXT];
    tune_trial_text(text, sizeof text, &t->ask, &t->space.candidate[s->candidate], s->round);
    const char *name = strstr(text, "label = ");
    name = name ? name + 8 : "";
    progress_note("tune: %d tried, %.0f s left at most: %.*s, %lld bits (%s)", t->ndone,
                  fmax(t->budget - t->spent, 0), (int)strcspn(name, "\n"), name,
                  (long long)t->space.candidate[s->candidate].nbits, rounds[s->round]);
}

static int keep_done(tune_run *t, const tune_done *done)
{
    tune_done *more = realloc(t->done, (size_t)(t->ndone + 1) * sizeof *more);
    if (!more)
        return fail_memory();
    t->done = more;
    t->done[t->ndone++] = *done;
    t->spent += done->seconds;
    return LBH_OK;
}

/* A trial of a run, and what it took when it was begun before. */
typedef struct trial {
    const char *dir;
    int round;
    double seconds, before; /* that it may take, all in all; -1: there is no line of it */
    char key[40];
} trial;

/* What it may take beside what it took before: one whose time was up then is over. */
static double may_take(const bench_run *r, void *ctx)
{
    trial *one = ctx;
    result_lines lines;
    snprintf(one->key, sizeof one->key, "%s-%d", r->plan.ncells ? r->plan.cell[0].key : "none", one->round);
    if (result_lines_read(&lines, one->dir) != LBH_OK)
        return INFINITY; /* who reads the results next says why */
    for (int i = 0; i < lines.n; i++)
        if (result_is(lines.line[i], "key", one->key))
            one->before = result_number(lines.line[i], "seconds");
    result_lines_free(&lines);
    return fmax(one->seconds - fmax(one->before, 0), 0);
}

static int try_one(tune_run *t, const tune_step *s)
{
    char text[TRIAL_TEXT];
    trial one = {.dir = t->dir, .round = s->round, .before = -1,
                 .seconds = t->ndone ? s->seconds : fmax(FIRST_SECONDS, s->seconds)};
    bench_run r = {.name = "tune", .text = text, .dir = t->dir, .data_dir = "data", .quiet = t->quiet,
                   .may_take = may_take, .ctx = &one,
                   .env = {"tune", t->command, t->threads}};
    tune_done done = {.candidate = s->candidate, .round = s->round, .value = -2};
    double began = cli_now();
    LBH_TRY(make_spec(t, s, text, &r.spec));
    show(t, s);
    int rc = bench_run_all(&r);
    if (rc == LBH_OK && (one.before < 0 || r.ok + r.failed > 0))
        rc = write_seconds(t, one.key, fmax(one.before, 0) + cli_now() - began);
    if (rc == LBH_OK && !r.data[0].there)
        rc = fail("%s", r.missing[0]);
    if (rc == LBH_OK)
        rc = take_results(t, &r, one.key, &done);
    if (rc == LBH_OK)
        rc = keep_done(t, &done);
    t->failed += r.failed + r.failed_before > 0 && done.value < -1;
    t->cut |= r.left > 0;
    bench_run_free(&r);
    bench_spec_free(r.spec);
    return rc;
}

/* Whether more time would have tried more. */
static bool nothing_left(const tune_run *t, bool sweep)
{
    tune_step next;
    int first = 0;
    for (int i = 0; i < t->ndone; i++)
        first += t->done[i].round == 0;
    return first == t->space.n &&
           !tune_next(&t->space, sweep, t->done, t->ndone, INFINITY, &next);
}

int tune_run_all(tune_run *t)
{
    tune_step next;
    int rc = LBH_OK;
    bool sweep = tune_wants_sweep(&t->ask);
    while (rc == LBH_OK &&
           tune_next(&t->space, sweep, t->done, t->ndone, t->budget, &next))
        rc = try_one(t, &next);
    t->complete = !t->cut && nothing_left(t, sweep);
    if (rc == LBH_OK && !t->npoints)
        rc = fail("none of %d trials was measured; '%s/bench.jsonl' says why", t->ndone, t->dir);
    return rc;
}

void tune_run_free(tune_run *t)
{
    free(t->point);
    free(t->done);
    t->point = NULL;
    t->done = NULL;
}
