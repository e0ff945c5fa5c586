/* test_known_bugs.c: bugs of FAISS that a user would run into, each with what keeps them from it. */
#define _GNU_SOURCE
#include "cases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* A copy of the bytes whose last one is the last that may be read: after it comes a forbidden page.
 */
static uint8_t *at_the_edge(const uint8_t *data, size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), room = (size + page - 1) / page * page;
    uint8_t *p =
        mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq(p, MAP_FAILED);
    cr_assert_eq(mprotect(p + room, page, PROT_NONE), 0);
    memcpy(p + room - size, data, size);
    return p + room - size;
}

/* FAISS before 1.14.2 takes the bits of a hash out of whole 64-bit words, wherever they start, and
 * so reads beyond codes of less than 8 bytes, and beyond any code's end for the later hashes of a
 * multi-hash index. The mappings stay until the test's process ends. */
Test(known_bugs, hashes_near_the_end_of_memory)
{
    static const char *const factories[] = {"BHash9", "BHash3x7", "IDMap2,BHash9",
                                            "BHash3x8,IDMap"};
    static const size_t sizes[] = {3, 5, 7, 8, 9};
    enum { N = 300, NQ = 5, K = 4 };
    for (int s = 0; s < 5; s++)
        for (int f = 0; f < 4; f++) {
            FaissIndexBinary *index = NULL;
            lbh_range_result *r = NULL;
            int32_t d[NQ * K], true_d[NQ * K];
            int64_t l[NQ * K], true_l[NQ * K];
            uint8_t *base = test_near_codes(N, sizes[s], 5, 1);
            uint8_t *query = test_near_codes(NQ, sizes[s], 5, 2);
            uint8_t *base_edge = at_the_edge(base, N * sizes[s]);
            uint8_t *query_edge = at_the_edge(query, NQ * sizes[s]);
            cr_ok(lbh_index_build_codes(&index, sizes[s], factories[f], N, base_edge));
            cr_ok(lbh_index_set(index, strstr(factories[f], "BHash9") ? "nflip=9" : "nflip=7"));
            cr_ok(lbh_index_search_codes(index, sizes[s], NQ, query_edge, K, d, l));
            cr_ok(lbh_index_range_search_codes(&r, index, sizes[s], NQ, query_edge, 5));
            test_naive_search(N, base, NQ, query, sizes[s], K, true_d, true_l);
            cr_assert_arr_eq(d, true_d, sizeof d, "%s, %zu bytes", factories[f], sizes[s]);
            lbh_range_result_free(r);
            lbh_index_free(index);
            free(base);
            free(query);
        }
}

static int mapped_here(const char *path)
{
    char line[4096], real[4096];
    int found = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    cr_assert(maps && realpath(path, real));
    while (fgets(line, sizeof line, maps))
        found |= strstr(line, real) != NULL;
    fclose(maps);
    return found;
}

/* The flag of FAISS's C API that says "memory-map" (1) means "skip the storage" to the library. */
Test(known_bugs, the_flag_that_maps)
{
    enum { N = 3000 };
    char *path = strdup(test_tmp("lists.faiss"));
    uint8_t *codes = test_near_codes(N, 8, 5, 1);
    FaissIndexBinary *index = NULL;
    int32_t d[N];
    int64_t l[N];
    cr_ok(lbh_index_build_codes(&index, 8, "BIVF8", N, codes));
    cr_ok(lbh_index_set(index, "nprobe=8"));
    cr_ok(lbh_index_save(index, path));
    lbh_index_free(index);
    index = NULL;
    cr_ok(lbh_index_load(&index, path));
    cr_assert_not(mapped_here(path));
    lbh_index_free(index);
    index = NULL;
    cr_ok(lbh_index_load_mapped(&index, path));
    cr_assert(mapped_here(path));
    cr_assert_eq(lbh_index_ntotal(index), N);
    cr_ok(lbh_index_search_codes(index, 8, N, codes, 1, d, l));
    for (int i = 0; i < N; i++)
        cr_assert_eq(d[i], 0); /* every code is there */
    lbh_index_free(index);
    cr_assert_not(mapped_here(path));
    free(codes);
    free(path);
}

/* FAISS 1.14.0 to 1.15 find nothing in BIVF when they are told to count (use_heap = false) and
 * max_codes is 0, its default; here they look for a limit that is none. */
Test(known_bugs, counting_scanner)
{
    enum { N = 1000 };
    static const char *const ways[] = {"use_heap=1", "use_heap=0", "use_heap=0,max_codes=0",
                                       "max_codes=0,use_heap=0"};
    uint8_t *codes = test_near_codes(N, 8, 5, 1);
    FaissIndexBinary *index = NULL;
    int32_t d[N];
    int64_t l[N];
    cr_ok(lbh_index_build_codes(&index, 8, "IDMap2,BIVF8", N, codes));
    for (int i = 0; i < 4; i++) {
        cr_ok(lbh_index_set(index, ways[i]));
        cr_ok(lbh_index_search_codes(index, 8, N, codes, 1, d, l));
        for (int j = 0; j < N; j++)
            cr_assert(l[j] >= 0 && d[j] == 0, "%s", ways[i]);
    }
    lbh_index_free(index);
    free(codes);
}
