/* cpu.h: which instruction set the kernels use: the one choice that all tables of kernels follow.
 * All kernels give the same bits. */
#ifndef LBH_CORE_CPU_H
#define LBH_CORE_CPU_H

#include <stdbool.h>

/* Each x86 level includes those below it. AVX2 implies FMA; AVX512 is F and BW. */
typedef enum { LBH_ISA_SCALAR, LBH_ISA_NEON, LBH_ISA_AVX2, LBH_ISA_AVX512 } lbh_isa_level;

/* Chosen at the first call: the best of the CPU, or the lesser one that LBH_ISA in the environment
 * names (see lbh_isa() in lbh_scan.h). */
lbh_isa_level lbh_cpu_isa(void);

/* Whether the level is AVX512, and the CPU counts bits in vectors (AVX512_VPOPCNTDQ)
 * and moves bytes at will in them (AVX512_VBMI, which every such CPU has but Xeon Phi). */
bool lbh_cpu_has_vpopcnt(void);

/* Forgets the choice: the next call reads LBH_ISA again. For tests, while nothing else runs. */
void lbh_cpu_choose_again(void);

/* Element-wise loops are compiled once per instruction set and picked by the loader. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(LBH_NO_CLONES)
#define LBH_CLONES __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#define LBH_CLONES
#endif

#endif
