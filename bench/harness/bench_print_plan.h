/* bench_print_plan.h: a plan as JSON, for programs that measure other methods on the same data. */
#ifndef LBH_BENCH_PRINT_PLAN_H
#define LBH_BENCH_PRINT_PLAN_H

#include "bench_run.h"

/* Finds the sets and plans; for each set computes its exact neighbours and writes its rows into
 * DIR/rows, if they are not there. Prints what is measured, the sets with their files, and the
 * groups of FAISS's methods with their factory strings and lines. */
int bench_print_plan(bench_run *r);

#endif
