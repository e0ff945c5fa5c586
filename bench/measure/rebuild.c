/* rebuild.c: the error of rebuilding rows from their codes. See rebuild.h. */
#include "rebuild.h"

#include "encode.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Sums over all rows; the data are seen from their first row, so that rows far from the origin lose
 * no digits. */
typedef struct sums {
    const lbh_encoder *enc;
    const uint8_t *codes;
    float *rebuilt; /* a block */
    float *origin;
    double *column; /* of x - origin */
    double squares; /* ||x - origin||^2 */
    double error;   /* ||x - x^||^2 */
} sums;

static int add_block(void *ctx, int64_t first, int64_t count, const float *x)
{
    sums *s = ctx;
    int d = lbh_encoder_d(s->enc);
    LBH_TRY(lbh_encoder_decode(s->enc, count, s->codes + (size_t)first * lbh_encoder_code_size(s->enc),
                               s->rebuilt));
    for (int64_t i = 0; i < count; i++)
        for (int j = 0; j < d; j++) {
            double v = x[i * d + j], t = v - (double)s->origin[j], e = v - (double)s->rebuilt[i * d + j];
            s->column[j] += t;
            s->squares += t * t;
            s->error += e * e;
        }
    return LBH_OK;
}

int measure_rebuilding(const lbh_encoder *enc, const vectors *v, const uint8_t *codes, double *error,
                       double *left)
{
    sums s = {.enc = enc, .codes = codes, .rebuilt = cli_alloc(block_rows(v->d) * v->d, sizeof(float)),
              .origin = cli_alloc(v->d, sizeof(float)), .column = cli_alloc(v->d, sizeof(double))};
    int rc = s.rebuilt && s.origin && s.column ? vectors_floats(v, 0, 1, s.origin) : LBH_ENOMEM;
    if (rc == LBH_OK) {
        memset(s.column, 0, (size_t)v->d * sizeof *s.column);
        rc = each_block(v, "decode", add_block, &s);
    }
    double n = (double)v->n, variance = s.squares;
    for (int j = 0; rc == LBH_OK && j < v->d; j++)
        variance -= s.column[j] * s.column[j] / n;
    *error = s.error / n / 2;
    *left = variance > 0 ? s.error / variance : NAN;
    free(s.rebuilt);
    free(s.origin);
    free(s.column);
    return rc;
}
