/* pipeline.c: see lbh_pipeline.h: an encoder, a FAISS index and, where asked for, the vectors, kept
 * in step: what one of them refuses, none of them does. */
#include "pipeline.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>

static int check(const lbh_pipeline *p, int64_t n, const void *x)
{
    if (!p)
        return lbh_error(LBH_EINVAL, "pipeline: no pipeline given");
    return lbh_check_rows("pipeline", n, x);
}

static int check_trained(const lbh_pipeline *p, int64_t n, const void *x)
{
    LBH_TRY(check(p, n, x));
    if (!lbh_pipeline_is_trained(p))
        return lbh_error(LBH_ESTATE, "pipeline: \"%s\" is not trained (lbh_pipeline_train)",
                         p->spec.text);
    return LBH_OK;
}

/* ---- Life ---------------------------------------------------------------------------------- */

int lbh_pipeline_start(lbh_pipeline **out, int d, const char *factory, int metric)
{
    if (metric != LBH_METRIC_L2 && metric != LBH_METRIC_IP)
        return lbh_error(LBH_EINVAL, "pipeline: metric (%d) must be LBH_METRIC_L2 or LBH_METRIC_IP",
                         metric);
    lbh_pipeline *p = calloc(1, sizeof *p);
    if (!p)
        return lbh_error(LBH_ENOMEM, "out of memory for a pipeline");
    int rc = lbh_pipeline_parse(&p->spec, factory);
    if (rc) {
        free(p);
        return rc;
    }
    p->d = d;
    p->metric = metric;
    p->rescore = p->spec.store ? LBH_RESCORE_FLOAT : LBH_RESCORE_NONE;
    p->shortlist = (lbh_shortlist){.k_factor = 10, .margin_factor = 4};
    *out = p;
    return LBH_OK;
}

static bool has_option(const char *method, const char *option)
{
    lbh_param param;
    for (int i = 0; lbh_method_param(&param, method, i) == LBH_OK; i++)
        if (strcmp(param.name, option) == 0)
            return true;
    return false;
}

static int make_parts(lbh_pipeline *p)
{
    const lbh_pipeline_spec *spec = &p->spec;
    LBH_TRY(lbh_encoder_new(&p->enc, spec->method, p->d, spec->nbits));
    if (p->metric == LBH_METRIC_IP && has_option(spec->method, "metric"))
        LBH_TRY(lbh_encoder_set(p->enc, "metric=ip"));
    if (*spec->options)
        LBH_TRY(lbh_encoder_set(p->enc, spec->options));
    LBH_TRY(lbh_index_new(&p->index, lbh_encoder_code_size(p->enc), spec->index));
    LBH_TRY(lbh_index_accelerate(&p->index));
    return spec->store ? lbh_store_new(&p->store, p->d, spec->store) : LBH_OK;
}

int lbh_pipeline_new(lbh_pipeline **out, int d, const char *factory, int metric)
{
    if (!out)
        return lbh_error(LBH_EINVAL, "pipeline: nowhere to put the new pipeline");
    lbh_pipeline *p = NULL;
    LBH_TRY(lbh_pipeline_start(&p, d, factory, metric));
    int rc = make_parts(p);
    if (rc) {
        lbh_pipeline_free(p);
        return rc;
    }
    *out = p;
    return LBH_OK;
}

void lbh_pipeline_free(lbh_pipeline *p)
{
    if (!p)
        return;
    lbh_rescorer_free(p->rescorer);
    lbh_store_free(p->store);
    lbh_index_free(p->index);
    lbh_encoder_free(p->enc);
    free(p);
}

int lbh_pipeline_rescorer(lbh_rescorer **rescorer, const lbh_pipeline *p, int rescore)
{
    *rescorer = NULL;
    if (rescore == LBH_RESCORE_NONE || !lbh_encoder_is_trained(p->enc))
        return LBH_OK;
    lbh_rows rows = {0};
    if (p->store)
        rows = lbh_store_rows(p->store);
    return lbh_rescorer_new(rescorer, p->enc, rescore, p->metric, p->store ? &rows : NULL);
}

/* ---- Properties ---------------------------------------------------------------------------- */

const char *lbh_pipeline_factory(const lbh_pipeline *p)
{
    return p->spec.text;
}

int lbh_pipeline_d(const lbh_pipeline *p)
{
    return p->d;
}

int lbh_pipeline_metric(const lbh_pipeline *p)
{
    return p->metric;
}

int lbh_pipeline_rescore(const lbh_pipeline *p)
{
    return p->rescore;
}

int64_t lbh_pipeline_ntotal(const lbh_pipeline *p)
{
    return lbh_index_ntotal(p->index);
}

int lbh_pipeline_is_trained(const lbh_pipeline *p)
{
    return lbh_encoder_is_trained(p->enc) && faiss_IndexBinary_is_trained(p->index) &&
           (!p->store || lbh_store_trained(p->store)) &&
           (p->rescorer || p->rescore == LBH_RESCORE_NONE);
}

lbh_encoder *lbh_pipeline_encoder(lbh_pipeline *p)
{
    return p->enc;
}

FaissIndexBinary *lbh_pipeline_index(lbh_pipeline *p)
{
    return p->index;
}

/* ---- Train --------------------------------------------------------------------------------- */

/* The lists of BIVF, from the codes of all rows (lbh_index_train takes a sample of them). */
static int train_index(lbh_pipeline *p, const lbh_rows *rows)
{
    enum { BLOCK = 4096 };
    size_t size = lbh_encoder_code_size(p->enc);
    uint8_t *codes = lbh_alloc_rows(rows->n, size, LBH_CODE_PAD);
    float *x = lbh_alloc_rows(BLOCK, sizeof *x * (size_t)p->d, 0);
    int64_t ids[BLOCK];
    int rc = codes && x ? LBH_OK : LBH_ENOMEM;
    for (int64_t first = 0; first < rows->n && !rc; first += BLOCK) {
        int64_t count = rows->n - first < BLOCK ? rows->n - first : BLOCK;
        for (int64_t i = 0; i < count; i++)
            ids[i] = first + i;
        rc = rows->read(rows, count, ids, x);
        if (!rc)
            rc = lbh_encoder_encode(p->enc, count, x, codes + (size_t)first * size);
    }
    if (!rc)
        rc = lbh_index_train_codes(p->index, size, rows->n, codes);
    free(codes);
    free(x);
    return rc;
}

int lbh_pipeline_train_rows(lbh_pipeline *p, const lbh_rows *rows, const lbh_lists *labels,
                            const lbh_lists *neighbours)
{
    LBH_TRY(check(p, 0, NULL));
    if (!rows || !rows->read || rows->d != p->d)
        return lbh_error(LBH_EINVAL, "pipeline: training needs rows of %d floats", p->d);
    if (lbh_pipeline_is_trained(p))
        return lbh_error(LBH_ESTATE, "pipeline: \"%s\" is trained", p->spec.text);
    int64_t lists = lbh_gap_info(p->index).nlist;
    if (rows->n < lists)
        return lbh_error(LBH_EINVAL, "pipeline: \"%s\" needs at least %lld rows to train on, got "
                         "%lld", p->spec.text, (long long)lists, (long long)rows->n);
    if (!lbh_encoder_is_trained(p->enc))
        LBH_TRY(lbh_encoder_train_rows(p->enc, rows, labels, neighbours));
    if (!faiss_IndexBinary_is_trained(p->index))
        LBH_TRY(train_index(p, rows));
    if (p->store)
        LBH_TRY(lbh_store_train(p->store, rows));
    lbh_rescorer *rescorer;
    LBH_TRY(lbh_pipeline_rescorer(&rescorer, p, p->rescore));
    lbh_rescorer_free(p->rescorer);
    p->rescorer = rescorer;
    return LBH_OK;
}

int lbh_pipeline_train(lbh_pipeline *p, int64_t n, const float *x)
{
    LBH_TRY(check(p, n, x));
    lbh_rows rows = lbh_rows_from_matrix(n, p->d, x);
    return lbh_pipeline_train_rows(p, &rows, NULL, NULL);
}

/* ---- Add, remove --------------------------------------------------------------------------- */

/* Whether rows are found by the ids they were added with, not by their place in the index. */
static bool keeps_ids(const lbh_pipeline *p)
{
    lbh_index_info info = lbh_gap_info(p->index);
    return lbh_keeps_ids(&info);
}

static int check_ids(const lbh_pipeline *p, int64_t n, const int64_t *ids)
{
    if (!keeps_ids(p))
        return lbh_error(LBH_EFAISS, "pipeline: %s takes no ids; put IDMap in front, as "
                         "\"IDMap,%s\"", lbh_index_kind(p->index), p->spec.text);
    for (int64_t i = 0; i < n; i++)
        if (ids[i] < 0 || ids[i] == INT64_MAX)
            return lbh_error(LBH_EINVAL, "pipeline: id %lld of row %lld must be within 0..2^63-2",
                             (long long)ids[i], (long long)i);
    return LBH_OK;
}

/* The vectors first: what they refuse has not reached the index, and they can be taken back. */
static int add(lbh_pipeline *p, int64_t n, const float *x, const int64_t *ids)
{
    size_t size = lbh_encoder_code_size(p->enc);
    uint8_t *codes;
    LBH_TRY(lbh_encode_padded(&codes, p->enc, lbh_encoder_encode, n, x));
    int rc = p->store ? lbh_store_add(p->store, n, x, ids) : LBH_OK;
    if (!rc) {
        rc = lbh_index_add_codes(p->index, size, n, codes, ids);
        if (rc && p->store)
            lbh_store_undo(p->store, n);
    }
    free(codes);
    if (rc)
        return rc;
    for (int64_t i = 0; ids && i < n; i++)
        p->next_id = ids[i] >= p->next_id ? ids[i] + 1 : p->next_id;
    return LBH_OK;
}

int lbh_pipeline_add_with_ids(lbh_pipeline *p, int64_t n, const float *x, const int64_t *ids)
{
    LBH_TRY(check_trained(p, n, x));
    LBH_TRY(lbh_check_rows("pipeline", n, ids));
    LBH_TRY(check_ids(p, n, ids));
    return n ? add(p, n, x, ids) : LBH_OK;
}

int lbh_pipeline_add(lbh_pipeline *p, int64_t n, const float *x)
{
    LBH_TRY(check_trained(p, n, x));
    if (n == 0)
        return LBH_OK;
    if (!keeps_ids(p))
        return add(p, n, x, NULL);
    if (p->next_id > INT64_MAX - 1 - n)
        return lbh_error(LBH_EINVAL, "pipeline: there are no ids above %lld left",
                         (long long)p->next_id);
    int64_t *ids = lbh_alloc_rows(n, sizeof *ids, 0);
    if (!ids)
        return LBH_ENOMEM;
    for (int64_t i = 0; i < n; i++)
        ids[i] = p->next_id + i;
    int rc = add(p, n, x, ids);
    free(ids);
    return rc;
}

int lbh_pipeline_remove_ids(lbh_pipeline *p, int64_t n, const int64_t *ids, int64_t *removed)
{
    LBH_TRY(check_trained(p, n, ids));
    lbh_kind kind = lbh_gap_info(p->index).kind;
    if (kind != LBH_KIND_FLAT && kind != LBH_KIND_IVF)
        return lbh_error(LBH_EFAISS, "pipeline: FAISS cannot remove from %s; BFlat and BIVF can",
                         lbh_index_kind(p->index));
    int64_t count = 0;
    if (p->store && lbh_store_in_order(p->store))
        LBH_TRY(lbh_store_remove(p->store, 0, NULL, false)); /* whatever memory it may need */
    LBH_TRY(lbh_index_remove(p->index, n, ids, &count));
    if (p->store)
        LBH_TRY(lbh_store_remove(p->store, n, ids, !keeps_ids(p)));
    if (removed)
        *removed = count;
    return LBH_OK;
}

/* ---- Search -------------------------------------------------------------------------------- */

static int search_hamming(const lbh_pipeline *p, int64_t n, const float *x, int64_t k,
                          float *distances, int64_t *labels)
{
    if (k < 1 || k > INT32_MAX)
        return lbh_error(LBH_EINVAL, "search: k (%lld) must be within 1..%d", (long long)k,
                         INT32_MAX);
    int32_t *hamming = n < INT64_MAX / k ? lbh_alloc_rows(n * k, sizeof *hamming, 0) : NULL;
    if (!hamming)
        return lbh_error(LBH_ENOMEM, "search: out of memory for %lld answers a query, %lld queries",
                         (long long)k, (long long)n);
    int rc = lbh_index_search(p->index, p->enc, n, x, k, hamming, labels);
    for (int64_t i = 0; i < n * k && !rc; i++)
        distances[i] = labels[i] < 0 ? FLT_MAX : (float)hamming[i];
    free(hamming);
    return rc;
}

int lbh_pipeline_search(const lbh_pipeline *p, int64_t n, const float *x, int64_t k,
                        float *distances, int64_t *labels)
{
    LBH_TRY(check_trained(p, n, x));
    if (n > 0 && (!distances || !labels))
        return lbh_error(LBH_EINVAL, "search: no place for the answers given");
    if (!p->rescorer)
        return search_hamming(p, n, x, k, distances, labels);
    return lbh_index_search_rescored(p->index, p->rescorer, p->shortlist, n, x, k, distances,
                                     labels);
}

int lbh_pipeline_range_search(lbh_range_result **result, const lbh_pipeline *p, int64_t n,
                              const float *x, int32_t radius)
{
    LBH_TRY(check_trained(p, n, x));
    return lbh_index_range_search(result, p->index, p->enc, n, x, radius);
}

int lbh_pipeline_reconstruct(const lbh_pipeline *p, int64_t id, float *x)
{
    LBH_TRY(check_trained(p, 1, x));
    if (p->store)
        return lbh_store_get(p->store, id, x);
    uint8_t *code = lbh_alloc_rows(1, lbh_encoder_code_size(p->enc), 0);
    if (!code)
        return LBH_ENOMEM;
    int rc = lbh_index_reconstruct(p->index, id, code);
    if (!rc)
        rc = lbh_encoder_decode(p->enc, 1, code, x);
    free(code);
    return rc;
}
