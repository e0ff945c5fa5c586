/* byte_filter.c: see byte_filter.h. */
#include "byte_filter.h"

#include "cpu.h"

#include <math.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

void lbh_filter_planes(const lbh_code_block *block, uint8_t *plane)
{
    for (int b = 0; b < block->nbytes; b++) {
        const uint32_t *word = block->word + b / 4 * block->stride;
        int shift = 8 * (b % 4);
        uint8_t *to = plane + (int64_t)b * LBH_DECODED_BLOCK;
        for (int64_t i = 0; i < block->n; i += 64)
            for (int k = 0; k < 32; k++) {
                to[i + 2 * k] = (uint8_t)(word[i + k] >> shift);
                to[i + 2 * k + 1] = (uint8_t)(word[i + 32 + k] >> shift);
            }
    }
}

void lbh_filter_fill(lbh_filter *f, int nbytes, const lbh_score_table *table, float most)
{
    double base = (double)table->offset, range = 0, size = fabs(base) + (double)most;
    float least[LBH_FILTER_BYTES];
    for (int m = 0; m < nbytes; m++) {
        const float *t = table->byte + 256 * m;
        float high = t[0];
        least[m] = t[0];
        for (int v = 1; v < 256; v++) {
            least[m] = t[v] < least[m] ? t[v] : least[m];
            high = t[v] > high ? t[v] : high;
        }
        base += (double)least[m];
        size += fmax(fabs((double)least[m]), fabs((double)high));
        range = fmax(range, (double)high - (double)least[m]);
    }
    double step = range > 0 ? range / 255 : 1;
    for (int m = 0; m < nbytes; m++)
        for (int v = 0; v < 256; v++) {
            double w = floor(((double)table->byte[256 * m + v] - (double)least[m]) / step);
            f->whole[256 * m + v] = (uint8_t)(w > 255 ? 255 : w);
        }
    /* A sum of nbytes + 2 floats, and the bound's own few: each addition is off by 2^-24 of `size`. */
    f->base = (float)(base - (2 * nbytes + 16) * 0x1p-24 * (size + 255 * step * nbytes));
    f->step = (float)step;
}

#if defined(__x86_64__)

__attribute__((target("avx512f,avx512bw,avx512vbmi"), always_inline)) static inline void
sums(int nbytes, const uint8_t *plane, const uint8_t *whole, __m512i *even, __m512i *odd)
{
    __m512i low = _mm512_set1_epi16(255), e = _mm512_setzero_si512(), o = e;
    for (int m = 0; m < nbytes; m++) {
        const uint8_t *w = whole + 256 * m;
        __m512i at = _mm512_loadu_si512(plane + (int64_t)m * LBH_DECODED_BLOCK);
        __m512i a = _mm512_permutex2var_epi8(_mm512_loadu_si512(w), at, _mm512_loadu_si512(w + 64));
        __m512i b = _mm512_permutex2var_epi8(_mm512_loadu_si512(w + 128), at,
                                             _mm512_loadu_si512(w + 192));
        __m512i v = _mm512_mask_blend_epi8(_mm512_movepi8_mask(at), a, b);
        e = _mm512_add_epi16(e, _mm512_and_si512(v, low));
        o = _mm512_add_epi16(o, _mm512_srli_epi16(v, 8));
    }
    *even = e;
    *odd = o;
}

/* Bit i: the bound of code i of 32 is below the bar. */
__attribute__((target("avx512f,avx512bw,avx512vbmi"), always_inline)) static inline uint32_t
below(__m512i sum, const lbh_filter *f, const float *norm, __m512 bar)
{
    __m512 base = _mm512_set1_ps(f->base), step = _mm512_set1_ps(f->step);
    __m512 s0 = _mm512_cvtepi32_ps(_mm512_cvtepu16_epi32(_mm512_castsi512_si256(sum)));
    __m512 s1 = _mm512_cvtepi32_ps(_mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(sum, 1)));
    s0 = _mm512_fmadd_ps(s0, step, _mm512_add_ps(base, _mm512_loadu_ps(norm)));
    s1 = _mm512_fmadd_ps(s1, step, _mm512_add_ps(base, _mm512_loadu_ps(norm + 16)));
    return (uint32_t)_mm512_cmp_ps_mask(s0, bar, _CMP_LT_OQ) |
           (uint32_t)_mm512_cmp_ps_mask(s1, bar, _CMP_LT_OQ) << 16;
}

__attribute__((target("avx512f,avx512bw,avx512vbmi"))) static int
pass_vbmi(const lbh_filter *f, int nbytes, int64_t n, const uint8_t *plane, const float *norm,
          float bar, uint16_t *pass)
{
    int count = 0;
    __m512 limit = _mm512_set1_ps(bar);
    for (int64_t i = 0; i < n; i += 64) {
        __m512i even, odd;
        sums(nbytes, plane + i, f->whole, &even, &odd);
        uint64_t mask = below(even, f, norm + i, limit) |
                        (uint64_t)below(odd, f, norm + i + 32, limit) << 32;
        if (n - i < 64)
            mask &= (UINT64_C(1) << (n - i)) - 1;
        for (; mask; mask &= mask - 1)
            pass[count++] = (uint16_t)(i + __builtin_ctzll(mask));
    }
    return count;
}

#endif

bool lbh_filter_pays(void)
{
#if defined(__x86_64__)
    return lbh_cpu_has_vpopcnt(); /* which asks for VBMI as well */
#else
    return false;
#endif
}

int lbh_filter_pass(const lbh_filter *f, int nbytes, int64_t n, const uint8_t *plane,
                    const float *norm, float bar, uint16_t *pass)
{
#if defined(__x86_64__)
    if (lbh_filter_pays())
        return pass_vbmi(f, nbytes, n, plane, norm, bar, pass);
#endif
    (void)f, (void)nbytes, (void)plane, (void)norm, (void)bar;
    for (int64_t i = 0; i < n; i++)
        pass[i] = (uint16_t)i;
    return (int)n;
}
