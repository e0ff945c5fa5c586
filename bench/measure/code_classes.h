/* code_classes.h: labels from codes, by the model's own classifier and by nearest codes, and how right
 * they are. */
#ifndef LBH_CODE_CLASSES_H
#define LBH_CODE_CLASSES_H

#include "labels.h"
#include "lbh_faiss.h"
#include "output.h"

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
    int64_t n, nq;
    const uint8_t *base_codes, *query_codes;
    const labels *base, *have;  /* labels of base and queries, dense together */
    const int64_t *own;
    int64_t k;
} classify_job;

/* Adds the member "classify". */
int classify_report(cJSON *doc, const classify_job *c);

#endif
