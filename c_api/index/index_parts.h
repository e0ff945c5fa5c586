/* index_parts.h: PRIVATE. What the files of this room share. */
#ifndef LBH_INDEX_PARTS_H
#define LBH_INDEX_PARTS_H

#include "lbh_faiss.h"

#include "error.h"
#include "faiss_gap.h"

#include <faiss/c_api/IndexBinary_c.h>
#include <faiss/c_api/Index_c.h>

#include <stdbool.h>

/* Bytes that must be readable after the last code given to a hash index: FAISS before 1.14.2 reads
 * whole 64-bit words from wherever a hash starts. */
enum { LBH_CODE_PAD = 8, LBH_MAX_CODE_SIZE = 1 << 16 };

/* A parsed factory string. */
typedef struct lbh_factory {
    lbh_kind kind;
    int idmap;       /* 0, 1: IDMap, 2: IDMap2 */
    int nlist;       /* IVF */
    int quantizer_m; /* IVF: links of the HNSW quantizer, 0 for a flat one */
    int m;           /* HNSW: links */
    int nhash, b;    /* hash kinds */
    char base[64];   /* the string without IDMap */
} lbh_factory;

/* factory.c: LBH_EINVAL says what a factory string may be. */
int lbh_factory_parse(lbh_factory *f, const char *factory, size_t code_size);

/* checks.c: each returns LBH_OK or LBH_EINVAL (LBH_ESTATE) with the error set. */
int lbh_check_rows(const char *what, int64_t n, const void *rows);
int lbh_check_codes(const FaissIndexBinary *index, size_t code_size, int64_t n, const void *codes);
int lbh_check_changeable(const FaissIndexBinary *index); /* not mapped from a file */
int lbh_check_encoder(const lbh_encoder *enc);
int lbh_check_encoder_fits(const FaissIndexBinary *index, const lbh_encoder *enc, int64_t n,
                           const void *x);

/* a * b bytes plus extra; NULL with LBH_ENOMEM set if there is no such memory. */
void *lbh_alloc_rows(int64_t a, size_t b, size_t extra);

/* build.c: whether codes keep the ids they were added with: under IDMap, in BIVF and BHash. */
bool lbh_keeps_ids(const lbh_index_info *info);

/* build.c: row i of a sample of m of n rows: one from each of m equal stretches, at a place that is
 * no function of the data's order. */
int64_t lbh_sample_place(int64_t i, int64_t m, int64_t n);

/* Codes of n vectors, LBH_CODE_PAD zero bytes after them; the caller frees. */
typedef int (*lbh_encode_fn)(const lbh_encoder *, int64_t, const float *, uint8_t *);
int lbh_encode_padded(uint8_t **codes, const lbh_encoder *enc, lbh_encode_fn encode, int64_t n,
                      const float *x);

/* Points *use at codes that this index may be given: the codes themselves, or a padded copy, which
 * is also stored in *copy for the caller to free (else NULL). */
int lbh_guard_codes(const uint8_t **use, uint8_t **copy, const FaissIndexBinary *index, int64_t n,
                    size_t code_size, const uint8_t *codes);

/* filtered.c: lbh_index_search_filtered_codes, and, unless `found` is NULL, the codes of the answers,
 * found[n * k * code_size]. */
int lbh_search_allowed(const FaissIndexBinary *index, size_t code_size, int64_t n,
                       const uint8_t *codes, int64_t k, lbh_filter_fn filter, const void *ctx,
                       int32_t *distances, int64_t *labels, uint8_t *found);

/* sort.c: puts each row of k answers in the order of (distance, label); missing ones (label < 0) go
 * last with the distance `missing`. falling: the largest distance first. */
int lbh_sort_int(int64_t n, int64_t k, int32_t *distances, int64_t *labels);
int lbh_sort_float(int64_t n, int64_t k, float *distances, int64_t *labels, int falling);

#endif
