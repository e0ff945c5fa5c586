/* linalg.h: the decompositions that encoders need, by LAPACK. Row-major floats throughout. */
#ifndef LBH_CORE_LINALG_H
#define LBH_CORE_LINALG_H

#include <stdint.h>

/* Column means of X[n * d], in double sums; then X -= mean in place. */
void lbh_centre(int64_t n, int d, float *X, float *mean);

/* The k leading eigenvectors of the symmetric C[m * m] (destroyed), which has no negative eigenvalues:
 * V[k * m], value[k] falling; either sign. LBH_ENOMEM, LBH_ENUMERIC. */
int lbh_leading_eigenvectors(int m, double *C, int k, float *V, float *value);

/* The k leading principal components of centred rows X[n * d], k <= d: V[k * d] with orthonormal
 * rows, variance[k] falling (1/n convention). Components beyond the rank have variance 0. The
 * covariance is decomposed whole up to d = 1500, beyond that by subspace iteration (Halko et al.,
 * SIAM Review 2011) from `seed`. LBH_ENOMEM, LBH_ENUMERIC. */
int lbh_pca(int64_t n, int d, const float *X, int k, uint64_t seed, float *V, float *variance);

/* Replaces the rows of Q[k * d], k <= d, by an orthonormal basis of their span (Householder QR). */
int lbh_orthonormal_rows(int k, int d, float *Q);

/* The rotation R[k * k] that maximises trace(R^T M), M[k * k]: R = U V^T of M = U S V^T. */
int lbh_procrustes(int k, const float *M, float *R);

/* Random orthonormal rows Q[k * d], k <= d. */
int lbh_random_rotation(int k, int d, uint64_t seed, uint64_t stream, float *Q);

/* Solves (G + ridge I) X = B for symmetric positive G[k * k], B[k * d]; X overwrites B, G is
 * destroyed. LBH_ENUMERIC if G + ridge I is not positive. */
int lbh_solve_spd(int k, int d, double *G, double ridge, double *B);

/* Adds n rows to normal equations: G[k * k] += X^T X, R[k * d] += X^T Y of X[n * k], Y[n * d]; the
 * products in floats (part[k * max(k, d)] is scratch), their sums in doubles. */
void lbh_add_normal(int n, int k, int d, const float *X, const float *Y, float *part, double *G,
                    double *R);

/* W[k * d] = argmin sum_i ||y_i - W^T x_i||^2 + ridge n ||W||^2 over rows X[n * k], Y[n * d].
 * LBH_ENOMEM, LBH_ENUMERIC if X^T X + ridge n I is not positive. */
int lbh_least_squares(int64_t n, int k, int d, const float *X, const float *Y, double ridge,
                      float *W);

#endif
