/* decoder_score.h: what scores by the decoder need, made once from it.
 *
 * With m = c + sum_k U_k / 2 and s_k = +-1/2, a code stands for x^ = m + y, y = sum_k s_k U_k:
 *
 *     inner product   q . x^         = q . m + sum_k s_k (q . U_k)
 *     squared L2      ||q - x^||^2   = ||q - m||^2 - 2 sum_k s_k (q - m) . U_k + ||y||^2
 *
 * The centre m keeps the terms of one size: with the origin in its place the distance would be a
 * small difference of large numbers. All scores are made smaller-is-better. */
#ifndef LBH_SCAN_DECODER_SCORE_H
#define LBH_SCAN_DECODER_SCORE_H

#include "linear.h"
#include "method.h"

typedef struct lbh_decoder_score {
    int metric, d, nbits;
    float *centre;
    lbh_panels *weights; /* from a (centred) query to the weights of its bits */
    double reach;        /* sum of ||U_k|| */
    int columns;         /* L2: vectors[nbits * columns] with the inner products of the U_k, */
    float *vectors;      /* for lbh_code_norms; else NULL */
} lbh_decoder_score;

/* Fills *s. reduce: where nbits < d, vectors are the rows of the Cholesky factor of U U^T, which
 * costs nbits^2 d once and makes a norm d / nbits times as cheap; else they are U. After an error
 * there is nothing to clear. LBH_EINVAL if the encoder has no decoder; LBH_ENOMEM. */
int lbh_decoder_score_init(lbh_decoder_score *s, const lbh_encoder *enc, int metric, bool reduce);
void lbh_decoder_score_clear(lbh_decoder_score *s);

/* Query q[d] as the weights want it, x[d]; returns the term that all its scores share. */
double lbh_decoder_score_query(const lbh_decoder_score *s, const float *q, float *x);

/* Refuses queries q[nq * d] that are not finite, or so long that a score would not be a float. */
int lbh_decoder_score_check(const lbh_decoder_score *s, const char *method, int64_t nq,
                            const float *q);

#endif
