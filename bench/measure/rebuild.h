/* rebuild.h: how well the decoder rebuilds rows from their codes. */
#ifndef LBH_REBUILD_H
#define LBH_REBUILD_H

#include "output.h"
#include "vectors.h"

/* Adds "rebuild_error", the mean of ||x - x^||^2 / 2 over all rows, and "variance_left", the sum of
 * ||x - x^||^2 as a share of the sum of ||x - mean||^2. codes: of the rows of v. */
int report_rebuilding(cJSON *doc, const lbh_encoder *enc, const vectors *v, const uint8_t *codes);

#endif
