/* reduced.h: training rows in their leading principal components, where the baselines learn, and the
 * way back to a map of the vectors themselves. */
#ifndef LBH_ENCODERS_REDUCED_H
#define LBH_ENCODERS_REDUCED_H

#include "method.h"

typedef struct lbh_reduced {
    int64_t m;       /* rows */
    int d, r;        /* dimensions; components, at most max_components */
    float *mean;     /* d */
    float scale;     /* makes the variance of the leading nbits components 1 on average */
    float *V;        /* r x d, orthonormal rows, variance falling */
    float *variance; /* r, of Y */
    float *Y;        /* m x r: the rows, scale V (x - mean) */
} lbh_reduced;

/* Takes at most max_train rows into scratch memory of the training. */
int lbh_reduce(lbh_training *t, int64_t max_train, int max_components, lbh_reduced *out);

/* How many components to keep for nbits bits: max(256, 2 nbits), as for sgh. */
int lbh_reduced_components(int nbits);

/* The map W y + w (w[L], NULL = 0) of components as one of vectors: A[L * d],
 * b[L] = w - A mean, with A = scale W V. */
void lbh_reduced_expand(const lbh_reduced *p, int L, const float *W, const float *w, float *A,
                        float *b);

#endif
