/* test_index_writer.c: an index put together in its file, in portions, against the one that FAISS fills and
 * writes: the same bytes. */
#define _POSIX_C_SOURCE 200809L
#include "cases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { N = 6000, SIZE = 8, K = 7, NQ = 20, MAX_LISTS = 64 };

static const char *const factories[] = {"BIVF16", "BIVF1", "BIVF64_HNSW8"};
enum { FACTORIES = sizeof factories / sizeof *factories };

static FaissIndexBinary *trained(const char *factory, size_t size, const uint8_t *codes)
{
    FaissIndexBinary *index = NULL;
    cr_ok(lbh_index_new(&index, size, factory));
    cr_ok(lbh_index_train_codes(index, size, N, codes));
    cr_ok(lbh_index_set(index, "nprobe=1"));
    return index;
}

static void sizes_of(int64_t n, const int64_t *lists, int64_t *sizes)
{
    memset(sizes, 0, MAX_LISTS * sizeof *sizes);
    for (int64_t i = 0; i < n; i++)
        sizes[lists[i]]++;
}

/* In portions of odd sizes; who is killed behind a put that was not kept opens again and puts it again. */
static void put_all(const FaissIndexBinary *index, size_t size, const uint8_t *codes,
                    const int64_t *lists, const int64_t *sizes, const char *path)
{
    static const int64_t ends[] = {1, 2500, 2500, 5999, N};
    int64_t filled[MAX_LISTS] = {0}, again[MAX_LISTS];
    int64_t first = 0;
    for (size_t p = 0; p < sizeof ends / sizeof *ends; first = ends[p++]) {
        lbh_index_writer *file = NULL;
        memcpy(again, filled, sizeof again);
        for (int turn = 0; turn < 2; turn++) {
            cr_ok(lbh_index_writer_open(&file, index, sizes, path));
            memcpy(filled, again, sizeof filled);
            cr_ok(lbh_index_writer_put(file, ends[p] - first, codes + (size_t)first * size, first,
                                    lists + first, filled));
            cr_ok(lbh_index_writer_sync(file));
            lbh_index_writer_free(file);
        }
    }
    cr_assert_arr_eq(filled, sizes, sizeof filled);
}

static void same_file(const char *a, const char *b)
{
    size_t size_a, size_b;
    unsigned char *x = test_slurp(a, &size_a), *y = test_slurp(b, &size_b);
    cr_assert_eq(size_a, size_b, "%zu bytes, and FAISS writes %zu", size_a, size_b);
    for (size_t i = 0; i < size_a; i++)
        cr_assert_eq(x[i], y[i], "byte %zu of %zu", i, size_a);
    free(x);
    free(y);
}

Test(index_writer, bytes_of_faiss)
{
    for (int f = 0; f < FACTORIES; f++)
        for (size_t size = 3; size <= SIZE; size += SIZE - 3) {
            uint8_t *codes = test_near_codes(N, size, 100, 5);
            int64_t *lists = malloc(N * sizeof *lists), sizes[MAX_LISTS];
            FaissIndexBinary *index = trained(factories[f], size, codes);
            char faiss[512], ours[512];
            snprintf(faiss, sizeof faiss, "%s", test_tmp("faiss.faiss"));
            snprintf(ours, sizeof ours, "%s", test_tmp("ours.faiss"));
            remove(ours);
            cr_ok(lbh_index_assign_codes(index, size, N, codes, lists));
            sizes_of(N, lists, sizes);
            put_all(index, size, codes, lists, sizes, ours);
            cr_ok(lbh_index_add_codes(index, size, N, codes, NULL));
            cr_ok(lbh_index_save(index, faiss));
            same_file(ours, faiss);
            lbh_index_free(index);
            free(lists);
            free(codes);
        }
}

/* The lists of an accelerated index are those of FAISS; ties of centroids too, of which there are many
 * among codes of 8 bits. */
Test(index_writer, assigns_as_faiss)
{
    uint8_t *codes = test_codes(N, 1, 3);
    int64_t a[N], b[N];
    FaissIndexBinary *index = trained("BIVF16", 1, codes);
    cr_ok(lbh_index_assign_codes(index, 1, N, codes, a));
    cr_ok(lbh_index_accelerate(&index));
    cr_ok(lbh_index_assign_codes(index, 1, N, codes, b));
    cr_assert_arr_eq(a, b, sizeof a);
    lbh_index_free(index);
    free(codes);
}

/* Few of many lists have codes, where FAISS writes another form: what is read answers the same. */
Test(index_writer, empty_lists)
{
    uint8_t *codes = test_near_codes(N, SIZE, 100, 5), *few = test_near_codes(40, SIZE, 2, 5);
    int64_t lists[40], sizes[MAX_LISTS], ids_a[NQ * K], ids_b[NQ * K], filled[MAX_LISTS] = {0};
    int32_t da[NQ * K], db[NQ * K];
    FaissIndexBinary *index = trained("BIVF64", SIZE, codes), *mapped = NULL;
    lbh_index_writer *file = NULL;
    char path[512];
    snprintf(path, sizeof path, "%s", test_tmp("few.faiss"));
    cr_ok(lbh_index_assign_codes(index, SIZE, 40, few, lists));
    sizes_of(40, lists, sizes);
    cr_ok(lbh_index_writer_open(&file, index, sizes, path));
    cr_ok(lbh_index_writer_put(file, 40, few, 0, lists, filled));
    lbh_index_writer_free(file);
    cr_ok(lbh_index_add_codes(index, SIZE, 40, few, NULL));
    cr_ok(lbh_index_load_mapped(&mapped, path));
    cr_ok(lbh_index_set(index, "nprobe=5"));
    cr_ok(lbh_index_set(mapped, "nprobe=5"));
    cr_ok(lbh_index_search_codes(index, SIZE, NQ, codes, K, da, ids_a));
    cr_ok(lbh_index_search_codes(mapped, SIZE, NQ, codes, K, db, ids_b));
    cr_assert_arr_eq(da, db, sizeof da);
    cr_assert_arr_eq(ids_a, ids_b, sizeof ids_a);
    lbh_index_free(index);
    lbh_index_free(mapped);
    free(few);
    free(codes);
}

Test(index_writer, refuses)
{
    uint8_t *codes = test_near_codes(N, SIZE, 100, 5);
    int64_t lists[10] = {0, 1, 2, 0, 0, 0, 0, 0, 0, 0}, sizes[16] = {4, 4, 4}, filled[16] = {0};
    int64_t zero[16] = {0};
    FaissIndexBinary *index = trained("BIVF16", SIZE, codes), *flat = NULL, *untrained = NULL;
    lbh_index_writer *file = NULL;
    char path[512];
    snprintf(path, sizeof path, "%s", test_tmp("bad.faiss"));
    cr_ok(lbh_index_new(&flat, SIZE, "BFlat"));
    cr_ok(lbh_index_new(&untrained, SIZE, "BIVF16"));
    cr_fails(lbh_index_assign_codes(flat, SIZE, 1, codes, lists), LBH_EINVAL, "has no lists");
    cr_fails(lbh_index_assign_codes(untrained, SIZE, 1, codes, lists), LBH_ESTATE, "not trained");
    cr_fails(lbh_index_writer_open(&file, flat, sizes, path), LBH_EINVAL, "BIVF");
    cr_fails(lbh_index_writer_open(&file, untrained, sizes, path), LBH_ESTATE, "trained");
    cr_fails(lbh_index_writer_open(&file, index, sizes, "/nowhere/x"), LBH_EIO, "/nowhere/x");
    cr_fails(lbh_index_writer_open(NULL, index, sizes, path), LBH_EINVAL, "file name");
    cr_fails(lbh_index_writer_open(&file, NULL, sizes, path), LBH_EINVAL, "file name");
    cr_fails(lbh_index_writer_open(&file, index, sizes, NULL), LBH_EINVAL, "file name");
    cr_fails(lbh_index_writer_open(&file, index, sizes, ""), LBH_EINVAL, "file name");
    sizes[3] = -1;
    cr_fails(lbh_index_writer_open(&file, index, sizes, path), LBH_EINVAL, "list 3");
    sizes[3] = 0;
    cr_ok(lbh_index_writer_open(&file, index, sizes, path));
    cr_fails(lbh_index_writer_put(file, 10, codes, 0, lists, filled), LBH_EINVAL, "list 0 is to hold 4");
    lists[1] = 16;
    cr_fails(lbh_index_writer_put(file, 2, codes, 0, lists, filled), LBH_EINVAL, "list 16 of 16");
    lists[1] = -1;
    cr_fails(lbh_index_writer_put(file, 2, codes, 0, lists, filled), LBH_EINVAL, "list -1");
    cr_fails(lbh_index_writer_put(file, 1, codes, INT64_MAX, lists, filled), LBH_EINVAL, "ids");
    cr_assert_arr_eq(filled, zero, sizeof filled, "nothing is counted of what was refused");
    lbh_index_writer_free(file);
    lbh_index_writer_free(NULL);
    cr_ok(lbh_index_add_codes(index, SIZE, 1, codes, NULL));
    cr_fails(lbh_index_writer_open(&file, index, sizes, path), LBH_ESTATE, "without codes");
    lbh_index_free(index);
    lbh_index_free(flat);
    lbh_index_free(untrained);
    free(codes);
}

/* Places beyond 4 GB: a sparse file of 5 * 10^8 codes, of which the last list has one. */
Test(index_writer, beyond_32_bits)
{
    uint8_t *codes = test_near_codes(N, SIZE, 100, 5), back[SIZE];
    int64_t sizes[16] = {500000000, 0}, filled[16] = {0}, list = 15, id = 0;
    FaissIndexBinary *index = trained("BIVF16", SIZE, codes);
    lbh_index_writer *file = NULL;
    struct stat st;
    char path[512];
    snprintf(path, sizeof path, "%s", test_tmp("large.faiss"));
    sizes[15] = 1;
    cr_ok(lbh_index_writer_open(&file, index, sizes, path));
    cr_ok(lbh_index_writer_put(file, 1, codes, INT64_C(5000000000), &list, filled));
    cr_assert_eq(stat(path, &st), 0);
    cr_assert_gt(st.st_size, INT64_C(8000000000));
    FILE *stream = fopen(path, "rb");
    cr_assert_eq(fseeko(stream, st.st_size - SIZE - 8, SEEK_SET), 0);
    cr_assert_eq(fread(back, 1, SIZE, stream), SIZE);
    cr_assert_eq(fread(&id, 8, 1, stream), 1);
    fclose(stream);
    cr_assert_arr_eq(back, codes, SIZE);
    cr_assert_eq(id, INT64_C(5000000000));
    remove(path);
    lbh_index_writer_free(file);
    lbh_index_free(index);
    free(codes);
}
