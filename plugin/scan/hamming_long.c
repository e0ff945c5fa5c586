/* hamming_long.c: the Hamming kernel with AVX-512 VPOPCNTDQ for codes longer than 128 bytes; see
 * hamming.h.
 *
 * Registers do not hold enough of such codes, transposed, for many queries. So a code is read as it
 * lies, 64 bytes at a time, and the counts of its bits are added up in 8 words. What is left is to
 * add these: they are less than 2^16, so those of four codes go into the four quarters of the words
 * of one vector, and each further addition works on several codes at a time. The distances of 32
 * codes are 32 numbers of 16 bits, which meet the bar in one comparison. */
#include "hamming.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define ISA target("avx512f,avx512bw,avx512vpopcntdq")
#define LONG __attribute__((ISA))
#define LONG_NOINLINE __attribute__((ISA, noinline))
#define LONG_INLINE __attribute__((ISA, always_inline)) inline

enum { STEP = 32, LINE = 64 };

/* ---- Counting ------------------------------------------------------------------------------ */

/* The last vector of a code (and of a query) has the bytes of `last`. */
static LONG_INLINE __m512i count(const uint8_t *code, size_t size, const uint8_t *query,
                                 __mmask64 last)
{
    __m512i sum = _mm512_setzero_si512();
    size_t b = 0;
    for (; b + LINE < size; b += LINE) {
        __m512i x = _mm512_xor_si512(_mm512_loadu_si512(code + b), _mm512_loadu_si512(query + b));
        sum = _mm512_add_epi64(sum, _mm512_popcnt_epi64(x));
    }
    __m512i x = _mm512_xor_si512(_mm512_maskz_loadu_epi8(last, code + b),
                                 _mm512_maskz_loadu_epi8(last, query + b));
    return _mm512_add_epi64(sum, _mm512_popcnt_epi64(x));
}

/* ---- Adding -------------------------------------------------------------------------------- */

/* Numbers below 2^16 in words of 64 bits: those of four vectors in the quarters of one. */
static LONG_INLINE __m512i merge4(__m512i a, __m512i b, __m512i c, __m512i d)
{
    __m512i ac = _mm512_mask_shuffle_epi32(a, 0xaaaa, c, _MM_PERM_CCAA);
    __m512i bd = _mm512_mask_shuffle_epi32(b, 0xaaaa, d, _MM_PERM_CCAA);
    return _mm512_or_si512(ac, _mm512_slli_epi32(bd, 16));
}

/* Halves of two vectors: those of a in the lower half of the sum, those of b in the upper one. */
static LONG_INLINE __m512i add_halves(__m512i a, __m512i b)
{
    return _mm512_add_epi16(_mm512_shuffle_i64x2(a, b, 0x44), _mm512_shuffle_i64x2(a, b, 0xee));
}

/* Neighbouring words: sums of a's at even places, of b's at odd ones. */
static LONG_INLINE __m512i add_words(__m512i a, __m512i b)
{
    return _mm512_add_epi16(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
}

/* Neighbouring pairs of words: sums of a's in the lower half, of b's in the upper one. */
static LONG_INLINE __m512i add_pairs(__m512i a, __m512i b)
{
    return _mm512_add_epi16(_mm512_shuffle_i64x2(a, b, 0x88), _mm512_shuffle_i64x2(a, b, 0xdd));
}

/* Counts of four codes. */
static LONG_INLINE __m512i count4(const uint8_t *code, size_t size, const uint8_t *query,
                                  __mmask64 last)
{
    return merge4(count(code, size, query, last), count(code + size, size, query, last),
                  count(code + 2 * size, size, query, last),
                  count(code + 3 * size, size, query, last));
}

/* Distances of 32 codes, in their order. */
static LONG_INLINE __m512i distances(const uint8_t *code, size_t size, const uint8_t *query,
                                     __mmask64 last)
{
    __m512i four[8], half[4];
#pragma GCC unroll 8
    for (size_t i = 0; i < 8; i++)
        four[i] = count4(code + 4 * i * size, size, query, last);
    /* In the end, words of four[0], four[1], ... shall follow one another. */
    half[0] = add_halves(four[0], four[2]);
    half[1] = add_halves(four[1], four[3]);
    half[2] = add_halves(four[4], four[6]);
    half[3] = add_halves(four[5], four[7]);
    return add_pairs(add_words(half[0], half[1]), add_words(half[2], half[3]));
}

/* ---- The kernel ---------------------------------------------------------------------------- */

/* Not for AddressSanitizer: gcc 12's gives locals a stack of its own, where 64 bytes are not aligned as
 * its own code expects them to be (GCC bug 110027). */
__attribute__((no_sanitize_address))
LONG_NOINLINE static void report(lbh_scan *s, int64_t q, int64_t at, uint64_t mask, __m512i d)
{
    int32_t distance[64];
    _mm512_storeu_si512(distance, _mm512_cvtepu16_epi32(_mm512_castsi512_si256(d)));
    _mm512_storeu_si512(distance + 16, _mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(d, 1)));
    lbh_scan_report(s, q, at, mask, distance);
}

LONG static void scan(lbh_scan *s, int64_t n, const uint8_t *codes)
{
    const size_t size = s->code_size;
    const __mmask64 last = lbh_scan_lowest((int64_t)((size - 1) % LINE) + 1);
    int64_t at = 0;
    for (; at + STEP <= n; at += STEP, codes += STEP * size) {
        for (size_t b = 0; s->ahead && b < STEP * size; b += LINE) /* of the next step */
            _mm_prefetch((const char *)(codes + STEP * size + b), _MM_HINT_T0);
        for (int64_t q = 0; q < s->nq; q++) {
            int64_t bar = s->bar[q] < UINT16_MAX ? s->bar[q] : UINT16_MAX;
            const uint8_t *query = (const uint8_t *)(s->query + q * s->words);
            __m512i d = distances(codes, size, query, last);
            __mmask32 mask = _mm512_cmplt_epu16_mask(d, _mm512_set1_epi16((short)bar));
            if (__builtin_expect(mask != 0, 0))
                report(s, q, at, mask, d);
        }
    }
    for (; at < n; at++, codes += size)
        for (int64_t q = 0; q < s->nq; q++) {
            const uint8_t *query = (const uint8_t *)(s->query + q * s->words);
            int64_t d = _mm512_reduce_add_epi64(count(codes, size, query, last));
            lbh_scan_take(s, q, at, (int32_t)d); /* which looks at the bar */
        }
}

void lbh_scan_long_avx512(lbh_scan *s, int64_t n, const uint8_t *codes)
{
    if (s->code_size <= LBH_SCAN_LONG_SIZE)
        scan(s, n, codes);
    else
        lbh_scan_kernels_avx2()->any(s, n, codes);
}
#endif
