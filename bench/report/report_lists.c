/* report_lists.c: the figures of a report that show lists or single numbers of cells: training
 * curves, precision-recall curves, quality against time. See report_html.h. */
#include "report_html.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Adds the pairs [[x, y], ...] of a cell. */
static void add_pairs(figure *f, figure_panel *p, const svg_series *like, const cJSON *pairs)
{
    svg_series *s = figure_series_add(f, p, like, cJSON_GetArraySize(pairs));
    const cJSON *pair;
    cJSON_ArrayForEach(pair, pairs)
    {
        const cJSON *x = cJSON_GetArrayItem(pair, 0), *y = cJSON_GetArrayItem(pair, 1);
        if (cJSON_IsNumber(x) && cJSON_IsNumber(y))
            figure_point(f, s, x->valuedouble,
                         (spread){1, y->valuedouble, y->valuedouble, y->valuedouble}, NULL);
    }
}

/* ---- Training ------------------------------------------------------------------------------ */

static const cJSON *curve_of(const data_result *one)
{
    const cJSON *curve = cJSON_GetObjectItemCaseSensitive(one->cell[0], "curve");
    return cJSON_GetArraySize(curve) > 1 ? curve : NULL;
}

/* The first result of a method at each number of bits: others search the same model. */
static void training_panel(figure *f, const report_data *r, int set, int method)
{
    const data_set *v = &r->set[set];
    svg_chart like = {.title = figure_text(f, "%s, %s", figure_short(f, r->method[method].label),
                                            figure_short(f, v->name)),
                      .x_title = "step or iteration", .y_title = "loss", .fit_y = true};
    figure_panel *p = figure_panel_add(f, set, &like);
    for (int b = 0; p && b < v->nbit_kinds; b++)
        for (int i = 0; i < r->nresults; i++) {
            const data_result *one = &r->result[i];
            if (one->set != set || one->method != method || one->nbits != v->nbits[b] ||
                one->ceiling || !curve_of(one))
                continue;
            svg_series line = {.style = r->method[method].style, .dash = b % SVG_DASHES,
                               .label = figure_text(f, "%d", v->nbits[b]),
                               .name = figure_text(f, "%d bits, seed %.0f", v->nbits[b],
                                                   result_number(one->cell[0], "seed"))};
            add_pairs(f, p, &line, curve_of(one));
            break;
        }
}

void report_build_training(figure *f, const report_data *r)
{
    f->title = "Training";
    f->about = "The loss that each method minimises, by its own measure: losses of different "
               "methods cannot be compared. The number at the end of a line is the bits of the "
               "code. The first seed of each.";
    for (int s = 0; s < r->nsets; s++)
        for (int m = 0; m < r->nmethods; m++)
            training_panel(f, r, s, m);
}

/* ---- Precision against recall -------------------------------------------------------------- */

static void pr_panel(figure *f, const report_data *r, int set, int nbits)
{
    svg_chart like = {.title = figure_set_title(f, r, set, nbits), .x_title = "recall",
                      .y_title = "precision", .y_most = 1, .fit_x = true};
    figure_panel *p = figure_panel_add(f, set, &like);
    const char *best = strcmp(r->set[set].metric, "label") == 0 ? "label_map" : "map";
    for (int m = 0; p && m < r->nmethods; m++) {
        /* The curve is of the Hamming ranking: the scoring changes nothing. */
        const data_result *one = report_best(r, set, nbits, m, 0, best);
        for (int i = 0; !one && i < r->nresults; i++)
            if (result_in(&r->result[i], set, nbits) && r->result[i].method == m)
                one = &r->result[i];
        const cJSON *pairs = one ? cJSON_GetObjectItemCaseSensitive(one->cell[0], "pr") : NULL;
        svg_series line = {.style = r->method[m].style, .name = r->method[m].label};
        if (cJSON_GetArraySize(pairs) > 0)
            add_pairs(f, p, &line, pairs);
    }
}

void report_build_pr(figure *f, const report_data *r)
{
    f->title = "Precision against recall";
    f->about = "Down the ranking of all items: the share of relevant ones among those seen, "
               "against the share of all relevant ones that have been seen. The first seed of "
               "each method.";
    for (int s = 0; s < r->nsets; s++)
        for (int b = 0; b < r->set[s].nbit_kinds; b++)
            pr_panel(f, r, s, r->set[s].nbits[b]);
}

/* ---- Quality against time of training ------------------------------------------------------ */

static void time_panel(figure *f, const report_data *r, int set, int nbits)
{
    char name[64];
    const char *path = report_main_path(r, set);
    path_name(r, path, name);
    svg_chart like = {.title = figure_set_title(f, r, set, nbits), .x_title = "seconds of training",
                      .y_title = figure_text(f, "%s", name), .log_x = true, .fit_x = true,
                      .fit_y = true, .y_most = 1};
    figure_panel *p = figure_panel_add(f, set, &like);
    for (int m = 0; p && m < r->nmethods; m++)
        for (int d = 0; d < SCORINGS; d++) {
            const data_result *one = report_best(r, set, nbits, m, d, path);
            double seconds = one ? result_value(one, "train_s").median : NAN;
            if (!(seconds > 0) || d == 3) /* floats hide what the codes are worth */
                continue;
            char value[112], time[32];
            spread y = result_value(one, path);
            spread_text(value, &y);
            value_text(time, seconds);
            svg_series dot = {.style = r->method[m].style, .dash = d, .form = SVG_DOTS,
                              .name = d == 0 ? r->method[m].label
                                             : figure_text(f, "%s, %s", r->method[m].label,
                                                           scoring_name[d])};
            svg_series *s = figure_series_add(f, p, &dot, 1);
            figure_point(f, s, seconds, y,
                         figure_text(f, "%s: %s %s after %s s", dot.name, name, value, time));
        }
}

void report_build_time(figure *f, const report_data *r)
{
    f->title = "Quality against time of training";
    f->about = "Up and left is better: what the time of training buys. Codes alone, without float "
               "vectors. Seconds are on a logarithmic scale.";
    for (int s = 0; s < r->nsets; s++)
        for (int b = 0; b < r->set[s].nbit_kinds; b++)
            time_panel(f, r, s, r->set[s].nbits[b]);
}
