/* hamming_run.h: a search, as hamming.c checked it and hamming_run.c carries it out. */
#ifndef LBH_SCAN_HAMMING_RUN_H
#define LBH_SCAN_HAMMING_RUN_H

#include "lbh_scan.h"

#include "candidates.h"
#include "hamming.h"

#include <stdbool.h>

typedef struct lbh_hamming {
    int64_t nq;
    const uint8_t *queries;
    size_t code_size;
    /* Either one array (which is NULL), or lists. */
    int64_t n;
    const uint8_t *codes;
    const uint8_t *rows; /* packed (packed.h): what to call the codes of the array; NULL: 0 .. n-1 */
    int row_bits;
    int64_t nprobe;
    const int64_t *which;
    const lbh_code_list *lists;
    int64_t most; /* codes that a query meets, at most */
    /* Either the k best, or (k = 0) all below the radius. */
    int64_t k;
    int32_t radius;
    int32_t *distances; /* k > 0: answers, unless they are handed over (one array only) */
    int64_t *labels;
    lbh_candidates_fn take;
    void *ctx;
    lbh_range_result *result; /* k = 0: answers, but for the struct itself still empty */
} lbh_hamming;

/* Whether codes are scanned in the order of what they are called. */
static inline bool lbh_hamming_ordered(const lbh_hamming *h)
{
    return !h->which && !h->rows;
}

/* nq and most are positive, arguments in order. LBH_ENOMEM: the struct *result owns what is in
 * it. */
int lbh_hamming_run(const lbh_hamming *h);

/* lbh_hamming_search and lbh_hamming_range of one array, whose codes may have `rows`; see hamming.c. */
int lbh_hamming_search_array(lbh_hamming *h, int64_t k);
int lbh_hamming_range_array(lbh_range_result **result, lbh_hamming *h, int32_t radius);

/* ---- Between hamming_run.c and hamming_scan.c --------------------------------------------- */

/* What all threads share. */
typedef struct lbh_hamming_task {
    const lbh_hamming *h;
    lbh_scan_fn scan;
    lbh_scan_first_fn first; /* or NULL */
    int64_t nbits, words, kept, room; /* kept: answers a query, at most; room: of its collector */
    int64_t threads, block, nblocks, nslices;
    bool keep_all;                    /* a collector for each (slice, query), else for each (thread,
                                         query of a block) */
    int64_t ncollectors;
    lbh_collector *collector;
    int64_t *histogram; /* k > 0: of all collectors */
    lbh_answer *answer;
    bool stop; /* the caller wants no more */
} lbh_hamming_task;

/* One thread's memory. */
typedef struct lbh_hamming_worker {
    char *memory;  /* where all that follows lies */
    lbh_scan scan; /* of a block, or of those of its queries that share a list */
    lbh_collector **collector; /* of the block's queries */
    int64_t *end;              /* the same: guesses of what distance answers lie below */
    int64_t *met, *sampled;    /* the same, for lists: codes, and those that the guess rests on */
    uint64_t *query;           /* the same, for lists */
    uint64_t *pair, *pair_scratch; /* (list, query of the block), sorted */
} lbh_hamming_worker;

/* Scans slice `slice` for `count` queries from `first` on, whose collectors were started. */
void lbh_scan_array(lbh_hamming_task *r, lbh_hamming_worker *w, int64_t first, int64_t count,
                    int64_t slice);
void lbh_scan_lists(lbh_hamming_task *r, lbh_hamming_worker *w, int64_t first, int64_t count,
                    int64_t slice);

static inline int64_t lbh_smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t lbh_divide_up(int64_t a, int64_t b)
{
    return a / b + (a % b != 0);
}

#endif
