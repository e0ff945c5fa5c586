/* found.h: how many true neighbours codes find again: what methods judge their own codes by. */
#ifndef LBH_ENCODERS_FOUND_H
#define LBH_ENCODERS_FOUND_H

#include <stdint.h>

/* How many of top[k] (until the first -1) are among the first 100 of n items by the Hamming distance
 * of their codes items[n * ceil(L / 8)] to query, equally far ones by rising number; item `own` (-1:
 * none) is left out. distance[n]: scratch. */
int lbh_found_within_100(int64_t n, int L, const uint8_t *items, const uint8_t *query, int64_t own,
                         int k, const int64_t *top, uint16_t *distance);

#endif
