/* rescored.c: a shortlist by Hamming distance from any binary index, and the rescorer over it. */
#include "pipeline.h"

#include "watch.h"
#include "faiss_gap_codes.h"
#include "index_parts.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

/* Bytes of candidates that are held at a time, about: queries come in blocks. */
static const int64_t max_block = INT64_C(1) << 24;
enum { MAX_BLOCK_QUERIES = 1024, STOCK_BLOCK = 256 }; /* and between two looks at whether to stop */

typedef struct buffers {
    uint8_t *queries; /* codes, padded */
    uint8_t *codes;   /* of the candidates */
    int32_t *hamming;
    int64_t *labels;
} buffers;

typedef struct rescored {
    const FaissIndexBinary *index;
    const lbh_rescorer *rescorer;
    size_t code_size;
    int64_t m, keep, k; /* candidates, vectors read, answers of a query */
    bool needs_codes;
    lbh_filter_fn filter; /* or NULL */
    const void *ctx;
} rescored;

/* ceil(k * factor), at most ntotal. */
static int64_t times(int64_t k, double factor, int64_t ntotal)
{
    double m = ceil((double)k * factor - 1e-9);
    return m < (double)ntotal ? (int64_t)m : ntotal;
}

static int check(const FaissIndexBinary *index, const lbh_rescorer *r, lbh_shortlist shortlist,
                 int64_t n, const float *x, int64_t k, const float *distances,
                 const int64_t *labels)
{
    if (!r)
        return lbh_error(LBH_EINVAL, "search: no rescorer given");
    LBH_TRY(lbh_check_encoder_fits(index, lbh_rescorer_encoder(r), n, x));
    if (k < 1 || k > INT32_MAX)
        return lbh_error(LBH_EINVAL, "search: k (%lld) must be within 1..%d", (long long)k,
                         INT32_MAX);
    if (n > 0 && (!distances || !labels))
        return lbh_error(LBH_EINVAL, "search: no place for the answers given");
    bool all = shortlist.k_factor <= 0 && shortlist.k_factor >= 0;
    if (!all && !(shortlist.k_factor >= 1 && shortlist.k_factor <= 1e6))
        return lbh_error(LBH_EINVAL, "search: k_factor (%g) must be within 1..1000000, or 0 for all",
                         shortlist.k_factor);
    if (!(shortlist.margin_factor >= 1 && shortlist.margin_factor <= 1000))
        return lbh_error(LBH_EINVAL, "search: margin_factor (%g) must be within 1..1000",
                         shortlist.margin_factor);
    if (!faiss_IndexBinary_is_trained(index))
        return lbh_error(LBH_ESTATE, "%s: the index is not trained", lbh_index_kind(index));
    return LBH_OK;
}

/* Whether the index's search is ours, over one array of codes whose ids are their places. */
static bool is_array(const FaissIndexBinary *index, const lbh_index_info *info)
{
    return info->kind == LBH_KIND_FLAT && !info->idmap && lbh_index_is_accelerated(index);
}

static int search_array(const rescored *s, const FaissIndexBinary *inner, int64_t n, const float *x,
                        float *distances, int64_t *labels)
{
    int64_t size;
    const uint8_t *codes;
    const int64_t *ids;
    LBH_TRY(lbh_gap_list(inner, 0, &size, &codes, &ids));
    return lbh_rescorer_search(s->rescorer, size, codes, n, x, s->m, s->keep, s->k, distances, labels);
}

static int search_block(const rescored *s, buffers *b, int64_t n, const float *x, float *distances,
                        int64_t *labels)
{
    const lbh_encoder *enc = lbh_rescorer_encoder(s->rescorer);
    LBH_TRY(lbh_encode_padded(&b->queries, enc, lbh_encoder_encode_queries, n, x));
    int rc;
    if (s->filter)
        rc = lbh_search_allowed(s->index, s->code_size, n, b->queries, s->m, s->filter, s->ctx,
                                b->hamming, b->labels, s->needs_codes ? b->codes : NULL);
    else if (s->needs_codes)
        rc = lbh_gap_search_codes(s->index, n, b->queries, s->m, b->hamming, b->labels, b->codes);
    else
        rc = lbh_index_search_codes(s->index, s->code_size, n, b->queries, s->m, b->hamming,
                                    b->labels);
    free(b->queries);
    b->queries = NULL;
    if (rc)
        return rc;
    return lbh_rescorer_rank(s->rescorer, n, x, s->m, s->needs_codes ? b->codes : NULL, b->labels,
                             s->keep, s->k, distances, labels);
}

static int search_blocks(const rescored *s, int64_t n, const float *x, float *distances,
                         int64_t *labels)
{
    int64_t d = lbh_encoder_d(lbh_rescorer_encoder(s->rescorer));
    int64_t block = max_block / ((s->m + 1) * (int64_t)(s->code_size + 12)) + 1;
    int64_t most = lbh_index_is_accelerated(s->index) ? MAX_BLOCK_QUERIES : STOCK_BLOCK;
    block = block > most ? most : block > n ? n : block;
    buffers b = {0};
    b.codes = lbh_alloc_rows(s->needs_codes ? block * s->m : 0, s->code_size, 0);
    b.hamming = lbh_alloc_rows(block * s->m, sizeof *b.hamming, 0);
    b.labels = lbh_alloc_rows(block * s->m, sizeof *b.labels, 0);
    int rc = b.codes && b.hamming && b.labels ? LBH_OK : LBH_ENOMEM;
    for (int64_t i = 0; i < n && !rc; i += block) {
        rc = lbh_watch_step(i);
        if (!rc)
            rc = search_block(s, &b, n - i < block ? n - i : block, x + i * d,
                              distances + i * s->k, labels + i * s->k);
    }
    free(b.codes);
    free(b.hamming);
    free(b.labels);
    return rc;
}

int lbh_search_rescored_allowed(const FaissIndexBinary *index, const lbh_rescorer *rescorer,
                                lbh_shortlist shortlist, lbh_filter_fn filter, const void *ctx,
                                int64_t n, const float *x, int64_t k, float *distances,
                                int64_t *labels)
{
    LBH_TRY(check(index, rescorer, shortlist, n, x, k, distances, labels));
    int64_t ntotal = lbh_index_ntotal(index);
    bool vectors = lbh_rescorer_mode(rescorer) == LBH_RESCORE_FLOAT;
    rescored s = {.index = index, .rescorer = rescorer, .k = k, .filter = filter, .ctx = ctx,
                  .code_size = lbh_index_code_size(index)};
    s.keep = times(k, shortlist.k_factor, ntotal);
    s.m = vectors ? times(s.keep, shortlist.margin_factor, ntotal) : s.keep;
    s.needs_codes = !vectors || s.m > s.keep;
    if (n == 0)
        return LBH_OK;
    if (ntotal == 0) /* no candidates: missing answers */
        return lbh_rescorer_rank(rescorer, n, x, 0, (const uint8_t *)"", NULL, 0, k, distances,
                                 labels);
    if (shortlist.k_factor < 1)
        return lbh_search_visited(index, rescorer, filter, ctx, n, x, k, distances, labels);
    lbh_index_info info = lbh_gap_info(index);
    if (!filter && is_array(index, &info))
        return search_array(&s, info.inner, n, x, distances, labels);
    lbh_watch_begin("search", n);
    return lbh_watch_end(search_blocks(&s, n, x, distances, labels));
}

int lbh_index_search_rescored(const FaissIndexBinary *index, const lbh_rescorer *rescorer,
                              lbh_shortlist shortlist, int64_t n, const float *x, int64_t k,
                              float *distances, int64_t *labels)
{
    return lbh_search_rescored_allowed(index, rescorer, shortlist, NULL, NULL, n, x, k, distances,
                                       labels);
}
