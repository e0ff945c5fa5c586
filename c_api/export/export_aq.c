/* export_aq.c: a decoder as an additive quantizer over the same bytes: codebook j has the 256 vectors
 * that byte j of a code can add, those of its table or of its bits. FAISS packs 8-bit indexes one a
 * byte, so the packed code of its quantizer is our code. */
#include "export.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int export_take_decoder(export_job *job)
{
    int d = lbh_encoder_d(job->enc), m = (int)lbh_encoder_code_size(job->enc);
    job->codebooks = lbh_alloc_rows(256 * (int64_t)m, (size_t)d * sizeof *job->codebooks, 0);
    if (!job->codebooks)
        return LBH_ENOMEM;
    int rc = lbh_encoder_codebooks(job->enc, job->codebooks);
    return rc != LBH_EINVAL ? rc
                            : lbh_error(LBH_EINVAL,
                                        "export: faiss-aq needs an encoder with a decoder, which %s "
                                        "has not; use faiss-lsh or lbh_index_build",
                                        lbh_encoder_method(job->enc));
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
