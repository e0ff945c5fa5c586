/* hamming_first.c: the first codes of a search, with AVX-512 VPOPCNTDQ; see hamming.h.
 *
 * A scan that knows nothing of its bar takes many codes for answers that are none in the end: of
 * random codes k (1 + log(n / k)), k of which stay. So of the first codes all distances are written
 * down, and the bar that they justify is found before any is reported. Of every 32 neighbouring
 * places in the list of distances, the least over its columns: k of these least distances belong
 * to k different codes, so the k-th smallest of them bounds the k-th smallest distance, and closely
 * if there are some more columns than answers. */
#include "hamming_avx512.h"

#include <string.h>

#if defined(__x86_64__)

enum { LANES = 32, FIRST = LBH_SCAN_FIRST, ROWS = FIRST / LANES, TOGETHER = 8 };

/* ---- Distances ----------------------------------------------------------------------------- */

/* Distances of up to TOGETHER queries from q on from `codes`, at least n of them, of which copies
 * with zeros behind the last are read. distance[query][code] */
#define DISTANCES(name, slot, exact, width, nvectors, lanes)                                       \
    AVX512 static void name(const lbh_scan *s, int64_t q, int64_t nq, int64_t n,                   \
                            const uint8_t *codes, uint16_t (*distance)[FIRST])                     \
    {                                                                                              \
        const int64_t step = lanes * nvectors, used = exact ? width : s->words;                    \
        const size_t size = exact ? slot : s->code_size, bytes = (size_t)step * size;              \
        const layout l = exact ? (layout){.size = slot} : lay_out(size, slot);                     \
        const uint8_t *end = codes + (size_t)n * size;                                             \
        uint8_t rest[lanes * nvectors * slot + LINE] = {0};                                        \
        for (int64_t at = 0; at < n; at += step, codes += bytes) {                                 \
            __m512i code[MAX_VECTORS * 16], d[MAX_VECTORS];                                        \
            size_t left = (size_t)(end - codes);                                                   \
            bool whole = left >= bytes + (exact ? 0 : LINE);                                       \
            if (!whole)                                                                            \
                memcpy(rest, codes, left < bytes ? left : bytes);                                  \
            load_group(&l, whole ? codes : rest, slot, exact, width, nvectors, code);              \
            for (int64_t i = 0; i < nq; i++) {                                                     \
                distances(code, s->query + (q + i) * used, width, used, nvectors, lanes, d);       \
                write_distances(d, nvectors, lanes, distance[i] + at);                             \
            }                                                                                      \
        }                                                                                          \
    }

static AVX512_INLINE void write_distances(const __m512i *d, int nvectors, int lanes, uint16_t *to)
{
#pragma GCC unroll 4
    for (int v = 0; v < nvectors; v++)
        if (lanes == 8)
            _mm_storeu_si128((__m128i *)(void *)(to + 8 * v), _mm512_cvtepi64_epi16(d[v]));
        else
            _mm256_storeu_si256((__m256i *)(void *)(to + 16 * v), _mm512_cvtepi32_epi16(d[v]));
}

DISTANCES(exactly4, 4, true, 1, 4, 16)
DISTANCES(exactly8, 8, true, 1, 4, 8)
DISTANCES(exactly16, 16, true, 2, 4, 8)
DISTANCES(exactly32, 32, true, 4, 4, 8)
DISTANCES(exactly64, 64, true, 8, 2, 8)
DISTANCES(up_to4, 4, false, 1, 4, 16)
DISTANCES(up_to8, 8, false, 1, 4, 8)
DISTANCES(up_to16, 16, false, 2, 4, 8)
DISTANCES(up_to32, 32, false, 4, 4, 8)
DISTANCES(up_to64, 64, false, 8, 2, 8)
DISTANCES(up_to128, 128, false, 16, 1, 8)

typedef void (*distances_fn)(const lbh_scan *s, int64_t q, int64_t nq, int64_t n,
                             const uint8_t *codes, uint16_t (*distance)[FIRST]);

static distances_fn choose(size_t size)
{
    static const struct {
        size_t slot;
        distances_fn exactly, up_to;
    } all[] = {{4, exactly4, up_to4},    {8, exactly8, up_to8},    {16, exactly16, up_to16},
               {32, exactly32, up_to32}, {64, exactly64, up_to64}, {128, up_to128, up_to128}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (size <= all[i].slot)
            return size == all[i].slot ? all[i].exactly : all[i].up_to;
    return NULL;
}

/* ---- The bar ------------------------------------------------------------------------------- */

static AVX512_INLINE __m512i row(const uint16_t *distance, int64_t i)
{
    return _mm512_loadu_si512(distance + LANES * i);
}

/* The least number at or below which there are k of least[count]; all are at most `most`. It is
 * built bit by bit, without branches, which would be guessed wrongly. */
AVX512 static int32_t kth_least(const __m512i *least, int64_t count, int64_t k, int32_t most)
{
    int32_t kth = 0;
    for (int32_t bit = 1 << (31 - __builtin_clz((unsigned)most)); bit; bit >>= 1) {
        const __m512i limit = _mm512_set1_epi16((short)(kth + bit));
        int64_t found = 0;
        for (int64_t i = 0; i < count; i++)
            found += __builtin_popcount(_mm512_cmplt_epu16_mask(least[i], limit));
        kth += bit & -(int32_t)(found < k);
    }
    return kth;
}

/* A distance at or below which there are at least k of the distances. */
AVX512 static int32_t bound(const uint16_t *distance, int64_t rows, int64_t k, int32_t most)
{
    enum { SPARE = 3 }; /* columns to an answer */
    __m512i least[ROWS];
    int64_t count = (SPARE * k + LANES - 1) / LANES;
    count = count < rows ? count : rows;
    for (int64_t i = 0; i < count; i++) {
        __m512i smallest = row(distance, i);
        for (int64_t j = i + count; j < rows; j += count)
            smallest = _mm512_min_epu16(smallest, row(distance, j));
        least[i] = smallest;
    }
    return kth_least(least, count, k, most);
}

/* ---- Reporting ----------------------------------------------------------------------------- */

AVX512 static void report(lbh_scan *s, int64_t q, int64_t rows, const uint16_t *distance,
                          int32_t most)
{
    const __m512i limit = _mm512_set1_epi16((short)most);
    for (int64_t i = 0; i < rows; i++)
        for (uint32_t mask = _mm512_cmple_epu16_mask(row(distance, i), limit); mask;
             mask &= mask - 1) {
            int64_t at = LANES * i + __builtin_ctz(mask);
            lbh_scan_take(s, q, at, distance[at]);
        }
}

int64_t lbh_scan_first_avx512(lbh_scan *s, int64_t n, const uint8_t *codes, int64_t k)
{
    uint16_t distance[TOGETHER][FIRST];
    int32_t most[TOGETHER];
    distances_fn all = choose(s->code_size);
    const int32_t nbits = 8 * (int32_t)s->code_size;
    n = n < FIRST ? n : FIRST;
    if (!all || k > n / 2)
        return 0;
    int64_t rows = (n + LANES - 1) / LANES;
    for (int64_t q = 0; q < s->nq; q += TOGETHER) {
        int64_t count = s->nq - q < TOGETHER ? s->nq - q : TOGETHER;
        all(s, q, count, n, codes, distance);
        for (int64_t i = 0; i < count; i++) {
            for (int64_t at = n; at < rows * LANES; at++)
                distance[i][at] = UINT16_MAX; /* which is nobody's */
            most[i] = bound(distance[i], rows, k, nbits);
        }
        for (int64_t i = 0; i < count; i++) {
            lbh_collector_expect(s->collector[q + i], most[i]);
            s->bar[q + i] = s->collector[q + i]->bar;
            report(s, q + i, rows, distance[i], most[i]);
        }
    }
    return n;
}
#endif
