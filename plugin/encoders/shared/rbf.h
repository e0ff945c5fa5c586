/* rbf.h: encoders that are linear in Gaussian kernel features of the data ("anchors"):
 *
 *   u = (x - mean) scale,  phi_j = exp(-gamma ||u - anchor_j||^2),  z = W phi + b
 *
 * Each row is computed by itself in a fixed order: the same bits whatever the block or the thread. */
#ifndef LBH_ENCODERS_RBF_H
#define LBH_ENCODERS_RBF_H

#include "method.h"

/* The learned tensors. */
typedef struct lbh_rbf {
    float *mean, *scale; /* d, 1 */
    float *anchors;      /* nanchors x d, as u */
    float *gamma;        /* 1 */
    float *W, *b;        /* nbits x nanchors, nbits */
    struct lbh_panels *to_anchors, *to_bits;
} lbh_rbf;

int lbh_rbf_visit(lbh_rbf *r, const lbh_encoder *enc, int nanchors, lbh_visitor *v);

/* Sets mean, scale, anchors (rows of the sample, drawn without repeats; nanchors <= m) and gamma =
 * 1 / (width^2 times the mean squared distance of a row to an anchor) from the sample X[m * d],
 * which becomes u. */
int lbh_rbf_start(lbh_rbf *r, int64_t m, int d, float *X, int nanchors, double width,
                  uint64_t seed);

/* phi[m * nanchors] of rows u[m * d]; by BLAS, for training. norms[nanchors] is scratch. */
int lbh_rbf_features(const lbh_rbf *r, int64_t m, int d, const float *U, int nanchors, float *phi,
                      float *norms);

/* What prepare(), release() and project() of a method do. */
int lbh_rbf_prepare(lbh_rbf *r, const lbh_encoder *enc, int nanchors);
void lbh_rbf_release(lbh_rbf *r);
int lbh_rbf_project(const lbh_rbf *r, const lbh_encoder *enc, int nanchors, int64_t n,
                    const float *x, float *z);

#endif
