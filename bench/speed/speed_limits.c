/* speed_limits.c: what the hardware can do at most: read memory, count bits, multiply matrices. */
#include "speed.h"

#include <cblas.h>
#include <math.h>
#include <omp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
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

/* ---- Reading ------------------------------------------------------------------------------- */

enum { STEP = 32, LINE = 8, CHUNK = 1 << 16 }; /* in words: four cache lines, one, 512 kB */

/* Ways to read a chunk. Which one is fastest depends on where the memory is, on the size of pages,
 * and on what the hardware reads ahead by itself. */
#if CLONES
#define WAY __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#define WAY
#endif
#define READING(name, nstreams, ahead, locality)                                                   \
    WAY static uint64_t name(int64_t n, const uint64_t *word)                                      \
    {                                                                                              \
        uint64_t part[STEP] = {0}, sum = 0;                                                        \
        const int64_t each = n / (nstreams) / STEP * STEP;                                         \
        for (int64_t i = 0; i < each; i += STEP)                                                   \
            for (int64_t stream = 0; stream < (nstreams); stream++) {                              \
                const uint64_t *from = word + stream * each + i;                                   \
                for (int j = 0; (ahead) && j < STEP; j += LINE)                                    \
                    __builtin_prefetch(from + (ahead) + j, 0, locality);                           \
                for (int j = 0; j < STEP; j++)                                                     \
                    part[j] |= from[j];                                                            \
            }                                                                                      \
        for (int64_t i = (nstreams)*each; i < n; i++)                                              \
            sum |= word[i];                                                                        \
        for (int j = 0; j < STEP; j++)                                                             \
            sum |= part[j];                                                                        \
        return sum;                                                                                \
    }

READING(read_plainly, 1, 0, 3)
READING(read_two_streams, 2, 0, 3)
READING(read_four_streams, 4, 0, 3)
READING(read_4k_ahead, 1, 512, 3)
READING(read_12k_ahead, 1, 1536, 3)
READING(read_past_caches, 1, 1024, 0)

typedef uint64_t (*reading)(int64_t n, const uint64_t *word);
static const reading ways[] = {read_plainly,  read_two_streams, read_four_streams,
                               read_4k_ahead, read_12k_ahead,   read_past_caches};
enum { WAYS = sizeof ways / sizeof ways[0] };

static void read_by(reading way, const limit_memory *m)
{
    const uint64_t *word = m->data;
    int64_t n = (int64_t)(m->bytes / sizeof *word);
    uint64_t sum = 0;
#pragma omp parallel for reduction(| : sum) schedule(static)
    for (int64_t i = 0; i < n; i += CHUNK)
        sum |= way(n - i < CHUNK ? n - i : CHUNK, word + i);
    sink = sum;
}

int limit_read(void *ctx)
{
    enum { TRIALS = 3 };
    limit_memory *m = ctx;
    if (m->way == 0) { /* the first call finds the best way */
        double best = INFINITY;
        for (int t = 0; t < TRIALS * WAYS; t++) {
            double began = cli_now();
            read_by(ways[t % WAYS], m);
            double seconds = cli_now() - began;
            if (seconds < best) {
                best = seconds;
                m->way = 1 + t % WAYS;
            }
        }
    }
    read_by(ways[m->way - 1], m);
    return LBH_OK;
}

/* ---- Counting ------------------------------------------------------------------------------ */

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
/* What is done with the counts is left out, here and below: sums and minima can be shared among words
 * in more ways than one. */

enum { SHUFFLE_WORDS = 4 }; /* 32 nibbles that are looked up for two queries: 64 of 16 a word */

__attribute__((target("avx2"))) static uint64_t count_avx2(int64_t rounds)
{
    __m256i x[CHAINS];
    for (int c = 0; c < CHAINS; c++)
        x[c] = _mm256_set1_epi64x((int64_t)sink + c);
    for (int64_t i = 0; i < rounds; i++) {
        __m256i table = _mm256_set1_epi64x(i);
#pragma GCC unroll 12
        for (int c = 0; c < CHAINS; c++) {
            __m256i count = _mm256_shuffle_epi8(table, x[c]);
            __asm__ volatile("" : : "v"(count)); /* it has to be there */
        }
    }
    return (uint64_t)_mm256_extract_epi64(x[0], 0);
}

__attribute__((target("avx512f,avx512vpopcntdq"))) static uint64_t count_avx512(int64_t rounds)
{
    __m512i x[CHAINS];
    for (int c = 0; c < CHAINS; c++)
        x[c] = _mm512_set1_epi64((int64_t)sink + c);
    for (int64_t i = 0; i < rounds; i++) {
        __m512i query = _mm512_set1_epi64(i);
#pragma GCC unroll 12
        for (int c = 0; c < CHAINS; c++) {
            __m512i count = _mm512_popcnt_epi64(_mm512_xor_si512(x[c], query));
            __asm__ volatile("" : : "v"(count)); /* it has to be there */
        }
    }
    return (uint64_t)_mm512_reduce_add_epi64(x[0]);
}
#endif

/* `words` of work by the widest instructions there are. */
static uint64_t count(double words)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512vpopcntdq"))
        return count_avx512((int64_t)(words / (8 * CHAINS)));
    if (__builtin_cpu_supports("avx2"))
        return count_avx2((int64_t)(words / (SHUFFLE_WORDS * CHAINS)));
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
    return LBH_OK;
}

/* ---- By themselves ------------------------------------------------------------------------- */

static int time_reading(const speed_options *o, bool huge_pages, int threads)
{
    char name[96];
    uint8_t *codes = speed_codes(o->n, sizeof(uint64_t), huge_pages);
    limit_memory memory = {.data = codes, .bytes = (size_t)o->n * sizeof(uint64_t)};
    if (!codes)
        return LBH_ENOMEM;
    for (size_t i = 0; i < memory.bytes; i++)
        codes[i] = (uint8_t)i;
    snprintf(name, sizeof name, "reading %.3g MB in %s pages", 1e-6 * (double)memory.bytes,
             huge_pages ? "huge" : "ordinary");
    int rc = speed_run(o, &(speed_case){.name = name, .unit = "byte", .work = (double)memory.bytes,
                                        .ours = {name, limit_read, &memory, threads}});
    free(codes);
    return rc;
}

int speed_limits(const speed_options *o)
{
    int rc = LBH_OK;
    for (int t = 1; t <= o->threads && rc == LBH_OK; t = speed_next_threads(o, t)) {
        limit_popcount popcounts = {1e7};
        rc = time_reading(o, false, t);
        if (rc == LBH_OK)
            rc = time_reading(o, true, t);
        if (rc == LBH_OK)
            rc = speed_run(o, &(speed_case){
                .name = "xor and population count", .unit = "word of 64 bits",
                .work = popcounts.words,
                .ours = {"xor, popcount", limit_count, &popcounts, t}});
    }
    return rc;
}

/* ---- Products ------------------------------------------------------------------------------ */

int limit_sgemm(void *ctx)
{
    const limit_gemm *g = ctx;
    for (int64_t i = 0; i < g->m; i += g->block) {
        int rows = g->m - i < g->block ? (int)(g->m - i) : g->block;
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, rows, g->n, g->k, 1, g->A + i * g->k,
                    g->k, g->B, g->k, 0, g->C, g->n);
    }
    return LBH_OK;
}
