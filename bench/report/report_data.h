/* report_data.h: the lines of a directory of results, sorted for a report: data sets, methods,
 * results (cells that differ in the seed only), failures, images. */
#ifndef LBH_REPORT_DATA_H
#define LBH_REPORT_DATA_H

#include "result_lines.h"

/* What was searched: a data set with its metric and sizes. */
typedef struct data_set {
    const char *name, *metric; /* metric: l2, ip or label */
    int64_t n, d, nq;
    int nbit_kinds, *nbits; /* rising; those of ceilings only if there is nothing else */
} data_set;

typedef struct data_method {
    const char *label, *name, *family;
    int style; /* colour and marker in all figures */
} data_method;

typedef struct data_result {
    int set, method, nbits;
    bool ceiling; /* of uncompressed vectors: shown at every number of bits */
    double bytes; /* a code; NaN: not known */
    const char *index, *search, *rescore, *options, *preset;
    int n;
    const cJSON **cell; /* one a seed */
} data_result;

typedef struct report_data {
    result_lines lines;
    int nsets, nmethods, nresults, nfailed, nimages;
    data_set *set;
    data_method *method; /* learned ones first, then rivals, classic ones and ceilings */
    data_result *result; /* by set, bits, method, and settings */
    const cJSON **failed, **image;
    const cJSON **cell;  /* of the results */
    int k, at;           /* the recall K@N of figures that show one */
} report_data;

/* What to read: lists separated by commas, NULL: all. Methods go by their label or name, scorings
 * by what stands before a colon. */
typedef struct report_filter {
    const char *data, *methods, *bits, *rescore;
} report_filter;

/* Reads DIR. recall: "10@100", or NULL for a choice from what there is. A directory without a
 * single result, or a filter that leaves none, is an error that says what to do. */
int report_data_read(report_data *r, const char *dir, const char *recall,
                     const report_filter *filter);
void report_data_free(report_data *r);

/* Median, least and greatest over the seeds; n = 0 and NaN where no cell has the value. */
typedef struct spread {
    int n;
    double median, low, high;
} spread;
spread spread_of(int n, double *values); /* sorts them */

/* The value at a path of names with dots, or of lists of places: "map", "codes.balance",
 * "recall.10@100", "precision@10". NaN if there is none. */
double cell_value(const cJSON *cell, const char *path);
spread result_value(const data_result *r, const char *path);

/* "recall.K@N" of this report, in a static buffer, and whether less of a value is better. */
const char *report_recall_path(const report_data *r);
bool value_less_is_better(const char *path);

/* What a data set is judged by: that recall, or the mAP of labels; and its name. */
const char *report_main_path(const report_data *r, int set);
void path_name(const report_data *r, const char *path, char name[64]);

/* How items were scored: 0 plainly, 1 margin, 2 decoder, 3 by their floats, 4 in another way. This
 * is the dash of a line as well. */
enum { SCORINGS = 5 };
int scoring_of(const char *rescore);
extern const char *const scoring_name[SCORINGS];

/* "64 bits, BIVF100 nprobe=4, margin, epochs=3": what tells a result from others of its method. */
char *result_settings(const data_result *r); /* the caller frees; NULL: no memory */

/* Whether a result belongs where those of a set and a number of bits (-1: any) are shown. */
bool result_in(const data_result *one, int set, int nbits);

/* The result of a method, for a set, bits and scoring, that has the most (or least) of a value;
 * bits or scoring -1: any. NULL: there is none. */
const data_result *report_best(const report_data *r, int set, int nbits, int method, int scoring,
                               const char *path);

#endif
