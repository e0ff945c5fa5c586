/* export_base.c: codes and inverted lists of the base rows of an export, in one pass over them. */
#include "export.h"

#include <math.h>
#include <stdlib.h>

/* Rows at a time: 16 MB of floats. */
static int64_t block_rows(int d)
{
    int64_t rows = ((int64_t)1 << 22) / d;
    return rows < 64 ? 64 : rows;
}

/* Rows by their directions: a long one would draw its centroid. */
static void make_unit(int64_t n, int d, float *x)
{
    for (int64_t i = 0; i < n; i++, x += d) {
        double sum = 0;
        for (int j = 0; j < d; j++)
            sum += (double)x[j] * (double)x[j];
        for (int j = 0; j < d && sum > 0; j++)
            x[j] = (float)((double)x[j] / sqrt(sum));
    }
}

/* Centroids of a sample of the base. For inner products they are unit vectors, as in FAISS's own
 * "IVF...": long ones would draw every query. */
static int learn_lists(export_job *job)
{
    const lbh_rows *base = job->base;
    int64_t m = 256 * job->nlist < job->n ? 256 * job->nlist : job->n;
    int64_t *ids = lbh_alloc_rows(m, sizeof *ids, 0);
    float *x = lbh_alloc_rows(m, (size_t)base->d * sizeof *x, 0);
    job->centroids = lbh_alloc_rows(job->nlist, (size_t)base->d * sizeof *job->centroids, 0);
    int rc = ids && x && job->centroids ? LBH_OK : LBH_ENOMEM;
    for (int64_t i = 0; i < m && rc == LBH_OK; i++)
        ids[i] = lbh_sample_place(i, m, job->n);
    if (rc == LBH_OK)
        rc = base->read(base, m, ids, x);
    if (rc == LBH_OK && job->cosine)
        make_unit(m, base->d, x);
    if (rc == LBH_OK)
        rc =
            lbh_gap_kmeans(base->d, job->nlist, m, x, job->metric == LBH_METRIC_IP, job->centroids);
    free(ids);
    free(x);
    return rc;
}

static int open_coarse(FaissIndex **coarse, export_job *job)
{
    job->list = lbh_alloc_rows(job->n, sizeof *job->list, 0);
    if (!job->list)
        return LBH_ENOMEM;
    LBH_TRY(learn_lists(job));
    LBH_TRY(lbh_float_index_new(coarse, job->base->d, "Flat", job->metric));
    return lbh_float_index_add(*coarse, job->nlist, job->centroids);
}

/* Codes of `count` rows to `codes`, which have stored_size bytes from row to row. */
static int encode_rows(const export_job *job, int64_t count, const float *x, uint8_t *codes)
{
    size_t own = lbh_encoder_code_size(job->enc);
    LBH_TRY(job->refine ? lbh_encoder_encode_refined(job->enc, count, x, (int)job->refine, codes)
                        : lbh_encoder_encode(job->enc, count, x, codes));
    for (int64_t i = count - 1; i > 0 && job->stored_size > own; i--)
        for (size_t j = own; j-- > 0;) /* from the end: room for the norms */
            codes[(size_t)i * job->stored_size + j] = codes[(size_t)i * own + j];
    return LBH_OK;
}

static int take_block(export_job *job, const FaissIndex *coarse, int64_t first, int64_t count,
                      int64_t *ids, float *x, float *distances)
{
    for (int64_t i = 0; i < count; i++)
        ids[i] = first + i;
    LBH_TRY(job->base->read(job->base, count, ids, x));
    int rc = encode_rows(job, count, x, job->codes + (size_t)first * job->stored_size);
    if (rc == LBH_EINVAL)
        return lbh_error(rc, "export: rows %lld to %lld: %s", (long long)first,
                         (long long)(first + count - 1), lbh_last_error());
    LBH_TRY(rc);
    return coarse ? lbh_float_index_search(coarse, count, x, 1, distances, job->list + first)
                  : LBH_OK;
}

int export_take_base(export_job *job)
{
    FaissIndex *coarse = NULL;
    if (job->n == 0)
        return LBH_OK;
    int64_t block = block_rows(job->base->d);
    block = block < job->n ? block : job->n;
    int64_t *ids = lbh_alloc_rows(block, sizeof *ids, 0);
    float *x = lbh_alloc_rows(block, (size_t)job->base->d * sizeof *x, 0);
    float *distances = lbh_alloc_rows(block, sizeof *distances, 0);
    job->codes = lbh_alloc_rows(job->n, job->stored_size, 0);
    int rc = ids && x && distances && job->codes ? LBH_OK : LBH_ENOMEM;
    if (rc == LBH_OK && job->nlist)
        rc = open_coarse(&coarse, job);
    for (int64_t i = 0; i < job->n && rc == LBH_OK; i += block) {
        int64_t count = job->n - i < block ? job->n - i : block;
        rc = take_block(job, coarse, i, count, ids, x, distances);
    }
    lbh_float_index_free(coarse);
    free(ids);
    free(x);
    free(distances);
    return rc;
}
