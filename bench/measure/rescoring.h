/* rescoring.h: --rescore of `lbh eval` and `lbh search`: a shortlist by Hamming distance, ranked
 * again. */
#ifndef LBH_BENCH_RESCORE_H
#define LBH_BENCH_RESCORE_H

#include "encode.h"
#include "lbh_pipeline.h"

enum {
    RESCORE_AUTO = LBH_RESCORE_FLOAT + 1, /* what ranked best when the model was trained */
    RESCORE_ALL                           /* eval: one after the other */
};

typedef struct rescore_args {
    int mode; /* LBH_RESCORE_* or RESCORE_* */
    double k_factor, margin_factor;
} rescore_args;

#define RESCORE_DEFAULTS {LBH_RESCORE_NONE, 10, 4}

#define OPTIONS_RESCORE(r, modes)                                                                  \
    {OPT_CHOICE, 0, "rescore", modes, &(r)->mode, 0, 0,                                            \
     "what ranks a shortlist by Hamming distance again (none)", 0},                                \
    {OPT_NUMBER, 0, "k-factor", "F", &(r)->k_factor, 0, 1000000,                                   \
     "candidates that are rescored, for each answer (10); decoder: 0, all that are visited", 0},   \
    {OPT_NUMBER, 0, "margin-factor", "F", &(r)->margin_factor, 1, 1000,                            \
     "float: candidates by Hamming distance, for each vector read (4)", 0}

/* Whether the factors are some that this ranking knows; says what is wrong. */
int rescore_check(const rescore_args *how);

/* The same with LBH_RESCORE_* in the place of RESCORE_AUTO. */
rescore_args rescore_for(const rescore_args *how, const lbh_encoder *enc);

/* Finds k answers to each query, without its own row (own may be NULL), by one mode (not
 * RESCORE_ALL). base: the vectors of LBH_RESCORE_FLOAT, row i being the item with id i; else NULL.
 * New memory of nq x k to *distances and *ids; the caller frees. *seconds: with the encoding of the
 * queries, without reading them. */
int rescored_search(const FaissIndexBinary *index, const lbh_encoder *enc, const vectors *query,
                    const rescore_args *how, int mode, int metric, const vectors *base, int64_t k,
                    const int64_t *own, float **distances, int64_t **ids, double *seconds);

/* The same by a pipeline, as it ranks. */
int pipeline_search(const lbh_pipeline *pipeline, const vectors *query, int64_t k, const int64_t *own,
                    float **distances, int64_t **ids, double *seconds);

#endif
