/* split.c: the plan of a split, and the rows of its parts. See split.h. */
#include "split.h"

#include "command_options.h"

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
        LBH_TRY(parse_one(plan, p, len));
        p += len;
        if (!*p)
            break;
    }
    if (!plan->queries && !plan->train)
        return fail_usage("--split: queries-per-class or train-per-class is missing in '%s'", text);
    return LBH_OK;
}

/* ---- Rows ---------------------------------------------------------------------------------- */

int by_rank(const void *a, const void *b)
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
    return s->order && s->class && s->part ? LBH_OK : LBH_ENOMEM;
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
    qsort(s->class, (size_t)s->classes, sizeof *s->class, by_rank);
    s->classes = wanted;
    for (int64_t c = 0; c < s->classes; c++)
        s->class[c].key = ~s->class[c].key;
    drop_classes(s);
    return LBH_OK;
}

static int prepare(splitter *s, const split_plan *plan)
{
    const labels *pool = s->pool;
    for (int64_t i = 0; i < pool->n; i++)
        s->order[i] = (ranked){mix((uint64_t)plan->seed, (uint64_t)i), i};
    qsort(s->order, (size_t)pool->n, sizeof *s->order, by_rank);
    for (int64_t c = 0; c < pool->classes; c++)
        s->class[c] = (ranked){0, c};
    for (int64_t i = 0; i < pool->start[pool->n]; i++)
        s->class[pool->item[i]].key++;
    memset(s->part, FREE, (size_t)pool->n);
    int rc = plan->classes ? choose_classes(s, plan->classes) : LBH_OK;
    qsort(s->class, (size_t)s->classes, sizeof *s->class, by_rank);
    return rc;
}

/* Rows of each class in random order: those of class c are row[start[c]] .. row[start[c + 1] - 1]. */
static int rows_of_classes(const splitter *s, int64_t **start, int64_t **row)
{
    const labels *l = s->pool;
    *start = cli_alloc(l->classes + 2, sizeof **start);
    *row = cli_alloc(l->start[l->n], sizeof **row);
    if (!*start || !*row)
        return LBH_ENOMEM;
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
    return LBH_OK;
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
    return LBH_OK;
}

static int collect(split_rows *rows, const splitter *s, bool train)
{
    int64_t n = s->pool->n;
    rows->query = cli_alloc(n, sizeof *rows->query);
    rows->base = cli_alloc(n, sizeof *rows->base);
    rows->train = cli_alloc(n, sizeof *rows->train);
    if (!rows->query || !rows->base || !rows->train)
        return LBH_ENOMEM;
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
    return LBH_OK;
}

int split_make(split_rows *rows, const split_plan *plan, labels *pool)
{
    splitter s;
    int64_t *start = NULL, *row = NULL;
    *rows = (split_rows){0};
    int rc = splitter_new(&s, pool);
    if (rc == LBH_OK && pool->classes == 0)
        rc = fail("--split: none of the %lld rows has a label", (long long)pool->n);
    if (rc == LBH_OK)
        rc = prepare(&s, plan);
    if (rc == LBH_OK)
        rc = rows_of_classes(&s, &start, &row);
    if (rc == LBH_OK && plan->queries)
        rc = take(&s, plan->queries, QUERY, start, row);
    if (rc == LBH_OK && plan->train)
        rc = take(&s, plan->train, TRAIN, start, row);
    if (rc == LBH_OK)
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
