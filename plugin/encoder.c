/* encoder.c: what all methods share: life, encoding by blocks and threads, decoding. Options are in
 * options.c, training in training.c, files in encoder_file.c. */
#include "core/cpu.h"
#include "core/linear.h"
#include "encoder_file.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 384 }; /* rows a thread takes at a time: a multiple of the kernel's row block */

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

static int free_tensor(lbh_visitor *v, const char *name, float **data, int64_t rows, int64_t cols)
{
    (void)v, (void)name, (void)rows, (void)cols;
    free(*data);
    *data = NULL;
    return LBH_OK;
}

void lbh_visit_free(lbh_encoder *enc)
{
    lbh_visitor v = {free_tensor};
    enc->method->visit(enc, &v);
}

static int allocate_tensor(lbh_visitor *v, const char *name, float **data, int64_t rows,
                           int64_t cols)
{
    (void)v, (void)name;
    free(*data);
    *data = lbh_alloc(rows * cols, sizeof **data);
    return *data ? LBH_OK : LBH_ENOMEM;
}

int lbh_visit_allocate(lbh_encoder *enc)
{
    lbh_visitor v = {allocate_tensor};
    return enc->method->visit(enc, &v);
}

static void drop_prepared(lbh_encoder *enc)
{
    if (enc->method->release)
        enc->method->release(enc);
    lbh_panels_free(enc->linear[LBH_BASE]);
    lbh_panels_free(enc->linear[LBH_QUERY]);
    enc->linear[LBH_BASE] = enc->linear[LBH_QUERY] = NULL;
}

void lbh_encoder_free(lbh_encoder *enc)
{
    if (!enc)
        return;
    drop_prepared(enc);
    lbh_visit_free(enc);
    free(enc->checkpoint);
    lbh_free_notes(enc);
    free(enc->state);
    free(enc);
}

static bool is_asymmetric(const lbh_encoder *enc)
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
    if (!rc && lbh_is_linear(enc) && is_asymmetric(enc))
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
    return ((size_t)enc->nbits + 7) / 8;
}

int lbh_encoder_is_trained(const lbh_encoder *enc)
{
    return enc->trained;
}

int64_t lbh_encoder_n_train(const lbh_encoder *enc)
{
    return enc->n_train;
}

/* ---- Encoding ------------------------------------------------------------------------------ */

/* Whether one of n floats is a NaN or an infinity: those have the highest exponent. */
LBH_CLONES
static bool any_nonfinite(int64_t n, const float *x)
{
    uint32_t highest = 0;
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, x + i, sizeof bits);
        bits &= 0x7fffffffU;
        highest = bits > highest ? bits : highest;
    }
    return highest >= 0x7f800000U;
}

int64_t lbh_find_nonfinite(int64_t n, int d, const float *x)
{
    for (int64_t i = 0; i < n; i++)
        if (any_nonfinite(d, x + i * d))
            return i;
    return -1;
}

static int check_call(const lbh_encoder *enc, int64_t n, const void *in, const void *out)
{
    if (!enc || n < 0 || (n > 0 && (!in || !out)))
        return lbh_error(LBH_EINVAL, "lbh_encoder: NULL argument or n (%lld) below 0",
                         (long long)n);
    if (!enc->trained)
        return lbh_error(LBH_ESTATE, "%s: the encoder is not trained", enc->method->name);
    return LBH_OK;
}

/* Where one block of results goes: codes, or z. */
typedef struct sink {
    uint8_t *codes;
    float *z;
    float *scratch; /* per thread BLOCK * nbits floats, for encoders that are not linear */
} sink;

static int encode_block(const lbh_encoder *enc, lbh_role role, int64_t first, int64_t n,
                        const float *x, const sink *out)
{
    const lbh_panels *panels = enc->linear[is_asymmetric(enc) ? role : LBH_BASE];
    uint8_t *codes = out->codes ? out->codes + (size_t)first * lbh_encoder_code_size(enc) : NULL;
    float *z = out->z ? out->z + first * enc->nbits : NULL;
    if (panels && codes)
        lbh_panels_encode(panels, n, x, codes);
    else if (panels)
        lbh_panels_apply(panels, n, x, z);
    else {
        if (!z)
            z = out->scratch + (int64_t)omp_get_thread_num() * BLOCK * enc->nbits;
        LBH_TRY(enc->method->project(enc, role, n, x, z));
        if (codes)
            lbh_pack_bits(n, enc->nbits, z, codes);
    }
    return LBH_OK;
}

/* Error texts are per thread: the first bad row and the error code are carried out of the parallel
 * region and raised by the caller's thread. */
static int run_blocks(const lbh_encoder *enc, lbh_role role, int64_t n, const float *x,
                      const sink *out)
{
    int64_t bad_row = INT64_MAX;
    int failure = LBH_OK; /* error codes are negative */
    int64_t nblocks = (n + BLOCK - 1) / BLOCK;
#pragma omp parallel for schedule(dynamic) if (nblocks > 1) reduction(min : bad_row, failure)
    for (int64_t b = 0; b < nblocks; b++) {
        int64_t first = b * BLOCK, rows = n - first < BLOCK ? n - first : BLOCK;
        const float *block = x + first * enc->d;
        int64_t bad = lbh_find_nonfinite(rows, enc->d, block);
        int rc = bad >= 0 ? LBH_OK : encode_block(enc, role, first, rows, block, out);
        if (bad >= 0 && first + bad < bad_row)
            bad_row = first + bad;
        if (rc < failure)
            failure = rc;
    }
    if (bad_row != INT64_MAX)
        return lbh_error(LBH_EINVAL, "%s: row %lld holds a NaN or an infinity", enc->method->name,
                         (long long)bad_row);
    if (failure)
        return lbh_error(failure, "%s: encoding failed in a worker thread (error %d)",
                         enc->method->name, failure);
    return LBH_OK;
}

static int encode_role(const lbh_encoder *enc, lbh_role role, int64_t n, const float *x,
                       uint8_t *codes)
{
    LBH_TRY(check_call(enc, n, x, codes));
    sink out = {.codes = codes};
    if (!enc->linear[LBH_BASE]) {
        out.scratch = lbh_alloc((int64_t)omp_get_max_threads() * BLOCK, //
                                (size_t)enc->nbits * sizeof(float));
        if (!out.scratch)
            return LBH_ENOMEM;
    }
    int rc = run_blocks(enc, role, n, x, &out);
    free(out.scratch);
    return rc;
}

int lbh_encoder_encode(const lbh_encoder *enc, int64_t n, const float *x, uint8_t *codes)
{
    return encode_role(enc, LBH_BASE, n, x, codes);
}

int lbh_encoder_encode_queries(const lbh_encoder *enc, int64_t n, const float *x, uint8_t *codes)
{
    return encode_role(enc, LBH_QUERY, n, x, codes);
}

int lbh_encoder_project(const lbh_encoder *enc, int64_t n, const float *x, float *z)
{
    LBH_TRY(check_call(enc, n, x, z));
    return run_blocks(enc, LBH_BASE, n, x, &(sink){.z = z});
}

int lbh_encoder_project_queries(const lbh_encoder *enc, int64_t n, const float *x, float *z)
{
    LBH_TRY(check_call(enc, n, x, z));
    return run_blocks(enc, LBH_QUERY, n, x, &(sink){.z = z});
}

int lbh_encoder_linear(const lbh_encoder *enc, float *A, float *b)
{
    LBH_TRY(check_call(enc, 1, A, b));
    if (!lbh_is_linear(enc) || is_asymmetric(enc))
        return lbh_error(LBH_EINVAL, "%s: the encoder is not one linear map", enc->method->name);
    return enc->method->linear(enc, LBH_BASE, A, b);
}

int lbh_encoder_linear_queries(const lbh_encoder *enc, float *A, float *b, int *unit)
{
    LBH_TRY(check_call(enc, unit != NULL, A, b));
    if (!unit)
        return lbh_error(LBH_EINVAL, "lbh_encoder_linear_queries: unit is NULL");
    *unit = 0;
    if (lbh_is_linear(enc))
        return enc->method->linear(enc, LBH_QUERY, A, b);
    if (enc->method->linear_queries)
        return enc->method->linear_queries(enc, A, b, unit);
    return lbh_error(LBH_EINVAL, "%s: queries are not encoded by one linear map",
                     enc->method->name);
}

/* ---- Decoding ------------------------------------------------------------------------------ */

int lbh_encoder_decoder(const lbh_encoder *enc, float *U, float *c)
{
    LBH_TRY(check_call(enc, 1, U, c));
    if (!enc->method->decoder)
        return lbh_error(LBH_EINVAL, "%s: the method has no decoder", enc->method->name);
    return enc->method->decoder(enc, U, c);
}

int lbh_encoder_decode(const lbh_encoder *enc, int64_t n, const uint8_t *codes, float *x)
{
    LBH_TRY(check_call(enc, n, codes, x));
    float *U = lbh_alloc((int64_t)enc->nbits * enc->d, sizeof *U);
    float *c = lbh_alloc(enc->d, sizeof *c);
    int rc = U && c ? lbh_encoder_decoder(enc, U, c) : LBH_ENOMEM;
    size_t code_size = lbh_encoder_code_size(enc);
    if (!rc) {
#pragma omp parallel for schedule(static) if (n > 64)
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
