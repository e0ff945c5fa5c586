/* eval_rescore.h: `lbh eval --rescore`: recall of plain and of rescored answers, side by side. */
#ifndef LBH_BENCH_EVAL_RESCORE_H
#define LBH_BENCH_EVAL_RESCORE_H

#include "metrics.h"
#include "output.h"
#include "rescoring.h"

enum { RESCORE_ROWS = 4, RESCORE_K = 10 };

/* One row of the table for each ranking, the plain one first. */
typedef struct rescore_row {
    const char *name;
    double recall[3]; /* 1@1, 1@10, 10@10 */
    double seconds;
} rescore_row;

typedef struct rescore_table {
    int rows;
    int64_t queries;
    rescore_row row[RESCORE_ROWS];
} rescore_table;

typedef struct rescore_eval {
    const FaissIndexBinary *index;
    const lbh_encoder *enc;
    const vectors *base, *query;
    const truth *near;
    const int64_t *own;
    int metric;
    rescore_args how;
} rescore_eval;

/* Searches for 10 answers by each ranking. RESCORE_ALL leaves out the decoder where there is
 * none. */
int rescore_measure(rescore_table *table, const rescore_eval *e);

/* Adds "rescore": k, k_factor, margin_factor, and an object for each ranking. */
void rescore_report(cJSON *doc, const rescore_table *table, const rescore_args *how);

/* The same as a Markdown table on stdout. */
int rescore_print(const rescore_table *table);

#endif
