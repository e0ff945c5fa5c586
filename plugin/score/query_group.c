/* query_group.c: see query_group.h. */
#include "query_group.h"

#include "cpu.h"

#include <math.h>
#include <stdbool.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { QUERIES = LBH_GROUP_QUERIES };

void lbh_query_group_fill(lbh_query_group *g, int nbytes, int64_t count,
                          const lbh_score_table *table)
{
    for (int64_t j = 0; j < QUERIES; j++) {
        bool there = j < count;
        g->offset[j] = there ? table[j].offset : 0;
        g->least[j] = there ? table[j].least : 0;
        for (int i = 0; i < 256 * nbytes; i++)
            g->entry[QUERIES * i + j] = there ? table[j].byte[i] : 0;
    }
}

static void start(int64_t count, const lbh_topk *best, float bar[QUERIES])
{
    for (int j = 0; j < QUERIES; j++)
        bar[j] = j < count ? best[j].bar : -INFINITY;
}

/* A code that is below one of the bars at least. */
static void take(int64_t count, const float score[QUERIES], uint32_t id, lbh_topk *best,
                 float bar[QUERIES])
{
    for (int64_t j = 0; j < count; j++) {
        lbh_topk_add(&best[j], 1, &score[j], id); /* which looks at the bar */
        bar[j] = best[j].bar;
    }
}

/* The order of additions is that of decoded.h, here and below. */
static void add_scalar(const lbh_query_group *g, int nbytes, int64_t count, int64_t n,
                       const uint8_t *codes, const float *norm, uint32_t first, lbh_topk *best)
{
    float bar[QUERIES], score[QUERIES];
    start(count, best, bar);
    for (int64_t i = 0; i < n; i++, codes += nbytes) {
        float sum[QUERIES] = {0};
        bool below = false;
        for (int b = 0; b < nbytes; b++)
            for (int j = 0; j < QUERIES; j++)
                sum[j] += g->entry[QUERIES * (256 * b + codes[b]) + j];
        for (int j = 0; j < QUERIES; j++) {
            float s = (sum[j] + norm[i]) + g->offset[j];
            score[j] = s > g->least[j] ? s : g->least[j];
            below = below || score[j] < bar[j];
        }
        if (below)
            take(count, score, first + (uint32_t)i, best, bar);
    }
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static void add_avx2(const lbh_query_group *g, int nbytes,
                                                     int64_t count, int64_t n, const uint8_t *codes,
                                                     const float *norm, uint32_t first,
                                                     lbh_topk *best)
{
    const __m256 offset = _mm256_loadu_ps(g->offset), least = _mm256_loadu_ps(g->least);
    float bar[QUERIES], score[QUERIES];
    start(count, best, bar);
    __m256 limit = _mm256_loadu_ps(bar);
    for (int64_t i = 0; i < n; i++, codes += nbytes) {
        __m256 sum = _mm256_setzero_ps();
        const float *entry = g->entry;
        for (int b = 0; b < nbytes; b++, entry += QUERIES * 256)
            sum = _mm256_add_ps(sum, _mm256_loadu_ps(entry + QUERIES * (size_t)codes[b]));
        sum = _mm256_add_ps(_mm256_add_ps(sum, _mm256_set1_ps(norm[i])), offset);
        sum = _mm256_max_ps(sum, least);
        if (__builtin_expect(_mm256_movemask_ps(_mm256_cmp_ps(sum, limit, _CMP_LT_OQ)), 0)) {
            _mm256_storeu_ps(score, sum);
            take(count, score, first + (uint32_t)i, best, bar);
            limit = _mm256_loadu_ps(bar);
        }
    }
}
#endif

void lbh_query_group_add(const lbh_query_group *g, int nbytes, int64_t count, int64_t n,
                         const uint8_t *codes, const float *norm, uint32_t first, lbh_topk *best)
{
#if defined(__x86_64__)
    if (lbh_cpu_isa() == LBH_ISA_AVX2 || lbh_cpu_isa() == LBH_ISA_AVX512) {
        add_avx2(g, nbytes, count, n, codes, norm, first, best);
        return;
    }
#endif
    add_scalar(g, nbytes, count, n, codes, norm, first, best);
}
