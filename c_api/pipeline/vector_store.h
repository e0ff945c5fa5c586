/* vector_store.h: PRIVATE. The vectors of a pipeline by id, as floats or as 8 bits a number: in
 * memory, or the first ones mapped from a file. Reading is safe from several threads at once. */
#ifndef LBH_VECTOR_STORE_H
#define LBH_VECTOR_STORE_H

#include "lbh.h"

#include <stdbool.h>
#include <stdio.h>

typedef struct lbh_store lbh_store;

enum { LBH_STORE_FLOAT = 4, LBH_STORE_BYTE = 1 }; /* bytes a number */

/* An empty store of d numbers a row. Bytes need lbh_store_train before rows are added. */
int lbh_store_new(lbh_store **s, int d, int width);
void lbh_store_free(lbh_store *s);

/* Bytes: takes the range of each column from the rows. Floats: nothing to learn. */
int lbh_store_train(lbh_store *s, const lbh_rows *rows);
bool lbh_store_trained(const lbh_store *s);

/* Adds n rows; ids NULL: count, count + 1, ... LBH_EINVAL for an id that is there already (or twice
 * in ids): then nothing was added. */
int lbh_store_add(lbh_store *s, int64_t n, const float *x, const int64_t *ids);

/* Takes back the last n rows that were added. */
void lbh_store_undo(lbh_store *s, int64_t n);

/* Removes rows by id, those that are there. close_gaps: the others are then 0, 1, ... in order.
 * LBH_ENOMEM: nothing was removed. */
int lbh_store_remove(lbh_store *s, int64_t n, const int64_t *ids, bool close_gaps);

/* Removes all rows; ids are 0, 1, ... again. */
void lbh_store_clear(lbh_store *s);

/* Row of an id to x[d]. LBH_EINVAL if it is not there. */
int lbh_store_get(const lbh_store *s, int64_t id, float *x);

/* The store as rows that are read by id. Valid while *s is. */
lbh_rows lbh_store_rows(const lbh_store *s);

/* ---- Files (.npy) -------------------------------------------------------------------------- */

bool lbh_store_in_order(const lbh_store *s); /* ids are 0, 1, ...: no file of ids is needed */
int lbh_store_write_rows(const lbh_store *s, FILE *stream);
int lbh_store_write_scale(const lbh_store *s, FILE *stream); /* bytes only */
int lbh_store_write_ids(const lbh_store *s, FILE *stream);

/* Fills a new store from the bytes of these files, n rows: `rows` stays mapped, and is unmapped
 * with the store, or by the caller after an error; scale (bytes only) and ids (may be NULL) are
 * copied. LBH_EFORMAT without a file name: the caller knows it. */
int lbh_store_map(lbh_store *s, int64_t n, const void *rows, size_t size);
int lbh_store_read_scale(lbh_store *s, const void *data, size_t size);
int lbh_store_read_ids(lbh_store *s, const void *data, size_t size);

#endif
