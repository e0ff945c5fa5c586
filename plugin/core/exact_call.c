/* exact_call.c: lbh_exact_rank(), and what it shares with the search. See exact_rank.h. */
#include "lbh_exact.h"

#include "arena.h"
#include "error.h"
#include "exact_rank.h"
#include "finite.h"
#include "rows.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void lbh_failure_note(lbh_failure *f, int code)
{
    if (!code)
        return;
#pragma omp critical
    if (!f->code) {
        snprintf(f->text, sizeof f->text, "%s",
                 code == LBH_ENOMEM ? "out of memory for true neighbours" : lbh_last_error());
        f->code = code;
    }
}

int lbh_failure_raise(const lbh_failure *f)
{
    return f->code ? lbh_error(f->code, "%s", f->text) : LBH_OK;
}

int lbh_near_check(const lbh_near *near)
{
    if (isfinite(near->distance))
        return LBH_OK;
    return lbh_error(LBH_EINVAL, "row %lld holds a NaN or an infinity", (long long)near->id);
}

void lbh_near_write(int metric, int64_t k, int64_t found, const lbh_near *list, double *distances,
                    int64_t *labels)
{
    for (int64_t i = 0; i < k; i++) {
        double distance = i < found ? list[i].distance : INFINITY;
        if (distances)
            distances[i] = metric == LBH_METRIC_L2 ? distance : 0.0 - distance;
        labels[i] = i < found ? list[i].id : -1;
    }
}

int lbh_exact_check(const char *name, const lbh_rows *base, int metric, int64_t nq, const float *q,
                    int64_t k, const int64_t *labels)
{
    if (!base || !base->read || (nq > 0 && (!q || !labels)))
        return lbh_error(LBH_EINVAL, "%s: a NULL argument", name);
    if (metric < LBH_METRIC_L2 || metric > LBH_METRIC_COSINE)
        return lbh_error(LBH_EINVAL, "%s: metric (%d) must be LBH_METRIC_L2, LBH_METRIC_IP or "
                         "LBH_METRIC_COSINE", name, metric);
    if (nq < 0 || base->n < 0 || base->d < 1)
        return lbh_error(LBH_EINVAL, "%s: %lld queries, %lld rows of %d floats", name,
                         (long long)nq, (long long)base->n, base->d);
    if (k < 1 || (nq > 0 && k > INT64_MAX / 64 / nq))
        return lbh_error(LBH_EINVAL, "%s: k (%lld) is out of range", name, (long long)k);
    int64_t bad = lbh_find_nonfinite(nq, base->d, q);
    if (bad >= 0)
        return lbh_error(LBH_EINVAL, "%s: query %lld holds a NaN or an infinity", name,
                         (long long)bad);
    return LBH_OK;
}

/* The candidates of one query, in order, to list[m]; *count: those that are there. */
static int rank_one(const lbh_rows *base, int metric, const float *q, int64_t m, const int64_t *ids,
                    int64_t k, float *row, lbh_near *list, int64_t *count)
{
    const float *matrix = lbh_rows_matrix(base);
    lbh_near_rows where = {base, matrix, 0, matrix ? base->n : 0, NULL};
    *count = 0;
    for (int64_t i = 0; i < m; i++) {
        if (ids[i] >= base->n)
            return lbh_error(LBH_EINVAL, "lbh_exact_rank: the id %lld, but there are %lld rows",
                             (long long)ids[i], (long long)base->n);
        if (ids[i] < 0)
            continue;
        if (!matrix)
            LBH_TRY(base->read(base, 1, &ids[i], row));
        lbh_near *near = &list[(*count)++];
        near->id = ids[i];
        lbh_near_measure(metric, base->d, q, matrix ? matrix + ids[i] * base->d : row, near);
        LBH_TRY(lbh_near_check(near));
    }
    return lbh_near_sort(&where, metric, q, *count, k, list);
}

int lbh_exact_rank(const lbh_rows *base, int metric, int64_t nq, const float *q, int64_t m,
                   const int64_t *ids, int64_t k, double *distances, int64_t *labels)
{
    LBH_TRY(lbh_exact_check("lbh_exact_rank", base, metric, nq, q, k, labels));
    if (m < 0 || (m > 0 && nq > 0 && !ids))
        return lbh_error(LBH_EINVAL, "lbh_exact_rank: m (%lld) candidates%s", (long long)m,
                         ids ? "" : ", ids NULL");
    lbh_failure failure = {0};
#pragma omp parallel for schedule(dynamic, 4)
    for (int64_t i = 0; i < nq; i++) {
        int64_t count = 0;
        float *row = lbh_alloc(base->d, sizeof *row);
        lbh_near *list = lbh_alloc(m, sizeof *list);
        int rc = !row || !list ? LBH_ENOMEM
                               : rank_one(base, metric, q + i * base->d, m, ids + i * m, k, row, list,
                                          &count);
        if (!rc)
            lbh_near_write(metric, k, count < k ? count : k, list,
                          distances ? distances + i * k : NULL, labels + i * k);
        lbh_failure_note(&failure, rc);
        free(row);
        free(list);
    }
    return lbh_failure_raise(&failure);
}
