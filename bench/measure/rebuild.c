/* rebuild.c: the error of rebuilding rows from their codes. See rebuild.h. */
#include "rebuild.h"

#include "encode.h"
#include "progress.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Sums over all rows; the data are seen from their first row, so that rows far from the origin lose
 * no digits. */
typedef struct sums {
    float *origin;
    double *column; /* of x - origin */
    double squares; /* ||x - origin||^2 */
    double error;   /* ||x - x^||^2 */
} sums;

static void add_block(sums *s, int64_t count, int d, const float *x, const float *rebuilt)
{
    for (int64_t i = 0; i < count; i++)
        for (int j = 0; j < d; j++) {
            double v = x[i * d + j], t = v - (double)s->origin[j], e = v - (double)rebuilt[i * d + j];
            s->column[j] += t;
            s->squares += t * t;
            s->error += e * e;
        }
}

static void report(cJSON *doc, const sums *s, const vectors *v)
{
    double n = (double)v->n, variance = s->squares;
    for (int j = 0; j < v->d; j++)
        variance -= s->column[j] * s->column[j] / n;
    report_number(doc, "rebuild_error", s->error / n / 2);
    report_number(doc, "variance_left", variance > 0 ? s->error / variance : NAN);
}

int report_rebuilding(cJSON *doc, const lbh_encoder *enc, const vectors *v, const uint8_t *codes)
{
    int64_t block = block_rows(v->d) < v->n ? block_rows(v->d) : v->n;
    size_t code_size = lbh_encoder_code_size(enc);
    sums s = {.origin = cli_alloc(v->d, sizeof(float)), .column = cli_alloc(v->d, sizeof(double))};
    float *x = cli_alloc(block * v->d, sizeof *x), *rebuilt = cli_alloc(block * v->d, sizeof *x);
    int rc = s.origin && s.column && x && rebuilt ? vectors_floats(v, 0, 1, s.origin)
                                                  : LBH_ENOMEM;
    if (rc == LBH_OK)
        memset(s.column, 0, (size_t)v->d * sizeof *s.column);
    for (int64_t i = 0; i < v->n && rc == LBH_OK; i += block) {
        int64_t count = v->n - i < block ? v->n - i : block;
        rc = progress_tick("decode", i, v->n);
        if (rc == LBH_OK)
            rc = vectors_floats(v, i, count, x);
        if (rc == LBH_OK)
            rc = lbh_encoder_decode(enc, count, codes + (size_t)i * code_size, rebuilt);
        if (rc == LBH_OK)
            add_block(&s, count, v->d, x, rebuilt);
    }
    progress_clear();
    if (rc == LBH_OK)
        report(doc, &s, v);
    free(s.origin);
    free(s.column);
    free(x);
    free(rebuilt);
    return rc;
}
