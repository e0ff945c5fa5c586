/* encode.c: codes of whole files and answers of whole query sets, in blocks. See encode.h. */
#include "encode.h"

#include "metrics.h"
#include "progress.h"

#include <stdlib.h>
#include <string.h>

int64_t block_rows(int d)
{
    int64_t rows = ((int64_t)1 << 22) / d; /* 16 MB of floats */
    return rows < 64 ? 64 : rows;
}

int each_block(const vectors *v, const char *what, block_fn take, void *ctx)
{
    int64_t block = block_rows(v->d) < v->n ? block_rows(v->d) : v->n;
    float *x = cli_alloc(block * v->d, sizeof *x);
    int rc = x ? LBH_OK : LBH_ENOMEM;
    for (int64_t i = 0; i < v->n && rc == LBH_OK; i += block) {
        int64_t count = v->n - i < block ? v->n - i : block;
        rc = what ? progress_tick(what, i, v->n) : cli_interrupted() ? fail_cancelled() : LBH_OK;
        if (rc == LBH_OK)
            rc = vectors_floats(v, i, count, x);
        if (rc == LBH_OK)
            rc = take(ctx, i, count, x);
    }
    if (what)
        progress_clear();
    free(x);
    return rc;
}

int model_fits(const lbh_encoder *enc, const vectors *v)
{
    if (lbh_encoder_d(enc) == v->d)
        return LBH_OK;
    return fail("'%s' has dimension %d, the model is for dimension %d", v->name, v->d,
                lbh_encoder_d(enc));
}

int model_load(lbh_encoder **enc, const char *path, const vectors *v)
{
    *enc = NULL;
    if (strcmp(path, "-") == 0)
        return fail("'-': a model is read from a file, not from standard input");
    LBH_TRY(lbh_encoder_load(enc, path));
    return v ? model_fits(*enc, v) : LBH_OK;
}

bool has_decoder(const lbh_encoder *enc)
{
    return lbh_encoder_decode(enc, 0, NULL, NULL) == LBH_OK;
}

static bool option_is(const lbh_encoder *enc, const char *name, double value)
{
    double is;
    return lbh_encoder_get_value(enc, name, &is) == LBH_OK && is == value;
}

int choose_score(const lbh_encoder *enc, int score, bool strict, bool *by_decoder)
{
    bool able = has_decoder(enc);
    if (score == SCORE_DECODER && strict && !able)
        return fail("%s has no decoder to score by", lbh_encoder_method(enc));
    *by_decoder = able && (score == SCORE_DECODER ||
                           (score == SCORE_AUTO && option_is(enc, "score", 1)));
    return LBH_OK;
}

int decoder_metric(const lbh_encoder *enc, int metric)
{
    double own = LBH_METRIC_L2;
    if (metric >= LBH_METRIC_L2 && metric <= LBH_METRIC_COSINE)
        return metric;
    return lbh_encoder_get_value(enc, "metric", &own) == LBH_OK ? (int)own : LBH_METRIC_L2;
}

static int encode_floats(const lbh_encoder *enc, int64_t how, int64_t n, const float *x,
                         uint8_t *codes)
{
    if (how == ENCODE_QUERIES)
        return lbh_encoder_encode_queries(enc, n, x, codes);
    if (how == ENCODE_BASE)
        return lbh_encoder_encode(enc, n, x, codes);
    return lbh_encoder_encode_refined(enc, n, x, (int)how, codes);
}

static int encode_bytes(const lbh_encoder *enc, int64_t how, int64_t n, const uint8_t *x,
                        int64_t stride, uint8_t *codes)
{
    return how == ENCODE_QUERIES ? lbh_encoder_encode_queries_u8(enc, n, x, stride, codes)
                                 : lbh_encoder_encode_u8(enc, n, x, stride, codes);
}

/* One block of rows: as they lie in the mapped file where that will do, else by a copy as floats in
 * x[count * d]. Rows that the library refuses are read again, to name the file and its row. */
static int encode_block(const lbh_encoder *enc, const vectors *v, int64_t how, int64_t first,
                        int64_t count, float *x, uint8_t *codes)
{
    const uint8_t *bytes = how <= ENCODE_BASE ? vectors_mapped_bytes(v, first) : NULL;
    const float *floats = vectors_mapped_floats(v, first);
    LBH_TRY(bytes ? vectors_check_rows(v, first, count) : LBH_OK);
    if (!bytes && !floats)
        LBH_TRY(vectors_floats(v, first, count, x));
    int rc = bytes ? encode_bytes(enc, how, count, bytes, (int64_t)v->stride, codes)
               : encode_floats(enc, how, count, floats ? floats : x, codes);
    if (rc == LBH_EINVAL && floats)
        LBH_TRY(vectors_floats(v, first, count, x));
    return rc;
}

int encode_range(const lbh_encoder *enc, const vectors *v, int64_t how, int64_t from, int64_t to,
                 code_sink sink, void *ctx)
{
    enum { SLOW_ROWS = 8192 }; /* where codes are searched for: the grain of Ctrl-C and progress */
    int64_t block = block_rows(v->d);
    block = how > 0 && block > SLOW_ROWS ? SLOW_ROWS : block;
    block = block > to - from ? to - from : block;
    float *x = cli_alloc(block * v->d, sizeof *x);
    uint8_t *codes = cli_alloc(block, lbh_encoder_code_size(enc));
    int rc = x && codes ? LBH_OK : LBH_ENOMEM;
    for (int64_t first = from; first < to && rc == LBH_OK; first += block) {
        int64_t count = to - first < block ? to - first : block;
        rc = progress_tick(how == ENCODE_QUERIES ? "encode queries" : "encode", first, v->n);
        vectors_ahead(v, first + block, block);
        if (rc == LBH_OK)
            rc = encode_block(enc, v, how, first, count, x, codes);
        if (rc == LBH_OK)
            rc = sink(ctx, count, codes);
        vectors_behind(v, first, count);
    }
    free(x);
    free(codes);
    return rc;
}

int encode_each(const lbh_encoder *enc, const vectors *v, int64_t how, code_sink sink, void *ctx)
{
    int rc = encode_range(enc, v, how, 0, v->n, sink, ctx);
    progress_clear();
    return rc;
}

typedef struct memory_sink {
    uint8_t *at;
    size_t code_size;
} memory_sink;

static int to_memory(void *ctx, int64_t count, const uint8_t *codes)
{
    memory_sink *m = ctx;
    memcpy(m->at, codes, (size_t)count * m->code_size);
    m->at += (size_t)count * m->code_size;
    return LBH_OK;
}

int encode_all(const lbh_encoder *enc, const vectors *v, int64_t how, uint8_t **codes)
{
    size_t code_size = lbh_encoder_code_size(enc);
    *codes = cli_alloc(v->n, code_size);
    if (!*codes)
        return LBH_ENOMEM;
    memory_sink m = {*codes, code_size};
    int rc = encode_each(enc, v, how, to_memory, &m);
    if (rc) {
        free(*codes);
        *codes = NULL;
    }
    return rc;
}

int search_all(const FaissIndexBinary *index, size_t code_size, int64_t nq, const uint8_t *codes,
               int64_t k, const int64_t *own, int32_t **distances, int64_t **ids)
{
    enum { QUERY_BLOCK = 1024 };
    int64_t want = own ? k + 1 : k;
    *distances = cli_alloc(nq * want, sizeof **distances);
    *ids = cli_alloc(nq * want, sizeof **ids);
    int rc = *distances && *ids ? LBH_OK : LBH_ENOMEM;
    for (int64_t q = 0; q < nq && rc == LBH_OK; q += QUERY_BLOCK) {
        int64_t count = nq - q < QUERY_BLOCK ? nq - q : QUERY_BLOCK;
        rc = progress_tick("search", q, nq);
        if (rc)
            break;
        rc = lbh_index_search_codes(index, code_size, count, codes + (size_t)q * code_size, want,
                                    *distances + q * want, *ids + q * want);
    }
    progress_clear();
    if (rc == LBH_OK && own)
        drop_own(nq, k, own, *ids, *distances);
    if (rc) {
        free(*distances);
        free(*ids);
        *distances = NULL;
        *ids = NULL;
    }
    return rc;
}
