/* split.c: see split.h. */
#define _POSIX_C_SOURCE 200809L
#include "split.h"

#include "common.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- The plan ------------------------------------------------------------------------------ */

static int parse_one(split_plan *plan, const char *text, size_t len)
{
    static const char *const keys[] = {"queries-per-class", "train-per-class", "classes", "seed"};
    int64_t *const values[] = {&plan->queries, &plan->train, &plan->classes, &plan->seed};
    const char *equals = memchr(text, '=', len);
    for (int i = 0; equals && i < 4; i++) {
        char what[64], value[32];
        if (strlen(keys[i]) != (size_t)(equals - text) ||
            strncmp(text, keys[i], strlen(keys[i])) != 0)
            continue;
        snprintf(what, sizeof what, "--split: %s", keys[i]);
        snprintf(value, sizeof value, "%.*s", (int)(len - strlen(keys[i]) - 1), equals + 1);
        return parse_int(value, i < 3 ? 1 : 0, (int64_t)1 << 53, what, values[i]);
    }
    return fail_usage("--split: '%.*s' is not understood; it reads "
                      "queries-per-class=N,train-per-class=N,classes=N,seed=N", (int)len, text);
}

int split_parse(split_plan *plan, const char *text)
{
    *plan = (split_plan){0};
    for (const char *p = text;; p++) {
        size_t len = strcspn(p, ",");
        int rc = parse_one(plan, p, len);
        if (rc)
            return rc;
        p += len;
        if (!*p)
            break;
    }
    if (!plan->queries && !plan->train)
        return fail_usage("--split: queries-per-class or train-per-class is missing in '%s'", text);
    return EXIT_OK;
}

/* ---- Rows ---------------------------------------------------------------------------------- */

typedef struct ranked {
    uint64_t key;
    int64_t id;
} ranked;

static int by_key(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

/* A well mixed number for a row: the finaliser of splitmix64 over its counter. */
static uint64_t mix(uint64_t seed, uint64_t row)
{
    uint64_t z = (seed + 1) * 0x9e3779b97f4a7c15u ^ (row + 1) * 0xd1b54a32d192ed03u;
    for (int i = 0; i < 2; i++) {
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        z ^= z >> 31;
    }
    return z;
}

enum { FREE, DROPPED, QUERY, TRAIN };

typedef struct splitter {
    labels *pool;
    ranked *order; /* rows in random order */
    ranked *class; /* classes by (rows, number), those that count */
    int64_t classes;
    uint8_t *part; /* of each row */
} splitter;

static int splitter_new(splitter *s, labels *pool)
{
    *s = (splitter){.pool = pool, .classes = pool->classes};
    s->order = cli_alloc(pool->n, sizeof *s->order);
    s->class = cli_alloc(pool->classes, sizeof *s->class);
    s->part = cli_alloc(pool->n, sizeof *s->part);
    return s->order && s->class && s->part ? EXIT_OK : EXIT_RUNTIME;
}

static void splitter_free(splitter *s)
{
    free(s->order);
    free(s->class);
    free(s->part);
}

/* Drops all labels but those of the first s->classes classes, and the rows that have no other. */
static void drop_classes(splitter *s)
{
    labels *l = s->pool;
    for (int64_t i = 0, from = 0, at = 0; i < l->n; i++) {
        int64_t stop = l->start[i + 1];
        for (; from < stop; from++)
            for (int64_t c = 0; c < s->classes; c++)
                if (l->item[from] == s->class[c].id) {
                    l->item[at++] = l->item[from];
                    break;
                }
        s->part[i] = at > l->start[i] ? FREE : DROPPED;
        l->start[i + 1] = at;
    }
}

static int choose_classes(splitter *s, int64_t wanted)
{
    if (wanted > s->classes)
        return fail("--split: classes=%lld, but the labels are of %lld classes", (long long)wanted,
                    (long long)s->classes);
    for (int64_t c = 0; c < s->classes; c++) /* the most frequent first */
        s->class[c].key = ~s->class[c].key;
    qsort(s->class, (size_t)s->classes, sizeof *s->class, by_key);
    s->classes = wanted;
    for (int64_t c = 0; c < s->classes; c++)
        s->class[c].key = ~s->class[c].key;
    drop_classes(s);
    return EXIT_OK;
}

static int prepare(splitter *s, const split_plan *plan)
{
    const labels *pool = s->pool;
    for (int64_t i = 0; i < pool->n; i++)
        s->order[i] = (ranked){mix((uint64_t)plan->seed, (uint64_t)i), i};
    qsort(s->order, (size_t)pool->n, sizeof *s->order, by_key);
    for (int64_t c = 0; c < pool->classes; c++)
        s->class[c] = (ranked){0, c};
    for (int64_t i = 0; i < pool->start[pool->n]; i++)
        s->class[pool->item[i]].key++;
    memset(s->part, FREE, (size_t)pool->n);
    int rc = plan->classes ? choose_classes(s, plan->classes) : EXIT_OK;
    qsort(s->class, (size_t)s->classes, sizeof *s->class, by_key);
    return rc;
}

/* Rows of each class in random order: those of class c are row[start[c]] .. row[start[c + 1] - 1]. */
static int rows_of_classes(const splitter *s, int64_t **start, int64_t **row)
{
    const labels *l = s->pool;
    *start = cli_alloc(l->classes + 2, sizeof **start);
    *row = cli_alloc(l->start[l->n], sizeof **row);
    if (!*start || !*row)
        return EXIT_RUNTIME;
    memset(*start, 0, (size_t)(l->classes + 2) * sizeof **start);
    for (int64_t i = 0; i < l->start[l->n]; i++)
        (*start)[l->item[i] + 2]++;
    for (int64_t c = 0; c < l->classes; c++)
        (*start)[c + 2] += (*start)[c + 1];
    for (int64_t i = 0; i < l->n; i++) {
        int64_t id = s->order[i].id;
        for (int64_t j = l->start[id]; j < l->start[id + 1]; j++)
            (*row)[(*start)[l->item[j] + 1]++] = id;
    }
    return EXIT_OK;
}

/* Takes `want` free rows of each class for a part. */
static int take(splitter *s, int64_t want, int part, const int64_t *start, const int64_t *row)
{
    for (int64_t k = 0; k < s->classes; k++) {
        int64_t c = s->class[k].id, taken = 0;
        for (int64_t i = start[c]; i < start[c + 1] && taken < want; i++)
            if (s->part[row[i]] == FREE) {
                s->part[row[i]] = (uint8_t)part;
                taken++;
            }
        if (taken == want)
            continue;
        char text[CLASS_TEXT];
        return fail("--split: class %.60s has %lld rows, %lld of them not taken for other classes "
                    "or as queries: too few for %s=%lld (classes=N leaves rare classes out)",
                    class_name(s->pool, c, text), (long long)(start[c + 1] - start[c]),
                    (long long)taken,
                    part == QUERY ? "queries-per-class" : "train-per-class", (long long)want);
    }
    return EXIT_OK;
}

static int collect(split_rows *rows, const splitter *s, bool train)
{
    int64_t n = s->pool->n;
    rows->query = cli_alloc(n, sizeof *rows->query);
    rows->base = cli_alloc(n, sizeof *rows->base);
    rows->train = cli_alloc(n, sizeof *rows->train);
    if (!rows->query || !rows->base || !rows->train)
        return EXIT_RUNTIME;
    for (int64_t i = 0; i < n; i++) {
        if (s->part[i] == QUERY)
            rows->query[rows->nquery++] = i;
        if (s->part[i] == FREE || s->part[i] == TRAIN)
            rows->base[rows->nbase++] = i;
        if (s->part[i] == TRAIN || (s->part[i] == FREE && !train))
            rows->train[rows->ntrain++] = i;
    }
    if (rows->nbase == 0)
        return fail("--split: all %lld rows are queries, none is left for the base", (long long)n);
    return EXIT_OK;
}

int split_make(split_rows *rows, const split_plan *plan, labels *pool)
{
    splitter s;
    int64_t *start = NULL, *row = NULL;
    *rows = (split_rows){0};
    int rc = splitter_new(&s, pool);
    if (rc == EXIT_OK && pool->classes == 0)
        rc = fail("--split: none of the %lld rows has a label", (long long)pool->n);
    if (rc == EXIT_OK)
        rc = prepare(&s, plan);
    if (rc == EXIT_OK)
        rc = rows_of_classes(&s, &start, &row);
    if (rc == EXIT_OK && plan->queries)
        rc = take(&s, plan->queries, QUERY, start, row);
    if (rc == EXIT_OK && plan->train)
        rc = take(&s, plan->train, TRAIN, start, row);
    if (rc == EXIT_OK)
        rc = collect(rows, &s, plan->train > 0);
    free(start);
    free(row);
    splitter_free(&s);
    if (rc)
        split_free(rows);
    return rc;
}

void split_free(split_rows *rows)
{
    free(rows->query);
    free(rows->base);
    free(rows->train);
    *rows = (split_rows){0};
}

/* ---- Files --------------------------------------------------------------------------------- */

static int open_part(split_data *d, int i, labels *l, const char *command_name, const char *file,
                     const char *file_labels)
{
    bool have = false;
    int rc = vectors_open(&d->file[i], file);
    if (rc == EXIT_OK)
        rc = row_labels_open(l, file_labels, &d->file[i], &have);
    if (rc == EXIT_OK && !have)
        rc = fail_usage("%s: --split needs labels of '%s' (%s)", command_name, file,
                        i ? "--query-labels" : "--labels or --base-labels");
    if (rc == EXIT_OK && i && d->file[1].d != d->file[0].d)
        rc = fail("'%s' has dimension %d, '%s' has %d", d->file[1].name, d->file[1].d,
                  d->file[0].name, d->file[0].d);
    return rc;
}

/* The labels of b behind those of a, both dense. */
static int join(labels *out, const labels *a, const labels *b)
{
    int64_t *ids = cli_alloc(a->n + b->n, sizeof *ids);
    int rc = ids ? EXIT_OK : EXIT_RUNTIME;
    for (int64_t i = 0; rc == EXIT_OK && i < a->n; i++)
        ids[i] = i;
    if (rc == EXIT_OK)
        rc = labels_pick(out, a, a->n, ids);
    int64_t na = a->start[a->n], nb = b->start[b->n];
    int64_t *start = rc ? NULL : realloc(out->start, (size_t)(a->n + b->n + 1) * sizeof *start);
    out->start = start ? start : out->start;
    int64_t *item = rc ? NULL : realloc(out->item, (size_t)(na + nb) * sizeof *item + 1);
    out->item = item ? item : out->item;
    if (rc == EXIT_OK && !(start && item))
        rc = fail_memory();
    if (rc == EXIT_OK) {
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
        return EXIT_OK;
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
    int rc = split_make(&r, plan, pool);
    if (rc)
        return rc;
    d->nbase = r.nbase;
    d->nquery = plan->queries ? r.nquery : d->query.n;
    d->ntrain = r.ntrain;
    for (int64_t i = 0; i < r.nbase; i++)
        d->unlabelled += pool->start[r.base[i] + 1] == pool->start[r.base[i]];
    rc = part(d, "base", &d->base, &d->base_labels, pool, r.nbase, &r.base);
    if (rc == EXIT_OK && plan->queries)
        rc = part(d, "queries", &d->query, &d->query_labels, pool, r.nquery, &r.query);
    if (rc == EXIT_OK)
        rc = part(d, "training rows", &d->train, &d->train_labels, pool, r.ntrain, &r.train);
    split_free(&r);
    return rc;
}

/* The query file as it is: it is not split, but its labels are of the same classes. */
static int open_queries(split_data *d, const char *query, const char *query_labels, labels *base)
{
    bool have;
    int rc = vectors_open(&d->query, query);
    if (rc == EXIT_OK)
        rc = row_labels_open(&d->query_labels, query_labels, &d->query, &have);
    return rc == EXIT_OK && have ? labels_dense(base, &d->query_labels) : rc;
}

int split_open(split_data *d, const split_plan *plan, const char *command_name, const char *base,
               const char *base_labels, const char *query, const char *query_labels)
{
    labels a = {0}, b = {0}, both = {0};
    bool joined = plan->queries && query;
    *d = (split_data){0};
    int rc = open_part(d, 0, &a, command_name, base, base_labels);
    if (rc == EXIT_OK && joined)
        rc = open_part(d, 1, &b, command_name, query, query_labels);
    if (rc == EXIT_OK)
        rc = labels_dense(&a, joined ? &b : NULL);
    if (rc == EXIT_OK && joined)
        rc = join(&both, &a, &b);
    if (rc == EXIT_OK && query && !joined)
        rc = open_queries(d, query, query_labels, &a);
    if (rc == EXIT_OK)
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
