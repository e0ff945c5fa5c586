/* float_rank.h: answers and full rankings of whatever gives float scores: FAISS's float indexes,
 * and our codes scored by their decoder. */
#ifndef LBH_FLOAT_RANK_H
#define LBH_FLOAT_RANK_H

#include "metrics.h"

typedef struct ranker {
    /* Finds k answers for each of n queries, best first, equal scores by rising id; a library code. */
    int (*search)(const void *ctx, int64_t n, const float *x, int64_t k, float *distances,
                  int64_t *ids);
    const void *ctx;
    const vectors *query;
    int64_t n;          /* rows that are searched */
    const int64_t *own; /* row to leave out for each query, or NULL */
} ranker;

/* The first k answers of all queries by (score, id): nq x k ids in new memory, -1 = none. Adds the
 * time of the searches to *seconds. */
int ranker_answers(const ranker *r, int64_t k, int64_t **ids, double *seconds);

/* Scores from full rankings, on evenly spaced queries where all would be too many: scores->queries
 * says on how many; 0 where there are too many rows. r_cut = R of AP@R. */
int ranker_scores(const ranker *r, const relevance *rel, int64_t r_cut, map_scores *scores);

/* Our codes under the scores of their decoder; for ranker.ctx. */
typedef struct decoded_codes {
    const lbh_encoder *enc;
    int metric; /* LBH_METRIC_* */
    int64_t n;
    const uint8_t *codes;
} decoded_codes;
ranker decoded_ranker(const decoded_codes *codes, const vectors *query, const int64_t *own);

#endif
