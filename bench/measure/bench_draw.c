/* bench_draw.c: rows drawn from the base, as queries or to learn from. See bench_draw.h. */
#include "bench_draw.h"

#include "command_options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

int bench_drawn(const spec_data *spec, const char *key, const char *word, const char *text, int64_t *n)
{
    size_t len = strlen(word);
    *n = 0;
    if (!text || strncmp(text, word, len) != 0 || text[len] != ':')
        return LBH_OK;
    char what[128];
    snprintf(what, sizeof what, "[data %.60s] %s = %s:N", spec->name, key, word);
    return parse_int(text + len + 1, 1, (int64_t)1 << 31, what, n);
}

/* Marks `count` of n rows, those whose numbers have the smallest hashes under the seed. */
static int mark(int64_t n, int64_t count, int64_t seed, uint8_t *taken)
{
    ranked *t = cli_alloc(n, sizeof *t);
    if (!t)
        return LBH_ENOMEM;
    for (int64_t i = 0; i < n; i++)
        t[i] = (ranked){XXH64(&i, sizeof i, (XXH64_hash_t)seed), i};
    qsort(t, (size_t)n, sizeof *t, by_rank);
    for (int64_t i = 0; i < count; i++)
        taken[t[i].id] = 1;
    free(t);
    return LBH_OK;
}

/* Rows of the base, in order: `count` that are drawn, and the others. */
typedef struct drawing {
    int64_t count, kept, *rows, *rest;
} drawing;

static int draw(drawing *w, const bench_data *d, const char *what, int64_t count)
{
    int64_t n = d->base.n;
    *w = (drawing){.count = 0};
    if (count >= n)
        return fail("[data %s]: %lld %s cannot be drawn from %lld rows", d->spec->name,
                    (long long)count, what, (long long)n);
    w->rows = cli_alloc(count, sizeof *w->rows);
    w->rest = cli_alloc(n, sizeof *w->rest);
    uint8_t *taken = calloc((size_t)n, 1);
    int rc = w->rows && w->rest && taken ? mark(n, count, d->spec->split_seed, taken)
                                         : fail_memory();
    for (int64_t i = 0; rc == LBH_OK && i < n; i++)
        *(taken[i] ? &w->rows[w->count++] : &w->rest[w->kept++]) = i;
    free(taken);
    return rc;
}

/* Their labels go with them; the base keeps those of the others. */
static int share_labels(bench_data *d, const drawing *w, labels *part)
{
    labels rest;
    if (!d->base_labels.start)
        return LBH_OK;
    LBH_TRY(labels_pick(part, &d->base_labels, w->count, w->rows));
    LBH_TRY(labels_pick(&rest, &d->base_labels, w->kept, w->rest));
    labels_close(&d->base_labels);
    d->base_labels = rest;
    return LBH_OK;
}

/* The base moves to `home`; `part` and the base are views of it from then on. */
static int share_rows(bench_data *d, drawing *w, const char *what, vectors *home, vectors *part)
{
    *home = d->base;
    d->base = (vectors){0};
    if (d->query.part[0] == &d->base) /* its first rows */
        d->query.part[0] = home;
    int rc = vectors_view(part, home, NULL, what, w->count, w->rows);
    w->rows = NULL;
    if (rc == LBH_OK) {
        rc = vectors_view(&d->base, home, NULL, "base", w->kept, w->rest);
        w->rest = NULL;
    }
    return rc;
}

int bench_draw_queries(bench_data *d, int64_t count)
{
    drawing w;
    int rc = draw(&w, d, "queries", count);
    if (rc == LBH_OK)
        rc = share_labels(d, &w, &d->query_labels);
    if (rc == LBH_OK)
        rc = share_rows(d, &w, "queries", &d->whole_query, &d->query);
    free(w.rows);
    free(w.rest);
    return rc;
}

/* Queries that are rows of the base: where those are now, or nowhere. */
static int move_own(bench_data *d, const drawing *w)
{
    int64_t n = d->base.n;
    if (!d->own)
        return LBH_OK;
    int64_t *place = cli_alloc(n, sizeof *place);
    if (!place)
        return LBH_ENOMEM;
    memset(place, -1, (size_t)n * sizeof *place);
    for (int64_t i = 0; i < w->kept; i++)
        place[w->rest[i]] = i;
    for (int64_t q = 0; q < d->query.n; q++)
        d->own[q] = d->own[q] < 0 ? -1 : place[d->own[q]];
    free(place);
    return LBH_OK;
}

int bench_draw_train(bench_data *d, int64_t count)
{
    drawing w;
    int rc = draw(&w, d, "rows to learn from", count);
    if (rc == LBH_OK)
        rc = move_own(d, &w);
    if (rc == LBH_OK)
        rc = share_labels(d, &w, &d->train_labels);
    if (rc == LBH_OK)
        rc = share_rows(d, &w, "train", &d->whole_train, &d->train);
    free(w.rows);
    free(w.rest);
    return rc;
}
