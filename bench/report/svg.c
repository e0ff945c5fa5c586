/* svg.c: charts as SVG. See svg.h. */
#define _POSIX_C_SOURCE 200809L
#include "svg.h"

#include "cli.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 860, PLOT_HEIGHT = 400, LEFT = 74, RIGHT = 96, HEAD = 64, FOOT = 62 };
enum { LEGEND_ROW = 20, ZERO_GAP = 44, LABEL_STEP = 14, LETTER = 7, MARKERS = 24 };

/* Where numbers lie on the page: pixels of the plot. */
typedef struct plot {
    FILE *out;
    const svg_chart *chart;
    double left, right, top, bottom;
    double x_from; /* pixel of the least x; right of `left` if 0 has a place of its own */
    svg_axis x, y;
} plot;

/* anchor: start, middle or end. */
static void put_label(FILE *out, double x, double y, const char *anchor, const char *class_name,
                      const char *text)
{
    fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" class=\"%s\">", x, y, anchor,
            class_name);
    svg_put_text(out, text);
    fputs("</text>\n", out);
}

static void put_line(FILE *out, double x1, double y1, double x2, double y2, const char *class_name)
{
    fprintf(out, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" class=\"%s\"/>\n", x1, y1,
            x2, y2, class_name);
}

/* ---- Axes ---------------------------------------------------------------------------------- */

static double at_x(const plot *p, double x)
{
    if (p->x.zero && x <= 0)
        return p->left;
    return p->x_from + svg_axis_share(&p->x, x) * (p->right - p->x_from);
}

static double at_y(const plot *p, double y)
{
    return p->bottom - svg_axis_share(&p->y, y) * (p->bottom - p->top);
}

static void widen(double *low, double *high, double v)
{
    *low = fmin(*low, v);
    *high = fmax(*high, v);
}

static int find_ranges(plot *p)
{
    const svg_chart *c = p->chart;
    double x[2] = {INFINITY, -INFINITY}, y[2] = {INFINITY, -INFINITY};
    bool zero = false;
    int points = 0;
    for (int s = 0; s < c->nseries; s++)
        for (int i = 0; i < c->series[s].n; i++, points++) {
            const svg_series *v = &c->series[s];
            if (c->log_x && v->x[i] <= 0)
                zero = true;
            else
                widen(&x[0], &x[1], v->x[i]);
            if (!c->log_y || v->y[i] > 0)
                widen(&y[0], &y[1], v->y[i]);
            if (v->low && v->high && (!c->log_y || v->low[i] > 0)) {
                widen(&y[0], &y[1], v->low[i]);
                widen(&y[0], &y[1], v->high[i]);
            }
        }
    if (!points)
        return fail("there is nothing to draw");
    for (int i = 0; i < c->nticks; i++)
        if (!c->log_x || c->tick[i] > 0)
            widen(&x[0], &x[1], c->tick[i]);
    int rows = (int)((p->bottom - p->top) / 40);
    p->x = svg_axis_of(x[0], x[1], c->log_x, c->fit_x, false, (int)((p->right - p->left) / 50));
    p->x.zero = zero;
    p->x_from = p->left + (zero ? ZERO_GAP : 0);
    p->y = svg_axis_of(y[0], y[1], c->log_y, true, !c->fit_y, rows < 8 ? rows : 8);
    if (c->y_most > 0 && p->y.high > c->y_most && y[1] <= c->y_most)
        p->y.high = c->y_most;
    return EXIT_OK;
}

static void put_x_tick(const plot *p, double x, bool labelled)
{
    char text[32];
    double at = at_x(p, x);
    put_line(p->out, at, labelled ? p->top : p->bottom, at, p->bottom + (labelled ? 6 : 3),
             labelled ? "grid" : "axis");
    svg_short_number(text, x);
    if (labelled)
        put_label(p->out, at, p->bottom + 22, "middle", "soft", text);
}

static void put_x_ticks(const plot *p)
{
    double v;
    bool labelled;
    for (int i = 0; i < p->chart->nticks; i++)
        if (!p->x.log || p->chart->tick[i] > 0)
            put_x_tick(p, p->chart->tick[i], true);
    for (int i = 0; !p->chart->nticks && svg_axis_tick(&p->x, i, &v, &labelled); i++)
        if (v >= p->x.low - 1e-9 * fabs(p->x.low))
            put_x_tick(p, v, labelled);
    if (!p->x.zero)
        return;
    put_x_tick(p, 0, true); /* the axis is broken between 0 and the rest */
    double x = p->left + ZERO_GAP / 2.0;
    for (int i = -1; i <= 1; i += 2)
        put_line(p->out, x - 3 + 3 * i, p->bottom + 6, x + 3 + 3 * i, p->bottom - 6, "axis");
}

static void put_axes(const plot *p)
{
    double v;
    bool labelled;
    for (int i = 0; svg_axis_tick(&p->y, i, &v, &labelled); i++) {
        if (v < p->y.low - 1e-9 * fabs(p->y.low))
            continue;
        char text[32];
        double y = at_y(p, v);
        put_line(p->out, labelled ? p->left : p->left - 3, y, labelled ? p->right : p->left, y,
                 labelled ? "grid" : "axis");
        svg_short_number(text, fabs(v) < 1e-9 * p->y.high ? 0 : v);
        if (labelled)
            put_label(p->out, p->left - 8, y + 4, "end", "soft", text);
    }
    put_x_ticks(p);
    fprintf(p->out, "<path d=\"M%.1f %.1fV%.1fH%.1f\" class=\"axis\" fill=\"none\"/>\n", p->left,
            p->top, p->bottom, p->right);
    put_label(p->out, (p->left + p->right) / 2, p->bottom + 42, "middle", "ink",
              p->chart->x_title);
    fprintf(p->out, "<g transform=\"translate(%.1f %.1f) rotate(-90)\">", p->left - 52,
            (p->top + p->bottom) / 2);
    put_label(p->out, 0, 0, "middle", "ink", p->chart->y_title);
    fputs("</g>\n", p->out);
}

/* ---- Lines --------------------------------------------------------------------------------- */

static int colour_of(int style)
{
    return style == SVG_GREY ? 8 : style % 8;
}

/* Leaves the element open. Each eight styles have the colours with other shapes, the second eight
 * hollow ones. */
static void put_marker(FILE *out, int style, double x, double y)
{
    static const char *const shapes[] = {
        "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z", /* circle, square, diamond, triangles */
        "m-3.6 -3.6h7.2v7.2h-7.2z",
        "m0 -5l5 5l-5 5l-5 -5z",
        "m0 -5l5 8.5h-10z",
        "m0 5l5 -8.5h-10z",
        "m-5 -1.5h3.5v-3.5h3v3.5h3.5v3h-3.5v3.5h-3v-3.5h-3.5z", /* cross, hexagon, x */
        "m-3 -4.6h6l3 4.6l-3 4.6h-6l-3 -4.6z",
        "m-4.5 -4.5h2.4l2.1 3l2.1 -3h2.4l-3 4.5l3 4.5h-2.4l-2.1 -3l-2.1 3h-2.4l3 -4.5z"};
    int round = style / 8 % 3, shape = (style + 3 * round) % 8;
    fprintf(out, "<path d=\"M%.1f %.1f%s\" class=\"%s\">", x, y,
            shapes[style == SVG_GREY ? 0 : shape], round == 1 ? "mark hollow" : "mark");
}

static void put_tip(const plot *p, const svg_series *s, int i)
{
    fputs("<title>", p->out); /* shown where the pointer rests */
    if (s->tip) {
        svg_put_text(p->out, s->tip[i]);
    } else {
        svg_put_text(p->out, s->style < p->chart->nlegend ? p->chart->legend[s->style] : "");
        fputs(" ", p->out);
        svg_put_text(p->out, s->label ? s->label : "");
        fprintf(p->out, ": %.6g at %.10g", s->y[i], s->x[i]);
    }
    fputs("</title></path>\n", p->out);
}

static void put_series(const plot *p, const svg_series *s)
{
    int style = s->style > SVG_GREY ? s->style % SVG_STYLES : s->style;
    fprintf(p->out, "<g class=\"series s%d m%d d%d%s\">", colour_of(style), style,
            s->dash % SVG_DASHES, s->form == SVG_FAINT ? " faint" : "");
    if (s->name) {
        fputs("<title>", p->out);
        svg_put_text(p->out, s->name);
        fputs("</title>\n", p->out);
    }
    if (s->form == SVG_LINE) {
        fputs("<polyline class=\"line\" points=\"", p->out);
        for (int i = 0; i < s->n; i++)
            fprintf(p->out, "%s%.1f,%.1f", i ? " " : "", at_x(p, s->x[i]), at_y(p, s->y[i]));
        fputs("\"/>\n", p->out);
    }
    for (int i = 0; s->low && s->high && i < s->n; i++)
        if (s->high[i] > s->low[i] && (!p->y.log || s->low[i] > 0))
            put_line(p->out, at_x(p, s->x[i]), at_y(p, s->low[i]), at_x(p, s->x[i]),
                     at_y(p, s->high[i]), "spread");
    int every = s->form == SVG_LINE && s->n > MARKERS ? s->n / 8 : 1;
    for (int i = every > 1 ? style % every : 0; i < s->n; i += every) {
        put_marker(p->out, style, at_x(p, s->x[i]), at_y(p, s->y[i]));
        put_tip(p, s, i);
    }
    fputs("</g>\n", p->out);
}

typedef struct end_label {
    double y;
    const svg_series *series;
} end_label;

static int by_height(const void *a, const void *b)
{
    double x = ((const end_label *)a)->y, y = ((const end_label *)b)->y;
    return (x > y) - (x < y);
}

/* The labels at the right ends, moved apart where they would lie on each other. */
static int put_end_labels(const plot *p)
{
    const svg_chart *c = p->chart;
    int count = 0;
    end_label *l = cli_alloc(c->nseries, sizeof *l);
    if (!l)
        return EXIT_RUNTIME;
    for (int i = 0; i < c->nseries; i++)
        if (c->series[i].n > 0 && c->series[i].label)
            l[count++] = (end_label){at_y(p, c->series[i].y[c->series[i].n - 1]), &c->series[i]};
    qsort(l, (size_t)count, sizeof *l, by_height);
    for (int i = 1; i < count; i++)
        l[i].y = fmax(l[i].y, l[i - 1].y + LABEL_STEP);
    for (int i = count - 1; i >= 0; i--)
        l[i].y = fmin(l[i].y, p->bottom - (count - 1 - i) * LABEL_STEP);
    for (int i = 0; i < count; i++) {
        const svg_series *s = l[i].series;
        int style = s->style > SVG_GREY ? s->style % SVG_STYLES : s->style;
        char class_name[48];
        snprintf(class_name, sizeof class_name, "lab s%d m%d d%d", colour_of(style), style,
                 s->dash % SVG_DASHES);
        put_label(p->out, at_x(p, s->x[s->n - 1]) + 10, l[i].y + 4, "start", class_name, s->label);
    }
    free(l);
    return EXIT_OK;
}

static int put_plot(plot *p)
{
    int rc = find_ranges(p);
    if (rc)
        return rc;
    put_axes(p);
    for (int i = 0; i < p->chart->nseries; i++)
        if (p->chart->series[i].n > 0)
            put_series(p, &p->chart->series[i]);
    return put_end_labels(p);
}

int svg_chart_put(FILE *out, const svg_chart *chart, double width, double height)
{
    bool labels = false;
    for (int i = 0; i < chart->nseries; i++)
        labels = labels || chart->series[i].label;
    plot p = {.out = out, .chart = chart, .left = 64, .right = width - (labels ? 46 : 14),
              .top = 32, .bottom = height - 50};
    fputs("<g font-weight=\"600\">", out);
    put_label(out, 12, 18, "start", "ink", chart->title);
    fputs("</g>\n", out);
    return put_plot(&p);
}

/* ---- A file of its own --------------------------------------------------------------------- */

/* Place of entry i of the legend, from left to right and in rows; returns its row. */
static int legend_place(const svg_chart *c, int i, double *x)
{
    double end = LEFT;
    int row = 0;
    for (int k = 0; k <= i; k++) {
        double width = 44 + LETTER * (double)strlen(c->legend[k]);
        if (end > LEFT && end + width > WIDTH - 20) {
            row++;
            end = LEFT;
        }
        *x = end;
        end += width;
    }
    return row;
}

void svg_put_sample(FILE *out, int style, int dash, double x, double y)
{
    fprintf(out, "<g class=\"s%d d%d\"><path d=\"M%.1f %.1fh28\" class=\"line\"/>\n",
            colour_of(style), dash % SVG_DASHES, x, y);
    put_marker(out, style, x + 14, y);
    fputs("</path></g>\n", out);
}

static void put_head(FILE *out, const svg_chart *c, int height)
{
    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" "
            "height=\"%d\" role=\"img\" font-family=\"system-ui, sans-serif\" font-size=\"13\">\n",
            WIDTH, height, WIDTH, height);
    fputs("<title>", out);
    svg_put_text(out, c->title);
    fputs("</title>\n<desc>", out);
    svg_put_text(out, c->subtitle);
    fprintf(out, "</desc>\n<style>\n%s</style>\n", svg_style_sheet);
    fprintf(out, "<rect width=\"%d\" height=\"%d\" class=\"page\"/>\n", WIDTH, height);
    fputs("<g font-size=\"17\" font-weight=\"600\">", out);
    put_label(out, LEFT, 28, "start", "ink", c->title);
    fputs("</g>\n", out);
    put_label(out, LEFT, 48, "start", "soft", c->subtitle);
    for (int i = 0; i < c->nlegend; i++) {
        double x, y = HEAD + 8;
        y += legend_place(c, i, &x) * LEGEND_ROW;
        svg_put_sample(out, i % SVG_STYLES, 0, x, y);
        put_label(out, x + 34, y + 4, "start", "ink", c->legend[i]);
    }
}

char *svg_chart_text(const svg_chart *chart)
{
    char *text = NULL;
    size_t size = 0;
    double x;
    int rows = chart->nlegend ? legend_place(chart, chart->nlegend - 1, &x) + 1 : 0;
    int top = HEAD + rows * LEGEND_ROW + 12, height = top + PLOT_HEIGHT + FOOT;
    FILE *out = open_memstream(&text, &size);
    if (!out) {
        fail_memory();
        return NULL;
    }
    plot p = {.out = out, .chart = chart, .left = LEFT, .right = WIDTH - RIGHT, .top = top,
              .bottom = top + PLOT_HEIGHT};
    put_head(out, chart, height);
    int rc = put_plot(&p);
    fputs("</svg>\n", out);
    bool bad = ferror(out) != 0;
    if (fclose(out) != 0 || bad)
        rc = fail_memory();
    if (rc) {
        free(text);
        return NULL;
    }
    return text;
}
