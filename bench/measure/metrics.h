/* metrics.h: how good answers are.
 *
 *   recall K@N     mean over queries of |true K nearest, among the first N answers| / K
 *   AP@R           ranks j = 1..R of the full ranking: for each relevant item at rank j, (relevant
 *                  items up to j) / j; their sum divided by the relevant items found within R.
 *                  A query with none is left out of the mean (`skip`) or counts 0 (`zero`).
 *   mAP            the mean of AP over the whole ranking. Relevant: the true K nearest, or the rows
 *                  that share a label with the query.
 *   precision@N    share of relevant items in the first N ranks, mean over queries
 *   precision H2   share of relevant items within Hamming distance 2; an empty ball counts 0 (as in
 *                  the literature), or is left out of the mean
 * Rankings are by (distance, id), without the query's own row.
 */
#ifndef LBH_METRICS_H
#define LBH_METRICS_H

#include "labels.h"
#include "rank.h"
#include "truth.h"

/* What is relevant to a query: its first k true neighbours, or rows with a common label. */
typedef struct relevance {
    int64_t nq, n;
    const int64_t *own; /* own row of each query, or NULL */
    const truth *near;  /* by neighbours ... */
    int64_t k;
    const labels *query; /* ... or by labels */
    int64_t *class_start, *class_item;
    int64_t most; /* no query has more relevant items */
} relevance;

int relevance_near(relevance *r, int64_t n, const int64_t *own, const truth *near, int64_t k);
/* The labels have been through labels_dense() together. */
int relevance_labels(relevance *r, const int64_t *own, const labels *base, const labels *query);
void relevance_free(relevance *r);
/* Relevant ids of query q, rising, to items[most]; `mark` is n bytes of scratch, zero before and
 * after. Returns their number. */
int64_t relevance_of(const relevance *r, int64_t q, int64_t *items, uint8_t *mark);

typedef struct map_scores {
    double map;         /* whole ranking, convention `skip` */
    double map_zero;    /* whole ranking, convention `zero` */
    double map_r;       /* AP@R, convention `skip` */
    double map_r_zero;  /* AP@R, convention `zero` */
    double precision;   /* precision@N */
    double precision_h2; /* an empty ball counts 0; NaN for rankings that are not Hamming's */
    double precision_h2_filled; /* mean over the queries whose ball is not empty */
    int64_t empty_h2;   /* queries whose ball is empty */
    int64_t skipped;    /* queries without a relevant item in the base */
    int64_t skipped_r;  /* queries without one among the first R ranks */
    int64_t queries;    /* that were looked at */
} map_scores;

enum { PRECISION_N = 100 };

/* Scores of the full Hamming ranking of nq query codes over n base codes. r_cut = R of AP@R. */
int score_codes(map_scores *scores, const relevance *rel, int64_t n, const uint8_t *base,
                const uint8_t *query, size_t code_size, int64_t r_cut);

/* The same, with a look at the ranking of every query: query() for each, from several threads, with
 * slots 0 .. RANK_SLOTS-1 that are different at the same time; then block() for all slots so far, in
 * the order of the queries, from one thread. */
enum { RANK_SLOTS = 256 };
typedef struct rank_visitor {
    void (*query)(void *ctx, int64_t slot, const ranking *r);
    void (*block)(void *ctx, int64_t count);
    void *ctx;
} rank_visitor;
int score_codes_visited(map_scores *scores, const relevance *rel, int64_t n, const uint8_t *base,
                        const uint8_t *query, size_t code_size, int64_t r_cut,
                        const rank_visitor *visitor);

/* Adds one query whose relevant items stand at ranks rank[count] (any order). */
typedef struct ap_sums {
    double ap, ap_r, precision, h2;
    bool hit, hit_r, empty_h2;
} ap_sums;
void score_ranks(ap_sums *out, int64_t count, const int64_t *rank, const int64_t *hit,
                 int64_t r_cut);
void score_mean(map_scores *scores, int64_t nq, const ap_sums *sums);

/* Recall K@N of answers[nq * stride] (-1 = none): the mean over queries of the share of their K true
 * neighbours, or of as many as are known, among N answers. K is lowered to truth->k; queries of which no
 * neighbour is known do not count. */
double recall_at(const truth *t, const int64_t *answers, int64_t stride, int64_t k, int64_t n);

/* Drops each query's own row from answers[nq x (k + 1)], in place, leaving nq x k. distances: int32_t or
 * float, or NULL. */
void drop_own(int64_t nq, int64_t k, const int64_t *own, int64_t *answers, void *distances);

#endif
