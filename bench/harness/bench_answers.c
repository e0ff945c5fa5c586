/* bench_answers.c: see bench_answers.h. */
#define _POSIX_C_SOURCE 200809L
#include "bench_answers.h"

#include "bench_images.h"
#include "lbh_scan.h"

#include <stdlib.h>
#include <string.h>

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
    int64_t row[ANSWERS_SHOWN + 1]; /* one of them may be the query's own */
    int32_t distance[ANSWERS_SHOWN + 1];
    LBH_TRY(vectors_floats(&d->query, q, 1, x));
    LBH_TRY(lbh_encoder_encode_queries(model->enc, 1, x, code));
    LBH_TRY(lbh_hamming_search(1, code, d->base.n, model->codes, model->code_size, ANSWERS_SHOWN + 1,
                               distance, row));
    if (d->own)
        drop_own(1, ANSWERS_SHOWN, d->own + q, row, NULL);
    for (int i = 0; i < ANSWERS_SHOWN; i++) {
        float *to = x + (int64_t)(i + 1) * d->base.d;
        bool good = row[i] >= 0 && share_a_label(&d->base_labels, row[i], &d->query_labels, q);
        cJSON_AddItemToArray(right, cJSON_CreateNumber(good));
        if (row[i] >= 0)
            LBH_TRY(vectors_floats(&d->base, row[i], 1, to));
        else
            memset(to, 0, (size_t)d->base.d * sizeof *to);
    }
    return LBH_OK;
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
    int rc = x && code && right ? LBH_OK : LBH_ENOMEM;
    for (int64_t i = 0; i < nq && rc == LBH_OK; i++)
        rc = answer(d, model, i * (d->query.n / nq), x + i * (1 + ANSWERS_SHOWN) * d->base.d, code,
                    right);
    if (rc == LBH_OK)
        o = images_put(o, d, count, x, x);
    else
        cJSON_Delete(o);
    free(x);
    free(code);
    return rc ? NULL : o;
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
