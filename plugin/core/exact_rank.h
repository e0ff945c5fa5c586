/* exact_rank.h: rows in the true order of their distances to a query, whatever finite floats both are
 * made of.
 *
 * Distances are taken in double precision, with a bound of their rounding error. Where the bounds
 * of rows overlap, those rows are compared by sums without rounding (exact_sum.h); rows whose
 * distances are equal as real numbers come by rising id. */
#ifndef LBH_EXACT_RANK_H
#define LBH_EXACT_RANK_H

#include "lbh.h"

#include <omp.h>

typedef struct lbh_near {
    double distance; /* squared, or minus the inner product or the cosine */
    double error;    /* the true one is no further away than this */
    int64_t id;
} lbh_near;

/* Where vectors lie: rows `first` .. `first` + n - 1 are x[n * d], others are asked for, by whichever
 * thread; under the lock, if there is one. */
typedef struct lbh_near_rows {
    const lbh_rows *rows;
    const float *x;
    int64_t first, n;
    omp_lock_t *lock;
} lbh_near_rows;

/* Sets distance and error of row x to query q; d numbers each. metric: LBH_METRIC_*. */
void lbh_near_measure(int metric, int d, const float *q, const float *x, lbh_near *to);

/* Sorts list[count], which is measured, by true distance and id, so that the first k are in order.
 * Distances then rise: where the roundings of two say otherwise, the second gets that of the first.
 * Errors of `read`; LBH_ENOMEM. */
int lbh_near_sort(const lbh_near_rows *where, int metric, const float *q, int64_t count, int64_t k,
                  lbh_near *list);

/* LBH_EINVAL for a distance that finite floats do not have. */
int lbh_near_check(const lbh_near *near);

/* Writes k answers as lbh_exact.h has them: those of list[found], then gaps. */
void lbh_near_write(int metric, int64_t k, int64_t found, const lbh_near *list, double *distances,
                    int64_t *labels);

/* What the functions of lbh_exact.h refuse alike; `name` is that of the function. */
int lbh_exact_check(const char *name, const lbh_rows *base, int metric, int64_t nq, const float *q,
                    int64_t k, const int64_t *labels);

/* The first failure among threads, whose error texts are their own. */
typedef struct lbh_failure {
    int code;
    char text[512];
} lbh_failure;

void lbh_failure_note(lbh_failure *f, int code); /* by any thread; LBH_OK is none */
int lbh_failure_raise(const lbh_failure *f);     /* afterwards: its code, or LBH_OK */

#endif
