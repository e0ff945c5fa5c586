/* encoder.c: what all methods share: life, properties, linear maps, decoding. Training is in
 * learn.c and train/, encoding in encoding.c, files in encoder_file.c, options in method/options.c. */
#include "encoder_parts.h"
#include "linear.h"
#include "notes.h"
#include "threads.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

const char *lbh_version(void)
{
    return LBH_VERSION;
}

/* ---- Life ---------------------------------------------------------------------------------- */

int lbh_encoder_new(lbh_encoder **out, const char *method, int d, int nbits)
{
    if (!out || !method)
        return lbh_error(LBH_EINVAL, "lbh_encoder_new: a NULL argument");
    const lbh_method *m = lbh_method_find(method);
    if (!m)
        return lbh_error(LBH_EINVAL, "there is no method \"%s\"; `lbh methods` lists them", method);
    if (d < 1 || d > LBH_MAX_D)
        return lbh_error(LBH_EINVAL, "%s: d (%d) must be 1 to %d", method, d, LBH_MAX_D);
    if (nbits < 1 || nbits > LBH_MAX_NBITS)
        return lbh_error(LBH_EINVAL, "%s: nbits (%d) must be 1 to %d", method, nbits,
                         LBH_MAX_NBITS);
    lbh_encoder *enc = calloc(1, sizeof *enc);
    void *state = calloc(1, m->state_size);
    if (!enc || !state) {
        free(enc);
        free(state);
        return lbh_error(LBH_ENOMEM, "%s: out of memory for an encoder", method);
    }
    enc->method = m;
    enc->d = d;
    enc->nbits = nbits;
    enc->state = state;
    lbh_param p;
    for (int i = 0; lbh_method_param(&p, method, i) == LBH_OK; i++)
        *(i < LBH_OPT_COMMON ? &enc->common[i] : &enc->value[i - LBH_OPT_COMMON]) = p.value;
    *out = enc;
    return LBH_OK;
}

static void drop_prepared(lbh_encoder *enc)
{
    if (enc->method->release)
        enc->method->release(enc);
    lbh_panels_free(enc->linear[LBH_BASE]);
    lbh_panels_free(enc->linear[LBH_QUERY]);
    enc->linear[LBH_BASE] = enc->linear[LBH_QUERY] = NULL;
}

void lbh_encoder_reset(lbh_encoder *enc)
{
    drop_prepared(enc);
    lbh_visit_free(enc);
    enc->trained = false;
}

void lbh_encoder_free(lbh_encoder *enc)
{
    if (!enc)
        return;
    lbh_encoder_reset(enc);
    free(enc->checkpoint);
    lbh_free_notes(enc);
    free(enc->state);
    free(enc);
}

bool lbh_is_asymmetric(const lbh_encoder *enc)
{
    return enc->method->asymmetric && enc->method->asymmetric(enc);
}

static int pack_role(lbh_encoder *enc, lbh_role role)
{
    float *A = lbh_alloc((int64_t)enc->nbits * enc->d, sizeof *A);
    float *b = lbh_alloc(enc->nbits, sizeof *b);
    int rc = A && b ? enc->method->linear(enc, role, A, b) : LBH_ENOMEM;
    if (!rc)
        rc = lbh_panels_new(&enc->linear[role], enc->nbits, enc->d, A, b);
    free(A);
    free(b);
    return rc;
}

bool lbh_is_linear(const lbh_encoder *enc)
{
    const lbh_method *m = enc->method;
    return m->linear && (!m->is_linear || m->is_linear(enc));
}

int lbh_encoder_finish(lbh_encoder *enc)
{
    int rc = LBH_OK;
    if (enc->method->prepare)
        rc = enc->method->prepare(enc);
    if (!rc && lbh_is_linear(enc))
        rc = pack_role(enc, LBH_BASE);
    if (!rc && lbh_is_linear(enc) && lbh_is_asymmetric(enc))
        rc = pack_role(enc, LBH_QUERY);
    if (rc) {
        drop_prepared(enc);
        return rc;
    }
    enc->trained = true;
    return LBH_OK;
}

/* ---- Properties ---------------------------------------------------------------------------- */

const char *lbh_encoder_method(const lbh_encoder *enc)
{
    return enc->method->name;
}

int lbh_encoder_d(const lbh_encoder *enc)
{
    return enc->d;
}

int lbh_encoder_nbits(const lbh_encoder *enc)
{
    return enc->nbits;
}

size_t lbh_encoder_code_size(const lbh_encoder *enc)
{
    return lbh_code_bytes(enc);
}

int lbh_encoder_is_trained(const lbh_encoder *enc)
{
    return enc->trained;
}

int64_t lbh_encoder_n_train(const lbh_encoder *enc)
{
    return enc->n_train;
}

/* ---- Linear maps --------------------------------------------------------------------------- */

int lbh_check_call(const lbh_encoder *enc, int64_t n, const void *in, const void *out)
{
    if (!enc || n < 0 || (n > 0 && (!in || !out)))
        return lbh_error(LBH_EINVAL, "lbh_encoder: NULL argument or n (%lld) below 0",
                         (long long)n);
    if (!enc->trained)
        return lbh_error(LBH_ESTATE, "%s: the encoder is not trained", enc->method->name);
    return LBH_OK;
}

int lbh_encoder_is_asymmetric(const lbh_encoder *enc)
{
    return enc && enc->trained && lbh_is_asymmetric(enc);
}

int lbh_encoder_linear(const lbh_encoder *enc, float *A, float *b)
{
    LBH_TRY(lbh_check_call(enc, 1, A, b));
    if (!lbh_is_linear(enc) || lbh_is_asymmetric(enc))
        return lbh_error(LBH_EINVAL, "%s: the encoder is not one linear map", enc->method->name);
    if (lbh_is_cosine(enc))
        return lbh_error(LBH_EINVAL, "%s: rows are brought to unit length before the linear map "
                         "(metric=cosine); lbh_encoder_linear_queries hands it out",
                         enc->method->name);
    return enc->method->linear(enc, LBH_BASE, A, b);
}

int lbh_encoder_linear_queries(const lbh_encoder *enc, float *A, float *b, int *unit)
{
    LBH_TRY(lbh_check_call(enc, unit != NULL, A, b));
    if (!unit)
        return lbh_error(LBH_EINVAL, "lbh_encoder_linear_queries: unit is NULL");
    *unit = lbh_is_cosine(enc);
    if (lbh_is_linear(enc))
        return enc->method->linear(enc, LBH_QUERY, A, b);
    if (enc->method->linear_queries) {
        LBH_TRY(enc->method->linear_queries(enc, A, b, unit));
        *unit = *unit || lbh_is_cosine(enc);
        return LBH_OK;
    }
    return lbh_error(LBH_EINVAL, "%s: queries are not encoded by one linear map",
                     enc->method->name);
}

/* ---- Decoding ------------------------------------------------------------------------------ */

int lbh_encoder_decoder(const lbh_encoder *enc, float *U, float *c)
{
    LBH_TRY(lbh_check_call(enc, 1, U, c));
    if (!enc->method->decoder)
        return lbh_error(LBH_EINVAL, "%s: the method has no decoder", enc->method->name);
    return enc->method->decoder(enc, U, c);
}

int lbh_encoder_decode(const lbh_encoder *enc, int64_t n, const uint8_t *codes, float *x)
{
    LBH_TRY(lbh_check_call(enc, n, codes, x));
    if (enc->common[LBH_OPT_REBUILD] == LBH_REBUILD_GENERATOR)
        return enc->method->rebuild(enc, n, codes, x);
    if (enc->tables.columns)
        return lbh_tables_decode(&enc->tables, n, codes, x);
    float *U = lbh_alloc((int64_t)enc->nbits * enc->d, sizeof *U);
    float *c = lbh_alloc(enc->d, sizeof *c);
    int rc = U && c ? lbh_encoder_decoder(enc, U, c) : LBH_ENOMEM;
    size_t code_size = lbh_encoder_code_size(enc);
    if (!rc) {
        int threads = lbh_threads_for((double)n * enc->nbits * enc->d);
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
        for (int64_t i = 0; i < n; i++) {
            float *row = x + i * enc->d;
            const uint8_t *code = codes + (size_t)i * code_size;
            memcpy(row, c, (size_t)enc->d * sizeof *row);
            for (int k = 0; k < enc->nbits; k++)
                if (code[k / 8] >> (k % 8) & 1)
                    for (int j = 0; j < enc->d; j++)
                        row[j] += U[(int64_t)k * enc->d + j];
        }
    }
    free(U);
    free(c);
    return rc;
}
