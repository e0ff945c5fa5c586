/* encoding.c: codes and projections of many rows: blocks that threads take one by one. A block goes
 * through one fused kernel (core/linear.h), or through the method's own project(). */
#include "encoder_parts.h"
#include "finite.h"
#include "linear.h"
#include "threads.h"
#include "watch.h"
#include "unit.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 384 }; /* rows a thread takes at a time: a multiple of the kernel's row block */

/* Rows in, codes or projections out. */
typedef struct job {
    const lbh_encoder *enc;
    lbh_role role;
    const lbh_panels *panels; /* NULL: by the method's project() */
    const float *x;           /* n x d; or NULL, and */
    const uint8_t *bytes;     /* rows of bytes, `stride` from one to the next */
    int64_t stride;
    uint8_t *codes; /* or NULL, and */
    float *z;
    int depth;      /* of the search for items' codes, where `deeper` */
    bool deeper;
    float *scratch; /* where needed, for each thread: BLOCK rows of x and of z */
} job;

static float *room_of(const job *j)
{
    return j->scratch + (int64_t)omp_get_thread_num() * BLOCK * (j->enc->d + j->enc->nbits);
}

/* Rows of a block as floats, of unit length where the metric asks for it. *bad: the first one that
 * is not finite, counted from `first`, or -1. */
static const float *take_rows(const job *j, int64_t first, int64_t n, int64_t *bad)
{
    int d = j->enc->d;
    float *room = room_of(j);
    const float *x = j->x ? j->x + first * d : room;
    if (j->bytes)
        for (int64_t i = 0; i < n; i++)
            for (int k = 0; k < d; k++)
                room[i * d + k] = (float)j->bytes[(first + i) * j->stride + k];
    *bad = lbh_find_nonfinite(n, d, x);
    if (*bad >= 0 || !lbh_is_cosine(j->enc))
        return x;
    lbh_unit_rows(n, d, x, room);
    return room;
}

static int project_block(const job *j, int64_t first, int64_t n, const float *x, float *z)
{
    const lbh_encoder *enc = j->enc;
    LBH_TRY(j->deeper ? enc->method->search(enc, j->depth, n, x, z)
                      : enc->method->project(enc, j->role, n, x, z));
    if (j->codes)
        lbh_pack_bits(n, enc->nbits, z, j->codes + (size_t)first * lbh_encoder_code_size(enc));
    return LBH_OK;
}

/* By the method. *bad is the first row that is not finite, counted from `first`, or -1. */
static int slow_block(const job *j, int64_t first, int64_t n, int64_t *bad)
{
    int d = j->enc->d, L = j->enc->nbits;
    const float *x = take_rows(j, first, n, bad);
    if (*bad >= 0)
        return LBH_OK;
    float *z = j->z ? j->z + first * L : room_of(j) + (int64_t)BLOCK * d;
    return project_block(j, first, n, x, z);
}

/* By one linear map. Its values tell whether rows are finite: only then they need a look. */
static void fast_block(const job *j, int64_t first, int64_t n, int64_t *bad)
{
    int d = j->enc->d;
    uint8_t *codes = j->codes ? j->codes + (size_t)first * lbh_encoder_code_size(j->enc) : NULL;
    bool finite = true, unit = lbh_is_cosine(j->enc);
    const float *x = unit ? take_rows(j, first, n, bad) : j->x ? j->x + first * d : NULL;
    if (unit && *bad >= 0)
        return;
    if (j->bytes && !unit)
        lbh_panels_encode_u8(j->panels, n, j->bytes + first * j->stride, j->stride, codes);
    else if (codes)
        finite = lbh_panels_encode(j->panels, n, x, codes);
    else
        finite = lbh_panels_apply(j->panels, n, x, j->z + first * j->enc->nbits);
    *bad = finite ? -1 : lbh_find_nonfinite(n, d, x);
}

/* Error texts are per thread: the first bad row and the error code are carried out of the parallel
 * region and raised by the caller's thread. */
static int run_blocks(const job *j, int64_t n)
{
    int64_t bad_row = INT64_MAX;
    int failure = LBH_OK; /* error codes are negative */
    int64_t nblocks = (n + BLOCK - 1) / BLOCK;
    const char *name = j->enc->method->name;
    bool stop = false;
    int threads = nblocks > 1 ? lbh_threads_for((double)n * j->enc->d * j->enc->nbits) : 1;
#pragma omp parallel for schedule(dynamic) num_threads(threads) if (threads > 1) \
    reduction(min : bad_row, failure)
    for (int64_t b = 0; b < nblocks; b++) {
        int64_t first = b * BLOCK, rows = n - first < BLOCK ? n - first : BLOCK, bad = -1;
        int rc = LBH_OK;
        if (lbh_watch_stopped(&stop))
            continue;
        if (j->panels)
            fast_block(j, first, rows, &bad);
        else
            rc = slow_block(j, first, rows, &bad);
        if (bad >= 0 && first + bad < bad_row)
            bad_row = first + bad;
        if (rc < failure)
            failure = rc;
    }
    if (bad_row != INT64_MAX)
        return lbh_error(LBH_EINVAL, "%s: row %lld holds a NaN or an infinity", name,
                         (long long)bad_row);
    LBH_TRY(lbh_watch_check());
    if (failure)
        return lbh_error(failure, "%s: encoding failed in a worker thread (error %d)", name,
                         failure);
    return LBH_OK;
}

static int run(job *j, int64_t n)
{
    const lbh_encoder *enc = j->enc;
    const void *in = j->bytes ? (const void *)j->bytes : j->x;
    LBH_TRY(lbh_check_call(enc, n, in, j->codes ? (const void *)j->codes : j->z));
    /* NOLINTNEXTLINE(*NullDereference): lbh_check_call() has looked */
    j->panels = enc->linear[lbh_is_asymmetric(enc) ? j->role : LBH_BASE];
    if ((!j->panels || lbh_is_cosine(enc)) && n > 0) {
        int64_t rows = (int64_t)omp_get_max_threads() * BLOCK;
        j->scratch = lbh_alloc(rows, (size_t)(enc->d + enc->nbits) * sizeof(float));
        if (!j->scratch)
            return LBH_ENOMEM;
    }
    lbh_watch_begin("encode", n);
    int rc = run_blocks(j, n);
    free(j->scratch);
    return lbh_watch_end(rc);
}

int lbh_encoder_encode(const lbh_encoder *enc, int64_t n, const float *x, uint8_t *codes)
{
    return run(&(job){.enc = enc, .role = LBH_BASE, .x = x, .codes = codes}, n);
}

int lbh_encode_searching(const lbh_encoder *enc, int depth, int64_t n, const float *x,
                         uint8_t *codes)
{
    job j = {.enc = enc, .role = LBH_BASE, .x = x, .codes = codes, .depth = depth, .deeper = true};
    return run(&j, n);
}

int lbh_encoder_encode_queries(const lbh_encoder *enc, int64_t n, const float *x, uint8_t *codes)
{
    return run(&(job){.enc = enc, .role = LBH_QUERY, .x = x, .codes = codes}, n);
}

static int encode_bytes(const lbh_encoder *enc, lbh_role role, int64_t n, const uint8_t *x,
                        int64_t stride, uint8_t *codes)
{
    if (enc && stride < enc->d)
        return lbh_error(LBH_EINVAL, "%s: rows of %d bytes cannot start every %lld bytes",
                         enc->method->name, enc->d, (long long)stride);
    job j = {.enc = enc, .role = role, .bytes = x, .stride = stride, .codes = codes};
    return run(&j, n);
}

int lbh_encoder_encode_u8(const lbh_encoder *enc, int64_t n, const uint8_t *x, int64_t stride,
                          uint8_t *codes)
{
    return encode_bytes(enc, LBH_BASE, n, x, stride, codes);
}

int lbh_encoder_encode_queries_u8(const lbh_encoder *enc, int64_t n, const uint8_t *x,
                                  int64_t stride, uint8_t *codes)
{
    return encode_bytes(enc, LBH_QUERY, n, x, stride, codes);
}

int lbh_encoder_project(const lbh_encoder *enc, int64_t n, const float *x, float *z)
{
    return run(&(job){.enc = enc, .role = LBH_BASE, .x = x, .z = z}, n);
}

int lbh_encoder_project_queries(const lbh_encoder *enc, int64_t n, const float *x, float *z)
{
    return run(&(job){.enc = enc, .role = LBH_QUERY, .x = x, .z = z}, n);
}
