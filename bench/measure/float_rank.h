/* float_rank.h: full rankings of whatever gives float scores: FAISS's float indexes,
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

/* Scores from full rankings, on evenly spaced queries where all would be too many: scores->queries
 * says on how many; 0 where there are too many rows. r_cut = R of AP@R. */
int ranker_scores(const ranker *r, const relevance *rel, int64_t r_cut, map_scores *scores);

#endif
