/* speed.c: rounds, ratios and medians of `lbh speed`. */
#include "speed.h"

#include "bench_measure.h"
#include "progress.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_REPEATS = 100 };

typedef struct samples {
    double value[MAX_REPEATS];
    int n;
} samples;

/* Sorts. */
static double median(samples *s)
{
    return median_of(s->value, s->n);
}

static void put(samples *s, double value)
{
    if (s->n < MAX_REPEATS)
        s->value[s->n++] = value;
}

/* *seconds of one run; NAN if there is no such contender. */
static int take_time(const contender *c, double *seconds)
{
    *seconds = NAN;
    if (!c->name)
        return LBH_OK;
    omp_set_num_threads(c->threads);
    double began = cli_now();
    int rc = c->run(c->ctx);
    *seconds = cli_now() - began;
    return rc;
}

/* All rounds of a case. */
typedef struct timing {
    samples ours, rival[SPEED_RIVALS], ratio, fraction, limit[SPEED_LIMITS];
} timing;

static int one_round(const speed_case *c, bool warm_up, timing *t)
{
    double ours, rival, best = NAN, limit, slowest = NAN;
    int rc = take_time(&c->ours, &ours);
    for (int i = 0; i < SPEED_RIVALS && rc == LBH_OK; i++) {
        rc = take_time(&c->rival[i], &rival);
        best = fmin(best, rival);
        if (!warm_up && c->rival[i].name)
            put(&t->rival[i], rival);
    }
    for (int i = 0; i < SPEED_LIMITS && rc == LBH_OK; i++) {
        rc = take_time(&c->limit[i], &limit);
        slowest = fmax(slowest, limit);
        if (!warm_up && c->limit[i].name)
            put(&t->limit[i], limit);
    }
    if (warm_up || rc != LBH_OK)
        return rc;
    put(&t->ours, ours);
    if (!isnan(best))
        put(&t->ratio, best / ours);
    if (!isnan(slowest))
        put(&t->fraction, slowest / ours);
    return LBH_OK;
}

/* Adds time and name of the fastest rival, or of the slowest limit: the one that counts. */
static void add_best(cJSON *doc, const char *name, const contender *all, samples *times, int n,
                     bool slowest, double per_unit)
{
    int which = -1;
    double best = NAN;
    for (int i = 0; i < n; i++) {
        double m = median(&times[i]);
        if (!isnan(m) && (which < 0 || (slowest ? m > best : m < best))) {
            which = i;
            best = m;
        }
    }
    char label[64];
    strcpy(label, name);
    report_number(doc, name, best * per_unit);
    report_text(doc, strcat(label, "_name"), which < 0 ? "-" : all[which].name);
}

int speed_run(const speed_options *o, const speed_case *c)
{
    static timing t; /* large; one case at a time */
    memset(&t, 0, sizeof t);
    for (int i = -1; i < o->repeats; i++) {
        int rc = progress_tick(c->name, i + 1, o->repeats + 1);
        if (rc == LBH_OK)
            rc = one_round(c, i < 0, &t);
        if (rc != LBH_OK)
            return rc;
    }
    cJSON *doc = cJSON_CreateObject();
    double per_unit = 1e9 / c->work;
    report_text(doc, "name", c->name);
    report_number(doc, "threads", c->ours.threads);
    char unit[64];
    snprintf(unit, sizeof unit, "ns a %s", c->unit);
    report_text(doc, "unit", unit);
    report_number(doc, "ours", median(&t.ours) * per_unit);
    add_best(doc, "rival", c->rival, t.rival, SPEED_RIVALS, false, per_unit);
    cJSON *ratio = cJSON_AddObjectToObject(doc, "ratio");
    double middle = median(&t.ratio); /* sorts */
    report_number(ratio, "min", t.ratio.n ? t.ratio.value[0] : NAN);
    report_number(ratio, "median", middle);
    report_number(ratio, "max", t.ratio.n ? t.ratio.value[t.ratio.n - 1] : NAN);
    add_best(doc, "limit", c->limit, t.limit, SPEED_LIMITS, true, per_unit);
    report_number(doc, "limit_fraction", median(&t.fraction));
    if (!doc || !cJSON_AddItemToArray(o->results, doc)) {
        cJSON_Delete(doc);
        return fail_memory();
    }
    return LBH_OK;
}

void speed_note(const speed_options *o, const char *name, double value)
{
    int last = cJSON_GetArraySize(o->results) - 1;
    if (last >= 0)
        report_number(cJSON_GetArrayItem(o->results, last), name, value);
}
