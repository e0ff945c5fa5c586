/* lbh_scan.h: exhaustive Hamming search over packed codes, at the speed of the hardware.
 *
 * Codes lie one after another, code_size bytes each, as lbh_encoder_encode writes them and as FAISS
 * stores them; nothing is copied and nothing is built. The k nearest of each of nq queries:
 *
 *     if (lbh_hamming_search(nq, queries, n, codes, code_size, k, distances, labels))
 *         fprintf(stderr, "%s\n", lbh_last_error());
 *
 * Any whole number of bytes is a code size; 4, 8, 16, 32, 64 and 128 bytes are the fastest, and up to
 * 128 bytes, others are nearly so with AVX-512.
 *
 *   - The distance of two codes is the number of bits in which they differ.
 *   - Answers are ordered by (distance, id), so they are the same for every instruction set, number
 *     of threads (OpenMP's: omp_set_num_threads) and way to cut the work.
 *   - Conventions of lbh.h: LBH_OK or a negative code, with lbh_last_error(); outputs are as they
 *     were when a call fails. All functions may be called by any number of threads at a time.
 *   - A large array of codes that is searched by one query at a time is read faster if it lies in
 *     huge pages: madvise(codes, size, MADV_HUGEPAGE) before it is filled.
 */
#ifndef LBH_SCAN_H
#define LBH_SCAN_H

#include "lbh.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The instruction set of the kernels, chosen once for the process: "avx512", "avx2", "neon" or
 * "scalar" (plain C). It is the best that the CPU has, unless LBH_ISA in the environment names a
 * lesser one; a name that the CPU lacks stands for the best that it has, and so does a name that
 * is none. Without VPOPCNTDQ and VBMI (before Ice Lake and Zen 4), "avx512" searches codes by the
 * kernels of "avx2". Static text. */
LBH_API const char *lbh_isa(void);

/* ---- One array of codes -------------------------------------------------------------------- */

/* Finds the k nearest codes of each query. A code's id is its place, 0 .. n-1.
 *
 * queries    nq x code_size bytes; nq = 0 is fine
 * codes      n x code_size bytes; n = 0 is fine
 * code_size  1 .. 2^28 - 1
 * k          at least 1; may exceed n
 * distances  nq x k, rising; INT32_MAX where there are fewer than k codes
 * labels     nq x k ids, equal distances by rising id; -1 where there are fewer than k codes
 *
 * LBH_EINVAL, LBH_ENOMEM. */
LBH_API int lbh_hamming_search(int64_t nq, const uint8_t *queries, int64_t n, const uint8_t *codes,
                               size_t code_size, int64_t k, int32_t *distances, int64_t *labels);

/* Answers of a range search: those of query i are entries lims[i] .. lims[i+1]-1, sorted by
 * (distance, label). Free with lbh_range_result_free. */
typedef struct lbh_range_result {
    int64_t n;          /* queries */
    int64_t *lims;      /* n + 1 */
    int32_t *distances; /* lims[n] */
    int64_t *labels;    /* lims[n] */
} lbh_range_result;

/* Frees a result; NULL is fine. */
LBH_API void lbh_range_result_free(lbh_range_result *result);

/* Finds all codes at a distance < radius (FAISS's strict rule; none if radius <= 0). Arguments as
 * above. The caller owns *result. LBH_EINVAL, LBH_ENOMEM. */
LBH_API int lbh_hamming_range(lbh_range_result **result, int64_t nq, const uint8_t *queries,
                              int64_t n, const uint8_t *codes, size_t code_size, int32_t radius);

/* ---- Lists of codes, for inverted files ---------------------------------------------------- */

/* One list: n codes, one after another, and their ids: any numbers, in any order; NULL for
 * 0 .. n-1. Owned by the caller. */
typedef struct lbh_code_list {
    int64_t n;            /* number of codes */
    const uint8_t *codes; /* n x code_size bytes */
    const int64_t *ids;   /* n, or NULL */
} lbh_code_list;

/* Finds, for each query, the k nearest codes of the lists that it names.
 *
 * which  nq x nprobe list numbers, each -1 (none) or 0 .. nlists-1; a list that a query names
 *        twice is searched twice
 * lists  nlists lists
 *
 * Other arguments, answers and errors as for lbh_hamming_search; equal distances are ordered by id.
 * Queries that name the same list in one call share the reading of it. */
LBH_API int lbh_hamming_search_lists(int64_t nq, const uint8_t *queries, size_t code_size,
                                     int64_t nprobe, const int64_t *which, int64_t nlists,
                                     const lbh_code_list *lists, int64_t k, int32_t *distances,
                                     int64_t *labels);

/* The same for all codes at a distance < radius, as lbh_hamming_range. */
LBH_API int lbh_hamming_range_lists(lbh_range_result **result, int64_t nq, const uint8_t *queries,
                                    size_t code_size, int64_t nprobe, const int64_t *which,
                                    int64_t nlists, const lbh_code_list *lists, int32_t radius);

#ifdef __cplusplus
}
#endif
#endif
