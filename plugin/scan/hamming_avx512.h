/* hamming_avx512.h: how AVX-512 kernels lay out codes and count bits; for hamming_avx512.c and
 * hamming_first.c.
 *
 * A code lies in a SLOT of 4, 8, 16, 32, 64 or 128 bytes, the least that it fits, with zeros behind
 * it: one vector is read, and its bytes go to their slots by one permutation (none if codes fill
 * their slots). Slots are transposed in registers: vector v of word w holds that word of 8 codes
 * (slots of 4 bytes: 16 codes). */
#ifndef LBH_SCAN_HAMMING_AVX512_H
#define LBH_SCAN_HAMMING_AVX512_H

#include "hamming.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define ISA target("avx512f,avx512bw,avx512vbmi,avx512vpopcntdq")
#define AVX512 __attribute__((ISA))
#define AVX512_NOINLINE __attribute__((ISA, noinline))
#define AVX512_INLINE __attribute__((ISA, always_inline)) inline

enum { MAX_VECTORS = 4, LINE = 64 };

/* ---- Slots --------------------------------------------------------------------------------- */

/* How codes of `size` bytes come into slots. */
typedef struct layout {
    size_t size;
    __m512i place;  /* byte b of a vector is byte place[b] of what was read */
    __mmask64 mask; /* which bytes of a vector (slots of 128: of the second one) are a code's */
} layout;

AVX512_NOINLINE static layout lay_out(size_t size, size_t slot)
{
    uint8_t place[LINE] = {0};
    uint64_t mask = 0;
    for (size_t b = 0; b < LINE; b++) {
        size_t at = slot > LINE ? LINE + b : b % slot;
        mask |= (uint64_t)(at < size) << b;
        place[b] = (uint8_t)(b / slot * size + b % slot);
    }
    return (layout){size, _mm512_loadu_si512(place), mask};
}

/* Vector v of the slots. */
static AVX512_INLINE __m512i load_slots(const layout *l, const uint8_t *codes, size_t v,
                                        size_t slot, bool exact)
{
    if (exact)
        return _mm512_loadu_si512(codes + LINE * v);
    if (slot < LINE)
        return _mm512_maskz_permutexvar_epi8(
            l->mask, l->place, _mm512_loadu_si512(codes + v * (LINE / slot) * l->size));
    if (slot == LINE)
        return _mm512_maskz_loadu_epi8(l->mask, codes + v * l->size);
    const uint8_t *code = codes + v / 2 * l->size;
    return v % 2 ? _mm512_maskz_loadu_epi8(l->mask, code + LINE) : _mm512_loadu_si512(code);
}

/* ---- Transposing --------------------------------------------------------------------------- */

static AVX512_INLINE void transpose2(const __m512i *raw, __m512i *word)
{
    const __m512i even = _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14);
    const __m512i odd = _mm512_setr_epi64(1, 3, 5, 7, 9, 11, 13, 15);
    word[0] = _mm512_permutex2var_epi64(raw[0], even, raw[1]);
    word[1] = _mm512_permutex2var_epi64(raw[0], odd, raw[1]);
}

static AVX512_INLINE void transpose4(const __m512i *raw, __m512i *word)
{
    const __m512i low = _mm512_setr_epi64(0, 4, 8, 12, 1, 5, 9, 13);
    const __m512i high = _mm512_setr_epi64(2, 6, 10, 14, 3, 7, 11, 15);
    __m512i ab01 = _mm512_permutex2var_epi64(raw[0], low, raw[1]);
    __m512i ab23 = _mm512_permutex2var_epi64(raw[0], high, raw[1]);
    __m512i cd01 = _mm512_permutex2var_epi64(raw[2], low, raw[3]);
    __m512i cd23 = _mm512_permutex2var_epi64(raw[2], high, raw[3]);
    word[0] = _mm512_shuffle_i64x2(ab01, cd01, 0x44);
    word[1] = _mm512_shuffle_i64x2(ab01, cd01, 0xee);
    word[2] = _mm512_shuffle_i64x2(ab23, cd23, 0x44);
    word[3] = _mm512_shuffle_i64x2(ab23, cd23, 0xee);
}

/* Words 0, 2, 4, 6 (from pairs of codes: even words) or 1, 3, 5, 7 (odd words). */
static AVX512_INLINE void transpose_half(const __m512i *pair, __m512i *word)
{
    __m512i a04 = _mm512_shuffle_i64x2(pair[0], pair[1], 0x88);
    __m512i a26 = _mm512_shuffle_i64x2(pair[0], pair[1], 0xdd);
    __m512i b04 = _mm512_shuffle_i64x2(pair[2], pair[3], 0x88);
    __m512i b26 = _mm512_shuffle_i64x2(pair[2], pair[3], 0xdd);
    word[0] = _mm512_shuffle_i64x2(a04, b04, 0x88);
    word[2] = _mm512_shuffle_i64x2(a26, b26, 0x88);
    word[4] = _mm512_shuffle_i64x2(a04, b04, 0xdd);
    word[6] = _mm512_shuffle_i64x2(a26, b26, 0xdd);
}

/* 8 vectors of raw, `stride` apart. */
static AVX512_INLINE void transpose8(const __m512i *raw, int stride, __m512i *word)
{
    __m512i even[4], odd[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        __m512i a = raw[2 * i * stride], b = raw[(2 * i + 1) * stride];
        even[i] = _mm512_unpacklo_epi64(a, b);
        odd[i] = _mm512_unpackhi_epi64(a, b);
    }
    transpose_half(even, word);
    transpose_half(odd, word + 1);
}

/* word[w]: word w of 8 codes whose slots are raw[words]. */
static AVX512_INLINE void transpose(const __m512i *raw, int words, __m512i *word)
{
    if (words == 1)
        word[0] = raw[0];
    else if (words == 2)
        transpose2(raw, word);
    else if (words == 4)
        transpose4(raw, word);
    else if (words == 8)
        transpose8(raw, 1, word);
    else {
        transpose8(raw, 2, word);
        transpose8(raw + 1, 2, word + 8);
    }
}

/* ---- Distances ----------------------------------------------------------------------------- */

/* d[v]: distances of a query of `used` words, more than half of `words`, from codes of vector v,
 * whose word w is code[v * words + w]. Lanes are 8 of 64 bits or, for slots of 4 bytes, 16 of
 * 32. */
static AVX512_INLINE void distances(const __m512i *code, const uint64_t *query, int words,
                                    int64_t used, int nvectors, int lanes, __m512i *d)
{
#pragma GCC unroll 16
    for (int w = 0; w < words; w++) {
        if (w > words / 2 && w >= used)
            break;
        __m512i x = lanes == 8 ? _mm512_set1_epi64((long long)query[w])
                               : _mm512_set1_epi32((int)query[w]);
#pragma GCC unroll 4
        for (int v = 0; v < nvectors; v++) {
            __m512i different = _mm512_xor_si512(code[v * words + w], x);
            __m512i count = lanes == 8 ? _mm512_popcnt_epi64(different)
                                       : _mm512_popcnt_epi32(different);
            d[v] = w ? _mm512_add_epi64(d[v], count) : count;
        }
    }
}

/* ---- Groups -------------------------------------------------------------------------------- */

/* nvectors x `width` vectors of codes, transposed. */
static AVX512_INLINE void load_group(const layout *l, const uint8_t *codes, size_t slot, bool exact,
                                     int width, int nvectors, __m512i *code)
{
#pragma GCC unroll 4
    for (int v = 0; v < nvectors; v++) {
        __m512i raw[16];
#pragma GCC unroll 16
        for (int i = 0; i < width; i++)
            raw[i] = load_slots(l, codes, (size_t)(v * width + i), slot, exact);
        transpose(raw, width, code + v * width);
    }
}

#endif
#endif
