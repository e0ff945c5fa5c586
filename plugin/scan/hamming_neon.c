/* hamming_neon.c: Hamming kernels with NEON (64-bit ARM); see hamming.h.
 *
 * CNT counts the bits of each byte. Lane l of a vector holds one word of code l; byte counts of up
 * to 31 words (31 * 8 = 248) are added before their bytes are summed. Codes of 8 bytes lie as the
 * lanes want them, others are transposed through memory. */
#include "hamming.h"

#include <string.h>

#if defined(__aarch64__)
#include <arm_neon.h>

enum { LANES = 2, VECTORS = 4, GROUP = LANES * VECTORS, MAX_BYTE_WORDS = 31 };

#define INLINE __attribute__((always_inline)) inline

/* Reports the codes whose distances are below the bar; `valid` of them exist. */
__attribute__((noinline)) static void report(lbh_scan *s, int64_t q, int64_t at, int64_t valid,
                                             const uint64x2_t *distance)
{
    int32_t distances[64];
    uint64_t mask = 0;
    for (int v = 0; v < VECTORS; v++) {
        distances[LANES * v] = (int32_t)vgetq_lane_u64(distance[v], 0);
        distances[LANES * v + 1] = (int32_t)vgetq_lane_u64(distance[v], 1);
    }
    for (int i = 0; i < GROUP; i++)
        mask |= (uint64_t)(distances[i] < s->bar[q]) << i;
    lbh_scan_report(s, q, at, mask & lbh_scan_lowest(valid), distances);
}

/* 8 codes, word w of them at code + w * stride (in bytes; any alignment). */
static INLINE void scan_group(lbh_scan *s, int64_t at, int64_t valid, const uint8_t *code,
                              int64_t words, int64_t stride)
{
    for (int64_t q = 0; q < s->nq; q++) {
        uint64x2_t d[VECTORS] = {vdupq_n_u64(0), vdupq_n_u64(0), vdupq_n_u64(0), vdupq_n_u64(0)};
        for (int64_t first = 0; first < words; first += MAX_BYTE_WORDS) {
            int64_t end = words - first < MAX_BYTE_WORDS ? words : first + MAX_BYTE_WORDS;
            uint8x16_t sum[VECTORS] = {vdupq_n_u8(0), vdupq_n_u8(0), vdupq_n_u8(0), vdupq_n_u8(0)};
            for (int64_t w = first; w < end; w++) {
                uint8x16_t x = vreinterpretq_u8_u64(vdupq_n_u64(s->query[q * words + w]));
#pragma GCC unroll 4
                for (int v = 0; v < VECTORS; v++) {
                    uint8x16_t c = vld1q_u8(code + w * stride + 16 * v);
                    sum[v] = vaddq_u8(sum[v], vcntq_u8(veorq_u8(c, x)));
                }
            }
#pragma GCC unroll 4
            for (int v = 0; v < VECTORS; v++)
                d[v] = vpadalq_u32(d[v], vpaddlq_u16(vpaddlq_u8(sum[v])));
        }
        /* Distances are below 2^31: the upper halves of the lanes are zeros, for the bar too. */
        uint32x4_t a = vminq_u32(vreinterpretq_u32_u64(d[0]), vreinterpretq_u32_u64(d[1]));
        uint32x4_t b = vminq_u32(vreinterpretq_u32_u64(d[2]), vreinterpretq_u32_u64(d[3]));
        uint32x4_t bar = vreinterpretq_u32_u64(vdupq_n_u64((uint64_t)s->bar[q]));
        if (__builtin_expect(vmaxvq_u32(vcltq_u32(vminq_u32(a, b), bar)) != 0, 0))
            report(s, q, at, valid, d);
    }
}

static void scan8(lbh_scan *s, int64_t n, const uint8_t *codes)
{
    int64_t at = 0;
    for (; at + GROUP <= n; at += GROUP)
        scan_group(s, at, GROUP, codes + 8 * at, 1, 0);
    if (at < n) {
        uint8_t rest[8 * GROUP] = {0};
        memcpy(rest, codes + 8 * at, 8 * (size_t)(n - at));
        scan_group(s, at, n - at, rest, 1, 0);
    }
}

static INLINE void scan_tiles(lbh_scan *s, int64_t n, const uint8_t *codes, int64_t words)
{
    if (lbh_scan_better_by_words(s)) {
        lbh_scan_by_words(s, n, codes);
        return;
    }
    for (int64_t at = 0; at < n; at += s->tile_codes) {
        int64_t count = n - at < s->tile_codes ? n - at : s->tile_codes;
        lbh_scan_fill_tile(s, count, codes + (size_t)at * s->code_size);
        for (int64_t i = 0; i < count; i += GROUP)
            scan_group(s, at + i, count - i, (const uint8_t *)(s->tile + i), words,
                       8 * s->tile_codes);
    }
}

#define KERNEL(name, words)                                                                        \
    static void name(lbh_scan *s, int64_t n, const uint8_t *codes)                                 \
    {                                                                                              \
        scan_tiles(s, n, codes, words);                                                            \
    }

KERNEL(scan4, 1)
KERNEL(scan16, 2)
KERNEL(scan32, 4)
KERNEL(scan_any, s->words)

const lbh_scan_kernels *lbh_scan_kernels_neon(void)
{
    static const lbh_scan_kernels kernels = {scan4,    scan8,    scan16,  scan32,
                                             scan_any, scan_any, scan_any, NULL, 0,
                                             false};
    return &kernels;
}

#else

const lbh_scan_kernels *lbh_scan_kernels_neon(void)
{
    return NULL;
}

#endif
