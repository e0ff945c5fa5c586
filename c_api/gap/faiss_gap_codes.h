/* faiss_gap_codes.h: PRIVATE. Codes found in an index, and out of it; as faiss_gap.h. */
#ifndef LBH_FAISS_GAP_CODES_H
#define LBH_FAISS_GAP_CODES_H

#include "lbh_faiss.h"

#include <faiss/c_api/impl/AuxIndexStructures_c.h>

#ifdef __cplusplus
extern "C" {
#endif

/* FAISS's searches. The caller frees *result (faiss_RangeSearchResult_free). */
int lbh_gap_search(const FaissIndexBinary *index, int64_t n, const uint8_t *codes, int64_t k,
                   int32_t *distances, int64_t *labels);
int lbh_gap_range_search(FaissRangeSearchResult **result, const FaissIndexBinary *index, int64_t n,
                         const uint8_t *codes, int32_t radius);

/* Searches for k answers to each of n queries, as FAISS's search does, and hands out the codes of
 * the answers as well, codes[n * k * code_size] (anything where the label is -1). The index is not
 * empty; LBH_CODE_PAD bytes are readable after the queries. Needs no memory in the index: no direct
 * map, no IDMap2. LBH_EFAISS for kinds that keep no codes. */
int lbh_gap_search_codes(const FaissIndexBinary *index, int64_t n, const uint8_t *queries,
                         int64_t k, int32_t *distances, int64_t *labels, uint8_t *codes);

/* The code of one id. Looks through all codes where FAISS has no map (BIVF, BHash, IDMap).
 * LBH_EINVAL if there is no such id. */
int lbh_gap_code(const FaissIndexBinary *index, int64_t id, uint8_t *code);

/* What is stored in list `list` of BIVF, or in BFlat, not under an IDMap: size codes, and their ids
 * (BFlat: NULL, they are 0, 1, ...). Valid until lbh_gap_release_list, which takes the same pointers, and
 * while the index does not change. */
int lbh_gap_list(const FaissIndexBinary *inner, int64_t list, int64_t *size, const uint8_t **codes,
                 const int64_t **ids);
void lbh_gap_release_list(const FaissIndexBinary *inner, int64_t list, const uint8_t *codes,
                          const int64_t *ids);

/* ids[n] of the inner index become those of the index, which may be an IDMap. */
void lbh_gap_map_ids(const FaissIndexBinary *index, int64_t n, int64_t *ids);

#ifdef __cplusplus
}
#endif
#endif
