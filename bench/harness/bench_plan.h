/* bench_plan.h: from a specification to cells: what is measured, in groups that share a trained
 * model. */
#ifndef LBH_BENCH_PLAN_H
#define LBH_BENCH_PLAN_H

#include "bench_spec.h"

#include <cJSON.h>

/* What the plan must know about a set. */
typedef struct plan_data {
    bool there;
    int64_t n, nq;
    int d;
    uint64_t digest;
} plan_data;

typedef struct bench_cell {
    char key[17];
    const char *index, *search; /* "" where the method has no such thing */
    char rescore[24];
    spec_rescore how;
} bench_cell;

typedef struct bench_group {
    int data, method; /* of the specification */
    int64_t nbits, seed;
    char model[17]; /* names the trained model: what it was learned from, and how */
    int first, count; /* its cells */
} bench_group;

typedef struct bench_plan {
    const bench_spec *spec;
    const plan_data *data;
    int threads;
    int ngroups, ncells;
    bench_group *group;
    bench_cell *cell;
} bench_plan;

/* The same text, sets and threads give the same plan. */
int bench_plan_make(bench_plan *plan, const bench_spec *spec, const plan_data *data, int threads);
void bench_plan_free(bench_plan *plan);

/* What every line says, whatever the machine: how it was run, with what. */
typedef struct bench_env {
    const char *preset, *command;
    int threads;
} bench_env;

/* A line for a cell with all but the measurements. NULL: no memory. */
cJSON *bench_cell_line(const bench_plan *plan, int group, int cell, const bench_env *env);
void bench_set_date(cJSON *line); /* now */

#endif
