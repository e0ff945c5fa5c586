/* near_rows.c: see near_rows.h. Lists are exact, within at most MAX_ROWS rows: what is near there is
 * a little farther than it would be in a larger set, and no less near than the rest. */
#include "near_rows.h"

#include "found.h"
#include "lbh_exact.h"
#include "linear.h"
#include "rng.h"
#include "watch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ROWS = 30000, MAX_HELD = 1000, LEAST_ROWS = 64 };
enum { GROUPS = 64, NEAR = 3, NEXT = 4, MOST = GROUPS * (1 + NEAR + NEXT) };
enum { STREAM_ROWS = 128, STREAM_ANCHOR, STREAM_NEAR, STREAM_NEXT };

static int compare_ids(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int choose_rows(lbh_training *t, lbh_near_rows *r, int64_t n, const float *rows)
{
    int64_t m = n < MAX_ROWS ? n : MAX_ROWS, d = r->d;
    int64_t held = m / 10 < MAX_HELD ? m / 10 : MAX_HELD;
    int64_t *row = lbh_scratch(t, m, sizeof *row);
    r->X = lbh_scratch_f(t, m, d);
    r->square = lbh_scratch_f(t, 1, m);
    if (!row || !r->X || !r->square)
        return LBH_ENOMEM;
    LBH_TRY(lbh_rng_sample(r->seed, STREAM_ROWS, n, m, row));
    for (int64_t i = 0; i < m; i++)
        memcpy(r->X + i * d, rows + row[i] * d, (size_t)d * sizeof *r->X);
    r->m = m;
    r->learned = m - held;
    return LBH_OK;
}

static int find_lists(lbh_training *t, lbh_near_rows *r)
{
    int64_t *own = lbh_scratch(t, r->m, sizeof *own);
    r->k = LBH_NEAR_LIST < r->learned - 1 ? LBH_NEAR_LIST : (int)r->learned - 1;
    r->list = lbh_scratch(t, r->m * r->k, sizeof *r->list);
    if (!own || !r->list)
        return LBH_ENOMEM;
    for (int64_t i = 0; i < r->m; i++)
        own[i] = i < r->learned ? i : -1;
    lbh_rows learned = lbh_rows_from_matrix(r->learned, r->d, r->X);
    return lbh_exact_search(&learned, LBH_METRIC_L2, r->m, r->X, own, r->k, NULL, r->list);
}

static void find_squares(lbh_near_rows *r)
{
    int d = r->d, last = (r->k < LBH_NEAR ? r->k : LBH_NEAR) - 1;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < r->m; i++) {
        const float *x = r->X + i * d, *y = r->X + r->list[i * r->k + last] * d;
        double square = 0;
        for (int j = 0; j < d; j++)
            square += (double)(x[j] - y[j]) * (double)(x[j] - y[j]);
        r->square[i] = (float)square;
    }
}

/* Rows with ten duplicates have no distance of their own: they count as at least a thousandth of the
 * usual one. */
static void lift_squares(lbh_near_rows *r)
{
    double mean = 0;
    for (int64_t i = 0; i < r->m; i++)
        mean += (double)r->square[i] / (double)r->m;
    float least = mean > 0 ? (float)(1e-3 * mean) : 1;
    for (int64_t i = 0; i < r->m; i++)
        r->square[i] = fmaxf(r->square[i], least);
}

int lbh_near_find(lbh_training *t, lbh_near_rows *r, int64_t n, const float *rows)
{
    r->m = 0;
    if (n < LEAST_ROWS)
        return LBH_OK;
    LBH_TRY(choose_rows(t, r, n, rows));
    LBH_TRY(find_lists(t, r));
    find_squares(r);
    lift_squares(r);
    return LBH_OK;
}

int lbh_near_take_batch(lbh_training *t, const lbh_near_rows *r, int L, lbh_near_batch *b)
{
    *b = (lbh_near_batch){.ids = lbh_scratch(t, MOST, sizeof *b->ids),
                          .x = lbh_scratch_f(t, MOST, r->d),
                          .T = lbh_scratch_f(t, MOST, L),
                          .dT = lbh_scratch_f(t, MOST, L),
                          .narrow = lbh_scratch_f(t, 1, MOST)};
    b->graph = (lbh_graph){.loss = LBH_GRAPH_EMBEDDING,
                           .narrow = b->narrow,
                           .D = lbh_scratch_f(t, MOST, MOST),
                           .K = lbh_scratch_f(t, MOST, MOST),
                           .norm = lbh_scratch_f(t, 1, MOST),
                           .row = lbh_scratch(t, MOST, sizeof(double)),
                           .slope = lbh_scratch(t, MOST, sizeof(double)),
                           .bend = lbh_scratch(t, MOST, sizeof(double))};
    const lbh_graph *g = &b->graph;
    bool ok = b->ids && b->x && b->T && b->dT && b->narrow && g->D && g->K && g->norm && g->row &&
              g->slope && g->bend;
    return ok ? LBH_OK : LBH_ENOMEM;
}

/* One of the list's places first .. last - 1, as far as it goes. */
static int64_t from_list(const lbh_near_rows *r, int64_t list, int first, int last,
                         uint64_t stream, uint64_t index)
{
    last = last < r->k ? last : r->k;
    first = first < last ? first : last - 1;
    return r->list[list * r->k + first + lbh_rng_below(r->seed, stream, index, last - first)];
}

int lbh_near_draw(const lbh_near_rows *r, int64_t step, int64_t *ids)
{
    int n = 0, distinct = 0;
    for (int g = 0; g < GROUPS; g++) {
        uint64_t at = (uint64_t)(step * GROUPS + g);
        int64_t list = lbh_rng_below(r->seed, STREAM_ANCHOR, at, r->learned);
        ids[n++] = list;
        for (uint64_t i = 0; i < NEAR; i++)
            ids[n++] = from_list(r, list, 0, LBH_NEAR, STREAM_NEAR, at * NEAR + i);
        for (uint64_t i = 0; i < NEXT; i++)
            ids[n++] = from_list(r, list, LBH_NEAR, r->k, STREAM_NEXT, at * NEXT + i);
    }
    qsort(ids, (size_t)n, sizeof *ids, compare_ids);
    for (int i = 0; i < n; i++)
        if (i == 0 || ids[i] != ids[i - 1])
            ids[distinct++] = ids[i];
    return distinct;
}

int lbh_near_recall(lbh_training *t, const lbh_near_rows *r, int L, const float *W, const float *b,
                    double *recall)
{
    int64_t size = (L + 7) / 8, found = 0;
    int k = r->k < LBH_NEAR ? r->k : LBH_NEAR;
    uint8_t *codes = lbh_scratch(t, r->m, (size_t)size);
    uint16_t *distance = lbh_scratch(t, r->m, sizeof *distance);
    lbh_panels *panels;
    if (!codes || !distance)
        return LBH_ENOMEM;
    LBH_TRY(lbh_panels_new(&panels, L, r->d, W, b));
    lbh_panels_encode(panels, r->m, r->X, codes);
    lbh_panels_free(panels);
    for (int64_t i = r->learned; i < r->m; i++) {
        found += lbh_found_within_100(r->learned, L, codes, codes + i * size, -1, k,
                                      r->list + i * r->k, distance);
        LBH_TRY(lbh_watch_check());
    }
    *recall = (double)found / (double)((r->m - r->learned) * k);
    return LBH_OK;
}
