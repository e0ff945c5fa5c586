/* test_readers.c: files of vectors, whole and damaged. */
#define _GNU_SOURCE
#include "support.h"

#include "encode.h"
#include "vectors.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct bytes {
    unsigned char data[4096];
    size_t size;
} bytes;

static void put(bytes *b, const void *p, size_t size)
{
    memcpy(b->data + b->size, p, size);
    b->size += size;
}

static void put_int(bytes *b, int32_t v)
{
    put(b, &v, 4);
}

enum { ROWS = 5, D = 3 };

/* Number j of row i, the same in all files. */
static double value(int i, int j)
{
    return 10 * i + j;
}

static void put_value(bytes *b, int i, int j, const char *type)
{
    double x = value(i, j);
    float f = (float)x;
    unsigned char u = (unsigned char)x;
    int32_t w = (int32_t)x;
    int64_t q = (int64_t)x;
    if (!strcmp(type, "f4"))
        put(b, &f, 4);
    else if (!strcmp(type, "f8"))
        put(b, &x, 8);
    else if (!strcmp(type, "i4"))
        put(b, &w, 4);
    else if (!strcmp(type, "i8"))
        put(b, &q, 8);
    else
        put(b, &u, 1);
}

static void make(bytes *b, const char *extension, const char *type)
{
    b->size = 0;
    if (!strcmp(extension, ".npy")) {
        char dictionary[128], header[118];
        snprintf(dictionary, sizeof dictionary,
                 "{'descr': '%s%s', 'fortran_order': False, 'shape': (%d, %d), }",
                 type[1] == '1' ? "|" : "<", type, ROWS, D);
        memset(header, ' ', sizeof header);
        memcpy(header, dictionary, strlen(dictionary));
        header[117] = '\n';
        put(b, "\x93NUMPY\x01\x00\x76\x00", 10);
        put(b, header, sizeof header);
    } else if (!strstr(extension, "vecs")) {
        put_int(b, ROWS);
        put_int(b, D);
    }
    for (int i = 0; i < ROWS; i++) {
        if (strstr(extension, "vecs"))
            put_int(b, D);
        for (int j = 0; j < D; j++)
            put_value(b, i, j, type);
    }
}

static const struct {
    const char *extension, *type;
} formats[] = {{".fvecs", "f4"}, {".bvecs", "u1"}, {".ivecs", "i4"}, {".fbin", "f4"},
               {".u8bin", "u1"}, {".ibin", "i4"},  {".npy", "f4"},   {".npy", "f8"},
               {".npy", "u1"},   {".npy", "i1"},   {".npy", "i4"},   {".npy", "i8"}};
enum { FORMATS = sizeof formats / sizeof *formats };

static const char *file(const char *extension, const bytes *b)
{
    static char path[300];
    char name[32];
    snprintf(name, sizeof name, "x%s", extension);
    snprintf(path, sizeof path, "%s", test_tmp(name));
    test_spit(path, b->data, b->size);
    return path;
}

Test(readers, every_format_gives_its_rows)
{
    for (int f = 0; f < FORMATS; f++) {
        bytes b;
        vectors v;
        float x[ROWS * D];
        make(&b, formats[f].extension, formats[f].type);
        cr_assert_eq(vectors_open(&v, file(formats[f].extension, &b)), LBH_OK, "%s", lbh_last_error());
        cr_assert_eq(v.n, ROWS);
        cr_assert_eq(v.d, D);
        cr_assert_eq(vectors_floats(&v, 0, ROWS, x), LBH_OK);
        for (int i = 0; i < ROWS * D; i++)
            cr_assert_float_eq(x[i], value(i / D, i % D), 0);
        int64_t ids[] = {4, 0, 4};
        lbh_rows rows = vectors_rows(&v);
        cr_assert_eq(rows.read(&rows, 3, ids, x), LBH_OK);
        cr_assert_float_eq(x[2 * D + 1], value(4, 1), 0);
        cr_assert_float_eq(x[D + 1], value(0, 1), 0);
        vectors_close(&v);
    }
}

Test(readers, a_file_cut_at_any_byte_is_refused)
{
    for (int f = 0; f < FORMATS; f++) {
        bytes b;
        make(&b, formats[f].extension, formats[f].type);
        size_t whole = b.size, row = strstr(formats[f].extension, "vecs") ? whole / ROWS : 0;
        for (b.size = 0; b.size < whole; b.size++) {
            vectors v;
            if (row && b.size && b.size % row == 0)
                continue; /* whole rows: a shorter file */
            cr_assert_eq(vectors_open(&v, file(formats[f].extension, &b)), LBH_EFORMAT,
                         "%s of %zu bytes", formats[f].extension, b.size);
            cr_assert(*lbh_last_error());
        }
        b.size = whole + 1;
        vectors v;
        cr_assert_eq(vectors_open(&v, file(formats[f].extension, &b)), LBH_EFORMAT);
    }
}

Test(readers, any_damaged_header_byte_is_survived)
{
    for (int f = 0; f < FORMATS; f++) {
        bytes whole;
        make(&whole, formats[f].extension, formats[f].type);
        for (size_t at = 0; at < 128 && at < whole.size; at++)
            for (int bit = 0; bit < 8; bit++) {
                bytes b = whole;
                vectors v;
                float x[ROWS * D * 4];
                b.data[at] ^= (unsigned char)(1 << bit);
                if (vectors_open(&v, file(formats[f].extension, &b)))
                    continue;
                if (v.n * v.d <= ROWS * D)
                    vectors_floats(&v, 0, v.n, x);
                vectors_close(&v);
            }
    }
}

Test(readers, impossible_dimensions_are_refused)
{
    static const int32_t bad[] = {0, -1, INT32_MIN, INT32_MAX, 1 << 25};
    for (int f = 0; f < 6; f++)
        for (int i = 0; i < 5; i++) {
            bytes b;
            vectors v;
            make(&b, formats[f].extension, formats[f].type);
            memcpy(b.data + (f < 3 ? 0 : 4), &bad[i], 4);
            cr_assert_eq(vectors_open(&v, file(formats[f].extension, &b)), LBH_EFORMAT);
            cr_assert(strstr(lbh_last_error(), "dimension"), "%s", lbh_last_error());
        }
    bytes b;
    vectors v;
    make(&b, ".fbin", "f4");
    uint32_t huge = UINT32_MAX;
    memcpy(b.data, &huge, 4);
    cr_assert_eq(vectors_open(&v, file(".fbin", &b)), LBH_EFORMAT);
}

Test(readers, a_row_of_another_dimension_is_named)
{
    bytes b;
    vectors v;
    float x[ROWS * D];
    make(&b, ".fvecs", "f4");
    int32_t wrong = 2;
    memcpy(b.data + 2 * (4 + 4 * D), &wrong, 4);
    cr_assert_eq(vectors_open(&v, file(".fvecs", &b)), LBH_OK);
    cr_assert_eq(vectors_floats(&v, 0, 2, x), LBH_OK);
    cr_assert_eq(vectors_floats(&v, 0, ROWS, x), LBH_EFORMAT);
    cr_assert(strstr(lbh_last_error(), "row 2"), "%s", lbh_last_error());
    vectors_close(&v);
}

Test(readers, nan_and_infinity_are_named)
{
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    for (int i = 0; i < 3; i++) {
        bytes b;
        vectors v;
        float x[ROWS * D];
        make(&b, ".fbin", "f4");
        memcpy(b.data + 8 + 4 * (3 * D + 1), &bad[i], 4);
        cr_assert_eq(vectors_open(&v, file(".fbin", &b)), LBH_OK);
        cr_assert_eq(vectors_floats(&v, 0, ROWS, x), LBH_EFORMAT);
        cr_assert(strstr(lbh_last_error(), "row 3"), "%s", lbh_last_error());
        vectors_close(&v);
    }
}

/* Many threads read; the first row that is wrong is named all the same. */
Test(readers, the_first_of_several_bad_rows_is_named)
{
    enum { N = 300 };
    bytes b = {.size = 0};
    vectors v;
    float x[N];
    put_int(&b, N);
    put_int(&b, 1);
    for (int i = 0; i < N; i++) {
        float f = i == 120 || i == 123 || i == 290 ? NAN : (float)i;
        put(&b, &f, 4);
    }
    cr_assert_eq(vectors_open(&v, file(".fbin", &b)), LBH_OK);
    cr_assert_eq(vectors_floats(&v, 0, N, x), LBH_EFORMAT);
    cr_assert(strstr(lbh_last_error(), "row 120 "), "%s", lbh_last_error());
    vectors_close(&v);
}

Test(readers, rows_are_found_where_they_lie)
{
    for (int f = 0; f < FORMATS; f++) {
        bytes b;
        vectors v;
        make(&b, formats[f].extension, formats[f].type);
        cr_assert_eq(vectors_open(&v, file(formats[f].extension, &b)), LBH_OK, "%s", lbh_last_error());
        const float *x = vectors_mapped_floats(&v, 2);
        const uint8_t *u = vectors_mapped_bytes(&v, 2);
        cr_assert_eq(x != NULL, v.type == VEC_F32 && !v.prefixed);
        cr_assert_eq(u != NULL, v.type == VEC_U8);
        for (int j = 0; j < D; j++) {
            cr_assert(!x || x[D + j] == value(3, j));
            cr_assert(!u || u[v.stride + (size_t)j] == value(3, j));
        }
        vectors_ahead(&v, 0, 2);
        vectors_ahead(&v, 3, 100);
        vectors_ahead(&v, 100, 1);
        vectors_close(&v);
    }
}

/* The same codes of the same numbers, whether they are copied, or encoded where they lie. */
Test(readers, codes_do_not_depend_on_the_kind_of_file)
{
    float x[ROWS * D];
    uint8_t codes[ROWS], *of_file;
    lbh_encoder *enc;
    for (int i = 0; i < ROWS * D; i++)
        x[i] = (float)value(i / D, i % D);
    cr_assert_eq(lbh_encoder_new(&enc, "lsh", D, 8), LBH_OK);
    cr_assert_eq(lbh_encoder_train(enc, ROWS, x), LBH_OK);
    cr_assert_eq(lbh_encoder_encode(enc, ROWS, x, codes), LBH_OK);
    for (int f = 0; f < FORMATS; f++) {
        bytes b;
        vectors v;
        make(&b, formats[f].extension, formats[f].type);
        cr_assert_eq(vectors_open(&v, file(formats[f].extension, &b)), LBH_OK, "%s", lbh_last_error());
        for (int how = ENCODE_QUERIES; how <= ENCODE_BASE; how++) {
            cr_assert_eq(encode_all(enc, &v, how, &of_file), LBH_OK, "%s", lbh_last_error());
            cr_assert(memcmp(codes, of_file, ROWS) == 0, "%s", formats[f].extension);
            free(of_file);
        }
        vectors_close(&v);
    }
    lbh_encoder_free(enc);
}

/* What the library refuses in rows that it sees first is said in the words of the file. */
Test(readers, encoding_names_the_file_and_the_row)
{
    float x[ROWS * D] = {0}, bad = NAN;
    uint8_t *codes;
    lbh_encoder *enc;
    bytes b;
    vectors v;
    int32_t wrong = 2;
    for (int i = 0; i < ROWS * D; i++)
        x[i] = (float)value(i / D, i % D);
    cr_assert_eq(lbh_encoder_new(&enc, "lsh", D, 8), LBH_OK);
    cr_assert_eq(lbh_encoder_train(enc, ROWS, x), LBH_OK);
    make(&b, ".fbin", "f4");
    memcpy(b.data + 8 + 4 * (3 * D + 1), &bad, 4);
    cr_assert_eq(vectors_open(&v, file(".fbin", &b)), LBH_OK);
    cr_assert_eq(encode_all(enc, &v, ENCODE_BASE, &codes), LBH_EFORMAT);
    cr_assert(strstr(lbh_last_error(), ".fbin': row 3 holds a NaN"), "%s", lbh_last_error());
    vectors_close(&v);
    make(&b, ".bvecs", "u1");
    memcpy(b.data + 2 * (4 + D), &wrong, 4);
    cr_assert_eq(vectors_open(&v, file(".bvecs", &b)), LBH_OK);
    cr_assert_eq(encode_all(enc, &v, ENCODE_BASE, &codes), LBH_EFORMAT);
    cr_assert(strstr(lbh_last_error(), "row 2"), "%s", lbh_last_error());
    vectors_close(&v);
    lbh_encoder_free(enc);
}

Test(readers, a_range_selects_rows)
{
    bytes b;
    vectors v;
    float x[D];
    char spec[400];
    make(&b, ".bvecs", "u1");
    const char *path = file(".bvecs", &b);
    snprintf(spec, sizeof spec, "%s@1:3", path);
    cr_assert_eq(vectors_open(&v, spec), LBH_OK);
    cr_assert_eq(v.n, 2);
    vectors_floats(&v, 1, 1, x);
    cr_assert_float_eq(x[0], value(2, 0), 0);
    vectors_close(&v);
    snprintf(spec, sizeof spec, "%s@:2", path);
    cr_assert_eq(vectors_open(&v, spec), LBH_OK);
    cr_assert_eq(v.n, 2);
    vectors_close(&v);
    static const char *const bad[] = {"@3:3", "@4:2", "@0:6", "@9:", "@99999999999999999999:"};
    for (int i = 0; i < 5; i++) {
        snprintf(spec, sizeof spec, "%s%s", path, bad[i]);
        cr_assert_eq(vectors_open(&v, spec), CLI_EUSAGE, "%s", bad[i]);
    }
}

Test(readers, npy_refusals_say_what_to_do)
{
    static const struct {
        const char *from, *to, *says;
    } cases[] = {{"'<f4'", "'<c8'", "complex"},
                 {"'<f4'", "'<U4'", "text"},
                 {"'<f4'", "'|O' ", "objects"},
                 {"'<f4'", "'<f9'", "float64"},
                 {"'<f4'", "[('a", "structured"},
                 {"(5, 3)", "(5,2,1", "axes"},
                 {"(5, 3)", "()    ", "scalar"},
                 {"(5, 3)", "(5, x)", "damaged"},
                 {"(5, 3)", "(15,) ", "reshape"},
                 {"False", "Fals ", "damaged"},
                 {"'shape'", "'shapo'", "damaged"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bytes b;
        vectors v;
        make(&b, ".npy", "f4");
        char *at = memmem(b.data, 128, cases[i].from, strlen(cases[i].from));
        memcpy(at, cases[i].to, strlen(cases[i].to));
        cr_assert_eq(vectors_open(&v, file(".npy", &b)), LBH_EFORMAT);
        cr_assert(strstr(lbh_last_error(), cases[i].says), "%s", lbh_last_error());
    }
}

Test(readers, ground_truth_ibin_with_distances_is_read)
{
    bytes b;
    vectors v;
    make(&b, ".ibin", "i4");
    float distances[ROWS * D] = {0};
    put(&b, distances, sizeof distances);
    cr_assert_eq(numbers_open(&v, file(".ibin", &b)), LBH_OK);
    cr_assert_eq(v.n, ROWS);
    cr_assert_eq(vectors_int(&v, 4, 2), 42);
    vectors_close(&v);
}

Test(readers, what_is_no_file_of_vectors_is_refused)
{
    vectors v;
    cr_assert_eq(vectors_open(&v, "/nonexistent/x.fvecs"), LBH_EIO);
    cr_assert_eq(vectors_open(&v, "x.tex"), CLI_EUSAGE);
    cr_assert_eq(vectors_open(&v, "noextension"), CLI_EUSAGE);
    test_spit(test_tmp("e.fvecs"), "", 0);
    cr_assert_eq(vectors_open(&v, test_tmp("e.fvecs")), LBH_EFORMAT);
    cr_assert(strstr(lbh_last_error(), "empty"));
}

Test(synthetic, rows_depend_on_seed_and_number_alone)
{
    vectors a, b;
    float x[20], y[20], z[20];
    cr_assert_eq(vectors_open(&a, "synthetic:n=1000,d=20,clusters=5,seed=3"), LBH_OK);
    cr_assert_eq(vectors_open(&b, "synthetic:n=1000,d=20,clusters=5,seed=3@500:600"), LBH_OK);
    vectors_floats(&a, 507, 1, x);
    vectors_floats(&b, 7, 1, y);
    cr_assert_arr_eq(x, y, sizeof x);
    vectors_floats(&a, 508, 1, z);
    cr_assert_arr_neq(x, z, sizeof x);
    vectors_close(&b);
    cr_assert_eq(vectors_open(&b, "synthetic:n=507,d=20,clusters=5,seed=3,part=query"), LBH_OK);
    vectors_floats(&b, 0, 1, y);
    cr_assert_arr_eq(x, y, sizeof x, "queries are the rows behind the base");
    vectors_close(&a);
    vectors_close(&b);
}

Test(synthetic, the_spectrum_decays_and_the_data_are_not_axis_aligned)
{
    enum { N = 4000, DIM = 16 };
    vectors v;
    cr_assert_eq(vectors_open(&v, "synthetic:n=4000,d=16,clusters=50,decay=1"), LBH_OK);
    float *x = malloc(N * DIM * sizeof *x);
    double mean[DIM] = {0}, variance[DIM] = {0}, total = 0, largest = 0;
    vectors_floats(&v, 0, N, x);
    for (int i = 0; i < N * DIM; i++)
        mean[i % DIM] += x[i] / N;
    for (int i = 0; i < N * DIM; i++)
        variance[i % DIM] += pow(x[i] - mean[i % DIM], 2) / N;
    for (int j = 0; j < DIM; j++)
        total += variance[j];
    /* the power iteration's value of the covariance: far above the mean variance, and above the
     * largest single coordinate */
    double u[DIM], w[DIM];
    for (int j = 0; j < DIM; j++)
        u[j] = 1;
    for (int round = 0; round < 60; round++) {
        memset(w, 0, sizeof w);
        for (int i = 0; i < N; i++) {
            double dot = 0;
            for (int j = 0; j < DIM; j++)
                dot += u[j] * (x[i * DIM + j] - mean[j]);
            for (int j = 0; j < DIM; j++)
                w[j] += dot * (x[i * DIM + j] - mean[j]) / N;
        }
        largest = 0;
        for (int j = 0; j < DIM; j++)
            largest += w[j] * w[j];
        largest = sqrt(largest);
        for (int j = 0; j < DIM; j++)
            u[j] = w[j] / largest;
    }
    cr_assert_gt(largest, 4 * total / DIM);
    for (int j = 0; j < DIM; j++)
        cr_assert_lt(variance[j], 0.9 * largest);
    free(x);
    vectors_close(&v);
}

Test(synthetic, wrong_words_are_usage_errors)
{
    static const char *const bad[] = {"synthetic:n=0", "synthetic:d=70000", "synthetic:m=3",
                                      "synthetic:n",   "synthetic:part=x",  "synthetic:n=1e5",
                                      "synthetic:part=learn"};
    vectors v;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert_eq(vectors_open(&v, bad[i]), CLI_EUSAGE, "%s", bad[i]);
}

/* ---- Parts of large files ------------------------------------------------------------------- */

static void opens_with_first(const char *spec, int64_t n, double first)
{
    vectors v;
    float x[D];
    cr_assert_eq(vectors_open(&v, spec), LBH_OK, "%s: %s", spec, lbh_last_error());
    cr_assert_eq(v.n, n, "%s: %lld rows", spec, (long long)v.n);
    cr_assert_eq(vectors_floats(&v, 0, 1, x), LBH_OK);
    cr_assert_float_eq(x[0], first, 0);
    vectors_close(&v);
}

/* The first bytes of a file of more rows: the rows that are there can be taken, by name alone. */
Test(readers, first_part_of_a_bin)
{
    static const char *const kinds[][2] = {{"a.fbin", "f4"}, {"a.u8bin", "u1"}, {"a.i8bin", "u1"}};
    for (size_t i = 0; i < 3; i++) {
        char path[512], spec[600];
        vectors v;
        bytes b;
        make(&b, kinds[i][0] + 1, kinds[i][1]);
        snprintf(path, sizeof path, "%s", test_tmp(kinds[i][0]));
        size_t row = (b.size - 8) / ROWS;
        test_spit(path, b.data, 8 + 3 * row + 1); /* and a piece of the next */
        cr_assert_eq(vectors_open(&v, path), LBH_EFORMAT);
        cr_assert(strstr(lbh_last_error(), "cut off"), "%s", lbh_last_error());
        snprintf(spec, sizeof spec, "%s@0:3", path);
        opens_with_first(spec, 3, value(0, 0));
        snprintf(spec, sizeof spec, "%s@2:", path);
        opens_with_first(spec, 1, value(2, 0));
        snprintf(spec, sizeof spec, "%s@0:4", path);
        cr_assert_eq(vectors_open(&v, spec), CLI_EUSAGE);
        cr_assert(strstr(lbh_last_error(), "rows 0 to 3"), "%s", lbh_last_error());
        test_spit(path, b.data, b.size + 1); /* longer than it says */
        snprintf(spec, sizeof spec, "%s@0:3", path);
        cr_assert_eq(vectors_open(&v, spec), LBH_EFORMAT);
        test_spit(path, b.data, 8); /* no row at all */
        cr_assert_eq(vectors_open(&v, spec), LBH_EFORMAT);
    }
}

/* The names of big-ann-benchmarks' subsets. */
Test(readers, cropped_names)
{
    bytes b;
    char path[512], spec[600];
    vectors v;
    make(&b, ".u8bin", "u1");
    snprintf(path, sizeof path, "%s", test_tmp("base.1B.u8bin.crop_nb_5"));
    test_spit(path, b.data, b.size);
    opens_with_first(path, ROWS, value(0, 0));
    snprintf(spec, sizeof spec, "%s@1:3", path);
    opens_with_first(spec, 2, value(1, 0));
    snprintf(path, sizeof path, "%s", test_tmp("base.u8bin.crop_nb_5x"));
    test_spit(path, b.data, b.size);
    cr_assert_eq(vectors_open(&v, path), CLI_EUSAGE);
}

/* What has been read may be forgotten: it is there again, also where the map is no file. */
Test(readers, rows_behind)
{
    vectors v;
    bytes b;
    float x[D];
    char path[512];
    make(&b, ".npy", "f4");
    snprintf(path, sizeof path, "%s", test_tmp("behind.npy"));
    test_spit(path, b.data, b.size);
    cr_assert_eq(vectors_open(&v, path), LBH_OK);
    cr_assert(v.lies);
    for (int turn = 0; turn < 2; turn++) {
        cr_assert_eq(vectors_floats(&v, 4, 1, x), LBH_OK);
        cr_assert_float_eq(x[2], value(4, 2), 0);
        vectors_behind(&v, 0, ROWS);
    }
    vectors_close(&v);
}
