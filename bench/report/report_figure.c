/* report_figure.c: figures in memory, and as files of their own. See report_figure.h. */
#define _POSIX_C_SOURCE 200809L
#include "report_figure.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { TOP = 66, LETTER = 7, ROW = 22, COLUMNS = 4 };

/* ---- Building ------------------------------------------------------------------------------ */

static void *own(figure *f, void *memory)
{
    void **more = memory ? realloc(f->owned, ((size_t)f->nowned + 1) * sizeof *more) : NULL;
    if (!more) {
        free(memory);
        f->bad = true;
        return NULL;
    }
    f->owned = more;
    return f->owned[f->nowned++] = memory;
}

void *figure_alloc(figure *f, size_t count, size_t size)
{
    return own(f, calloc(count ? count : 1, size));
}

const char *figure_text(figure *f, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = figure_alloc(f, (size_t)len + 1, 1);
    if (!text)
        return "";
    va_start(args, format);
    vsnprintf(text, (size_t)len + 1, format, args);
    va_end(args);
    return text;
}

figure_panel *figure_panel_add(figure *f, int group, const svg_chart *like)
{
    figure_panel *more = realloc(f->panel, ((size_t)f->npanels + 1) * sizeof *more);
    if (!more) {
        f->bad = true;
        return NULL;
    }
    f->panel = more;
    f->panel[f->npanels] = (figure_panel){.chart = *like, .group = group};
    return &f->panel[f->npanels++];
}

svg_series *figure_series_add(figure *f, figure_panel *p, const svg_series *like, int n)
{
    if (p && p->chart.nseries == p->room) {
        svg_series *more = realloc(p->series, (2 * (size_t)p->room + 8) * sizeof *more);
        if (!more) {
            f->bad = true;
            return NULL;
        }
        p->chart.series = p->series = more;
        p->room = 2 * p->room + 8;
    }
    double *number = figure_alloc(f, (size_t)n, 4 * sizeof *number);
    const char **tip = figure_alloc(f, (size_t)n, sizeof *tip);
    if (!p || !number || !tip)
        return NULL;
    svg_series *s = &p->series[p->chart.nseries++];
    *s = *like;
    s->n = 0;
    s->x = number;
    s->y = number + n;
    s->low = number + 2 * n;
    s->high = number + 3 * n;
    s->tip = tip;
    return s;
}

void figure_point(figure *f, svg_series *s, double x, spread y, const char *tip)
{
    if (!s || !isfinite(x) || !isfinite(y.median))
        return;
    char value[112];
    spread_text(value, &y);
    if (!tip)
        tip = figure_text(f, "%s: %s at %.10g", s->name ? s->name : "", value, x);
    /* The arrays are the figure's own; charts only read them. */
    ((double *)s->x)[s->n] = x;
    ((double *)s->y)[s->n] = y.median;
    ((double *)s->low)[s->n] = y.low;
    ((double *)s->high)[s->n] = y.high;
    ((const char **)s->tip)[s->n] = tip;
    s->n++;
}

static void drop_points(const svg_chart *c, svg_series *s)
{
    int n = 0;
    for (int i = 0; i < s->n; i++) {
        if (c->log_y && s->y[i] <= 0)
            continue;
        ((double *)s->x)[n] = s->x[i];
        ((double *)s->y)[n] = s->y[i];
        ((double *)s->low)[n] = s->low[i];
        ((double *)s->high)[n] = s->high[i];
        ((const char **)s->tip)[n] = s->tip[i];
        n++;
    }
    s->n = n;
}

void figure_tidy(figure *f)
{
    int panels = 0;
    for (int i = 0; i < f->npanels; i++) {
        figure_panel *p = &f->panel[i];
        int n = 0;
        for (int k = 0; k < p->chart.nseries; k++) {
            drop_points(&p->chart, &p->series[k]);
            if (p->series[k].n > 0)
                p->series[n++] = p->series[k];
        }
        p->chart.nseries = n;
        if (n > 0)
            f->panel[panels++] = *p;
        else
            free(p->series);
    }
    f->npanels = panels;
}

const char *figure_short(figure *f, const char *name)
{
    size_t n = strlen(name);
    if (n <= 18)
        return name;
    for (n = 16; n > 0 && (name[n] & 0xC0) == 0x80; n--) /* not within a letter */
        ;
    return figure_text(f, "%.*s\xE2\x80\xA6", (int)n, name);
}

const char *figure_set_title(figure *f, const report_data *r, int set, int nbits)
{
    const data_set *s = &r->set[set];
    char many[32];
    svg_short_number(many, (double)s->n);
    const char *name = figure_short(f, s->name);
    return nbits < 0 ? figure_text(f, "%s (%.9s, %s rows)", name, s->metric, many)
                     : figure_text(f, "%s (%.9s), %d bits", name, s->metric, nbits);
}

void figure_free(figure *f)
{
    for (int i = 0; i < f->npanels; i++)
        free(f->panel[i].series);
    for (int i = 0; i < f->nowned; i++)
        free(f->owned[i]);
    free(f->panel);
    free(f->owned);
    *f = (figure){0};
}

/* ---- Numbers ------------------------------------------------------------------------------- */

void value_text(char text[32], double v)
{
    double a = fabs(v);
    if (!isfinite(v))
        strcpy(text, "-");
    else if (v == 0 || (v == floor(v) && a < 1e6))
        snprintf(text, 32, "%.0f", v);
    else if (a >= 1e6)
        svg_short_number(text, v);
    else
        snprintf(text, 32, a >= 1000  ? "%.0f" : a >= 100  ? "%.1f" : a >= 10 ? "%.2f"
                           : a >= 0.01 ? "%.3f" : "%.2e", v);
}

void spread_text(char text[112], const spread *s)
{
    char median[32], low[32], high[32];
    value_text(median, s->median);
    value_text(low, s->low);
    value_text(high, s->high);
    if (s->n > 1 && s->high > s->low)
        snprintf(text, 112, "%s [%s..%s]", median, low, high);
    else
        snprintf(text, 112, "%s", median);
}

/* ---- A file of its own --------------------------------------------------------------------- */

bool figure_uses(const figure *f, int style, int dash)
{
    for (int i = 0; i < f->npanels; i++)
        for (int k = 0; k < f->panel[i].chart.nseries; k++) {
            const svg_series *s = &f->panel[i].series[k];
            if ((style < 0 || s->style == style) && (dash < 0 || s->dash == dash))
                return true;
        }
    return false;
}

/* Letters, as a terminal counts them. */
static int letters(const char *text)
{
    int n = 0;
    for (; *text; text++)
        n += (*text & 0xC0) != 0x80;
    return n;
}

static void put_short(FILE *out, const char *text, int most)
{
    char part[512];
    size_t used = 0;
    for (int n = 0; *text && n < most && used < sizeof part - 8; n++) {
        int len = svg_text_sequence(text);
        memcpy(part + used, text, (size_t)(len ? len : 1));
        used += (size_t)(len ? len : 1);
        text += len ? len : 1;
    }
    part[used] = 0;
    svg_put_text(out, part);
    if (*text)
        fputs("\xE2\x80\xA6", out);
}

/* One entry, in rows from left to right; with out NULL only its place. */
static void put_entry(FILE *out, const char *label, int style, int dash, int width, double *x,
                      double *y)
{
    int shown = letters(label) < 32 ? letters(label) : 33;
    double size = 52 + LETTER * shown;
    if (*x > 20 && *x + size > width - 10) {
        *x = 20;
        *y += ROW;
    }
    if (out) {
        svg_put_sample(out, style, dash, *x, *y);
        fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" class=\"ink\">", *x + 34, *y + 4);
        put_short(out, label, 32);
        fputs("</text>\n", out);
    }
    *x += size;
}

/* Returns the y below the legend. */
static double put_legend(FILE *out, const figure *f, const report_data *r, int width)
{
    double x = 20, y = TOP;
    for (int i = 0; i < r->nmethods; i++)
        if (figure_uses(f, r->method[i].style, -1))
            put_entry(out, r->method[i].label, r->method[i].style, 0, width, &x, &y);
    for (int d = 1; d < SCORINGS && f->scored; d++)
        if (figure_uses(f, -1, d))
            put_entry(out, scoring_name[d], SVG_GREY, d, width, &x, &y);
    return y + ROW;
}

/* Place of panel i, groups beginning new rows, at most `columns` in a row; returns its row. */
static int panel_place(const figure *f, int i, int columns, int *column)
{
    int row = 0;
    *column = 0;
    for (int k = 1; k <= i; k++) {
        bool full = ++*column == columns || f->panel[k].group != f->panel[k - 1].group;
        row += full;
        *column = full ? 0 : *column;
    }
    return row;
}

/* As many as the largest group has, up to COLUMNS. */
static int columns_of(const figure *f)
{
    int most = 1, column;
    for (int i = 0; i < f->npanels; i++) {
        panel_place(f, i, COLUMNS, &column);
        most = column + 1 > most ? column + 1 : most;
    }
    return most;
}

static void put_svg_head(FILE *out, const figure *f, int width, int height)
{
    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" "
            "height=\"%d\" role=\"img\" font-family=\"system-ui, sans-serif\" font-size=\"13\">\n"
            "<title>", width, height, width, height);
    svg_put_text(out, f->title);
    fputs("</title>\n<desc>", out);
    svg_put_text(out, f->about);
    fprintf(out, "</desc>\n<style>\n%s</style>\n<rect width=\"%d\" height=\"%d\" class=\"page\"/>\n"
                 "<text x=\"20\" y=\"32\" class=\"ink\" font-size=\"18\" font-weight=\"600\">",
            svg_style_sheet, width, height);
    put_short(out, f->title, width / 10);
    fputs("</text>\n", out);
}

int figure_put_svg(FILE *out, const figure *f, const report_data *r)
{
    int columns = columns_of(f), column, rc = EXIT_OK;
    int wide = columns > 1 ? PANEL_WIDTH : 2 * PANEL_WIDTH;
    int tall = columns > 1 ? PANEL_HEIGHT : 3 * PANEL_HEIGHT / 2, width = columns * wide + 16;
    int top = (int)put_legend(NULL, f, r, width);
    int rows = panel_place(f, f->npanels - 1, columns, &column) + 1;
    put_svg_head(out, f, width, top + rows * tall + 8);
    put_legend(out, f, r, width);
    for (int i = 0; rc == EXIT_OK && i < f->npanels; i++) {
        int row = panel_place(f, i, columns, &column);
        fprintf(out, "<g transform=\"translate(%d %d)\">\n", 8 + column * wide, top + row * tall);
        rc = svg_chart_put(out, &f->panel[i].chart, wide, tall);
        fputs("</g>\n", out);
    }
    fputs("</svg>\n", out);
    return rc ? rc : f->bad ? fail_memory() : EXIT_OK;
}
