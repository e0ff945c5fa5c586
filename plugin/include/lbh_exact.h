/* lbh_exact.h: the true nearest neighbours, for any finite floats.
 *
 *     lbh_rows base = lbh_rows_from_matrix(n, d, x);
 *     if (lbh_exact_search(&base, LBH_METRIC_L2, nq, q, NULL, 10, distances, labels))
 *         fprintf(stderr, "%s\n", lbh_last_error());
 *
 * The order of the answers is that of the real numbers: a row of larger squared distance (or smaller
 * inner product, or cosine) never comes before one of smaller, however little they differ and whatever the
 * sizes of the numbers (a column of 2e7 in every row, everything times 1e-30, one number of 1e37);
 * equal ones come by rising id. It does not depend on the CPU, the BLAS or the number of threads.
 * Most of the work is one product of matrices in single precision, as with any exhaustive search;
 * data that it cannot separate take as long as one in double precision, or longer.
 *
 * Conventions of lbh.h: LBH_OK or a negative code, with lbh_last_error(); lbh_on_progress() is told
 * "exact search" and pairs of a query and a row. */
#ifndef LBH_EXACT_H
#define LBH_EXACT_H

#include "lbh.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Finds the k nearest rows of each query. A row's id is its place, 0 .. base->n - 1.
 *
 * base       rows; read in blocks, more than once where they do not fit in 256 MB; a view by
 *            lbh_rows_from_matrix() is not copied. NaN and infinity are refused
 * metric     LBH_METRIC_L2, LBH_METRIC_IP or LBH_METRIC_COSINE; the cosine with a row of zeros is 0
 * q          nq x base->d floats; nq = 0 is fine
 * skip       nq ids, each of a row that is no answer to its query, or -1; or NULL
 * k          at least 1; may exceed the number of rows
 * distances  nq x k: squared distances, rising, or inner products or cosines, falling, each right to
 *            double precision; infinity (but for squared distances: minus that) where there are fewer than k
 *            rows; or NULL
 * labels     nq x k ids; -1 where there are fewer than k rows
 *
 * `read` is called by one thread at a time, and so may a search be. LBH_EINVAL (with the number of the row that holds a NaN), LBH_ENOMEM, LBH_ECANCELLED,
 * errors of `read`; after an error the answers are undefined. */
LBH_API int lbh_exact_search(const lbh_rows *base, int metric, int64_t nq, const float *q,
                             const int64_t *skip, int64_t k, double *distances, int64_t *labels);

/* The same among m rows for each query: ids[nq * m], each once for a query, -1: none there. `read`
 * must bear calls from several threads at once. */
LBH_API int lbh_exact_rank(const lbh_rows *base, int metric, int64_t nq, const float *q, int64_t m,
                           const int64_t *ids, int64_t k, double *distances, int64_t *labels);

#ifdef __cplusplus
}
#endif
#endif
