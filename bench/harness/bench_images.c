/* bench_images.c: see bench_images.h. */
#define _POSIX_C_SOURCE 200809L
#include "bench_images.h"

#include "encoder_make.h"
#include "result_lines.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

static int64_t shown(const bench_data *d)
{
    return d->query.n < BENCH_IMAGES ? d->query.n : BENCH_IMAGES;
}

char *images_base64(const uint8_t *data, size_t size)
{
    static const char digit[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *text = malloc((size + 2) / 3 * 4 + 1), *p = text;
    for (size_t i = 0; text && i < size; i += 3) {
        uint32_t v = (uint32_t)data[i] << 16 | (uint32_t)(i + 1 < size ? data[i + 1] : 0) << 8 |
                     (uint32_t)(i + 2 < size ? data[i + 2] : 0);
        *p++ = digit[v >> 18];
        *p++ = digit[v >> 12 & 63];
        *p++ = i + 1 < size ? digit[v >> 6 & 63] : '=';
        *p++ = i + 2 < size ? digit[v & 63] : '=';
    }
    if (p)
        *p = '\0';
    return text;
}

static char *grey(const bench_data *d, int64_t count, const float *x, const float *originals)
{
    float most = 0;
    uint8_t *pixel = cli_alloc(count * d->query.d, 1);
    for (int64_t i = 0; i < count * d->query.d; i++)
        most = fmaxf(most, originals[i]);
    for (int64_t i = 0; pixel && i < count * d->query.d; i++)
        pixel[i] = (uint8_t)fminf(fmaxf(roundf(x[i] * (most <= 1 ? 255 : 1)), 0), 255);
    char *text = pixel ? images_base64(pixel, (size_t)(count * d->query.d)) : NULL;
    free(pixel);
    return text;
}

cJSON *images_put(cJSON *line, const bench_data *d, int64_t count, const float *x, const float *originals)
{
    char *pixels = line ? grey(d, count, x, originals) : NULL;
    if (!pixels) {
        fail_memory();
        cJSON_Delete(line);
        return NULL;
    }
    cJSON_AddNumberToObject(line, "height", d->spec->height);
    cJSON_AddNumberToObject(line, "width", d->spec->width);
    cJSON_AddNumberToObject(line, "count", (double)count);
    cJSON_AddStringToObject(line, "pixels", pixels);
    free(pixels);
    return line;
}

cJSON *images_line(const bench_data *d, const char *type, const char *method, const char *label,
                   int64_t nbits, int64_t seed)
{
    char key[24], text[512];
    cJSON *o = cJSON_CreateObject();
    int len = snprintf(text, sizeof text, "%s %s %016llx %s %s %lld %lld", type, d->spec->name,
                       (unsigned long long)d->digest, method, label, (long long)nbits,
                       (long long)seed);
    if (!o) {
        fail_memory();
        return NULL;
    }
    len = len < (int)sizeof text ? len : (int)sizeof text - 1;
    snprintf(key, sizeof key, "%016llx", (unsigned long long)XXH64(text, (size_t)len, 0));
    cJSON_AddStringToObject(o, "format", RESULT_FORMAT);
    cJSON_AddStringToObject(o, "type", type);
    cJSON_AddStringToObject(o, "key", key);
    cJSON_AddStringToObject(o, "data", d->spec->name);
    cJSON_AddStringToObject(o, "method", method);
    cJSON_AddStringToObject(o, "label", label);
    cJSON_AddNumberToObject(o, "nbits", (double)nbits);
    cJSON_AddNumberToObject(o, "seed", (double)seed);
    return o;
}

static cJSON *line(const bench_data *d, const char *method, const char *label, int64_t nbits,
                   int64_t seed, const float *x, const float *originals)
{
    return images_put(images_line(d, "images", method, label, nbits, seed), d, shown(d), x, originals);
}

static float *originals_of(const bench_data *d)
{
    float *x = cli_alloc(shown(d) * d->query.d, sizeof *x);
    if (x && vectors_floats(&d->query, 0, shown(d), x)) {
        free(x);
        return NULL;
    }
    return x;
}

cJSON *images_original(const bench_data *d)
{
    float *x = originals_of(d);
    cJSON *o = x ? line(d, "original", "original", 0, 0, x, x) : NULL;
    free(x);
    return o;
}

cJSON *images_rebuilt(const bench_data *d, const spec_method *m, const lbh_encoder *enc,
                      int64_t seed)
{
    float *x = originals_of(d), *rebuilt = cli_alloc(shown(d) * d->query.d, sizeof *rebuilt);
    uint8_t *codes = cli_alloc(shown(d), lbh_encoder_code_size(enc));
    cJSON *o = NULL;
    if (x && rebuilt && codes) {
        int rc = lbh_encoder_encode(enc, shown(d), x, codes);
        if (rc == LBH_OK)
            rc = lbh_encoder_decode(enc, shown(d), codes, rebuilt);
        if (rc == LBH_OK)
            o = line(d, m->method, m->label, lbh_encoder_nbits(enc), seed, rebuilt, x);
    }
    free(x);
    free(rebuilt);
    free(codes);
    return o;
}

/* ITQ without a rotation to learn is a basis A of the leading components: x^ = x0 + A^T A (x - x0),
 * and with b = -A x0:  x^ = x0 + A^T (A x + b),  x0 the mean. */
static int project(const lbh_encoder *enc, int64_t n, const float *x, const float *mean, float *out)
{
    int d = lbh_encoder_d(enc), k = lbh_encoder_nbits(enc);
    float *A = cli_alloc((int64_t)k * d, sizeof *A), *b = cli_alloc(k, sizeof *b);
    int rc = A && b ? lbh_encoder_linear(enc, A, b) : LBH_ENOMEM;
    for (int64_t i = 0; i < n && rc == LBH_OK; i++) {
        float *y = out + i * d;
        memcpy(y, mean, (size_t)d * sizeof *y);
        for (int j = 0; j < k; j++) {
            double z = b[j], norm = 0;
            for (int l = 0; l < d; l++) {
                z += (double)A[j * d + l] * (double)x[i * d + l];
                norm += (double)A[j * d + l] * (double)A[j * d + l];
            }
            for (int l = 0; l < d && norm > 0; l++)
                y[l] += (float)(z / norm) * A[j * d + l];
        }
    }
    free(A);
    free(b);
    return rc;
}

/* The mean of the training rows; `mean` has room for a row more. */
static int mean_of(const vectors *v, float *mean)
{
    double *sum = calloc((size_t)v->d, sizeof *sum);
    int rc = sum ? LBH_OK : fail_memory();
    for (int64_t i = 0; i < v->n && rc == LBH_OK; i++) {
        rc = vectors_floats(v, i, 1, mean + v->d);
        for (int j = 0; j < v->d && rc == LBH_OK; j++)
            sum[j] += (double)mean[v->d + j] / (double)v->n;
    }
    for (int j = 0; j < v->d && rc == LBH_OK; j++)
        mean[j] = (float)sum[j];
    free(sum);
    return rc;
}

cJSON *images_principal(const bench_data *d, int64_t nbits)
{
    const vectors *v = bench_train_rows(d);
    char label[64];
    int k = (int)(nbits / 32 < d->base.d ? nbits / 32 : d->base.d);
    float *x = originals_of(d), *out = cli_alloc(shown(d) * d->query.d, sizeof *out);
    float *mean = cli_alloc(2 * (int64_t)v->d, sizeof *mean);
    lbh_rows rows = vectors_rows(v);
    lbh_encoder *enc = NULL;
    cJSON *o = NULL;
    int rc = x && out && mean ? encoder_make(&enc, "itq", v->d, k, LBH_METRIC_L2, "iterations=0", 1)
                              : LBH_ENOMEM;
    if (rc == LBH_OK)
        rc = lbh_encoder_train_rows(enc, &rows, NULL, NULL);
    if (rc == LBH_OK)
        rc = mean_of(v, mean);
    if (rc == LBH_OK)
        rc = project(enc, shown(d), x, mean, out);
    snprintf(label, sizeof label, "PCA (%d float%s)", k, k == 1 ? "" : "s");
    if (rc == LBH_OK)
        o = line(d, "pca", label, nbits, 0, out, x);
    lbh_encoder_free(enc);
    free(x);
    free(out);
    free(mean);
    return o;
}
