/* exact_rank.c: see exact_rank.h.
 *
 * With u = 2^-53 and g(m) = m u / (1 - m u): products of two floats are exact in doubles, a sum of d
 * of them is off by at most g(d - 1) times the sum of their sizes, whatever the order of additions;
 * of squared differences, each of which is off by g(3) at most, by g(d + 2) times the sum. Neither
 * overflows or underflows: floats reach from 2^-149 to 2^128. (d + 8) u covers both, and that they
 * are bounded by computed numbers. A length is a root, whose relative error is half of that of the
 * square; two of them, and what it takes to divide by them, add less than twice the error of the
 * inner product. */
#include "exact_rank.h"

#include "arena.h"
#include "cpu.h"
#include "error.h"
#include "exact_sum.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

enum { LANES = 8 }; /* sums side by side: one order of additions everywhere */

static double relative_error(int d)
{
    return (d + 8) * (DBL_EPSILON / 2);
}

/* ---- Double precision ---------------------------------------------------------------------- */

static double total(const double *sum)
{
    return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}

LBH_CLONES
static double squares(int d, const float *q, const float *x)
{
    double sum[LANES] = {0};
    int j = 0;
    for (; j + LANES <= d; j += LANES)
        for (int l = 0; l < LANES; l++) {
            double t = (double)q[j + l] - (double)x[j + l];
            sum[l] += t * t;
        }
    for (; j < d; j++) {
        double t = (double)q[j] - (double)x[j];
        sum[0] += t * t;
    }
    return total(sum);
}

/* The sum of the products, and that of their sizes. */
LBH_CLONES
static double products(int d, const float *q, const float *x, double *sizes)
{
    double sum[LANES] = {0}, size[LANES] = {0};
    int j = 0;
    for (; j + LANES <= d; j += LANES)
        for (int l = 0; l < LANES; l++) {
            double t = (double)q[j + l] * (double)x[j + l];
            sum[l] += t;
            size[l] += fabs(t);
        }
    for (; j < d; j++) {
        double t = (double)q[j] * (double)x[j];
        sum[0] += t;
        size[0] += fabs(t);
    }
    *sizes = total(size);
    return total(sum);
}

/* The cosine, 0 where q or x is; and what the sizes of its products are to be taken for. */
static double cosine(int d, const float *q, const float *x, double *sizes)
{
    double qq, xx, sum = products(d, q, x, sizes);
    products(d, q, q, &qq);
    products(d, x, x, &xx);
    double both = sqrt(qq) * sqrt(xx);
    if (both == 0) {
        *sizes = 0;
        return 0;
    }
    *sizes *= 3 / both;
    return sum / both;
}

void lbh_near_measure(int metric, int d, const float *q, const float *x, lbh_near *to)
{
    double size;
    if (metric == LBH_METRIC_L2)
        size = to->distance = squares(d, q, x);
    else if (metric == LBH_METRIC_COSINE)
        to->distance = 0.0 - cosine(d, q, x, &size);
    else
        to->distance = 0.0 - products(d, q, x, &size);
    to->error = relative_error(d) * size;
}

/* ---- What doubles do not separate ---------------------------------------------------------- */

static int compare_near(const void *a, const void *b)
{
    const lbh_near *x = a, *y = b;
    if (x->distance != y->distance)
        return x->distance < y->distance ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

typedef struct wide {
    lbh_exact_sum sum, own; /* of cosines the order is that of sum / sqrt(own) */
    lbh_near near;
    int metric;
} wide;

static int compare_wide(const void *a, const void *b)
{
    const wide *x = a, *y = b;
    int order = x->metric == LBH_METRIC_COSINE
                    ? lbh_sum_compare_scaled(&x->sum, &x->own, &y->sum, &y->own)
                    : lbh_sum_compare(&x->sum, &y->sum);
    return order ? order : (x->near.id > y->near.id) - (x->near.id < y->near.id);
}

LBH_CLONES
static bool is_whole(int d, const float *x)
{
    int broken = 0;
    for (int j = 0; j < d; j++)
        broken |= x[j] != truncf(x[j]);
    return !broken;
}

/* Row `id`: where it lies, or read to `buffer`. NULL: *rc says why. */
static const float *find_row(const lbh_near_rows *where, int64_t id, float *buffer, int *rc)
{
    int d = where->rows->d;
    if (id >= where->first && id - where->first < where->n)
        return where->x + (id - where->first) * d;
    if (where->lock)
        omp_set_lock(where->lock);
    *rc = where->rows->read(where->rows, 1, &id, buffer);
    if (where->lock)
        omp_unset_lock(where->lock);
    return *rc ? NULL : buffer;
}

/* Whether doubles made no error: sums of whole numbers below 2^53. */
static int doubles_suffice(const lbh_near_rows *where, const float *q, int64_t count,
                           const lbh_near *list, float *buffer, bool *suffice)
{
    int d = where->rows->d, rc = LBH_OK;
    *suffice = is_whole(d, q);
    for (int64_t i = 0; i < count && *suffice; i++) {
        const float *x = find_row(where, list[i].id, buffer, &rc);
        if (!x)
            return rc;
        *suffice = is_whole(d, x) && list[i].error < relative_error(d) * 0x1p52;
    }
    return LBH_OK;
}

/* |x|^2 - 2 q.x, which orders like |q - x|^2; -q.x; or -q.x / |x|, which orders like the cosine */
static int sort_wide(const lbh_near_rows *where, int metric, const float *q, int64_t count,
                     lbh_near *list, float *buffer)
{
    int d = where->rows->d, rc = LBH_OK;
    wide *w = lbh_alloc(count, sizeof *w);
    if (!w)
        return LBH_ENOMEM;
    for (int64_t i = 0; i < count && !rc; i++) {
        const float *x = find_row(where, list[i].id, buffer, &rc);
        w[i].near = list[i];
        w[i].metric = metric;
        if (!x)
            break;
        lbh_sum_add(&w[i].sum, -1, metric == LBH_METRIC_L2, d, q, x);
        if (metric == LBH_METRIC_L2)
            lbh_sum_add(&w[i].sum, 1, 0, d, x, x);
        if (metric == LBH_METRIC_COSINE)
            lbh_sum_add(&w[i].own, 1, 0, d, x, x);
        lbh_sum_carry(&w[i].sum);
        lbh_sum_carry(&w[i].own);
    }
    if (!rc)
        qsort(w, (size_t)count, sizeof *w, compare_wide);
    for (int64_t i = 0; i < count && !rc; i++)
        list[i] = w[i].near;
    free(w);
    return rc;
}

static int sort_run(const lbh_near_rows *where, int metric, const float *q, int64_t count,
                    lbh_near *list)
{
    bool suffice = false;
    float *buffer = lbh_alloc(where->rows->d, sizeof *buffer);
    int rc = buffer ? LBH_OK : LBH_ENOMEM;
    if (!rc && metric != LBH_METRIC_COSINE) /* a quotient is rounded */
        rc = doubles_suffice(where, q, count, list, buffer, &suffice);
    if (!rc && !suffice)
        rc = sort_wide(where, metric, q, count, list, buffer);
    free(buffer);
    return rc;
}

int lbh_near_sort(const lbh_near_rows *where, int metric, const float *q, int64_t count, int64_t k,
                  lbh_near *list)
{
    qsort(list, (size_t)count, sizeof *list, compare_near);
    for (int64_t start = 0, end; start < count && start < k; start = end) {
        double highest = list[start].distance + list[start].error;
        bool unsure = false;
        for (end = start + 1; end < count && list[end].distance - list[end].error <= highest;
             end++) {
            double high = list[end].distance + list[end].error;
            unsure |= list[end].error > 0 || list[end - 1].error > 0;
            highest = high > highest ? high : highest;
        }
        if (unsure)
            LBH_TRY(sort_run(where, metric, q, end - start, list + start));
    }
    for (int64_t i = 1; i < count; i++)
        if (list[i].distance < list[i - 1].distance) {
            list[i].distance = list[i - 1].distance;
            list[i].error = fmax(list[i].error, list[i - 1].error);
        }
    return LBH_OK;
}
