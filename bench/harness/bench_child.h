/* bench_child.h: starts a worker (bench_worker.h), listens to it, and ends it when its time is
 * up. */
#ifndef LBH_BENCH_CHILD_H
#define LBH_BENCH_CHILD_H

#include "cli.h"

/* Called with each line of the worker, without the line feed, and now and then with NULL. A code
 * other than 0 ends the worker. */
typedef int (*child_fn)(void *ctx, char *line);

/* How it ended. */
typedef struct child_end {
    bool whole;    /* it came to its end by itself, without an error */
    bool late;     /* its time was up */
    bool over;     /* that of all was */
    bool memory;   /* as far as can be told it had too little memory */
    double peak_mb;
    char why[512]; /* for people; "" if whole */
} child_end;

/* Runs a worker with the job as its standard input. `seconds`: as long as it may take from line to
 * line; `end_of_all`: when it has to end in any case, by cli_now(). Returns LBH_OK however it ended,
 * LBH_ECANCELLED after Ctrl-C, what `take` returned, or an error of starting it. The worker is gone in
 * any case. */
int child_run(const char *job, double seconds, double end_of_all, child_fn take, void *ctx,
              child_end *end);

#endif
