/* report_league.c: tables of methods by bits, with published numbers beside ours. See
 * report_summary.h. */
#include "report_summary.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

/* The best result of a method without float vectors. */
static const data_result *best_of_codes(const report_data *r, int set, int nbits, int method,
                                        const char *path)
{
    const data_result *found = NULL;
    double most = -INFINITY, sign = value_less_is_better(path) ? -1 : 1;
    for (int d = 0; d < SCORINGS; d++) {
        const data_result *one = d == 3 ? NULL : report_best(r, set, nbits, method, d, path);
        double value = one ? sign * result_value(one, path).median : -INFINITY;
        if (one && (!found || value > most)) {
            most = value;
            found = one;
        }
    }
    return found;
}

static bool same_name(const char *a, const char *b)
{
    while (*a && *b && tolower((unsigned char)*a) == tolower((unsigned char)*b))
        a++, b++;
    return !*a && !*b;
}

static void put_published_row(FILE *out, const data_set *set, const spec_published *p,
                              const spec_row *row)
{
    fputs("<tr class=\"published\"><th scope=\"row\">", out);
    svg_put_text(out, row->label);
    fputs(", as published</th>", out);
    for (int b = 0; b < set->nbit_kinds; b++) {
        char text[32] = "";
        for (int i = 0; i < p->nbits.count && i < row->count; i++)
            if (p->nbits.value[i] == set->nbits[b] && isfinite(row->value[i]))
                value_text(text, row->value[i]);
        fprintf(out, "<td>%s</td>", text);
    }
    fputs("</tr>\n", out);
}

/* Rows that the specification has for this table: those of one label, or (NULL) of labels that no
 * method has. Returns their number; with out NULL it only counts. */
static int put_published(FILE *out, const report_data *r, const bench_spec *spec, int set,
                         const char *path, const char *label)
{
    int count = 0;
    for (int i = 0; spec && i < spec->npublished; i++) {
        const spec_published *p = &spec->published[i];
        char its_path[64];
        published_path(&r->set[set], p->what, its_path);
        for (int k = 0; k < p->rows && strcmp(its_path, path) == 0; k++) {
            bool ours = false;
            for (int m = 0; m < r->nmethods; m++)
                ours = ours || same_name(r->method[m].label, p->row[k].label);
            if (strcmp(p->row[k].data, r->set[set].name) != 0 ||
                (label ? !same_name(label, p->row[k].label) : ours))
                continue;
            if (out)
                put_published_row(out, &r->set[set], p, &p->row[k]);
            count++;
        }
    }
    return count;
}

static void put_league_row(FILE *out, const report_data *r, int set, int method, const char *path,
                           int kinds, const double *top)
{
    fprintf(out, "<tr class=\"m%d\"><th scope=\"row\">", r->method[method].style);
    html_sample(out, r->method[method].style, 0);
    svg_put_text(out, r->method[method].label);
    fputs("</th>", out);
    for (int b = 0; b < kinds; b++) {
        const data_result *one = best_of_codes(r, set, r->set[set].nbits[b], method, path);
        if (!one) {
            fputs("<td></td>", out);
            continue;
        }
        char text[112];
        spread s = result_value(one, path);
        spread_text(text, &s);
        fprintf(out, "<td%s>%s", s.median == top[b] && fits(one) ? " class=\"best\"" : "", text);
        /* Errors of rebuilt vectors have nothing to do with the ranking. */
        bool ranked = scoring_of(one->rescore) != 0 && strncmp(path, "reconstruction", 14) != 0;
        if (ranked || larger(one)) {
            fputs(" <small>", out);
            svg_put_text(out, ranked ? one->rescore : "");
            if (larger(one))
                fprintf(out, " %.0f bytes", one->bytes);
            fputs("</small>", out);
        }
        fputs("</td>", out);
    }
    fputs("</tr>\n", out);
}

static void put_league(FILE *out, const report_data *r, const bench_spec *spec, int set,
                       const char *path, bool pinned)
{
    const data_set *v = &r->set[set];
    char name[64];
    double top[MOST_BITS];
    int kinds = v->nbit_kinds < MOST_BITS ? v->nbit_kinds : MOST_BITS;
    path_name(r, path, name);
    fprintf(out, "<div class=\"scroll\"><table%s><caption>", pinned ? " class=\"pinned\"" : "");
    svg_put_text(out, v->name);
    fputs(", ", out);
    svg_put_text(out, name);
    if (value_less_is_better(path))
        fputs(" (less is better)", out);
    fputs("</caption><thead><tr><th scope=\"col\">method</th>", out);
    for (int b = 0; b < kinds; b++) {
        best l = champion(r, set, v->nbits[b], path, true),
             o = champion(r, set, v->nbits[b], path, false);
        double sign = value_less_is_better(path) ? -1 : 1;
        top[b] = !o.of || (l.of && sign * l.value.median > sign * o.value.median) ? l.value.median
                                                                                  : o.value.median;
        fprintf(out, "<th scope=\"col\">%d bits</th>", v->nbits[b]);
    }
    fputs("</tr></thead><tbody>\n", out);
    for (int m = 0; m < r->nmethods; m++) {
        bool any = false;
        for (int b = 0; b < kinds; b++)
            any = any || best_of_codes(r, set, v->nbits[b], m, path);
        if (any)
            put_league_row(out, r, set, m, path, kinds, top);
        if (any)
            put_published(out, r, spec, set, path, r->method[m].label);
    }
    put_published(out, r, spec, set, path, NULL);
    fputs("</tbody></table></div>\n", out);
}

static void put_sources(FILE *out, const report_data *r, const bench_spec *spec)
{
    for (int i = 0; spec && i < spec->npublished; i++) {
        bool used = false;
        for (int s = 0; s < r->nsets; s++)
            for (int k = 0; k < spec->published[i].rows; k++)
                used = used || strcmp(spec->published[i].row[k].data, r->set[s].name) == 0;
        if (used && spec->published[i].source) {
            fputs("<p>Published numbers: ", out);
            svg_put_text(out, spec->published[i].source);
            fputs("</p>\n", out);
        }
    }
}

void put_leagues(FILE *out, const report_data *r, const bench_spec *spec)
{
    fputs("<h3>Methods by bits</h3>\n<p>The best of each column is marked \xE2\x98\x85; small "
          "print says what ranked the items, if not the codes as they are.</p>\n", out);
    for (int s = 0; s < r->nsets; s++) {
        measures m = measures_of(r, s, spec);
        for (int i = 0; i < m.n; i++) {
            if (i == 1) {
                fputs("<details><summary>Other measures of ", out);
                svg_put_text(out, r->set[s].name);
                fputs("</summary>\n", out);
            }
            put_league(out, r, spec, s, m.path[i], i == 0);
        }
        fputs(m.n > 1 ? "</details>\n" : "", out);
    }
    put_sources(out, r, spec);
}
