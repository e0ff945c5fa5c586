/* rows.h: rows that are pulled (lbh_rows). */
#ifndef LBH_ROWS_H
#define LBH_ROWS_H

#include "lbh.h"

/* The matrix behind a view made by lbh_rows_from_matrix(); NULL for rows of another kind. */
const float *lbh_rows_matrix(const lbh_rows *rows);

#endif
