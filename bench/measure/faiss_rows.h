/* faiss_rows.h: whole files of vectors through FAISS's own float indexes. */
#ifndef LBH_FAISS_ROWS_H
#define LBH_FAISS_ROWS_H

#include "encode.h"

/* A float index for neighbours of that metric (LBH_METRIC_*): lbh_float_index_new; or, where
 * `hamming`, one whose codes are compared by Hamming distance, which FAISS makes for L2 alone: for the
 * cosine that of unit rows, for inner products that of the rows as they are. Returns what the library
 * does. */
int faiss_index_new(FaissIndex **index, int d, const char *factory, bool hamming, int metric);

/* Trains on n of the rows, 1 .. v->n, at even distances: FAISS wants them as floats in memory. */
int faiss_train_rows(FaissIndex *index, const vectors *v, int64_t n);

/* Adds all rows, block by block. */
int faiss_add_rows(FaissIndex *index, const vectors *v);

/* Codes of all rows in new memory, by FAISS's own encoder; the caller frees. */
int faiss_encode_rows(const FaissIndex *index, const vectors *v, uint8_t **codes);

#endif
