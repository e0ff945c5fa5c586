/* bench_answers.c: see bench_answers.h. */
#define _POSIX_C_SOURCE 200809L
#include "bench_answers.h"

#include "bench_images.h"

#include <stdlib.h>
#include <string.h>

static int hamming(size_t size, const uint8_t *a, const uint8_t *b)
{
    int sum = 0;
    for (size_t i = 0; i < size; i++)
        sum += __builtin_popcount((unsigned)(a[i] ^ b[i]));
    return sum;
}

/* The first rows of the ranking for a code; -1 where there are too few. */
static void first_rows(const bench_model *model, int64_t n, const uint8_t *code, int64_t own,
                       int64_t *row)
{
    int distance[ANSWERS_SHOWN], found = 0;
    for (int64_t i = 0; i < n; i++) {
        int here = hamming(model->code_size, model->codes + (size_t)i * model->code_size, code);
        if (i == own || (found == ANSWERS_SHOWN && here >= distance[found - 1]))
            continue;
        int at = found < ANSWERS_SHOWN ? found++ : found - 1;
        for (; at > 0 && here < distance[at - 1]; at--) {
            distance[at] = distance[at - 1];
            row[at] = row[at - 1];
        }
        distance[at] = here;
        row[at] = i;
    }
    for (int i = found; i < ANSWERS_SHOWN; i++)
        row[i] = -1;
}

static bool share_a_label(const labels *a, int64_t row, const labels *b, int64_t other)
{
    for (int64_t i = a->start[row]; i < a->start[row + 1]; i++)
        for (int64_t j = b->start[other]; j < b->start[other + 1]; j++)
            if (a->item[i] == b->item[j])
                return true;
    return false;
}

/* A query and its answers: floats of all, and who is right. */
static int answer(const bench_data *d, const bench_model *model, int64_t q, float *x, uint8_t *code,
                  cJSON *right)
{
    int64_t row[ANSWERS_SHOWN];
    int rc = vectors_floats(&d->query, q, 1, x);
    if (rc == LBH_OK)
        rc = lbh_encoder_encode_queries(model->enc, 1, x, code);
    if (rc)
        return rc;
    first_rows(model, d->base.n, code, d->own ? d->own[q] : -1, row);
    for (int i = 0; i < ANSWERS_SHOWN && rc == LBH_OK; i++) {
        float *to = x + (int64_t)(i + 1) * d->base.d;
        bool good = row[i] >= 0 && share_a_label(&d->base_labels, row[i], &d->query_labels, q);
        cJSON_AddItemToArray(right, cJSON_CreateNumber(good));
        if (row[i] >= 0)
            rc = vectors_floats(&d->base, row[i], 1, to);
        else
            memset(to, 0, (size_t)d->base.d * sizeof *to);
    }
    return rc;
}

cJSON *answers_line(const bench_data *d, const spec_method *m, const bench_model *model,
                    int64_t nbits, int64_t seed)
{
    int64_t nq = d->query.n < ANSWERED_QUERIES ? d->query.n : ANSWERED_QUERIES;
    int64_t count = nq * (1 + ANSWERS_SHOWN);
    float *x = cli_alloc(count * d->base.d, sizeof *x);
    uint8_t *code = cli_alloc((int64_t)model->code_size, 1);
    cJSON *o = images_line(d, "answers", m->method, m->label, nbits, seed);
    cJSON *right = o ? cJSON_AddArrayToObject(o, "right") : NULL;
    char *pixels = NULL;
    int rc = x && code && right ? LBH_OK : LBH_ENOMEM;
    for (int64_t i = 0; i < nq && rc == LBH_OK; i++)
        rc = answer(d, model, i * (d->query.n / nq), x + i * (1 + ANSWERS_SHOWN) * d->base.d, code,
                    right);
    if (rc == LBH_OK)
        pixels = images_grey(d, count, x, x);
    if (pixels) {
        cJSON_AddNumberToObject(o, "height", d->spec->height);
        cJSON_AddNumberToObject(o, "width", d->spec->width);
        cJSON_AddNumberToObject(o, "count", (double)count);
        cJSON_AddStringToObject(o, "pixels", pixels);
    } else {
        cJSON_Delete(o);
        o = NULL;
        if (rc == LBH_OK)
            fail_memory();
    }
    free(x);
    free(code);
    free(pixels);
    return o;
}

cJSON *codes_line(const bench_data *d, const spec_method *m, const bench_model *model,
                  int64_t nbits, int64_t seed)
{
    int64_t n = d->spec->codes < d->base.n ? d->spec->codes : d->base.n;
    size_t size = model->code_size;
    uint8_t *codes = cli_alloc(n, size);
    cJSON *o = images_line(d, "codes", m->method, m->label, nbits, seed);
    cJSON *label = o ? cJSON_AddArrayToObject(o, "labels") : NULL;
    char *text = NULL;
    for (int64_t i = 0; codes && label && i < n; i++) {
        int64_t row = i * (d->base.n / n);
        const labels *l = &d->base_labels;
        memcpy(codes + (size_t)i * size, model->codes + (size_t)row * size, size);
        cJSON_AddItemToArray(label, cJSON_CreateNumber(
            l->start[row] < l->start[row + 1] ? (double)l->item[l->start[row]] : -1));
    }
    if (codes && label)
        text = images_base64(codes, (size_t)n * size);
    if (text) {
        cJSON_AddNumberToObject(o, "count", (double)n);
        cJSON_AddNumberToObject(o, "code_bytes", (double)size);
        cJSON_AddStringToObject(o, "codes", text);
    } else {
        cJSON_Delete(o);
        o = NULL;
        fail_memory();
    }
    free(codes);
    free(text);
    return o;
}
