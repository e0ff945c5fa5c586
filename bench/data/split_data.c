/* split_data.c: the parts of a split as rows and labels. See split.h. */
#include "inputs.h"
#include "output.h"
#include "split.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int open_part(split_data *d, int i, labels *l, const char *command_name, const char *file,
                     const char *file_labels)
{
    bool have = false;
    LBH_TRY(vectors_open(&d->file[i], file));
    LBH_TRY(row_labels_open(l, file_labels, &d->file[i], &have));
    if (!have)
        return fail_usage("%s: --split needs labels of '%s' (%s)", command_name, file,
                          i ? "--query-labels" : "--labels or --base-labels");
    if (i && d->file[1].d != d->file[0].d)
        return fail("'%s' has dimension %d, '%s' has %d", d->file[1].name, d->file[1].d,
                    d->file[0].name, d->file[0].d);
    return LBH_OK;
}

/* The labels of b behind those of a, both dense. */
static int join(labels *out, const labels *a, const labels *b)
{
    int64_t *ids = cli_alloc(a->n + b->n, sizeof *ids);
    int rc = ids ? LBH_OK : LBH_ENOMEM;
    for (int64_t i = 0; rc == LBH_OK && i < a->n; i++)
        ids[i] = i;
    if (rc == LBH_OK)
        rc = labels_pick(out, a, a->n, ids);
    int64_t na = a->start[a->n], nb = b->start[b->n];
    int64_t *start = rc ? NULL : realloc(out->start, (size_t)(a->n + b->n + 1) * sizeof *start);
    out->start = start ? start : out->start;
    int64_t *item = rc ? NULL : realloc(out->item, (size_t)(na + nb) * sizeof *item + 1);
    out->item = item ? item : out->item;
    if (rc == LBH_OK && !(start && item))
        rc = fail_memory();
    if (rc == LBH_OK) {
        memcpy(item + na, b->item, (size_t)nb * sizeof *item);
        for (int64_t i = 1; i <= b->n; i++)
            start[a->n + i] = na + b->start[i];
        out->n = a->n + b->n;
    }
    free(ids);
    return rc;
}

/* A part as rows and labels; takes over *ids. */
static int part(split_data *d, const char *name, vectors *v, labels *l, const labels *pool,
                int64_t count, int64_t **ids)
{
    int64_t *rows = *ids;
    *ids = NULL;
    if (count == 0) {
        free(rows);
        return LBH_OK;
    }
    int rc = labels_pick(l, pool, count, rows);
    if (rc) {
        free(rows);
        return rc;
    }
    return vectors_view(v, &d->file[0], d->file[1].n ? &d->file[1] : NULL, name, count, rows);
}

static int make_parts(split_data *d, const split_plan *plan, labels *pool)
{
    split_rows r;
    d->pool = pool->n;
    snprintf(d->text, sizeof d->text,
             "queries-per-class=%lld,train-per-class=%lld,classes=%lld,seed=%lld of %lld rows",
             (long long)plan->queries, (long long)plan->train, (long long)plan->classes,
             (long long)plan->seed, (long long)pool->n);
    LBH_TRY(split_make(&r, plan, pool));
    d->nbase = r.nbase;
    d->nquery = plan->queries ? r.nquery : d->query.n;
    d->ntrain = r.ntrain;
    for (int64_t i = 0; i < r.nbase; i++)
        d->unlabelled += pool->start[r.base[i] + 1] == pool->start[r.base[i]];
    int rc = part(d, "base", &d->base, &d->base_labels, pool, r.nbase, &r.base);
    if (rc == LBH_OK && plan->queries)
        rc = part(d, "queries", &d->query, &d->query_labels, pool, r.nquery, &r.query);
    if (rc == LBH_OK)
        rc = part(d, "training rows", &d->train, &d->train_labels, pool, r.ntrain, &r.train);
    split_free(&r);
    return rc;
}

/* The query file as it is: it is not split, but its labels are of the same classes. */
static int open_queries(split_data *d, const char *query, const char *query_labels, labels *base)
{
    bool have;
    int rc = vectors_open(&d->query, query);
    if (rc == LBH_OK)
        rc = row_labels_open(&d->query_labels, query_labels, &d->query, &have);
    return rc == LBH_OK && have ? labels_dense(base, &d->query_labels) : rc;
}

int split_open(split_data *d, const split_plan *plan, const char *command_name, const char *base,
               const char *base_labels, const char *query, const char *query_labels)
{
    labels a = {0}, b = {0}, both = {0};
    bool joined = plan->queries && query;
    *d = (split_data){0};
    int rc = open_part(d, 0, &a, command_name, base, base_labels);
    if (rc == LBH_OK && joined)
        rc = open_part(d, 1, &b, command_name, query, query_labels);
    if (rc == LBH_OK)
        rc = labels_dense(&a, joined ? &b : NULL);
    if (rc == LBH_OK && joined)
        rc = join(&both, &a, &b);
    if (rc == LBH_OK && query && !joined)
        rc = open_queries(d, query, query_labels, &a);
    if (rc == LBH_OK)
        rc = make_parts(d, plan, joined ? &both : &a);
    labels_close(&a);
    labels_close(&b);
    labels_close(&both);
    if (rc)
        split_close(d);
    return rc;
}

void split_close(split_data *d)
{
    vectors_close(&d->base);
    vectors_close(&d->query);
    vectors_close(&d->train);
    labels_close(&d->base_labels);
    labels_close(&d->query_labels);
    labels_close(&d->train_labels);
    vectors_close(&d->file[0]);
    vectors_close(&d->file[1]);
}

static void move_rows(vectors *to, vectors *from)
{
    *to = *from;
    *from = (vectors){0};
}

static void move_labels(labels *to, labels *from)
{
    *to = *from;
    *from = (labels){0};
}

void split_move(split_data *d, vectors *base, labels *base_labels, vectors *query,
                labels *query_labels)
{
    move_rows(base, &d->base);
    move_labels(base_labels, &d->base_labels);
    move_rows(query, &d->query);
    move_labels(query_labels, &d->query_labels);
}

void split_move_train(split_data *d, vectors *train, labels *train_labels)
{
    move_rows(train, &d->train);
    move_labels(train_labels, &d->train_labels);
}

void split_report(cJSON *doc, const split_plan *plan, const split_data *d)
{
    cJSON *o = cJSON_AddObjectToObject(doc, "split");
    if (plan->queries)
        report_number(o, "queries_per_class", (double)plan->queries);
    if (plan->train)
        report_number(o, "train_per_class", (double)plan->train);
    if (plan->classes)
        report_number(o, "classes", (double)plan->classes);
    report_number(o, "seed", (double)plan->seed);
    report_number(o, "pool", (double)d->pool);
    report_number(o, "queries", (double)d->nquery);
    report_number(o, "base", (double)d->nbase);
    report_number(o, "train", (double)d->ntrain);
    report_number(o, "left_out", (double)(d->pool - d->nbase - (plan->queries ? d->nquery : 0)));
    report_number(o, "base_without_label", (double)d->unlabelled);
}
