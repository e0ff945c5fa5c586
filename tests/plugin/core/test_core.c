/* test_core.c: random numbers, memory, numbers as text, Adam, files written whole. */
#define _POSIX_C_SOURCE 200809L
#include "support.h"

#include "adam.h"
#include "arena.h"
#include "cpu.h"
#include "error.h"
#include "durable_file.h"
#include "number.h"
#include "rng.h"
#include "vmath.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

Test(rng, is_a_function_of_seed_stream_and_index)
{
    float all[1000], part[600], other[1000];
    lbh_rng_uniform(7, 3, 0, 1000, all);
    lbh_rng_uniform(7, 3, 400, 600, part);
    cr_assert(memcmp(all + 400, part, sizeof part) == 0);
    lbh_rng_uniform(7, 4, 0, 1000, other);
    cr_assert(memcmp(all, other, sizeof all) != 0);
    lbh_rng_uniform(8, 3, 0, 1000, other);
    cr_assert(memcmp(all, other, sizeof all) != 0);
}

/* Vectors of blocks, the end of a request and its place in the stream make no difference. */
Test(rng, requests_of_any_length_and_place_agree)
{
    enum { N = 20011 };
    float *all = malloc(sizeof(float) * N), part[67];
    lbh_rng_uniform(3, 9, 0, N, all);
    for (int first = 0; first + 67 < N; first += 4 * 37)
        for (int n = 1; n <= 67; n += first % 3 + 1) {
            lbh_rng_uniform(3, 9, (uint64_t)first, n, part);
            cr_assert(memcmp(all + first, part, sizeof(float) * (size_t)n) == 0);
        }
    float far[8], next[4];
    lbh_rng_uniform(3, 9, ((uint64_t)1 << 34) - 4, 8, far); /* the counter carries */
    lbh_rng_uniform(3, 9, (uint64_t)1 << 34, 4, next);
    cr_assert(memcmp(far + 4, next, sizeof next) == 0);
    free(all);
}

Test(rng, is_the_same_with_every_instruction_set)
{
    enum { N = 4099 };
    static float best[N], other[N];
    const uint64_t first = ((uint64_t)1 << 34) - 2048; /* the counter carries half-way */
    lbh_rng_uniform(0x123456789abcdef, 0xfedcba9876543210, first, N, best);
    const char *isa[] = {"scalar", "avx2", "avx512"};
    for (int v = 0; v < 3; v++) {
        setenv("LBH_ISA", isa[v], 1);
        lbh_cpu_choose_again();
        lbh_rng_uniform(0x123456789abcdef, 0xfedcba9876543210, first, N, other);
        cr_assert(memcmp(best, other, sizeof best) == 0, "%s", isa[v]);
    }
    unsetenv("LBH_ISA");
    lbh_cpu_choose_again();
}

/* Philox4x32-10, counter 0, key 0: a known answer of the Random123 library. */
Test(rng, is_philox)
{
    const uint32_t answer[] = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
    float u[4];
    lbh_rng_uniform(0, 0, 0, 4, u);
    for (int i = 0; i < 4; i++)
        cr_assert_eq(u[i], (float)(answer[i] >> 8) * 0x1p-24f);
}

Test(rng, has_the_right_moments)
{
    enum { N = 200000 };
    static float u[N], z[N];
    double mean = 0, square = 0, zmean = 0, zsquare = 0;
    lbh_rng_uniform(1, 0, 0, N, u);
    lbh_rng_normal(1, 1, N, z);
    for (int i = 0; i < N; i++) {
        cr_assert(u[i] >= 0 && u[i] < 1);
        mean += u[i], square += u[i] * u[i];
        zmean += z[i], zsquare += z[i] * z[i];
    }
    cr_assert_float_eq(mean / N, 0.5, 0.005);
    cr_assert_float_eq(square / N, 1.0 / 3, 0.005);
    cr_assert_float_eq(zmean / N, 0, 0.01);
    cr_assert_float_eq(zsquare / N, 1, 0.02);
}

Test(rng, below_covers_the_range_evenly)
{
    int count[7] = {0};
    for (uint64_t i = 0; i < 70000; i++) {
        int64_t v = lbh_rng_below(5, 9, i, 7);
        cr_assert(v >= 0 && v < 7);
        count[v]++;
    }
    for (int i = 0; i < 7; i++)
        cr_assert(abs(count[i] - 10000) < 500, "value %d came %d times", i, count[i]);
}

Test(rng, sample_has_no_repeats)
{
    int64_t ids[500];
    char seen[1000] = {0};
    cr_assert_eq(lbh_rng_sample(3, 1, 1000, 500, ids), LBH_OK);
    for (int i = 0; i < 500; i++) {
        cr_assert(ids[i] >= 0 && ids[i] < 1000 && !seen[ids[i]]);
        seen[ids[i]] = 1;
    }
}

Test(arena, gives_aligned_zeroed_memory_and_refuses_overflow)
{
    lbh_arena arena = {0};
    for (int i = 0; i < 20; i++) {
        char *p = lbh_arena_take(&arena, 100 + i, 3);
        cr_assert_not_null(p);
        cr_assert_eq((uintptr_t)p % 64, 0);
        for (int j = 0; j < 300; j++)
            cr_assert_eq(p[j], 0);
        memset(p, 1, 300);
    }
    cr_assert_null(lbh_arena_take(&arena, INT64_MAX, 8));
    cr_assert_null(lbh_arena_take(&arena, -1, 8));
    cr_assert(strstr(lbh_last_error(), "memory"));
    lbh_arena_clear(&arena);
    lbh_arena_clear(&arena);
}

/* Pages of it that are there. */
static long pages_in_use(void)
{
    long all = 0, used = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    cr_assert(f && fscanf(f, "%ld %ld", &all, &used) == 2);
    fclose(f);
    return used;
}

Test(arena, large_memory_is_not_touched_before_it_is_used)
{
    lbh_arena arena = {0};
    const long mb = 1 << 20, page = sysconf(_SC_PAGESIZE), before = pages_in_use();
    char *p = lbh_arena_take(&arena, 512, (size_t)mb);
    cr_assert_lt((pages_in_use() - before) * page, 64 * mb);
    for (int64_t i = 0; i < 512 * mb; i += 32 * mb)
        cr_assert_eq(p[i], 0);
    lbh_arena_clear(&arena);
}

Test(number, reads_whole_finite_numbers_only)
{
    double v;
    cr_assert(lbh_parse_number("1.5e-3", &v) && v == 1.5e-3);
    cr_assert(lbh_parse_number("-7", &v) && v == -7);
    const char *bad[] = {"", " 1", "1 ", "1x", "nan", "inf", "1e999", "0,5", "--1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert(!lbh_parse_number(bad[i], &v), "\"%s\" was taken", bad[i]);
}

Test(number, survives_the_round_trip)
{
    for (uint64_t i = 0; i < 1000; i++) {
        double v = test_normal(4, i) * pow(10, 20 * test_uniform(5, i) - 10), back;
        char text[40];
        lbh_format_number(text, sizeof text, v);
        cr_assert(lbh_parse_number(text, &back) && back == v, "%s", text);
    }
}

Test(vmath, exp_and_sigmoid_are_near_those_of_libm)
{
    for (double x = -80; x < 80; x += 0.0137) {
        double e = exp((double)(float)x), s = 1 / (1 + exp(-(double)(float)x));
        cr_assert_float_eq(lbh_expf((float)x) / e, 1, 4e-7, "exp(%g)", x);
        cr_assert_float_eq(lbh_sigmoid((float)x) / s, 1, 6e-7, "sigmoid(%g)", x);
    }
    cr_assert(lbh_expf(1e30f) > 1e37f && isfinite(lbh_expf(1e30f)));
    cr_assert(lbh_expf(-1e30f) >= 0 && lbh_expf(-1e30f) < 1e-37f);
}

Test(adam, follows_its_equations)
{
    enum { N = 20001 }; /* more than one chunk */
    const lbh_adam adam = {0.9f, 0.999f, 1e-8f};
    float *theta = calloc(N, 4), *g = calloc(N, 4), *m = calloc(N, 4), *v = calloc(N, 4);
    double dm = 0, dv = 0, dt = 0;
    for (int t = 1; t <= 5; t++) {
        for (int i = 0; i < N; i++)
            g[i] = (float)(0.1 * t * (i % 7 - 3));
        lbh_adam_step(&adam, lbh_adam_rate(&adam, 0.01, t), N, g, m, v, theta);
        double grad = g[N - 1];
        dm = 0.9 * dm + 0.1 * grad;
        dv = 0.999 * dv + 0.001 * grad * grad;
        dt -= 0.01 * sqrt(1 - pow(0.999, t)) / (1 - pow(0.9, t)) * dm / (sqrt(dv) + 1e-8);
    }
    cr_assert_float_eq(theta[N - 1], dt, 1e-6);
    free(theta), free(g), free(m), free(v);
}

Test(file, replaces_the_target_only_when_complete)
{
    const char *path = test_tmp("target");
    size_t size;
    lbh_file f;
    test_spit(path, "old", 3);
    chmod(path, 0640);
    cr_assert_eq(lbh_file_create(&f, path), LBH_OK);
    fputs("new content", f.stream);
    unsigned char *now = test_slurp(path, &size);
    cr_assert(size == 3 && memcmp(now, "old", 3) == 0);
    free(now);
    cr_assert_eq(lbh_file_commit(&f), LBH_OK);
    now = test_slurp(path, &size);
    cr_assert(size == 11 && memcmp(now, "new content", 11) == 0);
    free(now);
    struct stat st;
    stat(path, &st);
    cr_assert_eq(st.st_mode & 0777, 0640);

    cr_assert_eq(lbh_file_create(&f, path), LBH_OK);
    fputs("half", f.stream);
    char *temporary = strdup(f.temporary);
    lbh_file_discard(&f);
    cr_assert(stat(temporary, &st) != 0, "the temporary file is left");
    free(temporary);
    now = test_slurp(path, &size);
    cr_assert_eq(size, 11);
    free(now);
}

/* Whatever name the file system takes can be written, though the temporary one has 7 bytes more. */
Test(file, names_as_long_as_the_file_system_has_them)
{
    enum { LONGEST = 255 };
    char name[LONGEST + 2];
    for (int length = LONGEST - 10; length <= LONGEST + 1; length++) {
        for (int bytes = 1; bytes <= 2; bytes++) { /* a character */
            lbh_file f;
            memset(name, 'a', sizeof name);
            for (int i = 0; i + 1 < length && bytes == 2; i += 2)
                memcpy(name + i, "\xc3\xa9", 2);
            name[length] = '\0';
            const char *path = test_tmp(name);
            int rc = lbh_file_try(path);
            cr_assert(access(path, F_OK) != 0);
            if (rc == LBH_OK)
                rc = lbh_file_create(&f, path);
            if (length > LONGEST) {
                cr_assert_eq(rc, LBH_EIO, "%d bytes are too long", length);
                cr_assert(strstr(lbh_last_error(), "too long"), "%s", lbh_last_error());
                continue;
            }
            cr_assert_eq(rc, LBH_OK, "%d bytes: %s", length, lbh_last_error());
            const char *temporary = strrchr(f.temporary, '/') + 1;
            size_t cut = strlen(temporary) - 7;
            cr_assert_leq(strlen(temporary), LONGEST);
            cr_assert_arr_eq(temporary, name, cut);
            cr_assert((name[cut] & 0xC0) != 0x80, "cut within a character");
            cr_assert_eq(fputs("x", f.stream), 1);
            cr_assert_eq(lbh_file_commit(&f), LBH_OK, "%s", lbh_last_error());
            cr_assert_eq(unlink(path), 0, "not there");
        }
    }
}

Test(file, reports_a_full_disk_and_bad_paths)
{
    lbh_file f;
    struct stat st;
    cr_assert_eq(lbh_file_create(&f, "/dev/full"), LBH_OK);
    for (int i = 0; i < 100000; i++)
        fputc('x', f.stream);
    cr_assert_eq(lbh_file_commit(&f), LBH_EIO);
    cr_assert(strstr(lbh_last_error(), "/dev/full"), "%s", lbh_last_error());
    cr_assert(stat("/dev/full", &st) == 0 && S_ISCHR(st.st_mode));
    cr_assert_eq(lbh_file_create(&f, "/no/such/directory/file"), LBH_EIO);
    cr_assert_eq(lbh_file_create(&f, "/tmp"), LBH_EIO);
}
