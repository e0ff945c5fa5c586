/* labels.h: class labels of rows: one class a row, or several, or none.
 *
 *   one column of integers (.ivecs .ibin .bvecs .u8bin .npy)   the class of each row, -1 = none
 *   .ivecs .ibin with more columns                             classes of each row, padded with -1
 *   .u8bin .bvecs, .npy with more columns                      a 0/1 matrix, one column a class
 *   (an .npy of int32 or int64 that holds more than 0 and 1 is read as classes padded with -1)
 *   synthetic:...                                              the cluster of each row
 * Class numbers need not be dense.
 */
#ifndef LBH_LABELS_H
#define LBH_LABELS_H

#include "vectors.h"

typedef struct labels {
    int64_t n;
    int64_t *start; /* n + 1 */
    int64_t *item;  /* start[n], rising within a row */
    int64_t classes; /* after labels_dense: items are 0 .. classes-1 */
} labels;

int labels_open(labels *l, const char *spec);
void labels_close(labels *l);

/* Renumbers the classes that occur in either set (b may be NULL) as 0, 1, 2 ... */
int labels_dense(labels *a, labels *b);

/* Refuses labels whose number is not that of the rows. */
int labels_fit(const labels *l, const char *spec, const vectors *rows);

/* The labels as the library wants them. Valid while *l is. */
lbh_lists labels_lists(const labels *l);

/* For each of `rows` the rows that ought to be near it: integers, -1 = no more, in their order.
 * Each must be a row; a row's own number is dropped. classes = rows. */
int neighbours_open(labels *l, const char *spec, const vectors *rows);

/* Ids of rows, one a query: a file of one integer column, each in [0, limit). The caller frees. */
int read_row_ids(const char *spec, int64_t count, int64_t limit, int64_t **ids);

#endif
