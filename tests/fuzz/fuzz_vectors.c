/* fuzz_vectors.c: see fuzz.h. */
#include "fuzz.h"

#include "vectors.h"

#include <math.h>
#include <string.h>

/* Rows are read in full where they are few; of many, the first and the last. */
enum { ROWS = 16 };

static void read_integers(const vectors *v, int64_t row)
{
    if (!vectors_is_int(v) || vectors_check_row(v, row) != LBH_OK)
        return;
    for (int j = 0; j < v->d && j < 64; j++)
        (void)vectors_int(v, row, j);
    (void)vectors_int(v, row, v->d - 1);
}

static void read_rows(const vectors *v, float *x)
{
    int64_t count = v->n < ROWS ? v->n : ROWS, ids[] = {v->n - 1, 0, v->n / 2};
    if (vectors_floats(v, v->n - count, count, x) == LBH_OK)
        for (int64_t i = 0; i < count * v->d; i++)
            FUZZ_CHECK(isfinite(x[i]));
    (void)vectors_gather(v, 3, ids, x);
    (void)vectors_check_rows(v, 0, v->n);
    vectors_ahead(v, 0, v->n);
    for (int i = 0; i < 3; i++)
        read_integers(v, ids[i]);
    const float *floats = vectors_mapped_floats(v, v->n - 1);
    if (floats)
        memcpy(x, floats, (size_t)v->d * sizeof *x);
    const uint8_t *bytes = vectors_mapped_bytes(v, v->n - 1);
    if (bytes)
        memcpy(x, bytes, (size_t)v->d);
}

void fuzz_vectors(const char *extension, const char *spec, const uint8_t *data, size_t size)
{
    const char *path = fuzz_file(extension, data, size);
    char full[512];
    snprintf(full, sizeof full, "%s%s", path, spec);
    vectors v;
    if (vectors_open(&v, full) != LBH_OK) {
        FUZZ_CHECK(*lbh_last_error());
        return;
    }
    FUZZ_CHECK(v.n > 0 && v.d > 0);
    float *x = malloc(ROWS * (size_t)v.d * sizeof *x);
    if (x)
        read_rows(&v, x);
    free(x);
    vectors_close(&v);
}
