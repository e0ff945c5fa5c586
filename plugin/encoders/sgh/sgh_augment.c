/* sgh_augment.c: see sgh_augment.h. */
#include "sgh_augment.h"

#include "linear.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 1024 };

static double squared_length(int d, const float *x)
{
    double sum = 0;
    for (int j = 0; j < d; j++)
        sum += (double)x[j] * (double)x[j];
    return sum;
}

/* The added coordinate: of the first range whose bound holds; 0 for rows longer than all. */
static float added(const float *bounds, int nranges, double square)
{
    for (int i = 0; i < nranges; i++) {
        double rest = (double)bounds[i] * (double)bounds[i] - square;
        if (rest >= 0)
            return (float)sqrt(rest);
    }
    return 0;
}

/* What the augmented view needs to read a row. */
typedef struct view {
    lbh_training *t;
    const float *bounds;
    int nranges;
    float *row; /* d */
} view;

static int read_augmented(const lbh_rows *self, int64_t count, const int64_t *ids, float *x)
{
    const view *v = self->ctx;
    int d = self->d - 1;
    for (int64_t i = 0; i < count; i++) {
        LBH_TRY(lbh_pull(v->t, 1, ids + i, v->row));
        memcpy(x + i * self->d, v->row, (size_t)d * sizeof *x);
        x[i * self->d + d] = added(v->bounds, v->nranges, squared_length(d, v->row));
    }
    return LBH_OK;
}

static int compare_floats(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static int find_bounds(lbh_training *t, int nranges, float *bounds)
{
    int d = t->rows.d;
    float *norm = lbh_scratch_f(t, 1, t->n), *block = lbh_scratch_f(t, BLOCK, d);
    if (!norm || !block)
        return LBH_ENOMEM;
    for (int64_t i = 0; i < t->n; i += BLOCK) {
        int64_t count = t->n - i < BLOCK ? t->n - i : BLOCK;
        LBH_TRY(lbh_pull_range(t, i, count, block));
        for (int64_t j = 0; j < count; j++)
            norm[i + j] = (float)sqrt(squared_length(d, block + j * d));
    }
    qsort(norm, (size_t)t->n, sizeof *norm, compare_floats);
    for (int i = 0; i < nranges; i++) {
        int64_t last = (i + 1) * t->n / nranges - 1;
        bounds[i] = norm[last < 0 ? 0 : last];
    }
    return LBH_OK;
}

int sgh_augment_rows(lbh_training *t, int nranges, sgh_model *model, lbh_rows *rows)
{
    view *v = lbh_scratch(t, 1, sizeof *v);
    float *row = lbh_scratch_f(t, 1, t->rows.d);
    if (!v || !row)
        return LBH_ENOMEM;
    LBH_TRY(find_bounds(t, nranges, model->ranges));
    *v = (view){t, model->ranges, nranges, row};
    *rows = (lbh_rows){t->n, t->rows.d + 1, read_augmented, v};
    return LBH_OK;
}

void sgh_split_augmented(int d, int nbits, const sgh_model *augmented, sgh_model *model)
{
    for (int64_t k = 0; k < nbits; k++) {
        memcpy(model->W + k * d, augmented->W + k * (d + 1), (size_t)d * sizeof(float));
        memcpy(model->U + k * d, augmented->U + k * (d + 1), (size_t)d * sizeof(float));
        model->extra[k] = augmented->W[k * (d + 1) + d];
    }
    memcpy(model->b, augmented->b, (size_t)nbits * sizeof(float));
    memcpy(model->c, augmented->c, (size_t)d * sizeof(float));
    model->search[0] = SGH_AUGMENTED;
}

void sgh_project_augmented(const lbh_encoder *self, lbh_role role, int64_t n, const float *x,
                           float *z)
{
    const sgh_model *s = self->state;
    int L = self->nbits, nranges = (int)self->value[SGH_OPT_RANGES];
    double M = 0;
    for (int i = 0; i < nranges; i++)
        M += (double)s->ranges[i] / nranges;
    lbh_panels_apply(s->query, n, x, z);
    for (int64_t i = 0; i < n; i++) {
        double square = squared_length(self->d, x + i * self->d);
        float scale = 1, more = 0;
        if (role == LBH_BASE)
            more = added(s->ranges, nranges, square);
        else if (square > 0)
            scale = (float)(M / sqrt(square));
        for (int k = 0; k < L; k++)
            z[i * L + k] = z[i * L + k] * scale + s->extra[k] * more + s->b[k];
    }
}
