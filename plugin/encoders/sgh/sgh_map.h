/* sgh_map.h: codes that are searched for instead of computed by one product: training that
 * alternates such codes with the best decoder for them (binary additive quantisation), for items
 * that are scored by the decoder, and for inner products.
 *
 *   items    b = argmin over {-1,+1}^L of ||x - m - b V||^2 + lambda (alpha y.b - t)^2
 *   queries  sign(W q + c)                       (inner product: q / ||q|| in place of q)
 *
 * The second term of the items' search is used for inner products. What is wanted there is b such
 * that the queries' codes rank x rightly, and the query whose ranking suffers most from an error of
 * x is the one along x itself, x- = x / ||x||, t = x- . (x - m):
 *   scored by the decoder: y = V x-, alpha = 1: the error along x counts 1 + lambda times
 *   scored by Hamming:     y = sign(W x- + c), alpha by least squares: the code of x has to agree
 *                          with the code of a query along x in proportion to t */
#ifndef LBH_ENCODERS_SGH_MAP_H
#define LBH_ENCODERS_SGH_MAP_H

#include "sgh.h"

typedef struct sgh_codes {
    int64_t n; /* rows of the run that are used */
    int L, d;  /* d of the training space */
    float *B;  /* n x L, entries -1 and +1 */
    float *V;  /* L x d: the decoder */
    float *W;  /* L x d: the queries' map */
    float *c;  /* L */
    sgh_mode mode;
    float lambda, alpha;
    float *origin; /* d: m in the training space's axes, unscaled */
    float *norm;   /* n: ||x|| of each row, inner product only */
    float *z;      /* n x L, padded: score=both only, else NULL */
    float *P, *Y, *T; /* scratch of one block of rows */
} sgh_codes;

enum { SGH_MAP_BLOCK = 4096 };

struct sgh_ranking;

/* Trains items' codes, decoder and queries' map in r's space. mode is one of the SGH_MAP_*; ranking
 * is what sgh_rank.h learns from, for SGH_MAP_IP_HAMMING only, else NULL. */
int sgh_map_train(lbh_encoder *self, lbh_training *t, sgh_run *r, sgh_mode mode,
                  sgh_codes *codes, struct sgh_ranking *ranking);

/* x- = x / ||x|| of rows ids[0..count) (ids NULL: rows first ..) in the training space's axes. */
void sgh_unit_rows(const sgh_run *r, const sgh_codes *codes, int64_t first, int64_t count,
                   const int64_t *ids, float *out);

/* One pass over all rows: better codes for the present V (and W, c, alpha). */
int sgh_improve_codes(const sgh_run *r, sgh_codes *codes, int iterations);

/* Memory for r's codes of k->n rows. */
int sgh_take_codes(lbh_training *t, sgh_run *r, sgh_codes *k);

/* Folds decoder, queries' map and the search's numbers into the model, in the data's units. */
void sgh_map_leave_space(const sgh_run *r, const sgh_codes *codes, sgh_model *model);

#endif
