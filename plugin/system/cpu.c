/* cpu.c: see cpu.h. */
#include "cpu.h"

#include "lbh_scan.h"

#include <omp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { UNKNOWN = -1 };
static const char *const names[] = {[LBH_ISA_SCALAR] = "scalar",
                                    [LBH_ISA_NEON] = "neon",
                                    [LBH_ISA_AVX2] = "avx2",
                                    [LBH_ISA_AVX512] = "avx512"};
static _Atomic int chosen = UNKNOWN; /* threads that race here store the same value */

/* OpenMP takes any OMP_NUM_THREADS at its word, and the process dies of a hundred thousand threads. More
 * than MOST_THREADS is a mistake: the thread that loads the library then has as many as there are
 * processors, which is what OpenMP has without the variable. */
__attribute__((constructor)) static void bound_threads(void)
{
    enum { MOST_THREADS = 4096 };
    if (omp_get_max_threads() > MOST_THREADS)
        omp_set_num_threads(omp_get_num_procs());
}

static lbh_isa_level best_isa(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw"))
        return LBH_ISA_AVX512;
    if (avx2)
        return LBH_ISA_AVX2;
#elif defined(__aarch64__)
    return LBH_ISA_NEON; /* part of the architecture */
#endif
    return LBH_ISA_SCALAR;
}

/* Whether kernels of this level may run where `best` is the best. */
static int runs(lbh_isa_level level, lbh_isa_level best)
{
    return level <= best && (level == LBH_ISA_SCALAR || (level == LBH_ISA_NEON) ==
                                                            (best == LBH_ISA_NEON));
}

static lbh_isa_level choose(void)
{
    lbh_isa_level best = best_isa();
    const char *forced = getenv("LBH_ISA");
    for (lbh_isa_level level = LBH_ISA_SCALAR; forced && level <= LBH_ISA_AVX512; level++)
        if (strcmp(forced, names[level]) == 0 && runs(level, best))
            return level;
    return best;
}

lbh_isa_level lbh_cpu_isa(void)
{
    int level = atomic_load_explicit(&chosen, memory_order_relaxed);
    if (level == UNKNOWN) {
        level = (int)choose();
        atomic_store_explicit(&chosen, level, memory_order_relaxed);
    }
    return (lbh_isa_level)level;
}

bool lbh_cpu_has_vpopcnt(void)
{
#if defined(__x86_64__)
    return lbh_cpu_isa() == LBH_ISA_AVX512 && __builtin_cpu_supports("avx512vpopcntdq") &&
           __builtin_cpu_supports("avx512vbmi");
#else
    return false;
#endif
}

void lbh_cpu_choose_again(void)
{
    atomic_store_explicit(&chosen, UNKNOWN, memory_order_relaxed);
}

const char *lbh_isa(void)
{
    return names[lbh_cpu_isa()];
}
