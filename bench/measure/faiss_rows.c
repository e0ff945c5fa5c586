/* faiss_rows.c: see faiss_rows.h. */
#include "faiss_rows.h"

#include <stdio.h>
#include <stdlib.h>

int faiss_index_new(FaissIndex **index, int d, const char *factory, bool hamming, int metric)
{
    char unit[300];
    if (!hamming)
        return lbh_float_index_new(index, d, factory, metric);
    snprintf(unit, sizeof unit, "%s%s", metric == LBH_METRIC_COSINE ? "L2norm," : "", factory);
    return lbh_float_index_new(index, d, unit, LBH_METRIC_L2);
}

int faiss_train_rows(FaissIndex *index, const vectors *v, int64_t n)
{
    float *x = cli_alloc(n * v->d, sizeof *x);
    int64_t *ids = rows_evenly(v->n, n);
    int rc = x && ids ? LBH_OK : LBH_ENOMEM;
    if (rc == LBH_OK)
        rc = vectors_gather(v, n, ids, x);
    if (rc == LBH_OK)
        rc = lbh_float_index_train(index, n, x);
    free(ids);
    free(x);
    return rc;
}

static int add_block(void *ctx, int64_t first, int64_t count, const float *x)
{
    (void)first;
    return lbh_float_index_add(ctx, count, x);
}

int faiss_add_rows(FaissIndex *index, const vectors *v)
{
    return each_block(v, "encode", add_block, index);
}

typedef struct encoding {
    const FaissIndex *index;
    uint8_t *codes;
    size_t code_size;
} encoding;

static int encode_block(void *ctx, int64_t first, int64_t count, const float *x)
{
    encoding *e = ctx;
    return lbh_float_index_encode(e->index, count, x, e->codes + (size_t)first * e->code_size);
}

int faiss_encode_rows(const FaissIndex *index, const vectors *v, uint8_t **codes)
{
    encoding e = {.index = index, .code_size = lbh_float_index_code_size(index)};
    *codes = e.codes = cli_alloc(v->n, e.code_size);
    int rc = e.codes ? each_block(v, "encode", encode_block, &e) : LBH_ENOMEM;
    if (rc) {
        free(*codes);
        *codes = NULL;
    }
    return rc;
}
