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

/* Hands all rows over as floats, block by block. `what` is shown as progress; NULL: nothing is. */
typedef int (*block_fn)(void *ctx, int64_t first, int64_t count, const float *x);
int each_block(const vectors *v, const char *what, block_fn take, void *ctx);

/* How rows are encoded: as a database (ENCODE_BASE), as one whose codes are refined by so many
 * flips (above 0), or as queries. */
enum { ENCODE_QUERIES = -1, ENCODE_BASE = 0, MAX_REFINE = 1000000 };

/* Encodes all rows into new memory; the caller frees *codes. */
int encode_all(const lbh_encoder *enc, const vectors *v, int64_t how, uint8_t **codes);

/* Called with each block of codes of encode_each. */
typedef int (*code_sink)(void *ctx, int64_t count, const uint8_t *codes);
int encode_each(const lbh_encoder *enc, const vectors *v, int64_t how, code_sink sink, void *ctx);
/* The same of rows from .. to-1. The memory of both does not depend on the number of rows. */
int encode_range(const lbh_encoder *enc, const vectors *v, int64_t how, int64_t from, int64_t to,
                 code_sink sink, void *ctx);

/* Whether the (trained) encoder can rebuild its data. */
bool has_decoder(const lbh_encoder *enc);

/* What ranks the items: distances of codes, or the decoder. */
enum { SCORE_AUTO, SCORE_HAMMING, SCORE_DECODER };

/* Settles SCORE_AUTO: the decoder if the model's option `score` says so. An encoder without decoder
 * is an error if `strict`, else ranked by Hamming distance. */
int choose_score(const lbh_encoder *enc, int score, bool strict, bool *by_decoder);

/* LBH_METRIC_* of the decoder's scores: that of the evaluation, and with labels the model's own. */
int decoder_metric(const lbh_encoder *enc, int metric);

/* Searches all query codes for k answers each, block by block; own rows (may be NULL) are left out.
 * New memory of nq x k to *distances and *ids; the caller frees. */
int search_all(const FaissIndexBinary *index, size_t code_size, int64_t nq, const uint8_t *codes,
               int64_t k, const int64_t *own, int32_t **distances, int64_t **ids);

#endif
