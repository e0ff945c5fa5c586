/* query_group.h: scores of codes by byte tables (decoded.h), for several queries at a time. Their
 * tables lie side by side, so that one byte of a code is looked up once for all of them: where no
 * instruction looks up bytes in registers (byte_filter.h), a look-up is a load, and these are what
 * a search consists of. Scores are those of lbh_byte_score, bit for bit. */
#ifndef LBH_QUERY_GROUP_H
#define LBH_QUERY_GROUP_H

#include "decoded.h"
#include "topk.h"

enum { LBH_GROUP_QUERIES = 8 }; /* floats of a register of AVX2 */

typedef struct lbh_query_group {
    float *entry; /* [nbytes][256][LBH_GROUP_QUERIES] */
    float offset[LBH_GROUP_QUERIES], least[LBH_GROUP_QUERIES];
} lbh_query_group;

/* Takes the tables of `count` queries, 1 to LBH_GROUP_QUERIES. */
void lbh_query_group_fill(lbh_query_group *g, int nbytes, int64_t count,
                          const lbh_score_table *table);

/* Adds n codes, of ids first, first + 1, ..., to the best of each of the `count` queries. norm[n]
 */
void lbh_query_group_add(const lbh_query_group *g, int nbytes, int64_t count, int64_t n,
                         const uint8_t *codes, const float *norm, uint32_t first, lbh_topk *best);

#endif
