/* mih_probe.h: PRIVATE. One query in the tables of a multi-index hash.
 *
 * A step is (r, t): all values within exactly r flips of the query's prefix t are looked up in
 * table t. Steps are done in the order (0,0) (0,1) .. (0,m-1) (1,0) ...; after step number
 * s = r m + t every code at distance <= s was found. A code is found in up to m tables; it counts
 * in its first step, which its prefixes' distances d_0 .. d_(m-1) tell: step (r, t) is the first
 * iff d_t = r, d_j > r for j < t and d_j >= r for j > t. So nothing needs to be remembered. */
#ifndef LBH_SCAN_MIH_PROBE_H
#define LBH_SCAN_MIH_PROBE_H

#include "mih.h"
#include "topk.h"

enum { LBH_PROBE_RUNS = 64, LBH_PROBE_ENTRIES = 1024 };

/* What a step returns besides LBH_OK and errors: it would cost more than the query may. */
enum { LBH_PROBE_TOO_DEAR = 1 };

/* Entries begin .. end-1 of a table, which have this prefix. */
typedef struct lbh_mih_run {
    uint32_t begin, end, prefix;
} lbh_mih_run;

/* A code that was found, by its place, or for the time being as it is. */
typedef struct lbh_mih_find {
    uint64_t code;
    uint32_t place;
    int distance;
    bool equals; /* those equal to it, which follow it, were not found by themselves */
} lbh_mih_find;

typedef struct lbh_probe {
    const lbh_mih *mih;
    const uint8_t *query;
    int limit;           /* codes farther than this are of no interest; falls as codes are found */
    int64_t k;           /* codes wanted; 0: all within the limit, which stays */
    int64_t near;        /* found within the limit (k > 0) */
    int64_t *count;      /* [nbits + 1] found, by distance (k > 0) */
    lbh_topk found;      /* their keys (distance, row) */
    double cost, budget; /* nanoseconds, by estimate */
    lbh_mih_stats stats;
    uint64_t *word;         /* [m] of the query, as in the entries of the tables */
    int64_t nruns, entries; /* waiting to be looked at */
    int64_t nfinds;         /* waiting for their rows to be read */
    lbh_mih_run run[LBH_PROBE_RUNS];
    uint64_t hit[LBH_PROBE_ENTRIES]; /* (run, entry) */
    uint32_t place[LBH_PROBE_ENTRIES];
    lbh_mih_find find[LBH_PROBE_ENTRIES];
} lbh_probe;

/* A probe for searches of k codes (or k = 0). Free with lbh_probe_free. LBH_ENOMEM. */
int lbh_probe_new(lbh_probe **probe, const lbh_mih *mih, int64_t k);
void lbh_probe_free(lbh_probe *probe);

/* Finds what is within `limit` of the query (k > 0: only the k nearest of it, by (distance, row)),
 * by steps while they cost no more than `budget`: probe->found then holds the keys in rising order.
 * LBH_PROBE_TOO_DEAR, LBH_EFORMAT, LBH_ENOMEM. */
int lbh_probe_query(lbh_probe *probe, const uint8_t *query, int limit, double budget);

#endif
