/* rescorer.h: what a rescorer is, for the files that score by it. */
#ifndef LBH_RESCORER_H
#define LBH_RESCORER_H

#include "decoded.h"
#include "decoder_score.h"

struct lbh_rescorer {
    const lbh_encoder *enc;
    int mode, metric, nbytes;
    lbh_decoder_score decoder;
    lbh_rows rows;
    lbh_score_fn score; /* the kernel, and which of the tables it reads: */
    int nibble_tables, byte_tables;
};

/* The scores of a block of codes against one query, as the rescorer ranks them: one thread's memory. */
typedef struct lbh_block_scores {
    float *room; /* what making the table needs */
    lbh_score_table table;
    lbh_code_block block;
    float *norm; /* of a block: zeros where none are added */
    float *score;
} lbh_block_scores;

/* Frees it in either case. */
int lbh_block_scores_new(lbh_block_scores *w, const lbh_rescorer *r);
void lbh_block_scores_free(lbh_block_scores *w);

/* score[0 .. n-1] of at most LBH_DECODED_BLOCK codes, by a query's table, with their norms (NULL: none
 * count). */
void lbh_block_scores_fill(lbh_block_scores *w, const lbh_rescorer *r, const lbh_score_table *table,
                           int64_t n, const uint8_t *codes, const float *norms);

#endif
