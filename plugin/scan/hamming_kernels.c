/* hamming_kernels.c: the choice of a kernel. */
#include "hamming.h"

#include "cpu.h"

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

lbh_scan_first_fn lbh_scan_choose_first(void)
{
    return kernels()->first;
}

bool lbh_scan_needs_tile(size_t code_size)
{
    return code_size > kernels()->untiled;
}

bool lbh_scan_needs_tables(size_t code_size)
{
    return kernels()->by_nibbles && code_size <= LBH_SCAN_NIBBLES_SIZE;
}
