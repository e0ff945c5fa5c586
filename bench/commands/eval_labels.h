/* eval_labels.h: what `lbh eval` reports beyond recall and mAP: precision at ranks, precision-recall
 * curves, classification by the model's own classifier and by nearest codes. */
#ifndef LBH_EVAL_LABELS_H
#define LBH_EVAL_LABELS_H

#include "ann_results.h"
#include "common.h"
#include "metrics.h"

/* ---- Rankings (eval_curve.c) --------------------------------------------------------------- */

typedef struct curve_args {
    const char *precision_at; /* "1,10,100", or NULL */
    const char *pr;           /* file for the curve, .csv or .svg, or NULL */
} curve_args;

/* Checks the arguments before any work. */
int curve_check(const curve_args *a);

/* Scores the full Hamming ranking as score_codes() does and adds to the document what the ranking
 * says beyond that: "precision_at", the same and mAP with ties in random order, and with `curves`
 * (or a file) the precision-recall curves by rank and by radius. */
int curve_scores(cJSON *doc, const curve_args *a, bool curves, map_scores *scores,
                 const relevance *rel, const lbh_encoder *enc, int64_t n, const uint8_t *base,
                 const uint8_t *query, int64_t r_cut);

/* ---- Export (eval_ann.c) ------------------------------------------------------------------- */

/* Fills in what `run` has of the codes, and exports. set: search parameters, or NULL. */
int eval_export(const ann_args *a, ann_run *run, ann_codes *codes, const char *factory,
                const char *set);

/* ---- Classification (eval_classify.c) ------------------------------------------------------ */

/* Labels that were given to rows against those they have, over the rows that have some. */
typedef struct label_scores {
    int64_t rows;     /* that have labels */
    double exact;     /* share of rows with exactly their labels: accuracy, if each row has one */
    double micro_f1;  /* 2 TP / (2 TP + FP + FN), sums over all classes */
    double macro_f1;  /* mean of the F1 of each class that rows have or were given */
} label_scores;

/* Both sets are of classes 0 .. classes-1. */
int label_scores_of(label_scores *s, const labels *given, const labels *have, int64_t classes);

/* Labels of each query from its k nearest of n codes (fewer than k vote if there are fewer) that
 * have labels themselves, by (distance, id). Rows of one label each: the label that most of the k
 * have, of equally frequent ones that of the nearest row. Several labels (`several`): those that
 * more than half of the k have. own[nq]: row to leave out for each query, or NULL. */
int knn_labels(labels *out, size_t code_size, int64_t n, const uint8_t *base, const labels *have,
               int64_t nq, const uint8_t *query, const int64_t *own, int64_t k, bool several);

typedef struct classify_job {
    const lbh_encoder *enc;
    const vectors *query;
    int64_t n;
    const uint8_t *base_codes;
    const uint8_t *query_codes; /* NULL: made from the query vectors */
    const labels *base, *have;  /* labels of base and queries, dense together */
    const int64_t *own;
    int64_t k;
} classify_job;

/* Adds the member "classify". */
int classify_report(cJSON *doc, const classify_job *c);

#endif
