/* life.c: what happens to an index after it was built: removing, looking up, emptying, merging; and
 * searches among some of its ids. */
#include "index_parts.h"

#include "faiss_gap_codes.h"
#include "faiss_gap_life.h"

#include <stdlib.h>
#include <string.h>

int lbh_index_remove(FaissIndexBinary *index, int64_t n, const int64_t *ids, int64_t *removed)
{
    int64_t count = 0;
    LBH_TRY(lbh_check_changeable(index));
    LBH_TRY(lbh_check_rows("remove", n, ids));
    if (n > 0)
        LBH_TRY(lbh_gap_remove_ids(index, n, ids, &count));
    if (removed)
        *removed = count;
    return LBH_OK;
}

int lbh_index_reconstruct(const FaissIndexBinary *index, int64_t id, uint8_t *code)
{
    if (!index || !code)
        return lbh_error(LBH_EINVAL, "reconstruct: no index, or no place for the code, given");
    return lbh_gap_code(index, id, code);
}

int lbh_index_reset(FaissIndexBinary *index)
{
    LBH_TRY(lbh_check_changeable(index));
    return lbh_gap_reset(index);
}

/* The ids that `other` brings into an index: none above 2^63 - 1, and none that lives there. Places
 * are not given but counted: add_id 0 asks for nothing, and ntotal for what comes anyway. */
static int check_merged_ids(const FaissIndexBinary *index, const FaissIndexBinary *other,
                            int64_t add_id)
{
    lbh_index_info info = lbh_gap_info(index);
    int64_t total = lbh_index_ntotal(index), least, greatest, first, last, twice = -1;
    if (info.kind == LBH_KIND_HNSW && lbh_index_ntotal(other) > INT32_MAX - total)
        return lbh_error(LBH_EINVAL, "BHNSW: holds %d codes at most", INT32_MAX);
    if (!lbh_keeps_ids(&info))
        return add_id == 0 || add_id == total
                   ? LBH_OK
                   : lbh_error(LBH_EINVAL, "merge: %s keeps no ids: they go on from %lld, and add_id "
                               "(%lld) cannot be added to them", lbh_index_kind(index),
                               (long long)total, (long long)add_id);
    LBH_TRY(lbh_gap_id_range(other, &least, &greatest));
    if (greatest < 0)
        return LBH_OK;
    if (add_id > INT64_MAX - greatest)
        return lbh_error(LBH_EINVAL, "merge: add_id (%lld) takes id %lld beyond 2^63 - 1",
                         (long long)add_id, (long long)greatest);
    LBH_TRY(lbh_gap_id_range(index, &first, &last));
    if (least + add_id <= last && first <= greatest + add_id)
        LBH_TRY(lbh_gap_common_id(index, other, add_id, &twice));
    return twice < 0 ? LBH_OK
                     : lbh_error(LBH_EINVAL, "merge: with add_id %lld both indexes have id %lld",
                                 (long long)add_id, (long long)twice);
}

int lbh_index_merge(FaissIndexBinary *index, FaissIndexBinary *other, int64_t add_id)
{
    LBH_TRY(lbh_check_changeable(index));
    LBH_TRY(lbh_check_changeable(other));
    if (index == other)
        return lbh_error(LBH_EINVAL, "merge: an index cannot be merged into itself");
    if (add_id < 0)
        return lbh_error(LBH_EINVAL, "merge: add_id (%lld) is negative", (long long)add_id);
    if (!lbh_gap_mergeable(index, other))
        return lbh_error(
            LBH_EINVAL,
            "merge: %s and %s do not fit: they must have the same kind, code size and "
            "parameters, and BIVF the same trained lists (load one trained index twice)",
            lbh_index_kind(index), lbh_index_kind(other));
    LBH_TRY(check_merged_ids(index, other, add_id));
    return lbh_gap_merge(index, other, add_id);
}

/* ---- Searches among some ids --------------------------------------------------------------- */

/* FAISS filters binary indexes in few kinds and late versions only. Here the answers of a plain
 * search are filtered, and queries that lack some are asked for 4 times as many. */
typedef struct filtering {
    const FaissIndexBinary *index;
    size_t code_size;
    int64_t k;
    lbh_filter_fn allows;
    const void *ctx;
    int32_t *distances; /* n x k */
    int64_t *labels;
} filtering;

enum { MAX_ANSWERS = 1 << 22 }; /* of one plain search: 50 MB */

/* Copies allowed answers of one query; 1 if it needs no more of them: it has k, or there are none.
 */
static int keep_allowed(const filtering *f, int64_t query, int64_t want, const int32_t *distances,
                        const int64_t *labels)
{
    int32_t *d = f->distances + query * f->k;
    int64_t *l = f->labels + query * f->k, found = 0;
    for (int64_t j = 0; j < want && labels[j] >= 0 && found < f->k; j++)
        if (f->allows(f->ctx, labels[j])) {
            d[found] = distances[j];
            l[found++] = labels[j];
        }
    int complete = found == f->k || labels[want - 1] < 0;
    for (; found < f->k; found++) {
        d[found] = INT32_MAX;
        l[found] = -1;
    }
    return complete;
}

/* Asks each of the m queries for `want` answers; the ones that need more stay in queries[0 ..
 * *m-1]. */
static int ask(const filtering *f, const uint8_t *codes, int64_t want, int64_t *queries, int64_t *m)
{
    int64_t block = MAX_ANSWERS / want, left = 0;
    block = block < 1 ? 1 : block > *m ? *m : block;
    uint8_t *some = lbh_alloc_rows(block, f->code_size, 0);
    int32_t *distances = lbh_alloc_rows(block * want, sizeof *distances, 0);
    int64_t *labels = lbh_alloc_rows(block * want, sizeof *labels, 0);
    int rc = some && distances && labels ? LBH_OK : LBH_ENOMEM;
    for (int64_t i = 0; i < *m && rc == LBH_OK; i += block) {
        int64_t count = *m - i < block ? *m - i : block;
        for (int64_t j = 0; j < count; j++)
            memcpy(some + (size_t)j * f->code_size, codes + (size_t)queries[i + j] * f->code_size,
                   f->code_size);
        rc = lbh_index_search_codes(f->index, f->code_size, count, some, want, distances, labels);
        for (int64_t j = 0; j < count && rc == LBH_OK; j++)
            if (!keep_allowed(f, queries[i + j], want, distances + j * want, labels + j * want))
                queries[left++] = queries[i + j];
    }
    free(some);
    free(distances);
    free(labels);
    *m = left;
    return rc;
}

int lbh_index_search_filtered_codes(const FaissIndexBinary *index, size_t code_size, int64_t n,
                                    const uint8_t *codes, int64_t k, lbh_filter_fn filter,
                                    const void *ctx, int32_t *distances, int64_t *labels)
{
    if (!filter)
        return lbh_error(LBH_EINVAL, "search: no filter given");
    /* Its checks, with nothing to search. */
    LBH_TRY(lbh_index_search_codes(index, code_size, 0, NULL, k, distances, labels));
    LBH_TRY(lbh_check_codes(index, code_size, n, codes));
    if (n > 0 && (!distances || !labels))
        return lbh_error(LBH_EINVAL, "search: no place for the answers given");
    filtering f = {index, code_size, k, filter, ctx, distances, labels};
    int64_t total = lbh_index_ntotal(index), m = n;
    int64_t *queries = lbh_alloc_rows(n, sizeof *queries, 0);
    if (!queries)
        return LBH_ENOMEM;
    for (int64_t i = 0; i < n; i++)
        queries[i] = i;
    int rc = LBH_OK;
    int64_t want = k < total / 2 ? 2 * k : total;
    for (want = want < 1 ? 1 : want; m > 0 && rc == LBH_OK;
         want = 4 * want < total ? 4 * want : total) {
        rc = ask(&f, codes, want, queries, &m);
        if (want >= total)
            break;
    }
    free(queries);
    return rc;
}

int lbh_index_search_filtered(const FaissIndexBinary *index, const lbh_encoder *enc, int64_t n,
                              const float *x, int64_t k, lbh_filter_fn filter, const void *ctx,
                              int32_t *distances, int64_t *labels)
{
    LBH_TRY(lbh_check_encoder_fits(index, enc, n, x));
    uint8_t *codes;
    LBH_TRY(lbh_encode_padded(&codes, enc, lbh_encoder_encode_queries, n, x));
    int rc = lbh_index_search_filtered_codes(index, lbh_encoder_code_size(enc), n, codes, k, filter,
                                             ctx, distances, labels);
    free(codes);
    return rc;
}
