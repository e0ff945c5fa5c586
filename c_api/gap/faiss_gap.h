/* faiss_gap.h: PRIVATE. What FAISS's C API lacks, as C functions. The only C++ of the project is
 * behind them; each function says in faiss_gap.cpp from which FAISS on it can go.
 *
 * All of them take valid arguments (the callers check), none throws, and none prints: FAISS's own C
 * API, as distributions build it, writes every exception that it catches to stderr, so whatever may
 * fail on a user's input goes through here as well. */
#ifndef LBH_FAISS_GAP_H
#define LBH_FAISS_GAP_H

#include "lbh_faiss.h"

#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum lbh_kind {
    LBH_KIND_OTHER,
    LBH_KIND_FLAT,
    LBH_KIND_IVF,
    LBH_KIND_HNSW,
    LBH_KIND_HASH,
    LBH_KIND_MULTIHASH,
    LBH_KIND_FROM_FLOAT,
    LBH_KIND_COUNT
} lbh_kind;

/* What an index is, seen through its IDMap. */
typedef struct lbh_index_info {
    lbh_kind kind;
    int idmap;                   /* 0: none, 1: IDMap, 2: IDMap2 */
    FaissIndexBinary *inner;     /* the index under the IDMap, or the index itself */
    FaissIndexBinary *quantizer; /* IVF: the coarse quantizer, else NULL */
    int64_t nlist;               /* IVF: number of lists */
    int b, nhash;                /* hash kinds: bits a hash, number of hashes */
} lbh_index_info;

lbh_index_info lbh_gap_info(const FaissIndexBinary *index);

/* Version of FAISS as "1.7.3". */
const char *lbh_gap_version(void);

/* Makes an index of d bits from a factory string without IDMap and puts it under IDMap (1), IDMap2
 * (2) or nothing (0). */
int lbh_gap_new(FaissIndexBinary **index, int d, const char *factory, int idmap);

/* Search parameters of an index that is not under IDMap and of the kind that has them. */
typedef enum lbh_search_param {
    LBH_PARAM_NPROBE,
    LBH_PARAM_MAX_CODES,
    LBH_PARAM_EF_SEARCH,
    LBH_PARAM_EF_CONSTRUCTION,
    LBH_PARAM_NFLIP,
    LBH_PARAM_USE_HEAP
} lbh_search_param;
void lbh_gap_set(FaissIndexBinary *inner, lbh_search_param param, int64_t value);
int64_t lbh_gap_get(const FaissIndexBinary *inner, lbh_search_param param);

/* 1 if FAISS would write a file that it cannot read back: a multi-hash index whose count is a power
 * of two and whose codes all fall in one bucket of a table. */
int lbh_gap_unwritable(const FaissIndexBinary *index);

/* The calls of FAISS that may fail on the user's input, with FAISS's words in the error. */
int lbh_gap_train(FaissIndexBinary *index, int64_t n, const uint8_t *codes);
int lbh_gap_write(const FaissIndexBinary *index, FILE *stream);
int lbh_gap_read(FaissIndexBinary **index, FILE *stream, const char *path);

/* The same of float indexes. metric: LBH_METRIC_L2 or LBH_METRIC_IP. */
int lbh_gap_float_new(FaissIndex **index, int d, const char *factory, int metric);
int lbh_gap_float_train(FaissIndex *index, int64_t n, const float *x);
int lbh_gap_float_add(FaissIndex *index, int64_t n, const float *x);
int lbh_gap_float_search(const FaissIndex *index, int64_t n, const float *x, int64_t k,
                         float *distances, int64_t *labels);
int lbh_gap_float_set(FaissIndex *index, const char *assignments);
int lbh_gap_float_encode(const FaissIndex *index, int64_t n, const float *x, uint8_t *codes);
int lbh_gap_float_write(const FaissIndex *index, FILE *stream);
int lbh_gap_float_read(FaissIndex **index, FILE *stream, const char *path);
size_t lbh_gap_float_code_size(const FaissIndex *index);

/* k centroids[k * d] of n >= k vectors x[n * d], as FAISS's own IVF indexes learn them. spherical:
 * of length 1, for inner products. */
int lbh_gap_kmeans(int d, int64_t k, int64_t n, const float *x, int spherical, float *centroids);

#ifdef __cplusplus
}
#endif
#endif
