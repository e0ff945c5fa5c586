/* hamming_kernels.c: the choice of a kernel, and what several kernels use. */
#include "scan/hamming.h"

#include "core/cpu.h"

#include <string.h>

static const lbh_scan_kernels *kernels(void)
{
    switch (lbh_cpu_isa()) {
    case LBH_ISA_AVX512:
        return lbh_cpu_has_vpopcnt() ? lbh_scan_kernels_avx512() : lbh_scan_kernels_avx2();
    case LBH_ISA_AVX2:
        return lbh_scan_kernels_avx2();
    case LBH_ISA_NEON:
        return lbh_scan_kernels_neon();
    case LBH_ISA_SCALAR:
        break;
    }
    return lbh_scan_kernels_scalar();
}

lbh_scan_fn lbh_scan_choose(size_t code_size)
{
    const lbh_scan_kernels *k = kernels();
    switch (code_size) {
    case 4:
        return k->bytes4;
    case 8:
        return k->bytes8;
    case 16:
        return k->bytes16;
    case 32:
        return k->bytes32;
    case 64:
        return k->bytes64;
    case 128:
        return k->bytes128;
    default:
        return k->any;
    }
}

/* Word `w` of n codes to word[0 .. n-1]; `bytes` of it belong to the code, the others become 0. */
static void fill_word(int64_t n, const uint8_t *codes, size_t size, int64_t w, size_t bytes,
                      uint64_t *word)
{
    const uint8_t *from = codes + 8 * w, *end = codes + (size_t)n * size;
    uint64_t mask = lbh_scan_lowest(8 * (int64_t)bytes);
    int64_t i = 0;
    for (; i < n && from + sizeof *word <= end; i++, from += size) { /* all but a few at the end */
        memcpy(&word[i], from, sizeof *word);
        word[i] &= mask;
    }
    for (; i < n; i++, from += size) {
        word[i] = 0;
        memcpy(&word[i], from, bytes);
    }
}

void lbh_scan_fill_tile(lbh_scan *s, int64_t n, const uint8_t *codes)
{
    int64_t filled = (n + LBH_SCAN_TILE_STEP - 1) / LBH_SCAN_TILE_STEP * LBH_SCAN_TILE_STEP;
    for (int64_t w = 0; w < s->words; w++) {
        size_t left = s->code_size - 8 * (size_t)w;
        uint64_t *word = s->tile + w * s->tile_codes;
        fill_word(n, codes, s->code_size, w, left < 8 ? left : 8, word);
        memset(word + n, 0, (size_t)(filled - n) * sizeof *word);
    }
}
