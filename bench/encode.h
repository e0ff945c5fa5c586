/* encode.h: models, codes of whole files, answers of whole query sets. */
#ifndef LBH_ENCODE_H
#define LBH_ENCODE_H

#include "lbh_faiss.h"
#include "vectors.h"

/* Loads a model and, if v is not NULL, checks that it fits these rows. */
int model_load(lbh_encoder **enc, const char *path, const vectors *v);
int model_fits(const lbh_encoder *enc, const vectors *v);

/* Rows at a time, so that a block of floats stays small. */
int64_t block_rows(int d);

/* Encodes all rows into new memory; the caller frees *codes. */
int encode_all(const lbh_encoder *enc, const vectors *v, bool queries, uint8_t **codes);

/* Called with each block of codes of encode_each. */
typedef int (*code_sink)(void *ctx, int64_t count, const uint8_t *codes);
int encode_each(const lbh_encoder *enc, const vectors *v, bool queries, code_sink sink, void *ctx);

/* Searches all query codes for k answers each, block by block; own rows (may be NULL) are left out.
 * New memory of nq x k to *distances and *ids; the caller frees. */
int search_all(const FaissIndexBinary *index, size_t code_size, int64_t nq, const uint8_t *codes,
               int64_t k, const int64_t *own, int32_t **distances, int64_t **ids);

#endif
