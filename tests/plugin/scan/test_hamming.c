/* test_hamming.c: the Hamming search over one array: every kernel against a naive search. */
#define _POSIX_C_SOURCE 200809L
#include "test_hamming.h"

#include "cpu.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(LBH_EMULATED)
#define NO_LIMITS 1
#else
#define NO_LIMITS 0
#endif

static const size_t sizes[] = {4, 8, 16, 32, 64, 128, 5, 24};
enum { NSIZES = sizeof sizes / sizeof sizes[0] };

KERNEL_TEST(every_size_of_a_code)
{
    for (size_t size = 1; size <= 193; size++) {
        check_random(3, 291, size, 10);
        check_random(9, 150, size, 10);
    }
}

KERNEL_TEST(sizes_around_blocks)
{
    static const int64_t more[] = {191,  192,  193,  255,  256,  257,  511,  512,  513,
                                   1023, 1024, 1025, 2047, 2048, 2049, 4095, 4096, 4097};
    for (int s = 0; s < NSIZES; s++) {
        for (int64_t n = 0; n <= 131; n++)
            check_random(2, n, sizes[s], 10);
        for (size_t i = 0; i < sizeof more / sizeof more[0]; i++)
            check_random(1, more[i], sizes[s], 10);
    }
}

/* Enough for pieces that are read in either way (LBH_SCAN_AHEAD), and for the rest. */
KERNEL_TEST(ways_of_reading)
{
    static const size_t few[] = {56, 128, 300};
    omp_set_num_threads(1);
    for (size_t i = 0; i < sizeof few / sizeof few[0]; i++)
        check_random(2, ((int64_t)10 << 20) / (int64_t)few[i], few[i], 300);
}

/* Enough codes, and queries for more than one round, to be compared by tables of nibbles (hamming_nibbles.c). */
Test(hamming_avx2, many_queries_of_every_size)
{
    use_kernels("avx2");
    omp_set_num_threads(1);
    for (size_t size = 1; size <= 260; size += size < 36 ? 1 : 7)
        check_random(4 + (int64_t)size % 3, 2049 + (int64_t)size, size, 10);
    check_random(65, 2177, 8, 60); /* rounds of 64 queries, or of fewer */
    check_random(130, 2177, 16, 60);
    check_random(67, 2177, 100, 60);
}

/* Distances from 0 to all bits, which a byte does not hold, and as many ties. */
Test(hamming_avx2, many_queries_far_and_near)
{
    enum { N = 2500, NQ = 9 };
    use_kernels("avx2");
    for (size_t size = 31; size <= 131; size += size < 33 ? 1 : 49) {
        const int32_t most = 8 * (int32_t)size;
        uint8_t *codes = calloc(N, size), *queries = calloc(NQ, size);
        lbh_code_list all = whole(N, codes);
        for (size_t i = 0; i < N; i++)
            memset(codes + i * size, i % 3 ? 0 : 255, i * 7 % (size + 1));
        memset(queries + size, 255, (NQ / 2) * size);
        check_search(NQ, queries, size, 1, NULL, 1, &all, 5);
        check_search(NQ, queries, size, 1, NULL, 1, &all, N);
        check_range(NQ, queries, size, 1, NULL, 1, &all, most / 2);
        check_range(NQ, queries, size, 1, NULL, 1, &all, most);
        check_range(NQ, queries, size, 1, NULL, 1, &all, most + 1);
        free(codes), free(queries);
    }
}

/* More words than byte counts can hold, and the largest distances. */
KERNEL_TEST(long_codes)
{
    static const size_t longer[] = {240, 248, 249, 256, 496, 504, 1000, 4096, 40000};
    for (size_t i = 0; i < sizeof longer / sizeof longer[0]; i++) {
        uint8_t *codes = equal_codes(70, longer[i]), *query = malloc(longer[i]);
        lbh_code_list all = whole(70, codes);
        check_random(2, 70, longer[i], 5);
        for (size_t b = 0; b < longer[i]; b++)
            query[b] = ~codes[0];
        codes[69 * longer[i]] ^= 1;
        check_search(1, query, longer[i], 1, NULL, 1, &all, 5);
        check_range(1, query, longer[i], 1, NULL, 1, &all, 8 * longer[i]);
        check_range(1, query, longer[i], 1, NULL, 1, &all, 8 * longer[i] + 1);
        free(codes), free(query);
    }
}

KERNEL_TEST(all_ties)
{
    static const int64_t ks[] = {1, 10, 1000, 2999, 3000, 3001};
    for (int s = 0; s < NSIZES; s++) {
        uint8_t *codes = equal_codes(3000, sizes[s]), *queries = test_codes(2, sizes[s], 7);
        lbh_code_list all = whole(3000, codes);
        memcpy(queries, codes, sizes[s]);
        for (size_t i = 0; i < sizeof ks / sizeof ks[0]; i++)
            check_search(2, queries, sizes[s], 1, NULL, 1, &all, ks[i]);
        free(codes), free(queries);
    }
}

KERNEL_TEST(few_distances)
{
    static const int64_t ks[] = {1, 10, 100, 1000, 9000};
    for (int s = 0; s < NSIZES; s++) {
        uint8_t *codes = clustered_codes(5000, sizes[s], 3);
        uint8_t *queries = clustered_codes(3, sizes[s], 4);
        lbh_code_list all = whole(5000, codes);
        for (size_t i = 0; i < sizeof ks / sizeof ks[0]; i++)
            check_search(3, queries, sizes[s], 1, NULL, 1, &all, ks[i]);
        free(codes), free(queries);
    }
}

/* The nearest codes come last: every code is an answer for a while. */
KERNEL_TEST(falling_distances)
{
    enum { N = 4000, SIZE = 500 };
    uint8_t *codes = calloc(N, SIZE), query[SIZE] = {0};
    lbh_code_list all = whole(N, codes);
    for (int i = 0; i < N; i++)
        for (int b = 0; b < N - i; b++)
            codes[i * SIZE + b / 8] |= 1 << b % 8;
    check_search(1, query, SIZE, 1, NULL, 1, &all, 1);
    check_search(1, query, SIZE, 1, NULL, 1, &all, 10);
    check_search(1, query, SIZE, 1, NULL, 1, &all, 1000);
    free(codes);
}

KERNEL_TEST(blocks_of_queries_and_threads)
{
    static const int64_t nqs[] = {1, 7, 8, 9, 127, 128, 129, 300};
    for (int threads = 1; threads <= 5; threads += threads == 1 ? 1 : 3) {
        omp_set_num_threads(threads);
        for (size_t i = 0; i < sizeof nqs / sizeof nqs[0]; i++) {
            check_random(nqs[i], 1500, 8, 10);
            check_random(nqs[i], 500, 20, 100);
        }
    }
}

/* One query, so many codes that threads share them. */
KERNEL_TEST(slices_of_codes)
{
    for (int threads = 1; threads <= 5; threads += threads == 1 ? 1 : 3) {
        omp_set_num_threads(threads);
        uint8_t *ties = equal_codes(150001, 8), *query = test_codes(1, 8, 5);
        lbh_code_list all = whole(150001, ties);
        check_random(1, 150001, 8, 10);
        check_random(2, 100000, 19, 1000);
        check_search(1, query, 8, 1, NULL, 1, &all, 100);
        check_range(1, query, 8, 1, NULL, 1, &all, 65);
        free(ties), free(query);
    }
}

/* A look at every 64th run of 64 codes tells where the k best lie, but not for the second query:
 * all of its near codes are in the first run, and they are fewer than k. */
KERNEL_TEST(misleading_sample)
{
    enum { N = 20000, K = 100, NEAR = 20 };
    for (int s = 0; s < NSIZES; s++) {
        uint8_t *codes = test_codes(N, sizes[s], 3), *queries = test_codes(3, sizes[s], 4);
        lbh_code_list all = whole(N, codes);
        for (int i = 0; i < NEAR; i++)
            memcpy(codes + i * sizes[s], queries + sizes[s], sizes[s]);
        check_search(3, queries, sizes[s], 1, NULL, 1, &all, K);
        free(codes), free(queries);
    }
}

KERNEL_TEST(any_alignment)
{
    for (int s = 0; s < NSIZES; s++)
        for (int shift = 1; shift < 8; shift += 3) {
            uint8_t *codes = test_codes(200, sizes[s], 11), *queries = test_codes(2, sizes[s], 12);
            uint8_t *moved = malloc(201 * sizes[s] + shift);
            memcpy(moved + shift, codes, 200 * sizes[s]);
            memcpy(moved + shift + 200 * sizes[s], queries, sizes[s]);
            lbh_code_list all = whole(200, moved + shift);
            check_search(1, moved + shift + 200 * sizes[s], sizes[s], 1, NULL, 1, &all, 10);
            free(codes), free(queries), free(moved);
        }
}

KERNEL_TEST(range)
{
    for (int s = 0; s < NSIZES; s++) {
        uint8_t *codes = clustered_codes(2000, sizes[s], 3), *near = test_codes(300, sizes[s], 5);
        uint8_t *queries = clustered_codes(9, sizes[s], 4);
        lbh_code_list all = whole(2000, codes);
        memcpy(codes + 100 * sizes[s], near, 300 * sizes[s]);
        for (int threads = 1; threads <= 3; threads += 2) {
            omp_set_num_threads(threads);
            for (int32_t radius = -1; radius < 5; radius++)
                check_range(9, queries, sizes[s], 1, NULL, 1, &all, radius);
            check_range(9, queries, sizes[s], 1, NULL, 1, &all, 4 * sizes[s]);
            check_range(1, queries, sizes[s], 1, NULL, 1, &all, 8 * sizes[s] + 1);
            check_range(1, queries, sizes[s], 1, NULL, 1, &all, INT32_MAX);
        }
        all.n = 0;
        check_range(2, queries, sizes[s], 1, NULL, 1, &all, 5);
        check_range(0, NULL, sizes[s], 1, NULL, 1, &all, 5);
        free(codes), free(near), free(queries);
    }
}

Test(hamming, choice_of_kernels)
{
    static const char *const names[] = {"scalar", "neon", "avx2", "avx512"};
    unsetenv("LBH_ISA");
    lbh_cpu_choose_again();
    const char *best = lbh_isa();
    for (int i = 0; i < 4; i++) {
        setenv("LBH_ISA", names[i], 1);
        lbh_cpu_choose_again();
        cr_assert(strcmp(lbh_isa(), names[i]) == 0 || strcmp(lbh_isa(), best) == 0, "%s: %s",
                  names[i], lbh_isa());
        if (strcmp(names[i], "scalar") == 0 || strcmp(names[i], best) == 0)
            cr_assert_str_eq(lbh_isa(), names[i]);
    }
    setenv("LBH_ISA", "mmx", 1);
    lbh_cpu_choose_again();
    cr_assert_str_eq(lbh_isa(), best);
    setenv("LBH_ISA", "scalar", 1);
    cr_assert_str_eq(lbh_isa(), best, "chosen once");
}

/* Outputs are untouched by a call that is refused. */
static void refused(int rc)
{
    cr_assert_eq(rc, LBH_EINVAL);
    cr_assert(strstr(lbh_last_error(), "Hamming search"), "%s", lbh_last_error());
}

Test(hamming, bad_arguments)
{
    uint8_t codes[64] = {0};
    int32_t d[8] = {77};
    int64_t l[8] = {77};
    lbh_range_result *r = NULL;
    refused(lbh_hamming_search(-1, codes, 8, codes, 8, 1, d, l));
    refused(lbh_hamming_search(1, NULL, 8, codes, 8, 1, d, l));
    refused(lbh_hamming_search(1, codes, -1, codes, 8, 1, d, l));
    refused(lbh_hamming_search(1, codes, 8, NULL, 8, 1, d, l));
    refused(lbh_hamming_search(1, codes, 8, codes, 0, 1, d, l));
    refused(lbh_hamming_search(1, codes, 8, codes, (size_t)1 << 28, 1, d, l));
    refused(lbh_hamming_search(1, codes, INT64_MAX, codes, 8, 1, d, l));
    refused(lbh_hamming_search(1, codes, 8, codes, 8, 0, d, l));
    refused(lbh_hamming_search(1, codes, 8, codes, 8, INT64_MAX, d, l));
    refused(lbh_hamming_search(2, codes, 8, codes, 8, INT64_C(1) << 59, d, l)); /* labels are too many */
    refused(lbh_hamming_search(1, codes, 8, codes, 8, 1, NULL, l));
    refused(lbh_hamming_search(1, codes, 8, codes, 8, 1, d, NULL));
    refused(lbh_hamming_range(NULL, 1, codes, 8, codes, 8, 1));
    refused(lbh_hamming_range(&r, 1, codes, 8, NULL, 8, 1));
    cr_assert(d[0] == 77 && l[0] == 77 && !r);
    OK(lbh_hamming_search(0, NULL, 8, codes, 8, 1, NULL, NULL));
    OK(lbh_hamming_search(0, NULL, 0, NULL, INT32_MAX / 8, 1, NULL, NULL)); /* the longest code */
    OK(lbh_hamming_search(1, codes, 0, NULL, 8, 2, d, l));
    cr_assert(d[1] == INT32_MAX && l[1] == -1);
    lbh_range_result_free(NULL);
}

/* Without memory a search fails; it does not lose answers. */
Test(hamming, out_of_memory)
{
    enum { N = 1 << 22 };
    if (NO_LIMITS)
        cr_skip_test("a sanitizer needs address space of its own, an emulator sets no limit");
    uint8_t *codes = calloc(N, 1);
    int32_t *d = malloc(N * sizeof *d);
    int64_t *l = malloc(N * sizeof *l);
    lbh_range_result *r = NULL;
    omp_set_num_threads(1);
    OK(lbh_hamming_search(1, codes, 100, codes, 1, 1, d, l));
    d[0] = l[0] = 77;
    struct rlimit limit = {(rlim_t)1 << 20, (rlim_t)1 << 20};
    cr_assert_eq(setrlimit(RLIMIT_AS, &limit), 0);
    cr_assert_eq(lbh_hamming_search(1, codes, N, codes, 1, N, d, l), LBH_ENOMEM);
    cr_assert(d[0] == 77 && l[0] == 77);
    cr_assert(strstr(lbh_last_error(), "memory"), "%s", lbh_last_error());
    cr_assert_eq(lbh_hamming_range(&r, 1, codes, N, codes, 1, 9), LBH_ENOMEM);
    cr_assert_null(r);
    cr_assert(strstr(lbh_last_error(), "memory"), "%s", lbh_last_error());
    free(codes), free(d), free(l);
}
