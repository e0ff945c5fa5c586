/* export_base.c: lists and codes of the base rows of an export. */
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
    int64_t m = 256 * job->nlist < base->n ? 256 * job->nlist : base->n;
    int64_t *ids = lbh_alloc_rows(m, sizeof *ids, 0);
    float *x = lbh_alloc_rows(m, (size_t)base->d * sizeof *x, 0);
    job->centroids = lbh_alloc_rows(job->nlist, (size_t)base->d * sizeof *job->centroids, 0);
    int rc = ids && x && job->centroids ? LBH_OK : LBH_ENOMEM;
    for (int64_t i = 0; i < m && rc == LBH_OK; i++)
        ids[i] = lbh_sample_place(i, m, base->n);
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

int export_take_lists(export_job *job, FaissIndex **coarse)
{
    *coarse = NULL;
    if (!job->nlist)
        return LBH_OK;
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

/* Rows `at` and on of those that are taken. */
static int take_block(export_job *job, const FaissIndex *coarse, int64_t at, int64_t count,
                      int64_t *ids, float *x, float *distances)
{
    for (int64_t i = 0; i < count; i++)
        ids[i] = job->first + at + i;
    LBH_TRY(job->base->read(job->base, count, ids, x));
    int rc = encode_rows(job, count, x, job->codes + (size_t)at * job->stored_size);
    if (rc == LBH_EINVAL)
        return lbh_error(rc, "export: rows %lld to %lld: %s", (long long)ids[0],
                         (long long)ids[count - 1], lbh_last_error());
    LBH_TRY(rc);
    return coarse ? lbh_float_index_search(coarse, count, x, 1, distances, job->list + at)
                  : LBH_OK;
}

static int take_blocks(export_job *job, const FaissIndex *coarse)
{
    int64_t block = block_rows(job->base->d);
    block = block < job->n ? block : job->n;
    int64_t *ids = lbh_alloc_rows(block, sizeof *ids, 0);
    float *x = lbh_alloc_rows(block, (size_t)job->base->d * sizeof *x, 0);
    float *distances = lbh_alloc_rows(block, sizeof *distances, 0);
    int rc = ids && x && distances ? LBH_OK : LBH_ENOMEM;
    for (int64_t i = 0; i < job->n && rc == LBH_OK; i += block) {
        int64_t count = job->n - i < block ? job->n - i : block;
        rc = take_block(job, coarse, i, count, ids, x, distances);
    }
    free(ids);
    free(x);
    free(distances);
    return rc;
}

int export_take_rows(export_job *job, const FaissIndex *coarse)
{
    free(job->codes);
    free(job->list);
    job->codes = NULL;
    job->list = NULL;
    if (job->n == 0)
        return LBH_OK;
    job->codes = lbh_alloc_rows(job->n, job->stored_size, 0);
    job->list = coarse ? lbh_alloc_rows(job->n, sizeof *job->list, 0) : NULL;
    if (!job->codes || (coarse && !job->list))
        return LBH_ENOMEM;
    LBH_TRY(take_blocks(job, coarse));
    return job->norms == NORMS_NONE ? LBH_OK : export_append_norms(job);
}
