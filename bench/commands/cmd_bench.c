/* cmd_bench.c: `lbh bench`: methods, bits, indexes and rankings on data sets, as a file says. */
#define _GNU_SOURCE
#include "common.h"

#include "ann_file.h"
#include "bench_presets.h"
#include "bench_print_plan.h"
#include "bench_run.h"
#include "bench_table.h"
#include "bench_worker.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct bench_args {
    common common;
    const char *spec, *preset, *out, *data, *table, *print, *ann;
    int quick, force, retry, list, plan;
} bench_args;

/* ---- The specification --------------------------------------------------------------------- */

static const char *preset_text(const char *name)
{
    for (const bench_preset *p = bench_presets; p->name; p++)
        if (strcmp(p->name, name) == 0)
            return p->text;
    return NULL;
}

static int no_preset(const char *name)
{
    char names[1500] = "";
    for (const bench_preset *p = bench_presets; p->name; p++)
        snprintf(names + strlen(names), sizeof names - strlen(names), " %s", p->name);
    return fail_usage("bench: there is no preset '%s'; there are%s", name, names);
}

/* The text of SPEC or of the preset, in new memory. */
static char *spec_text(const bench_args *a, const char **name)
{
    *name = a->preset ? a->preset : a->spec;
    if (!a->preset)
        return bench_spec_text(a->spec);
    const char *text = preset_text(a->preset);
    char *copy = text ? strdup(text) : NULL;
    if (!copy && text)
        fail_memory();
    else if (!copy)
        no_preset(a->preset);
    return copy;
}

/* "bench-NAME" of "dir/NAME.ini". */
static char *default_out(const char *name)
{
    const char *slash = strrchr(name, '/');
    char *out = NULL;
    name = slash ? slash + 1 : name;
    size_t len = strlen(name);
    len -= len > 4 && strcmp(name + len - 4, ".ini") == 0 ? 4 : 0;
    if (asprintf(&out, "bench-%.*s", (int)len, name) < 0) {
        fail_memory();
        return NULL;
    }
    return out;
}

static char *command_line(int argc, char **argv)
{
    size_t size = 5;
    for (int i = 0; i < argc; i++)
        size += strlen(argv[i]) + 1;
    char *text = malloc(size);
    if (text)
        strcpy(text, "lbh");
    for (int i = 0; text && i < argc; i++) {
        strcat(text, " ");
        strcat(text, argv[i]);
    }
    return text;
}

/* ---- Results ------------------------------------------------------------------------------- */

static int print_json(const bench_run *r)
{
    cJSON *doc = report_new("bench");
    cJSON *rows = bench_tables_json(r->dir), *missing;
    if (!doc || !rows) {
        cJSON_Delete(doc);
        cJSON_Delete(rows);
        return LBH_ENOMEM;
    }
    report_text(doc, "directory", r->dir);
    report_number(doc, "cells", r->plan.ncells);
    report_number(doc, "measured", r->ok);
    report_number(doc, "failed", r->failed);
    report_number(doc, "found", r->found);
    report_number(doc, "failed_before", r->failed_before);
    report_seconds(doc, "seconds", r->seconds);
    missing = cJSON_AddArrayToObject(doc, "missing");
    for (int i = 0; i < r->spec->ndata; i++)
        if (r->missing[i])
            cJSON_AddItemToArray(missing, cJSON_CreateString(r->missing[i]));
    cJSON_AddItemToObject(doc, "rows", rows);
    return report_print(doc, 1);
}

static int print_results(const bench_run *r, int json)
{
    if (json)
        return print_json(r);
    int rc = bench_tables_print(r->dir);
    if (rc == LBH_OK)
        printf("%d cells measured, %d found in '%s'%s. The same tables: lbh bench --table %s; as a "
               "page: lbh report %s -o report.html\n", r->ok, r->found, r->dir,
               r->failed_before ? "; failed ones are left as they are (--retry)" : "", r->dir,
               r->dir);
    return rc;
}

/* ---- The command --------------------------------------------------------------------------- */

static int measure(const bench_args *a, int argc, char **argv)
{
    bench_run r = {.data_dir = a->data ? a->data : "data", .ann = a->ann, .quick = a->quick, .force = a->force,
                   .retry = a->retry, .quiet = a->common.quiet};
    char *text = spec_text(a, &r.name), *out = NULL, *words = NULL;
    int rc = text ? bench_spec_parse(&r.spec, r.name, text, strlen(text)) : CLI_EUSAGE;
    if (rc == LBH_OK && a->ann)
        rc = ann_available();
    if (rc == LBH_OK && a->quick)
        rc = bench_spec_quick(r.spec);
    if (rc == LBH_OK) {
        out = a->out ? strdup(a->out) : default_out(r.name);
        words = command_line(argc, argv);
        rc = out && words ? LBH_OK : LBH_ENOMEM;
    }
    if (rc == LBH_OK) {
        r.text = text;
        r.dir = out;
        r.env.preset = a->preset ? a->preset : "";
        r.env.command = words;
        r.env.threads = a->common.threads > 0  ? (int)a->common.threads
                        : r.spec->threads > 0 ? (int)r.spec->threads
                                              : omp_get_max_threads();
        rc = a->plan ? bench_print_plan(&r) : bench_run_all(&r);
        if (rc == LBH_OK && !a->plan)
            rc = print_results(&r, a->common.json);
        if (rc == LBH_OK && r.ok + r.found == 0 && r.failed + r.failed_before > 0)
            rc = fail("all %d cells failed; '%s/bench.jsonl' says why", r.failed + r.failed_before,
                      r.dir);
    }
    if (r.spec)
        bench_run_free(&r);
    bench_spec_free(r.spec);
    free(text);
    free(out);
    free(words);
    return rc;
}

static int list_presets(void)
{
    for (const bench_preset *p = bench_presets; p->name; p++) {
        const char *line = p->text + strspn(p->text, "# ");
        printf("%-24s %.*s\n", p->name, (int)strcspn(line, "\n"), line);
    }
    return LBH_OK;
}

static int print_preset(const char *name)
{
    const char *text = preset_text(name);
    if (!text)
        return no_preset(name);
    fputs(text, stdout);
    return LBH_OK;
}

static int print_table(const bench_args *a)
{
    if (!a->common.json)
        return bench_tables_print(a->table);
    cJSON *doc = report_new("bench"), *rows = bench_tables_json(a->table);
    if (!rows) {
        cJSON_Delete(doc);
        return LBH_ENOMEM;
    }
    report_text(doc, "directory", a->table);
    cJSON_AddItemToObject(doc, "rows", rows);
    return report_print(doc, 1);
}

static int run(const command *self, int argc, char **argv)
{
    bench_args a = {0};
    const option_def defs[] = {
        {OPT_TEXT, 0, "preset", "NAME", &a.preset, 0, 0, "a built-in specification", 0},
        {OPT_TEXT, 0, "out", "DIR", &a.out, 0, 0, "where results are kept (bench-NAME)", 0},
        {OPT_TEXT, 0, "data", "DIR", &a.data, 0, 0, "where known data sets lie (data)", 0},
        {OPT_FLAG, 0, "quick", 0, &a.quick, 0, 0,
         "a quick look: 10000 rows, 1000 queries, one seed, up to 64 bits, short training", 0},
        {OPT_FLAG, 0, "force", 0, &a.force, 0, 0, "measure again what is there already", 0},
        {OPT_FLAG, 0, "retry", 0, &a.retry, 0, 0, "measure again what failed", 0},
        {OPT_TEXT, 0, "ann-benchmarks", "DIR", &a.ann, 0, 0,
         "write data and results for ann-benchmarks' plot.py, too: measures all anew", 0},
        {OPT_FLAG, 0, "plan", 0, &a.plan, 0, 0,
         "print as JSON what FAISS's methods are to be measured on, measure nothing", 0},
        {OPT_TEXT, 0, "table", "DIR", &a.table, 0, 0, "print the tables of DIR, measure nothing",
         0},
        {OPT_FLAG, 0, "list-presets", 0, &a.list, 0, 0, "print the names of presets", 0},
        {OPT_TEXT, 0, "print-preset", "NAME", &a.print, 0, 0, "print a preset, to copy and change",
         0},
        OPTIONS_COMMON(&a.common.json, &a.common.threads, &a.common.quiet),
        OPTIONS_LAST,
    };
    if (argc == 2 && strcmp(argv[1], "--worker") == 0)
        return bench_worker_main();
    int rc = options_parse(self, defs, argc, argv, &a.spec);
    int jobs = (a.spec != NULL) + (a.preset != NULL) + (a.table != NULL) + (a.print != NULL) +
               a.list;
    if (rc == LBH_OK && jobs != 1)
        rc = fail_usage("bench: one of SPEC, --preset, --table, --list-presets and --print-preset "
                        "(try 'lbh bench --help')");
    if (rc == LBH_OK && a.list)
        rc = list_presets();
    else if (rc == LBH_OK && a.print)
        rc = print_preset(a.print);
    else if (rc == LBH_OK && a.table)
        rc = print_table(&a);
    else if (rc == LBH_OK)
        rc = measure(&a, argc, argv);
    return rc;
}

const command command_bench = {
    "bench", "Measure methods, indexes and FAISS's own on data sets, as a file says",
    "SPEC|--preset NAME [--out DIR] [OPTIONS]",
    "SPEC is an INI file: data sets, methods and what to vary; lbh bench --print-preset demo is\n"
    "one, man lbh has the keys. Results go to DIR/bench.jsonl, a line a cell. The same command\n"
    "again measures what is missing; a run may be stopped at any time. A cell that crashes, takes\n"
    "too long or too much memory is noted as failed, and the others go on. Tables: medians over\n"
    "seeds, [least..greatest]; published numbers in parentheses.\n",
    run};
