/* lbh_faiss.h: learned codes in FAISS binary indexes.
 *
 * Everything made here is a plain FAISS object, and a saved index is a file that any FAISS reads.
 * Whose object it is depends on the library: with liblbh_faiss.a the program links FAISS itself,
 * and a FaissIndexBinary may be given to any function of that libfaiss_c. liblbh_faiss.so has a
 * FAISS of its own inside, which nobody else sees: its handles are for the functions of these
 * headers alone, and another FAISS in the process (Python's, say) gets a file.
 *
 *     FaissIndexBinary *index = NULL;
 *     if (lbh_index_build(&index, enc, "BIVF1024", n, x) ||            // trains and adds
 *         lbh_index_set(index, "nprobe=16") ||
 *         lbh_index_search(index, enc, nq, q, 10, distances, labels) ||
 *         lbh_index_save(index, "my.faiss"))
 *         fprintf(stderr, "%s\n", lbh_last_error());
 *     lbh_index_free(index);
 *
 * Conventions as in lbh.h. FAISS's errors come back as LBH_EFAISS with its own words in
 * lbh_last_error(). No C++ exception leaves this library. Where memory runs out (LBH_ENOMEM) an index
 * is as it was before the call, but for lbh_index_merge, and for BHash with ids of one's own: then it
 * can only be freed. Searching one index from several threads at once is safe, changing it is not.
 * `enc` is a trained encoder; its codes have 8 * lbh_encoder_code_size(enc) bits for FAISS, and an
 * index of another size is refused with LBH_EINVAL.
 */
#ifndef LBH_FAISS_H
#define LBH_FAISS_H

#include "lbh.h"
#include "lbh_scan.h" /* lbh_range_result */

#ifdef __cplusplus
extern "C" {
#endif

/* FAISS's own opaque types (the same typedefs as in faiss/c_api/Index_c.h, IndexBinary_c.h). */
typedef struct FaissIndex_H FaissIndex;
typedef struct FaissIndexBinary_H FaissIndexBinary;

/* Version of the FAISS that is linked, as "1.7.3". */
LBH_API const char *lbh_faiss_version(void);

/* ---- Binary indexes: make, fill ------------------------------------------------------------ */

/* Makes an empty index for codes of code_size bytes from a FAISS factory string: BFlat, BIVF1024,
 * BIVF1024_HNSW32, BHNSW32, BHash16, BHash4x16, and IDMap,X / IDMap2,X (or X,IDMap / X,IDMap2) of
 * any of these, whatever the version of FAISS. The caller owns it. LBH_EINVAL for a string that is
 * not understood or does not fit the code size, LBH_EFAISS, LBH_ENOMEM. */
LBH_API int lbh_index_new(FaissIndexBinary **index, size_t code_size, const char *factory);

/* Makes an index for the codes of `enc`, trains it on the codes of x[n * d] and adds them, with ids
 * 0 .. n-1. */
LBH_API int lbh_index_build(FaissIndexBinary **index, const lbh_encoder *enc, const char *factory,
                            int64_t n, const float *x);

/* The same from n ready codes[n * code_size]. */
LBH_API int lbh_index_build_codes(FaissIndexBinary **index, size_t code_size, const char *factory,
                                  int64_t n, const uint8_t *codes);

/* Trains an empty index on n codes[n * code_size]; only BIVF has anything to learn. LBH_EINVAL if
 * there are fewer codes than lists. */
LBH_API int lbh_index_train_codes(FaissIndexBinary *index, size_t code_size, int64_t n,
                                  const uint8_t *codes);

/* Adds n vectors x[n * d], encoded by enc. ids[n], or NULL for ntotal, ntotal+1, ..., or, in kinds
 * that keep ids (IDMap, BIVF, BHash) and have greater ones, the ids that follow the greatest: never
 * one that lives. All ids are looked through for that. LBH_EFAISS for ids in kinds that take none
 * (BFlat, BHNSW, multi-hash: make them under IDMap), LBH_EINVAL where no ids are left. */
LBH_API int lbh_index_add(FaissIndexBinary *index, const lbh_encoder *enc, int64_t n,
                          const float *x, const int64_t *ids);
LBH_API int lbh_index_add_codes(FaissIndexBinary *index, size_t code_size, int64_t n,
                                const uint8_t *codes, const int64_t *ids);

/* Number of stored codes; bytes a code. */
LBH_API int64_t lbh_index_ntotal(const FaissIndexBinary *index);
LBH_API size_t lbh_index_code_size(const FaissIndexBinary *index);

/* FAISS's name of the kind: "BFlat", "BIVF", "BHNSW", "BHash", "BMultiHash", "IDMap,BFlat", ...
 * Static text. */
LBH_API const char *lbh_index_kind(const FaissIndexBinary *index);

/* ---- Search -------------------------------------------------------------------------------- */

/* Finds the k nearest codes of each of n queries x[n * d] (encoded with
 * lbh_encoder_encode_queries). distances[n * k] are Hamming distances, rising; labels[n * k] are
 * ids. Missing answers are label -1, distance INT32_MAX. Answers of equal distance come in the
 * order of rising ids. */
LBH_API int lbh_index_search(const FaissIndexBinary *index, const lbh_encoder *enc, int64_t n,
                             const float *x, int64_t k, int32_t *distances, int64_t *labels);
LBH_API int lbh_index_search_codes(const FaissIndexBinary *index, size_t code_size, int64_t n,
                                   const uint8_t *codes, int64_t k, int32_t *distances,
                                   int64_t *labels);

/* Finds all codes with Hamming distance < radius (FAISS's strict rule). The caller owns *result:
 * lbh_range_result_free (lbh_scan.h). LBH_EFAISS for BHNSW, which cannot. */
LBH_API int lbh_index_range_search(lbh_range_result **result, const FaissIndexBinary *index,
                                   const lbh_encoder *enc, int64_t n, const float *x,
                                   int32_t radius);
LBH_API int lbh_index_range_search_codes(lbh_range_result **result, const FaissIndexBinary *index,
                                         size_t code_size, int64_t n, const uint8_t *codes,
                                         int32_t radius);

/* Sets search parameters by name, all or none: "nprobe=16", "max_codes=.." (BIVF), "efSearch=64",
 * "efConstruction=40" (BHNSW; also the quantizer of BIVF_HNSW as "quantizer_efSearch"), "nflip=2"
 * (BHash, multi-hash), "use_heap=0" (BFlat, BIVF: FAISS's own search counts distances instead of
 * keeping a heap). Works through IDMap. LBH_EINVAL names the parameters that the kind has. */
LBH_API int lbh_index_set(FaissIndexBinary *index, const char *assignments);

/* All search parameters as lbh_index_set takes them, "nprobe=1,max_codes=0,...", ended by a zero byte; 256
 * bytes are enough. LBH_EINVAL if size is too small. */
LBH_API int lbh_index_parameters(const FaissIndexBinary *index, char *text, size_t size);

/* Makes the searches of an index run the kernels of lbh_scan.h: BFlat and BIVF, alone, under IDMap
 * and as the coarse quantizer of BIVF; until FAISS 1.8, whose later walks are closed to it, a BHNSW's walk
 * takes its distances from us. Other kinds stay as they are, which is no error; neither is it to do
 * this twice. The new index takes over codes and lists without copying them; the old
 * handle is freed, and *index is the new one (under IDMap it is the same).
 *
 * It is still an index of FAISS's class: FAISS adds to it, sets its parameters, casts it and writes
 * it as before, and so do the functions here; a file has nothing of this in it (accelerate again
 * what was loaded). The answers are FAISS's, equal distances by rising id also where FAISS takes
 * those of BIVF in the order of its lists. Distances, nprobe, max_codes and statistics are FAISS's;
 * use_heap, query_batch_size and the like are void. Searches with parameters of their own
 * (SearchParameters, IDSelector) are FAISS's, in BIVF with our scanner of lists. A single query uses
 * all threads. LBH_EINVAL, LBH_ENOMEM; LBH_EFAISS for an IDMap that does not own its index. */
LBH_API int lbh_index_accelerate(FaissIndexBinary **index);

/* 1 if lbh_index_accelerate has done something for this index, else 0. */
LBH_API int lbh_index_is_accelerated(const FaissIndexBinary *index);

/* ---- Change, look up, filter --------------------------------------------------------------- */

/* Removes the codes with these ids[n] and says how many there were (removed may be NULL). BFlat
 * closes the gaps: later ids move down. BIVF, and kinds under IDMap, keep the other ids. LBH_EFAISS
 * for BHNSW and the hash kinds, which cannot; LBH_ESTATE for an index that is mapped from a file,
 * also below. */
LBH_API int lbh_index_remove(FaissIndexBinary *index, int64_t n, const int64_t *ids,
                             int64_t *removed);

/* The stored code[lbh_index_code_size(index)] of an id. BIVF, BHash and IDMap look through all
 * their ids. LBH_EINVAL if there is no such id. */
LBH_API int lbh_index_reconstruct(const FaissIndexBinary *index, int64_t id, uint8_t *code);

/* Removes all codes; what was trained stays. */
LBH_API int lbh_index_reset(FaissIndexBinary *index);

/* Moves all codes of `other` into `index`, and leaves `other` empty. Both are of the same kind and
 * parameters, BIVF with the same trained lists (files of one trained index, say), else LBH_EINVAL.
 * add_id is added to the moved ids of BIVF, BHash and IDMap: LBH_EINVAL if one would pass 2^63 - 1 or
 * is an id of `index`, and nothing is moved. In the others ids go on from ntotal, and add_id is that
 * or 0. */
LBH_API int lbh_index_merge(FaissIndexBinary *index, FaissIndexBinary *other, int64_t add_id);

/* Searches among the ids for which filter(ctx, id) is not 0: as lbh_index_search(_codes), with the
 * same answers as an index of those ids alone would give (BHNSW, and others with search parameters
 * that leave something out: as near as they come). For all kinds and versions of FAISS: the answers
 * of searches for more and more ids are filtered, so a filter that lets few of many ids pass is
 * slow. Called from one thread. */
typedef int (*lbh_filter_fn)(const void *ctx, int64_t id);
LBH_API int lbh_index_search_filtered(const FaissIndexBinary *index, const lbh_encoder *enc,
                                      int64_t n, const float *x, int64_t k, lbh_filter_fn filter,
                                      const void *ctx, int32_t *distances, int64_t *labels);
LBH_API int lbh_index_search_filtered_codes(const FaissIndexBinary *index, size_t code_size,
                                            int64_t n, const uint8_t *codes, int64_t k,
                                            lbh_filter_fn filter, const void *ctx,
                                            int32_t *distances, int64_t *labels);

/* ---- Files --------------------------------------------------------------------------------- */

/* Writes an index as FAISS writes it (faiss::write_index_binary), to a temporary file that is
 * synced and renamed over `path`: a crash leaves the old or the new file, whole. */
LBH_API int lbh_index_save(const FaissIndexBinary *index, const char *path);

/* Reads any FAISS binary index file. The caller owns the index. LBH_EIO, LBH_EFORMAT, LBH_EFAISS.*/
LBH_API int lbh_index_load(FaissIndexBinary **index, const char *path);

/* The same, but codes stay in the file, which is mapped into memory read-only and read where a
 * search needs it: lists of BIVF, and from FAISS 1.11 on codes of BFlat where it can. LBH_EFAISS
 * for other kinds. The index can be searched and saved, not changed (LBH_ESTATE). The file may be
 * replaced (as lbh_index_save does it) but not cut short while the index lives. */
LBH_API int lbh_index_load_mapped(FaissIndexBinary **index, const char *path);

/* The same in memory: *size bytes, which lbh_free frees, as FAISS has them in a file / an index from such
 * bytes, which need not be trusted. */
LBH_API int lbh_index_save_memory(const FaissIndexBinary *index, void **data, size_t *size);
LBH_API int lbh_index_load_memory(FaissIndexBinary **index, const void *data, size_t size);

/* A BIVF larger than memory, put together in its file from portions of codes. Which lists they belong to
 * comes first: lists[n], the nearest of a trained BIVF, as FAISS adds codes (threads of OpenMP; faster
 * where the index is accelerated). LBH_EINVAL for other kinds, LBH_ESTATE. */
LBH_API int lbh_index_assign_codes(const FaissIndexBinary *index, size_t code_size, int64_t n,
                                   const uint8_t *codes, int64_t *lists);

/* Then the file, once it is known how many codes each list gets (sizes[nlist]): `trained` is a BIVF
 * without codes, whose search parameters the file keeps. A file at `path` is written over, not emptied:
 * what lies there already from an earlier call with the same sizes stays. The caller frees *file.
 * When all codes are put it is a file as lbh_index_save writes it: any FAISS reads it,
 * lbh_index_load_mapped maps it. Before, it is of no use: give it its name when it is whole. */
typedef struct lbh_index_writer lbh_index_writer;
LBH_API int lbh_index_writer_open(lbh_index_writer **file, const FaissIndexBinary *trained,
                               const int64_t *sizes, const char *path);

/* Puts n codes with the ids first_id, first_id + 1, ... into lists[n], behind the filled[nlist] codes that
 * each list has, and counts them in filled. Putting the same again changes nothing: a program that may
 * be killed keeps `filled` of the last portion that is synced. LBH_EINVAL (and filled is as it was) where
 * a list would hold more than its size; LBH_EIO, LBH_ENOMEM. */
LBH_API int lbh_index_writer_put(lbh_index_writer *file, int64_t n, const uint8_t *codes, int64_t first_id,
                              const int64_t *lists, int64_t *filled);

/* What was put is on the disk. LBH_EIO. */
LBH_API int lbh_index_writer_sync(lbh_index_writer *file);
LBH_API void lbh_index_writer_free(lbh_index_writer *file); /* NULL is fine */

/* Frees an index; NULL is fine. */
LBH_API void lbh_index_free(FaissIndexBinary *index);

/* ---- Export: learned codes without this library at query time ------------------------------- */

/* Writes learned codes as a float index of stock FAISS (1.7.3 or later): faiss::read_index opens
 * the file, with no plugin, and searches it with float queries.
 *
 *   "faiss-lsh"  IndexPreTransform(LinearTransform, IndexLSH): exhaustive, by Hamming distance
 *   "faiss-ivf"  IndexIVFSpectralHash over the same bits, behind a flat coarse quantizer
 *   "faiss-aq"   IndexLocalSearchQuantizer: the encoder's decoder, as an additive quantizer over
 *                the same bits; exhaustive search by the decoder's score, or with lists (nlist)
 *
 * base: rows whose codes go into the index with ids 0, 1, ...; NULL for an empty index (faiss-lsh
 * and faiss-aq). The stored codes are those of lbh_encoder_encode, bit for bit. FAISS encodes
 * queries, and what is added later, by its BLAS: a bit may differ where its value z is 0 to within
 * rounding (about 1e-6 of the sum of |terms|). What is added to faiss-aq later is encoded by
 * FAISS's own local search, towards the same decoder.
 *
 * An encoder whose items are encoded otherwise than its queries (inner products) needs `base`: its
 * items' codes and its queries' map are written, and adding to the file later would encode items as
 * queries.
 *
 * options: NULL, or "name=value,...":
 *   nlist=N       faiss-ivf, faiss-aq: lists (faiss-ivf: 4 sqrt(n))
 *   nprobe=N      lists visited by a search (1), kept in the file
 *   metric=l2|ip  faiss-aq: the score; with lists: how rows are assigned (the encoder's own; for the
 *                 cosine ip, of unit rows, with faiss-aq only if it is said: FAISS adds table entries and
 *                 does not divide by the length of x^, so that it ranks by q . x^ alone)
 *   norms=none|byte|float  faiss-aq, L2: what stands behind each code: its norm in 1 or 4 bytes, for
 *                 look-up tables, or nothing, and then FAISS rebuilds every vector in every search,
 *                 which is slow (byte; without a base, float)
 *   refine=N      faiss-aq: items' codes by lbh_encoder_encode_refined (0: by lbh_encoder_encode)
 *   shards=N      faiss-ivf, and faiss-aq with lists: `path` is the trained index without rows, and
 *                 path.0 .. path.N-1 are equal parts of the base in it, with their ids in the whole: what
 *                 FAISS's contrib.ondisk merges and contrib.client_server serves. One part is in memory
 *                 at a time; `path` is written last (norms: float, or none)
 *
 * LBH_EINVAL if the encoder has no such form, or for options; LBH_ESTATE, LBH_ENOMEM, LBH_EFAISS,
 * LBH_EIO, and what base->read returns. A file is replaced whole or not at all. */
LBH_API int lbh_export_faiss(const lbh_encoder *enc, const char *format, const char *options,
                             const lbh_rows *base, const char *path);

/* ---- FAISS's own float indexes, as ground truth and as rivals ------------------------------ */

/* Makes an untrained float index from a FAISS factory string ("Flat", "PQ8", "ITQ64,LSH", ...).
 * metric: LBH_METRIC_*; for the cosine "L2norm," comes before the string. The caller owns it. */
LBH_API int lbh_float_index_new(FaissIndex **index, int d, const char *factory, int metric);
LBH_API int lbh_float_index_train(FaissIndex *index, int64_t n, const float *x);
LBH_API int lbh_float_index_add(FaissIndex *index, int64_t n, const float *x);
/* distances[n * k]: squared L2 rising, or inner products or cosines
 * falling; labels[n * k], -1 = missing. The
 * vectors of "Flat" are searched by lbh_exact_search() (lbh_exact.h), the others by FAISS. */
LBH_API int lbh_float_index_search(const FaissIndex *index, int64_t n, const float *x, int64_t k,
                                   float *distances, int64_t *labels);
/* Sets search parameters by FAISS's names ("nprobe=16", "efSearch=64", "k_factor_rf=10"), joined with
 * commas. LBH_EFAISS for a name that the index has not, and values that it does not take. */
LBH_API int lbh_float_index_set(FaissIndex *index, const char *assignments);
/* Bytes that the index stores for a vector (0 if FAISS cannot tell). */
LBH_API size_t lbh_float_index_code_size(const FaissIndex *index);
/* Packed codes of n vectors, codes[n * lbh_float_index_code_size(index)]; for "...,LSH" these are
 * Hamming codes in FAISS's (and our) bit order. */
LBH_API int lbh_float_index_encode(const FaissIndex *index, int64_t n, const float *x,
                                   uint8_t *codes);
LBH_API int lbh_float_index_save(const FaissIndex *index, const char *path);
LBH_API int lbh_float_index_load(FaissIndex **index, const char *path);
LBH_API void lbh_float_index_free(FaissIndex *index);

#ifdef __cplusplus
}
#endif
#endif
