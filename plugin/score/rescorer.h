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

#endif
