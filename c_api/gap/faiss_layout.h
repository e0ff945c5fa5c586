/* faiss_layout.h: PRIVATE. Writers of the pieces of FAISS's float index files, as FAISS 1.7.3 lays
 * them out (faiss/impl/index_write.cpp) and every later version reads them. Written here, and not
 * by the FAISS that is linked, so that a file does not depend on that version, and because FAISS's
 * C API can make none of these objects.
 *
 * Nothing is returned: a stream remembers its errors, lbh_file_commit() reports them. Numbers are
 * little-endian, a vector is a 64-bit count and its items, a bool is a byte. */
#ifndef LBH_FAISS_LAYOUT_H
#define LBH_FAISS_LAYOUT_H

#include <stdint.h>
#include <stdio.h>

void fl_fourcc(FILE *f, const char name[4]);
void fl_bytes(FILE *f, const void *data, size_t size);
void fl_bool(FILE *f, int v);
void fl_i32(FILE *f, int32_t v);
void fl_u64(FILE *f, uint64_t v);
void fl_f32(FILE *f, float v);
void fl_floats(FILE *f, const float *data, uint64_t count); /* a vector of them */

/* What every float index starts with, after its fourcc. metric: LBH_METRIC_*. */
void fl_header(FILE *f, int32_t d, int64_t ntotal, int metric);

/* LinearTransform y = A x + b: A[d_out * d_in], b[d_out]. */
void fl_linear(FILE *f, int32_t d_in, int32_t d_out, const float *A, const float *b);
/* NormalizationTransform x / ||x||. */
void fl_normalisation(FILE *f, int32_t d);
/* A RandomRotationMatrix that was never drawn: IndexLSH holds one even where it does not rotate. */
void fl_no_rotation(FILE *f, int32_t d, int32_t nbits);

/* IndexFlat of n vectors x[n * d]. */
void fl_flat(FILE *f, int32_t d, int64_t n, const float *x, int metric);

/* Header of an IVF index: counts, the coarse quantizer (flat, of the centroids), no direct map. */
typedef struct fl_ivf {
    int32_t d;
    int64_t ntotal, nlist, nprobe;
    const float *centroids; /* nlist x d */
    int coarse_metric;      /* of the quantizer */
    int metric;             /* of the index */
} fl_ivf;
void fl_ivf_header(FILE *f, const fl_ivf *ivf);

/* Inverted lists. order[]: the rows of all lists, list by list, rising within a list; size[nlist]:
 * rows a list. The id of a row is its number and first_id. */
void fl_lists(FILE *f, int64_t nlist, const int64_t *size, const int64_t *order, int64_t first_id,
              size_t code_size, const uint8_t *codes);

/* How an additive quantizer scores a code: FAISS's AdditiveQuantizer::Search_type_t. */
typedef enum fl_search_type {
    FL_DECOMPRESS = 0, /* rebuilds the vector */
    FL_LUT = 1,        /* look-up tables, no norms: inner products */
    FL_NORM_FLOAT = 3, /* look-up tables, a float32 norm behind each code */
    FL_NORM_BYTE = 4   /* the same in a byte, in equal steps from norm_min to norm_max */
} fl_search_type;

/* LocalSearchQuantizer of m codebooks of 256 vectors of d floats, codebooks[m * 256 * d]. */
typedef struct fl_quantizer {
    int32_t d, m;
    const float *codebooks;
    fl_search_type search_type;
    float norm_min, norm_max;
} fl_quantizer;
void fl_local_search_quantizer(FILE *f, const fl_quantizer *q);

#endif
