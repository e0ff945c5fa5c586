/* sgh_rank.h: learns the queries' map for inner products from rankings. Training rows are taken as
 * queries; their true nearest neighbours by inner product, the row itself left out, are found
 * exactly, and the map a(q) = sign(W q- + c), q- = q / ||q||, is trained so that the softmax of
 * s a.b over a pool of items puts its mass on them:
 *
 *   loss = - mean over queries of sum over the true top K of (1/K) log softmax(s a.b)
 *
 * The gradient goes through the sign as if it were tanh. */
#ifndef LBH_ENCODERS_SGH_RANK_H
#define LBH_ENCODERS_SGH_RANK_H

#include "sgh_map.h"

enum { SGH_RANK_K = 10 };

typedef struct sgh_ranking {
    int64_t nq;    /* training queries */
    int64_t *row;  /* nq: their rows, rising */
    int64_t *top;  /* nq x SGH_RANK_K: rows of their true neighbours; -1 where there are too few */
    int64_t nheld; /* held-out queries, likewise */
    int64_t *held_row, *held_top;
    float log_s;
    int64_t step;  /* batches drawn so far */
    struct sgh_rank_scratch *scratch;
} sgh_ranking;

/* Chooses queries, finds their neighbours, and starts W, c and s. */
int sgh_ranking_start(lbh_training *t, const sgh_run *r, sgh_codes *k, sgh_ranking *q);

/* `steps` steps of Adam with a cosine step size from lr, on k->W and k->c. */
int sgh_ranking_train(lbh_training *t, const sgh_run *r, sgh_codes *k, sgh_ranking *q, int steps,
                      double lr);

/* Recall 10@100 of the held-out queries among the rows, by Hamming distance of packed codes. */
int sgh_ranking_recall(lbh_training *t, const sgh_ranking *q, int64_t n, int L,
                       const uint8_t *items, const uint8_t *queries, double *recall);

#endif
