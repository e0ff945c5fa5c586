/* tune_show.c: see tune_show.h. */
#define _POSIX_C_SOURCE 200809L
#include "tune_show.h"

#include "drawing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REASON = 2000 };

static cJSON *describe(const tune_point *p)
{
    cJSON *o = cJSON_CreateObject();
    report_text(o, "method", p->method);
    report_text(o, "engine", p->faiss ? "faiss" : "lbh");
    report_text(o, "options", p->options);
    report_number(o, "nbits", (double)p->nbits);
    report_text(o, "index", p->index);
    report_text(o, "search", p->search);
    report_text(o, "rescore", p->rescore);
    report_number(o, "recall", p->recall);
    report_number(o, "queries_per_second", p->qps);
    report_number(o, "bytes_per_item", p->bytes);
    report_seconds(o, "train_seconds", p->train);
    return o;
}

static int *find_front(const tune_run *t, int *count)
{
    int *front = cli_alloc(t->npoints, sizeof *front);
    *count = front ? tune_front(t->point, t->npoints, front) : 0;
    return front;
}

int tune_report(cJSON *doc, const tune_run *t, int best)
{
    char text[REASON];
    int count, *front = find_front(t, &count);
    cJSON *rows = cJSON_AddArrayToObject(doc, "front");
    if (!front || !rows) {
        free(front);
        return fail_memory();
    }
    for (int i = 0; i < count; i++)
        cJSON_AddItemToArray(rows, describe(&t->point[front[i]]));
    free(front);
    cJSON_AddItemToObject(doc, "recommended", describe(&t->point[best]));
    tune_reason(text, sizeof text, &t->ask, t->point, t->npoints, best);
    report_text(doc, "reason", text);
    return LBH_OK;
}

/* ---- The table ----------------------------------------------------------------------------- */

static void add_row(sheet *s, const tune_point *p, bool taken)
{
    char name[400];
    tune_name(name, sizeof name, p);
    sheet_cell(s, "%s%s", name, taken ? " *" : "");
    sheet_cell(s, "%.4f", p->recall);
    sheet_cell(s, "%.0f", p->qps);
    sheet_cell(s, "%.1f", p->bytes);
    sheet_cell(s, "%.2f", p->train);
}

/* The point that is recommended may stand below the front: it counts as equal to one of it. */
static int print_table(const tune_run *t, int best, const int *front, int count)
{
    static const char *const heads[] = {"way", "recall", "queries/s", "bytes", "train s"};
    sheet *s = sheet_new(5, heads);
    bool on_front = false;
    for (int i = 0; i < count; i++) {
        on_front |= front[i] == best;
        add_row(s, &t->point[front[i]], front[i] == best);
    }
    if (!on_front)
        add_row(s, &t->point[best], true);
    return sheet_print(s);
}

int tune_print(const tune_run *t, int best)
{
    char text[REASON];
    int count, *front = find_front(t, &count);
    if (!front)
        return LBH_ENOMEM;
    printf("%s: %lld x %d searched, recall %lld@%lld; %d ways measured in %d trials, %.0f s%s\n\n",
           t->base, (long long)t->ask.n, t->ask.d, (long long)t->ask.k, (long long)t->ask.at, t->npoints,
           t->ndone, t->spent, t->complete ? "" : "; the time was up before all were tried");
    int rc = print_table(t, best, front, count);
    free(front);
    tune_reason(text, sizeof text, &t->ask, t->point, t->npoints, best);
    printf("\n%s\n", text);
    return rc;
}

/* ---- The figure ---------------------------------------------------------------------------- */

static int by_recall(const void *a, const void *b)
{
    const tune_point *x = a, *y = b;
    if (x->recall < y->recall || x->recall > y->recall)
        return x->recall > y->recall ? 1 : -1;
    return (x->qps < y->qps) - (x->qps > y->qps);
}

/* The front of one method's points alone. */
static int draw_method(cJSON *chart, const tune_run *t, const char *method, int style)
{
    tune_point *p = cli_alloc(t->npoints, sizeof *p);
    int *front = cli_alloc(t->npoints, sizeof *front), n = 0, count = 0;
    double *x = cli_alloc(t->npoints, sizeof *x), *y = cli_alloc(t->npoints, sizeof *y);
    int rc = p && front && x && y ? LBH_OK : LBH_ENOMEM;
    for (int i = 0; rc == LBH_OK && i < t->npoints; i++)
        if (strcmp(t->point[i].method, method) == 0) {
            p[n] = t->point[i];
            p[n++].bytes = 0;
        }
    if (rc == LBH_OK) {
        qsort(p, (size_t)n, sizeof *p, by_recall);
        count = tune_front(p, n, front);
        for (int i = 0; i < count; i++) {
            x[i] = p[front[count - 1 - i]].recall;
            y[i] = p[front[count - 1 - i]].qps;
        }
        drawing_entry(chart, method);
        drawing_line(chart, style, method, method, count, x, y);
    }
    free(p);
    free(front);
    free(x);
    free(y);
    return rc;
}

int tune_draw(const tune_run *t, const char *path)
{
    char about[512], recall[64];
    const char *slash = strrchr(t->base, '/');
    snprintf(about, sizeof about, "%s, %lld x %d", slash ? slash + 1 : t->base, (long long)t->ask.n,
             t->ask.d);
    snprintf(recall, sizeof recall, "recall %lld@%lld", (long long)t->ask.k, (long long)t->ask.at);
    cJSON *chart = drawing_chart("Recall and speed of what was tried", about, recall, "queries a second");
    cJSON_AddTrueToObject(chart, "log_y");
    cJSON_AddTrueToObject(chart, "fit_x");
    int rc = chart ? LBH_OK : fail_memory(), style = 0;
    for (int i = 0; i < t->npoints && rc == LBH_OK; i++) {
        bool first = true;
        for (int j = 0; j < i && first; j++)
            first = strcmp(t->point[i].method, t->point[j].method) != 0;
        if (first)
            rc = draw_method(chart, t, t->point[i].method, style++);
    }
    if (rc == LBH_OK)
        return drawing_save(chart, path);
    cJSON_Delete(chart);
    return rc;
}
