/* unit.h: lengths of rows and rows of unit length, whatever finite numbers they hold. */
#ifndef LBH_UNIT_H
#define LBH_UNIT_H

#include <stdint.h>

/* ||x|| and ||x - y|| of rows of d floats, in double precision; the same bits on every CPU. */
double lbh_length(int d, const float *x);
double lbh_distance(int d, const float *x, const float *y);

/* out[n * d] = x / ||x|| by row; a row of zeros stays one. out may be x. By the calling thread. */
void lbh_unit_rows(int64_t n, int d, const float *x, float *out);

#endif
