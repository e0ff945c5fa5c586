/* lbh_pipeline.h: one string for a whole pipeline: encoder, FAISS index and rescoring in one object
 * that takes floats.
 *
 *     lbh_pipeline *p = NULL;
 *     if (lbh_pipeline_new(&p, 128, "SGH64,BIVF1024,RFlat", LBH_METRIC_L2) ||
 *         lbh_pipeline_train(p, n, x) ||                       // x: n x 128 floats
 *         lbh_pipeline_add(p, n, x) ||                         // ids 0 .. n-1
 *         lbh_pipeline_set(p, "nprobe=16,k_factor=20") ||
 *         lbh_pipeline_search(p, nq, q, 10, distances, labels) ||
 *         lbh_pipeline_save(p, "base.lbhp"))
 *         fprintf(stderr, "%s\n", lbh_last_error());
 *     lbh_pipeline_free(p);
 *
 * The string, in FAISS's reading order:
 *
 *     [IDMap,|IDMap2,] METHOD BITS [(name=value,...)] , INDEX [,RFlat|,RSQ8]
 *
 *   METHOD BITS   any registered method, upper or lower case: SGH64, ITQ32, itq-cca128; its options
 *                 (lbh_encoder_set) in parentheses: "SGH64(steps=5000,seed=7),BFlat"
 *   INDEX         as in lbh_index_new: BFlat, BIVF1024, BIVF1024_HNSW32, BHNSW32, BHash16,
 *                 BHash4x16
 *   RFlat, RSQ8   keeps the vectors too, as floats or as 8 bits a number, to rescore by
 *
 * "SGH64,BFlat"  "SiGAH128,BIVF1024"  "IDMap2,SGH64,BHNSW32"  "SGH64,BHash4x16,RFlat"
 *
 * Rescoring (lbh.h): a search takes k * k_factor candidates by Hamming distance and ranks them
 * again. What it then returns are the scores of that ranking:
 *
 *   rescore=none     Hamming distances, rising (the default without RFlat and RSQ8)
 *   rescore=margin   Hamming distances weighted by the query's margins, rising; no bytes more
 *   rescore=decoder  squared distances to the decoded vectors, rising, or inner products or cosines
 *                    with them, falling; no bytes more. For methods with a decoder (sgh, itq, ...)
 *   rescore=float    the same of the stored vectors (the
 *                    default with RFlat and RSQ8). Vectors are read of k * k_factor candidates, the
 *                    best by margin of k * k_factor * margin_factor by Hamming distance
 *
 *   rescore=auto     float where vectors are kept, else what ranked best the rows that training held
 *                    out (lbh_encoder_best_rescore)
 *
 * The codes of candidates come from the FAISS index itself: nothing is stored twice, and no direct
 * map is needed.
 *
 * Conventions as in lbh.h and lbh_faiss.h. Functions that take a `const lbh_pipeline *` may run at
 * the same time on the same pipeline; others need it for themselves.
 */
#ifndef LBH_PIPELINE_H
#define LBH_PIPELINE_H

#include "lbh_faiss.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lbh_pipeline lbh_pipeline;

/* Makes an untrained pipeline for vectors of d floats. metric (LBH_METRIC_*): what near means; the
 * option "metric" of the encoder, and what rescoring scores by. The caller owns it. LBH_EINVAL says
 * which part of the string is wrong and what may stand there; LBH_EFAISS, LBH_ENOMEM. */
LBH_API int lbh_pipeline_new(lbh_pipeline **p, int d, const char *factory, int metric);

/* Makes a pipeline around an encoder, trained or not, which stays the caller's and must outlive it; other
 * pipelines may have the same one, and training one of them trains it for all. index: the string without
 * the method, "BFlat", "IDMap2,BIVF1024,RFlat", ... Errors as above. */
LBH_API int lbh_pipeline_new_with_encoder(lbh_pipeline **p, lbh_encoder *enc, const char *index,
                                          int metric);

/* Frees the pipeline with its encoder (unless it is the caller's), index and vectors; NULL is fine. */
LBH_API void lbh_pipeline_free(lbh_pipeline *p);

/* ---- Train, fill --------------------------------------------------------------------------- */

/* Trains, on x[n * d] or on pulled rows, whatever is not trained yet: the encoder, the lists of
 * BIVF, the ranges of RSQ8. labels, neighbours: for methods that learn from them
 * (lbh_encoder_train_rows), else NULL. LBH_ESTATE if all is trained; LBH_EINVAL if there are fewer
 * rows than lists. */
LBH_API int lbh_pipeline_train(lbh_pipeline *p, int64_t n, const float *x);
LBH_API int lbh_pipeline_train_rows(lbh_pipeline *p, const lbh_rows *rows, const lbh_lists *labels,
                                    const lbh_lists *neighbours);

/* Adds n vectors x[n * d]. Their ids follow the highest one that was ever used (BFlat, BHNSW and
 * BHash4x16 without IDMap: ntotal, ntotal + 1, ...). On error nothing was added. */
LBH_API int lbh_pipeline_add(lbh_pipeline *p, int64_t n, const float *x);

/* The same with ids[n], none negative; LBH_EFAISS for kinds that take none (make them under IDMap).
 * With RFlat and RSQ8 an id must be new: LBH_EINVAL. */
LBH_API int lbh_pipeline_add_with_ids(lbh_pipeline *p, int64_t n, const float *x,
                                      const int64_t *ids);

/* The same from pulled rows, whose vectors need not fit in memory unless the pipeline keeps them. ids[n],
 * or NULL. On error, also of rows->read, nothing was added. */
LBH_API int lbh_pipeline_add_rows(lbh_pipeline *p, const lbh_rows *rows, const int64_t *ids);

/* Removes all vectors; ids begin at 0 again, what was trained stays. */
LBH_API int lbh_pipeline_reset(lbh_pipeline *p);

/* Removes the vectors with these ids[n] and says how many there were (removed may be NULL), as
 * lbh_index_remove does: BFlat without IDMap closes the gaps, later ids move down. LBH_EFAISS for
 * BHNSW and the hash kinds, which cannot; then nothing was removed. */
LBH_API int lbh_pipeline_remove_ids(lbh_pipeline *p, int64_t n, const int64_t *ids,
                                    int64_t *removed);

/* Puts *index, which becomes the pipeline's own and NULL, in the place of its index: codes of the same
 * encoder, in the same kind of index. LBH_EINVAL if it is of another kind or code size; LBH_ESTATE if the
 * pipeline keeps vectors, which the index does not have, or if either is not trained. */
LBH_API int lbh_pipeline_take_index(lbh_pipeline *p, FaissIndexBinary **index);

/* ---- Search -------------------------------------------------------------------------------- */

/* Finds the k best of each of n queries x[n * d]: distances[n * k] (see above: they are of the kind
 * that `rescore` says), labels[n * k]. Equal distances come by rising id. Missing answers are label
 * -1 with the distance FLT_MAX (-FLT_MAX where distances fall). */
LBH_API int lbh_pipeline_search(const lbh_pipeline *p, int64_t n, const float *x, int64_t k,
                                float *distances, int64_t *labels);

/* The same with parameters of this search alone (as of lbh_pipeline_set; NULL: none) and among the ids for
 * which filter(ctx, id) is not 0 (NULL: all), as lbh_index_search_filtered. Searches at the same time may
 * have other parameters; those with parameters of the index (nprobe, efSearch, ...) wait for each other. */
LBH_API int lbh_pipeline_search_with(const lbh_pipeline *p, const char *parameters,
                                     lbh_filter_fn filter, const void *ctx, int64_t n,
                                     const float *x, int64_t k, float *distances, int64_t *labels);

/* Finds all codes at a Hamming distance below radius; not rescored. Free with
 * lbh_range_result_free. LBH_EFAISS for BHNSW. */
LBH_API int lbh_pipeline_range_search(lbh_range_result **result, const lbh_pipeline *p, int64_t n,
                                      const float *x, int32_t radius);

/* The vector of an id, x[d]: the stored one with RFlat and RSQ8, else what the decoder rebuilds.
 * LBH_EINVAL if there is no such id, or neither of the two. */
LBH_API int lbh_pipeline_reconstruct(const lbh_pipeline *p, int64_t id, float *x);

/* Sets run-time parameters, all or none: "nprobe=16,k_factor=10,rescore=decoder". rescore:
 * none|margin|decoder|float|auto; k_factor: 1 to 1000000 (10), or with rescore=decoder 0, all codes that
 * the search visits (BFlat: all; BIVF: those of nprobe lists); margin_factor: 1 to 1000 (4; 1:
 * candidates by Hamming distance alone); and what lbh_index_set takes. LBH_EINVAL names what there
 * is; LBH_ESTATE for rescore=decoder before training. */
LBH_API int lbh_pipeline_set(lbh_pipeline *p, const char *assignments);

/* All run-time parameters as lbh_pipeline_set takes them, "rescore=none,k_factor=10.000000,...,nprobe=1",
 * ended by a zero byte; 512 bytes are enough. LBH_EINVAL if size is too small. */
LBH_API int lbh_pipeline_parameters(const lbh_pipeline *p, char *text, size_t size);

/* ---- Properties ---------------------------------------------------------------------------- */

LBH_API const char *lbh_pipeline_factory(const lbh_pipeline *p); /* the string it was made from */
LBH_API int lbh_pipeline_d(const lbh_pipeline *p);
LBH_API int lbh_pipeline_metric(const lbh_pipeline *p);
LBH_API int lbh_pipeline_rescore(const lbh_pipeline *p); /* LBH_RESCORE_* of the next search */
LBH_API int64_t lbh_pipeline_ntotal(const lbh_pipeline *p);
LBH_API int lbh_pipeline_is_trained(const lbh_pipeline *p);

/* The parts, owned by the pipeline: to watch the training, say, or to search the index (for FAISS's
 * own functions see lbh_faiss.h). Adding to the index or removing from it behind the pipeline's
 * back is not detected. */
LBH_API lbh_encoder *lbh_pipeline_encoder(lbh_pipeline *p);
LBH_API FaissIndexBinary *lbh_pipeline_index(lbh_pipeline *p);

/* ---- Files --------------------------------------------------------------------------------- */

/* Saves a trained pipeline under one name. `path` becomes a short text, readable with `head`, that
 * names the generation of its members and holds their sizes and digests:
 *
 *   PATH.G.lbh          the encoder, for lbh_encoder_load
 *   PATH.G.faiss        the index, for any FAISS (read_index_binary)
 *   PATH.G.vectors.npy  RFlat: n x d float32; RSQ8: n x d uint8 (NumPy opens it)
 *   PATH.G.scale.npy    RSQ8: 2 x d float32, value = row 0 + row 1 * byte
 *   PATH.G.ids.npy      RFlat, RSQ8: the ids of these rows, int64, unless they are 0 .. n-1
 *
 * New members are written beside the old ones, with the next generation G; then `path` is replaced
 * in one rename, and older members are removed. So a crash at any moment leaves the old or the new
 * content, whole; what it left behind the next save removes. Savers in one directory wait for each
 * other; pipelines that were loaded before keep their content. To move a pipeline, move all its
 * files (PATH and PATH.G.*) and keep the name. Refuses to replace a file that is no pipeline.
 * LBH_ESTATE, LBH_EIO, LBH_ENOMEM, LBH_EFAISS. */
LBH_API int lbh_pipeline_save(const lbh_pipeline *p, const char *path);

/* Reads what lbh_pipeline_save wrote. Vectors are mapped, not read: their size is checked, the
 * digests of all other members as well. The files need not be trusted. The caller owns the
 * pipeline. LBH_EIO, LBH_EFORMAT, LBH_ENOMEM, LBH_EFAISS. */
LBH_API int lbh_pipeline_load(lbh_pipeline **p, const char *path);

/* The same, but codes stay in their file too, as with lbh_index_load_mapped: for BIVF (LBH_EFAISS where
 * FAISS cannot). Their digest is not checked, and the pipeline can be searched and saved, not changed. */
LBH_API int lbh_pipeline_load_mapped(lbh_pipeline **p, const char *path);

/* The same in memory, one piece of bytes that lbh_free frees: the manifest and its members, one after
 * another. Bytes need not be trusted; they are copied. Errors as above. */
LBH_API int lbh_pipeline_save_memory(const lbh_pipeline *p, void **data, size_t *size);
LBH_API int lbh_pipeline_load_memory(lbh_pipeline **p, const void *data, size_t size);

/* Reads all members, the vectors too, and checks their digests. LBH_EIO, LBH_EFORMAT. */
LBH_API int lbh_pipeline_verify(const char *path);

/* ---- Rescoring of a plain index ------------------------------------------------------------ */

/* How lbh_index_search_rescored chooses candidates. With LBH_RESCORE_DECODER k_factor may be 0: then no
 * Hamming distance to an item is asked for, and all codes of BFlat, or of the lists of BIVF that the
 * search visits (nprobe, max_codes), are ranked by the decoder. */
typedef struct lbh_shortlist {
    double k_factor;      /* candidates that are scored, for each answer; 0: see above */
    double margin_factor; /* LBH_RESCORE_FLOAT: Hamming candidates for each vector that is read */
} lbh_shortlist;

/* Searches a binary index for the k best of each of n queries x[n * d] by a rescorer of lbh.h,
 * whose encoder made the codes: what lbh_pipeline_search does, for an index and vectors of one's
 * own. Results as there. LBH_EINVAL, LBH_ESTATE, LBH_EFAISS (a kind that keeps no codes),
 * LBH_ENOMEM, and what reading the vectors returns. */
LBH_API int lbh_index_search_rescored(const FaissIndexBinary *index, const lbh_rescorer *rescorer,
                                      lbh_shortlist shortlist, int64_t n, const float *x, int64_t k,
                                      float *distances, int64_t *labels);

#ifdef __cplusplus
}
#endif
#endif
