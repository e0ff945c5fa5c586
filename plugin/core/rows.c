/* rows.c: see rows.h. */
#include "rows.h"

#include <string.h>

static int read_matrix(const lbh_rows *self, int64_t count, const int64_t *ids, float *x)
{
    const float *base = self->ctx;
    for (int64_t i = 0; i < count; i++)
        memcpy(x + i * self->d, base + ids[i] * self->d, (size_t)self->d * sizeof *x);
    return LBH_OK;
}

lbh_rows lbh_rows_from_matrix(int64_t n, int d, const float *x)
{
    return (lbh_rows){n, d, read_matrix, x};
}

const float *lbh_rows_matrix(const lbh_rows *rows)
{
    return rows->read == read_matrix ? rows->ctx : NULL;
}
