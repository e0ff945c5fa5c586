/* rng.c: see rng.h. */
#include "rng.h"

#include "arena.h"
#include "cpu.h"
#include "error.h"
#include "profile.h"

#include <Random123/philox.h>
#include <math.h>
#include <stdlib.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { CHUNK = 1024 }; /* numbers a thread takes at a time; a multiple of 4 */

static inline philox4x32_ctr_t block(uint64_t seed, uint64_t stream, uint64_t index)
{
    philox4x32_ctr_t c = {{(uint32_t)index, (uint32_t)(index >> 32), (uint32_t)stream,
                           (uint32_t)(stream >> 32)}};
    philox4x32_key_t k = {{(uint32_t)seed, (uint32_t)(seed >> 32)}};
    return philox4x32(c, k);
}

/* Numbers 4 * first .. 4 * (first + count) - 1 of the stream. One block of Philox gives four
 * numbers; blocks are independent, so the compiler turns this into one block a vector lane. */
LBH_CLONES
static void uniform_blocks(uint64_t seed, uint64_t stream, uint64_t first, int count,
                           float *restrict out)
{
    for (int i = 0; i < count; i++) {
        philox4x32_ctr_t r = block(seed, stream, first + (uint64_t)i);
        out[4 * i] = (float)(int32_t)(r.v[0] >> 8) * 0x1p-24f;
        out[4 * i + 1] = (float)(int32_t)(r.v[1] >> 8) * 0x1p-24f;
        out[4 * i + 2] = (float)(int32_t)(r.v[2] >> 8) * 0x1p-24f;
        out[4 * i + 3] = (float)(int32_t)(r.v[3] >> 8) * 0x1p-24f;
    }
}

#if defined(__x86_64__)

/* The same, `count` a multiple of 8: a block in each 64-bit lane, whose lower half the 32-bit
 * product takes and whose upper half may hold anything. A quarter of the compiler's instructions. */
__attribute__((target("avx512f"))) static void
uniform_blocks_avx512(uint64_t seed, uint64_t stream, uint64_t first, int count, float *out)
{
    const __m512i m0 = _mm512_set1_epi64(0xD2511F53), m1 = _mm512_set1_epi64(0xCD9E8D57);
    const __m512i even = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11);
    const __m512i odd = _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15);
    const __m512 unit = _mm512_set1_ps(0x1p-24f);
    for (int i = 0; i < count; i += 8) {
        __m512i c0 = _mm512_add_epi64(_mm512_set1_epi64((long long)(first + (uint64_t)i)),
                                      _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7));
        __m512i c1 = _mm512_srli_epi64(c0, 32);
        __m512i c2 = _mm512_set1_epi64((long long)stream), c3 = _mm512_srli_epi64(c2, 32);
        uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
        for (int round = 0; round < 10; round++) {
            __m512i p0 = _mm512_mul_epu32(c0, m0), p1 = _mm512_mul_epu32(c2, m1);
            c0 = _mm512_xor_si512(_mm512_xor_si512(_mm512_srli_epi64(p1, 32), c1),
                                  _mm512_set1_epi64(k0));
            c2 = _mm512_xor_si512(_mm512_xor_si512(_mm512_srli_epi64(p0, 32), c3),
                                  _mm512_set1_epi64(k1));
            c1 = p1;
            c3 = p0;
            k0 += 0x9E3779B9; /* Philox's constants, from the paper */
            k1 += 0xBB67AE85;
        }
        __m512i c01 = _mm512_mask_blend_epi32(0xaaaa, c0, _mm512_slli_epi64(c1, 32));
        __m512i c23 = _mm512_mask_blend_epi32(0xaaaa, c2, _mm512_slli_epi64(c3, 32));
        __m512i lower = _mm512_permutex2var_epi64(c01, even, c23);
        __m512i upper = _mm512_permutex2var_epi64(c01, odd, c23);
        lower = _mm512_srli_epi32(lower, 8);
        upper = _mm512_srli_epi32(upper, 8);
        _mm512_storeu_ps(out + 4 * i, _mm512_mul_ps(_mm512_cvtepi32_ps(lower), unit));
        _mm512_storeu_ps(out + 4 * i + 16, _mm512_mul_ps(_mm512_cvtepi32_ps(upper), unit));
    }
}

#endif

static void uniform_chunk(uint64_t seed, uint64_t stream, uint64_t first, int count, float *out)
{
    int done = 0;
#if defined(__x86_64__)
    if (lbh_cpu_isa() == LBH_ISA_AVX512) {
        done = count / 8 * 8;
        uniform_blocks_avx512(seed, stream, first, done, out);
    }
#endif
    uniform_blocks(seed, stream, first + (uint64_t)done, count - done, out + 4 * done);
}

void lbh_rng_uniform(uint64_t seed, uint64_t stream, uint64_t first, int64_t n, float *out)
{
    lbh_time before = lbh_clock(LBH_TIME_NOISE);
    int64_t whole = n / 4 * 4;
#pragma omp parallel for schedule(static) if (n > 16 * CHUNK)
    for (int64_t i = 0; i < whole; i += CHUNK) {
        int64_t count = whole - i < CHUNK ? whole - i : CHUNK;
        uniform_chunk(seed, stream, (first + (uint64_t)i) / 4, (int)(count / 4), out + i);
    }
    float last[4];
    if (whole < n)
        uniform_blocks(seed, stream, (first + (uint64_t)whole) / 4, 1, last);
    for (int64_t i = whole; i < n; i++)
        out[i] = last[i - whole];
    lbh_clock(before);
}

void lbh_rng_normal(uint64_t seed, uint64_t stream, int64_t n, float *out)
{
    const double two_pi = 6.283185307179586;
    for (int64_t i = 0; i < n; i += 2) {
        philox4x32_ctr_t r = block(seed, stream, (uint64_t)i / 2);
        double radius = sqrt(-2 * log(((double)r.v[0] + 1) * 0x1p-32));
        double angle = two_pi * ((double)r.v[1] * 0x1p-32);
        out[i] = (float)(radius * cos(angle));
        if (i + 1 < n)
            out[i + 1] = (float)(radius * sin(angle));
    }
}

__extension__ typedef unsigned __int128 uint128;

int64_t lbh_rng_below(uint64_t seed, uint64_t stream, uint64_t index, int64_t bound)
{
    philox4x32_ctr_t r = block(seed, stream, index);
    uint64_t u = (uint64_t)r.v[0] << 32 | r.v[1];
    return (int64_t)((uint128)u * (uint64_t)bound >> 64); /* bias below 2^-30 for any real n */
}

/* Fisher-Yates on a list 0 .. n-1 of which only the `count` changed entries are kept, in a table by
 * place: (place, value) pairs, place -1 where there is none. */
static int64_t *entry(int64_t *table, uint64_t mask, int64_t place)
{
    uint64_t slot = (uint64_t)place * 0x9e3779b97f4a7c15u >> 20 & mask;
    while (table[2 * slot] != place && table[2 * slot] != -1)
        slot = (slot + 1) & mask;
    return table + 2 * slot;
}

static int sample_few(uint64_t seed, uint64_t stream, int64_t n, int64_t count, int64_t *out)
{
    uint64_t size = 16;
    while (size < 2 * (uint64_t)count)
        size *= 2;
    int64_t *table = lbh_alloc((int64_t)size, 2 * sizeof *table);
    if (!table)
        return LBH_ENOMEM;
    for (uint64_t i = 0; i < size; i++)
        table[2 * i] = -1;
    for (int64_t i = 0; i < count; i++) {
        int64_t j = i + lbh_rng_below(seed, stream, (uint64_t)i, n - i);
        int64_t *at_i = entry(table, size - 1, i), *at_j = entry(table, size - 1, j);
        int64_t mine = at_i[0] == i ? at_i[1] : i;
        out[i] = at_j[0] == j ? at_j[1] : j;
        at_j[0] = j;
        at_j[1] = mine;
    }
    free(table);
    return LBH_OK;
}

int lbh_rng_sample(uint64_t seed, uint64_t stream, int64_t n, int64_t count, int64_t *out)
{
    enum { MUCH = 1 << 20 };
    if (n > MUCH && count < n / 16) /* the same numbers in less memory */
        return sample_few(seed, stream, n, count, out);
    int64_t *all = lbh_alloc(n, sizeof *all);
    if (!all)
        return LBH_ENOMEM;
    for (int64_t i = 0; i < n; i++)
        all[i] = i;
    for (int64_t i = 0; i < count; i++) {
        int64_t j = i + lbh_rng_below(seed, stream, (uint64_t)i, n - i);
        out[i] = all[j];
        all[j] = all[i];
    }
    free(all);
    return LBH_OK;
}
