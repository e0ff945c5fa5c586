/* common.h: what the subcommands share: their list, and common options. */
#ifndef LBH_COMMON_H
#define LBH_COMMON_H

#include "encode.h"
#include "encoder_make.h"
#include "inputs.h"
#include "labels.h"
#include "command_options.h"
#include "outfile.h"
#include "progress.h"
#include "recall_row.h"
#include "output.h"

extern const command command_methods, command_train, command_info, command_encode, command_build,
    command_decode, command_search, command_eval, command_compare, command_curve, command_export,
    command_speed, command_bench, command_report, command_tune, command_scale;

typedef struct common {
    int64_t threads; /* 0: as the OpenMP runtime has it */
    int json, quiet;
} common;

/* Applies --threads and --quiet. */
void common_begin(const common *c);

/* Adds what training noted about rows and codes; says what of it is wrong (NULL: nothing is known). */
void report_notes(cJSON *doc, const lbh_encoder *enc);
void say_notes(const char *of, const lbh_encoder *enc);

/* Name of choice number v of an option in "a|b|c"; its length in *len, 0 if there is none. */
const char *choice_at(const char *choices, double v, int *len);

/* The document on stdout, and the exit code: rc if it is an error, else that of printing. */
int common_end(cJSON *doc, int json, int rc);

#endif
