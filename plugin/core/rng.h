/* rng.h: random numbers as a function of (seed, stream, index), by Philox4x32-10 (Salmon et al.,
 * "Parallel random numbers: as easy as 1, 2, 3", SC 2011; Debian's Random123). Nothing depends on
 * the order of the loops or on the number of threads. Give each use in a method its own stream. */
#ifndef LBH_CORE_RNG_H
#define LBH_CORE_RNG_H

#include <stdint.h>

/* Uniform in [0, 1), 24 bits: out[i] is number first + i of the stream. first is a multiple of 4. */
void lbh_rng_uniform(uint64_t seed, uint64_t stream, uint64_t first, int64_t n, float *out);

/* Standard normal numbers 0 .. n-1 of the stream (Box-Muller). */
void lbh_rng_normal(uint64_t seed, uint64_t stream, int64_t n, float *out);

/* Whole number `index` of the stream, uniform in 0 .. bound-1 (bound > 0). */
int64_t lbh_rng_below(uint64_t seed, uint64_t stream, uint64_t index, int64_t bound);

/* out[count]: distinct numbers of 0 .. n-1 in random order (count <= n), uniform among all such
 * lists (Fisher-Yates). LBH_ENOMEM. */
int lbh_rng_sample(uint64_t seed, uint64_t stream, int64_t n, int64_t count, int64_t *out);

#endif
