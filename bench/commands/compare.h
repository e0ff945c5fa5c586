/* compare.h: the parts of `lbh compare`: the list of rivals, and the measurement of one. */
#ifndef LBH_COMPARE_H
#define LBH_COMPARE_H

#include "bench_rival.h"
#include "common.h"
#include "given_data.h"
#include "recall_row.h"

/* One row of the table. */
typedef struct rival {
    char *name;     /* as shown */
    char *method;   /* registry name, or NULL for FAISS */
    char *settings; /* "a=1,b=2" of a method, or NULL */
    rival_recipe recipe; /* FAISS's: its factory string, "" for a method */
    int score;      /* of a method: SCORE_*; SCORE_AUTO: as the command says */
    int64_t refine; /* of a method: flips that refine the codes; 0: as the command says */
    char *skip;     /* why it cannot take part, or NULL */
} rival;

/* Makes the list from "lsh,itq,sgh:steps=500,sgh@decoder:refine=50,PQ,ITQ64,LSH" (NULL: all methods
 * that can train, and FAISS's ITQ, LSH and PQ at the same bytes). Checks each: CLI_EUSAGE for an
 * unknown name. */
int rivals_new(rival **list, int *count, const char *text, int d, int nbits, int metric,
               bool labelled);
void rivals_free(rival *list, int count);

/* What all rivals share. */
typedef struct contest {
    bench_data d;
    given_data given;
    float *x;           /* all queries */
    int nbits, score;
    int64_t refine;
} contest;

typedef struct result {
    double train, encode, search; /* seconds */
    double recall[RECALLS], map, precision, bytes;
    double map_queries; /* queries that mAP was measured on */
    double decoder;     /* 1: ranked by the decoder */
} result;
enum { RESULT_FIELDS = sizeof(result) / sizeof(double) };

int contest_run(contest *c, const rival *r, int64_t seed, result *out);

#endif
