/* bench_show.c: see bench_show.h. The time that is left is that of the cells done so far, set by
 * set, for one set may take a hundred times as long as another. */
#define _POSIX_C_SOURCE 200809L
#include "bench_show.h"

#include "progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Seconds between two lines. */
static const double ON_TERMINAL = 0.2, IN_FILES = 5;

void show_begin(bench_show *s, const bench_plan *plan, const char *state, bool quiet)
{
    *s = (bench_show){.quiet = quiet, .terminal = isatty(STDERR_FILENO)};
    s->last = cli_now();
    for (int g = 0; g < plan->ngroups; g++)
        for (int i = 0; i < plan->group[g].count; i++)
            if (state && !state[plan->group[g].first + i]) {
                s->left[plan->group[g].data]++;
                s->total++;
            }
}

/* Seconds, or below 0 if there is no telling yet. */
static double time_left(const bench_show *s)
{
    double spent = 0, left = 0;
    int done = 0;
    for (int i = 0; i < SPEC_DATA; i++) {
        spent += s->spent[i];
        done += s->done[i];
    }
    if (!done)
        return -1;
    for (int i = 0; i < SPEC_DATA; i++)
        left += s->left[i] * (s->done[i] ? s->spent[i] / s->done[i] : spent / done);
    double under_way = cli_now() - s->since;
    return left > under_way ? left - under_way : 0;
}

static void say(bench_show *s, int done, int failed)
{
    char left[32], bad[48] = "";
    progress_left(left, time_left(s));
    if (failed)
        snprintf(bad, sizeof bad, ", %d failed", failed);
    (s->terminal ? progress_line : progress_say)("bench: %d of %d cells%s%s%s: %s", done, s->total, bad,
                                                 *left ? ", " : "", left, s->work);
    s->last = cli_now();
}

void show_work(bench_show *s, const char *data, const char *label, int64_t nbits, int64_t seed)
{
    s->since = cli_now();
    if (nbits)
        snprintf(s->work, sizeof s->work, "%.40s, %.60s, %lld bits, seed %lld", data, label,
                 (long long)nbits, (long long)seed);
    else
        snprintf(s->work, sizeof s->work, "%.40s, %.60s", data, label);
}

void show_done(bench_show *s, int data, int cells, double seconds)
{
    s->left[data] -= cells;
    s->done[data] += cells;
    s->spent[data] += seconds;
    s->since = cli_now();
}

void show_now(bench_show *s, int done, int failed)
{
    if (!s->quiet && cli_now() - s->last >= (s->terminal ? ON_TERMINAL : IN_FILES))
        say(s, done, failed);
}

void show_failure(bench_show *s, const bench_plan *p, int group, int cell, const char *status,
                  const char *text)
{
    const bench_group *g = &p->group[group];
    const bench_cell *c = &p->cell[cell];
    if (s->quiet)
        return;
    progress_say("%s, %s, %lld bits, seed %lld%s%s%s%s, %s: %s: %s", p->spec->data[g->data].name,
                 p->spec->method[g->method].label, (long long)g->nbits, (long long)g->seed,
                 *c->index ? ", " : "", c->index, *c->search ? " " : "", c->search, c->rescore, status,
                 text);
}

void show_end(bench_show *s, int done, int failed)
{
    progress_clear();
    if (!s->quiet && s->total && !s->terminal) {
        snprintf(s->work, sizeof s->work, "done");
        say(s, done, failed);
    }
}
