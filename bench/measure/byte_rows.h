/* byte_rows.h: rows as RSQ8 of a pipeline keeps them, a byte a number: what ranking by such vectors
 * finds is known before one is made. */
#ifndef LBH_BYTE_ROWS_H
#define LBH_BYTE_ROWS_H

#include "vectors.h"

typedef struct byte_rows {
    const vectors *v;
    float *low, *step; /* d: value = low + step * byte */
} byte_rows;

/* Takes the range of each column from all rows of v, which must outlive it. */
int byte_rows_open(byte_rows *b, const vectors *v);
void byte_rows_close(byte_rows *b);

/* A view, valid while *b stays where it is. */
lbh_rows byte_rows_view(const byte_rows *b);

#endif
