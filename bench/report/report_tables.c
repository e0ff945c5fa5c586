/* report_tables.c: all results, what failed, and how the numbers were made. See report_html.h. */
#include "report_html.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- All results --------------------------------------------------------------------------- */

typedef struct column {
    const char *head, *path;
    double scale;
} column;

enum { COLUMNS = 20 };

static const column fixed[] = {{"mAP", "map", 1},
                               {"mAP of labels", "label_map", 1},
                               {"precision, radius 2", "radius2.precision", 1},
                               {"empty balls, radius 2", "radius2.empty", 1},
                               {"error / variance", "reconstruction.relative", 1},
                               {"balance", "codes.balance", 1},
                               {"correlation", "codes.correlation", 1},
                               {"entropy", "codes.entropy", 1},
                               {"training s", "train_s", 1},
                               {"encoding s", "encode_s", 1},
                               {"index s", "build_s", 1},
                               {"queries/s", "qps", 1},
                               {"p50 ms", "latency_ms.p50", 1},
                               {"p95 ms", "latency_ms.p95", 1},
                               {"p99 ms", "latency_ms.p99", 1},
                               {"index MB", "index_bytes", 1e-6},
                               {"peak MB", "peak_mb", 1}};
enum { FIXED = sizeof fixed / sizeof *fixed };

/* Those of the columns that have a number in this table. */
static int columns_of(const report_data *r, int set, int nbits, column list[COLUMNS],
                      char recall[2][48])
{
    int n = 0;
    column all[FIXED + 2] = {{recall[0] + 7, recall[0], 1}, {recall[1] + 7, recall[1], 1}};
    snprintf(recall[0], sizeof recall[0], "recall.%d@%d", r->k, r->k);
    snprintf(recall[1], sizeof recall[1], "recall.%d@%d", r->k, r->at);
    memcpy(all + 2, fixed, sizeof fixed);
    for (int c = r->k == r->at; c < FIXED + 2; c++)
        for (int i = 0; i < r->nresults; i++)
            if (result_in(&r->result[i], set, nbits) &&
                result_value(&r->result[i], all[c].path).n > 0) {
                list[n++] = all[c];
                break;
            }
    return n;
}

static void put_result(FILE *out, const report_data *r, const data_result *one, int n,
                       const column *list)
{
    fprintf(out, "<tr class=\"m%d d%d\">", r->method[one->method].style, scoring_of(one->rescore));
    html_cell(out, "th", r->method[one->method].label);
    html_cell(out, "td", one->options);
    html_cell(out, "td", one->index);
    html_cell(out, "td", one->search);
    html_cell(out, "td", one->rescore);
    char text[112];
    value_text(text, one->bytes);
    fprintf(out, "<td>%s</td>", text);
    for (int c = 0; c < n; c++) {
        spread s = result_value(one, list[c].path);
        s = (spread){s.n, s.median * list[c].scale, s.low * list[c].scale, s.high * list[c].scale};
        spread_text(text, &s);
        fprintf(out, "<td>%s</td>", s.n ? text : "");
    }
    fputs("<td class=\"text\">", out);
    for (int i = 0; i < one->n; i++) {
        value_text(text, result_number(one->cell[i], "seed"));
        fprintf(out, "%s%s", i ? " " : "", text);
    }
    fputs("</td><td class=\"text\">", out);
    for (int i = 0; i < one->n; i++) {
        int at = origin_of(r, one->cell[i]);
        bool repeated = i > 0 && at == origin_of(r, one->cell[i - 1]);
        if (!repeated)
            fprintf(out, "<a href=\"#origin-%d\">%d</a> ", at + 1, at + 1);
    }
    fputs("</td></tr>\n", out);
}

static void put_results(FILE *out, const report_data *r, int set, int nbits)
{
    const char *heads[COLUMNS + 8] = {"method",  "<options", "<index",
                                      "<search", "<scoring", "bytes"};
    column list[COLUMNS];
    char recall[2][48], heading[2][48];
    int n = columns_of(r, set, nbits, list, recall), count = 0;
    for (int c = 0; c < n; c++) {
        heads[6 + c] = list[c].head;
        for (int i = 0; i < 2; i++)
            if (list[c].path == recall[i]) {
                snprintf(heading[i], sizeof heading[i], "recall %s", list[c].head);
                heads[6 + c] = heading[i];
            }
    }
    heads[6 + n] = "<seeds";
    heads[7 + n] = "<made by";
    for (int i = 0; i < r->nresults; i++)
        count += result_in(&r->result[i], set, nbits);
    if (count == 0)
        return;
    fputs("<details><summary>", out);
    svg_put_text(out, r->set[set].name);
    fputs(" (", out);
    svg_put_text(out, r->set[set].metric);
    fprintf(out, "), %d bits: %d results</summary>\n<div class=\"scroll\"><table>", nbits, count);
    html_columns(out, n + 8, heads);
    for (int i = 0; i < r->nresults; i++)
        if (result_in(&r->result[i], set, nbits))
            put_result(out, r, &r->result[i], n, list);
    fputs("</tbody></table></div></details>\n", out);
}

int html_tables(FILE *out, const report_data *r)
{
    if (r->nresults == 0)
        return EXIT_OK;
    fputs("<section id=\"tables\" class=\"scored\"><h2>All results</h2>\n<p>One row for each "
          "setting that was measured; median [least..greatest] over the seeds.</p>\n", out);
    for (int s = 0; s < r->nsets; s++) {
        fputs("<p>", out);
        svg_put_text(out, r->set[s].name);
        fprintf(out, ": %lld x %lld, %lld queries, metric ", (long long)r->set[s].n,
                (long long)r->set[s].d, (long long)r->set[s].nq);
        svg_put_text(out, r->set[s].metric);
        fputs("</p>\n", out);
        for (int b = 0; b < r->set[s].nbit_kinds; b++)
            put_results(out, r, s, r->set[s].nbits[b]);
    }
    fputs("</section>\n", out);
    return EXIT_OK;
}

/* ---- Failures ------------------------------------------------------------------------------ */

int html_failures(FILE *out, const report_data *r)
{
    static const char *const heads[] = {"data", "<method", "<options", "bits", "seed", "<index",
                                        "<search", "<scoring", "<what happened", "<reason"};
    static const char *const texts[] = {"options", "index", "search", "rescore"};
    if (r->nfailed == 0)
        return EXIT_OK;
    fputs("<section id=\"failures\"><h2>Failures</h2>\n<p>Cells that gave no result, and why. They "
          "are in no figure.</p>\n<div class=\"scroll\"><table>", out);
    html_columns(out, 10, heads);
    for (int i = 0; i < r->nfailed; i++) {
        const cJSON *line = r->failed[i];
        char text[32];
        fputs("<tr>", out);
        html_cell(out, "th", result_text(line, "data"));
        html_cell(out, "td", *result_text(line, "label") ? result_text(line, "label")
                                                         : result_text(line, "method"));
        html_cell(out, "td", result_text(line, "options"));
        value_text(text, result_number(line, "nbits"));
        fprintf(out, "<td>%s</td>", text);
        value_text(text, result_number(line, "seed"));
        fprintf(out, "<td>%s</td>", text);
        for (int k = 1; k < 4; k++)
            html_cell(out, "td", result_text(line, texts[k]));
        html_cell(out, "td", *result_text(line, "status") ? result_text(line, "status")
                                                          : "no status");
        html_cell(out, "td", *result_text(line, "error") ? result_text(line, "error")
                                                         : "no reason was recorded");
        fputs("</tr>\n", out);
    }
    fputs("</tbody></table></div></section>\n", out);
    return EXIT_OK;
}

/* ---- How the numbers were made ------------------------------------------------------------- */

static const char *const conditions[] = {"command", "cpu", "isa", "library", "faiss", "git",
                                         "machine"};
enum { CONDITIONS = sizeof conditions / sizeof *conditions };

static bool same_conditions(const cJSON *a, const cJSON *b)
{
    for (int i = 0; i < CONDITIONS; i++)
        if (strcmp(result_text(a, conditions[i]), result_text(b, conditions[i])) != 0)
            return false;
    double x = result_number(a, "threads"), y = result_number(b, "threads");
    return x == y || (isnan(x) && isnan(y));
}

static int cells_of(const report_data *r)
{
    return r->nresults ? (int)(r->result[r->nresults - 1].cell - r->cell) +
                             r->result[r->nresults - 1].n
                       : 0;
}

static bool first_with(const report_data *r, int i)
{
    for (int k = 0; k < i; k++)
        if (same_conditions(r->cell[k], r->cell[i]))
            return false;
    return true;
}

int origin_of(const report_data *r, const cJSON *line)
{
    int count = 0;
    for (int i = 0; i < cells_of(r); i++) {
        if (same_conditions(r->cell[i], line))
            return count;
        count += first_with(r, i);
    }
    return count;
}

static void put_origin(FILE *out, const report_data *r, int first, int number)
{
    const cJSON *line = r->cell[first];
    const char *from = "", *to = "";
    int count = 0;
    char threads[32];
    for (int i = first; i < cells_of(r); i++)
        if (same_conditions(r->cell[i], line)) {
            const char *date = result_text(r->cell[i], "date");
            count++;
            from = !*from || (*date && strcmp(date, from) < 0) ? date : from;
            to = strcmp(date, to) > 0 ? date : to;
        }
    value_text(threads, result_number(line, "threads"));
    fprintf(out, "<tr id=\"origin-%d\"><th scope=\"row\">%d</th><td>%d</td>", number, number,
            count);
    html_cell(out, "td", result_text(line, "command"));
    html_cell(out, "td", result_text(line, "cpu"));
    html_cell(out, "td", result_text(line, "isa"));
    fprintf(out, "<td>%s</td>", threads);
    html_cell(out, "td", result_text(line, "library"));
    html_cell(out, "td", result_text(line, "faiss"));
    html_cell(out, "td", result_text(line, "git"));
    html_cell(out, "td", from);
    html_cell(out, "td", to);
    fputs("</tr>\n", out);
}

int html_origin(FILE *out, const report_data *r, const char *dir)
{
    static const char *const heads[] = {"no.", "cells", "<command", "<CPU", "<ISA", "threads",
                                        "<lbh", "<FAISS", "<git", "<first", "<last"};
    const result_lines *l = &r->lines;
    fputs("<section id=\"origin\"><h2>How it was measured</h2>\n<p>Each number in this report is "
          "read from a line of the results in <code>", out);
    svg_put_text(out, dir);
    fprintf(out, "</code>, %d file%s with %d line%s; the column \xE2\x80\x9Cmade by\xE2\x80\x9D of "
                 "the tables names a row here, beside the seeds.", l->files,
            l->files == 1 ? "" : "s", l->n, l->n == 1 ? "" : "s");
    if (l->replaced)
        fprintf(out, " %d older line%s of cells that were measured again %s left out.", l->replaced,
                l->replaced == 1 ? "" : "s", l->replaced == 1 ? "is" : "are");
    if (l->torn)
        fprintf(out, " %d last line%s without an end (the writer was stopped) %s left out.",
                l->torn, l->torn == 1 ? "" : "s", l->torn == 1 ? "is" : "are");
    if (l->damaged) {
        fprintf(out, " %d line%s that cannot be read %s left out; the first is ", l->damaged,
                l->damaged == 1 ? "" : "s", l->damaged == 1 ? "is" : "are");
        svg_put_text(out, l->note ? l->note : "");
        fputs(".", out);
    }
    fputs("</p>\n", out);
    if (r->nresults > 0) {
        fputs("<div class=\"scroll\"><table>", out);
        html_columns(out, 11, heads);
        for (int i = 0, number = 0; i < cells_of(r); i++)
            if (first_with(r, i))
                put_origin(out, r, i, ++number);
        fputs("</tbody></table></div>\n", out);
    }
    fputs("</section>\n", out);
    return EXIT_OK;
}
