/* finite.h: rows that hold a NaN or an infinity. */
#ifndef LBH_FINITE_H
#define LBH_FINITE_H

#include <stdint.h>

/* First row of x[n * d] that holds a NaN or an infinity, or -1. */
int64_t lbh_find_nonfinite(int64_t n, int d, const float *x);

#endif
