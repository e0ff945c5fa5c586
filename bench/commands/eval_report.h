/* eval_report.h: what `lbh eval` reports beyond recall and mAP: precision at ranks, precision-recall
 * curves, rescored answers beside plain ones, files for ann-benchmarks. */
#ifndef LBH_EVAL_REPORT_H
#define LBH_EVAL_REPORT_H

#include "ann_results.h"
#include "common.h"
#include "rank_stats.h"
#include "recall_row.h"

/* ---- Rankings (eval_curve.c) --------------------------------------------------------------- */

typedef struct curve_args {
    const char *precision_at; /* "1,10,100", or NULL */
    const char *pr;           /* file for the curve, .csv or .svg, or NULL */
} curve_args;

/* Checks the arguments before any work. */
int curve_check(const curve_args *a);

/* Scores the full Hamming ranking and adds to the document what the ranking says beyond that:
 * "precision_at", the same and mAP with ties in random order, and with `curves` (or a file) the
 * precision-recall curves by rank and by radius. */
int curve_scores(cJSON *doc, const curve_args *a, bool curves, map_scores *scores,
                 const relevance *rel, const char *method, const code_pair *codes, int64_t r_cut);

/* ---- Rescoring (eval_rescore.c) ------------------------------------------------------------ */

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

/* Searches for 10 answers to each query x by each ranking. RESCORE_ALL leaves out the decoder where
 * there is none. */
int rescore_measure(rescore_table *table, bench_engine *e, const float *x, const rescore_args *how);

/* Adds "rescore": k, k_factor, margin_factor, and an object for each ranking. */
void rescore_report(cJSON *doc, const rescore_table *table, const rescore_args *how);

/* The same as a Markdown table on stdout. */
int rescore_print(const rescore_table *table);

/* ---- Export (eval_ann.c) ------------------------------------------------------------------- */

/* Exports answers ranked as `how` says. set: search parameters, or NULL. */
int eval_export(const ann_args *a, bench_engine *e, const rescore_args *how, const char *factory,
                const char *set);

#endif
