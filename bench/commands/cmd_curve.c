/* cmd_curve.c: `lbh curve`: the error of rebuilt vectors against the samples that training has
 * seen, as in figure 4 of the SGH paper: its arguments, its table and its figure. */
#define _POSIX_C_SOURCE 200809L
#include "curve.h"
#include "drawing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct curve_args {
    common common;
    const char *base, *methods, *bits, *output;
    int64_t samples, points, seed;
    double scale;
} curve_args;

/* ---- Arguments ----------------------------------------------------------------------------- */

static int parse_method(contender *c, const char *text, size_t len)
{
    c->name = strndup(text, len);
    size_t head = c->name ? strcspn(c->name, ":") : 0;
    c->method = c->name ? strndup(c->name, head) : NULL;
    c->settings = c->name && c->name[head] ? strdup(c->name + head + 1) : NULL;
    if (!c->name || !c->method || (c->name[head] && !c->settings))
        return fail_memory();
    for (char *p = c->settings; p && *p; p++)
        if (*p == ':')
            *p = ',';
    return LBH_OK;
}

static int parse_methods(experiment *e, const char *text)
{
    for (const char *p = text;; p++) {
        size_t len = strcspn(p, ",");
        if (len == 0)
            return fail_usage("curve: --methods has an empty name in '%s'", text);
        if (e->nmethods == CURVE_METHODS)
            return fail_usage("curve: --methods has more than %d names", CURVE_METHODS);
        LBH_TRY(parse_method(&e->list[e->nmethods++], p, len));
        p += len;
        if (!*p)
            return LBH_OK;
    }
}

/* ---- Results ------------------------------------------------------------------------------- */

static int write_figure(const experiment *e, const char *path)
{
    char about[512];
    const char *slash = strrchr(e->base.name, '/');
    snprintf(about, sizeof about, "%s, %lld x %d; mean over %lld rows",
             slash ? slash + 1 : e->base.name, (long long)e->base.n, e->base.d, (long long)e->m);
    cJSON *chart = drawing_chart("Reconstruction error against samples seen", about,
                                 "samples seen in training",
                                 "reconstruction error, ||x \xE2\x88\x92 x\xCC\x82||\xC2\xB2 / 2");
    cJSON_AddTrueToObject(chart, "log_x");
    for (int i = 0; i < e->nmethods; i++)
        drawing_entry(chart, e->list[i].name);
    for (int i = 0; i < e->nmethods * e->nbits; i++) {
        const curve *v = &e->curves[i];
        char name[512];
        snprintf(name, sizeof name, "%.400s %s", e->list[v->contender].name, v->label);
        drawing_line(chart, v->contender, name, v->label, v->n, v->x, v->y);
    }
    return drawing_save(chart, path);
}

static int print_table(const experiment *e)
{
    static const char *const heads[] = {"method", "bits", "steps", "samples", "error", "of variance", "train s"};
    static const struct {
        const char *name, *format;
    } numbers[] = {{"nbits", "%.0f"}, {"steps", "%.0f"}, {"samples", "%.0f"}, {"rebuild_error", "%.6g"},
                   {"variance_left", "%.4f"}, {"train_seconds", "%.2f"}};
    sheet *s = sheet_new(7, heads);
    const cJSON *row;
    cJSON_ArrayForEach(row, e->out) {
        sheet_cell(s, "%s", cJSON_GetStringValue(cJSON_GetObjectItem(row, "method")));
        for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
            sheet_number(s, numbers[i].format, cJSON_GetNumberValue(cJSON_GetObjectItem(row, numbers[i].name)));
    }
    printf("%s: %lld x %d, mean of ||x - x^||^2 / 2 over %lld rows\n\n", e->base.name,
           (long long)e->base.n, e->base.d, (long long)e->m);
    return sheet_print(s);
}

static cJSON *describe(const experiment *e, const char *figure)
{
    cJSON *doc = report_new("curve");
    report_text(doc, "base", e->base.name);
    report_number(doc, "n", (double)e->base.n);
    report_number(doc, "d", e->base.d);
    report_number(doc, "scale", e->scale);
    if (figure)
        report_text(doc, "figure", figure);
    return doc;
}

static int draw_curves(experiment *e, const curve_args *a)
{
    cJSON *doc = NULL;
    int rc = parse_methods(e, a->methods);
    if (rc == LBH_OK)
        rc = parse_ints(a->bits, 1, 4096, CURVE_BITS, "curve: --bits", e->bits, &e->nbits);
    if (rc == LBH_OK && a->output)
        rc = outfile_check(a->output, false);
    if (rc == LBH_OK && a->output)
        rc = drawing_check();
    if (rc == LBH_OK)
        rc = vectors_open(&e->base, a->base);
    if (rc == LBH_OK) {
        doc = describe(e, a->output);
        e->out = cJSON_AddArrayToObject(doc, "rows");
        rc = e->out ? curve_run(e) : fail_memory();
    }
    if (rc == LBH_OK)
        report_number(doc, "measured_rows", (double)e->m);
    if (rc == LBH_OK && a->output)
        rc = write_figure(e, a->output);
    if (rc == LBH_OK && !a->common.json) {
        rc = print_table(e);
        cJSON_Delete(doc);
        return rc;
    }
    return common_end(doc, a->common.json, rc);
}

static int run(const command *self, int argc, char **argv)
{
    curve_args a = {.methods = "sgh,itq", .bits = "8,16,32,64", .points = 6, .samples = 2500000,
                    .seed = -1, .scale = 1};
    const option_def defs[] = {
        {OPT_TEXT, 0, "base", "FILE", &a.base, 0, 0, "vectors to learn from and to rebuild", 1},
        {OPT_TEXT, 'o', "output", "FILE", &a.output, 0, 0, "figure to write, SVG", 0},
        {OPT_TEXT, 'm', "methods", "LIST", &a.methods, 0, 0, "methods (sgh,itq)", 0},
        {OPT_TEXT, 'b', "bits", "LIST", &a.bits, 0, 0, "bits a code (8,16,32,64)", 0},
        {OPT_INT, 0, "points", "N", &a.points, 2, CURVE_POINTS, "points a line (6)", 0},
        {OPT_INT, 0, "samples", "N", &a.samples, 1, (int64_t)1 << 40,
         "samples seen at the last point (2500000)", 0},
        {OPT_NUMBER, 0, "scale", "F", &a.scale, 0, (int64_t)1 << 40,
         "factor on the vectors, before all else (1)", 0},
        {OPT_INT, 0, "seed", "N", &a.seed, 0, (int64_t)1 << 53, "seed of the trainings", 0},
        OPTIONS_COMMON(&a.common.json, &a.common.threads, &a.common.quiet),
        OPTIONS_LAST,
    };
    LBH_TRY(options_parse(self, defs, argc, argv, NULL));
    if (a.scale <= 0)
        return fail_usage("curve: --scale must be above 0");
    common_begin(&a.common);
    experiment e = {.scale = a.scale, .samples = a.samples, .points = a.points, .seed = a.seed};
    int rc = draw_curves(&e, &a);
    curve_free(&e);
    return rc;
}

const command command_curve = {
    "curve", "Draw the error of rebuilding against samples seen",
    "--base FILE [-o FIGURE.svg] [--methods LIST] [--bits LIST] [OPTIONS]",
    "LIST of --methods: names, each with options if wanted (sgh,sgh:preset=official,itq). Methods\n"
    "with a decoder that learn in steps of a batch, or in iterations over all rows, can take\n"
    "part. Each point is a training of its own with that many steps, from a thousandth of\n"
    "--samples on; the error is the mean of ||x - x^||^2 / 2 over at most 2000 evenly spaced rows\n"
    "of the base. What a method sees before its first step (means, principal components, a start\n"
    "from ITQ) is not counted. For images of bytes, --scale 0.00392157 gives the error on pixels\n"
    "in [0,1].\n",
    run};
