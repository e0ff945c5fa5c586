/* test_foreign_readers.c: idx, CIFAR, word2vec, GloVe and big-ann-benchmarks files, whole, cut off
 * at every byte, and with headers that lie. */
#include "support.h"

#include "labels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { ROOM = 16384, N = 4, D = 6 };

typedef struct bytes {
    unsigned char data[ROOM];
    size_t size;
} bytes;

static void put(bytes *b, const void *p, size_t size)
{
    cr_assert_leq(b->size + size, ROOM);
    memcpy(b->data + b->size, p, size);
    b->size += size;
}

static void put_text(bytes *b, const char *text)
{
    put(b, text, strlen(text));
}

static void put_int(bytes *b, uint32_t x)
{
    put(b, &x, 4);
}

static void put_float(bytes *b, float x)
{
    put(b, &x, 4);
}

static void put_big(bytes *b, uint64_t x, int size)
{
    for (int i = size - 1; i >= 0; i--)
        put(b, &(unsigned char){(unsigned char)(x >> 8 * i)}, 1);
}

/* Number j of row i in all files. */
static double value(int i, int j)
{
    return 10 * i + j;
}

static void expect_rows(const char *spec, int n, int d)
{
    vectors v;
    cr_assert_eq(vectors_open(&v, spec), LBH_OK, "%s: %s", spec, lbh_last_error());
    cr_assert_eq(v.n, n);
    cr_assert_eq(v.d, d);
    float *x = malloc(sizeof(float) * (size_t)(n * d));
    cr_assert_eq(vectors_floats(&v, 0, n, x), LBH_OK, "%s: %s", spec, lbh_last_error());
    for (int i = 0; i < n; i++)
        for (int j = 0; j < d; j++)
            cr_assert_eq(x[i * d + j], (float)value(i, j), "%s: row %d, number %d is %g", spec, i,
                         j, x[i * d + j]);
    int64_t last = n - 1;
    cr_assert_eq(vectors_gather(&v, 1, &last, x), LBH_OK);
    cr_assert_eq(x[d - 1], (float)value(n - 1, d - 1));
    vectors_ahead(&v, 0, n);
    free(x);
    vectors_close(&v);
}

/* Rows 1 and 2 by FILE@1:3. */
static void expect_selection(const char *path)
{
    char spec[512];
    vectors v;
    float x[2 * D];
    snprintf(spec, sizeof spec, "%s@1:3", path);
    cr_assert_eq(vectors_open(&v, spec), LBH_OK, "%s", lbh_last_error());
    cr_assert_eq(v.n, 2);
    cr_assert_eq(vectors_floats(&v, 0, 2, x), LBH_OK);
    cr_assert_eq(x[0], (float)value(1, 0));
    cr_assert_eq(x[2 * D - 1], (float)value(2, D - 1));
    vectors_close(&v);
}

/* Refused when it is opened, with `text` in the message. */
static void refuse(const char *spec, const char *text)
{
    vectors v;
    cr_assert_neq(vectors_open(&v, spec), LBH_OK, "%s was taken", spec);
    cr_assert(strstr(lbh_last_error(), text), "%s: '%s' does not say '%s'", spec, lbh_last_error(), text);
}

/* No beginning of a file is taken for the whole. */
static void refuse_beginnings(const char *name, const bytes *b)
{
    vectors v;
    for (size_t size = 0; size < b->size; size += size < 64 ? 1 : 7) {
        test_spit(test_tmp(name), b->data, size);
        cr_assert_neq(vectors_open(&v, test_tmp(name)), LBH_OK, "%zu of %zu bytes were taken",
                      size, b->size);
        cr_assert(*lbh_last_error());
    }
}

/* ---- idx ----------------------------------------------------------------------------------- */

static void make_idx(bytes *b, int code)
{
    b->size = 0;
    put(b, (unsigned char[]){0, 0, (unsigned char)code, 3}, 4);
    put_big(b, N, 4);
    put_big(b, 2, 4);
    put_big(b, D / 2, 4);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < D; j++) {
            float f = (float)value(i, j);
            double w = value(i, j);
            uint32_t f_bits;
            uint64_t w_bits;
            memcpy(&f_bits, &f, 4);
            memcpy(&w_bits, &w, 8);
            if (code == 0x0c)
                put_big(b, (uint64_t)w, 4);
            else if (code == 0x0d)
                put_big(b, f_bits, 4);
            else if (code == 0x0e)
                put_big(b, w_bits, 8);
            else
                put_big(b, (uint64_t)w, 1);
        }
}

static void spit_gz(const char *name, const bytes *b)
{
    gzFile file = gzopen(test_tmp(name), "wb");
    cr_assert(file);
    cr_assert_eq(gzwrite(file, b->data, (unsigned)b->size), (int)b->size);
    cr_assert_eq(gzclose(file), Z_OK);
}

Test(foreign_readers, idx)
{
    bytes b;
    const int codes[] = {0x08, 0x09, 0x0c, 0x0d, 0x0e};
    for (int i = 0; i < 5; i++) {
        make_idx(&b, codes[i]);
        test_spit(test_tmp("a-idx3-ubyte"), b.data, b.size);
        expect_rows(test_tmp("a-idx3-ubyte"), N, D);
        expect_selection(test_tmp("a-idx3-ubyte"));
        refuse_beginnings("cut-ubyte", &b);
        spit_gz("b-idx3-ubyte.gz", &b);
        expect_rows(test_tmp("b-idx3-ubyte.gz"), N, D);
        expect_selection(test_tmp("b-idx3-ubyte.gz"));
    }
}

Test(foreign_readers, idx_labels)
{
    bytes b = {.size = 0};
    labels l;
    put(&b, (unsigned char[]){0, 0, 8, 1, 0, 0, 0, 3, 7, 0, 9}, 11);
    spit_gz("y-idx1-ubyte.gz", &b);
    cr_assert_eq(labels_open(&l, test_tmp("y-idx1-ubyte.gz")), LBH_OK, "%s", lbh_last_error());
    cr_assert(l.n == 3 && l.item[0] == 7 && l.item[1] == 0 && l.item[2] == 9);
    labels_close(&l);
}

Test(foreign_readers, hostile_idx)
{
    bytes b;
    make_idx(&b, 0x08);
    put(&b, "x", 1);
    test_spit(test_tmp("a-ubyte"), b.data, b.size);
    refuse(test_tmp("a-ubyte"), "cut off or damaged");
    spit_gz("a-ubyte.gz", &b);
    refuse(test_tmp("a-ubyte.gz"), "cut off or damaged");
    make_idx(&b, 0x0b);
    test_spit(test_tmp("a-ubyte"), b.data, b.size);
    refuse(test_tmp("a-ubyte"), "data type 0x0b");
    make_idx(&b, 0x08);
    b.data[0] = 1;
    test_spit(test_tmp("a-ubyte"), b.data, b.size);
    refuse(test_tmp("a-ubyte"), "not an idx file");
    make_idx(&b, 0x08);
    memset(b.data + 4, 0xff, 12); /* 2^96 numbers */
    spit_gz("a-ubyte.gz", &b);
    refuse(test_tmp("a-ubyte.gz"), "dimension");
    make_idx(&b, 0x0e);
    memset(b.data + 4, 0xff, 4); /* 2^32 rows: no memory is asked for */
    spit_gz("a-ubyte.gz", &b);
    refuse(test_tmp("a-ubyte.gz"), "cut off or damaged");
}

/* A gzip file cut off at every byte, and one with a wrong checksum. */
Test(foreign_readers, damaged_gz)
{
    bytes b, z = {.size = 0};
    make_idx(&b, 0x08);
    spit_gz("a-ubyte.gz", &b);
    size_t size;
    unsigned char *data = test_slurp(test_tmp("a-ubyte.gz"), &size);
    put(&z, data, size);
    free(data);
    refuse_beginnings("cut-ubyte.gz", &z);
    z.data[z.size - 5] ^= 1;
    test_spit(test_tmp("a-ubyte.gz"), z.data, z.size);
    refuse(test_tmp("a-ubyte.gz"), "damaged");
}

/* ---- CIFAR --------------------------------------------------------------------------------- */

static unsigned char pixel(int i, int j)
{
    return (unsigned char)((i * 31 + j) % 251);
}

static void make_cifar(bytes *b, int prefix)
{
    b->size = 0;
    for (int i = 0; i < N; i++) {
        if (prefix == 2)
            put(b, &(unsigned char){(unsigned char)(19 - i)}, 1);
        put(b, &(unsigned char){(unsigned char)(prefix == 2 ? 99 - i : 9 - i)}, 1);
        for (int j = 0; j < 3072; j++)
            put(b, &(unsigned char){pixel(i, j)}, 1);
    }
}

static void expect_cifar_labels(const char *part, int first)
{
    char spec[512];
    labels l;
    snprintf(spec, sizeof spec, "%s:%s", test_tmp("batch.bin"), part);
    cr_assert_eq(labels_open(&l, spec), LBH_OK, "%s", lbh_last_error());
    cr_assert_eq(l.n, N);
    for (int i = 0; i < N; i++)
        cr_assert_eq(l.item[i], first - i);
    labels_close(&l);
}

Test(foreign_readers, cifar)
{
    static bytes b;
    char spec[512];
    for (int prefix = 1; prefix <= 2; prefix++) {
        make_cifar(&b, prefix);
        test_spit(test_tmp("batch.bin"), b.data, b.size);
        vectors v;
        snprintf(spec, sizeof spec, "%s%s", test_tmp("batch.bin"), prefix == 1 ? "" : ":images");
        cr_assert_eq(vectors_open(&v, spec), LBH_OK, "%s", lbh_last_error());
        cr_assert(v.n == N && v.d == 3072);
        float *x = malloc(N * 3072 * sizeof(float));
        cr_assert_eq(vectors_floats(&v, 0, N, x), LBH_OK);
        for (int i = 0; i < N * 3072; i++)
            cr_assert_eq(x[i], (float)pixel(i / 3072, i % 3072));
        free(x);
        vectors_close(&v);
        expect_cifar_labels("labels", prefix == 2 ? 99 : 9);
        snprintf(spec, sizeof spec, "%s:coarse", test_tmp("batch.bin"));
        if (prefix == 2)
            expect_cifar_labels("coarse", 19);
        else
            refuse(spec, "has the parts");
    }
}

Test(foreign_readers, damaged_cifar)
{
    static bytes b;
    make_cifar(&b, 1);
    test_spit(test_tmp("batch.bin"), b.data, b.size - 1);
    refuse(test_tmp("batch.bin"), "cut off");
    b.data[3073] = 10; /* no class */
    test_spit(test_tmp("batch.bin"), b.data, b.size);
    refuse(test_tmp("batch.bin"), "damaged");
}

/* ---- word2vec, GloVe ------------------------------------------------------------------------ */

static const char *const words[N] = {"</s>", "in", "\xe2\x82\xac", "New_York"};

static void make_binary(bytes *b, bool newlines)
{
    b->size = 0;
    put_text(b, "4 6\n");
    for (int i = 0; i < N; i++) {
        put_text(b, words[i]);
        put_text(b, " ");
        for (int j = 0; j < D; j++)
            put_float(b, (float)value(i, j));
        if (newlines)
            put_text(b, "\n");
    }
}

Test(foreign_readers, word2vec_binary)
{
    bytes b;
    for (int newlines = 0; newlines <= 1; newlines++) {
        make_binary(&b, newlines);
        test_spit(test_tmp("w.bin"), b.data, b.size);
        expect_rows(test_tmp("w.bin"), N, D);
        expect_selection(test_tmp("w.bin"));
        put_text(&b, "x");
        test_spit(test_tmp("w.bin"), b.data, b.size);
        refuse(test_tmp("w.bin"), "longer");
    }
    make_binary(&b, false);
    refuse_beginnings("w.bin", &b);
}

Test(foreign_readers, hostile_word2vec)
{
    bytes b = {.size = 0};
    put_text(&b, "99999999999 300\nword ");
    test_spit(test_tmp("w.bin"), b.data, b.size);
    refuse(test_tmp("w.bin"), "cut off");
    b.size = 0;
    put_text(&b, "1 99999999999\nword ");
    test_spit(test_tmp("w.bin"), b.data, b.size);
    refuse(test_tmp("w.bin"), "dimension");
    b.size = 0;
    put_text(&b, "0 3\nword ");
    test_spit(test_tmp("w.bin"), b.data, b.size);
    refuse(test_tmp("w.bin"), "damaged");
    make_binary(&b, false);
    memset(b.data + 9, 0xff, 4); /* a NaN in row 0 */
    test_spit(test_tmp("w.bin"), b.data, b.size);
    vectors v;
    float x[D];
    cr_assert_eq(vectors_open(&v, test_tmp("w.bin")), LBH_OK);
    cr_assert_eq(vectors_floats(&v, 0, 1, x), LBH_EFORMAT);
    cr_assert(strstr(lbh_last_error(), "row 0 holds a NaN"));
    vectors_close(&v);
}

static void make_text(bytes *b, const char *header, const char *gap, const char *end)
{
    char cell[32];
    b->size = 0;
    put_text(b, header);
    for (int i = 0; i < N; i++) {
        put_text(b, i == 2 ? ". . 3" : words[i]); /* GloVe has words with blanks */
        for (int j = 0; j < D; j++) {
            snprintf(cell, sizeof cell, j % 2 ? "%s%.6f" : "%s%.3e", gap, value(i, j));
            put_text(b, cell);
        }
        put_text(b, end);
    }
}

Test(foreign_readers, text)
{
    const char *const headers[] = {"", "4 6\n", "4 6 \r\n"};
    const char *const gaps[] = {" ", "\t", "  "}, *const ends[] = {"\n", " \n", "\r\n"};
    bytes b;
    for (int h = 0; h < 3; h++)
        for (int g = 0; g < 3; g++)
            for (int last = 0; last < 2; last++) {
                make_text(&b, headers[h], gaps[g], ends[g]);
                b.size -= last; /* without a newline at the end */
                test_spit(test_tmp("w.txt"), b.data, b.size);
                expect_rows(test_tmp("w.txt"), N, D);
                expect_selection(test_tmp("w.txt"));
            }
    test_spit(test_tmp("w.vec"), b.data, b.size);
    expect_rows(test_tmp("w.vec"), N, D);
}

Test(foreign_readers, damaged_text)
{
    static const char *const bad[][2] = {
        {"5 2\na 1 2\nb 3 4\n", "says 5 words, and 2 lines"},
        {"a 1 2\nb 3\n", "row 1 is not a word and 2"},
        {"a 1 2\n\nb 3 4\n", "row 1 is not a word and 2"},
        {"a 1 2\nb 3 x\n", "row 1 is not a word and 2"},
        {"a 1 2\nb 3 4,5\n", "row 1 is not a word and 2"},
        {"a 1 2\n1 2\n", "row 1 is not a word and 2"},
        {"word\n", "dimension 0"},
        {"1 99999999999\na 1\n", "dimension"},
        {"99999999 16777216\na 1\n", "says 99999999 words"},
        {"1 16777216\na 1\n", "row 0 is not"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        test_spit(test_tmp("w.txt"), bad[i][0], strlen(bad[i][0]));
        refuse(test_tmp("w.txt"), bad[i][1]);
    }
}

/* ---- big-ann-benchmarks --------------------------------------------------------------------- */

static void make_truth(bytes *b)
{
    b->size = 0;
    put_int(b, N);
    put_int(b, D);
    for (int i = 0; i < N * D; i++)
        put_int(b, (uint32_t)value(i / D, i % D));
    for (int i = 0; i < N * D; i++)
        put_float(b, (float)value(i / D, i % D));
}

Test(foreign_readers, ground_truth)
{
    bytes b;
    char spec[512];
    make_truth(&b);
    test_spit(test_tmp("gt.bin"), b.data, b.size);
    test_spit(test_tmp("gt.ibin"), b.data, b.size);
    for (int i = 0; i < 2; i++) { /* lists of ids, and no vectors */
        const char *path = test_tmp(i ? "gt.bin" : "gt.ibin");
        vectors v;
        refuse(path, "neighbours and their distances");
        cr_assert_eq(numbers_open(&v, path), LBH_OK, "%s", lbh_last_error());
        cr_assert(v.n == N && v.d == D && vectors_int(&v, N - 1, 1) == (int64_t)value(N - 1, 1));
        vectors_close(&v);
    }
    snprintf(spec, sizeof spec, "%s:distances", test_tmp("gt.bin"));
    expect_rows(spec, N, D);
    snprintf(spec, sizeof spec, "%s:ids", test_tmp("gt.bin"));
    expect_rows(spec, N, D);
    snprintf(spec, sizeof spec, "%s:labels", test_tmp("gt.bin"));
    refuse(spec, "parts ids and distances");
    refuse_beginnings("cut.bin", &b);
}

/* Lists of a range search: the nearest first, whatever their order in the file. */
Test(foreign_readers, range_ground_truth)
{
    static const uint32_t counts[] = {2, 0, 3}, ids[] = {7, 5, 4, 9, 8};
    static const float distances[] = {2, 1, 3, 3, .5f};
    static const int64_t wanted[] = {5, 7, -1, -1, -1, -1, 8, 4, 9};
    static const char *const names[] = {"gt.bin", "gt.rangeres", "gt"};
    bytes b = {.size = 0};
    put_int(&b, 3);
    put_int(&b, 5);
    put(&b, counts, sizeof counts);
    put(&b, ids, sizeof ids);
    put(&b, distances, sizeof distances);
    for (int i = 0; i < 3; i++) {
        char spec[512];
        vectors v;
        test_spit(test_tmp(names[i]), b.data, b.size);
        snprintf(spec, sizeof spec, "%s%s", i == 2 ? "bin:" : "", test_tmp(names[i]));
        cr_assert_eq(numbers_open(&v, spec), LBH_OK, "%s", lbh_last_error());
        cr_assert(v.n == 3 && v.d == 3 && vectors_is_int(&v));
        for (int j = 0; j < 9; j++)
            cr_assert_eq(vectors_int(&v, j / 3, j % 3), wanted[j], "%s: %d", spec, j);
        vectors_close(&v);
    }
    char spec[512];
    snprintf(spec, sizeof spec, "%s:distances", test_tmp("gt.rangeres"));
    refuse(spec, "part ids");
    refuse_beginnings("cut.rangeres", &b);
    refuse_beginnings("cut.bin", &b);
    b.data[8]++; /* counts that do not add up */
    test_spit(test_tmp("lies.rangeres"), b.data, b.size);
    refuse(test_tmp("lies.rangeres"), "damaged");
}

Test(foreign_readers, i8bin)
{
    bytes b = {.size = 0};
    put_int(&b, N);
    put_int(&b, D);
    for (int i = 0; i < N * D; i++)
        put(&b, &(signed char){(signed char)value(i / D, i % D)}, 1);
    test_spit(test_tmp("x.i8bin"), b.data, b.size);
    expect_rows(test_tmp("x.i8bin"), N, D);
    refuse_beginnings("cut.i8bin", &b);
    memset(b.data, 0xff, 4);
    test_spit(test_tmp("x.i8bin"), b.data, b.size);
    refuse(test_tmp("x.i8bin"), "cut off");
}

Test(foreign_readers, unknown_kinds)
{
    refuse("x.csv", "unknown kind");
    refuse("x.bin:a:b", "cannot open");
    refuse("noextension", "unknown kind");
}
