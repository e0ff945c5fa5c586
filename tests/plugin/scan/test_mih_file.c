/* test_mih_file.c: multi-index hashes in files, sound, damaged and hostile; bad arguments. */
#include "support.h"

#include "lbh_mih.h"
#include "mih_probe.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define OK(call) cr_assert_eq((call), LBH_OK, "%s: %s", #call, lbh_last_error())
#define FAILS(call, code)                                                                          \
    do {                                                                                           \
        int rc_ = (call);                                                                          \
        cr_assert_eq(rc_, code, "%s gave %d: %s", #call, rc_, lbh_last_error());                   \
    } while (0)

enum { SIZE = 8, NQ = 5, K = 6 };

/* n codes, each one flip from one of n / 10 centres, which are in queries for the first NQ. */
static uint8_t *clusters(int64_t n, uint8_t *queries)
{
    uint8_t *centre = test_codes(n / 10 + 1, SIZE, 1), *codes = malloc((size_t)n * SIZE);
    for (int64_t i = 0; i < n; i++) {
        memcpy(codes + i * SIZE, centre + i / 10 * SIZE, SIZE);
        codes[i * SIZE + i % SIZE] ^= 2;
    }
    memcpy(queries, centre, NQ * SIZE);
    free(centre);
    return codes;
}

/* The answers of the tables alone (test_mih.c shows that they are right), in one array. */
static uint64_t *answers(const lbh_mih *mih, const uint8_t *queries)
{
    uint64_t *all = malloc(NQ * K * sizeof *all);
    lbh_probe *p = NULL;
    OK(lbh_probe_new(&p, mih, K));
    for (int q = 0; q < NQ; q++) {
        OK(lbh_probe_query(p, queries + q * SIZE, 8 * SIZE, INFINITY));
        cr_assert_eq(p->found.count, K);
        memcpy(all + q * K, p->found.key, K * sizeof *all);
    }
    lbh_probe_free(p);
    return all;
}

/* A loaded index is the one that was saved, with ids and without. */
static void check_file(const lbh_mih *mih, const uint8_t *queries)
{
    const char *path = test_tmp("codes.mih");
    lbh_mih *loaded = NULL;
    OK(lbh_mih_verify(mih));
    OK(lbh_mih_save(mih, path));
    OK(lbh_mih_load(&loaded, path));
    OK(lbh_mih_verify(loaded));
    int64_t n = lbh_mih_ntotal(mih);
    cr_assert_eq(lbh_mih_ntotal(loaded), n);
    cr_assert_eq(lbh_mih_code_size(loaded), SIZE);
    cr_assert_eq(lbh_mih_substrings(loaded), lbh_mih_substrings(mih));
    cr_assert_eq(lbh_mih_bytes(loaded), lbh_mih_bytes(mih));
    cr_assert_arr_eq(lbh_mih_codes(loaded), lbh_mih_codes(mih), (size_t)n * SIZE);
    cr_assert_eq(lbh_mih_ids(loaded) != NULL, lbh_mih_ids(mih) != NULL);
    uint64_t *was = answers(mih, queries), *is = answers(loaded, queries);
    cr_assert_arr_eq(is, was, NQ * K * sizeof *is);
    free(is);
    OK(lbh_mih_save(loaded, path)); /* over the file that is mapped */
    is = answers(loaded, queries);
    cr_assert_arr_eq(is, was, NQ * K * sizeof *is);
    int64_t id = INT64_MAX;
    OK(lbh_mih_add(loaded, 1, queries, lbh_mih_ids(mih) ? &id : NULL));
    cr_assert_eq(lbh_mih_ntotal(loaded), n + 1);
    free(was);
    free(is);
    lbh_mih_free(loaded);
}

Test(mih_file, round_trip)
{
    enum { N = 2000 };
    uint8_t queries[NQ * SIZE], *base = clusters(N, queries);
    int64_t ids[N];
    for (int i = 0; i < N; i++)
        ids[i] = 3 * (N - i);
    for (int m = 2; m <= 8; m += 3) {
        lbh_mih *mih = NULL;
        OK(lbh_mih_build(&mih, SIZE, N, base, m == 5 ? ids : NULL, m));
        check_file(mih, queries);
        lbh_mih_free(mih);
    }
    free(base);
}

/* Every answer that a damaged index may give: an error, or in-bounds nonsense. */
static void use_damaged(const char *path, const uint8_t *queries, int64_t n)
{
    int32_t *distances = malloc((size_t)n * NQ * sizeof *distances);
    int64_t *labels = malloc((size_t)n * NQ * sizeof *labels);
    lbh_range_result *found = NULL;
    lbh_mih *mih = NULL;
    lbh_probe *p = NULL;
    OK(lbh_mih_load(&mih, path));
    FAILS(lbh_mih_verify(mih), LBH_EFORMAT);
    OK(lbh_probe_new(&p, mih, K));
    for (int q = 0; q < NQ; q++) {
        int rc = lbh_probe_query(p, queries + q * SIZE, 8 * SIZE, 1e5);
        cr_assert(rc == LBH_OK || rc == LBH_EFORMAT || rc == LBH_PROBE_TOO_DEAR, "%d", rc);
        for (int64_t i = 0; rc == LBH_OK && i < p->found.count; i++)
            cr_assert_lt((int64_t)(uint32_t)p->found.key[i], lbh_mih_ntotal(mih));
    }
    lbh_probe_free(p);
    /* So many answers are scanned for. */
    int rc = lbh_mih_search(mih, NQ, queries, n, distances, labels, NULL);
    cr_assert(rc == LBH_OK || rc == LBH_EFORMAT, "%d", rc);
    for (int64_t i = 0; rc == LBH_OK && i < n * NQ; i++)
        cr_assert_lt(labels[i], n);
    rc = lbh_mih_range(&found, mih, NQ, queries, 8 * SIZE, NULL);
    cr_assert(rc == LBH_OK || rc == LBH_EFORMAT, "%d", rc);
    (void)lbh_mih_codes(mih);
    lbh_range_result_free(found);
    lbh_mih_free(mih);
    free(distances);
    free(labels);
}

static void damage(int substrings)
{
    enum { N = 300, HEADER = 64 };
    uint8_t queries[NQ * SIZE], *base = clusters(N, queries);
    const char *path = test_tmp("damaged.mih");
    lbh_mih *mih = NULL, *none = NULL;
    OK(lbh_mih_build(&mih, SIZE, N, base, NULL, substrings));
    OK(lbh_mih_save(mih, path));
    size_t size;
    unsigned char *bytes = test_slurp(path, &size);
    for (size_t i = 0; i < HEADER; i++) {
        bytes[i] ^= 0x10;
        test_spit(path, bytes, size);
        FAILS(lbh_mih_load(&none, path), LBH_EFORMAT);
        bytes[i] ^= 0x10;
    }
    static const size_t cuts[] = {0, 1, 63, 64, 65, 1000};
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        test_spit(path, bytes, cuts[i]);
        FAILS(lbh_mih_load(&none, path), LBH_EFORMAT);
    }
    for (int i = 0; i < 300; i++) { /* anywhere, and again and again in the same file */
        size_t at = HEADER + (size_t)((double)(size - HEADER) * test_uniform(3, (uint64_t)i));
        bytes[at] = (unsigned char)(bytes[at] + 1 + 254 * test_uniform(4, (uint64_t)i));
        test_spit(path, bytes, size);
        use_damaged(path, queries, N);
    }
    cr_assert_null(none);
    free(bytes);
    lbh_mih_free(mih);
    free(base);
}

Test(mih_file, damaged_files)
{
    damage(2);
}

Test(mih_file, damaged_files_with_places)
{
    damage(16);
}

/* What an index holds may lead nowhere: places, rows, directories, codes that a table has and the first does not. */
Test(mih_file, impossible_contents)
{
    enum { N = 300 };
    uint8_t queries[NQ * SIZE], *base = clusters(N, queries);
    for (int what = 0; what < 4; what++) {
        lbh_mih *mih = NULL;
        lbh_probe *p = NULL;
        OK(lbh_mih_build(&mih, SIZE, N, base, NULL, what == 0 ? 16 : 4));
        const lbh_mih_table *table = &mih->table[1];
        size_t size = (size_t)(mih->distinct * (mih->word_bits + mih->place_bits)) / 8;
        if (what == 2)
            memset(mih->rows, 0xff, (size_t)(N * mih->row_bits) / 8);
        else if (what == 3)
            memset(table->dir, 0xff, (size_t)mih->dir_bits);
        else
            memset(table->entries, 0xff, size);
        OK(lbh_probe_new(&p, mih, N));
        FAILS(lbh_probe_query(p, queries, 8 * SIZE, INFINITY), LBH_EFORMAT);
        cr_assert_not_null(strstr(lbh_last_error(), "damaged"), "%s", lbh_last_error());
        lbh_probe_free(p);
        lbh_mih_free(mih);
    }
    free(base);
}

/* Codes and ids as version 1 had them, behind a header of that version, and `tail` bytes. */
static unsigned char *version_1(int64_t n, const uint8_t *codes, const int64_t *ids, int substrings,
                                size_t tail, size_t *size)
{
    size_t place = (64 + (size_t)n * SIZE + 63) / 64 * 64;
    *size = place + (ids ? (size_t)n * sizeof *ids : 0) + tail;
    unsigned char *bytes = calloc(1, *size);
    lbh_mih_header h = {.magic = "LBHT",
                        .version = 1,
                        .file_size = *size,
                        .n = (uint64_t)n,
                        .code_size = SIZE,
                        .substrings = (uint32_t)substrings,
                        .has_ids = ids != NULL};
    memcpy(bytes + 64, codes, (size_t)n * SIZE);
    if (ids)
        memcpy(bytes + place, ids, (size_t)n * sizeof *ids);
    OK(lbh_mih_body_sum(bytes, *size, &h.body_sum));
    h.header_sum = lbh_mih_header_sum(&h);
    memcpy(bytes, &h, sizeof h);
    return bytes;
}

Test(mih_file, version_1)
{
    enum { N = 500 };
    uint8_t queries[NQ * SIZE], *base = clusters(N, queries);
    int64_t ids[N];
    const char *path = test_tmp("old.mih");
    lbh_mih *mih = NULL, *old = NULL, *none = NULL;
    for (int i = 0; i < N; i++)
        ids[i] = 5 * i;
    for (int with_ids = 0; with_ids < 2; with_ids++) {
        size_t size;
        unsigned char *bytes = version_1(N, base, with_ids ? ids : NULL, 5, 1000, &size);
        test_spit(path, bytes, size);
        OK(lbh_mih_load(&old, path));
        OK(lbh_mih_verify(old));
        OK(lbh_mih_build(&mih, SIZE, N, base, with_ids ? ids : NULL, 5));
        cr_assert_eq(lbh_mih_substrings(old), 5);
        cr_assert_eq(lbh_mih_bytes(old), lbh_mih_bytes(mih));
        cr_assert_eq(memcmp(old->image, mih->image, mih->size), 0);
        lbh_mih_free(mih);
        lbh_mih_free(old);
        bytes[size - 1] ^= 1;
        test_spit(path, bytes, size);
        FAILS(lbh_mih_load(&none, path), LBH_EFORMAT);
        free(bytes);
        bytes = version_1(N, base, with_ids ? ids : NULL, 1, 1000, &size);
        test_spit(path, bytes, size);
        FAILS(lbh_mih_load(&none, path), LBH_EFORMAT);
        free(bytes);
    }
    ids[3] = -1;
    size_t size;
    unsigned char *bytes = version_1(N, base, ids, 5, 0, &size);
    test_spit(path, bytes, size);
    FAILS(lbh_mih_load(&none, path), LBH_EFORMAT);
    cr_assert_null(none);
    free(bytes);
    free(base);
}

/* A header that agrees with itself and with nothing else. */
Test(mih_file, hostile_headers)
{
    static const lbh_mih_header shapes[] = {
        {.n = UINT32_MAX, .code_size = 8, .substrings = 3},
        {.n = 5, .code_size = 0, .substrings = 1},
        {.n = 5, .code_size = 1 << 30, .substrings = 1},
        {.n = 5, .code_size = 8, .substrings = 0},
        {.n = 5, .code_size = 8, .substrings = 1},
        {.n = 5, .code_size = 8, .substrings = UINT32_MAX},
        {.n = UINT32_MAX - 1, .code_size = 1024, .substrings = 8192},
        {.n = UINT32_MAX - 1, .code_size = 1024, .substrings = 8192, .distinct = 1},
        {.n = 5, .code_size = 8, .substrings = 2, .has_ids = 9},
        {.n = 50, .code_size = 8, .substrings = 2, .has_ids = 1},
        {.n = 5, .code_size = 8, .substrings = 2, .distinct = 6},
        {.n = 0, .code_size = 8, .substrings = 2, .distinct = 1},
        {.n = 5, .code_size = 8, .substrings = 65, .distinct = 1},
        {.n = 5, .code_size = 8, .substrings = 2, .distinct = 2}};
    const char *path = test_tmp("hostile.mih");
    lbh_mih *none = NULL;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        unsigned char bytes[640] = {0};
        lbh_mih_header h = shapes[i];
        memcpy(h.magic, "LBHT", 4);
        h.version = LBH_MIH_VERSION;
        h.file_size = sizeof bytes;
        h.header_sum = lbh_mih_header_sum(&h);
        memcpy(bytes, &h, sizeof h);
        test_spit(path, bytes, sizeof bytes);
        FAILS(lbh_mih_load(&none, path), LBH_EFORMAT);
        cr_assert(strstr(lbh_last_error(), "checksum") == NULL, "%s", lbh_last_error());
        h.version = 1;
        OK(lbh_mih_body_sum(bytes, sizeof bytes, &h.body_sum));
        h.header_sum = lbh_mih_header_sum(&h);
        memcpy(bytes, &h, sizeof h);
        test_spit(path, bytes, sizeof bytes);
        if (i + 1 < sizeof shapes / sizeof *shapes) {
            FAILS(lbh_mih_load(&none, path), LBH_EFORMAT);
            cr_assert(strstr(lbh_last_error(), "checksum") == NULL, "%s", lbh_last_error());
        }
    }
    FAILS(lbh_mih_load(&none, "/nowhere/at/all"), LBH_EIO);
    FAILS(lbh_mih_load(&none, "/dev/null"), LBH_EIO);
    cr_assert_null(none);
}

/* ---- Arguments ----------------------------------------------------------------------------- */

Test(mih_file, bad_arguments)
{
    uint8_t codes[16] = {0};
    int64_t ids[2] = {1, -1}, label;
    int32_t distance;
    lbh_mih *mih = NULL;
    lbh_range_result *r = NULL;
    FAILS(lbh_mih_build(NULL, 8, 2, codes, NULL, 0), LBH_EINVAL);
    FAILS(lbh_mih_build(&mih, 0, 2, codes, NULL, 0), LBH_EINVAL);
    FAILS(lbh_mih_build(&mih, 1025, 2, codes, NULL, 0), LBH_EINVAL);
    FAILS(lbh_mih_build(&mih, 8, -1, codes, NULL, 0), LBH_EINVAL);
    FAILS(lbh_mih_build(&mih, 8, 2, NULL, NULL, 0), LBH_EINVAL);
    FAILS(lbh_mih_build(&mih, 8, INT64_C(1) << 32, codes, NULL, 0), LBH_EINVAL);
    FAILS(lbh_mih_build(&mih, 8, 2, codes, ids, 0), LBH_EINVAL);
    FAILS(lbh_mih_build(&mih, 8, 2, codes, NULL, 1), LBH_EINVAL);
    FAILS(lbh_mih_build(&mih, 8, 2, codes, NULL, 65), LBH_EINVAL);
    FAILS(lbh_mih_build(&mih, 8, 2, codes, NULL, -1), LBH_EINVAL);
    cr_assert_null(mih);
    OK(lbh_mih_build(&mih, 8, 2, codes, NULL, 0));
    FAILS(lbh_mih_add(NULL, 1, codes, NULL), LBH_EINVAL);
    FAILS(lbh_mih_add(mih, -1, codes, NULL), LBH_EINVAL);
    FAILS(lbh_mih_add(mih, INT64_MAX, codes, NULL), LBH_EINVAL);
    FAILS(lbh_mih_search(NULL, 1, codes, 1, &distance, &label, NULL), LBH_EINVAL);
    FAILS(lbh_mih_search(mih, -1, codes, 1, &distance, &label, NULL), LBH_EINVAL);
    FAILS(lbh_mih_search(mih, 1, NULL, 1, &distance, &label, NULL), LBH_EINVAL);
    FAILS(lbh_mih_search(mih, 1, codes, 0, &distance, &label, NULL), LBH_EINVAL);
    FAILS(lbh_mih_search(mih, 1, codes, 1, NULL, &label, NULL), LBH_EINVAL);
    FAILS(lbh_mih_range(NULL, mih, 1, codes, 1, NULL), LBH_EINVAL);
    FAILS(lbh_mih_range(&r, mih, 1, NULL, 1, NULL), LBH_EINVAL);
    FAILS(lbh_mih_save(mih, NULL), LBH_EINVAL);
    FAILS(lbh_mih_save(NULL, "x"), LBH_EINVAL);
    FAILS(lbh_mih_save(mih, "/nowhere/at/all"), LBH_EIO);
    FAILS(lbh_mih_load(NULL, "x"), LBH_EINVAL);
    FAILS(lbh_mih_verify(NULL), LBH_EINVAL);
    lbh_mih_free(mih);
    lbh_mih_free(NULL);
}
