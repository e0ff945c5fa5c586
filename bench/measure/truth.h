/* truth.h: exact nearest neighbours in the original space. */
#ifndef LBH_TRUTH_H
#define LBH_TRUTH_H

#include "vectors.h"

typedef struct truth {
    int64_t nq, k;
    int64_t *ids; /* nq x k, nearest first, ties by id; -1 behind the last, where fewer are known */
} truth;

/* How many of the first k neighbours of a query are known. */
int64_t truth_known(const truth *t, int64_t query, int64_t k);

/* The k nearest rows of base (metric: LBH_METRIC_*) of each query, without row
 * own[q] (own may be NULL). k is lowered to the number of rows that there are.
 *
 * They are those of lbh_exact.h: right for any numbers. The base is visited in chunks: it need not fit
 * in memory. */
int truth_compute(truth *t, const vectors *base, const vectors *query, const int64_t *own,
                  int64_t k, int metric);

/* Reads true neighbours instead: integers, one row of ids a query, nearest first, which are used as
 * they are: an .ivecs, .ibin or .npy file, the `neighbors` of ann-benchmarks (FILE.hdf5:neighbors).
 * The first k of each row are kept, without own[q], or as many as there are: -1 ends a row that knows
 * of fewer, as in what `lbh search` writes. LBH_EFORMAT if rows and queries do not match, an id is no
 * row of the base or comes twice, an id follows -1, or no row has any. */
int truth_read(truth *t, const char *spec, const vectors *base, const vectors *query,
               const int64_t *own, int64_t k);
void truth_free(truth *t);

#endif
