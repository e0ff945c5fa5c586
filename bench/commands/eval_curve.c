/* eval_curve.c: precision at ranks and precision-recall curves of `lbh eval`. See eval_report.h. */
#define _POSIX_C_SOURCE 200809L
#include "drawing.h"
#include "eval_report.h"
#include "map_file.h"
#include "outfile.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_AT = 64, MAX_CURVE = 512 };

/* The ranks of --precision-at. */
static int parse_at(const char *text, int64_t at[MAX_AT], int *count)
{
    return parse_ints(text, 1, (int64_t)1 << 40, MAX_AT, "eval: --precision-at", at, count);
}

int curve_check(const curve_args *a)
{
    int64_t at[MAX_AT];
    int count;
    if (a->precision_at)
        LBH_TRY(parse_at(a->precision_at, at, &count));
    if (!a->pr)
        return LBH_OK;
    if (!ends_in(a->pr, ".csv", false) && !ends_in(a->pr, ".svg", false))
        return fail_usage("eval: --pr '%s' is neither .csv nor .svg", a->pr);
    int rc = outfile_check(a->pr, false);
    return rc || ends_in(a->pr, ".csv", false) ? rc : drawing_check();
}

/* ---- The document -------------------------------------------------------------------------- */

static void add_at(cJSON *doc, const char *name, const rank_stats *s, const double *value,
                   const int64_t *at, int count)
{
    cJSON *o = cJSON_AddObjectToObject(doc, name);
    for (int i = 0; i < count; i++) {
        char key[24];
        snprintf(key, sizeof key, "%lld", (long long)at[i]);
        if (!cJSON_GetObjectItem(o, key))
            report_number(o, key, value[rank_stats_at(s, at[i])]);
    }
}

static void add_curves(cJSON *doc, const rank_stats *s, const int64_t *rank, int nranks)
{
    cJSON *by_rank = cJSON_AddArrayToObject(doc, "pr_by_rank");
    for (int i = 0; i < nranks; i++) {
        int p = rank_stats_at(s, rank[i]);
        cJSON *o = cJSON_CreateObject();
        report_number(o, "rank", (double)rank[i]);
        report_number(o, "precision", s->precision[p]);
        report_number(o, "recall", s->recall[p]);
        cJSON_AddItemToArray(by_rank, o);
    }
    cJSON *by_radius = cJSON_AddArrayToObject(doc, "pr_by_radius");
    for (int h = 0; h <= s->nbits; h++) {
        const ball_stats *b = &s->ball[h];
        cJSON *o = cJSON_CreateObject();
        report_number(o, "radius", h);
        report_number(o, "precision", b->precision);
        report_number(o, "precision_zero", b->precision_zero);
        report_number(o, "recall", b->recall);
        report_number(o, "queries_with_filled_ball", (double)b->filled);
        cJSON_AddItemToArray(by_radius, o);
    }
}

/* ---- Files --------------------------------------------------------------------------------- */

static int put(outfile *f, const char *format, ...) CLI_PRINTF(2, 3);
static int put(outfile *f, const char *format, ...)
{
    char line[256];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    return outfile_write(f, line, (size_t)len);
}

static int write_csv(outfile *f, const rank_stats *s, const int64_t *rank, int nranks)
{
    int rc = put(f, "by,at,precision,precision_zero,recall,queries_with_filled_ball\n");
    for (int i = 0; i < nranks && rc == LBH_OK; i++) {
        int p = rank_stats_at(s, rank[i]);
        rc = put(f, "rank,%lld,%.9g,%.9g,%.9g,%lld\n", (long long)rank[i], s->precision[p],
                 s->precision[p], s->recall[p], (long long)s->queries);
    }
    for (int h = 0; h <= s->nbits && rc == LBH_OK; h++) {
        const ball_stats *b = &s->ball[h];
        char precision[32] = "";
        if (b->filled)
            snprintf(precision, sizeof precision, "%.9g", b->precision);
        rc = put(f, "radius,%d,%s,%.9g,%.9g,%lld\n", h, precision, b->precision_zero, b->recall,
                 (long long)b->filled);
    }
    return rc;
}

static int draw_svg(const char *path, const rank_stats *s, const int64_t *rank, int nranks,
                    const char *about)
{
    double x[MAX_CURVE], y[MAX_CURVE];
    double *ball = cli_alloc(2 * ((int64_t)s->nbits + 1), sizeof *ball);
    int nballs = 0;
    for (int i = 0; i < nranks; i++) {
        x[i] = s->recall[rank_stats_at(s, rank[i])];
        y[i] = s->precision[rank_stats_at(s, rank[i])];
    }
    if (!ball)
        return LBH_ENOMEM;
    double *ball_y = ball + s->nbits + 1;
    for (int h = 0; h <= s->nbits; h++)
        if (s->ball[h].filled) {
            ball[nballs] = s->ball[h].recall;
            ball_y[nballs++] = s->ball[h].precision;
        }
    cJSON *chart = drawing_chart("Precision against recall", about, "recall", "precision");
    drawing_entry(chart, "first k ranks");
    drawing_entry(chart, "Hamming ball, empty ones left out");
    drawing_line(chart, 0, "first k ranks", "ranks", nranks, x, y);
    drawing_line(chart, 1, "Hamming ball", "radius", nballs, ball, ball_y);
    free(ball);
    return drawing_save(chart, path);
}

static int write_curve(const char *path, const rank_stats *s, const int64_t *rank, int nranks,
                       const char *method)
{
    char subtitle[160];
    outfile *f;
    if (s->with_relevant == 0)
        return fail("no query has a relevant row, so there is no curve for '%s'", path);
    snprintf(subtitle, sizeof subtitle, "%s, %d bits; %lld rows, mean over %lld queries",
             method, s->nbits, (long long)s->n, (long long)s->queries);
    if (ends_in(path, ".svg", false))
        return draw_svg(path, s, rank, nranks, subtitle);
    LBH_TRY(outfile_open(&f, path));
    return outfile_close(f, write_csv(f, s, rank, nranks));
}

int curve_scores(cJSON *doc, const curve_args *a, bool curves, map_scores *scores,
                 const relevance *rel, const char *method, const code_pair *codes, int64_t r_cut)
{
    int64_t point[MAX_AT + MAX_CURVE] = {PRECISION_N}, *rank = point + MAX_AT;
    int nat = 1, nranks = rank_stats_curve(codes->n - (rel->own ? 1 : 0), 20, MAX_CURVE, rank);
    rank_stats s;
    if (a->precision_at)
        LBH_TRY(parse_at(a->precision_at, point, &nat));
    for (int i = nat; i < MAX_AT; i++) /* repeats do no harm */
        point[i] = point[0];
    int rc = rank_stats_score(&s, scores, rel, codes, r_cut, MAX_AT + nranks, point);
    if (rc == LBH_OK) {
        report_number(doc, "map_ties_expected", s.map_expected);
        add_at(doc, "precision_at", &s, s.precision, point, nat);
        add_at(doc, "precision_at_ties_expected", &s, s.expected, point, nat);
        if (curves)
            add_curves(doc, &s, rank, nranks);
        if (a->pr)
            rc = write_curve(a->pr, &s, rank, nranks, method);
    }
    rank_stats_free(&s);
    return rc;
}
