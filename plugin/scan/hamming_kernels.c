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

/* The last word of a code, of `bytes` bytes, which end `size` bytes after the code's start. */
static inline uint64_t last_word(const uint8_t *code, size_t size, size_t bytes)
{
    uint64_t word = 0;
    if (size >= sizeof word) { /* a whole word that ends with the code, and the rest shifted out */
        memcpy(&word, code + size - sizeof word, sizeof word);
        return word >> (8 * (sizeof word - bytes));
    }
    for (size_t i = 0; i < bytes; i++)
        word |= (uint64_t)code[i] << (8 * i);
    return word;
}

void lbh_scan_fill_tile(lbh_scan *s, int64_t n, const uint8_t *codes)
{
    int64_t stride = s->tile_codes, whole = (int64_t)(s->code_size / sizeof(uint64_t));
    size_t size = s->code_size, bytes = size % sizeof(uint64_t);
    int64_t filled = (n + LBH_SCAN_TILE_STEP - 1) / LBH_SCAN_TILE_STEP * LBH_SCAN_TILE_STEP;
    for (int64_t i = 0; i < n; i++) {
        const uint8_t *code = codes + (size_t)i * size;
        uint64_t *tile = s->tile + i;
        for (int64_t w = 0; w < whole; w++)
            memcpy(tile + w * stride, code + 8 * w, sizeof *tile);
        if (bytes)
            tile[whole * stride] = last_word(code, size, bytes);
    }
    for (int64_t w = 0; w < s->words; w++)
        memset(s->tile + w * stride + n, 0, (size_t)(filled - n) * sizeof *s->tile);
}
