/* test_hamming.h: what the tests of the Hamming search share: a naive search, one test for each set
 * of kernels. */
#ifndef LBH_TEST_HAMMING_H
#define LBH_TEST_HAMMING_H

#include "support.h"

#include "lbh_scan.h"

#define OK(call) cr_assert_eq((call), LBH_OK, "%s", lbh_last_error())

/* Makes the kernels of `isa` those of this process, or skips the test. */
void use_kernels(const char *isa);

/* Defines one test for each set of kernels: KERNEL_TEST(name) { ... } */
#define KERNEL_TEST(name)                                                                          \
    static void run_##name(void);                                                                  \
    Test(hamming_scalar, name) { use_kernels("scalar"); run_##name(); }                            \
    Test(hamming_avx2, name) { use_kernels("avx2"); run_##name(); }                                \
    Test(hamming_avx512, name) { use_kernels("avx512"); run_##name(); }                            \
    Test(hamming_neon, name) { use_kernels("neon"); run_##name(); }                                \
    static void run_##name(void)

/* Codes that are all alike, or are at few different distances from each other. */
uint8_t *equal_codes(int64_t n, size_t code_size);
uint8_t *clustered_codes(int64_t n, size_t code_size, uint64_t seed);

/* The array as the only list. */
lbh_code_list whole(int64_t n, const uint8_t *codes);

/* Searches (radius < 0: for the k best; else for all below the radius) and checks each answer
 * against a comparison of one byte at a time. which == NULL: the array lists[0]. */
void check_search(int64_t nq, const uint8_t *queries, size_t code_size, int64_t nprobe,
                  const int64_t *which, int64_t nlists, const lbh_code_list *lists, int64_t k);
void check_range(int64_t nq, const uint8_t *queries, size_t code_size, int64_t nprobe,
                 const int64_t *which, int64_t nlists, const lbh_code_list *lists, int32_t radius);

/* Random codes and queries, the k best. */
void check_random(int64_t nq, int64_t n, size_t code_size, int64_t k);

#endif
