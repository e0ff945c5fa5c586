/* bench_data.c: opens a data set and cuts it as its section says. See bench_data.h. */
#define _GNU_SOURCE
#include "bench_data.h"

#include "bench_draw.h"
#include "encode.h"
#include "encoder_make.h"
#include "inputs.h"
#include "synthetic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

const char *const bench_metrics[] = {"l2", "ip", "cosine", "label", NULL};

static int64_t *row_numbers(int64_t count)
{
    int64_t *rows = cli_alloc(count, sizeof *rows);
    for (int64_t i = 0; rows && i < count; i++)
        rows[i] = i;
    return rows;
}

/* The first `count` rows of v as a view of it. */
static int first_rows(vectors *view, const vectors *v, const char *part, int64_t count)
{
    int64_t *rows = row_numbers(count);
    return rows ? vectors_view(view, v, NULL, part, count, rows) : LBH_ENOMEM;
}

static int pick_labels(labels *l, int64_t count, const int64_t *rows)
{
    labels picked;
    if (!l->start)
        return LBH_OK;
    LBH_TRY(labels_pick(&picked, l, count, rows));
    labels_close(l);
    *l = picked;
    return LBH_OK;
}

/* ---- Rows ---------------------------------------------------------------------------------- */

/* The base, cut to its first `limit` rows, or to a sample of them at even distances. */
static int open_base(bench_data *d, const bench_paths *p)
{
    int64_t limit = d->spec->limit, sample = d->spec->sample;
    LBH_TRY(vectors_open(&d->whole, p->base));
    limit = limit && limit < d->whole.n ? limit : d->whole.n;
    if (sample && sample < limit) {
        int64_t *rows = rows_evenly(limit, sample);
        return rows ? vectors_view(&d->base, &d->whole, NULL, "sample", sample, rows) : LBH_ENOMEM;
    }
    if (limit < d->whole.n)
        return first_rows(&d->base, &d->whole, "first rows", limit);
    d->base = d->whole;
    d->whole = (vectors){0};
    return LBH_OK;
}

/* The first rows of the base, each left out of its own answers. */
static int own_queries(bench_data *d, int64_t count)
{
    count = count < d->base.n ? count : d->base.n;
    d->own = row_numbers(count);
    if (!d->own)
        return LBH_ENOMEM;
    if (d->base_labels.start) {
        LBH_TRY(labels_pick(&d->query_labels, &d->base_labels, count, d->own));
    }
    return first_rows(&d->query, &d->base, "first rows", count);
}

/* Where a row of the whole base is in what it was cut to; -1 if it was cut off. */
static int64_t row_of_base(const bench_data *d, int64_t row)
{
    const int64_t *found = &row;
    if (d->whole.n)
        found = bsearch(&row, d->base.pick, (size_t)d->base.n, sizeof row, compare_ids);
    else if (row >= d->base.n)
        found = NULL;
    return !found ? -1 : d->whole.n ? found - d->base.pick : row;
}

static int open_queries(bench_data *d, const bench_paths *p)
{
    int64_t split, self;
    LBH_TRY(bench_drawn(d->spec, "queries", "split", p->queries, &split));
    LBH_TRY(bench_drawn(d->spec, "queries", "self", p->queries, &self));
    if (split)
        return bench_draw_queries(d, split);
    if (self)
        return own_queries(d, self);
    if (!p->queries && !d->base.made && !(d->whole.made))
        return fail_usage("[data %s]: no queries; give queries = FILE, split:N or self:N",
                          d->spec->name);
    int rc = query_open(&d->query, p->queries, p->base);
    if (rc == LBH_OK && p->query_ids)
        rc = read_row_ids(p->query_ids, d->query.n, INT64_MAX, &d->own);
    for (int64_t q = 0; rc == LBH_OK && d->own && q < d->query.n; q++)
        d->own[q] = row_of_base(d, d->own[q]);
    return rc;
}

/* At most max_queries of them. */
static int cut_queries(bench_data *d)
{
    int64_t most = d->spec->max_queries;
    if (!most || d->query.n <= most)
        return LBH_OK;
    vectors view;
    static const char part[] = "first queries";
    int64_t *rows = row_numbers(most);
    int rc = rows ? pick_labels(&d->query_labels, most, rows) : LBH_ENOMEM;
    if (rc) {
        free(rows);
        return rc;
    }
    vectors *home = malloc(sizeof *home); /* what the view looks at needs a place of its own */
    if (!home) {
        free(rows);
        return fail_memory();
    }
    *home = d->query;
    d->query = (vectors){0};
    rc = vectors_view(&view, home, NULL, part, most, rows);
    d->cut_home = home;
    if (rc == LBH_OK)
        d->query = view;
    return rc;
}

/* ---- Labels -------------------------------------------------------------------------------- */

static int open_base_labels(bench_data *d, const bench_paths *p)
{
    const vectors *rows = d->whole.n ? &d->whole : &d->base;
    bool have = false;
    LBH_TRY(row_labels_open(&d->base_labels, p->labels, rows, &have));
    if (have && d->whole.n)
        LBH_TRY(pick_labels(&d->base_labels, d->base.n, d->base.pick));
    return LBH_OK;
}

static int open_query_labels(bench_data *d, const bench_paths *p)
{
    bool have = false;
    if (d->query_labels.start || (!p->query_labels && !d->query.made))
        return LBH_OK;
    return row_labels_open(&d->query_labels, p->query_labels, &d->query, &have);
}

/* Labels of base and queries are numbered together. */
static int settle_labels(bench_data *d)
{
    int rc = LBH_OK;
    bool both = d->base_labels.start && d->query_labels.start;
    if (d->spec->metric == BENCH_LABEL && !both)
        return fail_usage("[data %s]: metric = label needs labels and query_labels", d->spec->name);
    if (d->base_labels.start)
        rc = labels_dense(&d->base_labels, both ? &d->query_labels : NULL);
    if (rc == LBH_OK && both)
        rc = labels_meet(&d->base_labels, &d->query_labels);
    return rc == LBH_OK && d->train_labels.start ? labels_dense(&d->train_labels, NULL) : rc;
}

static int open_train(bench_data *d, const bench_paths *p)
{
    bool have = false;
    if (!p->train || d->spec->limit) /* a quick look learns from what it searches */
        return LBH_OK;
    int64_t split;
    LBH_TRY(bench_drawn(d->spec, "train", "split", p->train, &split));
    if (split)
        return bench_draw_train(d, split);
    int rc = vectors_open(&d->train, p->train);
    return rc || !d->spec->train_labels
               ? rc
               : row_labels_open(&d->train_labels, d->spec->train_labels, &d->train, &have);
}

static int open_split(bench_data *d, const bench_paths *p)
{
    LBH_TRY(split_parse(&d->plan, d->spec->split));
    LBH_TRY(split_open(&d->split, &d->plan, "bench", p->base, p->labels, p->queries,
                       p->query_labels));
    split_move(&d->split, &d->base, &d->base_labels, &d->query, &d->query_labels);
    split_move_train(&d->split, &d->train, &d->train_labels);
    return LBH_OK;
}

static int open_parts(bench_data *d, const bench_paths *p)
{
    if (d->spec->split)
        return open_split(d, p);
    int rc = open_base(d, p);
    if (rc == LBH_OK)
        rc = open_base_labels(d, p);
    if (rc == LBH_OK)
        rc = open_queries(d, p);
    if (rc == LBH_OK)
        rc = open_query_labels(d, p);
    return rc ? rc : open_train(d, p);
}

/* The built-in set is made when it is read, which takes longer than the searches that read it: here
 * its rows are kept. */
static int hold(vectors *v)
{
    if (!v->made)
        return LBH_OK;
    float *x = cli_alloc(v->n * v->d, sizeof *x);
    int rc = x ? vectors_floats(v, 0, v->n, x) : LBH_ENOMEM;
    if (rc) {
        free(x);
        return rc;
    }
    synthetic_close(v->made);
    v->made = NULL;
    v->owned = x;
    v->data = (const unsigned char *)x;
    v->type = VEC_F32;
    v->stride = (size_t)v->d * sizeof *x;
    return LBH_OK;
}

int bench_data_open(bench_data *d, const spec_data *spec, const char *data_dir, bool *missing)
{
    bench_paths p;
    *d = (bench_data){.spec = spec};
    LBH_TRY(bench_paths_find(&p, spec, data_dir, missing));
    int rc = open_parts(d, &p);
    if (rc == LBH_OK)
        rc = cut_queries(d);
    if (rc == LBH_OK && (d->query.d != d->base.d || (d->train.n && d->train.d != d->base.d)))
        rc = fail("[data %s]: base, queries and training rows are not of one dimension",
                  spec->name);
    if (rc == LBH_OK && spec->height && (int64_t)spec->height * spec->width != d->base.d)
        rc = fail_usage("[data %s]: image = %dx%d, but rows have %d numbers", spec->name,
                        spec->height, spec->width, d->base.d);
    if (rc == LBH_OK)
        rc = settle_labels(d);
    if (rc == LBH_OK)
        rc = hold(d->whole_train.n ? &d->whole_train : d->whole.n ? &d->whole : &d->base);
    bench_paths_free(&p);
    if (rc)
        bench_data_close(d);
    return rc;
}

void bench_data_close(bench_data *d)
{
    relevance_free(&d->near_rel);
    relevance_free(&d->label_rel);
    truth_free(&d->near);
    truth_free(&d->sample_near);
    labels_close(&d->sample_labels);
    vectors_close(&d->sample);
    free(d->sample_own);
    labels_close(&d->base_labels);
    labels_close(&d->query_labels);
    labels_close(&d->train_labels);
    free(d->own);
    vectors_close(&d->train);
    vectors_close(&d->query);
    vectors_close(&d->base);
    if (d->cut_home)
        vectors_close(d->cut_home);
    free(d->cut_home);
    vectors_close(&d->whole_train);
    vectors_close(&d->whole_query);
    vectors_close(&d->whole);
    split_close(&d->split);
    *d = (bench_data){0};
}

/* ---- Digest -------------------------------------------------------------------------------- */

typedef struct hashing {
    XXH64_state_t *h;
    int d;
} hashing;

static int hash_block(void *ctx, int64_t first, int64_t count, const float *x)
{
    const hashing *to = ctx;
    (void)first;
    XXH64_update(to->h, x, (size_t)(count * to->d) * sizeof *x);
    return LBH_OK;
}

static int hash_rows(XXH64_state_t *h, const vectors *v)
{
    int64_t size[2] = {v->n, v->d};
    hashing to = {h, v->d};
    XXH64_update(h, size, sizeof size);
    return each_block(v, NULL, hash_block, &to);
}

static void hash_labels(XXH64_state_t *h, const labels *l)
{
    if (!l->start)
        return;
    XXH64_update(h, l->start, (size_t)(l->n + 1) * sizeof *l->start);
    XXH64_update(h, l->item, (size_t)l->start[l->n] * sizeof *l->item);
}

int bench_data_digest(bench_data *d)
{
    XXH64_state_t *h = XXH64_createState();
    if (!h)
        return fail_memory();
    XXH64_reset(h, 1);
    int rc = hash_rows(h, &d->base);
    if (rc == LBH_OK)
        rc = hash_rows(h, &d->query);
    if (rc == LBH_OK && d->train.n)
        rc = hash_rows(h, &d->train);
    hash_labels(h, &d->base_labels);
    hash_labels(h, &d->query_labels);
    hash_labels(h, &d->train_labels);
    if (d->own)
        XXH64_update(h, d->own, (size_t)d->query.n * sizeof *d->own);
    d->digest = XXH64_digest(h);
    XXH64_freeState(h);
    return rc;
}

int bench_distance(const bench_data *d)
{
    return d->spec->metric == BENCH_LABEL ? LBH_METRIC_L2 : d->spec->metric;
}

const relevance *bench_relevance(const bench_data *d)
{
    return d->spec->metric == BENCH_LABEL ? &d->label_rel : &d->near_rel;
}

const vectors *bench_train_rows(const bench_data *d)
{
    return d->train.n ? &d->train : &d->base;
}

const labels *bench_train_labels(const bench_data *d)
{
    return d->train.n ? &d->train_labels : &d->base_labels;
}
