/* rng.c: see rng.h. */
#include "core/rng.h"

#include "core/arena.h"
#include "core/cpu.h"
#include "core/error.h"
#include "core/profile.h"

#include <Random123/philox.h>
#include <math.h>
#include <stdlib.h>

enum { CHUNK = 1024 }; /* numbers a thread takes at a time; a multiple of 4 */

static inline philox4x32_ctr_t block(uint64_t seed, uint64_t stream, uint64_t index)
{
    philox4x32_ctr_t c = {{(uint32_t)index, (uint32_t)(index >> 32), (uint32_t)stream,
                           (uint32_t)(stream >> 32)}};
    philox4x32_key_t k = {{(uint32_t)seed, (uint32_t)(seed >> 32)}};
    return philox4x32(c, k);
}

/* Numbers 4 * first .. 4 * (first + count) - 1 of the stream. One block of Philox gives four numbers;
 * blocks are independent, so the compiler turns this into one block a vector lane. */
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

void lbh_rng_uniform(uint64_t seed, uint64_t stream, uint64_t first, int64_t n, float *out)
{
    lbh_time before = lbh_clock(LBH_TIME_NOISE);
    int64_t whole = n / 4 * 4;
#pragma omp parallel for schedule(static) if (n > 16 * CHUNK)
    for (int64_t i = 0; i < whole; i += CHUNK) {
        int64_t count = whole - i < CHUNK ? whole - i : CHUNK;
        uniform_blocks(seed, stream, (first + (uint64_t)i) / 4, (int)(count / 4), out + i);
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

int lbh_rng_sample(uint64_t seed, uint64_t stream, int64_t n, int64_t count, int64_t *out)
{
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
