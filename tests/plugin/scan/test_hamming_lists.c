/* test_hamming_lists.c: the Hamming search over lists of codes with ids of any order. */
#include "test_hamming.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

enum { NLISTS = 12 };

typedef struct world {
    size_t code_size;
    lbh_code_list list[NLISTS];
} world;

/* Lists of 0, 1, 2, 31, ... codes; ids are large, negative, unordered. Every fifth list has no
 * ids. */
static world make_world(size_t code_size, int ties)
{
    static const int64_t count[NLISTS] = {0, 1, 2, 31, 33, 63, 64, 65, 130, 300, 700, 1500};
    world w = {.code_size = code_size};
    for (int i = 0; i < NLISTS; i++) {
        int64_t *ids = malloc((count[i] + 1) * sizeof *ids);
        for (int64_t j = 0; j < count[i]; j++)
            ids[j] = (int64_t)((test_uniform(i, j) - 0.5) * 9e18);
        uint8_t *codes = ties == 2   ? equal_codes(count[i], code_size)
                         : ties == 1 ? clustered_codes(count[i], code_size, i)
                                     : test_codes(count[i], code_size, i);
        w.list[i] = (lbh_code_list){count[i], codes, i % 5 == 4 ? NULL : ids};
        if (i % 5 == 4)
            free(ids);
    }
    return w;
}

static void free_world(world *w)
{
    for (int i = 0; i < NLISTS; i++) {
        free((void *)w->list[i].codes);
        free((void *)w->list[i].ids);
    }
}

/* List numbers -1 .. NLISTS-1, with repeats. */
static int64_t *random_which(int64_t nq, int64_t nprobe)
{
    int64_t *which = malloc((nq * nprobe + 1) * sizeof *which);
    for (int64_t i = 0; i < nq * nprobe; i++)
        which[i] = (int64_t)(test_uniform(99, i) * (NLISTS + 1)) - 1;
    return which;
}

static void check_world(size_t code_size, int ties, int64_t nq, int64_t nprobe)
{
    static const int64_t ks[] = {1, 3, 40, 5000};
    world w = make_world(code_size, ties);
    uint8_t *queries = ties ? clustered_codes(nq, code_size, 4) : test_codes(nq, code_size, 4);
    int64_t *which = random_which(nq, nprobe);
    for (int i = 0; i < 4; i++)
        check_search(nq, queries, code_size, nprobe, which, NLISTS, w.list, ks[i]);
    check_range(nq, queries, code_size, nprobe, which, NLISTS, w.list, 2);
    check_range(nq, queries, code_size, nprobe, which, NLISTS, w.list, 3 * (int)code_size);
    free_world(&w);
    free(queries), free(which);
}

KERNEL_TEST(lists)
{
    static const size_t sizes[] = {4, 8, 13, 16, 32, 64, 128};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++)
        for (int ties = 0; ties < 3; ties++) {
            check_world(sizes[s], ties, 1, 5);
            check_world(sizes[s], ties, 6, 3);
        }
}

KERNEL_TEST(lists_threads)
{
    for (int threads = 1; threads <= 5; threads += threads == 1 ? 1 : 3) {
        omp_set_num_threads(threads);
        check_world(8, 1, 40, 4);
        check_world(8, 2, 1, 12);
    }
}

/* One query, lists so long that threads share them; all ties, so that ids decide. */
KERNEL_TEST(lists_slices)
{
    enum { N = 100000 };
    for (int threads = 1; threads <= 5; threads += threads == 1 ? 1 : 3) {
        int64_t *ids = malloc(N * sizeof *ids), which[] = {1, 0};
        uint8_t *codes = clustered_codes(N, 16, 8), *query = equal_codes(1, 16);
        for (int64_t i = 0; i < N; i++)
            ids[i] = (i * 48271 + 11) % 1000003 - 500000;
        lbh_code_list list[] = {{N / 3, codes, ids}, {N - N / 3, codes + N / 3 * 16, ids + N / 3}};
        omp_set_num_threads(threads);
        check_search(1, query, 16, 2, which, 2, list, 10);
        check_search(1, query, 16, 2, which, 2, list, 1000);
        check_range(1, query, 16, 2, which, 2, list, 2);
        free(ids), free(codes), free(query);
    }
}

/* The codes that a look beforehand sees are near the query, all others far: its guess is wrong for
 * the first query, and right for the second, which is far from them. */
KERNEL_TEST(lists_whose_sample_misleads)
{
    enum { N = 9000, LONG = 6000, SIZE = 8 };
    static const int64_t ks[] = {10, 50, 200, 300, 700};
    uint8_t *codes = test_codes(N, SIZE, 3), queries[2 * SIZE] = {0};
    int64_t ids[N], which[] = {0, 1, 1, 0};
    memset(queries + SIZE, 255, SIZE);
    for (int64_t i = 0; i < N; i++) {
        ids[i] = (i * 7919) % 10007 - 5000;
        if (i % 2048 < 64)
            memset(codes + i * SIZE, 0, SIZE);
    }
    lbh_code_list list[] = {{LONG, codes, ids}, {N - LONG, codes + LONG * SIZE, ids + LONG}};
    for (int threads = 1; threads <= 3; threads += 2)
        for (size_t i = 0; i < sizeof ks / sizeof *ks; i++) {
            omp_set_num_threads(threads);
            check_search(2, queries, SIZE, 2, which, 2, list, ks[i]);
            check_search(1, queries, SIZE, 2, which, 2, list, ks[i]);
        }
    free(codes);
}

Test(hamming, lists_edges)
{
    world w = make_world(8, 0);
    uint8_t *queries = test_codes(2, 8, 1);
    int64_t none[] = {-1, -1, -1, -1}, empty[] = {0, 0, -1, 0}, bad[] = {0, 1, 2, NLISTS};
    int32_t d[8] = {77};
    int64_t l[8] = {77};
    lbh_range_result *r = NULL;
    check_search(2, queries, 8, 2, none, NLISTS, w.list, 3);
    check_search(2, queries, 8, 2, empty, NLISTS, w.list, 3);
    check_range(2, queries, 8, 2, empty, NLISTS, w.list, 65);
    check_search(2, queries, 8, 0, none, NLISTS, w.list, 3);
    check_search(1, queries, 8, 1, empty, 1, w.list + 1, 3); /* the only list is the first */
    cr_assert_eq(lbh_hamming_search_lists(2, queries, 8, 2, bad, NLISTS, w.list, 3, d, l),
                 LBH_EINVAL);
    cr_assert(strstr(lbh_last_error(), "list 12, but there are lists 0 .. 11"), "%s", lbh_last_error());
    bad[3] = -2;
    cr_assert_eq(lbh_hamming_range_lists(&r, 2, queries, 8, 2, bad, NLISTS, w.list, 3), LBH_EINVAL);
    cr_assert_eq(lbh_hamming_search_lists(2, queries, 8, 2, NULL, NLISTS, w.list, 3, d, l),
                 LBH_EINVAL);
    cr_assert_eq(lbh_hamming_search_lists(2, queries, 8, 2, none, NLISTS, NULL, 3, d, l),
                 LBH_EINVAL);
    cr_assert_eq(lbh_hamming_search_lists(2, queries, 8, -1, none, NLISTS, w.list, 3, d, l),
                 LBH_EINVAL);
    cr_assert(d[0] == 77 && l[0] == 77 && !r);
    free_world(&w);
    free(queries);
}
