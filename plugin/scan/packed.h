/* packed.h: PRIVATE. Arrays of whole numbers of a few bits each, one behind the other without gaps, from the
 * least significant bit of the first byte on. Behind the last one 8 bytes must be there to be read. */
#ifndef LBH_SCAN_PACKED_H
#define LBH_SCAN_PACKED_H

#include <stdint.h>
#include <string.h>

enum { LBH_PACKED_MOST = 57 }; /* bits of a number: with up to 7 before it they fit 8 bytes */

/* All bits of the array from `bit` on, the first 57 at least. */
static inline uint64_t lbh_packed_from(const uint8_t *array, uint64_t bit)
{
    uint64_t word;
    memcpy(&word, array + bit / 8, sizeof word);
    return word >> bit % 8;
}

/* The number of `width` bits at `bit`. */
static inline uint64_t lbh_packed(const uint8_t *array, uint64_t bit, int width)
{
    return lbh_packed_from(array, bit) & ((UINT64_C(1) << width) - 1);
}

/* Writes it, over zeros. */
static inline void lbh_packed_put(uint8_t *array, uint64_t bit, uint64_t number)
{
    uint64_t word;
    memcpy(&word, array + bit / 8, sizeof word);
    word |= number << bit % 8;
    memcpy(array + bit / 8, &word, sizeof word);
}

/* The least width, 1 or more, that numbers 0 .. n-1 need. */
static inline int lbh_packed_width(uint64_t n)
{
    return n > 2 ? 64 - __builtin_clzll(n - 1) : 1;
}

#endif
