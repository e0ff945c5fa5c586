/* curve_run.c: the trainings and the measurements of `lbh curve`. See curve.h. */
#define _POSIX_C_SOURCE 200809L
#include "curve.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MEASURED_ROWS = 2000, MEASURED_FLOATS = 1 << 26 };

/* ---- Rows ---------------------------------------------------------------------------------- */

static int pull_scaled(const lbh_rows *self, int64_t count, const int64_t *ids, float *x)
{
    const experiment *e = self->ctx;
    lbh_rows rows = vectors_rows(&e->base);
    int rc = rows.read(&rows, count, ids, x);
    for (int64_t i = 0; rc == LBH_OK && i < count * rows.d; i++)
        x[i] = (float)((double)x[i] * e->scale);
    return rc;
}

/* Evenly spaced rows of the base, and what their mean leaves of them. */
static int take_measured_rows(experiment *e)
{
    int d = e->base.d;
    int64_t most = MEASURED_FLOATS / d < MEASURED_ROWS ? MEASURED_FLOATS / d : MEASURED_ROWS;
    e->m = most < 1 ? 1 : most;
    e->m = e->m < e->base.n ? e->m : e->base.n;
    int64_t *ids = rows_evenly(e->base.n, e->m);
    e->x = cli_alloc(e->m * d, sizeof *e->x);
    int rc = ids && e->x ? e->rows.read(&e->rows, e->m, ids, e->x) : LBH_ENOMEM;
    free(ids);
    for (int j = 0; rc == LBH_OK && j < d; j++) {
        double mean = 0, square = 0;
        for (int64_t i = 0; i < e->m; i++)
            mean += (double)e->x[i * d + j] / (double)e->m;
        for (int64_t i = 0; i < e->m; i++)
            square += pow((double)e->x[i * d + j] - mean, 2);
        e->variance += square / (double)e->m / 2;
    }
    return rc;
}

/* Mean of ||x - x^||^2 / 2 over the measured rows. */
static int measure(const experiment *e, const lbh_encoder *enc, double *error)
{
    int64_t size = e->m * e->base.d;
    uint8_t *codes = cli_alloc(e->m, lbh_encoder_code_size(enc));
    float *y = cli_alloc(size, sizeof *y);
    int rc = codes && y ? lbh_encoder_encode(enc, e->m, e->x, codes) : LBH_ENOMEM;
    if (rc == LBH_OK)
        rc = lbh_encoder_decode(enc, e->m, codes, y);
    double sum = 0;
    for (int64_t i = 0; rc == LBH_OK && i < size; i++)
        sum += ((double)e->x[i] - (double)y[i]) * ((double)e->x[i] - (double)y[i]);
    *error = sum / (double)e->m / 2;
    if (rc == LBH_OK && !isfinite(*error))
        rc = fail("%s: the rebuilt vectors are not finite", lbh_encoder_method(enc));
    free(codes);
    free(y);
    return rc;
}

/* ---- Points -------------------------------------------------------------------------------- */

/* What a method counts: an option with the number of steps, and the rows that a step looks at. */
typedef struct pace {
    const char *option;
    double rows, first, last; /* rows a step; steps of the first and of the last point */
} pace;

/* Bounds of an option; false if the method has none of that name. */
static bool option_bounds(const char *method, const char *name, lbh_param *p)
{
    for (int i = 0; lbh_method_param(p, method, i) == LBH_OK; i++)
        if (strcmp(p->name, name) == 0)
            return true;
    return false;
}

static int find_pace(const experiment *e, const contender *c, const lbh_encoder *enc, pace *out)
{
    lbh_param p;
    double batch, max_train, other;
    if (option_bounds(c->method, "steps", &p) &&
        lbh_encoder_get_value(enc, "batch", &batch) == LBH_OK)
        *out = (pace){.option = "steps", .rows = batch};
    else if (option_bounds(c->method, "iterations", &p)) {
        *out = (pace){.option = "iterations", .rows = (double)e->base.n};
        if (lbh_encoder_get_value(enc, "max_train", &max_train) == LBH_OK)
            out->rows = fmin(out->rows, max_train);
    } else
        return fail_usage("curve: %s does not learn in steps", c->method);
    static const char *const besides[] = {"score", "metric", "time_limit", "early_stop"};
    for (int i = 0; i < 4; i++)
        if (lbh_encoder_get_value(enc, besides[i], &other) == LBH_OK && other != 0)
            return fail_usage("curve: '%s' does not learn in a given number of steps (option %s)",
                              c->name, besides[i]);
    out->last = fmin(fmax(floor((double)e->samples / out->rows), 1), p.max);
    out->first = p.min > 0 ? fmax(p.min, floor(out->last / 1000)) : 0;
    return LBH_OK;
}

/* Steps of the points, rising: 0 where that is possible, the rest at even ratios. */
static int spread(const pace *p, int64_t points, double steps[CURVE_POINTS])
{
    int n = 0;
    if (p->first <= 0)
        steps[n++] = 0;
    double low = fmax(fmax(p->first, 1), floor(p->last / 1000));
    int64_t rest = points - n;
    for (int64_t i = 0; i < rest; i++) {
        double share = rest > 1 ? (double)i / (double)(rest - 1) : 1;
        double s = round(low * pow(p->last / low, share));
        if (n == 0 || s > steps[n - 1])
            steps[n++] = s;
    }
    return n;
}

static void add_point(experiment *e, curve *v, double steps, double samples, double error,
                      double seconds)
{
    cJSON *o = cJSON_CreateObject();
    v->x[v->n] = samples;
    v->y[v->n++] = error;
    report_text(o, "method", e->list[v->contender].name);
    report_number(o, "nbits", v->nbits);
    report_number(o, "steps", steps);
    report_number(o, "samples", samples);
    report_number(o, "rebuild_error", error);
    report_number(o, "variance_left", e->variance > 0 ? error / e->variance : NAN);
    report_seconds(o, "train_seconds", seconds);
    cJSON_AddItemToArray(e->out, o);
}

static int run_point(experiment *e, curve *v, const pace *p, double steps)
{
    const contender *c = &e->list[v->contender];
    lbh_encoder *enc;
    double error = 0, began = cli_now();
    LBH_TRY(encoder_make(&enc, c->method, e->base.d, v->nbits, LBH_METRIC_L2, c->settings, e->seed));
    int rc = lbh_encoder_set_value(enc, p->option, steps);
    if (rc == LBH_OK)
        rc = lbh_encoder_train_rows(enc, &e->rows, NULL, NULL);
    progress_clear();
    double seconds = cli_now() - began;
    if (rc == LBH_OK && !has_decoder(enc))
        rc = fail("%s has no decoder: its codes do not say what the vectors were", c->method);
    if (rc == LBH_OK)
        rc = measure(e, enc, &error);
    if (rc == LBH_OK)
        add_point(e, v, steps, steps * p->rows, error, seconds);
    lbh_encoder_free(enc);
    return rc;
}

/* Makes each encoder once, so that what is wrong is found before hours of work. */
static int find_paces(const experiment *e, pace *paces)
{
    for (int i = 0; i < e->nmethods * e->nbits; i++) {
        const contender *c = &e->list[i / e->nbits];
        lbh_encoder *enc;
        int rc = encoder_make(&enc, c->method, e->base.d, (int)e->bits[i % e->nbits], LBH_METRIC_L2, c->settings,
                              e->seed);
        if (rc == LBH_OK && lbh_method_needs_labels(c->method))
            rc = fail_usage("curve: %s needs labels", c->method);
        if (rc == LBH_OK)
            rc = find_pace(e, c, enc, &paces[i]);
        lbh_encoder_free(enc);
        if (rc)
            return rc;
    }
    return LBH_OK;
}

static int run_all(experiment *e)
{
    int count = e->nmethods * e->nbits;
    pace paces[CURVE_METHODS * CURVE_BITS];
    int rc = find_paces(e, paces);
    for (int i = 0; i < count && rc == LBH_OK; i++) {
        curve *v = &e->curves[i];
        double steps[CURVE_POINTS];
        *v = (curve){.contender = i / e->nbits, .nbits = (int)e->bits[i % e->nbits]};
        snprintf(v->label, sizeof v->label, "%d bits", v->nbits);
        progress_note("%d/%d %s, %s", i + 1, count, e->list[v->contender].name, v->label);
        int n = spread(&paces[i], e->points, steps);
        for (int k = 0; k < n && rc == LBH_OK; k++)
            rc = run_point(e, v, &paces[i], steps[k]);
    }
    return rc;
}

int curve_run(experiment *e)
{
    e->rows = (lbh_rows){.n = e->base.n, .d = e->base.d, .read = pull_scaled, .ctx = e};
    e->curves = cli_alloc(e->nmethods * e->nbits, sizeof *e->curves);
    int rc = e->curves ? take_measured_rows(e) : LBH_ENOMEM;
    return rc ? rc : run_all(e);
}

void curve_free(experiment *e)
{
    for (int i = 0; i < e->nmethods; i++) {
        free(e->list[i].name);
        free(e->list[i].method);
        free(e->list[i].settings);
    }
    free(e->curves);
    free(e->x);
    vectors_close(&e->base);
}
