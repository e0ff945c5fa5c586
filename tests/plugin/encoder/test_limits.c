/* test_limits.c: sizes at the ends of what is allowed, and numbers that data seldom have. For every
 * method: it works, or it says why it cannot. */
#define _GNU_SOURCE
#include "support.h"

#include "rng.h"
#include "lbh_mih.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define OK(call) cr_assert_eq((call), LBH_OK, "%s", lbh_last_error())

#define FOR_ALL_METHODS(m)                                                                         \
    for (int m##_i = 0; m##_i < lbh_method_count(); m##_i++)                                       \
        for (const char *m = lbh_method_name(m##_i); m; m = NULL)

/* An encoder whose training is short. */
static lbh_encoder *fresh(const char *method, int d, int nbits)
{
    static const struct {
        const char *name;
        double value;
    } small[] = {{"steps", 5},    {"batch", 16},     {"hidden1", 8}, {"decoder1", 8},
                 {"anchors", 16}, {"iterations", 2}, {"paired", 40}, {"alternations", 1},
                 {"ascent", 2},   {"sweeps", 2},     {"svm_iterations", 2}, {"max_train", 1000}};
    lbh_encoder *enc = NULL;
    lbh_param p;
    OK(lbh_encoder_new(&enc, method, d, nbits));
    for (int i = 0; lbh_method_param(&p, method, i) == LBH_OK; i++)
        for (size_t j = 0; j < sizeof small / sizeof *small; j++)
            if (strcmp(p.name, small[j].name) == 0)
                OK(lbh_encoder_set_value(enc, p.name, small[j].value));
    return enc;
}

/* Rows 0, 1, 2, ... belong to classes 0, 1, 2, 0, ... */
static int train(lbh_encoder *enc, int64_t n, const float *x)
{
    int64_t *start = malloc(sizeof *start * (size_t)(n + 1));
    int64_t *label = malloc(sizeof *label * (size_t)(n + 1));
    for (int64_t i = 0; i <= n; i++) {
        start[i] = i;
        label[i] = i % 3;
    }
    lbh_rows rows = lbh_rows_from_matrix(n, lbh_encoder_d(enc), x);
    lbh_lists lists = {n, 3, start, label};
    int rc = lbh_encoder_train_rows(enc, &rows, &lists, NULL);
    free(start), free(label);
    return rc;
}

/* A training that was refused says so in one line, and leaves the encoder untrained. */
static void check_refused(const lbh_encoder *enc, int rc, const char *what)
{
    cr_assert(rc == LBH_EINVAL || rc == LBH_ENUMERIC, "%s, %s: %d: %s", lbh_encoder_method(enc),
              what, rc, lbh_last_error());
    cr_assert(strlen(lbh_last_error()) > 20 && !strchr(lbh_last_error(), '\n'));
    cr_assert(!lbh_encoder_is_trained(enc));
}

/* A trained encoder encodes these rows, the same way twice, and survives its file. */
static void check_trained(const lbh_encoder *enc, int64_t n, const float *x)
{
    const char *m = lbh_encoder_method(enc), *path = test_tmp("limits.lbh");
    size_t size = (size_t)n * lbh_encoder_code_size(enc);
    uint8_t *one = malloc(size), *two = malloc(size);
    lbh_encoder *back = NULL;
    cr_assert_eq(lbh_encoder_encode(enc, n, x, one), LBH_OK, "%s: %s", m, lbh_last_error());
    OK(lbh_encoder_save(enc, path));
    OK(lbh_encoder_load(&back, path));
    OK(lbh_encoder_encode(back, n, x, two));
    cr_assert(memcmp(one, two, size) == 0, "%s: other codes from its file", m);
    lbh_encoder_free(back);
    free(one), free(two);
}

/* ---- Dimensions and bits ------------------------------------------------------------------- */

/* Big sizes take minutes and gigabytes: only with LBH_BIG in the environment. */
static bool big(void)
{
    return getenv("LBH_BIG") != NULL;
}

static int shape(const char *method, int64_t n, int d, int nbits)
{
    float *x = test_mixture(n, d, 5, NULL);
    lbh_encoder *enc = fresh(method, d, nbits);
    int rc = train(enc, n, x);
    char what[80];
    snprintf(what, sizeof what, "d = %d, %d bits", d, nbits);
    if (rc)
        check_refused(enc, rc, what);
    else
        check_trained(enc, n, x);
    if (big())
        fprintf(stderr, "%-8s %-22s %s\n", method, what, rc ? lbh_last_error() : "ok");
    lbh_encoder_free(enc);
    free(x);
    return rc;
}

Test(limits, the_widest_rows)
{
    FOR_ALL_METHODS(m)
        shape(m, 40, big() ? 65536 : 4096, 16);
}

Test(limits, the_longest_codes)
{
    FOR_ALL_METHODS(m)
        shape(m, 100, 24, big() ? 4096 : 600);
}

Test(limits, one_dimension_and_one_bit)
{
    FOR_ALL_METHODS(m) {
        shape(m, 100, 1, 1);
        shape(m, 100, 1, 64);
        shape(m, 100, 40, 1);
    }
}

/* ---- Numbers that data seldom have --------------------------------------------------------- */

enum { ROWS = 200, D = 12, BITS = 16 };

typedef struct oddity {
    const char *name;
    float (*value)(int64_t row, int column);
} oddity;

static float all_zero(int64_t row, int column)
{
    (void)row, (void)column;
    return 0;
}

static float all_equal(int64_t row, int column)
{
    (void)row;
    return (float)column - 3;
}

static float one_column_varies(int64_t row, int column)
{
    return column == 5 ? (float)test_normal(1, (uint64_t)row) : 7;
}

static float two_different_rows(int64_t row, int column)
{
    return (float)(row % 2 * (column + 1));
}

static float denormal(int64_t row, int column)
{
    return 1e-41F * (float)test_normal(2, (uint64_t)(row * D + column));
}

static float denormal_and_not(int64_t row, int column)
{
    return column % 2 ? denormal(row, column) : (float)test_normal(3, (uint64_t)(row * D + column));
}

static float tiny(int64_t row, int column)
{
    return 1e-25F * (float)test_normal(4, (uint64_t)(row * D + column));
}

static float huge(int64_t row, int column)
{
    return 1e15F * (float)test_normal(5, (uint64_t)(row * D + column));
}

static float at_the_end(int64_t row, int column)
{
    return (row + column) % 2 ? FLT_MAX : -FLT_MAX;
}

static float far_away(int64_t row, int column)
{
    return 1e7F + (float)test_normal(6, (uint64_t)(row * D + column));
}

static float minus_zero(int64_t row, int column)
{
    return (row + column) % 2 ? -0.0F : 0.0F;
}

static const oddity oddities[] = {
    {"all zero", all_zero},
    {"all rows equal", all_equal},
    {"one column varies", one_column_varies},
    {"two different rows", two_different_rows},
    {"denormals", denormal},
    {"some columns denormal", denormal_and_not},
    {"tiny", tiny},
    {"huge", huge},
    {"the largest floats", at_the_end},
    {"far from 0", far_away},
    {"zeros of both signs", minus_zero},
};
enum { ODDITIES = sizeof oddities / sizeof *oddities };

static float *make(const oddity *o)
{
    float *x = malloc(sizeof *x * ROWS * D);
    for (int64_t i = 0; i < ROWS; i++)
        for (int j = 0; j < D; j++)
            x[i * D + j] = o->value(i, j);
    return x;
}

Test(limits, odd_numbers_to_train_on)
{
    FOR_ALL_METHODS(m)
        for (int i = 0; i < ODDITIES; i++) {
            float *x = make(&oddities[i]);
            lbh_encoder *enc = fresh(m, D, BITS);
            int rc = train(enc, ROWS, x);
            if (rc)
                check_refused(enc, rc, oddities[i].name);
            else
                check_trained(enc, ROWS, x);
            if (big())
                fprintf(stderr, "%-8s %-22s %s\n", m, oddities[i].name,
                        rc ? lbh_last_error() : "ok");
            lbh_encoder_free(enc);
            free(x);
        }
}

/* Equal rows get equal codes, and bits are what the projections say. */
Test(limits, odd_numbers_to_encode)
{
    FOR_ALL_METHODS(m) {
        lbh_encoder *enc = fresh(m, D, BITS);
        float *x = test_mixture(ROWS, D, 3, NULL), *z = malloc(sizeof *z * ROWS * BITS);
        uint8_t codes[ROWS * 2];
        cr_assert_eq(train(enc, ROWS, x), LBH_OK, "%s: %s", m, lbh_last_error());
        for (int i = 0; i < ODDITIES; i++) {
            float *odd = make(&oddities[i]);
            OK(lbh_encoder_encode(enc, ROWS, odd, codes));
            OK(lbh_encoder_project(enc, ROWS, odd, z));
            for (int64_t row = 0; row < ROWS; row++)
                for (int j = 0; j < BITS; j++)
                    cr_assert_eq(codes[row * 2 + j / 8] >> j % 8 & 1, z[row * BITS + j] >= 0,
                                 "%s, %s: row %d, bit %d", m, oddities[i].name, (int)row, j);
            for (int64_t row = 2; row < ROWS; row++)
                if (memcmp(odd + row * D, odd + (row - 2) * D, sizeof *odd * D) == 0)
                    cr_assert(memcmp(codes + row * 2, codes + (row - 2) * 2, 2) == 0, "%s, %s", m,
                              oddities[i].name);
            free(odd);
        }
        free(x), free(z);
        lbh_encoder_free(enc);
    }
}

Test(limits, few_rows_to_train_on)
{
    FOR_ALL_METHODS(m)
        for (int64_t n = 1; n <= 4; n++) {
            float *x = test_mixture(n, D, 3, NULL);
            lbh_encoder *enc = fresh(m, D, BITS);
            int rc = train(enc, n, x);
            if (rc)
                check_refused(enc, rc, "few rows");
            else
                check_trained(enc, n, x);
            if (big())
                fprintf(stderr, "%-8s %d rows: %s\n", m, (int)n, rc ? lbh_last_error() : "ok");
            lbh_encoder_free(enc);
            free(x);
        }
}

/* ---- Few rows, few dimensions, few different rows ------------------------------------------- */

typedef struct small {
    const char *name;
    int n, d, different; /* rows; dimensions; different rows, 0: all of them */
    float (*value)(int64_t row, int column);
} small;

static float normal(int64_t row, int column)
{
    return (float)test_normal(11, (uint64_t)(row * 64 + column)) / (1 + 0.2F * (float)column);
}

static float half_constant(int64_t row, int column)
{
    return column % 2 ? 7 : normal(row, column);
}

static float whole_number(int64_t row, int column)
{
    return floorf(2 * normal(row, column));
}

static float long_tail(int64_t row, int column)
{
    return normal(row, column) * (float)exp(1.8 * test_normal(12, (uint64_t)row));
}

static float one_in_half(int64_t row, int column)
{
    return normal(row % 2 ? row : 0, column);
}

static const small smalls[] = {
    {"10 rows", 10, 24, 0, normal},          {"50 rows", 50, 24, 0, normal},
    {"300 rows", 300, 24, 0, normal},        {"d = 1", 200, 1, 0, normal},
    {"d = 2", 200, 2, 0, normal},            {"constant columns", 200, 16, 0, half_constant},
    {"whole numbers", 200, 16, 0, whole_number}, {"long tails", 200, 16, 0, long_tail},
    {"all rows equal", 100, 8, 1, normal},   {"two different rows", 100, 8, 2, normal},
    {"20 different rows", 200, 16, 20, normal}, {"half of them one", 200, 16, 0, one_in_half},
};

static int compare_of_size(const void *a, const void *b, void *size)
{
    return memcmp(a, b, *(size_t *)size);
}

/* Sorts them. */
static int count_different(int n, size_t size, void *things)
{
    int count = 0;
    qsort_r(things, (size_t)n, size, compare_of_size, &size);
    for (int i = 0; i < n; i++)
        count += i == 0 || memcmp((char *)things + (size_t)(i - 1) * size,
                                  (char *)things + (size_t)i * size, size) != 0;
    return count;
}

/* What the codes are not good for is in the notes. */
static void check_notes(const lbh_encoder *enc, const small *s, int nbits, float *x)
{
    const char *m = lbh_encoder_method(enc);
    size_t size = lbh_encoder_code_size(enc);
    uint8_t *codes = malloc((size_t)s->n * size);
    int dead = 0;
    bool said = lbh_encoder_note(enc, "few_rows") != NULL;
    cr_assert(s->n < nbits ? said : !said || s->n < 16 * nbits, "%s, %s, %d bits", m, s->name, nbits);
    OK(lbh_encoder_encode(enc, s->n, x, codes));
    for (int k = 0; k < nbits; k++) {
        int ones = 0;
        for (int i = 0; i < s->n; i++)
            ones += codes[(size_t)i * size + (size_t)k / 8] >> k % 8 & 1;
        dead += ones == 0 || ones == s->n;
    }
    int different = count_different(s->n, size, codes);
    int rows = count_different(s->n, sizeof *x * (size_t)s->d, x);
    bool few = lbh_method_needs_labels(m) ? different == 1 && rows > 1 : different < rows / 4;
    bool bad = s->n >= 16 && few && (nbits >= 60 || different < 1 << nbits / 2);
    cr_assert(lbh_encoder_note(enc, "few_codes") || !bad, "%s, %s, %d bits: %d codes for %d rows", m,
              s->name, nbits, different, rows);
    cr_assert(lbh_encoder_note(enc, "dead_bits") || s->n < 16 || dead == 0, "%s, %s, %d bits: %d dead", m,
              s->name, nbits, dead);
    free(codes);
}

static void check_small(const char *m, const small *s, int nbits)
{
    float *x = malloc(sizeof *x * (size_t)(s->n * s->d)), *z = malloc(sizeof *z * (size_t)(s->n * nbits));
    for (int i = 0; i < s->n; i++)
        for (int j = 0; j < s->d; j++)
            x[i * s->d + j] = s->value(s->different ? i % s->different : i, j);
    lbh_encoder *enc = fresh(m, s->d, nbits);
    int rc = train(enc, s->n, x);
    if (rc)
        check_refused(enc, rc, s->name);
    else {
        OK(lbh_encoder_project(enc, s->n, x, z));
        for (int i = 0; i < s->n * nbits; i++)
            cr_assert(isfinite(z[i]), "%s, %s, %d bits", m, s->name, nbits);
        check_notes(enc, s, nbits, x);
    }
    lbh_encoder_free(enc);
    free(x), free(z);
}

Test(limits, small_and_odd_data_are_not_learned_from_in_silence)
{
    FOR_ALL_METHODS(m)
        for (size_t i = 0; i < sizeof smalls / sizeof *smalls; i++) {
            check_small(m, &smalls[i], 16);
            check_small(m, &smalls[i], 64);
        }
}

/* NaN and infinity are refused by every call that takes floats; the row is named. */
Test(limits, what_is_no_number)
{
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    FOR_ALL_METHODS(m)
        for (int i = 0; i < 3; i++) {
            lbh_encoder *enc = fresh(m, D, BITS), *good = fresh(m, D, BITS);
            float *x = test_mixture(ROWS, D, 3, NULL), z[ROWS * BITS];
            uint8_t codes[ROWS * 2];
            OK(train(good, ROWS, x));
            for (int64_t row = 0; row < ROWS; row += 2) /* some methods read a sample of rows */
                x[row * D + 5] = bad[i];
            cr_assert_eq(train(enc, ROWS, x), LBH_EINVAL, "%s", m);
            cr_assert(strstr(lbh_last_error(), "holds a NaN"), "%s", lbh_last_error());
            free(x);
            x = test_mixture(ROWS, D, 3, NULL);
            x[77 * D + 5] = bad[i];
            cr_assert_eq(lbh_encoder_encode(good, ROWS, x, codes), LBH_EINVAL);
            cr_assert(strstr(lbh_last_error(), "77"));
            cr_assert_eq(lbh_encoder_encode_queries(good, ROWS, x, codes), LBH_EINVAL);
            cr_assert_eq(lbh_encoder_project(good, ROWS, x, z), LBH_EINVAL);
            cr_assert_eq(lbh_encoder_project_queries(good, ROWS, x, z), LBH_EINVAL);
            lbh_encoder_free(enc), lbh_encoder_free(good);
            free(x);
        }
}

/* ---- More rows than 2^31 of anything ------------------------------------------------------- */

/* Zeros as far as one likes: all pages that are only read are one page. */
static void *zeros(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    cr_assert(p != MAP_FAILED, "no address space for %zu bytes", size);
    return p;
}

/* 2^31 + 1000 codes of one byte: ids beyond 32 bits. */
Test(limits, search_more_codes_than_2_to_the_31)
{
    if (!big())
        cr_skip_test("reads gigabytes: set LBH_BIG");
    const int64_t n = (INT64_C(1) << 31) + 1000;
    uint8_t *codes = zeros((size_t)n), query = 0xff;
    int32_t distances[3];
    int64_t labels[3];
    codes[n - 7] = 0xff;
    codes[n - 3] = 0xfe;
    OK(lbh_hamming_search(1, &query, n, codes, 1, 3, distances, labels));
    cr_assert(labels[0] == n - 7 && labels[1] == n - 3 && labels[2] == 0);
    cr_assert(distances[0] == 0 && distances[1] == 1 && distances[2] == 8);
    lbh_range_result *range = NULL;
    OK(lbh_hamming_range(&range, 1, &query, n, codes, 1, 2));
    cr_assert(range->lims[1] == 2 && range->labels[0] == n - 7 && range->labels[1] == n - 3);
    lbh_range_result_free(range);
    munmap(codes, (size_t)n);
}

/* More than 2^31 bytes of codes, of bytes and of floats to encode. */
Test(limits, more_bytes_than_2_to_the_31)
{
    enum { WIDE = 2048, BYTES = 64 };
    if (!big())
        cr_skip_test("reads gigabytes: set LBH_BIG");
    const int64_t n = (INT64_C(1) << 31) / BYTES + 1000, m = (INT64_C(1) << 31) / WIDE + 50;
    uint8_t *codes = zeros((size_t)n * BYTES), query[BYTES];
    int32_t distance;
    int64_t label;
    memset(query, 0x55, sizeof query);
    memset(codes + (n - 1) * BYTES, 0x55, BYTES);
    OK(lbh_hamming_search(1, query, n, codes, BYTES, 1, &distance, &label));
    cr_assert(distance == 0 && label == n - 1);
    munmap(codes, (size_t)n * BYTES);

    float *train_on = test_mixture(100, WIDE, 3, NULL);
    lbh_encoder *enc = fresh("lsh", WIDE, 8);
    OK(train(enc, 100, train_on));
    uint8_t *out = malloc((size_t)m), want;
    uint8_t *x8 = zeros((size_t)m * WIDE);
    for (int j = 0; j < WIDE; j++)
        x8[(m - 1) * WIDE + j] = (uint8_t)(j * 7);
    OK(lbh_encoder_encode_u8(enc, m, x8, WIDE, out));
    OK(lbh_encoder_encode_u8(enc, 1, x8 + (m - 1) * WIDE, WIDE, &want));
    cr_assert_eq(out[m - 1], want);
    munmap(x8, (size_t)m * WIDE);
    float *x = zeros((size_t)m * WIDE * sizeof *x); /* more than 2^31 floats */
    memcpy(x + (m - 1) * WIDE, train_on, WIDE * sizeof *x);
    OK(lbh_encoder_encode(enc, m, x, out));
    OK(lbh_encoder_encode(enc, 1, train_on, &want));
    cr_assert_eq(out[m - 1], want);
    munmap(x, (size_t)m * WIDE * sizeof *x);
    free(train_on), free(out);
    lbh_encoder_free(enc);
}

/* Row i is a function of i, wherever it is. */
static int read_any(const lbh_rows *self, int64_t count, const int64_t *ids, float *x)
{
    for (int64_t i = 0; i < count; i++) {
        cr_assert(ids[i] >= 0 && ids[i] < self->n);
        for (int j = 0; j < self->d; j++)
            x[i * self->d + j] = (float)test_normal(8, (uint64_t)(ids[i] * self->d + j));
    }
    return LBH_OK;
}

/* Methods that learn from a sample, from five thousand million rows. */
Test(limits, a_sample_of_more_rows_than_2_to_the_32)
{
    lbh_rows rows = {.n = INT64_C(5000000000), .d = D, .read = read_any};
    FOR_ALL_METHODS(m) {
        lbh_param p;
        bool sampled = false;
        for (int i = 0; lbh_method_param(&p, m, i) == LBH_OK; i++)
            sampled = sampled || strcmp(p.name, "max_train") == 0;
        if (!sampled || lbh_method_needs_labels(m))
            continue;
        lbh_encoder *enc = fresh(m, D, BITS);
        cr_assert_eq(lbh_encoder_train_rows(enc, &rows, NULL, NULL), LBH_OK, "%s: %s", m,
                     lbh_last_error());
        cr_assert_eq(lbh_encoder_n_train(enc), rows.n);
        lbh_encoder_free(enc);
    }
}

/* The table of changed entries against the list itself. */
Test(limits, a_sample_is_the_same_in_less_memory)
{
    enum { COUNT = 5000 };
    const int64_t n = (1 << 20) + 7;
    int64_t *all = malloc(sizeof *all * (size_t)n), got[COUNT];
    OK(lbh_rng_sample(3, 1, n, COUNT, got));
    for (int64_t i = 0; i < n; i++)
        all[i] = i;
    for (int64_t i = 0; i < COUNT; i++) {
        int64_t j = i + lbh_rng_below(3, 1, (uint64_t)i, n - i), taken = all[j];
        cr_assert_eq(got[i], taken, "number %d", (int)i);
        all[j] = all[i];
    }
    free(all);
}

Test(limits, sizes_that_are_refused)
{
    lbh_encoder *enc = NULL;
    lbh_mih *mih = NULL;
    uint8_t byte = 0;
    int32_t distance;
    int64_t label;
    cr_assert_eq(lbh_encoder_new(&enc, "lsh", 65537, 8), LBH_EINVAL);
    cr_assert_eq(lbh_encoder_new(&enc, "lsh", 8, 4097), LBH_EINVAL);
    cr_assert_eq(lbh_encoder_new(&enc, "lsh", 0, 8), LBH_EINVAL);
    cr_assert_eq(lbh_encoder_new(&enc, "lsh", 8, 0), LBH_EINVAL);
    cr_assert_eq(lbh_mih_build(&mih, 4, (INT64_C(1) << 32) - 1, &byte, NULL, 0), LBH_EINVAL);
    cr_assert_eq(lbh_hamming_search(1, &byte, 1, &byte, (size_t)1 << 28, 1, &distance, &label),
                 LBH_EINVAL);
    cr_assert(lbh_hamming_search(1, &byte, INT64_MAX, &byte, 64, 1, &distance, &label) < 0);
    cr_assert(lbh_hamming_search(INT64_MAX, &byte, 1, &byte, 1, INT64_MAX, &distance, &label) < 0);
    cr_assert_null(enc);
    cr_assert_null(mih);
}
