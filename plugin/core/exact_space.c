/* exact_space.c: see exact_space.h.
 *
 * The centre is, column by column, the median of some rows, and the scale comes from the median of
 * their norms: a few wild rows move neither. Rows are taken to norms about 2^20, which leaves room
 * for ones that are 2^40 times larger, and for 2^100 times smaller ones.
 *
 * The bound. u = 2^-24; q and x are the rows as they are rounded into the space, N_q and N_x bounds
 * of their norms. Single precision sums d products with an error of at most g |q||x|, whatever the
 * order of additions, g = d u / (1 - d u). Rounding x moves it by u N_x, so that it changes half a
 * squared distance by at most 1.01 u (N_q + N_x)^2; |x|^2 / 2 and the two or three operations on it
 * add less than 4 u (N_q + N_x)^2; and (N_q + N_x)^2 = N_q^2 + N_x^2 + 2 N_q N_x. Inner products have
 * the first error, and 6 u N_q N_x are more than the others. `least` covers what is flushed to zero.
 *
 * For cosines, which have the order of q.x / |x|, rows are brought to length 1 in double precision before
 * they are moved, and then they are inner products. That is off by (d + 16) 2^-53 of the length, here of
 * the scale: N_q times that is the same as N_x larger by it over `cross`, which is `slack`. */
#include "exact_space.h"

#include "arena.h"
#include "cpu.h"
#include "lbh.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLE = 64, LANES = 8, USUAL = 20 };
static const double LARGEST = 0x1p120; /* of squared norms */

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

LBH_CLONES
static double square(int d, const float *x)
{
    double sum[LANES] = {0}, all = 0;
    int j = 0;
    for (; j + LANES <= d; j += LANES)
        for (int l = 0; l < LANES; l++)
            sum[l] += (double)x[j + l] * (double)x[j + l];
    for (; j < d; j++)
        all += (double)x[j] * (double)x[j];
    for (int l = 0; l < LANES; l++)
        all += sum[l];
    return all;
}

/* What a row is multiplied by: one of zeros by 0, one that is not finite by no number. */
static double factor_of(const lbh_exact_space *s, const float *x)
{
    if (s->metric != LBH_METRIC_COSINE)
        return 1;
    double length = sqrt(square(s->d, x));
    return length == 0 ? 0 : 1 / length;
}

static const float *sampled(int64_t i, int64_t count, int64_t n, int d, const float *x)
{
    return x + (int64_t)((double)i * (double)n / (double)count) * d;
}

static void choose_centre(lbh_exact_space *s, int64_t n, const float *x)
{
    double value[SAMPLE], factor[SAMPLE];
    int64_t count = n < SAMPLE ? n : SAMPLE;
    for (int64_t i = 0; i < count; i++)
        factor[i] = factor_of(s, sampled(i, count, n, s->d, x));
    for (int j = 0; j < s->d; j++) {
        for (int64_t i = 0; i < count; i++)
            value[i] = factor[i] * (double)sampled(i, count, n, s->d, x)[j];
        qsort(value, (size_t)count, sizeof *value, compare_doubles);
        s->centre[j] = value[count / 2];
    }
}

static void choose_scale(lbh_exact_space *s, int64_t n, const float *x)
{
    double norm[SAMPLE];
    int64_t count = n < SAMPLE ? n : SAMPLE, seen = 0;
    for (int64_t i = 0; i < count; i++) {
        const float *row = sampled(i, count, n, s->d, x);
        double sum = 0, factor = factor_of(s, row);
        for (int j = 0; j < s->d; j++) {
            double t = factor * (double)row[j] - s->centre[j];
            sum += t * t;
        }
        if (sum > 0 && sum < INFINITY)
            norm[seen++] = sqrt(sum);
    }
    qsort(norm, (size_t)seen, sizeof *norm, compare_doubles);
    s->scale = seen ? ldexp(1, USUAL - ilogb(norm[seen / 2])) : 1;
}

LBH_CLONES
static void mark_differences(int d, const float *first, const float *row, uint8_t *varies)
{
    for (int j = 0; j < d; j++)
        varies[j] |= row[j] != first[j];
}

int lbh_exact_space_choose(lbh_exact_space *s, int metric, int d, int64_t n, const float *x)
{
    const double u = (double)FLT_EPSILON / 2, g = d * u / (1 - d * u);
    lbh_exact_space_free(s);
    *s = (lbh_exact_space){.metric = metric, .d = d, .least = d * 0x1p-110};
    s->cross = metric == LBH_METRIC_L2 ? g + 12 * u : g + 6 * u;
    s->own = metric == LBH_METRIC_L2 ? 6 * u : 0;
    s->centre = lbh_alloc(d, sizeof *s->centre);
    s->varies = lbh_alloc(d, 1);
    if (!s->centre || !s->varies)
        return LBH_ENOMEM;
    choose_centre(s, n, x);
    choose_scale(s, n, x);
    if (metric == LBH_METRIC_COSINE) { /* lengths differ, and so does what is divided by them */
        s->slack = s->scale * (d + 16) * (DBL_EPSILON / 2) / s->cross;
        memset(s->varies, 1, (size_t)d);
        return LBH_OK;
    }
    for (int64_t i = 1; i < n; i++)
        mark_differences(d, x, x + i * d, s->varies);
    return LBH_OK;
}

void lbh_exact_space_free(lbh_exact_space *s)
{
    free(s->centre);
    free(s->varies);
    *s = (lbh_exact_space){0};
}

/* ---- Rows ---------------------------------------------------------------------------------- */

LBH_CLONES
static void move_row(int d, const float *x, double factor, const double *centre, double scale, float *to)
{
    for (int j = 0; j < d; j++) {
        double t = ((double)x[j] * factor - centre[j]) * scale;
        t = t > 1e30 ? 1e30 : t;
        to[j] = (float)(t < -1e30 ? -1e30 : t);
    }
}

static bool finish_row(int d, float *to, double *norm)
{
    double sum = square(d, to);
    bool fits = sum <= LARGEST; /* a NaN does not */
    for (int j = 0; j < d && !fits; j++)
        to[j] = 0;
    *norm = fits ? sqrt(sum) * (1 + 0x1p-30) : 0;
    return fits;
}

bool lbh_exact_space_row(const lbh_exact_space *s, const float *x, float *to, double *norm)
{
    move_row(s->d, x, factor_of(s, x), s->centre, s->scale, to);
    bool fits = finish_row(s->d, to, norm);
    *norm += s->slack;
    return fits;
}

bool lbh_exact_space_query(const lbh_exact_space *s, const float *q, float *to, double *norm)
{
    double largest = 0;
    if (s->metric == LBH_METRIC_L2)
        move_row(s->d, q, 1, s->centre, s->scale, to);
    for (int j = 0; j < s->d; j++)
        largest = fmax(largest, s->varies[j] ? fabs((double)q[j]) : 0);
    /* An inner product is taken with q at a size of its own: that changes no order. */
    double scale = largest > 0 ? ldexp(1, -ilogb(largest)) : 1;
    for (int j = 0; j < s->d; j++)
        if (!s->varies[j])
            to[j] = 0;
        else if (s->metric != LBH_METRIC_L2)
            to[j] = (float)((double)q[j] * scale);
    return finish_row(s->d, to, norm);
}
