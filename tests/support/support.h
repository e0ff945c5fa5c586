/* support.h: what several tests need: data, a naive search, temporary files. */
#ifndef LBH_TEST_SUPPORT_H
#define LBH_TEST_SUPPORT_H

#include <criterion/criterion.h>
#include <stddef.h>
#include <stdint.h>

/* A repeatable uniform number in [0, 1) from a counter; no library code behind it. */
double test_uniform(uint64_t seed, uint64_t index);
double test_normal(uint64_t seed, uint64_t index);

/* n x d floats: a mixture of 10 anisotropic Gaussians, uncentred. The caller frees. label, if not
 * NULL, gets the component of each row. */
float *test_mixture(int64_t n, int d, uint64_t seed, int64_t *label);

/* n random codes. The caller frees. */
uint8_t *test_codes(int64_t n, size_t code_size, uint64_t seed);

int test_hamming(const uint8_t *a, const uint8_t *b, size_t code_size);

/* Exact k nearest by (distance, id), one byte at a time: the oracle. */
void test_naive_search(int64_t n, const uint8_t *base, int64_t nq, const uint8_t *query,
                       size_t code_size, int64_t k, int32_t *distances, int64_t *labels);

/* Full path of a data file ("mnist/base.bvecs"), or NULL if it is absent. Static buffer. */
const char *test_data_file(const char *name);

/* Skips the running test with a message if the data file is absent. */
#define TEST_NEEDS(name)                                                                           \
    do {                                                                                           \
        if (!test_data_file(name))                                                                 \
            cr_skip_test("data file %s is absent (set LBH_DATA_DIR)", name);                       \
    } while (0)

/* A path in a directory of this process that is removed at its end. Up to 8 live at a time. */
const char *test_tmp(const char *name);

/* Reads a whole file; NULL if there is none. The caller frees. */
unsigned char *test_slurp(const char *path, size_t *size);
void test_spit(const char *path, const void *data, size_t size);

#endif
