/* sgh_pairs.h: the semi-supervised extension of SGH (paper, supplement E.2): pairs of rows that are
 * known to be near (y = 1) or not (y = 0) have p(y_ij = 1) = sigma(S_ij),
 *
 *   S_ij = f_i . f_j / sqrt(L),  f = the code in {-1,+1}, whatever the coding of the decoder
 *   loss of a batch = weight B / 2 (mean over its near pairs + mean over its other known pairs) of
 *                     softplus(S_ij) - y_ij S_ij
 *
 * What differs from the paper: with codes {0,1} S could not fall below 0, and no pair could be told
 * to be apart; sqrt(L) keeps the slope of sigma alive; near pairs are rare and weigh as much in sum
 * as the others do.
 *
 * Who is near: every row has a list of keys. By labels, two rows are near that share a key (a
 * label), and a pair is known if both have some. By neighbours, the keys are rows, two rows are
 * near if either lists the other, and a pair is known if either has a list. Two draws of one row
 * are no pair.
 *
 * Batches: half of the rows are drawn uniformly, a quarter among the rows with a list, a quarter
 * are partners of those: a near row for each. All of them are rebuilt as well.
 *
 * Gradients: a pair's loss depends on the bits through S alone, which has L + 1 values, so that
 * derivatives and differences are tables over the Hamming distance. Flipping bit k of row i changes
 * S_ij by +-delta, delta = 2 / sqrt(L):
 *   loss(f_ik = +1) - loss(f_ik = -1) = sum over j of f_jk mid(S_ij) - f_ik half(S_ij)
 *   mid = (l(S + delta) - l(S - delta)) / 2,  half = (l(S + delta) + l(S - delta)) / 2 - l(S)
 * which is exact and costs what the derivative costs: mid = delta (sigma(S) - y), half = 0. */
#ifndef LBH_ENCODERS_SGH_PAIRS_H
#define LBH_ENCODERS_SGH_PAIRS_H

#include "sgh_step.h"

enum { SGH_PAIRS_MAX_BATCH = 8192 };

typedef struct sgh_pairs {
    float weight;

    int64_t n;      /* rows */
    int64_t *start; /* n + 1: the keys of row i are key[start[i]] .. key[start[i+1] - 1] */
    int64_t *key;
    int64_t nkeys;
    int64_t *member_start, *member; /* by labels: the rows of each key. NULL: row i is key i */
    int64_t nknown, *known;         /* rows with a list */

    float *mid, *half; /* 2 x (nbits + 1), nbits + 1: tables over the Hamming distance */
    double *loss;      /* 2 x (nbits + 1) */

    /* Of a batch. */
    int64_t *row;       /* B: which rows */
    float *relation;    /* B x B: 1 near, 0 not, -1 unknown */
    int64_t near, apart; /* how many of each, (i, j) and (j, i) counted */
    float *F, *S;       /* B x nbits, B x B */
    double *row_loss;   /* B */
    int *head;          /* nkeys, zero between batches: 1 + the last holder of each key */
    int *next, *holder; /* B x the longest list of keys, or B: chains of the batch's holders */
} sgh_pairs;

/* The tables for codes of nbits bits. */
void sgh_pairs_tables(sgh_pairs *p, int nbits, sgh_estimator estimator);

/* Draws the rows of batch number `step` and relates them. */
void sgh_pairs_draw(sgh_pairs *p, uint64_t seed, int64_t step, int B);

/* relation, near and apart for the rows in p->row[B]. */
void sgh_pairs_relate(sgh_pairs *p, int B);

/* Adds to G[B * nbits] the gradient (or difference) by the code H, per unit of the code and times
 * rho2. Fills row_loss. */
void sgh_pairs_gradients(const sgh_config *cfg, sgh_pairs *p, int B, const float *H, double rho2,
                         float *G);

/* The loss of the batch's pairs at the codes of the last sgh_pairs_gradients. */
double sgh_pairs_loss(const sgh_pairs *p, int B);

#endif
