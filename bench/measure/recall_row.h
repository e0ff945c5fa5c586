/* recall_row.h: the search of `lbh eval` and `lbh compare`, and the four recalls of its answers. */
#ifndef LBH_RECALL_ROW_H
#define LBH_RECALL_ROW_H

#include "bench_engine.h"
#include "output.h"

enum { RECALLS = 4, ANSWERS = 1000 };

typedef struct recall_row {
    double seconds;
    double recall[RECALLS]; /* 1@1, 10@10, 10@100, 10@1000; NaN where there are no true neighbours */
} recall_row;

/* Searches for ANSWERS answers to each query x, or for all rows where there are fewer. */
int recall_row_measure(recall_row *row, const bench_engine *e, const float *x);

/* Adds {"1@1": .., "10@10": .., ...}. */
void report_recall(cJSON *doc, const double recall[RECALLS]);

#endif
