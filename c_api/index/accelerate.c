/* accelerate.c: stock indexes with the search of liblbh in them. */
#include "index_parts.h"

#include "faiss_gap_accelerate.h"

int lbh_index_accelerate(FaissIndexBinary **index)
{
    if (!index || !*index)
        return lbh_error(LBH_EINVAL, "index: no index given");
    return lbh_gap_accelerate(index);
}

int lbh_index_is_accelerated(const FaissIndexBinary *index)
{
    return index ? lbh_gap_is_accelerated(index) : 0;
}
