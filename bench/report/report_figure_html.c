/* report_figure_html.c: figures as sections of a page. See report_figure.h. */
#include "report_figure.h"
#include "report_html.h"

#include <stdlib.h>

enum { WIDE = 14 };

/* ---- Legend -------------------------------------------------------------------------------- */

static void put_entry(FILE *out, const char *label, char kind, int number, int style, int dash)
{
    fprintf(out, "<li class=\"%c%d\">", kind, number);
    html_sample(out, style, dash);
    svg_put_text(out, label);
    fputs("</li>", out);
}

static void put_legend(FILE *out, const figure *f, const report_data *r)
{
    fputs("<ul class=\"legend\">", out);
    for (int i = 0; i < r->nmethods; i++)
        if (figure_uses(f, r->method[i].style, -1))
            put_entry(out, r->method[i].label, 'm', r->method[i].style, r->method[i].style, 0);
    bool scored = false;
    for (int d = 1; d < SCORINGS && f->scored; d++)
        scored = scored || figure_uses(f, -1, d);
    if (scored)
        fputs("</ul>\n<ul class=\"legend\"><li>Ranked by:</li>", out);
    for (int d = 0; scored && d < SCORINGS; d++)
        if (figure_uses(f, -1, d))
            put_entry(out, scoring_name[d], 'd', d, SVG_GREY, d);
    fputs("</ul>\n", out);
}

/* ---- The numbers --------------------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The different x of a panel, rising; 0 if there are too many for columns. */
static int columns_of(const figure_panel *p, double x[WIDE])
{
    int n = 0;
    for (int s = 0; s < p->chart.nseries; s++)
        for (int i = 0; i < p->series[s].n; i++) {
            int at = 0;
            while (at < n && x[at] != p->series[s].x[i])
                at++;
            if (at == n && n == WIDE)
                return 0;
            if (at == n)
                x[n++] = p->series[s].x[i];
        }
    qsort(x, (size_t)n, sizeof *x, by_number);
    return n;
}

static void put_row_head(FILE *out, const svg_series *s)
{
    fprintf(out, "<tr class=\"m%d d%d\"><th scope=\"row\">", s->style, s->dash);
    svg_put_text(out, s->name ? s->name : s->label ? s->label : "");
    fputs("</th>", out);
}

static void put_wide(FILE *out, const figure_panel *p, int n, const double *x)
{
    for (int s = 0; s < p->chart.nseries; s++) {
        const svg_series *v = &p->series[s];
        put_row_head(out, v);
        for (int c = 0; c < n; c++) {
            char text[112] = "";
            for (int i = 0; i < v->n; i++)
                if (v->x[i] == x[c])
                    spread_text(text, &(spread){2, v->y[i], v->low[i], v->high[i]});
            fprintf(out, "<td>%s</td>", text);
        }
        fputs("</tr>\n", out);
    }
}

/* A row a point; the tip says what it is, x and y are for machines that read the table too. */
static void put_points(FILE *out, const figure_panel *p)
{
    for (int s = 0; s < p->chart.nseries; s++) {
        const svg_series *v = &p->series[s];
        int every = v->n > 40 ? (v->n + 19) / 20 : 1;
        for (int i = 0; i < v->n; i += every) {
            char x[32], y[112];
            value_text(x, v->x[i]);
            spread_text(y, &(spread){2, v->y[i], v->low[i], v->high[i]});
            put_row_head(out, v);
            fprintf(out, "<td>%s</td><td>%s</td></tr>\n", x, y);
        }
    }
}

static void put_table(FILE *out, const figure_panel *p)
{
    double x[WIDE];
    int n = columns_of(p, x);
    fputs("<div class=\"scroll\"><table><caption>", out);
    svg_put_text(out, p->chart.title);
    fputs(" \xE2\x80\x93 ", out);
    svg_put_text(out, p->chart.y_title);
    fputs("</caption><thead><tr><th scope=\"col\">", out);
    if (n > 0) {
        svg_put_text(out, p->chart.x_title);
        fputs(" \xE2\x86\x92</th>", out);
        for (int i = 0; i < n; i++) {
            char text[32];
            value_text(text, x[i]);
            fprintf(out, "<th scope=\"col\">%s</th>", text);
        }
    } else {
        fputs("line</th><th scope=\"col\">", out);
        svg_put_text(out, p->chart.x_title);
        fputs("</th><th scope=\"col\">", out);
        svg_put_text(out, p->chart.y_title);
        fputs("</th>", out);
    }
    fputs("</tr></thead><tbody>\n", out);
    if (n > 0)
        put_wide(out, p, n, x);
    else
        put_points(out, p);
    fputs("</tbody></table></div>\n", out);
}

/* ---- The section --------------------------------------------------------------------------- */

static int put_panel(FILE *out, const figure *f, int i)
{
    const svg_chart *c = &f->panel[i].chart;
    fprintf(out,
            "<svg class=\"panel\" viewBox=\"0 0 %d %d\" role=\"img\" aria-labelledby=\"%s-%d-t "
            "%s-%d-d\"><title id=\"%s-%d-t\">", PANEL_WIDTH, PANEL_HEIGHT, f->name, i, f->name, i,
            f->name, i);
    svg_put_text(out, f->title);
    fputs(": ", out);
    svg_put_text(out, c->title);
    fprintf(out, "</title><desc id=\"%s-%d-d\">", f->name, i);
    svg_put_text(out, c->y_title);
    fputs(" against ", out);
    svg_put_text(out, c->x_title);
    fprintf(out, ", %d lines; their numbers are in the table below.</desc>\n", c->nseries);
    int rc = svg_chart_put(out, c, PANEL_WIDTH, PANEL_HEIGHT);
    fputs("</svg>\n", out);
    return rc;
}

int figure_put_html(FILE *out, const figure *f, const report_data *r)
{
    if (f->npanels == 0)
        return f->bad ? fail_memory() : EXIT_OK;
    fprintf(out, "<section id=\"%s\"%s><h2>", f->name, f->scored ? " class=\"scored\"" : "");
    svg_put_text(out, f->title);
    fputs("</h2>\n<p>", out);
    svg_put_text(out, f->about);
    fputs("</p>\n<figure>", out);
    put_legend(out, f, r);
    fputs("<div class=\"panels\">\n", out);
    int rc = EXIT_OK;
    for (int i = 0; rc == EXIT_OK && i < f->npanels; i++) {
        if (i > 0 && f->panel[i].group != f->panel[i - 1].group)
            fputs("</div><div class=\"panels\">\n", out);
        rc = put_panel(out, f, i);
    }
    fputs("</div></figure>\n<details><summary>The numbers of this figure</summary>\n", out);
    for (int i = 0; i < f->npanels; i++)
        put_table(out, &f->panel[i]);
    fputs("</details></section>\n", out);
    return rc ? rc : f->bad ? fail_memory() : EXIT_OK;
}
