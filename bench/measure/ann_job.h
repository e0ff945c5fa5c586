/* ann_job.h: what the two halves of the export to ann-benchmarks share. */
#ifndef LBH_ANN_JOB_H
#define LBH_ANN_JOB_H

#include "ann_results.h"

enum { ANN_NAME = 256, ANN_PATH = 4096 };

typedef enum { EUCLIDEAN, ANGULAR, HAMMING } distance_kind;
extern const char *const ann_distance_names[];

typedef struct export_job {
    const ann_args *a;
    const ann_run *r;
    distance_kind distance;
    bool augmented;   /* inner products */
    double *added;    /* augmented: M^2 - |x|^2 of each row */
    char set[ANN_NAME];
    int64_t k;        /* answers a query */
    int64_t *ids;     /* nq x k, -1 behind the last */
    float *times;     /* nq, of the best run */
    double best;      /* its mean */
    float *query, *row; /* scratch: a vector each */
} export_job;

/* Fills `added` of an augmented job. */
int ann_measure_norms(export_job *j);

/* Distance of the query in j->query from row `id` of the base. */
int ann_distance(const export_job *j, int64_t id, double *distance);

/* Writes the data set, unless it is there: then it must have the shape of ours. */
int ann_write_data(const export_job *j);

#endif
