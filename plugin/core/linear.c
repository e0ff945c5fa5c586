/* linear.c: see linear.h. Register tiles of ROWS vectors x up to 4 panels (64 outputs): per k, a
 * tile of 6 x 64 does 24 fused multiply-adds of 16 lanes on 10 loads, so the FMA ports are the
 * limit. Panels are walked in slices of KBLOCK columns that stay in the L2 cache while a block of
 * rows passes over them; the partial sums wait in `acc` and are taken up again in the same order.
 * While a tile is at work it asks memory for the next tile's rows. Rows of bytes become floats a
 * tile at a time, in the L1 cache. */
#include "core/linear.h"

#include "core/arena.h"
#include "core/cpu.h"
#include "core/error.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { LANES = 16, GROUP = 4, ROWS = 6, ROW_BLOCK = 96, KBLOCK = 1024, LINE = 16 };

/* The rows of a tile and those of the next one, each with the floats from row to row. */
typedef struct tile_rows {
    const float *x, *next;
    int64_t ldx, ldnext;
} tile_rows;

/* Adds the products of columns 0 .. k-1 to acc[rows][npanels * LANES]; panel p starts at
 * w + p * ldw. */
typedef void (*tile_fn)(int rows, int npanels, int k, const tile_rows *t, const float *w,
                        int64_t ldw, float *acc);

struct lbh_panels {
    int nout, d, npanels;
    float *w;    /* [npanels][d][LANES] */
    float *bias; /* [npanels * LANES] */
    tile_fn tile;
};

static void tile_scalar(int rows, int npanels, int k, const tile_rows *t, const float *w,
                        int64_t ldw, float *acc)
{
    for (int p = 0; p < npanels; p++)
        for (int r = 0; r < rows; r++) {
            float *a = acc + (r * npanels + p) * LANES;
            for (int i = 0; i < k; i++)
                for (int j = 0; j < LANES; j++)
                    a[j] = fmaf(t->x[r * t->ldx + i], w[p * ldw + i * LANES + j], a[j]);
        }
}

#if defined(__x86_64__)

/* R and P are constants at every call, so the loops unroll and s[][] lives in registers. */
__attribute__((target("avx512f"), always_inline)) static inline void
tile_avx512_fixed(const int R, const int P, int k, const tile_rows *t, const float *w, int64_t ldw,
                  float *acc)
{
    const float *x = t->x, *next = t->next;
    int64_t ldx = t->ldx, ldnext = t->ldnext;
    __m512 s[ROWS][GROUP];
#pragma GCC unroll 6
    for (int r = 0; r < R; r++)
#pragma GCC unroll 4
        for (int p = 0; p < P; p++)
            s[r][p] = _mm512_loadu_ps(acc + (r * P + p) * LANES);
    for (int i = 0; i < k; i++) {
        __m512 wv[GROUP];
        if (i % LINE < R)
            __builtin_prefetch(next + i % LINE * ldnext + i / LINE * LINE);
#pragma GCC unroll 4
        for (int p = 0; p < P; p++)
            wv[p] = _mm512_loadu_ps(w + p * ldw + (int64_t)i * LANES);
#pragma GCC unroll 6
        for (int r = 0; r < R; r++) {
            __m512 xv = _mm512_set1_ps(x[r * ldx + i]);
#pragma GCC unroll 4
            for (int p = 0; p < P; p++)
                s[r][p] = _mm512_fmadd_ps(xv, wv[p], s[r][p]);
        }
    }
#pragma GCC unroll 6
    for (int r = 0; r < R; r++)
#pragma GCC unroll 4
        for (int p = 0; p < P; p++)
            _mm512_storeu_ps(acc + (r * P + p) * LANES, s[r][p]);
}

__attribute__((target("avx512f"))) static void tile_avx512(int rows, int npanels, int k,
                                                           const tile_rows *t, const float *w,
                                                           int64_t ldw, float *acc)
{
#define CASE(R, P)                                                                                 \
    case R * GROUP + P:                                                                            \
        tile_avx512_fixed(R, P, k, t, w, ldw, acc);                                                \
        break;
#define CASES(R) CASE(R, 1) CASE(R, 2) CASE(R, 3) CASE(R, 4)
    switch (rows * GROUP + npanels) {
        CASES(1) CASES(2) CASES(3) CASES(4) CASES(5) CASES(6)
    }
#undef CASES
#undef CASE
}

__attribute__((target("avx2,fma"), always_inline)) static inline void
tile_avx2_fixed(const int R, int k, const float *x, int64_t ldx, const float *w, float *acc,
                int64_t ldacc)
{
    __m256 s[ROWS][2];
#pragma GCC unroll 6
    for (int r = 0; r < R; r++) {
        s[r][0] = _mm256_loadu_ps(acc + r * ldacc);
        s[r][1] = _mm256_loadu_ps(acc + r * ldacc + 8);
    }
    for (int i = 0; i < k; i++) {
        __m256 w0 = _mm256_loadu_ps(w + (int64_t)i * LANES);
        __m256 w1 = _mm256_loadu_ps(w + (int64_t)i * LANES + 8);
#pragma GCC unroll 6
        for (int r = 0; r < R; r++) {
            __m256 xv = _mm256_set1_ps(x[r * ldx + i]);
            s[r][0] = _mm256_fmadd_ps(xv, w0, s[r][0]);
            s[r][1] = _mm256_fmadd_ps(xv, w1, s[r][1]);
        }
    }
#pragma GCC unroll 6
    for (int r = 0; r < R; r++) {
        _mm256_storeu_ps(acc + r * ldacc, s[r][0]);
        _mm256_storeu_ps(acc + r * ldacc + 8, s[r][1]);
    }
}

__attribute__((target("avx2,fma"))) static void
tile_avx2(int rows, int npanels, int k, const tile_rows *t, const float *w, int64_t ldw, float *acc)
{
    for (int p = 0; p < npanels; p++) {
        float *a = acc + p * LANES;
        const float *wp = w + p * ldw;
        int64_t lda = (int64_t)npanels * LANES;
        if (rows == ROWS)
            tile_avx2_fixed(ROWS, k, t->x, t->ldx, wp, a, lda);
        else
            for (int r = 0; r < rows; r++)
                tile_avx2_fixed(1, k, t->x + r * t->ldx, t->ldx, wp, a + r * lda, lda);
    }
}

#endif

static tile_fn choose_tile(void)
{
#if defined(__x86_64__)
    switch (lbh_cpu_isa()) {
    case LBH_ISA_AVX512:
        return tile_avx512;
    case LBH_ISA_AVX2:
        return tile_avx2;
    default:
        break;
    }
#endif
    return tile_scalar;
}

int lbh_panels_new(lbh_panels **out, int nout, int d, const float *A, const float *b)
{
    lbh_panels *p = lbh_alloc(1, sizeof *p);
    if (!p)
        return LBH_ENOMEM;
    p->nout = nout;
    p->d = d;
    p->npanels = (nout + LANES - 1) / LANES;
    p->tile = choose_tile();
    p->w = lbh_alloc((int64_t)p->npanels * d, LANES * sizeof *p->w);
    p->bias = lbh_alloc(p->npanels, LANES * sizeof *p->bias);
    if (!p->w || !p->bias) {
        lbh_panels_free(p);
        return LBH_ENOMEM;
    }
    for (int j = 0; j < nout; j++) {
        float *panel = p->w + (int64_t)(j / LANES) * d * LANES + j % LANES;
        for (int i = 0; i < d; i++)
            panel[(int64_t)i * LANES] = A[(int64_t)j * d + i];
        p->bias[j] = b ? b[j] : 0;
    }
    *out = p;
    return LBH_OK;
}

void lbh_panels_free(lbh_panels *p)
{
    if (!p)
        return;
    free(p->w);
    free(p->bias);
    free(p);
}

/* Rows of floats, or of bytes (then x is NULL), `stride` numbers from row to row. */
typedef struct rows_in {
    const float *x;
    const uint8_t *bytes;
    int64_t stride;
} rows_in;

LBH_CLONES
static void widen(int n, const uint8_t *restrict bytes, float *restrict x)
{
    for (int i = 0; i < n; i++)
        x[i] = (float)(int)bytes[i];
}

/* One tile: `count` rows from `row` on, k columns from `column` on. `left` rows follow them. */
static void multiply_tile(const lbh_panels *p, int first, int np, int64_t row, int count,
                          int64_t left, int column, int k, const rows_in *in, float *acc)
{
    float wide[ROWS * KBLOCK];
    tile_rows t = {.x = wide, .next = wide, .ldx = k, .ldnext = 0};
    int64_t at = row * in->stride + column, ldw = (int64_t)p->d * LANES;
    if (in->x) {
        t.x = t.next = in->x + at;
        t.ldx = in->stride;
    } else
        for (int r = 0; r < count; r++)
            widen(k, in->bytes + at + r * in->stride, wide + r * k);
    if (in->x && left >= count) {
        t.next = t.x + count * in->stride;
        t.ldnext = in->stride;
    }
    p->tile(count, np, k, &t, p->w + first * ldw + (int64_t)column * LANES, ldw, acc);
}

/* acc[n][np * LANES] = A x + b for the np panels from `first` on and the n <= ROW_BLOCK rows from
 * `row` on; `left` rows follow them. */
static void multiply(const lbh_panels *p, int first, int np, int64_t row, int n, int64_t left,
                     const rows_in *in, float *acc)
{
    memset(acc, 0, (size_t)n * (size_t)np * LANES * sizeof *acc);
    for (int k0 = 0; k0 < p->d; k0 += KBLOCK) {
        int k = p->d - k0 < KBLOCK ? p->d - k0 : KBLOCK;
        for (int r = 0; r < n; r += ROWS) {
            int count = n - r < ROWS ? n - r : ROWS;
            multiply_tile(p, first, np, row + r, count, left + n - r - count, k0, k, in,
                          acc + r * np * LANES);
        }
    }
    const float *bias = p->bias + first * LANES;
    for (int r = 0; r < n; r++)
        for (int j = 0; j < np * LANES; j++)
            acc[r * np * LANES + j] += bias[j];
}

static inline int least(int64_t a, int b)
{
    return a < b ? (int)a : b;
}

/* Whether the first of `width` values of each row is finite. A NaN or an infinity in x makes all
 * values of its row NaN or infinite: nothing that is added later undoes it. */
static bool all_finite(int rows, int width, const float *acc)
{
    float sum = 0; /* z - z is 0 for a finite z, NaN for others */
    for (int r = 0; r < rows; r++)
        sum += acc[r * width] - acc[r * width];
    return sum == 0;
}

bool lbh_panels_apply(const lbh_panels *p, int64_t n, const float *x, float *z)
{
    float acc[ROW_BLOCK * GROUP * LANES];
    rows_in in = {x, NULL, p->d};
    bool finite = true;
    for (int64_t i = 0; i < n; i += ROW_BLOCK) {
        int rows = least(n - i, ROW_BLOCK);
        for (int g = 0; g < p->npanels; g += GROUP) {
            int np = least(p->npanels - g, GROUP), width = np * LANES;
            multiply(p, g, np, i, rows, n - i - rows, &in, acc);
            finite = finite && all_finite(rows, width, acc);
            int used = least(p->nout - g * LANES, width);
            for (int r = 0; r < rows; r++)
                memcpy(z + (i + r) * p->nout + g * LANES, acc + r * width,
                       (size_t)used * sizeof *z);
        }
    }
    return finite;
}

/* Clones are for static functions only: the resolver of any other would be exported. */
LBH_CLONES
static void pack_rows(int64_t n, int nbits, const float *z, uint8_t *codes)
{
    int code_size = (nbits + 7) / 8;
    for (int64_t i = 0; i < n; i++)
        for (int byte = 0; byte < code_size; byte++) {
            const float *v = z + i * nbits + byte * 8;
            int count = nbits - byte * 8 < 8 ? nbits - byte * 8 : 8;
            unsigned bits = 0;
            for (int j = 0; j < count; j++)
                bits |= (unsigned)(v[j] >= 0) << j;
            codes[i * code_size + byte] = (uint8_t)bits;
        }
}

void lbh_pack_bits(int64_t n, int nbits, const float *z, uint8_t *codes)
{
    pack_rows(n, nbits, z, codes);
}

/* nbytes * 8 floats to nbytes bytes. */
typedef void (*pack_fn)(int nbytes, const float *z, uint8_t *code);

static void pack_scalar(int nbytes, const float *z, uint8_t *code)
{
    pack_rows(1, 8 * nbytes, z, code);
}

#if defined(__x86_64__)
__attribute__((target("avx512f"))) static void pack_avx512(int nbytes, const float *z,
                                                           uint8_t *code)
{
    for (int i = 0; i < nbytes; i += 2) {
        __m512 v = _mm512_loadu_ps(z + 8 * i);
        unsigned bits = _mm512_cmp_ps_mask(v, _mm512_setzero_ps(), _CMP_GE_OQ);
        code[i] = (uint8_t)bits;
        if (i + 1 < nbytes)
            code[i + 1] = (uint8_t)(bits >> 8);
    }
}
#endif

static bool encode(const lbh_panels *p, int64_t n, const rows_in *in, uint8_t *codes)
{
    float acc[ROW_BLOCK * GROUP * LANES];
    int code_size = (p->nout + 7) / 8;
    bool finite = true;
    pack_fn pack = pack_scalar;
#if defined(__x86_64__)
    if (p->tile == tile_avx512)
        pack = pack_avx512;
#endif
    for (int64_t i = 0; i < n; i += ROW_BLOCK) {
        int rows = least(n - i, ROW_BLOCK);
        for (int g = 0; g < p->npanels; g += GROUP) {
            int np = least(p->npanels - g, GROUP), width = np * LANES;
            multiply(p, g, np, i, rows, n - i - rows, in, acc);
            finite = finite && all_finite(rows, width, acc);
            /* Outputs beyond nout would pack as ones: make them negative. */
            for (int j = least(p->nout - g * LANES, width); j < width; j++)
                for (int r = 0; r < rows; r++)
                    acc[r * width + j] = -1;
            int nbytes = least(code_size - g * LANES / 8, width / 8);
            for (int r = 0; r < rows; r++)
                pack(nbytes, acc + r * width, codes + (i + r) * code_size + g * LANES / 8);
        }
    }
    return finite;
}

bool lbh_panels_encode(const lbh_panels *p, int64_t n, const float *x, uint8_t *codes)
{
    return encode(p, n, &(rows_in){x, NULL, p->d}, codes);
}

void lbh_panels_encode_u8(const lbh_panels *p, int64_t n, const uint8_t *x, int64_t stride,
                          uint8_t *codes)
{
    encode(p, n, &(rows_in){NULL, x, stride}, codes);
}

void lbh_unpack_bits(int64_t n, int nbits, const uint8_t *codes, float *h)
{
    int code_size = (nbits + 7) / 8;
    for (int64_t i = 0; i < n; i++)
        for (int j = 0; j < nbits; j++)
            h[i * nbits + j] = (float)(codes[i * code_size + j / 8] >> (j % 8) & 1);
}
