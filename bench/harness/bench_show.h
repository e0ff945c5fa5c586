/* bench_show.h: what `lbh bench` says while it runs: a line that is redrawn on a terminal, else one
 * now and then. */
#ifndef LBH_BENCH_SHOW_H
#define LBH_BENCH_SHOW_H

#include "bench_plan.h"

typedef struct bench_show {
    bool quiet, terminal;
    int total;                      /* cells to do */
    int left[SPEC_DATA];            /* of each data set */
    int done[SPEC_DATA];
    double spent[SPEC_DATA];        /* seconds on them */
    double last, since;             /* when something was shown; when the work began */
    char work[160];
} bench_show;

/* state[cell] is 0 for the cells that will be done. */
void show_begin(bench_show *s, const bench_plan *plan, const char *state, bool quiet);
void show_work(bench_show *s, const char *data, const char *label, int64_t nbits, int64_t seed);
void show_done(bench_show *s, int data, int cells, double seconds);
void show_now(bench_show *s, int done, int failed);
void show_failure(bench_show *s, const bench_plan *plan, int group, int cell, const char *status,
                  const char *text);
void show_end(bench_show *s, int done, int failed);

#endif
