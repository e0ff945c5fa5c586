/* sgh_near.c: which training rows are near each other, for sgh_pairs.h: by lists of neighbours, by
 * labels, or as the exact nearest neighbours within a sample. Rows that were not kept for training
 * drop out. */
#include "lbh_exact.h"
#include "rng.h"
#include "sgh.h"
#include "sgh_pairs.h"
#include "supervised.h"

#include <stdlib.h>
#include <string.h>

enum { KNN_ROWS = 20000 };
enum { STREAM_KNN = 88 };

static int source(const lbh_encoder *self)
{
    return (int)self->value[SGH_OPT_PAIRS];
}

int sgh_near_check(const lbh_encoder *self, const lbh_training *t)
{
    if (source(self) == SGH_PAIRS_LABELS && !t->labels)
        return lbh_error(LBH_EINVAL, "sgh: pairs=labels needs labels of the training rows");
    if (source(self) == SGH_PAIRS_LABELS && t->labels->nitems > LBH_MAX_CLASSES)
        return lbh_error(LBH_EINVAL, "sgh: pairs=labels: the labels are of %lld classes, but at "
                                     "most %d can be learned",
                         (long long)t->labels->nitems, LBH_MAX_CLASSES);
    if (source(self) != SGH_PAIRS_NEIGHBOURS)
        return LBH_OK;
    const lbh_lists *near = t->neighbours;
    if (!near)
        return lbh_error(LBH_EINVAL, "sgh: pairs=neighbours needs lists of neighbours of the "
                                     "training rows; pairs=knn finds some");
    for (int64_t i = 0; i < near->n; i++)
        for (int64_t j = near->start[i]; j < near->start[i + 1]; j++)
            if (near->item[j] >= t->n)
                return lbh_error(LBH_EINVAL, "sgh: pairs=neighbours: neighbour %lld of row %lld is "
                                             "none of the %lld training rows",
                                 (long long)near->item[j], (long long)i, (long long)t->n);
    return LBH_OK;
}

/* ---- Lists --------------------------------------------------------------------------------- */

static int compare_ids(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* The kept row with that id, or -1. ids[n] rise. */
static int64_t kept_row(int64_t n, const int64_t *ids, int64_t id)
{
    if (id < n && ids[id] == id)
        return id;
    const int64_t *at = bsearch(&id, ids, (size_t)n, sizeof *ids, compare_ids);
    return at ? at - ids : -1;
}

/* Copies the lists of the kept rows; where items are rows, they become kept rows, and a row itself
 * is no neighbour of its own. */
static int keep_lists(lbh_training *t, const sgh_run *r, const lbh_lists *lists, bool rows,
                      sgh_pairs *p)
{
    int64_t *ids = lbh_scratch(t, r->n, sizeof *ids), count = 0;
    p->start = lbh_scratch(t, r->n + 1, sizeof *p->start);
    if (!ids || !p->start)
        return LBH_ENOMEM;
    LBH_TRY(lbh_sample_ids(t, r->n, ids)); /* the same ids as those of r->rows */
    for (int64_t i = 0; i < r->n; i++)
        count += lists->start[ids[i] + 1] - lists->start[ids[i]];
    p->key = lbh_scratch(t, count, sizeof *p->key);
    if (!p->key)
        return LBH_ENOMEM;
    count = 0;
    for (int64_t i = 0; i < r->n; i++) {
        for (int64_t j = lists->start[ids[i]]; j < lists->start[ids[i] + 1]; j++) {
            int64_t key = rows ? kept_row(r->n, ids, lists->item[j]) : lists->item[j];
            if (!rows || (key >= 0 && key != i))
                p->key[count++] = key;
        }
        p->start[i + 1] = count;
    }
    return LBH_OK;
}

/* Which rows have each label. */
static int find_members(lbh_training *t, sgh_pairs *p)
{
    p->member_start = lbh_scratch(t, p->nkeys + 2, sizeof *p->member_start);
    p->member = lbh_scratch(t, p->start[p->n], sizeof *p->member);
    if (!p->member_start || !p->member)
        return LBH_ENOMEM;
    int64_t *end = p->member_start + 1; /* counts, then ends so far: starts in the end */
    for (int64_t j = 0; j < p->start[p->n]; j++)
        end[p->key[j] + 1]++;
    for (int64_t k = 0; k < p->nkeys; k++)
        end[k + 1] += end[k];
    for (int64_t i = 0; i < p->n; i++)
        for (int64_t j = p->start[i]; j < p->start[i + 1]; j++)
            p->member[end[p->key[j]]++] = i;
    return LBH_OK;
}

/* ---- Exact nearest neighbours -------------------------------------------------------------- */

static int find_nearest(const lbh_encoder *self, lbh_training *t, const sgh_run *r, sgh_pairs *p)
{
    int64_t m = r->n < KNN_ROWS ? r->n : KNN_ROWS, wanted = (int64_t)self->value[SGH_OPT_PAIRS_K];
    int k = (int)(wanted < m ? wanted : m - 1), d = r->cfg.d;
    int64_t *rows = lbh_scratch(t, m, sizeof *rows), *own = lbh_scratch(t, m, sizeof *own);
    float *X = lbh_scratch_f(t, m, d);
    p->start = lbh_scratch(t, r->n + 1, sizeof *p->start);
    p->key = lbh_scratch(t, m * k, sizeof *p->key);
    if (!rows || !own || !X || !p->start || !p->key)
        return LBH_ENOMEM;
    LBH_TRY(lbh_rng_sample(r->seed, STREAM_KNN, r->n, m, rows));
    qsort(rows, (size_t)m, sizeof *rows, compare_ids);
    for (int64_t i = 0; i < m; i++) {
        memcpy(X + i * d, r->rows + rows[i] * d, (size_t)d * sizeof *X);
        p->start[rows[i] + 1] = k;
    }
    for (int64_t i = 0; i < r->n; i++)
        p->start[i + 1] += p->start[i];
    lbh_rows view = lbh_rows_from_matrix(m, d, X);
    for (int64_t i = 0; i < m; i++)
        own[i] = i;
    LBH_TRY(lbh_exact_search(&view, LBH_METRIC_L2, m, X, own, k, NULL, p->key));
    for (int64_t i = 0; i < m * k; i++)
        p->key[i] = rows[p->key[i]];
    return LBH_OK;
}

/* ---- All together -------------------------------------------------------------------------- */

static int find_known(lbh_training *t, const lbh_encoder *self, sgh_pairs *p)
{
    p->known = lbh_scratch(t, p->n, sizeof *p->known);
    if (!p->known)
        return LBH_ENOMEM;
    for (int64_t i = 0; i < p->n; i++)
        if (p->start[i + 1] > p->start[i])
            p->known[p->nknown++] = i;
    if (p->nknown > 0)
        return LBH_OK;
    bool labels = source(self) == SGH_PAIRS_LABELS;
    return lbh_error(LBH_EINVAL, "sgh: pairs=%s: none of the %lld training rows has %s",
                     labels                                 ? "labels"
                     : source(self) == SGH_PAIRS_NEIGHBOURS ? "neighbours"
                                                            : "knn",
                     (long long)t->n, labels ? "a label" : "a neighbour among the others");
}

int sgh_near_find(const lbh_encoder *self, lbh_training *t, const sgh_run *r, sgh_pairs *p)
{
    bool labels = source(self) == SGH_PAIRS_LABELS;
    p->n = r->n;
    p->nkeys = labels ? t->labels->nitems : r->n;
    if (source(self) == SGH_PAIRS_KNN)
        LBH_TRY(find_nearest(self, t, r, p));
    else
        LBH_TRY(keep_lists(t, r, labels ? t->labels : t->neighbours, !labels, p));
    if (labels)
        LBH_TRY(find_members(t, p));
    return find_known(t, self, p);
}
