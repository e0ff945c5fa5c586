/* decoded_kernels.c: see decoded.h. */
#include "decoded.h"

#include "arena.h"
#include "cpu.h"
#include "error.h"

#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* ---- Blocks and tables --------------------------------------------------------------------- */

static inline uint32_t load_word(const uint8_t *p, int bytes)
{
    uint32_t value = 0;
    if (bytes == 4) /* one load */
        return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    for (int b = 0; b < bytes; b++)
        value |= (uint32_t)p[b] << (8 * b);
    return value;
}

void lbh_code_block_fill(lbh_code_block *block, int64_t n, const uint8_t *codes)
{
    int nbytes = block->nbytes, words = (nbytes + 3) / 4;
    block->n = (n + LBH_DECODED_STEP - 1) / LBH_DECODED_STEP * LBH_DECODED_STEP;
    for (int w = 0; w < words; w++) {
        int bytes = nbytes - 4 * w < 4 ? nbytes - 4 * w : 4;
        uint32_t *word = block->word + w * block->stride;
        for (int64_t i = 0; i < n; i++)
            word[i] = load_word(codes + i * nbytes + 4 * w, bytes);
        memset(word + n, 0, (size_t)(block->n - n) * sizeof *word);
    }
}

int lbh_score_table_new(lbh_score_table *table, int nbytes, int nibbles, int bytes)
{
    *table = (lbh_score_table){0};
    table->nibble = lbh_alloc(nibbles ? 32 * (int64_t)nbytes : 0, sizeof *table->nibble);
    table->byte = bytes ? lbh_alloc(256 * (int64_t)nbytes, sizeof *table->byte) : NULL;
    return table->nibble && (table->byte || !bytes) ? LBH_OK : LBH_ENOMEM;
}

void lbh_score_table_fill(lbh_score_table *table, int nbytes, const float *weight)
{
    for (int j = 0; j < 2 * nbytes; j++)
        for (int v = 0; v < 16; v++) {
            float sum = 0;
            for (int bit = 0; bit < 4; bit++) {
                float half = 0.5f * weight[4 * j + bit];
                sum += v >> bit & 1 ? half : -half;
            }
            table->nibble[16 * j + v] = sum;
        }
    for (int b = 0; table->byte && b < nbytes; b++) {
        const float *low = table->nibble + 32 * b, *high = low + 16;
        for (int v = 0; v < 256; v++)
            table->byte[256 * b + v] = low[v & 15] + high[v >> 4];
    }
}

/* ---- Scores -------------------------------------------------------------------------------- */

static void score_scalar(const lbh_code_block *block, const lbh_score_table *table,
                         const float *norm, float *score)
{
    for (int64_t i = 0; i < block->n; i += 4) {
        float sum[4] = {0};
        for (int b = 0; b < block->nbytes; b++) {
            const uint32_t *word = block->word + b / 4 * block->stride + i;
            const float *t = table->byte + 256 * b;
            for (int l = 0; l < 4; l++)
                sum[l] += t[word[l] >> (8 * (b % 4)) & 255];
        }
        for (int l = 0; l < 4; l++) {
            float s = (sum[l] + norm[i + l]) + table->offset;
            score[i + l] = s > table->least ? s : table->least;
        }
    }
}

#if defined(__x86_64__)

/* Entry (index & 15) of a table of 16 floats in two registers, for 8 indices. */
__attribute__((target("avx2"), always_inline)) static inline __m256
look_up_avx2(__m256 low, __m256 high, __m256i index)
{
    __m256 upper = _mm256_castsi256_ps(_mm256_slli_epi32(index, 28)); /* bit 3 to the sign */
    return _mm256_blendv_ps(_mm256_permutevar8x32_ps(low, index),
                            _mm256_permutevar8x32_ps(high, index), upper);
}

__attribute__((target("avx2"))) static void score_avx2(const lbh_code_block *block,
                                                       const lbh_score_table *table,
                                                       const float *norm, float *score)
{
    enum { V = 4 };
    __m256 offset = _mm256_set1_ps(table->offset), least = _mm256_set1_ps(table->least);
    for (int64_t i = 0; i < block->n; i += 8 * V) {
        __m256 sum[V] = {_mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps(),
                         _mm256_setzero_ps()};
        for (int b = 0; b < block->nbytes; b++) {
            const uint32_t *word = block->word + b / 4 * block->stride + i;
            const float *t = table->nibble + 32 * b;
            __m256 t0 = _mm256_loadu_ps(t), t1 = _mm256_loadu_ps(t + 8);
            __m256 t2 = _mm256_loadu_ps(t + 16), t3 = _mm256_loadu_ps(t + 24);
            __m128i shift = _mm_cvtsi32_si128(8 * (b % 4));
            __m128i shift4 = _mm_cvtsi32_si128(8 * (b % 4) + 4);
#pragma GCC unroll 4
            for (int l = 0; l < V; l++) {
                __m256i w = _mm256_loadu_si256((const __m256i *)(word + 8 * l));
                __m256 low = look_up_avx2(t0, t1, _mm256_srl_epi32(w, shift));
                __m256 high = look_up_avx2(t2, t3, _mm256_srl_epi32(w, shift4));
                sum[l] = _mm256_add_ps(sum[l], _mm256_add_ps(low, high));
            }
        }
        for (int l = 0; l < V; l++) {
            __m256 s = _mm256_add_ps(sum[l], _mm256_loadu_ps(norm + i + 8 * l));
            s = _mm256_max_ps(_mm256_add_ps(s, offset), least);
            _mm256_storeu_ps(score + i + 8 * l, s);
        }
    }
}

__attribute__((target("avx512f"))) static void score_avx512(const lbh_code_block *block,
                                                            const lbh_score_table *table,
                                                            const float *norm, float *score)
{
    enum { V = 4 };
    __m512 offset = _mm512_set1_ps(table->offset), least = _mm512_set1_ps(table->least);
    for (int64_t i = 0; i < block->n; i += 16 * V) {
        __m512 sum[V] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(),
                         _mm512_setzero_ps()};
        for (int b = 0; b < block->nbytes; b++) {
            const uint32_t *word = block->word + b / 4 * block->stride + i;
            __m512 t0 = _mm512_loadu_ps(table->nibble + 32 * b);
            __m512 t1 = _mm512_loadu_ps(table->nibble + 32 * b + 16);
            __m128i shift = _mm_cvtsi32_si128(8 * (b % 4));
            __m128i shift4 = _mm_cvtsi32_si128(8 * (b % 4) + 4);
#pragma GCC unroll 4
            for (int l = 0; l < V; l++) { /* a permutation reads the lowest 4 bits of an index */
                __m512i w = _mm512_loadu_si512(word + 16 * l);
                __m512 low = _mm512_permutexvar_ps(_mm512_srl_epi32(w, shift), t0);
                __m512 high = _mm512_permutexvar_ps(_mm512_srl_epi32(w, shift4), t1);
                sum[l] = _mm512_add_ps(sum[l], _mm512_add_ps(low, high));
            }
        }
        for (int l = 0; l < V; l++) {
            __m512 s = _mm512_add_ps(sum[l], _mm512_loadu_ps(norm + i + 16 * l));
            s = _mm512_max_ps(_mm512_add_ps(s, offset), least);
            _mm512_storeu_ps(score + i + 16 * l, s);
        }
    }
}

#endif

lbh_score_fn lbh_choose_score(int *byte_tables)
{
    *byte_tables = 0;
#if defined(__x86_64__)
    switch (lbh_cpu_isa()) {
    case LBH_ISA_AVX512:
        return score_avx512;
    case LBH_ISA_AVX2:
        return score_avx2;
    default:
        break;
    }
#endif
    *byte_tables = 1;
    return score_scalar;
}

lbh_score_fn lbh_byte_score(void)
{
    return score_scalar;
}
