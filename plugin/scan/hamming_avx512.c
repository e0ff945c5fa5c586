/* hamming_avx512.c: Hamming kernels with AVX-512 VPOPCNTDQ; see hamming.h and hamming_avx512.h.
 *
 * Codes, once transposed, meet one query after the other: per word and 8 codes a query costs one
 * xor, one count and one addition or minimum. 16 registers hold up to 32 codes of 1, 2 and 4 words,
 * 16 of 8, 8 of 16. Longer codes are the business of hamming_long.c. */
#include "hamming_avx512.h"

#include <string.h>

#if defined(__x86_64__)
/* Whether (which lanes) the least of the vectors is below the bar. */
static AVX512_INLINE unsigned any_below(const __m512i *d, int64_t bar, int nvectors, int lanes)
{
    __m512i least = d[0]; /* distances are below 2^32: upper halves of lanes of 64 bits are zeros */
    if (nvectors == 2)
        least = _mm512_min_epu32(d[0], d[1]);
    if (nvectors == 4)
        least = _mm512_min_epu32(_mm512_min_epu32(d[0], d[1]), _mm512_min_epu32(d[2], d[3]));
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
                                 int words, int64_t used, int nvectors, int lanes)
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
            distances(code, s->query + q * used, words, used, nvectors, lanes, d);
            mask[h] = store_below(d, s->bar[q], nvectors, lanes, distance[h]);
        }
        for (int64_t h = 0; h < count; h++)
            lbh_scan_report(s, s->hit[first + h], at, mask[h] & lbh_scan_lowest(valid),
                            distance[h]);
    }
}

/* ---- Kernels ------------------------------------------------------------------------------- */

/* Asks for codes ahead, behind the end of this run for those of the next: the hardware's own
 * reading ahead stops at the end of each page, and does not look so far. */
static AVX512_INLINE void prefetch_group(const lbh_scan *s, const uint8_t *codes,
                                         const uint8_t *end, size_t bytes)
{
    uintptr_t from = (uintptr_t)codes + s->ahead;
    if (!s->ahead)
        return;
    if (from >= (uintptr_t)end) {
        if (!s->next)
            return;
        from += (uintptr_t)s->next - (uintptr_t)end;
    }
#pragma GCC unroll 16
    for (size_t i = 0; i < bytes; i += LINE)
        _mm_prefetch((const char *)(from + i), _MM_HINT_T0);
}

/* One group of codes, transposed, with all queries; returns whether any passed. */
static AVX512_INLINE bool scan_group(lbh_scan *s, const __m512i *code, int words, int64_t used,
                                     int nvectors, int lanes)
{
    __m512i d[MAX_VECTORS];
    const uint64_t *query = s->query;
    unsigned any = 0;
    for (int64_t q = 0; q < s->nq; q++, query += used) {
        distances(code, query, words, used, nvectors, lanes, d);
        unsigned passed = any_below(d, s->bar[q], nvectors, lanes);
        s->passed[q] = (uint8_t)(passed | passed >> 8);
        any |= passed;
    }
    return __builtin_expect(any, 0);
}

/* A kernel for codes in slots of `width` words (or of 4, in 16 lanes), and what it does with
 * hits. The last codes are copied, as more than they are is read. */
#define KERNEL(name, slot, exact, width, nvectors, lanes)                                          \
    AVX512_NOINLINE static void name##_report(lbh_scan *s, const layout *l, int64_t at,            \
                                              int64_t valid, const uint8_t *codes)                 \
    {                                                                                              \
        __m512i code[MAX_VECTORS * 16];                                                            \
        load_group(l, codes, slot, exact, width, nvectors, code);                                  \
        report(s, at, valid, code, width, exact ? width : s->words, nvectors, lanes);              \
    }                                                                                              \
    AVX512 static void name(lbh_scan *s, int64_t n, const uint8_t *codes)                          \
    {                                                                                              \
        const int64_t step = lanes * nvectors, used = exact ? width : s->words;                    \
        const size_t size = exact ? slot : s->code_size, bytes = (size_t)step * size;              \
        const uint8_t *end = codes + (size_t)n * size;                                             \
        const layout l = exact ? (layout){.size = slot} : lay_out(size, slot);                     \
        __m512i code[MAX_VECTORS * 16];                                                            \
        int64_t at = 0;                                                                            \
        for (; (size_t)(end - codes) >= bytes + (exact ? 0 : LINE); at += step, codes += bytes) {  \
            load_group(&l, codes, slot, exact, width, nvectors, code);                             \
            prefetch_group(s, codes, end, bytes);                                                  \
            if (scan_group(s, code, width, used, nvectors, lanes))                                 \
                name##_report(s, &l, at, step, codes);                                             \
        }                                                                                          \
        for (; at < n; at += step, codes += bytes) {                                               \
            uint8_t rest[lanes * nvectors * slot + LINE] = {0};                                    \
            memcpy(rest, codes, at + step <= n ? bytes : (size_t)(end - codes));                   \
            load_group(&l, rest, slot, exact, width, nvectors, code);                              \
            if (scan_group(s, code, width, used, nvectors, lanes))                                 \
                name##_report(s, &l, at, at + step <= n ? step : n - at, rest);                    \
        }                                                                                          \
    }

KERNEL(scan4, 4, true, 1, 4, 16)
KERNEL(scan8, 8, true, 1, 4, 8)
KERNEL(many16, 16, true, 2, 4, 8)
KERNEL(many32, 32, true, 4, 4, 8)
KERNEL(many64, 64, true, 8, 2, 8)
KERNEL(many128, 128, true, 16, 1, 8)
KERNEL(up_to4, 4, false, 1, 4, 16)
KERNEL(up_to8, 8, false, 1, 4, 8)
KERNEL(up_to16, 16, false, 2, 2, 8)
KERNEL(up_to32, 32, false, 4, 2, 8)
KERNEL(up_to64, 64, false, 8, 1, 8)
KERNEL(up_to128, 128, false, 16, 1, 8)

/* Few queries wait for memory, and it comes sooner if it is asked for in small steps, one line
 * after the other. The kernels for sizes between do that, and read up to 40 % faster. */
static bool few(const lbh_scan *s)
{
    return s->nq < LBH_SCAN_FEW;
}

static void scan16(lbh_scan *s, int64_t n, const uint8_t *codes)
{
    (few(s) ? up_to16 : many16)(s, n, codes);
}

static void scan32(lbh_scan *s, int64_t n, const uint8_t *codes)
{
    (few(s) ? up_to32 : many32)(s, n, codes);
}

static void scan64(lbh_scan *s, int64_t n, const uint8_t *codes)
{
    (few(s) ? up_to64 : many64)(s, n, codes);
}

static void scan128(lbh_scan *s, int64_t n, const uint8_t *codes)
{
    (few(s) ? up_to128 : many128)(s, n, codes);
}

AVX512 static void scan_any(lbh_scan *s, int64_t n, const uint8_t *codes)
{
    static const lbh_scan_fn up_to[] = {up_to4, up_to8, up_to16, up_to32, up_to64, up_to128};
    static const size_t slots[] = {4, 8, 16, 32, 64, 128};
    for (size_t i = 0; i < sizeof slots / sizeof slots[0]; i++)
        if (s->code_size < slots[i]) {
            up_to[i](s, n, codes);
            return;
        }
    lbh_scan_long_avx512(s, n, codes);
}

const lbh_scan_kernels *lbh_scan_kernels_avx512(void)
{
    static const lbh_scan_kernels kernels = {scan4, scan8, scan16, scan32, scan64, scan128,
                                             scan_any, lbh_scan_first_avx512,
                                             LBH_SCAN_LONG_SIZE, false};
    return &kernels;
}

#else

const lbh_scan_kernels *lbh_scan_kernels_avx512(void)
{
    return NULL;
}

#endif
