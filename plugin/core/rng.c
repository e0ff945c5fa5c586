/* rng.c: see rng.h. */
#include "core/rng.h"

#include "core/arena.h"
#include "core/error.h"

#include <Random123/philox.h>
#include <math.h>
#include <stdlib.h>

static inline philox4x32_ctr_t block(uint64_t seed, uint64_t stream, uint64_t index)
{
    philox4x32_ctr_t c = {{(uint32_t)index, (uint32_t)(index >> 32), (uint32_t)stream,
                           (uint32_t)(stream >> 32)}};
    philox4x32_key_t k = {{(uint32_t)seed, (uint32_t)(seed >> 32)}};
    return philox4x32(c, k);
}

void lbh_rng_uniform(uint64_t seed, uint64_t stream, uint64_t first, int64_t n, float *out)
{
#pragma omp parallel for schedule(static) if (n > 8192)
    for (int64_t i = 0; i < n; i += 4) {
        philox4x32_ctr_t r = block(seed, stream, (first + (uint64_t)i) / 4);
        for (int64_t j = 0; j < 4 && i + j < n; j++)
            out[i + j] = (float)(r.v[j] >> 8) * 0x1p-24f;
    }
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
