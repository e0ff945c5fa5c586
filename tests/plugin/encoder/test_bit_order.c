/* test_bit_order.c: turning the bits of each byte round. */
#include "lbh.h"
#include "support.h"

#include <stdlib.h>
#include <string.h>

Test(bit_order, each_byte_is_mirrored_and_back)
{
    enum { N = 300, SIZE = 3 };
    uint8_t *codes = test_codes(N, SIZE, 1), turned[N * SIZE];
    for (int i = 0; i < 256; i++)
        codes[i] = (uint8_t)i;
    memcpy(turned, codes, sizeof turned);
    cr_assert_eq(lbh_codes_reverse_bits(N, SIZE, turned), LBH_OK);
    for (int i = 0; i < N * SIZE; i++)
        for (int bit = 0; bit < 8; bit++)
            cr_assert_eq(turned[i] >> bit & 1, codes[i] >> (7 - bit) & 1);
    cr_assert_eq(lbh_codes_reverse_bits(N, SIZE, turned), LBH_OK);
    cr_assert_arr_eq(turned, codes, sizeof turned);
    free(codes);
}

Test(bit_order, arguments)
{
    cr_assert_eq(lbh_codes_reverse_bits(0, 8, NULL), LBH_OK);
    cr_assert_eq(lbh_codes_reverse_bits(2, 8, NULL), LBH_EINVAL);
    cr_assert_eq(lbh_codes_reverse_bits(-1, 8, NULL), LBH_EINVAL);
}
