/* byte_filter.h: lower bounds of scores by byte tables, by look-ups in registers, so that most codes of
 * a search need no exact score. A query's tables are rounded down to whole numbers of one step,
 *
 *     t_m[v] >= base_m + step * w_m[v],   w_m[v] in 0 .. 255
 *
 * and a code's bound is the sum over its bytes, + its norm, + what all scores share, less what the
 * additions of floats may be off. A table of 256 bytes is four registers of AVX-512: one instruction
 * of VBMI looks up 64 codes in two of them. */
#ifndef LBH_BYTE_FILTER_H
#define LBH_BYTE_FILTER_H

#include "decoded.h"

#include <stdbool.h>

enum { LBH_FILTER_BYTES = 256 }; /* codes may have so many: sums are numbers of 16 bits */

/* Bytes of a block of LBH_DECODED_BLOCK codes, one plane for each byte of the code. In every 64, the
 * first 32 codes are at even places and the last 32 at odd ones. plane[nbytes * LBH_DECODED_BLOCK] */
void lbh_filter_planes(const lbh_code_block *block, uint8_t *plane);

/* One query. */
typedef struct lbh_filter {
    uint8_t *whole; /* w[nbytes * 256] */
    float base, step;
} lbh_filter;

/* Whether this CPU is faster with bounds. */
bool lbh_filter_pays(void);

/* Fills f->whole, f->base, f->step. most: the largest norm of a code. */
void lbh_filter_fill(lbh_filter *f, int nbytes, const lbh_score_table *table, float most);

/* Places of the codes, of the first n of a block, whose bound is below `bar`; their number. norm is
 * readable up to LBH_DECODED_BLOCK. pass[LBH_DECODED_BLOCK] */
int lbh_filter_pass(const lbh_filter *f, int nbytes, int64_t n, const uint8_t *plane,
                    const float *norm, float bar, uint16_t *pass);

#endif
