/* export_file.c: the three kinds of index that an export writes.
 *
 * faiss-lsh:  IndexPreTransform([x / ||x||,] A x + b; IndexLSH without rotation and thresholds)
 * faiss-ivf:  IndexIVFSpectralHash over the same bits
 * faiss-aq:   IndexLocalSearchQuantizer, or with lists IndexIVFLocalSearchQuantizer
 *
 * IndexIVFSpectralHash sets bit = floor((y - c) 2 / period) & 1, c a threshold of the list. With
 * y = -(A x + b), a period beyond every |y| and a c a little above 0 that is [A x + b >= 0], our
 * rule (FAISS's own IndexLSH's too), the zero included: floor is -1, an odd number, for y <= 0 and
 * 0 for y > c. Powers of two keep the products exact and away from underflow. */
#include "export.h"

#include <math.h>
#include <stdlib.h>

static const float spectral_period = 0x1p40f, spectral_threshold = 0x1p-80f;
enum { THRESHOLDS_PER_LIST = 3 }; /* FAISS's Thresh_median: read from the file, whatever they are */

/* ---- Lists --------------------------------------------------------------------------------- */

typedef struct lists {
    int64_t *size, *order;
} lists;

static void free_lists(lists *l)
{
    free(l->size);
    free(l->order);
}

/* Sorts the rows by list, rising within each. */
static int sort_lists(const export_job *job, lists *l)
{
    int64_t *next = lbh_alloc_rows(job->nlist, sizeof *next, 0);
    l->size = lbh_alloc_rows(job->nlist, sizeof *l->size, 0);
    l->order = lbh_alloc_rows(job->n, sizeof *l->order, 0);
    int rc = next && l->size && l->order ? LBH_OK : LBH_ENOMEM;
    if (rc == LBH_OK) {
        for (int64_t i = 0; i < job->nlist; i++)
            l->size[i] = 0;
        for (int64_t i = 0; i < job->n; i++)
            l->size[job->list[i]]++;
        for (int64_t i = 0, at = 0; i < job->nlist; at += l->size[i++])
            next[i] = at;
        for (int64_t i = 0; i < job->n; i++)
            l->order[next[job->list[i]]++] = i;
    }
    free(next);
    return rc;
}

static void write_ivf_header(const export_job *job, int metric, FILE *f)
{
    fl_ivf_header(f, &(fl_ivf){.d = lbh_encoder_d(job->enc),
                               .ntotal = job->n,
                               .nlist = job->nlist,
                               .nprobe = job->nprobe,
                               .centroids = job->centroids,
                               .coarse_metric = job->metric,
                               .metric = metric});
}

/* ---- The kinds ----------------------------------------------------------------------------- */

/* The map A x + b, behind a normalisation where it is one of unit vectors. */
static void write_lsh(const export_job *job, FILE *f)
{
    int d = lbh_encoder_d(job->enc), nbits = lbh_encoder_nbits(job->enc);
    fl_fourcc(f, "IxPT");
    fl_header(f, d, job->n, LBH_METRIC_L2);
    fl_i32(f, job->unit ? 2 : 1);
    if (job->unit)
        fl_normalisation(f, d);
    fl_linear(f, d, nbits, job->A, job->b);
    fl_fourcc(f, "IxHe");
    fl_header(f, nbits, job->n, LBH_METRIC_L2);
    fl_i32(f, nbits);
    fl_bool(f, 0); /* does not rotate */
    fl_bool(f, 0); /* learns no thresholds */
    fl_floats(f, NULL, 0);
    fl_i32(f, (int32_t)job->stored_size);
    fl_no_rotation(f, nbits, nbits);
    fl_u64(f, (uint64_t)job->n * job->stored_size);
    fl_bytes(f, job->codes, (size_t)job->n * job->stored_size);
}

static int write_spectral(const export_job *job, const lists *l, FILE *f)
{
    int d = lbh_encoder_d(job->enc), nbits = lbh_encoder_nbits(job->enc);
    float *A = lbh_alloc_rows(nbits, (size_t)d * sizeof *A, 0);
    float *b = lbh_alloc_rows(nbits, sizeof *b, 0);
    if (A && b) {
        for (int64_t i = 0; i < (int64_t)nbits * d; i++)
            A[i] = -job->A[i];
        for (int k = 0; k < nbits; k++)
            b[k] = -job->b[k];
        if (job->unit) { /* IndexPreTransform(x / ||x||, ...) */
            fl_fourcc(f, "IxPT");
            fl_header(f, d, job->n, LBH_METRIC_L2);
            fl_i32(f, 1);
            fl_normalisation(f, d);
        }
        fl_fourcc(f, "IwSh");
        write_ivf_header(job, LBH_METRIC_L2, f);
        fl_linear(f, d, nbits, A, b);
        fl_i32(f, nbits);
        fl_f32(f, spectral_period);
        fl_i32(f, THRESHOLDS_PER_LIST);
        fl_u64(f, (uint64_t)job->nlist * (uint64_t)nbits);
        for (int64_t i = 0; i < job->nlist * nbits; i++)
            fl_f32(f, spectral_threshold);
        fl_lists(f, job->nlist, l->size, l->order, job->first, job->stored_size,
                 job->codes);
    }
    int rc = A && b ? LBH_OK : LBH_ENOMEM;
    free(A);
    free(b);
    return rc;
}

static fl_quantizer quantizer(const export_job *job)
{
    return (fl_quantizer){.d = lbh_encoder_d(job->enc),
                          .m = (int32_t)lbh_encoder_code_size(job->enc),
                          .codebooks = job->codebooks,
                          .search_type = job->metric == LBH_METRIC_IP ? FL_LUT
                                         : job->norms == NORMS_FLOAT  ? FL_NORM_FLOAT
                                         : job->norms == NORMS_BYTE   ? FL_NORM_BYTE
                                                                      : FL_DECOMPRESS,
                          .norm_min = job->norms == NORMS_NONE ? 0 : job->norm_min,
                          .norm_max = job->norms == NORMS_NONE ? 0 : job->norm_max};
}

static void write_additive(const export_job *job, const lists *l, FILE *f)
{
    fl_quantizer q = quantizer(job);
    fl_fourcc(f, job->nlist ? "IwLS" : "IxLS");
    if (job->nlist) {
        write_ivf_header(job, job->metric, f);
        fl_u64(f, job->stored_size);
        fl_local_search_quantizer(f, &q);
        fl_bool(f, 0); /* codes are of the vectors, not of what the lists leave of them */
        fl_i32(f, 0);  /* no table is computed on reading */
        fl_lists(f, job->nlist, l->size, l->order, job->first, job->stored_size,
                 job->codes);
    } else {
        fl_header(f, q.d, job->n, job->metric);
        fl_local_search_quantizer(f, &q);
        fl_u64(f, job->stored_size);
        fl_u64(f, (uint64_t)job->n * job->stored_size);
        fl_bytes(f, job->codes, (size_t)job->n * job->stored_size);
    }
}

int export_write(const export_job *job, FILE *f)
{
    lists l = {NULL, NULL};
    int rc = job->nlist ? sort_lists(job, &l) : LBH_OK;
    if (rc == LBH_OK && job->format == EXPORT_LSH)
        write_lsh(job, f);
    if (rc == LBH_OK && job->format == EXPORT_IVF)
        rc = write_spectral(job, &l, f);
    if (rc == LBH_OK && job->format == EXPORT_AQ)
        write_additive(job, &l, f);
    free_lists(&l);
    return rc;
}
