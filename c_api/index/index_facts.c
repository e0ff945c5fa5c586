/* index_facts.c: what an index is: its kind, its sizes, whether it can change. */
#include "index_parts.h"

#include "faiss_gap_life.h"

int64_t lbh_index_ntotal(const FaissIndexBinary *index)
{
    return index ? faiss_IndexBinary_ntotal(index) : 0;
}

size_t lbh_index_code_size(const FaissIndexBinary *index)
{
    return index ? (size_t)faiss_IndexBinary_d(index) / 8 : 0;
}

const char *lbh_index_kind(const FaissIndexBinary *index)
{
    static const char *const names[LBH_KIND_COUNT][3] = {
        [LBH_KIND_OTHER] = {"other", "IDMap,other", "IDMap2,other"},
        [LBH_KIND_FLAT] = {"BFlat", "IDMap,BFlat", "IDMap2,BFlat"},
        [LBH_KIND_IVF] = {"BIVF", "IDMap,BIVF", "IDMap2,BIVF"},
        [LBH_KIND_HNSW] = {"BHNSW", "IDMap,BHNSW", "IDMap2,BHNSW"},
        [LBH_KIND_HASH] = {"BHash", "IDMap,BHash", "IDMap2,BHash"},
        [LBH_KIND_MULTIHASH] = {"BMultiHash", "IDMap,BMultiHash", "IDMap2,BMultiHash"},
        [LBH_KIND_FROM_FLOAT] = {"BFromFloat", "IDMap,BFromFloat", "IDMap2,BFromFloat"},
    };
    if (!index)
        return "none";
    lbh_index_info info = lbh_gap_info(index);
    return names[info.kind][info.idmap];
}

int lbh_check_changeable(const FaissIndexBinary *index)
{
    if (!index)
        return lbh_error(LBH_EINVAL, "index: no index given");
    if (lbh_gap_is_mapped(index))
        return lbh_error(LBH_ESTATE,
                         "%s: its codes are in a mapped file; load it with lbh_index_load "
                         "to change it",
                         lbh_index_kind(index));
    return LBH_OK;
}
