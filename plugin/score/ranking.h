/* ranking.h: the candidates of one query, ranked by a rescorer. */
#ifndef LBH_SCORE_RANKING_H
#define LBH_SCORE_RANKING_H

#include "rescorer.h"
#include "exact_rank.h"

/* One thread's memory, and the query that it works on. */
typedef struct lbh_ranking {
    const lbh_rescorer *r;
    int64_t want, k; /* best scores that are kept; answers */
    const float *q;
    lbh_block_scores s;
    uint8_t *code; /* of a block */
    /* Candidates that may be among the best: scores with places in id[]. */
    uint64_t *key, *sorted;
    int64_t *id;
    int64_t count, taken, full; /* of key[], of id[]; the count at which key[] is looked through */
    float bar;                  /* a score above it is none of the best */
    float *row;                 /* by vectors: some of them, */
    lbh_near *near;             /* and the candidates that are read */
} lbh_ranking;

/* For at most m candidates a query, of which at most `keep` are ranked by their vectors where the
 * rescorer does that, and k answers. Frees it in either case. */
int lbh_ranking_new(lbh_ranking *w, const lbh_rescorer *r, int64_t m, int64_t keep, int64_t k);
void lbh_ranking_free(lbh_ranking *w);

/* Begins a query q[d], which must live on; z[nbits]: its projection, for scores by margins. */
void lbh_ranking_start(lbh_ranking *w, const float *q, const float *z);

/* Takes n candidates: codes[n * code_size], or NULL if all are to be ranked by their vectors; ids[n], below 0:
 * none. In any order, m in all. */
void lbh_ranking_add(lbh_ranking *w, int64_t n, const uint8_t *codes, const int64_t *ids);

/* The same of at most LBH_DECODED_BLOCK rows ids[n] of an array of codes. */
void lbh_ranking_add_rows(lbh_ranking *w, int64_t n, const uint8_t *codes, const int64_t *ids);

/* Writes the k best to distances[k], labels[k], equal scores by rising id. LBH_ENOMEM, LBH_EINVAL (an
 * id that has no vector), and what reading vectors returns. */
int lbh_ranking_finish(lbh_ranking *w, float *distances, int64_t *labels);

#endif
