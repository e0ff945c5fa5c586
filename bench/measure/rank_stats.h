/* rank_stats.h: what full Hamming rankings say beyond one number: precision and recall at ranks and
 * within Hamming balls, and scores with the ties in random order.
 *
 * The ranks of relevant rows are those of the ranking by (distance, id). Rows at one distance have
 * no order of their own, so for a query with t rows, R of them relevant, below some distance, and m
 * rows, r of them relevant, at it, the expectation over all orders of the m rows is
 *   hits within rank t < k <= t + m:  R + (k - t) r / m
 *   sum of precisions at the ranks of the r rows:
 *     (r / m) sum_{i=1..m} (R + 1 + (i - 1) c) / (t + i),  c = (r - 1) / (m - 1)  (0 for m = 1)
 *       = (r / m) (c m + (R + 1 - c (t + 1)) (H(t + m) - H(t))),  H(j) = 1 + 1/2 + ... + 1/j
 * (McSherry & Najork, Computing information retrieval performance measures efficiently in the
 * presence of tied scores, ECIR 2008). */
#ifndef LBH_RANK_STATS_H
#define LBH_RANK_STATS_H

#include "metrics.h"

/* Precision and recall of one Hamming ball, means over queries. */
typedef struct ball_stats {
    double precision;      /* over the queries whose ball is not empty; NaN if all are */
    double precision_zero; /* an empty ball counts 0 */
    double recall;         /* over the queries that have relevant rows */
    int64_t filled;        /* queries whose ball is not empty */
} ball_stats;

typedef struct rank_stats {
    int64_t n;      /* rows of the base */
    int nbits;      /* radii are 0 .. nbits */
    int npoints;    /* ranks that are looked at, rising */
    int64_t *point;
    /* Sums; the means after rank_stats_finish(). */
    int64_t queries, with_relevant;
    double map_expected;                  /* over the queries that have relevant rows */
    double *precision, *expected, *recall; /* at each point; precision / expected over all queries */
    ball_stats *ball;                     /* nbits + 1 */
    /* scratch */
    double *harmonic;
    uint16_t *point_of;
    struct rank_slot *slot;
} rank_stats;

/* points[npoints]: ranks from 1 on, in any order, repeats allowed; those beyond n are kept as they
 * are (a list that ends early has no hits there). */
int rank_stats_new(rank_stats *s, int64_t n, int nbits, int npoints, const int64_t *points);
rank_visitor rank_stats_visitor(rank_stats *s);
void rank_stats_finish(rank_stats *s);
void rank_stats_free(rank_stats *s);

/* Codes that rank and that are ranked. */
typedef struct code_pair {
    int64_t n;
    int nbits;
    size_t code_size;
    const uint8_t *base, *query;
} code_pair;

/* All of it at once: full rankings of the queries of `rel`, their scores, and what they say beyond
 * at points[npoints]. The caller frees *s, also after an error. */
int rank_stats_score(rank_stats *s, map_scores *scores, const relevance *rel,
                     const code_pair *codes, int64_t r_cut, int npoints, const int64_t *points);

/* Position of a rank among the points. */
int rank_stats_at(const rank_stats *s, int64_t rank);

/* Ranks for a curve over n rows: `per_decade` of them a decade, and n itself; at most `max`, in
 * ascending order. Returns how many. */
int rank_stats_curve(int64_t n, int per_decade, int max, int64_t *rank);

#endif
