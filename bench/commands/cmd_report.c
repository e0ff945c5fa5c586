/* cmd_report.c: `lbh report`: a directory of results as one page, or one of its figures. */
#define _POSIX_C_SOURCE 200809L
#include "common.h"
#include "report_html.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct report_args {
    const char *output, *figure, *recall, *title, *dir;
    report_filter filter;
    int quiet;
} report_args;

/* ---- The specification --------------------------------------------------------------------- */

static int read_text(const char *path, char **text, size_t *size)
{
    FILE *in = fopen(path, "re"), *out = open_memstream(text, size);
    char block[4096];
    size_t got;
    int rc = !out ? fail_memory() : !in ? fail_errno("read", path) : EXIT_OK;
    while (rc == EXIT_OK && (got = fread(block, 1, sizeof block, in)) > 0)
        fwrite(block, 1, got, out);
    if (rc == EXIT_OK && ferror(in))
        rc = fail_errno("read", path);
    if (in)
        fclose(in);
    if (out && fclose(out) != 0 && rc == EXIT_OK)
        rc = fail_memory();
    return rc;
}

/* DIR/spec.ini, for the published numbers in it. *spec is NULL if there is none. */
static int read_spec(bench_spec **spec, const char *dir)
{
    *spec = NULL;
    size_t room = strlen(dir) + sizeof "/spec.ini", size = 0;
    char *path = cli_alloc((int64_t)room, 1), *text = NULL;
    if (!path)
        return EXIT_RUNTIME;
    snprintf(path, room, "%s/spec.ini", dir);
    int rc = EXIT_OK;
    FILE *there = fopen(path, "re");
    if (there)
        fclose(there);
    if (there || errno != ENOENT)
        rc = read_text(path, &text, &size);
    if (rc == EXIT_OK && text)
        rc = bench_spec_parse(spec, path, text, size);
    free(text);
    free(path);
    return rc;
}

/* ---- The output ---------------------------------------------------------------------------- */

static int put_figure(FILE *out, const report_data *r, const char *name)
{
    for (const figure_kind *k = figure_kinds; k->name; k++) {
        if (strcmp(k->name, name) != 0)
            continue;
        figure f = figure_make(r, k);
        int rc = f.npanels ? figure_put_svg(out, &f, r)
                 : f.bad   ? fail_memory()
                           : fail("report: these results have nothing for the figure '%s'", name);
        figure_free(&f);
        return rc;
    }
    return EXIT_USAGE;
}

static int check_figure(const char *name)
{
    char list[256] = "";
    size_t used = 0;
    for (const figure_kind *k = figure_kinds; k->name; k++) {
        if (strcmp(k->name, name) == 0)
            return EXIT_OK;
        used += (size_t)snprintf(list + used, sizeof list - used, " %s", k->name);
    }
    return fail_usage("report: there is no figure '%s'; there are:%s", name, list);
}

static int save(const char *path, const char *text, size_t size)
{
    outfile *file;
    int rc = outfile_open(&file, path);
    if (rc)
        return rc;
    rc = outfile_write(file, text, size);
    if (rc)
        outfile_abort(file);
    else
        rc = outfile_commit(file);
    return rc;
}

static int write_report(const report_args *a, const report_data *r, const bench_spec *spec)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return fail_memory();
    const char *title = a->title ? a->title : "Learned binary codes for nearest-neighbour search";
    int rc = a->figure ? put_figure(out, r, a->figure) : html_page(out, r, a->dir, title, spec);
    bool bad = ferror(out) != 0;
    if ((fclose(out) != 0 || bad) && rc == EXIT_OK)
        rc = fail_memory();
    if (rc == EXIT_OK)
        rc = save(a->output, text, size);
    free(text);
    return rc;
}

static int report(const report_args *a)
{
    report_data r;
    bench_spec *spec = NULL;
    int rc = a->figure ? check_figure(a->figure) : EXIT_OK;
    if (rc)
        return rc;
    rc = report_data_read(&r, a->dir, a->recall, &a->filter);
    if (rc == EXIT_OK)
        rc = outfile_check(a->output, false);
    if (rc == EXIT_OK && !a->figure)
        rc = read_spec(&spec, a->dir);
    if (rc == EXIT_OK && r.lines.damaged && !a->quiet)
        fprintf(stderr, "lbh report: %d line%s left out that cannot be read: %s\n",
                r.lines.damaged, r.lines.damaged == 1 ? "" : "s", r.lines.note);
    if (rc == EXIT_OK)
        rc = write_report(a, &r, spec);
    if (spec)
        bench_spec_free(spec);
    report_data_free(&r);
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
        {OPT_TEXT, 0, "data", "LIST", &a.filter.data, 0, 0, "these data sets only", 0},
        {OPT_TEXT, 'm', "methods", "LIST", &a.filter.methods, 0, 0, "these methods only", 0},
        {OPT_TEXT, 'b', "bits", "LIST", &a.filter.bits, 0, 0, "these numbers of bits only", 0},
        {OPT_TEXT, 0, "rescore", "LIST", &a.filter.rescore, 0, 0, "these scorings only", 0},
        {OPT_FLAG, 'q', "quiet", 0, &a.quiet, 0, 0, "no word about damaged lines", 0},
        OPTIONS_LAST,
    };
    int rc = options_parse(self, defs, argc, argv, &a.dir);
    if (rc == EXIT_OK && !a.dir)
        rc = fail_usage("report: name the directory of results that `lbh bench --out DIR` wrote");
    return rc ? rc : report(&a);
}

const command command_report = {
    "report", "Make a page of figures and tables from results of `lbh bench`",
    "DIR -o FILE.html [--figure NAME -o FILE.svg] [OPTIONS]",
    "Reads all DIR/*.jsonl. The page is one file that needs no other, and no network. Figures:\n"
    "fronts recall bits time pr precision training codes. Lists are separated by commas; methods\n"
    "are named as the tables name them, or as `lbh methods` does; scorings as in the results\n"
    "(none,hamming,margin,decoder,float). Published numbers come from DIR/spec.ini.\n",
    run};
