/* faiss_gap_life.h: PRIVATE. Changes to an index, and files that stay where they are;
 * as faiss_gap.h. */
#ifndef LBH_FAISS_GAP_LIFE_H
#define LBH_FAISS_GAP_LIFE_H

#include "lbh_faiss.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Adds, with ids unless they are NULL (an IDMap needs them). After an error the index is as it was,
 * but for BHash with ids of the caller's own, which may have some of the codes. */
int lbh_gap_add(FaissIndexBinary *index, int64_t n, const uint8_t *codes, const int64_t *ids);

/* Removes what has one of these ids; their number to *removed. Nothing is changed where FAISS
 * cannot (BHNSW, the hash kinds). */
int lbh_gap_remove_ids(FaissIndexBinary *index, int64_t n, const int64_t *ids, int64_t *removed);

/* Removes everything but what was learned. */
int lbh_gap_reset(FaissIndexBinary *index);

/* The least and the greatest id of a kind that keeps ids (IDMap, BIVF, BHash): *least = INT64_MAX and
 * *greatest = -1 where there are none. For other kinds, whose ids are places: 0 and ntotal - 1. */
int lbh_gap_id_range(const FaissIndexBinary *index, int64_t *least, int64_t *greatest);
/* Whether an id of `other`, with add_id added, is one of `index`: that id to *id, else -1. Both keep
 * ids, and no sum overflows. */
int lbh_gap_common_id(const FaissIndexBinary *index, const FaissIndexBinary *other, int64_t add_id,
                      int64_t *id);

/* 1 if the two are of one kind with the same parameters and lists. */
int lbh_gap_mergeable(const FaissIndexBinary *index, const FaissIndexBinary *other);
/* Moves all codes of `other`, which is mergeable, to the end of `index`; add_id is added to their
 * ids where the kind keeps ids. */
int lbh_gap_merge(FaissIndexBinary *index, FaissIndexBinary *other, int64_t add_id);

/* Reads an index whose codes stay in the file. LBH_EFAISS if this FAISS cannot do so for the kind.
 */
int lbh_gap_read_mapped(FaissIndexBinary **index, const char *path);
/* 1 if codes are in a mapped file: FAISS ends the process when such an index is changed. */
int lbh_gap_is_mapped(const FaissIndexBinary *index);

#ifdef __cplusplus
}
#endif
#endif
