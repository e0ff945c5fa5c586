/* och.h: the objective of ordinal constraint hashing, apart from its training, so that it can be
 * tested. */
#ifndef LBH_ENCODERS_OCH_H
#define LBH_ENCODERS_OCH_H

#include "space.h"

/* One training; rows and anchors of a batch lie one after the other, as do their relaxed codes. */
typedef struct och_run {
    lbh_reduced p;
    int L, B, K, pairs;  /* bits, rows a batch, anchors, pairs of anchors a row */
    float *W, *G, *old;  /* L x r: map, gradient, map before the retraction */
    float *Y, *T, *dT;   /* (B + K) x r, (B + K) x L twice */
    float *D, *S;        /* B x K: distances less ||y||^2; similarities, then d loss / d s */
    float *anchor_norm;  /* K: ||a||^2 */
    float *slope;        /* K, scratch */
    float beta, gamma;
    uint64_t seed;
} och_run;

/* The loss of the batch in Y on the pairs of `step`, and its gradient G by W. */
double lbh_och_gradient(och_run *r, int64_t step);

#endif
