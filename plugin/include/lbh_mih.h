/* lbh_mih.h: multi-index hashing: exact search in Hamming space without looking at every code.
 *
 * M. Norouzi, A. Punjani, D. J. Fleet, "Fast Search in Hamming Space with Multi-Index Hashing",
 * CVPR 2012. A code of nbits bits is cut into m substrings, and a table for each substring leads
 * from its value to the codes that have it. By the pigeonhole principle, a code at distance
 * d <= m r + a (0 <= a < m) of the query is within r of it in one of the first a + 1 substrings, or
 * within r - 1 in one of the others. So the tables are asked for all values within 0, 1, 2, ...
 * flips of the query's substrings, until no code that was not seen can be among the k nearest.
 *
 *     lbh_mih *mih = NULL;
 *     if (lbh_mih_build(&mih, 8, n, codes, NULL, 0) ||             // n codes of 64 bits
 *         lbh_mih_search(mih, nq, queries, 10, distances, labels, NULL))
 *         fprintf(stderr, "%s\n", lbh_last_error());
 *     lbh_mih_free(mih);
 *
 * The answers are those of the exhaustive search, ties by id included, on any data: a query that
 * would cost more than reading all codes is answered by reading all codes, and counted as such in
 * lbh_mih_stats. It pays for short codes (up to about 128 bits) of many rows (a million and more)
 * that have near neighbours; single queries gain most.
 *
 * Memory: for each code its own bytes, its row in log2 n bits, and 8 bytes more if it has an id. Each substring but
 * the first takes, for codes of up to 8 bytes, the rest of the code without a prefix of the substring, and for longer
 * ones 56 + log2 n bits; each takes its share of a directory, up to 1 byte, for longer codes up to 3. With the default
 * number of substrings and 400,000 codes or more, codes of 8 bytes take less than 24 bytes each. Codes that come again
 * take only their own bytes and row.
 *
 * FAISS's own kind of this index (IndexBinaryMultiHash, approximate) comes of the same codes by
 * lbh_index_build_codes(&index, code_size, "BHash4x16", n, lbh_mih_codes(mih)) of lbh_faiss.h.
 *
 * Conventions as in lbh.h. Searching one index from several threads at once is safe; changing it
 * (lbh_mih_add) is not.
 */
#ifndef LBH_MIH_H
#define LBH_MIH_H

#include "lbh_scan.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lbh_mih lbh_mih;

/* ---- Make, fill, free ---------------------------------------------------------------------- */

/* Builds an index of codes[n * code_size] (copied), n < 2^32 - 1, code_size 1 .. 1024. ids[n]:
 * labels of the codes, none negative; NULL: 0 .. n-1. substrings: their number m, so that each has
 * at most 32 bits; 0 chooses substrings of about log2 n bits, which the paper finds best.
 * LBH_EINVAL, LBH_ENOMEM. */
LBH_API int lbh_mih_build(lbh_mih **mih, size_t code_size, int64_t n, const uint8_t *codes,
                          const int64_t *ids, int substrings);

/* Adds codes[n * code_size]. ids[n] if the index was built with ids; NULL if it was not: they
 * become ntotal, ntotal + 1, ... Costs as much as building anew, and chooses the substrings anew:
 * add in large portions. On error the index is as it was. LBH_EINVAL, LBH_ENOMEM. */
LBH_API int lbh_mih_add(lbh_mih *mih, int64_t n, const uint8_t *codes, const int64_t *ids);

/* NULL is fine. */
LBH_API void lbh_mih_free(lbh_mih *mih);

/* Number of codes; bytes a code; number of substrings; bytes of memory (or of the file). */
LBH_API int64_t lbh_mih_ntotal(const lbh_mih *mih);
LBH_API size_t lbh_mih_code_size(const lbh_mih *mih);
LBH_API int lbh_mih_substrings(const lbh_mih *mih);
LBH_API size_t lbh_mih_bytes(const lbh_mih *mih);

/* The codes, ntotal * code_size bytes, by rising id; their ids, or NULL if they are 0 .. ntotal-1.
 * Owned by the index, which keeps the codes in another order: the first call of lbh_mih_codes makes a copy, which
 * lbh_mih_bytes does not count. NULL if there are no codes, or (see lbh_last_error) no memory for it. */
LBH_API const uint8_t *lbh_mih_codes(const lbh_mih *mih);
LBH_API const int64_t *lbh_mih_ids(const lbh_mih *mih);

/* ---- Search -------------------------------------------------------------------------------- */

/* What searches did, added to whatever the struct holds: zero it before the first. */
typedef struct lbh_mih_stats {
    int64_t queries;    /* queries answered */
    int64_t scanned;    /* of these, by reading all codes: the tables would have cost more */
    int64_t buckets;    /* values looked up in tables */
    int64_t candidates; /* codes found there, repeats included */
    int64_t checked;    /* of these, those near enough in part to be looked at in full */
} lbh_mih_stats;

/* Finds the k nearest codes of each of nq queries[nq * code_size]. distances[nq * k] are Hamming
 * distances, rising, equal ones by rising id; labels[nq * k] are ids. Missing answers are label -1,
 * distance INT32_MAX. stats may be NULL. Several queries are shared among the threads of OpenMP.
 * LBH_EINVAL, LBH_ENOMEM; LBH_EFORMAT if the index lies in a file that turns out to be damaged:
 * then the outputs hold nothing of use. */
LBH_API int lbh_mih_search(const lbh_mih *mih, int64_t nq, const uint8_t *queries, int64_t k,
                           int32_t *distances, int64_t *labels, lbh_mih_stats *stats);

/* Finds all codes at a distance < radius of each query (strictly, as in FAISS; none if radius <= 0).
 * The caller owns *result, which is as that of lbh_hamming_range, and frees it with
 * lbh_range_result_free. Errors as of lbh_mih_search. */
LBH_API int lbh_mih_range(lbh_range_result **result, const lbh_mih *mih, int64_t nq,
                          const uint8_t *queries, int32_t radius, lbh_mih_stats *stats);

/* ---- Files --------------------------------------------------------------------------------- */

/* Writes the index to a temporary file that is synced and renamed over `path`: a crash leaves the
 * old or the new file, whole. LBH_EIO. */
LBH_API int lbh_mih_save(const lbh_mih *mih, const char *path);

/* Maps an index file into memory: it is there at once, and its pages are read as searches need
 * them. (A file of version 1, which libraries up to 0.1.0 wrote, is read as a whole and built anew;
 * save it again.) The header and all sizes are checked here, every offset when it is used, so that a
 * damaged or hostile file gives LBH_EFORMAT and no wild read; the contents are only looked at by
 * lbh_mih_verify. The file must not be cut while it is mapped (lbh_mih_save replaces it, which is
 * fine). LBH_EIO, LBH_EFORMAT. */
LBH_API int lbh_mih_load(lbh_mih **mih, const char *path);

/* Reads the whole of a loaded index and compares its checksum: LBH_EFORMAT if a bit has changed.
 * LBH_OK for an index that was built here. */
LBH_API int lbh_mih_verify(const lbh_mih *mih);

#ifdef __cplusplus
}
#endif
#endif
