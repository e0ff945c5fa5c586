/* report_html.c: the page of a report: head, what to show, sections. See report_html.h. */
#include "report_html.h"

#include "lbh_faiss.h"

#include <stdlib.h>
#include <string.h>

void html_sample(FILE *out, int style, int dash)
{
    fputs("<svg class=\"sample\" viewBox=\"0 0 30 14\" aria-hidden=\"true\">", out);
    svg_put_sample(out, style, dash, 1, 7);
    fputs("</svg>", out);
}

void html_cell(FILE *out, const char *tag, const char *text)
{
    fprintf(out, "<%s class=\"text\">", tag);
    svg_put_text(out, text);
    fprintf(out, "</%s>", tag);
}

void html_columns(FILE *out, int count, const char *const *heads)
{
    fputs("<thead><tr>", out);
    for (int i = 0; i < count; i++) {
        bool text = heads[i][0] == '<';
        fprintf(out, "<th scope=\"col\"%s>", text ? " class=\"text\"" : "");
        svg_put_text(out, heads[i] + text);
        fputs("</th>", out);
    }
    fputs("</tr></thead><tbody>\n", out);
}

/* ---- What to show -------------------------------------------------------------------------- */

/* A box and its label stand before <main> as siblings of it, so that the style sheet can hide what
 * is not checked by `~`. (:has() would do without, but takes browsers seconds on long pages.) */
static void put_box(FILE *out, char kind, int number, int style, int dash, const char *label,
                    bool checked)
{
    fprintf(out, "<input type=\"checkbox\" class=\"box\" form=\"show\" id=\"%c%d\"%s>", kind,
            number, checked ? " checked" : "");
    fprintf(out, "<label class=\"chip\" for=\"%c%d\">", kind, number);
    html_sample(out, style, dash);
    fputs("<span>", out);
    svg_put_text(out, label);
    fputs("</span></label>\n", out);
}

static bool has_scoring(const report_data *r, int scoring)
{
    for (int i = 0; i < r->nresults; i++)
        if (scoring_of(r->result[i].rescore) == scoring)
            return true;
    return false;
}

static void put_rules(FILE *out, const report_data *r)
{
    for (int i = 0; i < r->nmethods; i++)
        fprintf(out, "#m%d:not(:checked)~main .m%d{display:none}\n", r->method[i].style,
                r->method[i].style);
    for (int d = 0; d < SCORINGS; d++)
        fprintf(out, "#d%d:not(:checked)~main .scored .d%d{display:none}\n", d, d);
}

/* Where many methods make many lines, some scorings are hidden at first. */
static bool shown_at_first(const report_data *r, int scoring)
{
    return r->nmethods <= 6 || scoring == 0 || scoring == 2;
}

static void put_filter(FILE *out, const report_data *r)
{
    int scorings = 0;
    fputs("<form id=\"show\"></form>\n<p class=\"soft\">Show these methods:</p>\n", out);
    for (int i = 0; i < r->nmethods; i++) {
        bool repeated = false; /* more methods than styles share boxes */
        for (int k = 0; k < i; k++)
            repeated = repeated || r->method[k].style == r->method[i].style;
        if (!repeated)
            put_box(out, 'm', r->method[i].style, r->method[i].style, 0, r->method[i].label, true);
    }
    for (int d = 0; d < SCORINGS; d++)
        scorings += has_scoring(r, d);
    if (scorings > 1)
        fputs("<p class=\"soft\">and these rankings, which dashes of lines tell apart:</p>\n", out);
    for (int d = 0; d < SCORINGS && scorings > 1; d++)
        if (has_scoring(r, d))
            put_box(out, 'd', d, SVG_GREY, d, scoring_name[d], shown_at_first(r, d));
    fputs("<button type=\"reset\" form=\"show\">as at first</button>\n", out);
}

/* ---- The page ------------------------------------------------------------------------------ */

static void put_head(FILE *out, const report_data *r, const char *title)
{
    fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
          "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
          "style-src 'unsafe-inline'; img-src data:\">\n"
          "<meta name=\"generator\" content=\"lbh ", out);
    svg_put_text(out, lbh_version());
    fputs("\">\n<title>", out);
    svg_put_text(out, title);
    fprintf(out, "</title>\n<style>\n%s", svg_style_sheet);
    for (int i = 0; html_style_sheets[i]; i++)
        fputs(html_style_sheets[i], out);
    put_rules(out, r);
    fputs("</style></head>\n<body>\n", out);
}

static void put_lead(FILE *out, const report_data *r, const char *title)
{
    int cells = 0;
    for (int i = 0; i < r->nresults; i++)
        cells += r->result[i].n;
    fputs("<header><h1>", out);
    svg_put_text(out, title);
    fprintf(out, "</h1>\n<p class=\"lead\">%d measured cell%s of %d method%s on %d data set%s",
            cells, cells == 1 ? "" : "s", r->nmethods, r->nmethods == 1 ? "" : "s", r->nsets,
            r->nsets == 1 ? "" : "s");
    if (r->nfailed)
        fprintf(out, "; <a href=\"#failures\">%d cell%s failed</a>", r->nfailed,
                r->nfailed == 1 ? "" : "s");
    fputs(". Where a cell was measured with several seeds, numbers are the median with "
          "[least..greatest]. Rest the pointer on a line or a marker to read it; every figure has "
          "its numbers in a table below it.</p>\n", out);
}

typedef struct link {
    const char *id, *text;
} link;

static void put_links(FILE *out, const report_data *r, const figure *figures)
{
    static const link after[] = {{"images", "Rebuilt images"}, {"tables", "All results"},
                                 {"failures", "Failures"}, {"origin", "How it was measured"}};
    const bool there[] = {r->nimages > 0, r->nresults > 0, r->nfailed > 0, true};
    fputs("<nav aria-label=\"Sections\"><ul>", out);
    if (r->nresults > 0)
        fputs("<li><a href=\"#summary\">What won and what lost</a></li>", out);
    for (int i = 0; figure_kinds[i].name; i++)
        if (figures[i].npanels > 0) {
            fprintf(out, "<li><a href=\"#%s\">", figure_kinds[i].name);
            svg_put_text(out, figures[i].title);
            fputs("</a></li>", out);
        }
    for (int i = 0; i < 4; i++)
        if (there[i])
            fprintf(out, "<li><a href=\"#%s\">%s</a></li>", after[i].id, after[i].text);
    fputs("</ul></nav></header>\n", out);
}

figure figure_make(const report_data *r, const figure_kind *kind)
{
    figure f = {.name = kind->name};
    kind->build(&f, r);
    figure_tidy(&f);
    return f;
}

int html_page(FILE *out, const report_data *r, const char *dir, const char *title,
              const bench_spec *spec)
{
    figure figures[REPORT_FIGURES] = {0};
    int n = 0, rc = EXIT_OK;
    for (; figure_kinds[n].name; n++)
        figures[n] = figure_make(r, &figure_kinds[n]);
    put_head(out, r, title);
    put_lead(out, r, title);
    put_links(out, r, figures);
    put_filter(out, r);
    fputs("<main>\n", out);
    rc = html_summary(out, r, spec);
    for (int i = 0; rc == EXIT_OK && i < n; i++)
        rc = figure_put_html(out, &figures[i], r);
    if (rc == EXIT_OK)
        rc = html_images(out, r);
    if (rc == EXIT_OK)
        rc = html_tables(out, r);
    if (rc == EXIT_OK)
        rc = html_failures(out, r);
    if (rc == EXIT_OK)
        rc = html_origin(out, r, dir);
    fputs("</main>\n</body></html>\n", out);
    for (int i = 0; i < n; i++)
        figure_free(&figures[i]);
    return rc;
}
