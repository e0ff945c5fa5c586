/* dgh.h: the two steps of discrete graph hashing, apart from its training, so that they can be
 * tested. */
#ifndef LBH_ENCODERS_DGH_H
#define LBH_ENCODERS_DGH_H

#include "anchor_graph.h"

typedef struct dgh_run {
    lbh_anchor_weights w;
    int L;
    double rho;
    float *B, *Y;  /* n x L: codes of -1, 1; their balanced, uncorrelated partner */
    float *C;      /* n x L, scratch */
    float *P;      /* m x L, scratch */
    float *G, *V;  /* L x L, scratch */
    float *square, *column; /* L, n, scratch */
    double *D;     /* L x L, scratch */
    uint64_t seed; /* of directions that B leaves open */
} dgh_run;

/* Q = tr(B^T A B) + rho tr(B^T Y) */
double lbh_dgh_objective(dgh_run *r);

/* One step of signed gradient ascent: B = sgn(2 A B + rho Y), where that is 0 as before. Returns how
 * many entries have changed. */
int64_t lbh_dgh_sign_step(dgh_run *r);

/* Y: of all with 1^T Y = 0 and Y^T Y = n I the one with the largest tr(B^T Y). */
int lbh_dgh_relax(dgh_run *r);

#endif
