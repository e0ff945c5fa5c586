/* few_rows.h: rows that are too few for gradients to learn bits from: the codes of ITQ hold better for
 * rows that training has not seen. */
#ifndef LBH_ENCODERS_FEW_ROWS_H
#define LBH_ENCODERS_FEW_ROWS_H

#include "method.h"

/* Whether n rows are fewer than `each` a bit, or a dimension where there are fewer of these: then codes of
 * ITQ, whose bits are cut at the mean, are no good at all. If so, the note "few_rows" says it. */
int lbh_too_few_rows(lbh_encoder *enc, int64_t n, double each, bool *too_few);

#endif
