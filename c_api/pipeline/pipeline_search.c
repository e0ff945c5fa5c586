/* pipeline_search.c: searches of a pipeline: by Hamming distance or rescored, among all ids or some, with
 * its parameters or others for once. */
#include "pipeline.h"

#include "watch.h"

#include <float.h>
#include <stdlib.h>

/* One search: what is asked for, and how. */
typedef struct request {
    const lbh_pipeline *p;
    const lbh_rescorer *rescorer; /* or NULL */
    lbh_shortlist shortlist;
    lbh_filter_fn filter; /* or NULL */
    const void *ctx;
} request;

static int search_hamming(const request *r, int64_t n, const float *x, int64_t k, float *distances,
                          int64_t *labels)
{
    const lbh_pipeline *p = r->p;
    if (k < 1 || k > INT32_MAX)
        return lbh_error(LBH_EINVAL, "search: k (%lld) must be within 1..%d", (long long)k,
                         INT32_MAX);
    int32_t *hamming = n < INT64_MAX / k ? lbh_alloc_rows(n * k, sizeof *hamming, 0) : NULL;
    if (!hamming)
        return lbh_error(LBH_ENOMEM, "search: out of memory for %lld answers a query, %lld queries",
                         (long long)k, (long long)n);
    int rc = r->filter ? lbh_index_search_filtered(p->index, p->enc, n, x, k, r->filter, r->ctx,
                                                   hamming, labels)
                       : lbh_index_search(p->index, p->enc, n, x, k, hamming, labels);
    for (int64_t i = 0; i < n * k && !rc; i++)
        distances[i] = labels[i] < 0 ? FLT_MAX : (float)hamming[i];
    free(hamming);
    return rc;
}

static int search(const request *r, int64_t n, const float *x, int64_t k, float *distances,
                  int64_t *labels)
{
    if (n > 0 && (!distances || !labels))
        return lbh_error(LBH_EINVAL, "search: no place for the answers given");
    lbh_watch_begin("search", n);
    return lbh_watch_end(r->rescorer
                             ? lbh_search_rescored_allowed(r->p->index, r->rescorer, r->shortlist,
                                                           r->filter, r->ctx, n, x, k, distances,
                                                           labels)
                             : search_hamming(r, n, x, k, distances, labels));
}

/* ---- Searches ------------------------------------------------------------------------------ */

int lbh_pipeline_search(const lbh_pipeline *p, int64_t n, const float *x, int64_t k,
                        float *distances, int64_t *labels)
{
    LBH_TRY(lbh_pipeline_check_trained(p, n, x));
    request r = {.p = p, .rescorer = p->rescorer, .shortlist = p->shortlist};
    LBH_TRY(lbh_lock_take(p->lock, false));
    int rc = search(&r, n, x, k, distances, labels);
    lbh_lock_release(p->lock);
    return rc;
}

/* With the index's own parameters changed for this search. */
static int search_changed(const request *r, const char *parameters, int64_t n, const float *x,
                          int64_t k, float *distances, int64_t *labels)
{
    char before[512];
    FaissIndexBinary *index = r->p->index;
    LBH_TRY(lbh_index_parameters(index, before, sizeof before));
    LBH_TRY(lbh_index_set(index, parameters));
    int rc = search(r, n, x, k, distances, labels);
    if (lbh_index_set(index, before)) { /* cannot fail: they were its own */
    }
    return rc;
}

int lbh_pipeline_search_with(const lbh_pipeline *p, const char *parameters, lbh_filter_fn filter,
                             const void *ctx, int64_t n, const float *x, int64_t k,
                             float *distances, int64_t *labels)
{
    LBH_TRY(lbh_pipeline_check_trained(p, n, x));
    lbh_pipeline_settings s;
    LBH_TRY(lbh_pipeline_parse_settings(&s, p, parameters ? parameters : ""));
    lbh_rescorer *own = NULL;
    if (s.rescore != p->rescore)
        LBH_TRY(lbh_pipeline_rescorer(&own, p, s.rescore));
    request r = {.p = p, .rescorer = s.rescore == p->rescore ? p->rescorer : own,
                 .shortlist = s.shortlist, .filter = filter, .ctx = ctx};
    int rc = lbh_lock_take(p->lock, *s.index);
    if (!rc) {
        rc = *s.index ? search_changed(&r, s.index, n, x, k, distances, labels)
                      : search(&r, n, x, k, distances, labels);
        lbh_lock_release(p->lock);
    }
    lbh_rescorer_free(own);
    return rc;
}

int lbh_pipeline_range_search(lbh_range_result **result, const lbh_pipeline *p, int64_t n,
                              const float *x, int32_t radius)
{
    LBH_TRY(lbh_pipeline_check_trained(p, n, x));
    return lbh_index_range_search(result, p->index, p->enc, n, x, radius);
}

int lbh_pipeline_reconstruct(const lbh_pipeline *p, int64_t id, float *x)
{
    LBH_TRY(lbh_pipeline_check_trained(p, 1, x));
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
