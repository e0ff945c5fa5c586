/* svg.c: line charts as SVG. See svg.h. */
#define _POSIX_C_SOURCE 200809L
#include "svg.h"

#include "cli.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 860, PLOT_HEIGHT = 400, LEFT = 74, RIGHT = 96, HEAD = 64, FOOT = 62 };
enum { LEGEND_ROW = 20, ZERO_GAP = 44, LABEL_STEP = 14, LETTER = 7 };

static const char style_sheet[] =
    ".page{fill:#fff}.ink{fill:#1f2328}.soft{fill:#59636e}\n"
    ".grid{stroke:#d9dee4}.axis{stroke:#59636e}.line{fill:none;stroke-width:2}\n"
    ".s0{stroke:#0a5cc2}.f0{fill:#0a5cc2}.s1{stroke:#bc4c00}.f1{fill:#bc4c00}\n"
    ".s2{stroke:#1a7f37}.f2{fill:#1a7f37}.s3{stroke:#8250df}.f3{fill:#8250df}\n"
    ".s4{stroke:#9a6700}.f4{fill:#9a6700}.s5{stroke:#bf3989}.f5{fill:#bf3989}\n"
    "@media (prefers-color-scheme:dark){\n"
    ".page{fill:#0d1117}.ink{fill:#f0f6fc}.soft{fill:#9198a1}\n"
    ".grid{stroke:#2a313a}.axis{stroke:#9198a1}\n"
    ".s0{stroke:#58a6ff}.f0{fill:#58a6ff}.s1{stroke:#f0883e}.f1{fill:#f0883e}\n"
    ".s2{stroke:#3fb950}.f2{fill:#3fb950}.s3{stroke:#bc8cff}.f3{fill:#bc8cff}\n"
    ".s4{stroke:#d29922}.f4{fill:#d29922}.s5{stroke:#f778ba}.f5{fill:#f778ba}\n"
    "}\n";

/* Where numbers lie on the page. */
typedef struct page {
    FILE *out;
    const svg_chart *chart;
    double top, bottom, right; /* of the plot; its left is LEFT */
    double x_from;             /* pixel of x_low */
    double x_low, x_high, y_high, y_step;
    bool zero; /* log_x with points at 0 */
} page;

/* ---- Text ---------------------------------------------------------------------------------- */

/* Bytes of the valid UTF-8 sequence at p; 0 if there is none that XML allows. */
static int sequence(const unsigned char *p)
{
    static const unsigned least[5] = {0, 0, 0x80, 0x800, 0x10000};
    int len = *p < 0x80 ? 1 : *p >= 0xF0 ? 4 : *p >= 0xE0 ? 3 : 2;
    unsigned code = len == 1 ? *p : *p & (0xFFu >> (len + 1));
    if (len == 1)
        return *p >= 0x20 && *p != 0x7F;
    if (*p < 0xC0 || *p > 0xF7)
        return 0;
    for (int i = 1; i < len; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 0;
        code = code << 6 | (p[i] & 0x3Fu);
    }
    bool good = code >= least[len] && code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF) &&
                code != 0xFFFE && code != 0xFFFF;
    return good ? len : 0;
}

static void put_text(FILE *out, const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p;) {
        int len = sequence(p);
        if (*p == '&')
            fputs("&amp;", out);
        else if (*p == '<')
            fputs("&lt;", out);
        else if (*p == '>')
            fputs("&gt;", out);
        else if (*p == '"')
            fputs("&quot;", out);
        else if (len)
            fwrite(p, 1, (size_t)len, out);
        else
            fputc('?', out);
        p += len ? len : 1;
    }
}

/* anchor: start, middle or end. */
static void put_label(const page *p, double x, double y, const char *anchor, const char *class_name,
                      const char *text)
{
    fprintf(p->out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" class=\"%s\">", x, y, anchor,
            class_name);
    put_text(p->out, text);
    fputs("</text>\n", p->out);
}

/* "2.5M" for 2500000. */
static void short_number(char text[32], double v)
{
    static const char *const units[] = {"", "k", "M", "G", "T"};
    int i = 0;
    for (; v >= 1000 && i < 4; i++)
        v /= 1000;
    snprintf(text, 32, "%.4g%s", v, units[i]);
}

/* ---- Axes ---------------------------------------------------------------------------------- */

static double at_x(const page *p, double x)
{
    if (p->zero && x <= 0)
        return LEFT;
    double share = p->chart->log_x ? log(x / p->x_low) / log(p->x_high / p->x_low)
                                   : (x - p->x_low) / (p->x_high - p->x_low);
    return p->x_from + share * (p->right - p->x_from);
}

static double at_y(const page *p, double y)
{
    return p->bottom - y / p->y_high * (p->bottom - p->top);
}

/* The smallest of 1, 2, 5 times a power of ten that gives at most `count` steps. */
static double nice_step(double range, int count)
{
    double least = range / count, power = pow(10, floor(log10(least)));
    double m = least / power;
    return power * (m <= 1 ? 1 : m <= 2 ? 2 : m <= 5 ? 5 : 10);
}

static int find_ranges(page *p)
{
    const svg_chart *c = p->chart;
    double low = INFINITY, high = -INFINITY, top = 0;
    for (int s = 0; s < c->nseries; s++)
        for (int i = 0; i < c->series[s].n; i++) {
            double x = c->series[s].x[i];
            top = fmax(top, c->series[s].y[i]);
            if (c->log_x && x <= 0) {
                p->zero = true;
                continue;
            }
            low = fmin(low, x);
            high = fmax(high, x);
        }
    if (!(low <= high) && !p->zero)
        return fail("there is nothing to draw");
    p->x_low = low <= high ? low : 1;
    p->x_high = high > p->x_low ? high : c->log_x ? 10 * p->x_low : p->x_low + 1;
    p->x_from = LEFT + (p->zero ? ZERO_GAP : 0);
    p->y_step = nice_step(top > 0 ? top : 1, 8);
    p->y_high = ceil((top > 0 ? top : 1) / p->y_step) * p->y_step;
    return EXIT_OK;
}

static void put_x_tick(const page *p, double x, bool labelled)
{
    char text[32];
    double at = at_x(p, x);
    fprintf(p->out, "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" class=\"%s\"/>\n", at,
            at, labelled ? p->top : p->bottom, p->bottom + (labelled ? 6 : 3),
            labelled ? "grid" : "axis");
    short_number(text, x);
    if (labelled)
        put_label(p, at, p->bottom + 22, "middle", "soft", text);
}

/* Powers of ten, and 2 and 5 times those where there are few. */
static void put_log_ticks(const page *p)
{
    bool few = p->x_high / p->x_low < 300;
    for (double power = pow(10, floor(log10(p->x_low))); power <= p->x_high * 1.001; power *= 10)
        for (int m = 1; m < 10; m++)
            if (m * power >= p->x_low * 0.999 && m * power <= p->x_high * 1.001)
                put_x_tick(p, m * power, m == 1 || (few && (m == 2 || m == 5)));
    if (p->zero) { /* the axis is broken between 0 and the rest */
        put_x_tick(p, 0, true);
        double x = LEFT + ZERO_GAP / 2.0;
        for (int i = -1; i <= 1; i += 2)
            fprintf(p->out,
                    "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" class=\"axis\"/>\n",
                    x - 3 + 3 * i, x + 3 + 3 * i, p->bottom + 6, p->bottom - 6);
    }
}

static void put_axes(const page *p)
{
    char text[32];
    for (int i = 0; i * p->y_step <= p->y_high * 1.001; i++) {
        double y = at_y(p, i * p->y_step);
        fprintf(p->out, "<line x1=\"%d\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" class=\"grid\"/>\n",
                LEFT, p->right, y, y);
        short_number(text, i * p->y_step);
        put_label(p, LEFT - 8, y + 4, "end", "soft", text);
    }
    double step = nice_step(p->x_high - p->x_low, 8);
    if (p->chart->log_x)
        put_log_ticks(p);
    else
        for (double x = ceil(p->x_low / step) * step; x <= p->x_high * 1.001; x += step)
            put_x_tick(p, x, true);
    fprintf(p->out, "<path d=\"M%d %.1fV%.1fH%.1f\" fill=\"none\" class=\"axis\"/>\n", LEFT, p->top,
            p->bottom, p->right);
    put_label(p, (LEFT + p->right) / 2, p->bottom + 46, "middle", "ink", p->chart->x_title);
    fprintf(p->out, "<g transform=\"translate(20 %.1f) rotate(-90)\">", (p->top + p->bottom) / 2);
    put_label(p, 0, 0, "middle", "ink", p->chart->y_title);
    fputs("</g>\n", p->out);
}

/* ---- Lines --------------------------------------------------------------------------------- */

static void put_marker(const page *p, int style, double x, double y)
{
    static const char *const shapes[] = {"m-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0",
                                         "m-3.5 -3.5h7v7h-7z", "m0 -5l5 5l-5 5l-5 -5z",
                                         "m0 -5l5 8.5h-10z", "m0 5l5 -8.5h-10z",
                                         "m-5 -1.5h10v3h-10z"};
    fprintf(p->out, "<path d=\"M%.1f %.1f%s\" class=\"f%d\">", x, y, shapes[style], style);
}

static void put_series(const page *p, const svg_series *s)
{
    int style = s->style % SVG_STYLES;
    const char *name = s->style < p->chart->nlegend ? p->chart->legend[s->style] : "";
    fprintf(p->out, "<polyline class=\"line s%d\" points=\"", style);
    for (int i = 0; i < s->n; i++)
        fprintf(p->out, "%s%.1f,%.1f", i ? " " : "", at_x(p, s->x[i]), at_y(p, s->y[i]));
    fputs("\"/>\n", p->out);
    for (int i = 0; i < s->n; i++) {
        put_marker(p, style, at_x(p, s->x[i]), at_y(p, s->y[i]));
        fputs("<title>", p->out); /* shown where the pointer rests */
        put_text(p->out, name);
        fputs(" ", p->out);
        put_text(p->out, s->label);
        fprintf(p->out, ": %.6g at %.10g</title></path>\n", s->y[i], s->x[i]);
    }
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
static int put_end_labels(const page *p)
{
    const svg_chart *c = p->chart;
    int count = 0;
    end_label *l = cli_alloc(c->nseries, sizeof *l);
    if (!l)
        return EXIT_RUNTIME;
    for (int i = 0; i < c->nseries; i++)
        if (c->series[i].n > 0)
            l[count++] = (end_label){at_y(p, c->series[i].y[c->series[i].n - 1]), &c->series[i]};
    qsort(l, (size_t)count, sizeof *l, by_height);
    for (int i = 1; i < count; i++)
        l[i].y = fmax(l[i].y, l[i - 1].y + LABEL_STEP);
    for (int i = count - 1; i >= 0; i--)
        l[i].y = fmin(l[i].y, p->bottom - (count - 1 - i) * LABEL_STEP);
    for (int i = 0; i < count; i++) {
        const svg_series *s = l[i].series;
        char class_name[8];
        snprintf(class_name, sizeof class_name, "f%d", s->style % SVG_STYLES);
        put_label(p, at_x(p, s->x[s->n - 1]) + 10, l[i].y + 4, "start", class_name, s->label);
    }
    free(l);
    return EXIT_OK;
}

/* ---- The whole ----------------------------------------------------------------------------- */

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

static void put_head(const page *p, int height)
{
    const svg_chart *c = p->chart;
    fprintf(p->out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" "
            "height=\"%d\" role=\"img\" font-family=\"system-ui, sans-serif\" font-size=\"13\">\n",
            WIDTH, height, WIDTH, height);
    fputs("<title>", p->out);
    put_text(p->out, c->title);
    fputs("</title>\n<desc>", p->out);
    put_text(p->out, c->subtitle);
    fprintf(p->out, "</desc>\n<style>\n%s</style>\n", style_sheet);
    fprintf(p->out, "<rect width=\"%d\" height=\"%d\" class=\"page\"/>\n", WIDTH, height);
    fputs("<g font-size=\"17\" font-weight=\"600\">", p->out);
    put_label(p, LEFT, 28, "start", "ink", c->title);
    fputs("</g>\n", p->out);
    put_label(p, LEFT, 48, "start", "soft", c->subtitle);
    for (int i = 0; i < c->nlegend; i++) {
        double x, y = HEAD + 8;
        y += legend_place(c, i, &x) * LEGEND_ROW;
        int style = i % SVG_STYLES;
        fprintf(p->out, "<path d=\"M%.1f %.1fh24\" class=\"line s%d\"/>\n", x, y, style);
        put_marker(p, style, x + 12, y);
        fputs("</path>\n", p->out);
        put_label(p, x + 30, y + 4, "start", "ink", c->legend[i]);
    }
}

char *svg_chart_text(const svg_chart *chart)
{
    char *text = NULL;
    size_t size = 0;
    double x;
    int rows = chart->nlegend ? legend_place(chart, chart->nlegend - 1, &x) + 1 : 0;
    int top = HEAD + rows * LEGEND_ROW + 12, height = top + PLOT_HEIGHT + FOOT;
    page p = {.chart = chart, .top = top, .bottom = top + PLOT_HEIGHT, .right = WIDTH - RIGHT};
    if (find_ranges(&p))
        return NULL;
    p.out = open_memstream(&text, &size);
    if (!p.out) {
        fail_memory();
        return NULL;
    }
    put_head(&p, height);
    put_axes(&p);
    for (int i = 0; i < chart->nseries; i++)
        put_series(&p, &chart->series[i]);
    int rc = put_end_labels(&p);
    fputs("</svg>\n", p.out);
    bool bad = ferror(p.out) != 0;
    if (fclose(p.out) != 0 || bad)
        rc = fail_memory();
    if (rc) {
        free(text);
        return NULL;
    }
    return text;
}
