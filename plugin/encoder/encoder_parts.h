/* encoder_parts.h: what the files of this room share. */
#ifndef LBH_ENCODER_PARTS_H
#define LBH_ENCODER_PARTS_H

#include "method.h"

/* encoder.c */
int lbh_encoder_finish(lbh_encoder *enc); /* packs and prepares after train or load */
bool lbh_is_linear(const lbh_encoder *enc); /* has its method's linear() under its options */
bool lbh_is_asymmetric(const lbh_encoder *enc);
/* LBH_EINVAL, LBH_ESTATE unless a trained encoder can work on n rows from `in` to `out`. */
int lbh_check_call(const lbh_encoder *enc, int64_t n, const void *in, const void *out);

void lbh_encoder_reset(lbh_encoder *enc); /* back to an untrained one */

/* tables.c: learns byte tables for a trained encoder as the option says, unless its method has */
int lbh_train_tables(lbh_encoder *enc, lbh_training *t);

/* registry.c */
extern const lbh_method *const lbh_methods[];        /* ends with NULL */
const lbh_method *lbh_method_find(const char *name); /* NULL if there is none */

/* encoding.c: encodes by the method's search() with that depth; the method has one. */
int lbh_encode_searching(const lbh_encoder *enc, int depth, int64_t n, const float *x,
                         uint8_t *codes);

#endif
