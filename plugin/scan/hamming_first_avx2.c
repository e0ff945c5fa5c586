/* hamming_first_avx2.c: the first codes of a search, as hamming_first.c (which has the idea), with
 * AVX2: distances a word at a time, the bar by compares of 16 of them. Of more than a few thousand
 * codes hamming_nibbles.c, which counts faster, finds the bar in less time. */
#include "hamming.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2,popcnt")))
#define AVX2_INLINE __attribute__((target("avx2,popcnt"), always_inline)) static inline

enum { LANES = 16, FIRST = LBH_SCAN_FIRST, ROWS = FIRST / LANES, MOST_CODES = 2 * FIRST };

/* ---- Distances ----------------------------------------------------------------------------- */

/* Word w of a code of 4 bytes, or of a multiple of 8. */
AVX2_INLINE uint64_t load_word(const uint8_t *code, size_t size, size_t w)
{
    uint64_t x = 0;
    memcpy(&x, code + w * sizeof x, size < sizeof x ? size : sizeof x);
    return x;
}

AVX2_INLINE void write_distances(int64_t n, size_t size, const uint8_t *codes,
                                 const uint64_t *query, uint16_t *distance)
{
    for (int64_t i = 0; i < n; i++, codes += size) {
        int64_t sum = 0;
#pragma GCC unroll 16
        for (size_t w = 0; 8 * w < size; w++)
            sum += _mm_popcnt_u64(load_word(codes, size, w) ^ query[w]);
        distance[i] = (uint16_t)sum;
    }
}

/* distance[i] = Hamming distance of the query and codes[i * size]; false for sizes that it does not
 * know. */
AVX2 static bool distances(int64_t n, size_t size, const uint8_t *codes, const uint64_t *query,
                           uint16_t *distance)
{
#define CASE(SIZE)                                                                                 \
    case SIZE:                                                                                     \
        write_distances(n, SIZE, codes, query, distance);                                          \
        return true;
    switch (size) {
        CASE(4) CASE(8) CASE(16) CASE(32) CASE(64) CASE(128) default : return false;
    }
#undef CASE
}

/* ---- The bar ------------------------------------------------------------------------------- */

AVX2_INLINE __m256i row(const uint16_t *distance, int64_t i)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)(distance + LANES * i));
}

/* Which of 16 distances are at or below the limit: two bits each. */
AVX2_INLINE uint32_t at_most(__m256i d, __m256i limit)
{
    return (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi16(_mm256_min_epu16(d, limit), d));
}

/* The least number at or below which there are k of least[count]; all are at most `most`. */
AVX2 static int32_t kth_least(const __m256i *least, int64_t count, int64_t k, int32_t most)
{
    int32_t kth = 0;
    for (int32_t bit = 1 << (31 - __builtin_clz((unsigned)most)); bit; bit >>= 1) {
        const __m256i limit = _mm256_set1_epi16((short)(kth + bit - 1));
        int64_t found = 0;
        for (int64_t i = 0; i < count; i++)
            found += _mm_popcnt_u32(at_most(least[i], limit));
        kth += bit & -(int32_t)(found < 2 * k);
    }
    return kth;
}

/* A distance at or below which there are at least k of the distances. */
AVX2 static int32_t bound(const uint16_t *distance, int64_t rows, int64_t k, int32_t most)
{
    enum { SPARE = 3 }; /* columns to an answer */
    __m256i least[ROWS];
    int64_t count = (SPARE * k + LANES - 1) / LANES;
    count = count < rows ? count : rows;
    for (int64_t i = 0; i < count; i++) {
        __m256i smallest = row(distance, i);
        for (int64_t j = i + count; j < rows; j += count)
            smallest = _mm256_min_epu16(smallest, row(distance, j));
        least[i] = smallest;
    }
    return kth_least(least, count, k, most);
}

/* ---- Reporting ----------------------------------------------------------------------------- */

AVX2 static void report(lbh_scan *s, int64_t q, int64_t rows, const uint16_t *distance,
                        int32_t most)
{
    const __m256i limit = _mm256_set1_epi16((short)most);
    for (int64_t i = 0; i < rows; i++)
        for (uint32_t mask = at_most(row(distance, i), limit); mask; mask &= mask - 1) {
            int64_t at = LANES * i + __builtin_ctz(mask) / 2;
            mask &= mask - 1; /* its other bit */
            lbh_scan_take(s, q, at, distance[at]);
        }
}

AVX2 int64_t lbh_scan_first_avx2(lbh_scan *s, int64_t n, const uint8_t *codes, int64_t k)
{
    uint16_t distance[FIRST];
    const int32_t nbits = 8 * (int32_t)s->code_size;
    if (n > MOST_CODES || k > FIRST / 2 || k > n / 2)
        return 0;
    n = n < FIRST ? n : FIRST;
    int64_t rows = (n + LANES - 1) / LANES;
    for (int64_t q = 0; q < s->nq; q++) {
        if (!distances(n, s->code_size, codes, s->query + q * s->words, distance))
            return 0;
        for (int64_t at = n; at < rows * LANES; at++)
            distance[at] = UINT16_MAX; /* which is nobody's */
        int32_t most = bound(distance, rows, k, nbits);
        lbh_collector_expect(s->collector[q], most);
        s->bar[q] = s->collector[q]->bar;
        report(s, q, rows, distance, most);
    }
    return n;
}
#endif
