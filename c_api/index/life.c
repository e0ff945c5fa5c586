/* life.c: what happens to an index after it was built: removing, looking up, emptying, merging. */
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
