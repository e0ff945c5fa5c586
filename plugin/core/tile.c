/* tile.c: see tile.h. With AVX-512 a tile of 6 x 64 does 24 fused multiply-adds of 16 lanes on 10
 * loads for each i, so the FMA ports are the limit. */
#include "tile.h"

#include "cpu.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { LANES = LBH_LANES, GROUP = LBH_TILE_PANELS, ROWS = LBH_TILE_ROWS, LINE = 16 };

#if defined(__x86_64__)

/* R and P are constants at every call, so the loops unroll and s[][] lives in registers. */
__attribute__((target("avx512f"), always_inline)) static inline void
tile_avx512_fixed(const int R, const int P, int k, const lbh_tile *t, float *acc)
{
    const float *x = t->x, *w = t->w, *const *next = t->next;
    int64_t row = t->row, step = t->step, column = t->column;
    int ask = next[0] ? R : 0;
    __m512 s[ROWS][GROUP];
#pragma GCC unroll 6
    for (int r = 0; r < R; r++)
#pragma GCC unroll 4
        for (int p = 0; p < P; p++)
            s[r][p] = t->resume ? _mm512_loadu_ps(acc + (r * P + p) * LANES) : _mm512_setzero_ps();
    for (int i = 0; i < k; i++) {
        __m512 wv[GROUP];
        if (i % LINE < ask)
            __builtin_prefetch(next[i % LINE] + i / LINE * LINE);
#pragma GCC unroll 4
        for (int p = 0; p < P; p++)
            wv[p] = _mm512_loadu_ps(w + p * LANES);
#pragma GCC unroll 6
        for (int r = 0; r < R; r++) {
            __m512 xv = _mm512_set1_ps(x[r * row]);
#pragma GCC unroll 4
            for (int p = 0; p < P; p++)
                s[r][p] = _mm512_fmadd_ps(xv, wv[p], s[r][p]);
        }
        x += step;
        w += column;
    }
#pragma GCC unroll 6
    for (int r = 0; r < R; r++)
#pragma GCC unroll 4
        for (int p = 0; p < P; p++)
            _mm512_storeu_ps(acc + (r * P + p) * LANES, s[r][p]);
}

__attribute__((target("avx512f"))) static void tile_avx512(int rows, int npanels, int k,
                                                           const lbh_tile *t, float *acc)
{
#define CASE(R, P)                                                                                 \
    case R * GROUP + P:                                                                            \
        tile_avx512_fixed(R, P, k, t, acc);                                                        \
        break;
#define CASES(R) CASE(R, 1) CASE(R, 2) CASE(R, 3) CASE(R, 4)
    switch (rows * GROUP + npanels) {
        CASES(1) CASES(2) CASES(3) CASES(4) CASES(5) CASES(6)
    }
#undef CASES
#undef CASE
}

__attribute__((target("avx2,fma"), always_inline)) static inline void
tile_avx2_fixed(const int R, int k, const lbh_tile *t, const float *w, float *acc, int64_t ldacc,
                const bool asks)
{
    const float *x = t->x, *const *next = t->next;
    int64_t row = t->row, step = t->step, column = t->column;
    __m256 s[ROWS][2];
#pragma GCC unroll 6
    for (int r = 0; r < R; r++) {
        s[r][0] = t->resume ? _mm256_loadu_ps(acc + r * ldacc) : _mm256_setzero_ps();
        s[r][1] = t->resume ? _mm256_loadu_ps(acc + r * ldacc + 8) : _mm256_setzero_ps();
    }
    for (int i = 0; i < k; i++) {
        __m256 w0 = _mm256_loadu_ps(w), w1 = _mm256_loadu_ps(w + 8);
        if (asks && i % LINE < R)
            __builtin_prefetch(next[i % LINE] + i / LINE * LINE);
#pragma GCC unroll 6
        for (int r = 0; r < R; r++) {
            __m256 xv = _mm256_set1_ps(x[r * row]);
            s[r][0] = _mm256_fmadd_ps(xv, w0, s[r][0]);
            s[r][1] = _mm256_fmadd_ps(xv, w1, s[r][1]);
        }
        x += step;
        w += column;
    }
#pragma GCC unroll 6
    for (int r = 0; r < R; r++) {
        _mm256_storeu_ps(acc + r * ldacc, s[r][0]);
        _mm256_storeu_ps(acc + r * ldacc + 8, s[r][1]);
    }
}

__attribute__((target("avx2,fma"))) static void tile_avx2(int rows, int npanels, int k,
                                                          const lbh_tile *t, float *acc)
{
    int64_t lda = (int64_t)npanels * LANES;
    for (int p = 0; p < npanels; p++) {
        const float *w = t->w + p * LANES;
        float *a = acc + p * LANES;
#define CASE(R)                                                                                    \
    case R:                                                                                        \
        tile_avx2_fixed(R, k, t, w, a, lda, false);                                                \
        break;
        if (p == 0 && t->next[0] && rows == ROWS) /* the panels after it find the rows on their way */
            tile_avx2_fixed(ROWS, k, t, w, a, lda, true);
        else
            switch (rows) { CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) }
#undef CASE
    }
}

#endif

/* One row and one panel; inlined where fmaf is an instruction. */
static inline __attribute__((always_inline)) void chain(int k, const float *x, int64_t step,
                                                        const float *w, int64_t column,
                                                        float *restrict a)
{
    float s[LANES];
    memcpy(s, a, sizeof s);
    for (int i = 0; i < k; i++)
        for (int j = 0; j < LANES; j++)
            s[j] = fmaf(x[i * step], w[i * column + j], s[j]);
    memcpy(a, s, sizeof s);
}

static void chain_plain(int k, const float *x, int64_t step, const float *w, int64_t column,
                        float *a)
{
    chain(k, x, step, w, column, a);
}

#if defined(__x86_64__)
__attribute__((target("fma"))) static void chain_fma(int k, const float *x, int64_t step,
                                                     const float *w, int64_t column, float *a)
{
    chain(k, x, step, w, column, a);
}
#endif

static void tile_scalar(int rows, int npanels, int k, const lbh_tile *t, float *acc)
{
    void (*run)(int, const float *, int64_t, const float *, int64_t, float *) = chain_plain;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("fma"))
        run = chain_fma;
#endif
    if (!t->resume)
        memset(acc, 0, (size_t)rows * (size_t)npanels * LANES * sizeof *acc);
    for (int r = 0; r < rows; r++)
        for (int p = 0; p < npanels; p++)
            run(k, t->x + r * t->row, t->step, t->w + p * LANES, t->column,
                acc + (r * npanels + p) * LANES);
}

lbh_tile_fn lbh_tile_choose(void)
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

/* 16 x 16 at a time: whole cache lines are read and written. */
LBH_CLONES
static void transpose_block(int count, const float *restrict from, int64_t stride,
                            float *restrict to, int64_t column)
{
    for (int i = 0; i < count; i++)
        for (int j = 0; j < LANES; j++)
            to[i * column + j] = from[j * stride + i];
}

void lbh_tile_pack(int n, int npanels, int k, const float *from, int64_t stride, float *to)
{
    int64_t column = (int64_t)npanels * LANES;
    for (int p = 0; p < npanels; p++) {
        int used = n - p * LANES < LANES ? n - p * LANES : LANES;
        float *panel = to + p * LANES;
        const float *rows = from + p * LANES * stride;
        if (used == LANES) {
            for (int i = 0; i < k; i += LANES)
                transpose_block(k - i < LANES ? k - i : LANES, rows + i, stride, panel + i * column,
                                column);
            continue;
        }
        for (int i = 0; i < k; i++)
            for (int j = 0; j < LANES; j++)
                panel[i * column + j] = j < used ? rows[j * stride + i] : 0;
    }
}
