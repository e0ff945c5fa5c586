/* rebuild.h: how well the decoder rebuilds rows from their codes. */
#ifndef LBH_REBUILD_H
#define LBH_REBUILD_H

#include "lbh.h"
#include "vectors.h"

/* *error: the mean of ||x - x^||^2 / 2 over all rows; *left: the sum of ||x - x^||^2 as a share of the sum
 * of ||x - mean||^2, NaN where that is 0. codes: of the rows of v. */
int measure_rebuilding(const lbh_encoder *enc, const vectors *v, const uint8_t *codes, double *error,
                       double *left);

#endif
