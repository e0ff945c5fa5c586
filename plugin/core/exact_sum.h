/* exact_sum.h: sums of products of floats without any rounding.
 *
 * The product of two finite floats is a whole number of at most 48 bits times 2^e, e from -298 to
 * 208. A sum is a fixed-point number that holds all of that range: digits of 32 bits, each in 64, so
 * that 2^31 products fit before a carry must go on. */
#ifndef LBH_EXACT_SUM_H
#define LBH_EXACT_SUM_H

#include <stdint.h>

enum { LBH_SUM_DIGITS = 20 };

typedef struct lbh_exact_sum {
    int64_t digit[LBH_SUM_DIGITS]; /* digit i weighs 2^(32 i - 320); all 0: the sum 0 */
} lbh_exact_sum;

/* sum += sign * 2^shift * a . b, of d products; sign is 1 or -1, shift 0 or 1. */
void lbh_sum_add(lbh_exact_sum *sum, int sign, int shift, int d, const float *a, const float *b);

/* Carries, so that equal sums have equal digits; to be called once, before comparing. */
void lbh_sum_carry(lbh_exact_sum *sum);

/* Below 0, 0 or above 0 as a < b, a = b, a > b. */
int lbh_sum_compare(const lbh_exact_sum *a, const lbh_exact_sum *b);

/* The same of a / sqrt(aa) and b / sqrt(bb); where aa or bb is 0, so is a or b. */
int lbh_sum_compare_scaled(const lbh_exact_sum *a, const lbh_exact_sum *aa, const lbh_exact_sum *b,
                           const lbh_exact_sum *bb);

#endif
