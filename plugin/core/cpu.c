/* cpu.c: see cpu.h. */
#include "core/cpu.h"

#include <stdlib.h>
#include <string.h>

static lbh_isa_level best_isa(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw"))
        return LBH_ISA_AVX512;
    if (avx2)
        return LBH_ISA_AVX2;
#endif
    return LBH_ISA_SCALAR;
}

lbh_isa_level lbh_isa(void)
{
    lbh_isa_level best = best_isa();
    const char *forced = getenv("LBH_ISA");
    if (!forced)
        return best;
    lbh_isa_level wanted = strcmp(forced, "scalar") == 0 ? LBH_ISA_SCALAR
                           : strcmp(forced, "avx2") == 0 ? LBH_ISA_AVX2
                                                         : LBH_ISA_AVX512;
    return wanted < best ? wanted : best;
}
