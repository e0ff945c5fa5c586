/* hamming_avx2.c: Hamming kernels with AVX2; see hamming.h.
 *
 * The bits of a byte are counted by looking up its nibbles (W. Mula, N. Kurz, D. Lemire, "Faster
 * population counts using AVX2 instructions", Computer Journal 61(1), 2018). Lane l of a vector
 * holds one word of code l; byte counts of up to 31 words (31 * 8 = 248) are added before their
 * bytes are summed. Codes of 8 bytes lie as the lanes want them, others are transposed through
 * memory. */
#include "hamming.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))
#define AVX2_INLINE __attribute__((target("avx2"), always_inline)) inline

enum { LANES = 4, VECTORS = 4, GROUP = LANES * VECTORS, MAX_BYTE_WORDS = 31 };

static AVX2_INLINE __m256i load(const void *p)
{
    return _mm256_loadu_si256((const __m256i *)p);
}

/* The number of set bits of each byte. */
static AVX2_INLINE __m256i count_bytes(__m256i x)
{
    const __m256i counts = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1,
                                            2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
    const __m256i nibble = _mm256_set1_epi8(15);
    __m256i low = _mm256_and_si256(x, nibble);
    __m256i high = _mm256_and_si256(_mm256_srli_epi16(x, 4), nibble);
    return _mm256_add_epi8(_mm256_shuffle_epi8(counts, low), _mm256_shuffle_epi8(counts, high));
}

/* Reports the codes whose distances are below the bar; `valid` of them exist. */
AVX2 __attribute__((noinline)) static void report(lbh_scan *s, int64_t q, int64_t at, int64_t valid,
                                                  const __m256i *distance)
{
    int64_t wide[GROUP];
    int32_t distances[64];
    uint64_t mask = 0;
    memcpy(wide, distance, sizeof wide);
    for (int i = 0; i < GROUP; i++) {
        distances[i] = (int32_t)wide[i];
        mask |= (uint64_t)(wide[i] < s->bar[q]) << i;
    }
    lbh_scan_report(s, q, at, mask & lbh_scan_lowest(valid), distances);
}

/* 16 codes, word w of them at code + w * stride (in bytes; any alignment). */
static AVX2_INLINE void scan_group(lbh_scan *s, int64_t at, int64_t valid, const uint8_t *code,
                                   int64_t words, int64_t stride)
{
    const __m256i zero = _mm256_setzero_si256();
    for (int64_t q = 0; q < s->nq; q++) {
        __m256i d[VECTORS] = {zero, zero, zero, zero};
        for (int64_t first = 0; first < words; first += MAX_BYTE_WORDS) {
            int64_t end = words - first < MAX_BYTE_WORDS ? words : first + MAX_BYTE_WORDS;
            __m256i sum[VECTORS] = {zero, zero, zero, zero};
            for (int64_t w = first; w < end; w++) {
                __m256i x = _mm256_set1_epi64x((long long)s->query[q * words + w]);
#pragma GCC unroll 4
                for (int v = 0; v < VECTORS; v++) {
                    __m256i c = load(code + w * stride + 32 * v);
                    sum[v] = _mm256_add_epi8(sum[v], count_bytes(_mm256_xor_si256(c, x)));
                }
            }
#pragma GCC unroll 4
            for (int v = 0; v < VECTORS; v++)
                d[v] = _mm256_add_epi64(d[v], _mm256_sad_epu8(sum[v], zero));
        }
        /* Distances and bars are below 2^31: the upper halves of the lanes are zeros. */
        __m256i least = _mm256_min_epu32(_mm256_min_epu32(d[0], d[1]),
                                         _mm256_min_epu32(d[2], d[3]));
        __m256i below = _mm256_cmpgt_epi32(_mm256_set1_epi64x(s->bar[q]), least);
        if (__builtin_expect(!_mm256_testz_si256(below, below), 0))
            report(s, q, at, valid, d);
    }
}

AVX2 static void scan_words(lbh_scan *s, int64_t n, const uint8_t *codes)
{
    int64_t at = 0;
    for (; at + GROUP <= n; at += GROUP) {
        for (size_t b = 0; s->ahead && b < 8 * GROUP; b += 64)
            _mm_prefetch((const char *)(codes + 8 * at + s->ahead + b), _MM_HINT_T0);
        scan_group(s, at, GROUP, codes + 8 * at, 1, 0);
    }
    if (at < n) {
        uint8_t rest[8 * GROUP] = {0};
        memcpy(rest, codes + 8 * at, 8 * (size_t)(n - at));
        scan_group(s, at, n - at, rest, 1, 0);
    }
}

static AVX2_INLINE void scan_tiles(lbh_scan *s, int64_t n, const uint8_t *codes, int64_t words)
{
    for (int64_t at = 0; at < n; at += s->tile_codes) {
        int64_t count = n - at < s->tile_codes ? n - at : s->tile_codes;
        lbh_scan_fill_tile(s, count, codes + (size_t)at * s->code_size);
        for (int64_t i = 0; i < count; i += GROUP)
            scan_group(s, at + i, count - i, (const uint8_t *)(s->tile + i), words,
                       8 * s->tile_codes);
    }
}

/* How many codes to scan before lbh_scan_by_nibbles does: all, or those that raise the bar. */
static int64_t before_nibbles(const lbh_scan *s, int64_t n)
{
    enum { UNKNOWN = 1024 }; /* of codes that a query without a bar meets, many are reported */
    if (!s->tables || s->nq < LBH_SCAN_FEW || n < LBH_SCAN_GROUP)
        return n;
    int64_t first = s->bar[0] > 8 * (int64_t)s->code_size ? UNKNOWN : 0;
    return first < n ? first : n;
}

static void scan8(lbh_scan *s, int64_t n, const uint8_t *codes)
{
    int64_t first = before_nibbles(s, n);
    scan_words(s, first, codes);
    lbh_scan_by_nibbles(s, first, n, codes);
}

#define KERNEL(name, words)                                                                        \
    AVX2 static void name(lbh_scan *s, int64_t n, const uint8_t *codes)                            \
    {                                                                                              \
        int64_t first = before_nibbles(s, n);                                                      \
        if (lbh_scan_better_by_words(s)) {                                                         \
            lbh_scan_by_words(s, n, codes);                                                        \
            return;                                                                                \
        }                                                                                          \
        scan_tiles(s, first, codes, words);                                                        \
        lbh_scan_by_nibbles(s, first, n, codes);                                                   \
    }

KERNEL(scan4, 1)
KERNEL(scan16, 2)
KERNEL(scan32, 4)
KERNEL(scan_any, s->words)

const lbh_scan_kernels *lbh_scan_kernels_avx2(void)
{
    static const lbh_scan_kernels kernels = {scan4,    scan8,    scan16,  scan32,
                                             scan_any, scan_any, scan_any, lbh_scan_first_avx2, 0,
                                             true};
    return &kernels;
}

#else

const lbh_scan_kernels *lbh_scan_kernels_avx2(void)
{
    return NULL;
}

#endif
