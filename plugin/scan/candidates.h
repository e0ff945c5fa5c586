/* candidates.h: the k nearest codes of each query, for a second ranking: handed over query by query, where they
 * were found, by rising id. Distances are not sorted, and the answers of all queries are nowhere
 * written down. */
#ifndef LBH_SCAN_CANDIDATES_H
#define LBH_SCAN_CANDIDATES_H

#include "hamming.h"

/* What gets the `count` candidates of a query, answer[].id rising. Called once a query, by any of the
 * threads of an OpenMP region of at most omp_get_max_threads(). */
typedef void (*lbh_candidates_fn)(void *ctx, int64_t query, int64_t count, const lbh_answer *answer);

/* The other arguments, and errors, are those of lbh_hamming_search (lbh_scan.h). */
int lbh_hamming_candidates(int64_t nq, const uint8_t *queries, int64_t n, const uint8_t *codes,
                           size_t code_size, int64_t k, lbh_candidates_fn take, void *ctx);

#endif
