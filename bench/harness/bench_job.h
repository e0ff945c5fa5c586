/* bench_job.h: what a worker is told, as one JSON object: a data set and how it is measured, and either
 * its neighbours are to be found, or one model's cells are to be measured. */
#ifndef LBH_BENCH_JOB_H
#define LBH_BENCH_JOB_H

#include "bench_plan.h"

/* A cell, with the line that its numbers are added to. */
typedef struct job_cell {
    bench_cell cell;
    cJSON *line; /* the text's */
} job_cell;

typedef struct bench_job {
    cJSON *text;       /* owns all texts below */
    bench_spec *spec;  /* how it is measured, one data set, one method */
    uint64_t digest;   /* of the data */
    const char *dir, *data_dir;
    const char *ann;   /* directory of ann-benchmarks' files; NULL: none are written */
    int threads;
    bool force;
    bool truth;        /* find neighbours; draw images at so many bits */
    spec_numbers images;
    int64_t nbits, seed;
    const char *model; /* its key */
    int ncells;
    job_cell *cell;
} bench_job;

/* Adds which numbers are wanted, as a job and a printed plan say it. */
void bench_put_measures(cJSON *o, const spec_measures *what);

/* The job for data set `data` of the plan: the neighbours (group -1), or the cells of a group that
 * state[cell] has 0 for. NULL: no memory. */
typedef struct job_maker {
    const bench_plan *plan;
    const bench_env *env;
    const char *dir, *data_dir, *ann;
    bool force;
} job_maker;
char *bench_job_text(const job_maker *m, int data, int group, const char *state);

/* Frees it in either case. */
int bench_job_parse(bench_job *job, const char *text);
void bench_job_free(bench_job *job);

#endif
