/* bench_engine.h: what searches: a model's codes in an index or ranked by their decoder, or FAISS's
 * float index, each with or without a second ranking. `lbh eval`, `compare` and `bench` measure by
 * this. */
#ifndef LBH_BENCH_ENGINE_H
#define LBH_BENCH_ENGINE_H

#include "bench_model.h"
#include "encode.h"
#include "lbh_pipeline.h"

typedef struct bench_engine {
    const bench_data *data;
    const bench_model *model;
    int metric;          /* LBH_METRIC_* of float scores: with labels the model's own */
    spec_rescore how;
    lbh_shortlist list;  /* candidates for each answer where how.depth is 0, and for each vector read */
    lbh_rescorer *rescorer; /* of our codes, where how.mode asks for it */
    FaissIndexBinary *index; /* NULL: the decoder or the float index is what searches */
    const char *built;   /* its factory string */
    bool changed;        /* its search parameters are not the defaults */
    lbh_pipeline *bytes; /* the base as RSQ8 keeps it, where how.mode asks for it, or NULL */
    double build_s;
    double index_bytes;  /* as FAISS writes it; NaN where that was not asked for */
} bench_engine;

/* Data and model are the caller's and live on. engine_close frees the rest, also after errors. */
void engine_open(bench_engine *e, const bench_data *data, const bench_model *model);
void engine_close(bench_engine *e);

/* Puts the codes into the index of a factory string, unless they are in such a one, and sets its
 * search parameters ("" or NULL: none); of a float index these are all. The index is ours where that
 * is faster (lbh_index_accelerate). CLI_EUSAGE for bad parameters. `file`: where it may be written to
 * see its size, or NULL. */
int engine_index(bench_engine *e, const char *factory, const char *search, const char *file);

/* What ranks from now on. The decoder without a depth needs no index. */
int engine_rank(bench_engine *e, spec_rescore how, lbh_shortlist list);

/* The k best of n queries x[n * d], ids[n * k], -1 = none. What is timed. */
int engine_answers(const bench_engine *e, int64_t n, const float *x, int64_t k, int64_t *ids);

/* The k best by float scores, of all codes by the decoder or of FAISS's index: LBH_*. distances[n * k] are
 * scratch. */
int engine_floats(const bench_engine *e, int64_t n, const float *x, int64_t k, float *distances,
                  int64_t *ids);

/* Whether all codes are ranked by the decoder, with no shortlist. */
bool engine_decodes_all(const bench_engine *e);

#endif
