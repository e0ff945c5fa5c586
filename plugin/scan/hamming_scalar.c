/* hamming_scalar.c: Hamming kernels in plain C, for every CPU; see hamming.h. */
#include "scan/hamming.h"

#include <string.h>

/* Sums of 2, 4, 8 neighbouring bits, then of the 8 bytes. */
static inline int count_bits(uint64_t x)
{
    x -= x >> 1 & 0x5555555555555555u;
    x = (x & 0x3333333333333333u) + (x >> 2 & 0x3333333333333333u);
    x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fu;
    return (int)(x * 0x0101010101010101u >> 56);
}

__attribute__((always_inline)) static inline void scan_codes(lbh_scan *s, int64_t n,
                                                             const uint8_t *codes, size_t size)
{
    size_t words = size / 8, rest = size % 8;
    for (int64_t i = 0; i < n; i++) {
        const uint8_t *code = codes + (size_t)i * size;
        const uint64_t *query = s->query;
        uint64_t last = 0;
        memcpy(&last, code + 8 * words, rest);
        for (int64_t q = 0; q < s->nq; q++, query += words + (rest > 0)) {
            int32_t distance = rest ? count_bits(last ^ query[words]) : 0;
            for (size_t w = 0; w < words; w++) {
                uint64_t word;
                memcpy(&word, code + 8 * w, sizeof word);
                distance += count_bits(word ^ query[w]);
            }
            if (distance < s->bar[q])
                lbh_scan_report(s, q, i, 1, &distance);
        }
    }
}

#define KERNEL(name, size)                                                                         \
    static void name(lbh_scan *s, int64_t n, const uint8_t *codes)                                 \
    {                                                                                              \
        scan_codes(s, n, codes, size);                                                             \
    }

KERNEL(scan4, 4)
KERNEL(scan8, 8)
KERNEL(scan16, 16)
KERNEL(scan32, 32)
KERNEL(scan64, 64)
KERNEL(scan128, 128)
KERNEL(scan_any, s->code_size)

const lbh_scan_kernels *lbh_scan_kernels_scalar(void)
{
    static const lbh_scan_kernels kernels = {scan4, scan8, scan16, scan32, scan64, scan128,
                                             scan_any};
    return &kernels;
}
