/* bench_engine.c: see bench_engine.h. */
#include "bench_engine.h"

#include "lbh_exact.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool engine_decodes_all(const bench_engine *e)
{
    return e->model->enc && e->how.mode == RANK_DECODER && e->how.depth < 0 &&
           (!e->index || strcmp(lbh_index_kind(e->index), "BFlat") == 0);
}

void engine_open(bench_engine *e, const bench_data *data, const bench_model *model)
{
    bool by_label = data->spec->metric == BENCH_LABEL;
    *e = (bench_engine){.data = data, .model = model, .index_bytes = NAN,
                        .how = {model->codes ? RANK_HAMMING : RANK_NONE, 0}};
    e->metric = by_label && model->enc ? decoder_metric(model->enc, -1) : bench_distance(data);
}

void engine_close(bench_engine *e)
{
    lbh_rescorer_free(e->rescorer);
    lbh_index_free(e->index);
    lbh_pipeline_free(e->bytes);
    e->bytes = NULL;
    e->rescorer = NULL;
    e->index = NULL;
}

/* ---- The index ----------------------------------------------------------------------------- */

/* Bytes of the index as FAISS writes it. */
static double written_size(const FaissIndexBinary *index, const char *file)
{
    struct stat st;
    bool known = lbh_index_save(index, file) == LBH_OK && stat(file, &st) == 0;
    unlink(file);
    return known ? (double)st.st_size : NAN;
}

static int build(bench_engine *e, const char *factory, const char *file)
{
    lbh_index_free(e->index);
    e->index = NULL;
    double began = cli_now();
    int code = lbh_index_build_codes(&e->index, e->model->code_size, factory, e->data->base.n,
                                     e->model->codes);
    e->build_s = cli_now() - began;
    e->built = factory;
    e->changed = false;
    if (code == LBH_OK) {
        e->index_bytes = file ? written_size(e->index, file) : NAN;
        code = lbh_index_accelerate(&e->index);
    }
    return code;
}

int engine_index(bench_engine *e, const char *factory, const char *search, const char *file)
{
    int code = LBH_OK;
    if (!e->model->codes)
        return search ? lbh_float_index_set(e->model->floats, search) : LBH_OK;
    if (!e->index || strcmp(e->built, factory) != 0 || e->changed)
        LBH_TRY(build(e, factory, file));
    if (search && *search) {
        e->changed = true;
        code = lbh_index_set(e->index, search);
    }
    return cli_usage(code);
}

/* The rows of the base, a byte a number: those that a pipeline stores, whose codes nobody looks at. */
static int store_bytes(bench_engine *e)
{
    lbh_rows rows = vectors_rows(&e->data->base);
    lbh_pipeline *made = NULL;
    int rc = lbh_pipeline_new(&made, rows.d, "lsh8,BFlat,RSQ8", LBH_METRIC_L2);
    if (rc == LBH_OK)
        rc = lbh_pipeline_train_rows(made, &rows, NULL, NULL);
    if (rc == LBH_OK)
        rc = lbh_pipeline_add_rows(made, &rows, NULL);
    if (rc == LBH_OK)
        e->bytes = made;
    else
        lbh_pipeline_free(made);
    return rc;
}

static int read_bytes(const lbh_rows *self, int64_t count, const int64_t *ids, float *x)
{
    for (int64_t i = 0; i < count; i++)
        LBH_TRY(lbh_pipeline_reconstruct(self->ctx, ids[i], x + i * self->d));
    return LBH_OK;
}

int engine_rank(bench_engine *e, spec_rescore how, lbh_shortlist list)
{
    static const int modes[] = {LBH_RESCORE_NONE, LBH_RESCORE_MARGIN, LBH_RESCORE_DECODER,
                                LBH_RESCORE_FLOAT, LBH_RESCORE_FLOAT, LBH_RESCORE_NONE};
    const lbh_encoder *enc = e->model->enc;
    int mode = modes[how.mode];
    lbh_rows rows = vectors_rows(&e->data->base);
    lbh_rescorer_free(e->rescorer);
    e->rescorer = NULL;
    e->how = how;
    e->list = list;
    if (!enc || mode == LBH_RESCORE_NONE || (engine_decodes_all(e) && has_decoder(enc)))
        return LBH_OK;
    if (how.mode == RANK_SQ8 && !e->bytes)
        LBH_TRY(store_bytes(e));
    if (how.mode == RANK_SQ8)
        rows = (lbh_rows){rows.n, rows.d, read_bytes, e->bytes};
    return lbh_rescorer_new(&e->rescorer, enc, mode, e->metric, mode == LBH_RESCORE_FLOAT ? &rows : NULL);
}

/* ---- The first ranking --------------------------------------------------------------------- */

static int by_codes(const bench_engine *e, int64_t n, const float *x, int64_t k, int64_t *ids)
{
    int32_t *distances = cli_alloc(n * k, sizeof *distances);
    const bench_model *m = e->model;
    uint8_t *codes = cli_alloc(n, m->code_size);
    int rc = distances && codes ? LBH_OK : LBH_ENOMEM;
    if (rc == LBH_OK)
        rc = m->enc ? lbh_encoder_encode_queries(m->enc, n, x, codes)
                    : lbh_float_index_encode(m->floats, n, x, codes);
    if (rc == LBH_OK)
        rc = lbh_index_search_codes(e->index, m->code_size, n, codes, k, distances, ids);
    free(distances);
    free(codes);
    return rc;
}

/* FAISS rounds vectors to length 1; by the cosine the ceiling is searched among the rows as they are. */
static int search_rows(const vectors *v, int64_t n, const float *x, int64_t k, int64_t *ids)
{
    const float *mapped = vectors_mapped_floats(v, 0);
    lbh_rows rows = mapped ? lbh_rows_from_matrix(v->n, v->d, mapped) : vectors_rows(v);
    return lbh_exact_search(&rows, LBH_METRIC_COSINE, n, x, NULL, k, NULL, ids);
}

int engine_floats(const bench_engine *e, int64_t n, const float *x, int64_t k, float *distances,
                  int64_t *ids)
{
    const bench_model *m = e->model;
    if (engine_decodes_all(e))
        return lbh_encoder_search_decoded(m->enc, e->metric, e->data->base.n, m->codes, n, x, k,
                                          distances, ids);
    if (e->metric == LBH_METRIC_COSINE && strcmp(m->recipe.factory, "Flat") == 0)
        return search_rows(&e->data->base, n, x, k, ids);
    return lbh_float_index_search(m->floats, n, x, k, distances, ids);
}

static int by_floats(const bench_engine *e, int64_t n, const float *x, int64_t k, int64_t *ids)
{
    float *distances = cli_alloc(n * k, sizeof *distances);
    if (!distances)
        return LBH_ENOMEM;
    int rc = engine_floats(e, n, x, k, distances, ids);
    free(distances);
    return rc;
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
    lbh_shortlist list = e->list;
    if (depth)
        list.k_factor = depth < 0 ? 0 : (double)depth / (double)k; /* 0: all codes */
    float *distances = cli_alloc(n * k, sizeof *distances);
    if (!distances)
        return LBH_ENOMEM;
    int rc = lbh_index_search_rescored(e->index, e->rescorer, list, n, x, k, distances, ids);
    free(distances);
    return rc;
}

/* FAISS's answers, ranked again by their vectors, as its RFlat does it. */
static int by_vectors(const bench_engine *e, int64_t n, const float *x, int64_t k, int64_t depth,
                      int64_t *ids)
{
    lbh_rows rows = vectors_rows(&e->data->base);
    int64_t *list = cli_alloc(n * depth, sizeof *list);
    int rc = list ? first_ranking(e, n, x, depth, list) : LBH_ENOMEM;
    if (rc == LBH_OK)
        rc = lbh_exact_rank(&rows, e->metric, n, x, depth, list, k, NULL, ids);
    free(list);
    return rc;
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
    bool rescored = e->rescorer || (!e->model->enc && e->how.mode == RANK_FLOAT);
    int64_t rows = e->data->base.n, depth = e->how.depth < rows ? e->how.depth : rows;
    if (!rescored)
        return first_ranking(e, n, x, k, ids);
    int64_t have = depth <= 0 || depth > k ? k : depth;
    int rc = e->rescorer ? by_rescorer(e, n, x, have, depth, ids)
                         : by_vectors(e, n, x, have, depth, ids);
    if (rc == LBH_OK && have < k)
        widen(n, have, k, ids);
    return rc;
}
