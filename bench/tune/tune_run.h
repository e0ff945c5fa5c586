/* tune_run.h: the trials of `lbh tune`, one after the other, each as a run of `lbh bench` in one
 * directory: what was measured stays there, and the same call goes on from it. */
#ifndef LBH_TUNE_RUN_H
#define LBH_TUNE_RUN_H

#include "tune_steps.h"

typedef struct tune_run {
    const char *base, *query, *query_ids; /* as [data] of a specification has them */
    const char *dir, *command;
    int64_t sample, queries; /* rows of the base and queries that are looked at; 0: all */
    int threads;
    bool quiet;
    double budget; /* seconds */
    tune_ask ask;
    tune_space space;
    /* what came of it */
    int npoints, ndone, failed;
    tune_point *point;
    tune_done *done;
    double spent;  /* seconds, those of earlier runs in the directory too */
    bool cut;      /* ways of some trial were left, for its time was up */
    bool complete; /* nothing was left to try */
} tune_run;

/* LBH_OK if anything was measured. LBH_ECANCELLED after Ctrl-C. Free it in either case. */
int tune_run_all(tune_run *t);
void tune_run_free(tune_run *t);

#endif
