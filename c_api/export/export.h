/* export.h: PRIVATE. What the files that write learned codes as stock FAISS float indexes share. */
#ifndef LBH_EXPORT_H
#define LBH_EXPORT_H

#include "faiss_layout.h"
#include "index_parts.h"

#include <stdbool.h>

typedef enum export_format { EXPORT_LSH, EXPORT_IVF, EXPORT_AQ } export_format;
typedef enum export_norms { NORMS_NONE, NORMS_BYTE, NORMS_FLOAT, NORMS_AUTO } export_norms;

typedef struct export_job {
    const lbh_encoder *enc;
    export_format format;
    int64_t nlist, nprobe; /* nlist 0: no lists */
    int64_t refine;        /* flips of the items' codes; 0: as encoded */
    int64_t shards;        /* 0: one file */
    int metric;            /* LBH_METRIC_* */
    bool named;            /* by an option */
    export_norms norms;    /* additive quantizer, L2: what stands behind each code */
    const lbh_rows *base;  /* may be NULL */

    int64_t first, n;   /* rows of the base that are in the file */
    size_t stored_size; /* bytes a row in the file: its code and norm */
    float *A, *b;       /* the map of queries; NULL for the additive quantizer */
    int unit;           /* 1: of queries of length 1 */
    int cosine;         /* rows count by their direction */
    float *codebooks;   /* additive quantizer: code_size x 256 x d */
    float norm_min, norm_max;
    uint8_t *codes;   /* n x stored_size */
    int64_t *list;    /* list of each row, where there are lists */
    float *centroids; /* nlist x d */
} export_job;

/* export_base.c: centroids of the base and a flat index of them, which the caller frees; NULL without lists. */
int export_take_lists(export_job *job, FaissIndex **coarse);
/* Fills codes and list from rows first .. first + n of the base, with what the norms want behind each code. */
int export_take_rows(export_job *job, const FaissIndex *coarse);

/* export_aq.c: the decoder as codebooks. */
int export_take_decoder(export_job *job);
/* Appends the norm of what each code rebuilds to the n codes. */
int export_append_norms(export_job *job);

/* export_file.c: writes the index. */
int export_write(const export_job *job, FILE *f);

#endif
