/* hamming_run.h: a search, as hamming.c checked it and hamming_run.c carries it out. */
#ifndef LBH_SCAN_HAMMING_RUN_H
#define LBH_SCAN_HAMMING_RUN_H

#include "lbh_scan.h"

#include "scan/hamming.h"

typedef struct lbh_hamming {
    int64_t nq;
    const uint8_t *queries;
    size_t code_size;
    /* Either one array (which is NULL), or lists. */
    int64_t n;
    const uint8_t *codes;
    int64_t nprobe;
    const int64_t *which;
    const lbh_code_list *lists;
    int64_t most; /* codes that a query meets, at most */
    /* Either the k best, or (k = 0) all below the radius. */
    int64_t k;
    int32_t radius;
    int32_t *distances; /* k > 0: answers */
    int64_t *labels;
    lbh_range_result *result; /* k = 0: answers, but for the struct itself still empty */
} lbh_hamming;

/* nq and most are positive, arguments in order. LBH_ENOMEM: the struct *result owns what is in
 * it. */
int lbh_hamming_run(const lbh_hamming *h);

#endif
