/* float_rank.c: full rankings by float scores. See float_rank.h. */
#include "float_rank.h"

#include "progress.h"

#include <math.h>
#include <stdlib.h>

/* A full ranking is n answers a query. Beyond this many (query, row) pairs it is made for evenly
 * spaced queries only; beyond this many rows for none. */
static const double RANKED_PAIRS = 1e9, RANKED_ROWS = 1e7;

/* The ids of one query's answers that are there, without its own row. They are in the order of
 * (distance, id) as they come. */
static int64_t tidy(const ranker *r, int64_t q, int64_t k, const int64_t *ids, int64_t *out)
{
    int64_t count = 0;
    for (int64_t i = 0; i < k; i++)
        if (ids[i] >= 0 && !(r->own && r->own[q] == ids[i]))
            out[count++] = ids[i];
    return count;
}

/* Scratch of a search with k answers for `block` queries. */
typedef struct scratch {
    int64_t block, k;
    float *x, *distances;
    int64_t *ids, *sorted;
} scratch;

static int scratch_new(scratch *f, const ranker *r, int64_t block, int64_t k)
{
    *f = (scratch){.block = block, .k = k};
    f->x = cli_alloc(block * r->query->d, sizeof *f->x);
    f->distances = cli_alloc(block * k, sizeof *f->distances);
    f->ids = cli_alloc(block * k, sizeof *f->ids);
    f->sorted = cli_alloc(block * k, sizeof *f->sorted);
    return f->x && f->distances && f->ids && f->sorted ? LBH_OK : LBH_ENOMEM;
}

static void scratch_free(scratch *f)
{
    free(f->x);
    free(f->distances);
    free(f->ids);
    free(f->sorted);
}

static int search_rows(const ranker *r, int64_t count, const int64_t *queries, scratch *f)
{
    LBH_TRY(vectors_gather(r->query, count, queries, f->x));
    return r->search(r->ctx, count, f->x, f->k, f->distances, f->ids);
}

/* ---- Full rankings ------------------------------------------------------------------------- */

/* Scratch of a thread: relevant rows, marks (zero between queries), ranks and hits. */
typedef struct worker {
    int64_t *items, *rank, *hit;
    uint8_t *mark;
} worker;

/* Scores one query from its full ranking. */
static void score_query(const relevance *rel, int64_t q, int64_t count, const int64_t *sorted,
                        int64_t r_cut, worker *w, ap_sums *out)
{
    int64_t relevant = relevance_of(rel, q, w->items, w->mark), hits = 0;
    for (int64_t i = 0; i < relevant; i++)
        w->mark[w->items[i]] = 1;
    for (int64_t i = 0; i < count; i++)
        if (w->mark[sorted[i]]) {
            w->rank[hits] = i + 1;
            w->hit[hits] = hits + 1;
            hits++;
        }
    for (int64_t i = 0; i < relevant; i++)
        w->mark[w->items[i]] = 0;
    score_ranks(out, hits, w->rank, w->hit, r_cut);
}

static int score_block(const ranker *r, const relevance *rel, int64_t count, const int64_t *queries,
                       const scratch *f, int64_t r_cut, ap_sums *sums)
{
    int failed = 0;
#pragma omp parallel
    {
        worker w = {.items = malloc((size_t)rel->most * sizeof(int64_t) + 1),
                    .rank = malloc((size_t)rel->most * sizeof(int64_t) + 1),
                    .hit = malloc((size_t)rel->most * sizeof(int64_t) + 1),
                    .mark = calloc((size_t)r->n + 1, 1)};
#pragma omp for schedule(dynamic, 1)
        for (int64_t i = 0; i < count; i++) {
            if (!w.items || !w.rank || !w.hit || !w.mark) {
#pragma omp atomic write
                failed = 1;
                continue;
            }
            int64_t *sorted = f->sorted + i * f->k;
            int64_t found = tidy(r, queries[i], f->k, f->ids + i * f->k, sorted);
            score_query(rel, queries[i], found, sorted, r_cut, &w, &sums[i]);
        }
        free(w.items);
        free(w.rank);
        free(w.hit);
        free(w.mark);
    }
    return failed ? fail_memory() : LBH_OK;
}

int ranker_scores(const ranker *r, const relevance *rel, int64_t r_cut, map_scores *scores)
{
    double affordable = floor(RANKED_PAIRS / (double)r->n);
    int64_t nq = r->query->n, block = (1 << 26) / r->n + 1, queries[64];
    int64_t sample = affordable < (double)nq ? (int64_t)affordable : nq;
    *scores = (map_scores){.map = NAN, .map_r = NAN, .map_r_zero = NAN, .precision = NAN,
                           .precision_h2 = NAN};
    if ((double)r->n > RANKED_ROWS)
        return LBH_OK;
    block = block > 64 ? 64 : block;
    scratch f;
    ap_sums *sums = cli_alloc(sample, sizeof *sums);
    int rc = scratch_new(&f, r, block, r->n);
    rc = sums ? rc : LBH_ENOMEM;
    for (int64_t s = 0; s < sample && rc == LBH_OK; s += block) {
        int64_t count = sample - s < block ? sample - s : block;
        for (int64_t i = 0; i < count; i++)
            queries[i] = (int64_t)((double)(s + i) * (double)nq / (double)sample);
        rc = progress_tick("full rankings", s, sample);
        if (rc == LBH_OK)
            rc = search_rows(r, count, queries, &f);
        if (rc == LBH_OK)
            rc = score_block(r, rel, count, queries, &f, r_cut, sums + s);
    }
    progress_clear();
    if (rc == LBH_OK)
        score_mean(scores, sample, sums);
    scratch_free(&f);
    free(sums);
    return rc;
}
