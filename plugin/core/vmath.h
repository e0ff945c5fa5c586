/* vmath.h: exp and the logistic function as plain arithmetic, so that loops over them vectorise and
 * give the same bits with every instruction set. Relative error of exp below 2e-7. */
#ifndef LBH_CORE_VMATH_H
#define LBH_CORE_VMATH_H

#include <stdint.h>
#include <string.h>

/* e^x = 2^n e^r, n = round(x / ln 2), |r| <= ln 2 / 2; e^r by its Taylor polynomial of degree 7. */
static inline float lbh_expf(float x)
{
    x = x < -87.0f ? -87.0f : x;
    x = x > 88.0f ? 88.0f : x;
    float whole = x * 1.44269504f + 12582912.0f; /* 1.5 * 2^23: rounds, and its last bits are n */
    float n = whole - 12582912.0f;
    float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;   /* ln 2 in two parts */
    float p = 1.0f / 5040;
    p = p * r + 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    uint32_t bits; /* unsigned: a NaN has no n, and stays a NaN whatever 2^n is */
    memcpy(&bits, &whole, sizeof bits);
    bits = (bits - 0x4b400000u + 127u) << 23;
    float scale;
    memcpy(&scale, &bits, sizeof scale);
    return p * scale;
}

/* sigma(a) = 1 / (1 + e^-a) */
static inline float lbh_sigmoid(float a)
{
    return 1.0f / (1.0f + lbh_expf(-a));
}

#endif
