/* exact_pool.h: who may be among the k nearest, as long as distances are known to an interval only.
 *
 * The k-th smallest upper end is the bar: a row whose lower end is above it has k rows that are
 * surely nearer. All others stay, so that a pool grows where intervals do not separate the rows. */
#ifndef LBH_EXACT_POOL_H
#define LBH_EXACT_POOL_H

#include <stdint.h>

typedef struct lbh_pool_entry {
    double low, high;
    int64_t id;
} lbh_pool_entry;

typedef struct lbh_pool {
    int64_t k, count, room;
    double bar; /* infinite until k rows are known */
    lbh_pool_entry *entry;
} lbh_pool;

/* Empties the pool for the k nearest; memory that it has is used again. LBH_ENOMEM. */
int lbh_pool_start(lbh_pool *p, int64_t k);

/* Takes a row, unless it is above the bar. LBH_ENOMEM. */
int lbh_pool_add(lbh_pool *p, double low, double high, int64_t id);

/* Drops what is above the bar. */
void lbh_pool_prune(lbh_pool *p);
void lbh_pool_free(lbh_pool *p);

#endif
