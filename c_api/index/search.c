/* search.c: k nearest codes, and all codes within a radius. */
#include "index_parts.h"

#include "watch.h"

#include "faiss_gap_codes.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* FAISS's BHNSW counts answers (queries x k) in an int. */
static const int64_t max_answers_a_call = INT64_C(1) << 30;

/* Queries between two looks at whether to stop, where FAISS's own search does not look. */
enum { STOCK_BLOCK = 256 };

static int check_ready(const FaissIndexBinary *index)
{
    if (!faiss_IndexBinary_is_trained(index))
        return lbh_error(LBH_ESTATE, "%s: the index is not trained", lbh_index_kind(index));
    return LBH_OK;
}

static int check_search(int64_t n, int64_t k, const int32_t *distances, const int64_t *labels)
{
    if (k < 1 || k > INT32_MAX)
        return lbh_error(LBH_EINVAL, "search: k (%lld) must be within 1..%d", (long long)k,
                         INT32_MAX);
    if (n > INT64_MAX / 16 / k)
        return lbh_error(LBH_EINVAL, "search: %lld queries with k = %lld are beyond all memory",
                         (long long)n, (long long)k);
    if (n > 0 && (!distances || !labels))
        return lbh_error(LBH_EINVAL, "search: no place for the answers given");
    return LBH_OK;
}

/* Everything is checked and guarded. */
static int search_checked(const FaissIndexBinary *index, size_t code_size, int64_t n,
                          const uint8_t *codes, int64_t k, int32_t *distances, int64_t *labels)
{
    if (faiss_IndexBinary_ntotal(index) == 0) { /* an empty BHNSW has no point to enter by */
        for (int64_t i = 0; i < n * k; i++) {
            distances[i] = INT32_MAX;
            labels[i] = -1;
        }
        return LBH_OK;
    }
    int64_t block = max_answers_a_call / k;
    bool ours = lbh_index_is_accelerated(index) && lbh_gap_info(index).kind != LBH_KIND_HNSW;
    if (!ours && block > STOCK_BLOCK)
        block = STOCK_BLOCK;
    block = block < 1 ? 1 : block;
    for (int64_t i = 0; i < n; i += block) {
        int64_t m = n - i < block ? n - i : block;
        LBH_TRY(lbh_watch_step(i));
        LBH_TRY(lbh_gap_search(index, m, codes + (size_t)i * code_size, k, distances + i * k,
                               labels + i * k));
    }
    return n ? lbh_sort_int(n, k, distances, labels) : LBH_OK;
}

int lbh_index_search_codes(const FaissIndexBinary *index, size_t code_size, int64_t n,
                           const uint8_t *codes, int64_t k, int32_t *distances, int64_t *labels)
{
    LBH_TRY(lbh_check_codes(index, code_size, n, codes));
    LBH_TRY(check_search(n, k, distances, labels));
    LBH_TRY(check_ready(index));
    const uint8_t *use;
    uint8_t *copy;
    LBH_TRY(lbh_guard_codes(&use, &copy, index, n, code_size, codes));
    lbh_watch_begin("search", n);
    int rc = search_checked(index, code_size, n, use, k, distances, labels);
    free(copy);
    return lbh_watch_end(rc);
}

int lbh_index_search(const FaissIndexBinary *index, const lbh_encoder *enc, int64_t n,
                     const float *x, int64_t k, int32_t *distances, int64_t *labels)
{
    LBH_TRY(lbh_check_encoder_fits(index, enc, n, x));
    LBH_TRY(check_search(n, k, distances, labels));
    LBH_TRY(check_ready(index));
    lbh_watch_begin("search", n);
    uint8_t *codes = NULL;
    int rc = lbh_encode_padded(&codes, enc, lbh_encoder_encode_queries, n, x);
    if (!rc)
        rc = search_checked(index, lbh_encoder_code_size(enc), n, codes, k, distances, labels);
    free(codes);
    return lbh_watch_end(rc);
}

/* ---- Range search -------------------------------------------------------------------------- */

static lbh_range_result *new_result(int64_t n, size_t total)
{
    lbh_range_result *r = calloc(1, sizeof *r);
    if (r) {
        r->n = n;
        r->lims = calloc((size_t)n + 1, sizeof *r->lims);
        r->distances = malloc((total + 1) * sizeof *r->distances);
        r->labels = malloc((total + 1) * sizeof *r->labels);
    }
    if (!r || !r->lims || !r->distances || !r->labels) {
        lbh_range_result_free(r);
        lbh_error(LBH_ENOMEM, "range search: no memory for %zu answers", total);
        return NULL;
    }
    return r;
}

/* Copies FAISS's result (distances as floats, in any order) into ours. */
static int take_result(lbh_range_result **result, FaissRangeSearchResult *from, int64_t n)
{
    size_t *lims;
    int64_t *labels;
    float *distances;
    faiss_RangeSearchResult_lims(from, &lims);
    faiss_RangeSearchResult_labels(from, &labels, &distances);
    lbh_range_result *r = new_result(n, lims[n]);
    if (!r)
        return LBH_ENOMEM;
    for (int64_t i = 0; i <= n; i++)
        r->lims[i] = (int64_t)lims[i];
    for (size_t j = 0; j < lims[n]; j++) {
        r->distances[j] = (int32_t)distances[j];
        r->labels[j] = labels[j];
    }
    for (int64_t i = 0; i < n; i++) {
        int64_t first = r->lims[i], count = r->lims[i + 1] - first;
        int rc = count ? lbh_sort_int(1, count, r->distances + first, r->labels + first) : LBH_OK;
        if (rc != LBH_OK) {
            lbh_range_result_free(r);
            return rc;
        }
    }
    *result = r;
    return LBH_OK;
}

static int check_range(lbh_range_result **result, const FaissIndexBinary *index)
{
    if (!result)
        return lbh_error(LBH_EINVAL, "range search: nowhere to put the result");
    lbh_kind kind = lbh_gap_info(index).kind;
    if (kind == LBH_KIND_HNSW || kind == LBH_KIND_FROM_FLOAT)
        return lbh_error(LBH_EFAISS, "%s: FAISS has no range search for this kind of index",
                         lbh_index_kind(index));
    return check_ready(index);
}

/* Everything is checked and guarded. */
static int range_checked(lbh_range_result **result, const FaissIndexBinary *index, int64_t n,
                         const uint8_t *codes, int32_t radius)
{
    if (n == 0 || radius <= 0 || faiss_IndexBinary_ntotal(index) == 0) {
        lbh_range_result *empty = new_result(n, 0);
        if (empty)
            *result = empty;
        return empty ? LBH_OK : LBH_ENOMEM;
    }
    FaissRangeSearchResult *found = NULL;
    LBH_TRY(lbh_gap_range_search(&found, index, n, codes, radius));
    int rc = take_result(result, found, n);
    faiss_RangeSearchResult_free(found);
    return rc;
}

int lbh_index_range_search_codes(lbh_range_result **result, const FaissIndexBinary *index,
                                 size_t code_size, int64_t n, const uint8_t *codes, int32_t radius)
{
    LBH_TRY(lbh_check_codes(index, code_size, n, codes));
    LBH_TRY(check_range(result, index));
    const uint8_t *use;
    uint8_t *copy;
    LBH_TRY(lbh_guard_codes(&use, &copy, index, n, code_size, codes));
    int rc = range_checked(result, index, n, use, radius);
    free(copy);
    return rc;
}

int lbh_index_range_search(lbh_range_result **result, const FaissIndexBinary *index,
                           const lbh_encoder *enc, int64_t n, const float *x, int32_t radius)
{
    LBH_TRY(lbh_check_encoder_fits(index, enc, n, x));
    LBH_TRY(check_range(result, index));
    uint8_t *codes;
    LBH_TRY(lbh_encode_padded(&codes, enc, lbh_encoder_encode_queries, n, x));
    int rc = range_checked(result, index, n, codes, radius);
    free(codes);
    return rc;
}
