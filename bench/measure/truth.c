/* truth.c: exact nearest neighbours by FAISS's flat index, chunk by chunk. See truth.h. */
#include "truth.h"

#include "lbh_faiss.h"
#include "progress.h"

#include <stdlib.h>
#include <string.h>

enum {
    CHUNK_BYTES = 1 << 28, /* floats of the base at a time (FAISS keeps as much again) */
    QUERY_BLOCK = 512,     /* queries a FAISS call: the grain of Ctrl-C and progress */
    SPARE = 16             /* candidates beyond k, so that rounding loses none at the border */
};

typedef struct answer {
    double distance;
    int64_t id;
} answer;

typedef struct search {
    const vectors *base, *query;
    const int64_t *own;
    int64_t k;
    int metric;
    answer *best;   /* nq x k, sorted */
    int64_t *found; /* nq */
    float *chunk;   /* rows first .. first+rows-1 of the base */
    int64_t first, rows, want;
    float *x; /* a block of queries */
    float *distances;
    int64_t *labels;
    answer *fresh; /* QUERY_BLOCK x (want + k) */
} search;

static int compare_answers(const void *a, const void *b)
{
    const answer *x = a, *y = b;
    if (x->distance != y->distance)
        return x->distance < y->distance ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

/* In double precision; eight sums side by side. */
double truth_distance(int metric, int d, const float *a, const float *b)
{
    double sum[8] = {0};
    int j = 0;
    if (metric == LBH_METRIC_L2) {
        for (; j + 8 <= d; j += 8)
            for (int l = 0; l < 8; l++) {
                double t = (double)a[j + l] - (double)b[j + l];
                sum[l] += t * t;
            }
        for (; j < d; j++) {
            double t = (double)a[j] - (double)b[j];
            sum[0] += t * t;
        }
    } else {
        for (; j + 8 <= d; j += 8)
            for (int l = 0; l < 8; l++)
                sum[l] -= (double)a[j + l] * (double)b[j + l];
        for (; j < d; j++)
            sum[0] -= (double)a[j] * (double)b[j];
    }
    return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}

/* Merges FAISS's candidates for query q (number i of the block) into its best k. */
static void merge(search *s, int64_t q, int64_t i)
{
    int d = s->base->d;
    answer *fresh = s->fresh + i * (s->want + s->k), *best = s->best + q * s->k;
    int64_t count = s->found[q];
    memcpy(fresh, best, (size_t)count * sizeof *fresh);
    for (int64_t c = 0; c < s->want; c++) {
        int64_t label = s->labels[i * s->want + c];
        if (label < 0 || (s->own && s->own[q] == s->first + label))
            continue;
        fresh[count++] = (answer){truth_distance(s->metric, d, s->x + i * d, s->chunk + label * d),
                                  s->first + label};
    }
    qsort(fresh, (size_t)count, sizeof *fresh, compare_answers);
    s->found[q] = count < s->k ? count : s->k;
    memcpy(best, fresh, (size_t)s->found[q] * sizeof *best);
}

static int search_chunk(search *s, FaissIndex *index)
{
    int64_t nq = s->query->n;
    for (int64_t q0 = 0; q0 < nq; q0 += QUERY_BLOCK) {
        int64_t count = nq - q0 < QUERY_BLOCK ? nq - q0 : QUERY_BLOCK;
        double at = (double)s->first + (double)s->rows * (double)q0 / (double)nq;
        int rc = progress_tick("exact neighbours", (int64_t)at, s->base->n);
        if (rc == EXIT_OK)
            rc = vectors_floats(s->query, q0, count, s->x);
        if (rc)
            return rc;
        rc = lbh_float_index_search(index, count, s->x, s->want, s->distances, s->labels);
        if (rc)
            return fail_library(rc);
#pragma omp parallel for schedule(dynamic, 8)
        for (int64_t i = 0; i < count; i++)
            merge(s, q0 + i, i);
    }
    return EXIT_OK;
}

static int visit_chunk(search *s)
{
    FaissIndex *index = NULL;
    int rc = vectors_floats(s->base, s->first, s->rows, s->chunk);
    if (rc)
        return rc;
    rc = lbh_float_index_new(&index, s->base->d, "Flat", s->metric);
    if (rc == LBH_OK)
        rc = lbh_float_index_add(index, s->rows, s->chunk);
    s->want = s->k + SPARE + 1 < s->rows ? s->k + SPARE + 1 : s->rows;
    rc = rc ? fail_library(rc) : search_chunk(s, index);
    lbh_float_index_free(index);
    return rc;
}

static int allocate(search *s, int64_t chunk_rows)
{
    int64_t nq = s->query->n, d = s->base->d;
    int64_t most = s->k + SPARE + 1;
    s->best = cli_alloc(nq * s->k, sizeof *s->best);
    s->found = cli_alloc(nq, sizeof *s->found);
    s->chunk = cli_alloc(chunk_rows * d, sizeof *s->chunk);
    s->x = cli_alloc(QUERY_BLOCK * d, sizeof *s->x);
    s->distances = cli_alloc(QUERY_BLOCK * most, sizeof *s->distances);
    s->labels = cli_alloc(QUERY_BLOCK * most, sizeof *s->labels);
    s->fresh = cli_alloc(QUERY_BLOCK * (most + s->k), sizeof *s->fresh);
    if (!s->best || !s->found || !s->chunk || !s->x || !s->distances || !s->labels || !s->fresh)
        return EXIT_RUNTIME;
    memset(s->found, 0, (size_t)nq * sizeof *s->found);
    return EXIT_OK;
}

static int run(search *s)
{
    int64_t per_chunk = CHUNK_BYTES / (4 * (int64_t)s->base->d);
    if (per_chunk < 1024)
        per_chunk = 1024;
    if (per_chunk > s->base->n)
        per_chunk = s->base->n;
    int rc = allocate(s, per_chunk);
    for (s->first = 0; s->first < s->base->n && rc == EXIT_OK; s->first += per_chunk) {
        s->rows = s->base->n - s->first < per_chunk ? s->base->n - s->first : per_chunk;
        rc = visit_chunk(s);
    }
    progress_clear();
    return rc;
}

static int keep(truth *t, const search *s)
{
    t->nq = s->query->n;
    t->k = s->k;
    t->ids = cli_alloc(t->nq * t->k, sizeof *t->ids);
    if (!t->ids)
        return EXIT_RUNTIME;
    for (int64_t i = 0; i < t->nq * t->k; i++)
        t->ids[i] = s->best[i].id;
    return EXIT_OK;
}

int truth_compute(truth *t, const vectors *base, const vectors *query, const int64_t *own,
                  int64_t k, int metric)
{
    *t = (truth){0};
    int64_t rows = base->n - (own ? 1 : 0);
    if (rows < 1)
        return fail("'%s' has one row only: nothing is left to find", base->name);
    if (base->d != query->d)
        return fail("'%s' has dimension %d, '%s' has %d", base->name, base->d, query->name,
                    query->d);
    search s = {.base = base, .query = query, .own = own, .k = k < rows ? k : rows,
                .metric = metric};
    int rc = run(&s);
    if (rc == EXIT_OK)
        rc = keep(t, &s);
    free(s.best);
    free(s.found);
    free(s.chunk);
    free(s.x);
    free(s.distances);
    free(s.labels);
    free(s.fresh);
    return rc;
}

void truth_free(truth *t)
{
    free(t->ids);
    *t = (truth){0};
}
