/* ann_data.c: a data set in ann-benchmarks' form: vectors, queries and the true neighbours. */
#define _POSIX_C_SOURCE 200809L
#include "ann_job.h"

#include "ann_file.h"
#include "progress.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TRUE_NEIGHBOURS = 100 };

const char *const ann_distance_names[] = {"euclidean", "angular", "hamming"};

/* ---- Distances ----------------------------------------------------------------------------- */

int ann_measure_norms(export_job *j)
{
    const vectors *base = j->r->base;
    double most = 0;
    j->added = cli_alloc(base->n, sizeof *j->added);
    if (!j->added)
        return LBH_ENOMEM;
    for (int64_t i = 0; i < base->n; i++) {
        LBH_TRY(vectors_floats(base, i, 1, j->row));
        j->added[i] = 0;
        for (int c = 0; c < base->d; c++)
            j->added[i] += (double)j->row[c] * (double)j->row[c];
        most = fmax(most, j->added[i]);
    }
    for (int64_t i = 0; i < base->n; i++)
        j->added[i] = most - j->added[i];
    return LBH_OK;
}

int ann_distance(const export_job *j, int64_t id, double *distance)
{
    int rc = vectors_floats(j->r->base, id, 1, j->row);
    double squares = j->augmented ? j->added[id] : 0;
    for (int c = 0; c < j->r->base->d && rc == LBH_OK; c++) {
        double t = (double)j->query[c] - (double)j->row[c];
        squares += t * t;
    }
    *distance = j->distance == ANGULAR   ? squares / 2 /* of unit vectors: 1 - cos */
                : j->distance == HAMMING ? squares / j->r->base->d
                                         : sqrt(squares);
    return rc;
}

/* ---- The data ------------------------------------------------------------------------------ */

static void append_vector(ann_file *f, const export_job *j, const float *x, float last)
{
    int d = j->r->base->d;
    if (j->distance == HAMMING) {
        unsigned char *bits = (unsigned char *)j->row; /* x is j->query */
        for (int c = 0; c < d; c++)
            bits[c] = x[c] > 0;
        ann_append(f, 1, bits);
        return;
    }
    float *row = j->row;
    memmove(row, x, (size_t)d * sizeof *row);
    row[d] = last;
    ann_append(f, 1, row);
}

static int write_vectors(ann_file *f, const export_job *j, const char *name, const vectors *v)
{
    int rc = LBH_OK;
    ann_set(f, name, j->distance == HAMMING ? ANN_BOOL : ANN_F32, v->n, v->d + j->augmented);
    for (int64_t i = 0; i < v->n && rc == LBH_OK; i++) {
        if (i % 4096 == 0)
            rc = progress_tick("writing the data set", i, v->n);
        if (rc == LBH_OK)
            rc = vectors_floats(v, i, 1, j->query);
        if (rc == LBH_OK)
            append_vector(f, j, j->query,
                          j->augmented && v == j->r->base ? (float)sqrt(j->added[i]) : 0);
    }
    progress_clear();
    return rc;
}

static int write_truth(ann_file *f, const export_job *j, int64_t k)
{
    const truth *near = &j->r->engine->data->near;
    double *distances = cli_alloc(near->nq * k, sizeof *distances);
    int rc = distances ? LBH_OK : LBH_ENOMEM;
    for (int64_t q = 0; q < near->nq && rc == LBH_OK; q++) {
        rc = vectors_floats(j->r->query, q, 1, j->query);
        for (int64_t i = 0; i < k && rc == LBH_OK; i++) {
            distances[q * k + i] = HUGE_VAL; /* of those that are not known */
            if (near->ids[q * near->k + i] >= 0)
                rc = ann_distance(j, near->ids[q * near->k + i], &distances[q * k + i]);
        }
    }
    ann_set(f, "neighbors", ANN_I64, near->nq, k);
    for (int64_t q = 0; q < near->nq && rc == LBH_OK; q++)
        ann_append(f, 1, near->ids + q * near->k);
    ann_set(f, "distances", ANN_F64, near->nq, k);
    if (rc == LBH_OK)
        ann_append(f, near->nq, distances);
    free(distances);
    return rc;
}

int ann_write_data(const export_job *j)
{
    const ann_run *r = j->r;
    char path[ANN_PATH];
    int d = r->base->d + j->augmented;
    int64_t k = r->engine->data->near.k < TRUE_NEIGHBOURS ? r->engine->data->near.k : TRUE_NEIGHBOURS;
    k = k < j->k ? j->k : k;
    if (k > r->engine->data->near.k)
        return fail_usage("--ann-k %lld: only %lld true neighbours a query are known (--map-k)",
                          (long long)j->k, (long long)r->engine->data->near.k);
    int n = snprintf(path, sizeof path, "%s/data/%s.hdf5", j->a->dir, j->set);
    if (n < 0 || (size_t)n >= sizeof path)
        return fail_usage("'%s' is too long a path", j->a->dir);
    if (access(path, F_OK) == 0) {
        int rc = ann_check_shape(path, "train", r->base->n, d);
        return rc ? rc : ann_check_shape(path, "test", r->query->n, d);
    }
    ann_file *f;
    LBH_TRY(ann_create(&f, path));
    ann_text(f, "type", "dense");
    ann_text(f, "distance", ann_distance_names[j->distance]);
    ann_int(f, "dimension", d);
    ann_text(f, "point_type", j->distance == HAMMING ? "bit" : "float");
    int rc = write_vectors(f, j, "train", r->base);
    if (rc == LBH_OK)
        rc = write_vectors(f, j, "test", r->query);
    if (rc == LBH_OK)
        rc = write_truth(f, j, k);
    return ann_close(f, rc);
}
