/* speed_encode.c: encoding against FAISS's ITQ and against the matrix product it consists of, and
 * training against the products of its steps. What the numbers are makes no difference to the speed:
 * the rows are random. */
#include "encode.h"
#include "encoder_make.h"
#include "inputs.h"
#include "output.h"
#include "progress.h"
#include "speed.h"

#include <cblas.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

/* The shape of MNIST. */
enum { ROWS = 60000, D = 784, NBITS = 64, LEARN_ROWS = 5000, GEMM_BLOCK = 4096 };
enum { TRAIN_STEPS = 5000, TRAIN_BATCH = 500, TRAIN_D = 256 };

typedef struct encoding {
    float *x, *weights, *product;
    uint8_t *codes;
    lbh_encoder *enc;
    FaissIndex *itq;
} encoding;

static int encode_ours(void *ctx)
{
    const encoding *e = ctx;
    return lbh_encoder_encode(e->enc, ROWS, e->x, e->codes);
}

static int encode_faiss(void *ctx)
{
    const encoding *e = ctx;
    return lbh_float_index_encode(e->itq, ROWS, e->x, e->codes);
}

static float *random_floats(int64_t n, uint64_t seed)
{
    float *x = cli_alloc(n, sizeof *x);
    uint64_t state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    for (int64_t i = 0; x && i < n; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        x[i] = (float)(int32_t)(state >> 32) * 0x1p-31f;
    }
    return x;
}

static int open_encoding(encoding *e)
{
    *e = (encoding){.x = random_floats((int64_t)ROWS * D, 1)};
    e->weights = random_floats((int64_t)NBITS * D, 2);
    e->product = cli_alloc((int64_t)GEMM_BLOCK * NBITS, sizeof *e->product);
    e->codes = cli_alloc(ROWS, NBITS / 8);
    if (!e->x || !e->weights || !e->product || !e->codes)
        return LBH_ENOMEM;
    int rc = lbh_encoder_new(&e->enc, "itq", D, NBITS);
    if (!rc)
        rc = lbh_encoder_train(e->enc, LEARN_ROWS, e->x);
    if (!rc)
        rc = lbh_float_index_new(&e->itq, D, "ITQ64,LSH", LBH_METRIC_L2);
    if (!rc)
        rc = lbh_float_index_train(e->itq, LEARN_ROWS, e->x);
    return rc;
}

static void close_encoding(encoding *e)
{
    lbh_encoder_free(e->enc);
    lbh_float_index_free(e->itq);
    free(e->x);
    free(e->weights);
    free(e->product);
    free(e->codes);
}

static int time_encoding(const speed_options *o, encoding *e, int threads)
{
    limit_gemm gemm = {ROWS, NBITS, D, GEMM_BLOCK, e->x, e->weights, e->product};
    int rc = speed_run(o, &(speed_case){
        .name = "encode: 60000 x 784 floats to 64 bits", .unit = "vector", .work = ROWS,
        .ours = {"lbh_encoder_encode", encode_ours, e, threads},
        .rival = {{"FAISS ITQ64,LSH", encode_faiss, e, threads}},
        .limit = {{"sgemm", limit_sgemm, &gemm, threads}}});
    if (rc == LBH_OK) {
        const cJSON *last = cJSON_GetArrayItem(o->results, cJSON_GetArraySize(o->results) - 1);
        double ns = cJSON_GetNumberValue(cJSON_GetObjectItem(last, "ours"));
        speed_note(o, "gflops", 2.0 * D * NBITS / ns);
    }
    return rc;
}

int speed_encode(const speed_options *o)
{
    encoding e;
    int rc = open_encoding(&e);
    if (rc == LBH_OK)
        rc = time_encoding(o, &e, 1);
    if (rc == LBH_OK && o->threads > 1)
        rc = time_encoding(o, &e, o->threads);
    close_encoding(&e);
    return rc;
}

/* ---- Training ------------------------------------------------------------------------------ */

typedef struct lesson {
    float *x, *out;
    double gemm_share; /* of the time of the last training's steps */
} lesson;

static int train_ours(void *ctx)
{
    lesson *l = ctx;
    lbh_encoder *enc = NULL;
    LBH_TRY(encoder_make(&enc, "sgh", D, NBITS, LBH_METRIC_L2, "steps=5000,batch=500", 1));
    lbh_encoder_on_progress(enc, progress_training, NULL);
    int rc = lbh_encoder_train(enc, ROWS, l->x);
    const char *name;
    double seconds, total = 0, gemm = 0;
    for (int i = 0; !rc && lbh_encoder_train_time(enc, i, &name, &seconds) == LBH_OK; i++) {
        if (strcmp(name, "other") == 0)
            continue; /* the space and the start: before and after the steps */
        total += seconds;
        gemm += strcmp(name, "gemm") == 0 ? seconds : 0;
    }
    l->gemm_share = total > 0 ? gemm / total : 0;
    lbh_encoder_free(enc);
    return rc;
}

/* The products of as many steps by the BLAS that is linked: what a program takes at least that
 * leaves them to it. The space that sgh trains in has TRAIN_D dimensions. */
static int train_products(void *ctx)
{
    lesson *l = ctx;
    const int B = TRAIN_BATCH, L = NBITS, d = TRAIN_D;
    const float *X = l->x, *Y = X + B * d, *W = Y + B * d, *H = W + L * d;
    float *bits = l->out, *rows = bits + B * L, *weights = rows + B * d;
    for (int i = 0; i < TRAIN_STEPS; i++) {
        for (int back = 0; back < 2; back++) { /* logits; what comes back from the decoder */
            cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, B, L, d, 1, back ? Y : X, d, W, d,
                        0, bits, L);
            cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, L, d, B, 1, H, L, back ? Y : X, d,
                        0, weights, d); /* the gradients of encoder and decoder */
        }
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, B, d, L, 1, H, L, W, d, 0, rows, d);
    }
    return LBH_OK;
}

int speed_train(const speed_options *o)
{
    lesson l = {.x = random_floats((int64_t)ROWS * D, 3)};
    l.out = cli_alloc((TRAIN_BATCH + NBITS) * TRAIN_D + TRAIN_BATCH * NBITS, sizeof *l.out);
    int rc = l.x && l.out ? LBH_OK : LBH_ENOMEM;
    for (int t = 1; t <= o->threads && rc == LBH_OK; t = speed_next_threads(o, t)) {
        rc = speed_run(o, &(speed_case){
            .name = "train: sgh, 60000 x 784 to 64 bits, 5000 steps of 500", .unit = "step",
            .work = TRAIN_STEPS, .ours = {"lbh_encoder_train", train_ours, &l, t},
            .limit = {{"its products by sgemm", train_products, &l, t}}});
        if (rc == LBH_OK)
            speed_note(o, "gemm_share", l.gemm_share);
    }
    free(l.x);
    free(l.out);
    return rc;
}
