/* bench_table.c: see bench_table.h. A row is what one method did at so many bits with one search:
 * the lines that differ in their seeds alone. */
#define _GNU_SOURCE
#include "bench_table.h"

#include "bench_measure.h"
#include "bench_published.h"
#include "output.h"
#include "result_lines.h"
#include "table_row.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Rows ---------------------------------------------------------------------------------- */

typedef struct table {
    result_lines lines;
    int n;
    table_row *row; /* sorted */
    int place;      /* of new rows: the order of the file */
} table;

static void add_line(table *t, const cJSON *line)
{
    table_row *r = t->row;
    int i = 0;
    while (i < t->n && !same_row(r[i].line[0], line))
        i++;
    if (i == t->n) {
        r[i] = (table_row){.place = i};
        t->n++;
    }
    if (r[i].lines < TABLE_SEEDS)
        r[i].line[r[i].lines++] = line;
}

/* By set, then bits, then the order in which things were measured. */
static int compare_rows(const void *a, const void *b)
{
    const table_row *x = a, *y = b;
    int order = strcmp(result_text(x->line[0], "data"), result_text(y->line[0], "data"));
    if (order == 0)
        order = strcmp(result_text(x->line[0], "metric"), result_text(y->line[0], "metric"));
    double p = result_number(x->line[0], "nbits"), q = result_number(y->line[0], "nbits");
    if (order == 0)
        order = (p > q) - (p < q);
    return order ? order : (x->place > y->place) - (x->place < y->place);
}

static int table_open(table *t, const char *dir)
{
    *t = (table){0};
    int rc = result_lines_read(&t->lines, dir);
    t->row = rc ? NULL : cli_alloc(t->lines.n + 1, sizeof *t->row);
    if (rc == LBH_OK && !t->row)
        rc = LBH_ENOMEM;
    for (int i = 0; i < t->lines.n && rc == LBH_OK; i++)
        if (result_is(t->lines.line[i], "type", "cell") &&
            result_is(t->lines.line[i], "status", "ok"))
            add_line(t, t->lines.line[i]);
    if (rc == LBH_OK)
        qsort(t->row, (size_t)t->n, sizeof *t->row, compare_rows);
    return rc;
}

static void table_close(table *t)
{
    free(t->row);
    result_lines_free(&t->lines);
}

/* ---- Text ---------------------------------------------------------------------------------- */

enum { COLUMNS = 8 };
static const struct {
    const char *head, *what, *format;
} columns[COLUMNS] = {
    {"method", NULL, NULL},          {"bits", "nbits", "%.0f"}, {"bytes", "code_bytes", "%.0f"},
    {"ranking", NULL, NULL},         {"", NULL, "%.3f"},        {"mAP", "map", "%.3f"},
    {"queries/s", "qps", "%.0f"},    {"train s", "train_s", "%.2f"},
};

/* The recall that is shown: 10@100 if it was measured, else the last K and the N next to 100. */
static void choose_recall(const cJSON *line, char what[48])
{
    const cJSON *list = cJSON_GetObjectItem(line, "recall"), *last, *at;
    strcpy(what, "precision@100"); /* by labels */
    if (!isnan(recall_of(line, 10, 100))) {
        strcpy(what, "recall10@100");
        return;
    }
    last = cJSON_GetArrayItem(list, cJSON_GetArraySize(list) - 1);
    at = cJSON_GetObjectItem(last, "at");
    double best = NAN;
    for (int i = 0; i < cJSON_GetArraySize(at); i++) {
        double n = cJSON_GetArrayItem(at, i)->valuedouble;
        if (isnan(best) || fabs(log(n / 100)) < fabs(log(best / 100)))
            best = n;
    }
    if (!isnan(best))
        snprintf(what, 48, "recall%.0f@%.0f", result_number(last, "k"), best);
}

static void add_row(sheet *s, const table_row *r, const char *recall)
{
    const cJSON *line = r->line[0];
    const char *index = result_text(line, "index"), *search = result_text(line, "search");
    bool plain = !*index || strcmp(index, "BFlat") == 0;
    sheet_cell(s, "%s%s", result_text(line, "label"), result_is(line, "family", "rival") ? " (FAISS)" : "");
    for (int c = 1; c < COLUMNS; c++) {
        char cell[96];
        if (c == 3) {
            sheet_cell(s, "%s%s%s%s%s", plain ? "" : index, *search ? " " : "", search,
                       plain && !*search ? "" : ", ",
                       result_is(line, "rescore", "none") ? "float" : result_text(line, "rescore"));
            continue;
        }
        table_value v = table_row_value(r, c == 4 ? recall : columns[c].what);
        table_cell(cell, sizeof cell, &v, columns[c].format);
        sheet_cell(s, "%s", cell);
    }
}

/* Rows first .. first+count-1 are of one data set. */
static int print_set(const table *t, int first, int count)
{
    const cJSON *line = t->row[first].line[0];
    const char *heads[COLUMNS];
    char what[48];
    choose_recall(line, what);
    for (int c = 0; c < COLUMNS; c++)
        heads[c] = c == 4 ? what : columns[c].head;
    sheet *s = sheet_new(COLUMNS, heads);
    for (int i = 0; i < count; i++)
        add_row(s, &t->row[first + i], what);
    printf("%s: %.0f x %.0f, %.0f queries, %s\n\n", result_text(line, "data"),
           result_number(line, "n"), result_number(line, "d"), result_number(line, "nq"),
           result_is(line, "metric", "ip")      ? "inner product"
           : result_is(line, "metric", "cosine") ? "cosine"
           : result_is(line, "metric", "label") ? "common label"
                                                : "squared L2");
    LBH_TRY(sheet_print(s));
    printf("\n");
    return LBH_OK;
}

int bench_tables_print(const char *dir)
{
    table t;
    int rc = table_open(&t, dir), failed = 0;
    for (int i = 0, next; i < t.n && rc == LBH_OK; i = next) {
        for (next = i + 1; next < t.n; next++)
            if (strcmp(result_text(t.row[i].line[0], "data"),
                       result_text(t.row[next].line[0], "data")) != 0 ||
                strcmp(result_text(t.row[i].line[0], "metric"),
                       result_text(t.row[next].line[0], "metric")) != 0)
                break;
        rc = print_set(&t, i, next - i);
    }
    if (rc == LBH_OK)
        rc = published_print(dir, t.n, t.row);
    for (int i = 0; i < t.lines.n; i++)
        failed += result_is(t.lines.line[i], "type", "cell") &&
                  !result_is(t.lines.line[i], "status", "ok");
    if (rc == LBH_OK && failed)
        printf("%d cell%s failed; bench.jsonl says why.\n", failed, failed == 1 ? "" : "s");
    if (rc == LBH_OK && t.n == 0 && !failed)
        rc = fail("there are no results in '%s'", dir);
    table_close(&t);
    return rc ? rc : report_flush();
}

cJSON *bench_tables_json(const char *dir)
{
    static const char *const values[] = {"recall10@10", "recall10@100", "map", "qps", "train_s"};
    static const char *const texts[] = {"data", "metric", "label", "method", "index", "search",
                                        "rescore"};
    table t;
    cJSON *list = table_open(&t, dir) ? NULL : cJSON_CreateArray();
    for (int i = 0; list && i < t.n; i++) {
        cJSON *o = cJSON_CreateObject();
        for (size_t j = 0; j < sizeof texts / sizeof *texts; j++)
            cJSON_AddStringToObject(o, texts[j], result_text(t.row[i].line[0], texts[j]));
        add_number(o, "nbits", result_number(t.row[i].line[0], "nbits"));
        add_number(o, "seeds", t.row[i].lines);
        for (size_t j = 0; j < sizeof values / sizeof *values; j++) {
            table_value v = table_row_value(&t.row[i], values[j]);
            double three[3] = {v.median, v.least, v.greatest};
            if (v.n)
                cJSON_AddItemToObject(o, values[j], cJSON_CreateDoubleArray(three, 3));
        }
        cJSON_AddItemToArray(list, o);
    }
    table_close(&t);
    return list;
}
