/* pipeline.c: see lbh_pipeline.h: an encoder, a FAISS index and, where asked for, the vectors, kept
 * in step: what one of them refuses, none of them does. */
#include "pipeline.h"

#include "faiss_gap_life.h"
#include "watch.h"

#include <stdlib.h>
#include <string.h>

int lbh_pipeline_check(const lbh_pipeline *p, int64_t n, const void *x)
{
    if (!p)
        return lbh_error(LBH_EINVAL, "pipeline: no pipeline given");
    return lbh_check_rows("pipeline", n, x);
}

int lbh_pipeline_check_trained(const lbh_pipeline *p, int64_t n, const void *x)
{
    LBH_TRY(lbh_pipeline_check(p, n, x));
    if (!lbh_pipeline_is_trained(p))
        return lbh_error(LBH_ESTATE, "pipeline: \"%s\" is not trained (lbh_pipeline_train)",
                         p->spec.text);
    return LBH_OK;
}

/* ---- Life ---------------------------------------------------------------------------------- */

int lbh_pipeline_start(lbh_pipeline **out, int d, const char *factory, int metric)
{
    if (metric < LBH_METRIC_L2 || metric > LBH_METRIC_COSINE)
        return lbh_error(LBH_EINVAL, "pipeline: metric (%d) must be LBH_METRIC_L2, LBH_METRIC_IP or "
                         "LBH_METRIC_COSINE", metric);
    lbh_pipeline *p = calloc(1, sizeof *p);
    if (!p)
        return lbh_error(LBH_ENOMEM, "out of memory for a pipeline");
    int rc = lbh_pipeline_parse(&p->spec, factory);
    if (!rc && !(p->lock = lbh_lock_new()))
        rc = LBH_ENOMEM;
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

static int make_encoder(lbh_pipeline *p)
{
    const lbh_pipeline_spec *spec = &p->spec;
    LBH_TRY(lbh_encoder_new(&p->enc, spec->method, p->d, spec->nbits));
    LBH_TRY(lbh_encoder_set_value(p->enc, "metric", p->metric));
    return *spec->options ? lbh_encoder_set(p->enc, spec->options) : LBH_OK;
}

static int make_parts(lbh_pipeline *p)
{
    const lbh_pipeline_spec *spec = &p->spec;
    if (!p->enc)
        LBH_TRY(make_encoder(p));
    LBH_TRY(lbh_index_new(&p->index, lbh_encoder_code_size(p->enc), spec->index));
    LBH_TRY(lbh_index_accelerate(&p->index));
    return spec->store ? lbh_store_new(&p->store, p->d, spec->store) : LBH_OK;
}

/* enc: the caller's, or NULL for one of the pipeline's own. */
static int make(lbh_pipeline **out, int d, const char *factory, int metric, lbh_encoder *enc)
{
    lbh_pipeline *p = NULL;
    LBH_TRY(lbh_pipeline_start(&p, d, factory, metric));
    p->enc = enc;
    p->borrowed = enc != NULL;
    int rc = make_parts(p);
    if (!rc && enc && lbh_encoder_is_trained(enc)) /* a decoder may be lacking */
        rc = lbh_pipeline_rescorer(&p->rescorer, p, p->rescore);
    if (rc) {
        lbh_pipeline_free(p);
        return rc;
    }
    *out = p;
    return LBH_OK;
}

int lbh_pipeline_new(lbh_pipeline **out, int d, const char *factory, int metric)
{
    if (!out)
        return lbh_error(LBH_EINVAL, "pipeline: nowhere to put the new pipeline");
    return make(out, d, factory, metric, NULL);
}

int lbh_pipeline_new_with_encoder(lbh_pipeline **out, lbh_encoder *enc, const char *index,
                                  int metric)
{
    char factory[LBH_MAX_FACTORY];
    if (!out || !enc || !index)
        return lbh_error(LBH_EINVAL, "pipeline: no encoder, no index, or nowhere to put it, given");
    const char *rest = index, *idmap = lbh_pipeline_parse_idmap(&rest);
    snprintf(factory, sizeof factory, "%s%s%d,%s", idmap, lbh_encoder_method(enc),
             lbh_encoder_nbits(enc), rest);
    return make(out, lbh_encoder_d(enc), factory, metric, enc);
}

void lbh_pipeline_free(lbh_pipeline *p)
{
    if (!p)
        return;
    lbh_rescorer_free(p->rescorer);
    lbh_store_free(p->store);
    lbh_index_free(p->index);
    if (!p->borrowed)
        lbh_encoder_free(p->enc);
    lbh_lock_free(p->lock);
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
        rc = lbh_watch_check();
        if (!rc)
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

static int train_parts(lbh_pipeline *p, const lbh_rows *rows, const lbh_lists *labels,
                       const lbh_lists *neighbours)
{
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

int lbh_pipeline_train_rows(lbh_pipeline *p, const lbh_rows *rows, const lbh_lists *labels,
                            const lbh_lists *neighbours)
{
    LBH_TRY(lbh_pipeline_check(p, 0, NULL));
    if (!rows || !rows->read || rows->d != p->d)
        return lbh_error(LBH_EINVAL, "pipeline: training needs rows of %d floats", p->d);
    if (lbh_pipeline_is_trained(p))
        return lbh_error(LBH_ESTATE, "pipeline: \"%s\" is trained", p->spec.text);
    int64_t lists = lbh_gap_info(p->index).nlist;
    if (rows->n < lists)
        return lbh_error(LBH_EINVAL, "pipeline: \"%s\" needs at least %lld rows to train on, got "
                         "%lld", p->spec.text, (long long)lists, (long long)rows->n);
    lbh_watch_begin("train", 0);
    return lbh_watch_end(train_parts(p, rows, labels, neighbours));
}

int lbh_pipeline_train(lbh_pipeline *p, int64_t n, const float *x)
{
    LBH_TRY(lbh_pipeline_check(p, n, x));
    lbh_rows rows = lbh_rows_from_matrix(n, p->d, x);
    return lbh_pipeline_train_rows(p, &rows, NULL, NULL);
}

/* ---- An index from elsewhere ---------------------------------------------------------------- */

int lbh_pipeline_take_index(lbh_pipeline *p, FaissIndexBinary **index)
{
    LBH_TRY(lbh_pipeline_check(p, 0, NULL));
    if (!index || !*index)
        return lbh_error(LBH_EINVAL, "pipeline: no index given");
    if (p->store)
        return lbh_error(LBH_ESTATE, "pipeline: \"%s\" keeps vectors, which an index of codes has not",
                         p->spec.text);
    if (!lbh_encoder_is_trained(p->enc) || !faiss_IndexBinary_is_trained(*index))
        return lbh_error(LBH_ESTATE, "pipeline: the encoder or the index is not trained");
    lbh_index_info mine = lbh_gap_info(p->index), theirs = lbh_gap_info(*index);
    if (mine.kind != theirs.kind || mine.idmap != theirs.idmap ||
        lbh_index_code_size(p->index) != lbh_index_code_size(*index))
        return lbh_error(LBH_EINVAL, "pipeline: %s of %zu bytes a code cannot take the place of %s of %zu",
                         lbh_index_kind(*index), lbh_index_code_size(*index), lbh_index_kind(p->index),
                         lbh_index_code_size(p->index));
    int64_t least, greatest;
    LBH_TRY(lbh_gap_id_range(*index, &least, &greatest));
    LBH_TRY(lbh_index_accelerate(index));
    lbh_index_free(p->index);
    p->index = *index;
    p->next_id = greatest + 1;
    *index = NULL;
    return LBH_OK;
}
