/* sgh_unit.c: rows of unit length in the axes of the training space, see sgh_map.h. */
#include "sgh_map.h"

void sgh_unit_rows(const sgh_run *r, const sgh_codes *k, int64_t first, int64_t count,
                   const int64_t *ids, float *out)
{
    int d = k->d;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < count; i++) {
        int64_t row = ids ? ids[i] : first + i;
        float scale = k->norm[row] > 0 ? 1 / k->norm[row] : 0;
        for (int j = 0; j < d; j++)
            out[i * d + j] = (r->rows[row * d + j] / r->scale + k->origin[j]) * scale;
    }
}
