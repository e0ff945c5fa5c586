/* ann_results.h: measurements as files of ann-benchmarks (github.com/erikbern/ann-benchmarks), for
 * its plot.py, create_website.py and data_export.py:
 *
 *   DIR/data/SET.hdf5                                   the data, unless they are there
 *   DIR/results/SET/K/lbh-METHOD/PARAMETERS.hdf5        K answers to each query, with times
 *
 * in its conventions: queries are timed one by one, RUNS times, and the best run counts; distances
 * are those of the vectors, whatever ranked the answers: Euclidean (not squared), 1 - cos, or the
 * share of different bits. It knows no inner products; these are exported as Euclidean distances of
 * x' = (x, sqrt(M^2 - |x|^2)), M the greatest |x|, and q' = (q, 0), whose order is the same:
 * |q' - x'|^2 = |q|^2 + M^2 - 2 qx. Times are of encoding, searching and rescoring; build_time of
 * encoding and indexing, without the training; index_size, in kB, of codes and vectors that the
 * search reads. */
#ifndef LBH_ANN_RESULTS_H
#define LBH_ANN_RESULTS_H

#include "bench_engine.h"
#include "rescoring.h"

typedef struct ann_args {
    const char *dir; /* NULL: no export */
    const char *set; /* name, or NULL: after the base */
    int64_t k;
} ann_args;

#define ANN_DEFAULTS {NULL, NULL, 10}

#define OPTIONS_ANN(a)                                                                             \
    {OPT_TEXT, 0, "ann-benchmarks", "DIR", &(a)->dir, 0, 0,                                        \
     "write data and results for ann-benchmarks' plot.py", 0},                                     \
    {OPT_TEXT, 0, "ann-set", "NAME", &(a)->set, 0, 0, "name of the data set there", 0},            \
    {OPT_INT, 0, "ann-k", "K", &(a)->k, 1, 1000, "answers a query there (10)", 0}

/* What answers, and what it is called. */
typedef struct ann_run {
    const bench_engine *engine;
    const char *method;     /* "sgh": results are of "lbh-sgh" */
    const char *parameters; /* "64,BIVF16,nprobe=4": no two runs of a method have the same */
    double bytes;           /* that a search reads, an item */
    double build_seconds;
    const char *stem;       /* of the name of the data set; NULL: that of the base's file */
    /* of the engine's data, with its metric (LBH_METRIC_*): filled in by ann_export */
    const vectors *base, *query;
    const int64_t *own;
    int metric;
} ann_run;

/* Refuses, before the long work, what cannot be exported. */
int ann_check(const ann_args *a, int metric, bool by_decoder, const rescore_args *rescore);
int ann_export(const ann_args *a, const ann_run *r);

#endif
