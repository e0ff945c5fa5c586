/* bench_engine.c: see bench_engine.h. */
#include "bench_engine.h"

#include "lbh_exact.h"

#include <stdlib.h>
#include <string.h>

enum { MARGIN_FACTOR = 4 }; /* float rescoring of ours: candidates by Hamming distance a vector */

bool engine_decodes_all(const bench_engine *e)
{
    return e->enc && e->how.mode == RANK_DECODER && e->how.depth < 0 &&
           (!e->index || strcmp(lbh_index_kind(e->index), "BFlat") == 0);
}

int engine_open(bench_engine *e, const lbh_rows *rows)
{
    static const int modes[] = {LBH_RESCORE_NONE, LBH_RESCORE_MARGIN, LBH_RESCORE_DECODER,
                                LBH_RESCORE_FLOAT, LBH_RESCORE_NONE};
    int mode = modes[e->how.mode];
    e->rescorer = NULL;
    if (mode == LBH_RESCORE_DECODER && e->enc && !has_decoder(e->enc))
        return fail("method %s has no decoder to rank by", lbh_encoder_method(e->enc));
    if (!e->enc || mode == LBH_RESCORE_NONE || engine_decodes_all(e))
        return EXIT_OK;
    return fail_library(lbh_rescorer_new(&e->rescorer, e->enc, mode, e->metric,
                                mode == LBH_RESCORE_FLOAT ? rows : NULL));
}

void engine_close(bench_engine *e)
{
    lbh_rescorer_free(e->rescorer);
    e->rescorer = NULL;
}

/* ---- The first ranking --------------------------------------------------------------------- */

static int by_codes(const bench_engine *e, int64_t n, const float *x, int64_t k, int64_t *ids)
{
    int32_t *distances = cli_alloc(n * k, sizeof *distances);
    uint8_t *codes = cli_alloc(n, e->code_size);
    int rc = distances && codes ? EXIT_OK : EXIT_RUNTIME, code = LBH_OK;
    if (rc == EXIT_OK && e->enc)
        code = lbh_encoder_encode_queries(e->enc, n, x, codes);
    else if (rc == EXIT_OK)
        code = lbh_float_index_encode(e->floats, n, x, codes);
    if (rc == EXIT_OK && code == LBH_OK)
        code = lbh_index_search_codes(e->index, e->code_size, n, codes, k, distances, ids);
    free(distances);
    free(codes);
    return rc == EXIT_OK && code ? fail_library(code) : rc;
}

static int by_floats(const bench_engine *e, int64_t n, const float *x, int64_t k, int64_t *ids)
{
    float *distances = cli_alloc(n * k, sizeof *distances);
    int code = LBH_OK;
    if (!distances)
        return EXIT_RUNTIME;
    if (engine_decodes_all(e))
        code = lbh_encoder_search_decoded(e->enc, e->metric, e->n, e->codes, n, x, k, distances,
                                          ids);
    else
        code = lbh_float_index_search(e->floats, n, x, k, distances, ids);
    free(distances);
    return fail_library(code);
}

static int first_ranking(const bench_engine *e, int64_t n, const float *x, int64_t k, int64_t *ids)
{
    return e->index && !engine_decodes_all(e) ? by_codes(e, n, x, k, ids)
                                              : by_floats(e, n, x, k, ids);
}

/* ---- The second one ------------------------------------------------------------------------ */

static int by_rescorer(const bench_engine *e, int64_t n, const float *x, int64_t k, int64_t depth,
                       int64_t *ids)
{
    lbh_shortlist list = {depth < 0 ? 0 : (double)depth / (double)k, MARGIN_FACTOR};
    float *distances = cli_alloc(n * k, sizeof *distances);
    if (!distances)
        return EXIT_RUNTIME;
    int code = lbh_index_search_rescored(e->index, e->rescorer, list, n, x, k, distances, ids);
    free(distances);
    return fail_library(code);
}

/* FAISS's answers, ranked again by their vectors, as its RFlat does it. */
static int by_vectors(const bench_engine *e, int64_t n, const float *x, int64_t k, int64_t depth,
                      int64_t *ids)
{
    vectors unit = *e->base; /* a query's own length changes no order */
    unit.unit = unit.unit || e->metric == LBH_METRIC_COSINE;
    int metric = e->metric == LBH_METRIC_L2 ? LBH_METRIC_L2 : LBH_METRIC_IP;
    lbh_rows rows = vectors_rows(&unit);
    int64_t *list = cli_alloc(n * depth, sizeof *list);
    int rc = list ? first_ranking(e, n, x, depth, list) : EXIT_RUNTIME;
    int code = rc ? LBH_OK : lbh_exact_rank(&rows, metric, n, x, depth, list, k, NULL, ids);
    free(list);
    return code ? fail_library(code) : rc;
}

/* More answers than candidates were asked for: the rest is missing. */
static void widen(int64_t n, int64_t have, int64_t k, int64_t *ids)
{
    for (int64_t q = n - 1; q >= 0; q--) {
        memmove(ids + q * k, ids + q * have, (size_t)have * sizeof *ids);
        for (int64_t i = have; i < k; i++)
            ids[q * k + i] = -1;
    }
}

int engine_answers(const bench_engine *e, int64_t n, const float *x, int64_t k, int64_t *ids)
{
    bool rescored = e->rescorer || (!e->enc && e->how.mode == RANK_FLOAT);
    int64_t depth = e->how.depth < e->n ? e->how.depth : e->n;
    if (!rescored)
        return first_ranking(e, n, x, k, ids);
    int64_t have = depth < 0 || depth > k ? k : depth;
    int rc = e->rescorer ? by_rescorer(e, n, x, have, depth, ids)
                         : by_vectors(e, n, x, have, depth, ids);
    if (rc == EXIT_OK && have < k)
        widen(n, have, k, ids);
    return rc;
}
