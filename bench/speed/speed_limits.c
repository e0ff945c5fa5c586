/* speed_limits.c: what the hardware can do at most: read memory, count bits, multiply matrices. */
#include "speed.h"

#include <cblas.h>
#include <omp.h>
#include <stdint.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* Not in builds with AddressSanitizer, whose run time the resolvers would come before. */
#if defined(__x86_64__) && !defined(LBH_NO_CLONES)
#define CLONES 1
#else
#define CLONES 0
#endif

/* Loops end here, so that the compiler has to do them. */
static volatile uint64_t sink;

#if CLONES
__attribute__((target_clones("default", "avx2", "avx512f")))
#endif
static uint64_t read_words(int64_t n, const uint64_t *word)
{
    enum { STEP = 32, AHEAD = 512 }; /* words: four cache lines, 4 kB */
    uint64_t part[STEP] = {0}, sum = 0;
    for (int64_t i = 0; i + STEP <= n; i += STEP) {
        for (int j = 0; j < STEP; j += 8)
            __builtin_prefetch(word + i + AHEAD + j);
        for (int j = 0; j < STEP; j++)
            part[j] |= word[i + j];
    }
    for (int j = 0; j < STEP; j++)
        sum |= part[j];
    return sum;
}

int limit_read(void *ctx)
{
    enum { CHUNK = 1 << 16 }; /* words */
    const limit_memory *m = ctx;
    const uint64_t *word = m->data;
    int64_t n = (int64_t)(m->bytes / sizeof *word);
    uint64_t sum = 0;
#pragma omp parallel for reduction(| : sum) schedule(static)
    for (int64_t i = 0; i < n; i += CHUNK)
        sum |= read_words(n - i < CHUNK ? n - i : CHUNK, word + i);
    sink = sum;
    return EXIT_OK;
}

enum { CHAINS = 12 }; /* independent sums, enough to fill the pipelines */

#if CLONES
__attribute__((target_clones("default", "popcnt")))
#endif
static uint64_t count_words(int64_t rounds)
{
    uint64_t x[CHAINS], least[CHAINS], total = 0;
    for (int c = 0; c < CHAINS; c++)
        x[c] = least[c] = sink + (uint64_t)c;
    for (int64_t i = 0; i < rounds; i++)
        for (int c = 0; c < CHAINS; c++) {
            uint64_t bits = (uint64_t)__builtin_popcountll(x[c] ^ (uint64_t)i);
            least[c] = bits < least[c] ? bits : least[c];
        }
    for (int c = 0; c < CHAINS; c++)
        total += least[c];
    return total;
}

#if defined(__x86_64__)
__attribute__((target("avx512f,avx512vpopcntdq"))) static uint64_t count_avx512(int64_t rounds)
{
    __m512i x[CHAINS], least[CHAINS], total = _mm512_setzero_si512();
    for (int c = 0; c < CHAINS; c++)
        x[c] = least[c] = _mm512_set1_epi64((int64_t)sink + c);
    for (int64_t i = 0; i < rounds; i++) {
        __m512i query = _mm512_set1_epi64(i);
        for (int c = 0; c < CHAINS; c++)
            least[c] = _mm512_min_epu32(least[c],
                                        _mm512_popcnt_epi64(_mm512_xor_si512(x[c], query)));
    }
    for (int c = 0; c < CHAINS; c++)
        total = _mm512_add_epi64(total, least[c]);
    return (uint64_t)_mm512_reduce_add_epi64(total);
}
#endif

/* `words` of work by the widest instructions there are. */
static uint64_t count(double words)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512vpopcntdq"))
        return count_avx512((int64_t)(words / (8 * CHAINS)));
#endif
    return count_words((int64_t)(words / CHAINS));
}

int limit_count(void *ctx)
{
    const limit_popcount *p = ctx;
    uint64_t sum = 0;
#pragma omp parallel reduction(+ : sum)
    sum += count(p->words / omp_get_num_threads());
    sink = sum;
    return EXIT_OK;
}

int limit_sgemm(void *ctx)
{
    const limit_gemm *g = ctx;
    for (int64_t i = 0; i < g->m; i += g->block) {
        int rows = g->m - i < g->block ? (int)(g->m - i) : g->block;
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, rows, g->n, g->k, 1, g->A + i * g->k,
                    g->k, g->B, g->k, 0, g->C, g->n);
    }
    return EXIT_OK;
}
