/* bench_run.h: runs the cells of a plan that are not measured yet, group by group. */
#ifndef LBH_BENCH_RUN_H
#define LBH_BENCH_RUN_H

#include "bench_data.h"
#include "bench_plan.h"

typedef struct bench_run {
    const char *name, *text; /* of the specification */
    bench_spec *spec;
    const char *dir, *data_dir, *ann; /* ann: of ann-benchmarks, or NULL */
    bench_env env;
    bool quick, force, retry, quiet;
    /* Seconds that it may take, asked when the plan stands; what is not measured by then is left, and is
     * no failure. NULL: as many as it takes. */
    double (*may_take)(const struct bench_run *r, void *ctx);
    void *ctx;
    /* what came of it */
    plan_data *data;
    char **missing; /* of each data set: why it is not there, or NULL */
    bench_plan plan;
    int found, ok, failed, failed_before; /* cells: there before, measured, failed, not retried */
    int left;                             /* cells: the time was up */
    double seconds;
} bench_run;

/* bench_open.c: finds the sets (one that is not there takes only its own cells with it); locks the
 * directory, where one run at a time works (the lock ends with the process); keeps a copy of the
 * specification in it. */
int bench_open_sets(bench_run *r);
int bench_lock(const bench_run *r, int *fd);
int bench_keep_spec(const bench_run *r);

/* LBH_OK however many cells failed; LBH_ECANCELLED after Ctrl-C. */
int bench_run_all(bench_run *r);
void bench_run_free(bench_run *r);

#endif
