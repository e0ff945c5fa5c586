/* export_aq.c: a decoder as an additive quantizer over the same bits. The decoder's
 *   x^ = c + sum over set bits k of U_k
 * splits by bytes: codebook j has 256 entries, the sum of the rows U_8j .. U_8j+7 for the bits of
 * the byte's value; the first one has c in it. FAISS packs 8-bit indexes one a byte, so the packed
 * code of its quantizer is our code. */
#include "export.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* All 256 sums of the rows that byte j has; bits beyond nbits add nothing. */
static void fill_codebook(int j, int d, int nbits, const float *U, const float *c, float *book)
{
    if (j == 0)
        memcpy(book, c, (size_t)d * sizeof *book);
    else
        memset(book, 0, (size_t)d * sizeof *book);
    for (int bit = 0; bit < 8; bit++)
        for (int v = 1 << bit; v < 2 << bit; v++) {
            const float *rest = book + (int64_t)(v - (1 << bit)) * d;
            const float *row = U + (int64_t)(8 * j + bit) * d;
            int used = 8 * j + bit < nbits;
            for (int i = 0; i < d; i++)
                book[(int64_t)v * d + i] = rest[i] + (used ? row[i] : 0);
        }
}

int export_take_decoder(export_job *job)
{
    int d = lbh_encoder_d(job->enc), nbits = lbh_encoder_nbits(job->enc);
    int m = (int)lbh_encoder_code_size(job->enc);
    float *U = lbh_alloc_rows(8 * (int64_t)m, (size_t)d * sizeof *U, 0);
    float *c = lbh_alloc_rows(d, sizeof *c, 0);
    job->codebooks = lbh_alloc_rows(256 * (int64_t)m, (size_t)d * sizeof *job->codebooks, 0);
    int rc = U && c && job->codebooks ? LBH_OK : LBH_ENOMEM;
    if (rc == LBH_OK && lbh_encoder_decoder(job->enc, U, c) != LBH_OK)
        rc = lbh_error(LBH_EINVAL,
                       "export: faiss-aq needs an encoder with a decoder, which %s has "
                       "not; use faiss-lsh or lbh_index_build",
                       lbh_encoder_method(job->enc));
    for (int j = 0; j < m && rc == LBH_OK; j++)
        fill_codebook(j, d, nbits, U, c, job->codebooks + (int64_t)j * 256 * d);
    free(U);
    free(c);
    return rc;
}

/* ||x^||^2 of the n codes, rebuilt from the codebooks in FAISS's order of sums. */
static void compute_norms(const export_job *job, float *norm)
{
    int d = lbh_encoder_d(job->enc), m = (int)lbh_encoder_code_size(job->enc);
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < job->n; i++) {
        const uint8_t *code = job->codes + (size_t)i * job->stored_size;
        double sum = 0;
        for (int t = 0; t < d; t++) {
            float x = 0;
            for (int j = 0; j < m; j++)
                x += job->codebooks[((int64_t)j * 256 + code[j]) * d + t];
            sum += (double)x * (double)x;
        }
        norm[i] = (float)sum;
    }
}

/* FAISS's encode_qint8. */
static uint8_t byte_of(float norm, float min, float max)
{
    float step = max > min ? floorf((norm - min) / (max - min) * 256) : 0;
    return step > 255 ? 255 : step < 0 ? 0 : (uint8_t)step;
}

int export_append_norms(export_job *job)
{
    size_t at = lbh_encoder_code_size(job->enc);
    float *norm = lbh_alloc_rows(job->n, sizeof *norm, 0);
    if (!norm)
        return LBH_ENOMEM;
    compute_norms(job, norm);
    job->norm_min = INFINITY;
    job->norm_max = -INFINITY;
    for (int64_t i = 0; i < job->n; i++) {
        job->norm_min = fminf(job->norm_min, norm[i]);
        job->norm_max = fmaxf(job->norm_max, norm[i]);
    }
    for (int64_t i = 0; i < job->n; i++) {
        uint8_t *to = job->codes + (size_t)i * job->stored_size + at;
        if (job->norms == NORMS_FLOAT)
            memcpy(to, &norm[i], sizeof norm[i]);
        else
            *to = byte_of(norm[i], job->norm_min, job->norm_max);
    }
    free(norm);
    return LBH_OK;
}
