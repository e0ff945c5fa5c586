/* hamming_avx512.c: Hamming kernels with AVX-512 VPOPCNTDQ; see hamming.h.
 *
 * Vector v of word w holds that word of 8 codes. Codes are transposed into registers once, then
 * meet one query after the other: per word and 8 codes a query costs one xor, one count and one
 * addition or minimum. 16 registers hold up to 32 codes of 1, 2 and 4 words, 16 of 8, 8 of 16.
 * Codes of 4 bytes are 16 to a vector. Other sizes are transposed through memory. */
#include "hamming.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX512 __attribute__((target("avx512f,avx512vpopcntdq")))
#define AVX512_NOINLINE __attribute__((target("avx512f,avx512vpopcntdq"), noinline))
#define AVX512_INLINE __attribute__((target("avx512f,avx512vpopcntdq"), always_inline)) inline

enum { MAX_VECTORS = 4 };

/* ---- Transposing --------------------------------------------------------------------------- */

static AVX512_INLINE void transpose2(const uint8_t *codes, __m512i *word)
{
    const __m512i even = _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14);
    const __m512i odd = _mm512_setr_epi64(1, 3, 5, 7, 9, 11, 13, 15);
    __m512i a = _mm512_loadu_si512(codes), b = _mm512_loadu_si512(codes + 64);
    word[0] = _mm512_permutex2var_epi64(a, even, b);
    word[1] = _mm512_permutex2var_epi64(a, odd, b);
}

static AVX512_INLINE void transpose4(const uint8_t *codes, __m512i *word)
{
    const __m512i low = _mm512_setr_epi64(0, 4, 8, 12, 1, 5, 9, 13);
    const __m512i high = _mm512_setr_epi64(2, 6, 10, 14, 3, 7, 11, 15);
    __m512i a = _mm512_loadu_si512(codes), b = _mm512_loadu_si512(codes + 64);
    __m512i c = _mm512_loadu_si512(codes + 128), d = _mm512_loadu_si512(codes + 192);
    __m512i ab01 = _mm512_permutex2var_epi64(a, low, b);
    __m512i ab23 = _mm512_permutex2var_epi64(a, high, b);
    __m512i cd01 = _mm512_permutex2var_epi64(c, low, d);
    __m512i cd23 = _mm512_permutex2var_epi64(c, high, d);
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

static AVX512_INLINE void transpose8(const uint8_t *codes, size_t size, __m512i *word)
{
    __m512i even[4], odd[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        __m512i a = _mm512_loadu_si512(codes + 2 * (size_t)i * size);
        __m512i b = _mm512_loadu_si512(codes + (2 * (size_t)i + 1) * size);
        even[i] = _mm512_unpacklo_epi64(a, b);
        odd[i] = _mm512_unpackhi_epi64(a, b);
    }
    transpose_half(even, word);
    transpose_half(odd, word + 1);
}

/* word[w]: word w of 8 codes of `words` words. */
static AVX512_INLINE void transpose(const uint8_t *codes, int words, __m512i *word)
{
    if (words == 1)
        word[0] = _mm512_loadu_si512(codes);
    else if (words == 2)
        transpose2(codes, word);
    else if (words == 4)
        transpose4(codes, word);
    else if (words == 8)
        transpose8(codes, 64, word);
    else {
        transpose8(codes, 128, word);
        transpose8(codes + 64, 128, word + 8);
    }
}

/* ---- Distances ----------------------------------------------------------------------------- */

/* d[v]: distances of a query from the codes of vector v, whose word w is code[v * words + w]. Lanes
 * are 8 of 64 bits or, for codes of 4 bytes, 16 of 32. */
static AVX512_INLINE void distances(const __m512i *code, const uint64_t *query, int words,
                                    int nvectors, int lanes, __m512i *d)
{
#pragma GCC unroll 16
    for (int w = 0; w < words; w++) {
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

static AVX512_INLINE __m512i smaller(__m512i a, __m512i b, int lanes)
{
    return lanes == 8 ? _mm512_min_epu64(a, b) : _mm512_min_epu32(a, b);
}

/* Whether (which lanes) the least of the vectors is below the bar. */
static AVX512_INLINE unsigned any_below(const __m512i *d, int64_t bar, int nvectors, int lanes)
{
    __m512i least = d[0];
    if (nvectors == 2)
        least = smaller(d[0], d[1], lanes);
    if (nvectors == 4)
        least = smaller(smaller(d[0], d[1], lanes), smaller(d[2], d[3], lanes), lanes);
    return lanes == 8 ? _mm512_cmplt_epu64_mask(least, _mm512_set1_epi64(bar))
                      : _mm512_cmplt_epu32_mask(least, _mm512_set1_epi32((int)bar));
}

/* Writes distances in the order of the codes; returns which are below the bar. */
static AVX512_INLINE uint64_t store_below(const __m512i *d, int64_t bar, int nvectors, int lanes,
                                          int32_t *distance)
{
    uint64_t mask = 0;
#pragma GCC unroll 4
    for (int v = 0; v < nvectors; v++) {
        mask |= (uint64_t)any_below(d + v, bar, 1, lanes) << (lanes * v);
        if (lanes == 8)
            _mm256_storeu_si256((__m256i *)(void *)(distance + 8 * v), _mm512_cvtepi64_epi32(d[v]));
        else
            _mm512_storeu_si512(distance + 16 * v, d[v]);
    }
    return mask;
}

/* ---- Reporting ----------------------------------------------------------------------------- */

/* While codes are in registers, all that is kept of a query is one byte, s->passed: whether some
 * code is below its bar. A branch for each query would often be guessed wrongly, and a call would
 * have to save the registers. The distances of the few that passed are computed again. */

/* Writes the queries that passed to s->hit; returns their number. */
AVX512 static int64_t list_hits(lbh_scan *s)
{
    const __m512i step = _mm512_set1_epi32(16);
    __m512i q = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    int64_t hits = 0;
    for (int64_t first = 0; first < s->nq; first += 16, q = _mm512_add_epi32(q, step)) {
        __m512i passed = _mm512_cvtepu8_epi32(_mm_loadu_si128((const void *)(s->passed + first)));
        __mmask16 mask = _mm512_test_epi32_mask(passed, passed);
        mask &= (__mmask16)lbh_scan_lowest(s->nq - first);
        _mm512_storeu_si512(s->hit + hits, _mm512_maskz_compress_epi32(mask, q));
        hits += __builtin_popcount(mask);
    }
    return hits;
}

/* Codes of up to 4 vectors: word w of vector v is code[v * words + w], lanes of 8 or 4 bytes. */
static AVX512_INLINE void report(lbh_scan *s, int64_t at, int64_t valid, const __m512i *code,
                                 int words, int nvectors, int lanes)
{
    enum { BATCH = 16 }; /* distances before calls: they run side by side */
    int32_t distance[BATCH][64];
    uint64_t mask[BATCH];
    int64_t hits = list_hits(s);
    for (int64_t first = 0; first < hits; first += BATCH) {
        int64_t count = hits - first < BATCH ? hits - first : BATCH;
        for (int64_t h = 0; h < count; h++) {
            int64_t q = s->hit[first + h];
            __m512i d[MAX_VECTORS];
            distances(code, s->query + q * words, words, nvectors, lanes, d);
            mask[h] = store_below(d, s->bar[q], nvectors, lanes, distance[h]);
        }
        for (int64_t h = 0; h < count; h++)
            lbh_scan_report(s, s->hit[first + h], at, mask[h] & lbh_scan_lowest(valid),
                            distance[h]);
    }
}

/* ---- Sizes that registers hold ------------------------------------------------------------- */

static AVX512_INLINE void load_group(const uint8_t *codes, int words, int nvectors, __m512i *code)
{
#pragma GCC unroll 4
    for (int v = 0; v < nvectors; v++)
        transpose(codes + (size_t)v * 64 * (size_t)words, words, code + v * words);
}

/* Asks for codes ahead, behind the end of this run for those of the next: the hardware's own
 * reading ahead stops at the end of each page. */
static AVX512_INLINE void prefetch_group(const lbh_scan *s, const uint8_t *codes,
                                         const uint8_t *end, int lines)
{
    enum { AHEAD = 6144 };
    uintptr_t from = (uintptr_t)codes + AHEAD;
    if (from >= (uintptr_t)end)
        from += (uintptr_t)s->next - (uintptr_t)end;
#pragma GCC unroll 16
    for (int i = 0; i < lines; i++)
        _mm_prefetch((const char *)(from + 64 * (uintptr_t)i), _MM_HINT_T0);
}

/* One group of codes with all queries; returns whether any passed. */
static AVX512_INLINE bool scan_group(lbh_scan *s, const uint8_t *codes, const uint8_t *end,
                                     int words, int nvectors, int lanes)
{
    __m512i code[MAX_VECTORS * 16], d[MAX_VECTORS];
    const uint64_t *query = s->query;
    unsigned any = 0;
    load_group(codes, words, nvectors, code);
    prefetch_group(s, codes, end, words * nvectors);
    for (int64_t q = 0; q < s->nq; q++, query += words) {
        distances(code, query, words, nvectors, lanes, d);
        unsigned passed = any_below(d, s->bar[q], nvectors, lanes);
        s->passed[q] = (uint8_t)(passed | passed >> 8);
        any |= passed;
    }
    return __builtin_expect(any, 0);
}

/* A kernel for codes of 8 * words bytes (or of 4, in 16 lanes), and what it does with hits. */
#define KERNEL(name, size, words, nvectors, lanes)                                                 \
    AVX512_NOINLINE static void name##_report(lbh_scan *s, int64_t at, int64_t valid,              \
                                              const uint8_t *codes)                                \
    {                                                                                              \
        __m512i code[MAX_VECTORS * 16];                                                            \
        load_group(codes, words, nvectors, code);                                                  \
        report(s, at, valid, code, words, nvectors, lanes);                                        \
    }                                                                                              \
    AVX512 static void name(lbh_scan *s, int64_t n, const uint8_t *codes)                          \
    {                                                                                              \
        const int64_t step = lanes * nvectors;                                                     \
        int64_t at = 0;                                                                            \
        for (; at + step <= n; at += step)                                                         \
            if (scan_group(s, codes + at * size, codes + n * size, words, nvectors, lanes))        \
                name##_report(s, at, step, codes + at * size);                                     \
        if (at < n) {                                                                              \
            uint8_t rest[lanes * nvectors * size] = {0};                                           \
            memcpy(rest, codes + at * size, (size_t)(n - at) * size);                              \
            if (scan_group(s, rest, rest + sizeof rest, words, nvectors, lanes))                   \
                name##_report(s, at, n - at, rest);                                                \
        }                                                                                          \
    }

KERNEL(scan4, 4, 1, 4, 16)
KERNEL(scan8, 8, 1, 4, 8)
KERNEL(scan16, 16, 2, 4, 8)
KERNEL(scan32, 32, 4, 4, 8)
KERNEL(scan64, 64, 8, 2, 8)
KERNEL(scan128, 128, 16, 1, 8)

/* ---- Any size ------------------------------------------------------------------------------ */

/* Distances of 32 codes in the tile, from `code` on. */
static AVX512_INLINE void tile_distances(const lbh_scan *s, const uint64_t *code, int64_t q,
                                         __m512i *d)
{
    const uint64_t *query = s->query + q * s->words;
    d[0] = d[1] = d[2] = d[3] = _mm512_setzero_si512();
    for (int64_t w = 0; w < s->words; w++) {
        __m512i x = _mm512_set1_epi64((long long)query[w]);
#pragma GCC unroll 4
        for (int v = 0; v < MAX_VECTORS; v++) {
            __m512i c = _mm512_loadu_si512(code + w * s->tile_codes + 8 * v);
            d[v] = _mm512_add_epi64(d[v], _mm512_popcnt_epi64(_mm512_xor_si512(c, x)));
        }
    }
}

AVX512 static void scan_tile(lbh_scan *s, int64_t at, int64_t valid, const uint64_t *code)
{
    __m512i d[MAX_VECTORS];
    unsigned any = 0;
    for (int64_t q = 0; q < s->nq; q++) {
        tile_distances(s, code, q, d);
        unsigned passed = any_below(d, s->bar[q], MAX_VECTORS, 8);
        s->passed[q] = (uint8_t)passed;
        any |= passed;
    }
    int64_t hits = any ? list_hits(s) : 0;
    for (int64_t h = 0; h < hits; h++) {
        int32_t distance[8 * MAX_VECTORS];
        tile_distances(s, code, s->hit[h], d);
        uint64_t mask = store_below(d, s->bar[s->hit[h]], MAX_VECTORS, 8, distance);
        lbh_scan_report(s, s->hit[h], at, mask & lbh_scan_lowest(valid), distance);
    }
}

AVX512 static void scan_any(lbh_scan *s, int64_t n, const uint8_t *codes)
{
    if (lbh_scan_better_by_words(s)) {
        lbh_scan_by_words(s, n, codes);
        return;
    }
    for (int64_t at = 0; at < n; at += s->tile_codes) {
        int64_t count = n - at < s->tile_codes ? n - at : s->tile_codes;
        lbh_scan_fill_tile(s, count, codes + (size_t)at * s->code_size);
        for (int64_t i = 0; i < count; i += LBH_SCAN_TILE_STEP)
            scan_tile(s, at + i, count - i, s->tile + i);
    }
}

const lbh_scan_kernels *lbh_scan_kernels_avx512(void)
{
    static const lbh_scan_kernels kernels = {scan4, scan8, scan16, scan32, scan64, scan128,
                                             scan_any};
    return &kernels;
}

#else

const lbh_scan_kernels *lbh_scan_kernels_avx512(void)
{
    return NULL;
}

#endif
