/* common.h: what the subcommands share: their list, common options, making an encoder. */
#ifndef LBH_COMMON_H
#define LBH_COMMON_H

#include "encode.h"
#include "labels.h"
#include "options.h"
#include "outfile.h"
#include "progress.h"
#include "report.h"

extern const command command_methods, command_train, command_info, command_encode, command_build,
    command_decode, command_search, command_eval, command_compare, command_curve, command_export,
    command_speed, command_bench, command_report;

typedef struct common {
    int64_t threads; /* 0: as the OpenMP runtime has it */
    int json, quiet;
} common;

/* Applies --threads and --quiet. */
void common_begin(const common *c);

/* Whether a method has an option of that name. */
bool method_has(const char *method, const char *option);

/* An untrained encoder with its options: metric=ip if `ip` and the method has that option, then the
 * assignments (may be NULL), then the seed (-1: the default). EXIT_USAGE if the library does not
 * like them. */
int encoder_make(lbh_encoder **enc, const char *method, int d, int nbits, bool ip,
                 const char *assignments, int64_t seed);

/* Opens --query, or the query part of a synthetic --base when `query` is NULL; query_check() has
 * seen to it that there is one. */
int query_check(const char *query, const char *base, const char *command_name);
int query_open(vectors *v, const char *query, const char *base);

/* Opens --labels, or the labels of a synthetic set when `spec` is NULL; *have says whether there
 * are any. Checks their number against the rows. */
int row_labels_open(labels *l, const char *spec, const vectors *rows, bool *have);

/* Adds {"1@1": .., "10@10": .., ...}. */
enum { RECALLS = 4, ANSWERS = 1000 };
extern const int recall_k[RECALLS], recall_n[RECALLS];
void report_recall(cJSON *doc, const double recall[RECALLS]);

/* The document on stdout, and the exit code: rc if it is an error, else that of printing. */
int common_end(cJSON *doc, int json, int rc);

#endif
