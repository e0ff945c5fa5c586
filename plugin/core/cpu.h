/* cpu.h: which instruction set the kernels use, chosen once. LBH_ISA=scalar|avx2|avx512 in the
 * environment forces one (never more than the CPU has). All kernels give the same bits. */
#ifndef LBH_CORE_CPU_H
#define LBH_CORE_CPU_H

typedef enum { LBH_ISA_SCALAR, LBH_ISA_AVX2, LBH_ISA_AVX512 } lbh_isa_level;

lbh_isa_level lbh_isa(void);

/* Element-wise loops are compiled once per instruction set and picked by the loader. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(LBH_NO_CLONES)
#define LBH_CLONES __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#define LBH_CLONES
#endif

#endif
