/* test_index_file.c: saved indexes: what is read back, by us and by stock Python FAISS; what happens to damaged
 * files and on a full disk. */
#define _GNU_SOURCE
#include "cases.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { N = 600, NQ = 20, K = 10 };

static FaissIndexBinary *build(const test_case *t, size_t code_size)
{
    uint8_t *base = test_near_codes(N, code_size, 8, 1);
    FaissIndexBinary *index = NULL;
    cr_ok(lbh_index_build_codes(&index, code_size, t->factory, N, base));
    cr_ok(lbh_index_set(index, t->thorough ? t->thorough : "efSearch=30"));
    free(base);
    return index;
}

static uint8_t *queries(size_t code_size)
{
    return test_near_codes(NQ, code_size, 8, 2);
}

Test(c_api_file, round_trip)
{
    static const size_t sizes[] = {3, 8, 20};
    for (int s = 0; s < 3; s++)
        for (const test_case *t = test_cases; t->factory; t++) {
            const char *path = test_tmp("index.faiss"), *again = test_tmp("again.faiss");
            FaissIndexBinary *index = build(t, sizes[s]), *read = NULL;
            uint8_t *query = queries(sizes[s]);
            int32_t d[2][NQ * K];
            int64_t l[2][NQ * K];
            cr_ok(lbh_index_save(index, path));
            cr_ok(lbh_index_load(&read, path));
            cr_assert_str_eq(lbh_index_kind(read), t->kind);
            cr_assert_eq(lbh_index_ntotal(read), N);
            cr_ok(lbh_index_search_codes(index, sizes[s], NQ, query, K, d[0], l[0]));
            cr_ok(lbh_index_search_codes(read, sizes[s], NQ, query, K, d[1], l[1]));
            cr_assert_arr_eq(d[0], d[1], sizeof *d, "%s", t->factory); /* parameters are kept, too */
            /* A hash index comes back with its buckets in another order: ties at place K may. */
            if (!strstr(t->factory, "BHash"))
                cr_assert_arr_eq(l[0], l[1], sizeof *l, "%s", t->factory);
            cr_ok(lbh_index_add_codes(read, sizes[s], NQ, query, NULL));
            cr_assert_eq(lbh_index_ntotal(read), N + NQ);
            cr_ok(lbh_index_save(read, again));
            lbh_index_free(read);
            read = NULL;
            cr_ok(lbh_index_load(&read, again));
            cr_assert_eq(lbh_index_ntotal(read), N + NQ);
            lbh_index_free(read);
            lbh_index_free(index);
            free(query);
        }
}

Test(c_api_file, empty_indexes)
{
    for (const test_case *t = test_cases; t->factory; t++) {
        FaissIndexBinary *index = NULL, *read = NULL;
        uint8_t *codes = test_codes(3, 8, 1);
        int32_t d;
        int64_t l;
        cr_ok(lbh_index_new(&index, 8, t->factory));
        cr_ok(lbh_index_save(index, test_tmp("empty.faiss")));
        cr_ok(lbh_index_load(&read, test_tmp("empty.faiss")));
        cr_assert_eq(lbh_index_ntotal(read), 0);
        if (!strstr(t->factory, "BIVF")) {
            cr_ok(lbh_index_add_codes(read, 8, 3, codes, NULL));
            cr_ok(lbh_index_search_codes(read, 8, 1, codes + 8, 1, &d, &l));
            cr_assert(d == 0 && l == 1, "%s", t->factory);
        }
        lbh_index_free(read);
        lbh_index_free(index);
        free(codes);
    }
}

/* FAISS would write a file that it reads back without its codes. */
Test(c_api_file, multihash_in_one_bucket)
{
    uint8_t codes[3 * 8] = {0};
    FaissIndexBinary *index = NULL, *read = NULL;
    cr_ok(lbh_index_build_codes(&index, 8, "BHash3x7", 1, codes));
    cr_fails(lbh_index_save(index, test_tmp("one.faiss")), LBH_EFAISS, "bucket");
    cr_ok(lbh_index_add_codes(index, 8, 2, codes, NULL));
    cr_ok(lbh_index_save(index, test_tmp("one.faiss")));
    cr_ok(lbh_index_load(&read, test_tmp("one.faiss")));
    cr_assert_eq(lbh_index_ntotal(read), 3);
    lbh_index_free(read);
    lbh_index_free(index);
}

/* Distances and ids of stock Python FAISS against ours. Ties are in FAISS's order there, and a tie
 * at place K is FAISS's choice. */
static void compare(const int32_t *d, const int64_t *l, const int32_t *pd, const int64_t *pl,
                    const char *what)
{
    for (int q = 0; q < NQ; q++) {
        const int64_t *ours = l + q * K, *theirs = pl + q * K;
        for (int j = 0; j < K; j++)
            cr_assert_eq(d[q * K + j], pd[q * K + j], "%s: distance in Python", what);
        for (int j = 0; j < K && d[q * K + j] < d[q * K + K - 1]; j++) {
            int there = 0;
            for (int i = 0; i < K; i++)
                there |= theirs[i] == ours[j] && pd[q * K + i] == d[q * K + j];
            cr_assert(there, "%s: id in Python", what);
        }
    }
}

Test(c_api_file, stock_python_faiss)
{
    enum { CODE_SIZE = 8 };
    int32_t d[NQ * K];
    int64_t l[NQ * K];
    uint8_t *query = queries(CODE_SIZE);
    char *index_path = strdup(test_tmp("shared.faiss")), *query_path = strdup(test_tmp("query.raw"));
    char *answer_path = strdup(test_tmp("answers.raw")), command[2048];
    test_spit(query_path, query, NQ * CODE_SIZE);
    snprintf(command, sizeof command, "/usr/bin/python3 '%s' '%s' '%s' %d %d '%s' >/dev/null",
             READ_IN_PYTHON, index_path, query_path, CODE_SIZE, K, answer_path);
    for (const test_case *t = test_cases; t->factory; t++) {
        FaissIndexBinary *index = build(t, CODE_SIZE);
        cr_ok(lbh_index_save(index, index_path));
        cr_ok(lbh_index_search_codes(index, CODE_SIZE, NQ, query, K, d, l));
        int status = system(command);
        if (WIFEXITED(status) && (WEXITSTATUS(status) == 77 || WEXITSTATUS(status) == 127))
            cr_skip_test("no Python FAISS here (python3-faiss)");
        cr_assert_eq(status, 0, "%s: Python FAISS cannot read it", t->factory);
        size_t size;
        unsigned char *answers = test_slurp(answer_path, &size);
        cr_assert_eq(size, sizeof d + sizeof l);
        int64_t *pl = malloc(sizeof l);
        memcpy(pl, answers + sizeof d, sizeof l);
        compare(d, l, (const int32_t *)answers, pl, t->factory);
        if (strstr(t->factory, "BFlat"))
            cr_assert_arr_eq(l, pl, sizeof l, "%s: ids in Python", t->factory);
        free(pl);
        free(answers);
        lbh_index_free(index);
    }
    free(query);
    free(index_path);
    free(query_path);
    free(answer_path);
}

Test(c_api_file, wrong_paths)
{
    FaissIndexBinary *index = NULL, *read = NULL;
    cr_ok(lbh_index_new(&index, 8, "BFlat"));
    cr_fails(lbh_index_save(NULL, "x"), LBH_EINVAL, "no index");
    cr_fails(lbh_index_save(index, NULL), LBH_EINVAL, "no file name");
    cr_fails(lbh_index_save(index, ""), LBH_EINVAL, "no file name");
    cr_fails(lbh_index_save(index, "/nowhere/index"), LBH_EIO, "/nowhere/index");
    cr_fails(lbh_index_save(index, "/dev/full"), LBH_EIO, "/dev/full");
    cr_fails(lbh_index_load(NULL, "x"), LBH_EINVAL, "no index");
    cr_fails(lbh_index_load(&read, NULL), LBH_EINVAL, "no file name");
    cr_fails(lbh_index_load(&read, "/nowhere/index"), LBH_EIO, "No such file");
    cr_fails(lbh_index_load(&read, "/"), LBH_EIO, "regular");
    cr_fails(lbh_index_load(&read, "/dev/null"), LBH_EIO, "regular");
    test_spit(test_tmp("empty"), "", 0);
    cr_fails(lbh_index_load(&read, test_tmp("empty")), LBH_EFORMAT, "empty");
    test_spit(test_tmp("text"), "IBxg what is this?", 18);
    cr_assert_neq(lbh_index_load(&read, test_tmp("text")), LBH_OK);
    cr_assert_null(read);
    lbh_index_free(index);
}

static int files_in(const char *path)
{
    char command[600];
    snprintf(command, sizeof command, "ls -A \"$(dirname '%s')\" | wc -l", path);
    FILE *f = popen(command, "r");
    int count = -1;
    if (fscanf(f, "%d", &count) != 1)
        count = -1;
    pclose(f);
    return count;
}

/* A disk that fills up, played by a limit on the size of files. */
Test(c_api_file, full_disk)
{
    uint8_t *codes = test_codes(50000, 16, 1);
    FaissIndexBinary *small = NULL, *large = NULL, *read = NULL;
    const char *path = test_tmp("precious.faiss");
    cr_ok(lbh_index_build_codes(&small, 16, "BFlat", 10, codes));
    cr_ok(lbh_index_build_codes(&large, 16, "BFlat", 50000, codes));
    cr_ok(lbh_index_save(small, path));
    int files = files_in(path);
    struct rlimit old, limit;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    limit = old;
    limit.rlim_cur = 100000;
    setrlimit(RLIMIT_FSIZE, &limit);
    int rc = lbh_index_save(large, path);
    setrlimit(RLIMIT_FSIZE, &old);
    cr_assert_eq(rc, LBH_EIO, "%d: %s", rc, lbh_last_error());
    cr_assert(strstr(lbh_last_error(), "File too large"), "%s", lbh_last_error());
    cr_assert_eq(files_in(path), files, "something was left behind");
    cr_ok(lbh_index_load(&read, path));
    cr_assert_eq(lbh_index_ntotal(read), 10);
    cr_ok(lbh_index_save(large, path));
    lbh_index_free(read);
    lbh_index_free(small);
    lbh_index_free(large);
    free(codes);
}

/* Loads bytes; if they are taken, the index must be fit for use. */
static int try_bytes(const unsigned char *data, size_t size, size_t code_size, const uint8_t *query)
{
    /* A file in memory: thousands of files on a disk take minutes. */
    static int fd = -1;
    char path[64];
    if (fd < 0)
        fd = memfd_create("damaged", 0);
    cr_assert(fd >= 0 && ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    FaissIndexBinary *index = NULL;
    int rc = lbh_index_load(&index, path);
    if (rc != LBH_OK) {
        cr_assert_null(index);
        cr_assert(*lbh_last_error() && !strchr(lbh_last_error(), '\n'));
        return rc;
    }
    int32_t d[NQ * K];
    int64_t l[NQ * K];
    lbh_range_result *r = NULL;
    (void)lbh_index_search_codes(index, code_size, NQ, query, K, d, l);
    if (lbh_index_range_search_codes(&r, index, code_size, NQ, query, 12) == LBH_OK)
        lbh_range_result_free(r);
    (void)lbh_index_kind(index);
    lbh_index_free(index);
    return LBH_OK;
}

static void damage(const test_case *t, size_t code_size)
{
    FaissIndexBinary *index = build(t, code_size);
    const char *path = test_tmp("whole.faiss");
    uint8_t *query = queries(code_size);
    size_t size;
    cr_ok(lbh_index_save(index, path));
    unsigned char *data = test_slurp(path, &size);
    for (size_t cut = 1; cut < size; cut += cut < 300 || cut + 300 > size ? 1 : 97)
        cr_assert_neq(try_bytes(data, cut, code_size, query), LBH_OK, "%s: cut to %zu of %zu bytes",
                      t->factory, cut, size);
    /* Wrong bytes: everywhere near the header and the end, then at random; 255 makes huge sizes. */
    static const unsigned char wrong[] = {0, 1, 127, 255};
    for (size_t i = 0; i < 1200; i++) {
        size_t at = i < 400   ? i / 4
                    : i < 600 ? size - 1 - (i - 400) / 4
                              : (size_t)((double)size * test_uniform(9, i));
        unsigned char kept = data[at];
        data[at] = i % 5 == 4 ? (unsigned char)(kept ^ (1 << i % 8)) : wrong[i % 4];
        (void)try_bytes(data, size, code_size, query);
        data[at] = kept;
    }
    cr_ok(try_bytes(data, size, code_size, query));
    free(data);
    free(query);
    lbh_index_free(index);
}

Test(c_api_file, damaged_files)
{
    for (const test_case *t = test_cases; t->factory; t++)
        damage(t, 8);
}
