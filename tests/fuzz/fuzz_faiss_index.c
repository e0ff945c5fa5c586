/* fuzz_faiss_index.c: FAISS's files of binary indexes. What our check of the structure lets pass is
 * given to FAISS, which believes every number, and searched; the kinds that the check does not know
 * are left to whoever trusts them, and here out. */
#include "fuzz.h"

#include "file_check.h"
#include "index_parts.h"

#include <string.h>

enum { QUERIES = 3, K = 4 };

static void search(FaissIndexBinary *index)
{
    size_t code_size = lbh_index_code_size(index);
    uint8_t *queries = calloc(QUERIES, code_size + LBH_CODE_PAD);
    int32_t distances[QUERIES * K];
    int64_t labels[QUERIES * K];
    memset(queries, 0x5a, code_size);
    memset(queries + code_size, 0xff, code_size);
    (void)lbh_index_search_codes(index, code_size, QUERIES, queries, K, distances, labels);
    (void)lbh_index_ntotal(index);
    free(queries);
}

/* `nflip` of many bits makes a search long, as it may. */
static int is_slow(const FaissIndexBinary *index)
{
    lbh_index_info info = lbh_gap_info(index);
    return info.kind == LBH_KIND_HASH || info.kind == LBH_KIND_MULTIHASH;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool whole;
    if (lbh_file_check("index", data, size, &whole) != LBH_OK || !whole)
        return 0;
    FaissIndexBinary *index = NULL;
    if (lbh_index_load(&index, fuzz_file(".faiss", data, size)) != LBH_OK)
        return 0;
    if (is_slow(index))
        (void)lbh_index_set(index, "nflip=1");
    search(index);
    lbh_index_free(index);
    return 0;
}
