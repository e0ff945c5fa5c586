/* sgh_tables.h: codes and byte tables learned together: see sgh_tables.c. */
#ifndef LBH_SGH_TABLES_H
#define LBH_SGH_TABLES_H

#include "sgh_map.h"

/* Whether score=decoder is by tables under the encoder's options, for n training rows. */
bool sgh_tables_wanted(const lbh_encoder *self, int64_t n);

/* From the codes k->B on: better codes, in k->B, and the encoder's tables. */
int sgh_tables_train(lbh_encoder *self, lbh_training *t, sgh_run *r, sgh_codes *k);

/* score=both: the linear encoder is trained; items' codes are searched for so that the tables rebuild
 * them well and the queries' codes, the encoder's, still find them. k: memory, sgh_take_codes(). */
int sgh_tables_both(lbh_encoder *self, lbh_training *t, sgh_run *r, sgh_codes *k);

/* Items' codes of n rows x[n * d], as +-1: one thread. start[n * nbits]: the values of the linear map,
 * whose signs the search starts from; they may be z. */
int sgh_tables_items(const lbh_encoder *self, int depth, int64_t n, const float *x,
                     const float *start, float *z);

#endif
