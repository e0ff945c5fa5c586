/* encoder_document.h: an encoder as a document: what models and checkpoints have in common. */
#ifndef LBH_ENCODER_DOCUMENT_H
#define LBH_ENCODER_DOCUMENT_H

#include "method.h"
#include "model_file.h"

/* Puts method, d, nbits and options. */
int lbh_put_encoder(lbh_document *doc, const lbh_encoder *enc);

/* Puts / fills the learned tensors, those of byte tables among them. Filling demands each tensor with its exact shape and finite
 * numbers, and allocates only then. */
int lbh_put_tensors(lbh_document *doc, lbh_encoder *enc);
int lbh_fill_tensors(lbh_encoder *enc, const lbh_document *doc, const char *what, int *count);

/* Takes over the shape of the byte tables that the document has, if it has any. */
int lbh_read_table_columns(lbh_encoder *enc, const lbh_document *doc, const char *what);

/* Copies one tensor of the document to data[rows * cols]. */
int lbh_fill_tensor(const lbh_document *doc, const char *what, const char *name, int64_t rows,
                    int64_t cols, float *data);

#endif
