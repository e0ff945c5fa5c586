/* cmd_report.c: `lbh report`: a directory of results as one page, or one of its figures. */
#define _POSIX_C_SOURCE 200809L
#include "bench_spec.h"
#include "common.h"
#include "drawing.h"
#include "lbh.h"
#include "outfile.h"
#include "result_lines.h"
#include "table_row.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct report_args {
    const char *output, *figure, *recall, *title, *dir, *data, *methods, *bits, *rescore;
    int quiet;
} report_args;

/* ---- The job ------------------------------------------------------------------------------- */

static cJSON *published(const bench_spec *spec)
{
    cJSON *list = cJSON_CreateArray();
    for (int i = 0; spec && i < spec->npublished; i++) {
        const spec_published *p = &spec->published[i];
        cJSON *one = cJSON_CreateObject(), *nbits = cJSON_AddArrayToObject(one, "nbits"), *rows;
        cJSON_AddStringToObject(one, "source", p->source ? p->source : "");
        cJSON_AddStringToObject(one, "what", p->what);
        rows = cJSON_AddArrayToObject(one, "rows");
        for (int k = 0; k < p->nbits.count; k++)
            cJSON_AddItemToArray(nbits, cJSON_CreateNumber((double)p->nbits.value[k]));
        for (int k = 0; k < p->rows; k++) {
            cJSON *row = cJSON_CreateObject();
            cJSON_AddStringToObject(row, "data", p->row[k].data);
            cJSON_AddStringToObject(row, "label", p->row[k].label);
            cJSON_AddItemToObject(row, "values",
                                  cJSON_CreateDoubleArray(p->row[k].value, p->row[k].count));
            cJSON_AddItemToArray(rows, row);
        }
        cJSON_AddItemToArray(list, one);
    }
    return list;
}

static void add_wanted(cJSON *job, const report_args *a)
{
    const char *const names[] = {"data", "methods", "bits", "rescore"};
    const char *const lists[] = {a->data, a->methods, a->bits, a->rescore};
    cJSON *wanted = cJSON_AddObjectToObject(job, "wanted");
    for (int i = 0; i < 4; i++)
        if (lists[i])
            cJSON_AddStringToObject(wanted, names[i], lists[i]);
}

/* Lines that differ in their seeds alone get the number of their row. */
static void number_rows(result_lines *r)
{
    const cJSON **first = cli_alloc(r->n, sizeof *first);
    int rows = 0;
    for (int i = 0; first && i < r->n; i++) {
        int row = 0;
        while (row < rows && !same_row(first[row], r->line[i]))
            row++;
        if (row == rows)
            first[rows++] = r->line[i];
        cJSON_DeleteItemFromObjectCaseSensitive(r->line[i], "row");
        cJSON_AddNumberToObject(r->line[i], "row", row);
    }
    free(first);
}

/* Takes the lines with it. */
static cJSON *make_job(const report_args *a, result_lines *r, const bench_spec *spec)
{
    cJSON *job = cJSON_CreateObject(), *lines;
    cJSON_AddStringToObject(job, "job", a->figure ? "figure" : "page");
    cJSON_AddStringToObject(job, "version", lbh_version());
    cJSON_AddStringToObject(job, "dir", a->dir);
    cJSON_AddStringToObject(job, "title", a->title ? a->title
                                                   : "Learned binary codes for nearest-neighbour "
                                                     "search");
    if (a->figure)
        cJSON_AddStringToObject(job, "figure", a->figure);
    if (a->recall)
        cJSON_AddStringToObject(job, "recall", a->recall);
    add_wanted(job, a);
    cJSON_AddItemToObject(job, "published", published(spec));
    cJSON_AddNumberToObject(job, "files", r->files);
    cJSON_AddNumberToObject(job, "torn", r->torn);
    cJSON_AddNumberToObject(job, "damaged", r->damaged);
    cJSON_AddNumberToObject(job, "replaced", r->replaced);
    cJSON_AddStringToObject(job, "note", r->note ? r->note : "");
    number_rows(r);
    lines = cJSON_AddArrayToObject(job, "lines");
    for (int i = 0; lines && i < r->n; i++) {
        cJSON_AddItemToArray(lines, r->line[i]);
        r->line[i] = NULL;
    }
    return job;
}

/* ---- The command --------------------------------------------------------------------------- */

static const char figures[] = " fronts recall bits time pr precision training sweep codes ";

static int check_figure(const char *name)
{
    char word[64];
    snprintf(word, sizeof word, " %.60s ", name);
    return *name && !strchr(name, ' ') && strstr(figures, word)
               ? LBH_OK
               : fail_usage("report: there is no figure '%s'; there are%s", name, figures);
}

static int check_lines(const result_lines *r, const char *dir)
{
    int cells = 0;
    for (int i = 0; i < r->n; i++)
        cells += result_is(r->line[i], "type", "cell");
    if (r->files == 0)
        return fail("there are no results in '%s': no file *.jsonl (`lbh bench --out DIR` writes "
                    "them)", dir);
    return cells ? LBH_OK
                 : fail("there is no result in the files of '%s'%s%s", dir,
                        r->note ? ": " : "; `lbh bench` has not finished its first cell",
                        r->note ? r->note : "");
}

static int report(const report_args *a)
{
    result_lines r;
    bench_spec *spec = NULL;
    LBH_TRY(a->figure ? check_figure(a->figure) : LBH_OK);
    int rc = result_lines_read(&r, a->dir);
    if (rc == LBH_OK)
        rc = check_lines(&r, a->dir);
    if (rc == LBH_OK)
        rc = outfile_check(a->output, false);
    if (rc == LBH_OK && !a->figure)
        rc = bench_spec_of(&spec, a->dir); /* for the published numbers in it */
    if (rc == LBH_OK && r.damaged && !a->quiet)
        progress_say("note: %d line%s left out that cannot be read: %s", r.damaged,
                     r.damaged == 1 ? "" : "s", r.note);
    if (rc == LBH_OK)
        rc = drawing_save(make_job(a, &r, spec), a->output);
    bench_spec_free(spec);
    result_lines_free(&r);
    return rc;
}

static int run(const command *self, int argc, char **argv)
{
    report_args a = {.output = NULL};
    const option_def defs[] = {
        {OPT_TEXT, 'o', "output", "FILE", &a.output, 0, 0, "page to write (or figure)", 1},
        {OPT_TEXT, 0, "figure", "NAME", &a.figure, 0, 0, "write one figure, as SVG", 0},
        {OPT_TEXT, 0, "recall", "K@N", &a.recall, 0, 0, "the recall to judge by (10@100)", 0},
        {OPT_TEXT, 0, "title", "TEXT", &a.title, 0, 0, "heading of the page", 0},
        {OPT_TEXT, 0, "data", "LIST", &a.data, 0, 0, "these data sets only", 0},
        {OPT_TEXT, 'm', "methods", "LIST", &a.methods, 0, 0, "these methods only", 0},
        {OPT_TEXT, 'b', "bits", "LIST", &a.bits, 0, 0, "these numbers of bits only", 0},
        {OPT_TEXT, 0, "rescore", "LIST", &a.rescore, 0, 0, "these scorings only", 0},
        {OPT_FLAG, 'q', "quiet", 0, &a.quiet, 0, 0, "no word about damaged lines", 0},
        OPTIONS_LAST,
    };
    int rc = options_parse(self, defs, argc, argv, &a.dir);
    if (rc == LBH_OK && !a.dir)
        rc = fail_usage("report: name the directory of results that `lbh bench --out DIR` wrote");
    return rc ? rc : report(&a);
}

const command command_report = {
    "report", "Make a page of figures and tables from results of `lbh bench`",
    "DIR -o FILE.html [--figure NAME -o FILE.svg] [OPTIONS]",
    "Reads all DIR/*.jsonl. The page is one file that needs no other, and no network. Figures:\n"
    "fronts recall bits time pr precision training sweep codes. Lists are separated by commas; methods\n"
    "are named as the tables name them, or as `lbh methods` does; scorings as in the results\n"
    "(none,hamming,margin,decoder,float). Published numbers come from DIR/spec.ini.\n",
    run};
