/* finite.c: rows that hold a NaN or an infinity. */
#include "finite.h"

#include "cpu.h"

#include <string.h>

/* Whether one of n floats is a NaN or an infinity: those have the highest exponent. */
LBH_CLONES
static bool any_nonfinite(int64_t n, const float *x)
{
    uint32_t highest = 0;
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, x + i, sizeof bits);
        bits &= 0x7fffffffU;
        highest = bits > highest ? bits : highest;
    }
    return highest >= 0x7f800000U;
}

int64_t lbh_find_nonfinite(int64_t n, int d, const float *x)
{
    for (int64_t i = 0; i < n; i++)
        if (any_nonfinite(d, x + i * d))
            return i;
    return -1;
}
