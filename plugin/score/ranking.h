/* ranking.h: the candidates of one query, ranked by a rescorer. */
#ifndef LBH_SCORE_RANKING_H
#define LBH_SCORE_RANKING_H

#include "rescorer.h"
#include "exact_rank.h"

/* One thread's memory, and the query that it works on. */
typedef struct lbh_ranking {
    const lbh_rescorer *r;
    bool scored;     /* by codes; else all are ranked by their vectors */
    int64_t want, k; /* best scores that are kept; answers */
    const float *q;
    lbh_score_table table;
    lbh_block_scores s;
    /* The candidates so far. */
    int64_t taken;
    int64_t *id;
    uint8_t *code;
    float *score, *norm; /* norm: of a block, or bounds of all */
    /* Those that may be among the best: scores with places in id[]. */
    uint64_t *key, *sorted;
    int64_t count, full; /* the count at which they are looked through */
    float bar;           /* a score above it is none of the best */
    float *row;          /* by vectors: some of them, */
    lbh_near *near;      /* and the candidates that are read */
} lbh_ranking;

/* For at most m candidates a query and k answers. scored: by their codes, and where the rescorer ranks by vectors,
 * those with the best `keep` scores are; else (scored false) all are. Frees it in either case. */
int lbh_ranking_new(lbh_ranking *w, const lbh_rescorer *r, int64_t m, bool scored, int64_t keep, int64_t k);
void lbh_ranking_free(lbh_ranking *w);

/* Begins a query q[d], which must live on. By the decoder: table, which must too; by margins: z[nbits], its
 * projection. */
void lbh_ranking_start(lbh_ranking *w, const float *q, const lbh_score_table *table, const float *z);

/* Takes a candidate, in any order; code: if it is scored. */
void lbh_ranking_add(lbh_ranking *w, int64_t id, const uint8_t *code);

/* Writes the k best to distances[k], labels[k], equal scores by rising id. LBH_ENOMEM, LBH_EINVAL (an
 * id that has no vector), and what reading vectors returns. */
int lbh_ranking_finish(lbh_ranking *w, float *distances, int64_t *labels);

#endif
