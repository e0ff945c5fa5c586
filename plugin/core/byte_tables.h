/* byte_tables.h: vectors rebuilt from the bytes of a code, each of which names one of 256 vectors:
 *
 *     x^ = centre + y axes,   y = sum over the bytes m of T_m[b_m]
 *
 * with y in the `columns` dimensions of orthonormal axes. A decoder that is linear in the bits is the
 * case T_m[b] = sum of the rows U_k of the bits set in b. */
#ifndef LBH_CORE_BYTE_TABLES_H
#define LBH_CORE_BYTE_TABLES_H

#include <stdint.h>

enum { LBH_TABLE = 256 }; /* entries of a table */

typedef struct lbh_tables {
    int nbytes, columns, d; /* columns 0: there are none */
    float *T;               /* nbytes x 256 x columns */
    float *axes, *centre;   /* columns x d, d */
} lbh_tables;

/* Zeros of those sizes. After an error there is nothing to clear. LBH_ENOMEM. */
int lbh_tables_new(lbh_tables *t, int nbytes, int columns, int d);
void lbh_tables_clear(lbh_tables *t);

/* y[columns] = axes (x - centre), in double sums. */
void lbh_tables_project(const lbh_tables *t, const float *x, float *y);

/* x[n * d] of codes[n * nbytes]. LBH_ENOMEM. */
int lbh_tables_decode(const lbh_tables *t, int64_t n, const uint8_t *codes, float *x);

/* books[nbytes * 256 * d]: the tables in all d dimensions, the centre added to the first. */
void lbh_tables_expand(const lbh_tables *t, float *books);

/* Fits tables by least squares, shrunk towards what they are when the function is called:
 *
 *     min over D of  sum over rows ||R_i - sum_m D_m[b_im]||^2 + lambda sum ||D||^2,    T += D
 *
 * R[n * columns] are the rows' residuals under the present T; codes[n * nbytes]. Columns are
 * independent of each other: each group of 16 has a lambda of its own, of those tried (infinity among
 * them) the one whose tables, fitted without every eighth row, rebuild these best. error[2]: the mean
 * squared length of the residuals of the rows left out, before and with the best lambdas. The same
 * whatever the number of threads. LBH_ENOMEM. */
int lbh_tables_fit(lbh_tables *t, int64_t n, const uint8_t *codes, const float *R, double *error);

/* One round of such a fit, shrunk towards 0, from the present T on: `sweeps` over the bytes with that
 * lambda. R[n * columns] as above. LBH_ENOMEM. */
int lbh_tables_refit(lbh_tables *t, int64_t n, const uint8_t *codes, const float *R, float lambda,
                     int sweeps);

/* R[n * columns] -= the entries of each row's code. */
void lbh_tables_subtract(const lbh_tables *t, int64_t n, const uint8_t *codes, float *R);

#endif
