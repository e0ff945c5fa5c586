/* bench_worker.h: the process that does the work of one group of cells, so that whatever happens
 * to it happens to these cells alone.
 *
 * The runner starts `lbh bench --worker` with a job, one JSON object, on standard input. It holds
 * all that the worker needs to know: it reads no specification and makes no plan. The runner reads
 * from the worker's descriptor WORKER_FD lines of a letter, a tab and more, tab-separated:
 *   P            something is done: the clock of the time limit starts again
 *   B KEY        work on a cell begins
 *   L JSON       a line of results
 *   F KEY STATUS TEXT   the cell (all cells of the job: "*") failed, and why
 */
#ifndef LBH_BENCH_WORKER_H
#define LBH_BENCH_WORKER_H

#include "bench_job.h"

#include <stdio.h>

enum { WORKER_FD = 3 };

/* Takes the job from standard input and does it. */
int bench_worker_main(void);

/* bench_group.c: the work. */
int worker_truth(const bench_job *job, FILE *out);
int worker_group(const bench_job *job, FILE *out);

/* bench_words.c: the lines above. */
void worker_phase(FILE *out);
void worker_begin(FILE *out, const char *key);
int worker_line(FILE *out, cJSON *line); /* frees it */
/* Takes what lbh_last_error() says; key "*": all. Returns LBH_OK, but passes on LBH_ECANCELLED. */
int worker_failed(FILE *out, const char *key, int rc);

#endif
