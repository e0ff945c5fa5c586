/* linear.c: see linear.h. Register tiles of ROWS vectors x up to 4 panels (64 outputs): per k, a tile
 * of 6 x 64 does 24 fused multiply-adds of 16 lanes on 10 loads, so the FMA ports are the limit.
 * Panels are walked in slices of KBLOCK columns that stay in the L2 cache while a block of rows
 * passes over them; the partial sums wait in `acc` and are taken up again in the same order. */
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

enum { LANES = 16, GROUP = 4, ROWS = 6, ROW_BLOCK = 96, KBLOCK = 1024 };

/* Adds the products of columns 0 .. k-1 to acc[rows][npanels * LANES]. x has stride ldx; panel p
 * starts at w + p * ldw. */
typedef void (*tile_fn)(int rows, int npanels, int k, const float *x, int64_t ldx, const float *w,
                        int64_t ldw, float *acc);

struct lbh_panels {
    int nout, d, npanels;
    float *w;    /* [npanels][d][LANES] */
    float *bias; /* [npanels * LANES] */
    tile_fn tile;
};

static void tile_scalar(int rows, int npanels, int k, const float *x, int64_t ldx, const float *w,
                        int64_t ldw, float *acc)
{
    for (int p = 0; p < npanels; p++)
        for (int r = 0; r < rows; r++) {
            float *a = acc + (r * npanels + p) * LANES;
            for (int i = 0; i < k; i++)
                for (int j = 0; j < LANES; j++)
                    a[j] = fmaf(x[r * ldx + i], w[p * ldw + i * LANES + j], a[j]);
        }
}

#if defined(__x86_64__)

/* R and P are constants at every call, so the loops unroll and s[][] lives in registers. */
__attribute__((target("avx512f"), always_inline)) static inline void
tile_avx512_fixed(const int R, const int P, int k, const float *x, int64_t ldx, const float *w,
                  int64_t ldw, float *acc)
{
    __m512 s[ROWS][GROUP];
#pragma GCC unroll 6
    for (int r = 0; r < R; r++)
#pragma GCC unroll 4
        for (int p = 0; p < P; p++)
            s[r][p] = _mm512_loadu_ps(acc + (r * P + p) * LANES);
    for (int i = 0; i < k; i++) {
        __m512 wv[GROUP];
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
                                                           const float *x, int64_t ldx,
                                                           const float *w, int64_t ldw, float *acc)
{
#define CASE(R, P)                                                                                 \
    case R * GROUP + P:                                                                            \
        tile_avx512_fixed(R, P, k, x, ldx, w, ldw, acc);                                           \
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

__attribute__((target("avx2,fma"))) static void tile_avx2(int rows, int npanels, int k,
                                                          const float *x, int64_t ldx,
                                                          const float *w, int64_t ldw, float *acc)
{
    for (int p = 0; p < npanels; p++) {
        float *a = acc + p * LANES;
        const float *wp = w + p * ldw;
        int64_t lda = (int64_t)npanels * LANES;
        if (rows == ROWS)
            tile_avx2_fixed(ROWS, k, x, ldx, wp, a, lda);
        else
            for (int r = 0; r < rows; r++)
                tile_avx2_fixed(1, k, x + r * ldx, ldx, wp, a + r * lda, lda);
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

/* acc[n][np * LANES] = A x + b for the np panels from `first` on and n <= ROW_BLOCK rows. */
static void multiply(const lbh_panels *p, int first, int np, int n, const float *x, float *acc)
{
    int64_t ldw = (int64_t)p->d * LANES;
    const float *w = p->w + first * ldw;
    memset(acc, 0, (size_t)n * (size_t)np * LANES * sizeof *acc);
    for (int k0 = 0; k0 < p->d; k0 += KBLOCK) {
        int k = p->d - k0 < KBLOCK ? p->d - k0 : KBLOCK;
        for (int r = 0; r < n; r += ROWS) {
            int rows = n - r < ROWS ? n - r : ROWS;
            p->tile(rows, np, k, x + (int64_t)r * p->d + k0, p->d, w + (int64_t)k0 * LANES, ldw,
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

void lbh_panels_apply(const lbh_panels *p, int64_t n, const float *x, float *z)
{
    float acc[ROW_BLOCK * GROUP * LANES];
    for (int64_t i = 0; i < n; i += ROW_BLOCK) {
        int rows = least(n - i, ROW_BLOCK);
        for (int g = 0; g < p->npanels; g += GROUP) {
            int np = least(p->npanels - g, GROUP), width = np * LANES;
            multiply(p, g, np, rows, x + i * p->d, acc);
            int used = least(p->nout - g * LANES, width);
            for (int r = 0; r < rows; r++)
                memcpy(z + (i + r) * p->nout + g * LANES, acc + r * width,
                       (size_t)used * sizeof *z);
        }
    }
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

void lbh_panels_encode(const lbh_panels *p, int64_t n, const float *x, uint8_t *codes)
{
    float acc[ROW_BLOCK * GROUP * LANES];
    int code_size = (p->nout + 7) / 8;
    pack_fn pack = pack_scalar;
#if defined(__x86_64__)
    if (p->tile == tile_avx512)
        pack = pack_avx512;
#endif
    for (int64_t i = 0; i < n; i += ROW_BLOCK) {
        int rows = least(n - i, ROW_BLOCK);
        for (int g = 0; g < p->npanels; g += GROUP) {
            int np = least(p->npanels - g, GROUP), width = np * LANES;
            multiply(p, g, np, rows, x + i * p->d, acc);
            /* Outputs beyond nout would pack as ones: make them negative. */
            for (int j = least(p->nout - g * LANES, width); j < width; j++)
                for (int r = 0; r < rows; r++)
                    acc[r * width + j] = -1;
            int nbytes = least(code_size - g * LANES / 8, width / 8);
            for (int r = 0; r < rows; r++)
                pack(nbytes, acc + r * width, codes + (i + r) * code_size + g * LANES / 8);
        }
    }
}

void lbh_unpack_bits(int64_t n, int nbits, const uint8_t *codes, float *h)
{
    int code_size = (nbits + 7) / 8;
    for (int64_t i = 0; i < n; i++)
        for (int j = 0; j < nbits; j++)
            h[i * nbits + j] = (float)(codes[i * code_size + j / 8] >> (j % 8) & 1);
}
