/* exact_sum.c: see exact_sum.h. */
#include "exact_sum.h"

#include <string.h>

enum { BIAS = 320 };
static const uint64_t LOW = UINT32_MAX;

/* x = (-1)^negative * mantissa * 2^exponent */
typedef struct parts {
    uint64_t mantissa;
    int exponent, negative;
} parts;

static parts take_apart(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    int field = (int)(bits >> 23 & 255);
    uint32_t fraction = bits & 0x7fffffU;
    return (parts){field ? fraction | 0x800000U : fraction, (field ? field : 1) - 150,
                   (int)(bits >> 31)};
}

void lbh_sum_add(lbh_exact_sum *sum, int sign, int shift, int d, const float *a, const float *b)
{
    for (int j = 0; j < d; j++) {
        parts x = take_apart(a[j]), y = take_apart(b[j]);
        uint64_t product = x.mantissa * y.mantissa; /* 48 bits */
        unsigned place = (unsigned)(x.exponent + y.exponent + shift + BIAS);
        unsigned by = place % 32;
        uint64_t low = (product & LOW) << by, high = (product >> 32) << by;
        int64_t with = x.negative != y.negative ? -sign : sign;
        int64_t *digit = sum->digit + place / 32;
        digit[0] += with * (int64_t)(low & LOW);
        digit[1] += with * (int64_t)((low >> 32) + (high & LOW));
        digit[2] += with * (int64_t)(high >> 32);
    }
}

void lbh_sum_carry(lbh_exact_sum *sum)
{
    for (int i = 0; i + 1 < LBH_SUM_DIGITS; i++) {
        int64_t rest = (int64_t)((uint64_t)sum->digit[i] & LOW);
        sum->digit[i + 1] += (sum->digit[i] - rest) / ((int64_t)1 << 32);
        sum->digit[i] = rest;
    }
}

int lbh_sum_compare(const lbh_exact_sum *a, const lbh_exact_sum *b)
{
    for (int i = LBH_SUM_DIGITS - 1; i >= 0; i--)
        if (a->digit[i] != b->digit[i])
            return a->digit[i] < b->digit[i] ? -1 : 1;
    return 0;
}

/* ---- Quotients ------------------------------------------------------------------------------ */

/* |a| to digits of 32 bits; its sign. */
static int magnitude(const lbh_exact_sum *a, uint32_t *to)
{
    lbh_exact_sum s = *a;
    int negative = s.digit[LBH_SUM_DIGITS - 1] < 0;
    uint32_t any = 0;
    for (int i = 0; i < LBH_SUM_DIGITS && negative; i++)
        s.digit[i] = -s.digit[i];
    lbh_sum_carry(&s);
    for (int i = 0; i < LBH_SUM_DIGITS; i++)
        any |= to[i] = (uint32_t)s.digit[i];
    return any == 0 ? 0 : negative ? -1 : 1;
}

/* to[m + n] = a[m] * b[n], as they are written by hand. */
static void multiply(int m, const uint32_t *a, int n, const uint32_t *b, uint32_t *to)
{
    memset(to, 0, (size_t)(m + n) * sizeof *to);
    for (int i = 0; i < m; i++) {
        uint64_t rest = 0;
        for (int j = 0; j < n; j++) {
            rest += (uint64_t)a[i] * b[j] + to[i + j];
            to[i + j] = (uint32_t)rest;
            rest >>= 32;
        }
        to[i + n] = (uint32_t)rest;
    }
}

int lbh_sum_compare_scaled(const lbh_exact_sum *a, const lbh_exact_sum *aa, const lbh_exact_sum *b,
                           const lbh_exact_sum *bb)
{
    enum { D = LBH_SUM_DIGITS };
    uint32_t x[D], y[D], xx[D], yy[D], square[2 * D], left[3 * D], right[3 * D];
    int sign = magnitude(a, x), other = magnitude(b, y);
    if (sign != other || sign == 0)
        return sign - other;
    magnitude(aa, xx);
    magnitude(bb, yy);
    multiply(D, x, D, x, square); /* a^2 bb and b^2 aa have the order of |a| / sqrt(aa) and |b| / sqrt(bb) */
    multiply(2 * D, square, D, yy, left);
    multiply(D, y, D, y, square);
    multiply(2 * D, square, D, xx, right);
    for (int i = 3 * D - 1; i >= 0; i--)
        if (left[i] != right[i])
            return left[i] < right[i] ? -sign : sign;
    return 0;
}
