/* faiss_rows.h: whole files of vectors through FAISS's own float indexes. */
#ifndef LBH_FAISS_ROWS_H
#define LBH_FAISS_ROWS_H

#include "encode.h"

/* Trains on n of the rows, 1 .. v->n, at even distances: FAISS wants them as floats in memory. */
int faiss_train_rows(FaissIndex *index, const vectors *v, int64_t n);

/* Adds all rows, block by block. */
int faiss_add_rows(FaissIndex *index, const vectors *v);

/* Codes of all rows in new memory, by FAISS's own encoder; the caller frees. */
int faiss_encode_rows(const FaissIndex *index, const vectors *v, uint8_t **codes);

#endif
