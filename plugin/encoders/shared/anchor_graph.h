/* anchor_graph.h: the graph that joins rows by way of a few anchors (Liu, He & Chang, ICML 2010; Liu,
 * Wang, Kumar & Chang, ICML 2011), and encoders that are linear in a row's weights on it:
 *
 *   u = (x - mean) scale;  z_j = exp(-gamma ||u - a_j||^2) / (their sum) for the s nearest anchors a_j
 *   of a row, else 0;  Z = rows of z, n x m;  lambda = column sums of Z, Lambda = diag(lambda)
 *   affinity A = Z Lambda^-1 Z^T (its rows sum to 1), Laplacian I - A;  y = W^T z
 *
 * Each row is computed by itself in a fixed order: the same bits whatever the block or the thread. */
#ifndef LBH_ENCODERS_ANCHOR_GRAPH_H
#define LBH_ENCODERS_ANCHOR_GRAPH_H

#include "method.h"

enum { LBH_MAX_ANCHORS = 8192, LBH_MAX_NEAR_ANCHORS = 64 };

/* The learned tensors. */
typedef struct lbh_anchor_graph {
    float *mean, *scale; /* d, 1 */
    float *anchors;      /* m x d, as u */
    float *gamma;        /* 1 */
    float *W;            /* m x columns */
    struct lbh_panels *to_anchors;
} lbh_anchor_graph;

/* The weights of training rows: row i has weight[i s + k] on anchor who[i s + k]. */
typedef struct lbh_anchor_weights {
    int64_t n;
    int m, s;
    int *who;
    float *weight;
    double *lambda; /* m */
} lbh_anchor_weights;

int lbh_anchor_graph_visit(lbh_anchor_graph *g, const lbh_encoder *enc, int m, int columns,
                           lbh_visitor *v);

/* Learns all but W from the sample X[n * d], which becomes u: m <= n anchors by `rounds` rounds of
 * k-means from random rows, and gamma = 1 / (width times the mean distance to the s-th nearest
 * anchor)^2. Weights in scratch memory. */
int lbh_anchor_graph_learn(lbh_anchor_graph *g, lbh_training *t, int64_t n, float *X, int m, int s,
                           int rounds, double width, lbh_anchor_weights *w);

/* W[m * r] such that Y = Z W holds the r eigenvectors of A with the largest eigenvalues, but the
 * constant one, each of square length n: of all Y with 1^T Y = 0 and Y^T Y = n I the one with the
 * least tr(Y^T (I - A) Y). Columns beyond the rank of A are 0. eigenvalue[r], falling. */
int lbh_anchor_graph_spectrum(lbh_training *t, const lbh_anchor_weights *w, int r, float *W,
                              float *eigenvalue);

/* Y[n * r] = Z W, W[m * r];  P[m * r] = Z^T Y, sums in the order of the rows. */
void lbh_anchor_graph_forward(const lbh_anchor_weights *w, int r, const float *W, float *Y);
void lbh_anchor_graph_backward(const lbh_anchor_weights *w, int r, const float *Y, float *P);

/* What prepare(), release() and project() of a method do; y[n * columns]. */
int lbh_anchor_graph_prepare(lbh_anchor_graph *g, const lbh_encoder *enc, int m);
void lbh_anchor_graph_release(lbh_anchor_graph *g);
int lbh_anchor_graph_project(const lbh_anchor_graph *g, const lbh_encoder *enc, int m, int s,
                             int columns, int64_t n, const float *x, float *y);

#endif
