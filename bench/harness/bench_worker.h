/* bench_worker.h: the process that does the work of one group of cells, so that whatever happens
 * to it happens to these cells alone.
 *
 * The runner starts `lbh bench --worker` with a job, one JSON object, on standard input, and reads
 * from the worker's descriptor WORKER_FD lines of a letter, a tab and more, tab-separated:
 *   P            something is done: the clock of the time limit starts again
 *   B KEY        work on a cell begins
 *   L JSON       a line of results
 *   F KEY STATUS TEXT   the cell (all cells of the job: "*") failed, and why
 */
#ifndef LBH_BENCH_WORKER_H
#define LBH_BENCH_WORKER_H

#include "bench_data.h"
#include "bench_plan.h"

#include <stdio.h>

enum { WORKER_FD = 3 };

/* What the worker is told. */
typedef struct worker_job {
    bench_spec *spec;
    plan_data *data;
    bench_plan plan;
    bench_env env;
    const char *dir, *data_dir;
    bool force;
    int truth; /* data set whose neighbours are computed, or -1 */
    int group; /* else the group, and its cells that are measured */
    int ncells, *cell;
    FILE *out;
} worker_job;

int bench_worker_main(void);

/* bench_group.c: the work. */
int worker_truth(worker_job *job);
int worker_group(worker_job *job);

/* For them: the lines above. */
void worker_phase(const worker_job *job);
void worker_begin(const worker_job *job, int cell);
int worker_line(const worker_job *job, cJSON *line); /* frees it */
/* Takes what cli_error() says; cell -1: all. Returns EXIT_OK, but passes on EXIT_CANCELLED. */
int worker_failed(const worker_job *job, int cell, int rc);

#endif
