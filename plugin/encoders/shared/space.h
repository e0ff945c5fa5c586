/* space.h: the space of principal components that methods train in,
 *
 *   t = (x - mean) V^T scale,
 *
 * the way back to a map of the vectors themselves, and what sgh and sigah share of the start from
 * ITQ. Baselines take a sample of the rows into it (lbh_reduce); sgh and sigah, of which
 * sgh_space.c and sigah_space.c say what each makes of it, as many rows as fit. */
#ifndef LBH_ENCODERS_SPACE_H
#define LBH_ENCODERS_SPACE_H

#include "method.h"

/* How many components are kept for nbits bits: `least`, or twice the bits, of the d that there are. */
enum { LBH_SPACE_LEAST = 256 };
int lbh_space_dimension(int least, int nbits, int d);

/* The leading r components of centred rows S[m * d]: V[r * d], orthonormal rows; their variances in
 * the data; the scale at which the first min(nbits, r) have variance 1 on average. */
int lbh_space_components(int64_t m, int d, const float *S, int r, int nbits, uint64_t seed,
                         float *V, float *variance, float *scale);

/* As many training rows as fit into 512 MB, in the space: *rows[*n * r], scratch memory. V = NULL:
 * d dimensions as they are, r = d. norm: NULL, or *norm[*n], the lengths of the rows as pulled. */
int lbh_space_rows(lbh_training *t, int d, int r, const float *mean, const float *V, float scale,
                   int64_t *n, float **rows, float **norm);

/* Rows k = 0 .. L-1 of A[L * d]: rotations of ITQ of the leading l = min(L, d) dimensions, another
 * for every l bits; the last one is cut. They are learned on T[*m * d], scratch memory: rows drawn
 * from all over rows[n * d], which may be sorted, with the random stream `stream`.
 * as_itq: A is what the method itq learns from all of the rows instead, which are few. */
int lbh_space_rotations(lbh_training *t, int64_t n, int d, const float *rows, int L, uint64_t seed,
                        uint64_t stream, bool as_itq, float *A, int64_t *m, float **T);

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

/* The map W y + w (w[L], NULL = 0) of components as one of vectors: A[L * d],
 * b[L] = w - A mean, with A = scale W V. */
void lbh_reduced_expand(const lbh_reduced *p, int L, const float *W, const float *w, float *A,
                        float *b);

#endif
