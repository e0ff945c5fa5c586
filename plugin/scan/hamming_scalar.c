/* hamming_scalar.c: Hamming kernels in plain C, one code and one query at a time; see hamming.h.
 * With an instruction that counts the bits of a word they are also what vector kernels use for few
 * queries, which do not repay transposing codes. */
#include "hamming.h"

#include <string.h>

/* Sums of 2, 4, 8 neighbouring bits, then of the 8 bytes. */
static inline int count_portable(uint64_t x)
{
    x -= x >> 1 & 0x5555555555555555u;
    x = (x & 0x3333333333333333u) + (x >> 2 & 0x3333333333333333u);
    x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fu;
    return (int)(x * 0x0101010101010101u >> 56);
}

__attribute__((always_inline)) static inline int count(uint64_t x, bool instruction)
{
    return instruction ? __builtin_popcountll(x) : count_portable(x);
}

/* Codes begin .. end-1 with query q. */
__attribute__((always_inline)) static inline void scan_query(lbh_scan *s, int64_t q, int64_t begin,
                                                             int64_t end, const uint8_t *codes,
                                                             size_t size, bool instruction)
{
    size_t words = size / 8, rest = size % 8;
    const uint64_t *query = s->query + (size_t)q * (words + (rest > 0));
    int64_t bar = s->bar[q];
    for (int64_t i = begin; i < end; i++) {
        const uint8_t *code = codes + (size_t)i * size;
        uint64_t word = 0;
        memcpy(&word, code + 8 * words, rest);
        int32_t distance = rest ? count(word ^ query[words], instruction) : 0;
        for (size_t w = 0; w < words; w++) {
            memcpy(&word, code + 8 * w, sizeof word);
            distance += count(word ^ query[w], instruction);
        }
        if (distance < bar) {
            lbh_scan_take(s, q, i, distance);
            bar = s->bar[q];
        }
    }
}

/* A few codes at a time, which stay in the first cache for all queries; asks for later ones. */
__attribute__((always_inline)) static inline void scan_codes(lbh_scan *s, int64_t n,
                                                             const uint8_t *codes, size_t size,
                                                             bool instruction)
{
    enum { LINE = 64, BYTES = 1 << 10 };
    const int64_t step = size < BYTES ? (int64_t)(BYTES / size) : 1;
    for (int64_t at = 0; at < n; at += step) {
        const uint8_t *ahead = codes + (size_t)at * size + s->ahead;
        for (size_t b = 0; instruction && s->ahead && b < (size_t)step * size; b += LINE)
            __builtin_prefetch(ahead + b);
        for (int64_t q = 0; q < s->nq; q++)
            scan_query(s, q, at, n - at < step ? n : at + step, codes, size, instruction);
    }
}

/* The frequent sizes are constants for the compiler. */
__attribute__((always_inline)) static inline void scan_any_size(lbh_scan *s, int64_t n,
                                                                const uint8_t *codes,
                                                                bool instruction)
{
    switch (s->code_size) {
    case 4:
        scan_codes(s, n, codes, 4, instruction);
        break;
    case 8:
        scan_codes(s, n, codes, 8, instruction);
        break;
    case 16:
        scan_codes(s, n, codes, 16, instruction);
        break;
    case 32:
        scan_codes(s, n, codes, 32, instruction);
        break;
    case 64:
        scan_codes(s, n, codes, 64, instruction);
        break;
    case 128:
        scan_codes(s, n, codes, 128, instruction);
        break;
    default:
        scan_codes(s, n, codes, s->code_size, instruction);
    }
}

static void scan_portable(lbh_scan *s, int64_t n, const uint8_t *codes)
{
    scan_any_size(s, n, codes, false);
}

#if defined(__x86_64__)
__attribute__((target("popcnt")))
#endif
void lbh_scan_by_words(lbh_scan *s, int64_t n, const uint8_t *codes)
{
    scan_any_size(s, n, codes, true);
}

const lbh_scan_kernels *lbh_scan_kernels_scalar(void)
{
    static const lbh_scan_kernels kernels = {scan_portable, scan_portable, scan_portable,
                                             scan_portable, scan_portable, scan_portable,
                                             scan_portable, NULL, SIZE_MAX, false};
    return &kernels;
}
