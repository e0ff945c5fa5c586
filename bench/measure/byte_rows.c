/* byte_rows.c: see byte_rows.h. */
#include "byte_rows.h"

#include "encode.h"

#include <math.h>
#include <stdlib.h>

static void widen(byte_rows *b, bool first, int64_t count, const float *x)
{
    float *high = b->step;
    for (int64_t i = 0; i < count; i++)
        for (int j = 0; j < b->v->d; j++) {
            float value = x[i * b->v->d + j];
            bool start = first && i == 0;
            b->low[j] = start || value < b->low[j] ? value : b->low[j];
            high[j] = start || value > high[j] ? value : high[j];
        }
}

int byte_rows_open(byte_rows *b, const vectors *v)
{
    int64_t block = block_rows(v->d);
    float *x = cli_alloc(block * v->d, sizeof *x);
    *b = (byte_rows){v, cli_alloc(v->d, sizeof *b->low), cli_alloc(v->d, sizeof *b->step)};
    int rc = x && b->low && b->step ? LBH_OK : LBH_ENOMEM;
    for (int64_t i = 0; i < v->n && rc == LBH_OK; i += block) {
        int64_t count = v->n - i < block ? v->n - i : block;
        rc = vectors_floats(v, i, count, x);
        if (rc == LBH_OK)
            widen(b, i == 0, count, x);
    }
    for (int j = 0; j < v->d && rc == LBH_OK; j++)
        b->step[j] = (b->step[j] - b->low[j]) / 255;
    free(x);
    if (rc)
        byte_rows_close(b);
    return rc;
}

void byte_rows_close(byte_rows *b)
{
    free(b->low);
    free(b->step);
    b->low = b->step = NULL;
}

static int read_rounded(const lbh_rows *self, int64_t count, const int64_t *ids, float *x)
{
    const byte_rows *b = self->ctx;
    lbh_rows rows = vectors_rows(b->v);
    int rc = rows.read(&rows, count, ids, x);
    for (int64_t i = 0; i < count && rc == LBH_OK; i++)
        for (int j = 0; j < self->d; j++) {
            float *value = &x[i * self->d + j];
            float t = b->step[j] > 0 ? (*value - b->low[j]) / b->step[j] : 0;
            *value = b->low[j] + b->step[j] * (float)lrintf(t < 0 ? 0 : t > 255 ? 255 : t);
        }
    return rc;
}

lbh_rows byte_rows_view(const byte_rows *b)
{
    return (lbh_rows){b->v->n, b->v->d, read_rounded, b};
}
