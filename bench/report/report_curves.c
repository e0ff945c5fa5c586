/* report_curves.c: the figures of a report, from its data. See report_html.h. */
#include "report_front.h"
#include "report_html.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- What panels and lines are called ------------------------------------------------------ */

static const char *line_name(figure *f, const report_data *r, const data_result *one)
{
    char *settings = result_settings(one);
    const char *name = figure_text(f, "%s (%s)", r->method[one->method].label,
                                   settings ? settings : "");
    f->bad = f->bad || !settings;
    free(settings);
    return name;
}

static const char *main_name(figure *f, const report_data *r, int set)
{
    char name[64];
    path_name(r, report_main_path(r, set), name);
    return figure_text(f, "%s", name);
}

/* Calls for every set, and number of bits in it. */
typedef void (*panel_builder)(figure *f, const report_data *r, int set, int nbits);

static void each_panel(figure *f, const report_data *r, panel_builder build)
{
    for (int s = 0; s < r->nsets; s++)
        for (int b = 0; b < r->set[s].nbit_kinds; b++)
            build(f, r, s, r->set[s].nbits[b]);
}

/* ---- Recall against queries per second ----------------------------------------------------- */

typedef struct cloud {
    int n;
    const data_result **of;
    double *x, *y;
    int *front;
} cloud;

static cloud cloud_of(figure *f, const report_data *r, int set, int nbits, int method)
{
    size_t most = (size_t)r->nresults;
    cloud c = {0, figure_alloc(f, most, sizeof *c.of), figure_alloc(f, most, sizeof *c.x),
               figure_alloc(f, most, sizeof *c.y), figure_alloc(f, most, sizeof *c.front)};
    for (int i = 0; !f->bad && i < r->nresults; i++) {
        const data_result *one = &r->result[i];
        if (!result_in(one, set, nbits) || one->method != method)
            continue;
        c.of[c.n] = one;
        c.x[c.n] = result_value(one, report_main_path(r, set)).median;
        c.y[c.n++] = result_value(one, "qps").median;
    }
    return c;
}

static void put_cloud_point(figure *f, const report_data *r, svg_series *s, const data_result *one,
                            int set)
{
    spread x = result_value(one, report_main_path(r, set)), y = result_value(one, "qps");
    char recall[112], speed[32];
    if (x.n == 0 || y.n == 0)
        return;
    spread_text(recall, &x);
    svg_short_number(speed, y.median);
    figure_point(f, s, x.median, y,
                 figure_text(f, "%s: %s %s at %s queries/s", line_name(f, r, one),
                             main_name(f, r, set), recall, speed));
}

static void front_panel(figure *f, const report_data *r, int set, int nbits)
{
    svg_chart like = {.title = figure_set_title(f, r, set, nbits), .x_title = main_name(f, r, set),
                      .y_title = "queries per second", .log_y = true, .fit_x = true,
                      .fit_y = true};
    figure_panel *p = figure_panel_add(f, set, &like);
    for (int m = 0; p && m < r->nmethods; m++) {
        cloud c = cloud_of(f, r, set, nbits, m);
        if (f->bad || c.n == 0)
            continue;
        int n = report_front(c.n, c.x, c.y, c.front);
        f->bad = f->bad || n < 0;
        svg_series line = {.style = r->method[m].style, .name = r->method[m].label};
        svg_series *s = figure_series_add(f, p, &line, c.n);
        for (int i = 0; i < n; i++)
            put_cloud_point(f, r, s, c.of[c.front[i]], set);
        line.form = SVG_FAINT;
        line.name = figure_text(f, "%s, beaten", r->method[m].label);
        s = figure_series_add(f, p, &line, c.n);
        for (int i = 0, k; i < c.n; i++) {
            for (k = 0; k < n && c.front[k] != i; k++)
                ;
            if (k == n)
                put_cloud_point(f, r, s, c.of[i], set);
        }
    }
}

static void build_fronts(figure *f, const report_data *r)
{
    f->title = "Quality against speed";
    f->about = "Up and right is better. A line joins the settings (index, search parameters, "
               "scoring) of a method that no other setting of it beats in both; faint points are "
               "beaten ones. Scoring by float vectors keeps those in memory besides the codes. "
               "Queries per second are on a logarithmic scale.";
    each_panel(f, r, front_panel);
}

/* ---- Values at ranks ----------------------------------------------------------------------- */

/* One line for each method and scoring, of the setting that has most of `best`: the values at the
 * ranks `at`, by their paths "PREFIX<rank>". */
static void rank_lines(figure *f, const report_data *r, figure_panel *p, int set, int nbits,
                       const char *best, const char *prefix, const cJSON *at)
{
    for (int m = 0; p && m < r->nmethods; m++)
        for (int d = 0; d < SCORINGS; d++) {
            const data_result *one = report_best(r, set, nbits, m, d, best);
            if (!one)
                continue;
            svg_series line = {.style = r->method[m].style, .dash = d,
                               .name = line_name(f, r, one)};
            svg_series *s = figure_series_add(f, p, &line, cJSON_GetArraySize(at));
            const cJSON *n;
            cJSON_ArrayForEach(n, at)
            {
                char path[80];
                snprintf(path, sizeof path, "%s%.0f", prefix, n->valuedouble);
                if (cJSON_IsNumber(n) && n->valuedouble >= 1 && n->valuedouble < 1e9)
                    figure_point(f, s, n->valuedouble, result_value(one, path), NULL);
            }
        }
}

/* The list of ranks that comes first in the results of a panel: recall's of this K (k > 0), or
 * precision's. */
static const cJSON *ranks_of(const report_data *r, int set, int nbits, int k)
{
    for (int i = 0; i < r->nresults; i++) {
        const data_result *one = &r->result[i];
        if (!result_in(one, set, nbits))
            continue;
        const cJSON *curve = cJSON_GetObjectItemCaseSensitive(one->cell[0],
                                                              k > 0 ? "recall" : "precision");
        for (curve = k > 0 && curve ? curve->child : curve; curve; curve = curve->next) {
            const cJSON *at = cJSON_GetObjectItemCaseSensitive(curve, "at");
            if (cJSON_IsArray(at) && (k == 0 || result_number(curve, "k") == k))
                return at;
            if (k == 0)
                break;
        }
    }
    return NULL;
}

static void recall_panel(figure *f, const report_data *r, int set, int nbits)
{
    char prefix[32];
    snprintf(prefix, sizeof prefix, "recall.%d@", r->k);
    svg_chart like = {.title = figure_set_title(f, r, set, nbits),
                      .x_title = "N, answers looked at",
                      .y_title = figure_text(f, "recall %d@N", r->k), .log_x = true, .y_most = 1};
    rank_lines(f, r, figure_panel_add(f, set, &like), set, nbits, report_recall_path(r), prefix,
               ranks_of(r, set, nbits, r->k));
}

static void build_recall(figure *f, const report_data *r)
{
    f->scored = true;
    f->title = figure_text(f, "Recall %d@N", r->k);
    f->about = figure_text(f, "The share of the true %d nearest neighbours among the first N "
                              "answers, for the best index and search parameters of each method "
                              "and scoring. N is on a logarithmic scale.", r->k);
    if (r->at > 0)
        each_panel(f, r, recall_panel);
}

static void precision_panel(figure *f, const report_data *r, int set, int nbits)
{
    svg_chart like = {.title = figure_set_title(f, r, set, nbits),
                      .x_title = "N, answers looked at", .y_title = "precision@N",
                      .log_x = true, .y_most = 1};
    figure_panel *p = figure_panel_add(f, set, &like);
    rank_lines(f, r, p, set, nbits, report_main_path(r, set), "precision@",
               ranks_of(r, set, nbits, 0));
}

static void build_precision(figure *f, const report_data *r)
{
    f->scored = true;
    f->title = "Precision@N";
    f->about = "The share of relevant items among the first N answers, mean over the queries.";
    each_panel(f, r, precision_panel);
}

/* ---- Values against bits ------------------------------------------------------------------- */

static void bits_panel(figure *f, const report_data *r, int set, const char *path, bool fraction)
{
    char y_title[64];
    path_name(r, path, y_title);
    const data_set *v = &r->set[set];
    double *tick = figure_alloc(f, (size_t)v->nbit_kinds, sizeof *tick);
    for (int b = 0; tick && b < v->nbit_kinds; b++)
        tick[b] = v->nbits[b];
    svg_chart like = {.title = figure_set_title(f, r, set, -1), .x_title = "bits a code",
                      .y_title = figure_text(f, "%s", y_title), .log_x = true,
                      .y_most = fraction ? 1 : 0, .nticks = tick ? v->nbit_kinds : 0, .tick = tick};
    figure_panel *p = figure_panel_add(f, set, &like);
    bool per_scoring = strncmp(path, "codes.", 6) != 0 && strncmp(path, "reconstruction", 14) != 0;
    for (int m = 0; p && m < r->nmethods; m++)
        for (int d = 0; d < (per_scoring ? SCORINGS : 1); d++) {
            svg_series line = {.style = r->method[m].style, .dash = d,
                               .name = d == 0 ? r->method[m].label
                                              : figure_text(f, "%s, %s", r->method[m].label,
                                                            scoring_name[d])};
            svg_series *s = figure_series_add(f, p, &line, v->nbit_kinds);
            for (int b = 0; b < v->nbit_kinds; b++) {
                const data_result *one = report_best(r, set, v->nbits[b], m, per_scoring ? d : -1,
                                                     path);
                if (one)
                    figure_point(f, s, v->nbits[b], result_value(one, path), NULL);
            }
        }
}

static void build_bits(figure *f, const report_data *r)
{
    f->scored = true;
    f->title = "Quality against bits";
    f->about = "The best setting of each method and scoring at each length of the code. Up is "
               "better, but for the error of rebuilt vectors, where down is.";
    for (int s = 0; s < r->nsets; s++) {
        bits_panel(f, r, s, report_recall_path(r), true);
        bits_panel(f, r, s, "map", true);
        bits_panel(f, r, s, "label_map", true);
        bits_panel(f, r, s, "radius2.precision", true);
        bits_panel(f, r, s, "reconstruction.relative", false);
    }
}

static void build_codes(figure *f, const report_data *r)
{
    f->title = "How the codes use their bits";
    f->about = "Why a code is good or poor. Balance: the share of ones, mean over the bits; 1/2 is "
               "best. Correlation: mean absolute correlation of two bits; 0 is best. Entropy of "
               "the codes in bits: more is better, up to the logarithm of the number of rows.";
    for (int s = 0; s < r->nsets; s++) {
        bits_panel(f, r, s, "codes.balance", true);
        bits_panel(f, r, s, "codes.correlation", true);
        bits_panel(f, r, s, "codes.entropy", false);
    }
}

const figure_kind figure_kinds[REPORT_FIGURES + 1] = {
    {"fronts", build_fronts},       {"recall", build_recall},     {"bits", build_bits},
    {"time", report_build_time},    {"pr", report_build_pr},      {"precision", build_precision},
    {"training", report_build_training}, {"codes", build_codes},  {NULL, NULL}};
