/* test_writers.c: what is written is what is read, and a failed write leaves nothing. */
#define _GNU_SOURCE
#include "support.h"

#include "outfile.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static void round_trip(const char *name, array_kind kind, const void *rows, int64_t d,
                       const double *expected)
{
    array_out out;
    vectors v;
    float x[64];
    char path[300];
    snprintf(path, sizeof path, "%s", test_tmp(name));
    cr_assert_eq(array_open(&out, path, kind, 2, d), LBH_OK, "%s", lbh_last_error());
    cr_assert_neq(access(path, F_OK), 0, "nothing before the end");
    cr_assert_eq(array_write(&out, 2, rows), LBH_OK);
    cr_assert_eq(array_close(&out, LBH_OK), LBH_OK);
    cr_assert_eq(vectors_open(&v, path), LBH_OK, "%s", lbh_last_error());
    cr_assert_eq(v.n, 2);
    cr_assert_eq(v.d, d);
    vectors_floats(&v, 0, 2, x);
    for (int64_t i = 0; i < 2 * d; i++)
        cr_assert_float_eq(x[i], expected[i], 0, "%s", name);
    vectors_close(&v);
}

Test(writers, every_format_is_read_back)
{
    double expected[] = {1, 2, 3, 250, 5, 6};
    uint8_t codes[] = {1, 2, 3, 250, 5, 6};
    int64_t ids[] = {1, 2, 3, 250, 5, 6};
    int32_t ints[] = {1, 2, 3, 250, 5, 6};
    float floats[] = {1, 2, 3, 250, 5, 6};
    static const char *const code_names[] = {"a.bvecs", "a.u8bin", "a.npy"};
    static const char *const id_names[] = {"b.ivecs", "b.ibin", "b.npy"};
    static const char *const int_names[] = {"c.ivecs", "c.ibin", "c.npy", "c.fvecs", "c.fbin"};
    static const char *const float_names[] = {"d.fvecs", "d.fbin", "d.npy"};
    for (int i = 0; i < 3; i++)
        round_trip(code_names[i], ARRAY_CODES, codes, 3, expected);
    for (int i = 0; i < 3; i++)
        round_trip(id_names[i], ARRAY_IDS, ids, 3, expected);
    for (int i = 0; i < 5; i++)
        round_trip(int_names[i], ARRAY_INTS, ints, 3, expected);
    for (int i = 0; i < 3; i++)
        round_trip(float_names[i], ARRAY_FLOATS, floats, 3, expected);
}

Test(writers, wrong_extensions_are_usage_errors)
{
    cr_assert_eq(array_check("x.fvecs", ARRAY_CODES), CLI_EUSAGE);
    cr_assert_eq(array_check("x.bvecs", ARRAY_IDS), CLI_EUSAGE);
    cr_assert_eq(array_check("x", ARRAY_IDS), CLI_EUSAGE);
}

Test(writers, an_id_beyond_32_bits_is_refused)
{
    array_out out;
    int64_t id = (int64_t)1 << 31;
    cr_assert_eq(array_open(&out, test_tmp("big.ivecs"), ARRAY_IDS, 1, 1), LBH_OK);
    cr_assert_eq(array_write(&out, 1, &id), LBH_EFORMAT);
    cr_assert_eq(array_close(&out, LBH_EFORMAT), LBH_EFORMAT);
}

static int entries(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

Test(writers, a_full_disk_leaves_the_old_file_and_no_other)
{
    char path[300], dir[300], command[400];
    snprintf(path, sizeof path, "%s", test_tmp("full.npy"));
    snprintf(dir, sizeof dir, "%.*s", (int)(strrchr(path, '/') - path), path);
    test_spit(path, "old", 3);
    static uint8_t big[4 << 20];
    struct rlimit limit = {1 << 20, 1 << 20};
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    outfile *f;
    cr_assert_eq(outfile_open(&f, path), LBH_OK);
    int rc = outfile_write(f, big, sizeof big);
    cr_assert_eq(rc, LBH_EIO);
    cr_assert_eq(outfile_close(f, rc), rc);
    size_t size;
    unsigned char *old = test_slurp(path, &size);
    cr_assert_eq(size, 3);
    cr_assert_arr_eq(old, "old", 3);
    free(old);
    snprintf(command, sizeof command, "test \"$(ls '%s' | wc -l)\" = 1", dir);
    cr_assert_eq(system(command), 0);
}

Test(writers, devices_are_written_not_replaced)
{
    outfile *f;
    char byte = 1;
    cr_assert_eq(outfile_open(&f, "/dev/full"), LBH_OK);
    cr_assert_eq(outfile_write(f, &byte, 1), LBH_OK);
    cr_assert_eq(outfile_close(f, LBH_OK), LBH_EIO);
    cr_assert(strstr(lbh_last_error(), "/dev/full"));
    struct stat st;
    stat("/dev/full", &st);
    cr_assert(S_ISCHR(st.st_mode));
    cr_assert_eq(outfile_check("/dev/full", true), LBH_EFORMAT);
}

Test(writers, a_symbolic_link_stays_one)
{
    char target[300], link_path[300];
    snprintf(target, sizeof target, "%s", test_tmp("target.npy"));
    snprintf(link_path, sizeof link_path, "%s", test_tmp("link.npy"));
    test_spit(target, "old", 3);
    cr_assert_eq(symlink(target, link_path), 0);
    outfile *f;
    cr_assert_eq(outfile_open(&f, link_path), LBH_OK);
    outfile_write(f, "newer", 5);
    cr_assert_eq(outfile_close(f, LBH_OK), LBH_OK);
    struct stat st;
    lstat(link_path, &st);
    cr_assert(S_ISLNK(st.st_mode));
    size_t size;
    free(test_slurp(target, &size));
    cr_assert_eq(size, 5);
    cr_assert(entries(target));
}

Test(writers, places_that_cannot_be_written_are_found_early)
{
    cr_assert_eq(outfile_check("/nonexistent/x.npy", true), LBH_EIO);
    cr_assert_eq(outfile_check("/tmp", true), LBH_EFORMAT);
}
