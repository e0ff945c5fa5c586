/* decoder_score.h: what scores by the decoder need, made once from it.
 *
 * With m = c + sum_k U_k / 2 and s_k = +-1/2, a code stands for x^ = m + y, y = sum_k s_k U_k:
 *
 *     inner product   q . x^         = q . m + sum_k s_k (q . U_k)
 *     squared L2      ||q - x^||^2   = ||q - m||^2 - 2 sum_k s_k (q - m) . U_k + ||y||^2
 *     cosine          q . x^ / (||q|| ||x^||), the inner product of q / ||q|| times 1 / ||m + y||
 *
 * With byte tables (byte_tables.h) y is the sum of one entry for each byte, y = sum_m T_m[b_m],
 * and the same scores are sums of the products of q's projection, or that of q - m, with the entries.
 *
 * The centre m keeps the terms of one size: with the origin in its place the distance would be a
 * small difference of large numbers. All scores are made smaller-is-better. */
#ifndef LBH_SCAN_DECODER_SCORE_H
#define LBH_SCAN_DECODER_SCORE_H

#include "code_norms.h"
#include "linear.h"
#include "method.h"
#include "decoded.h"

typedef struct lbh_decoder_score {
    int metric, d, nbits;
    float *centre;
    lbh_panels *weights; /* from a (centred) query to the weights of its bits, or its projection */
    double reach;        /* longest y: the sum of ||U_k||, or of the longest entries */
    lbh_code_norms norms; /* not ip: of y; cosine: of y and what of m lies in its space; and the square */
    double rest;          /* of what is left of m beyond that */
    const lbh_tables *tables; /* the encoder's, or NULL */
    lbh_panels *entries;      /* from a projected query to the scores of all entries */
    lbh_score_fn score;       /* the kernel, and which of the tables it reads: */
    int nibble_tables, byte_tables;
} lbh_decoder_score;

/* Fills *s. reduce: where nbits < d, vectors are the rows of the Cholesky factor of U U^T, which
 * costs nbits^2 d once and makes a norm d / nbits times as cheap; else they are U. After an error
 * there is nothing to clear. LBH_EINVAL if the encoder has no decoder; LBH_ENOMEM. */
int lbh_decoder_score_init(lbh_decoder_score *s, const lbh_encoder *enc, int metric, bool reduce);
void lbh_decoder_score_clear(lbh_decoder_score *s);

/* Query q[d] as the weights want it, x[d]; returns the term that all its scores share. */
double lbh_decoder_score_query(const lbh_decoder_score *s, const float *q, float *x);

/* Fills the tables (lbh_score_table_new) of n queries q[n * d], with offset and least. room: floats,
 * lbh_decoder_score_room(s) for each of the n. One thread. */
int64_t lbh_decoder_score_room(const lbh_decoder_score *s);
void lbh_decoder_score_fill(const lbh_decoder_score *s, int64_t n, const float *q, float *room,
                            lbh_score_table *table);

/* norm[n] of n codes: ||y||^2, to be given to the kernel (L2), or 1 / ||x^||, and 0 for x^ = 0, to
 * multiply its scores by (cosine); inner products need none. One thread. */
void lbh_decoder_score_norms(const lbh_decoder_score *s, int64_t n, const uint8_t *codes,
                             float *norm);

bool lbh_decoder_score_multiplies(const lbh_decoder_score *s);
void lbh_decoder_score_multiply(int64_t n, const float *norm, float *score);

/* Refuses queries q[nq * d] that are not finite, or so long that a score would not be a float. */
int lbh_decoder_score_check(const lbh_decoder_score *s, const char *method, int64_t nq,
                            const float *q);

#endif
