/* test_encoder_document.c: model files that are whole, well sealed and wrong: each is refused by name of
 * what is wrong, and nothing is made of it. And wrong calls of the functions that all methods share. */
#include "support.h"

#include "lbh.h"
#include "model_file.h"

#include <math.h>
#include <string.h>

enum { D = 3, NBITS = 5 };

#define OK(call) cr_assert_eq((call), LBH_OK, "%s", lbh_last_error())
#define FAILS(call, code, part)                                                                    \
    do {                                                                                           \
        int rc_ = (call);                                                                          \
        cr_assert_eq(rc_, code, "%s gave %d, not %d: %s", #call, rc_, code, lbh_last_error());     \
        cr_assert(strstr(lbh_last_error(), part), "%s: \"%s\"", #call, lbh_last_error());          \
    } while (0)

/* A model of lsh with one thing changed: NULL or 0 leave what is right. */
typedef struct model {
    const char *format, *method, *d, *nbits, *order, *seed;
    int64_t rows, cols; /* of A */
    const char *extra;  /* one tensor more, or ... */
    bool without_b;
    float first; /* A[0] */
} model;

static const char *write_model(model m)
{
    static float A[NBITS * D + D] = {0, 1, 2, -3, 4, 5, 6, -7, 8, 9, 1, 2, 3, 4, -5}, b[NBITS] = {1};
    const char *path = test_tmp("model.lbh");
    lbh_document doc = {0};
    A[0] = m.first;
    OK(lbh_document_put(&doc, "format", m.format ? m.format : "faiss-lbh model"));
    if (!m.method || *m.method)
        OK(lbh_document_put(&doc, "method", m.method ? m.method : "lsh"));
    OK(lbh_document_put(&doc, "d", m.d ? m.d : "3"));
    OK(lbh_document_put(&doc, "nbits", m.nbits ? m.nbits : "5"));
    OK(lbh_document_put(&doc, "option.seed", m.seed ? m.seed : "1"));
    OK(lbh_document_put(&doc, "option.of_a_later_version", "17"));
    OK(lbh_document_put(&doc, "bit_order", m.order ? m.order : "lsb"));
    OK(lbh_document_put_tensor(&doc, "A", m.rows ? m.rows : NBITS, m.cols ? m.cols : D, A));
    if (!m.without_b)
        OK(lbh_document_put_tensor(&doc, "b", 1, NBITS, b));
    if (m.extra)
        OK(lbh_document_put_tensor(&doc, m.extra, 1, 1, b));
    OK(lbh_document_write(&doc, path));
    lbh_document_clear(&doc);
    return path;
}

Test(encoder_file, a_model_written_by_hand_is_read)
{
    /* Bits are [A x + b >= 0]: of the first column of A, 0 -3 6 9 3, and b = 1 0 0 0 0. */
    static const float x[D] = {1, 0, 0};
    lbh_encoder *enc = NULL;
    uint8_t code;
    double seed;
    OK(lbh_encoder_load(&enc, write_model((model){.seed = "42"})));
    OK(lbh_encoder_encode(enc, 1, x, &code));
    cr_assert_eq(code, 1 | 4 | 8 | 16, "%d", code);
    OK(lbh_encoder_get_value(enc, "seed", &seed));
    cr_assert_eq(seed, 42);
    lbh_encoder_free(enc);
}

Test(encoder_file, wrong_models_are_refused_by_name)
{
    static const struct {
        model m;
        const char *part;
    } wrong[] = {
        {{.format = "faiss-lbh checkpoint"}, "not a model"},
        {{.format = "something else altogether, and longer than sixty-four characters, too"},
         "not a model"},
        {{.method = ""}, "method, d or nbits is missing"},
        {{.method = "hsl"}, "hsl"},
        {{.d = "three"}, "missing"},
        {{.d = "0"}, "out of bounds"},
        {{.d = "65537"}, "out of bounds"},
        {{.d = "nan"}, "missing"},
        {{.nbits = "4097"}, "out of bounds"},
        {{.nbits = "1e300"}, "out of bounds"},
        {{.order = "msb"}, "unknown bit order msb"},
        {{.seed = "lucky"}, "option.seed is no number: lucky"},
        {{.seed = "-1"}, "seed"},
        {{.seed = "0.5"}, "seed"},
        {{.rows = 4}, "A is 4 x 3 and should be 5 x 3"},
        {{.cols = 2}, "A is 5 x 2 and should be 5 x 3"},
        {{.d = "4"}, "should be 5 x 4"},
        {{.nbits = "6"}, "should be 6 x 3"},
        {{.without_b = true}, "tensor b is missing"},
        {{.extra = "c"}, "1 tensors that lsh does not know"},
        {{.first = NAN}, "A holds a NaN"},
        {{.first = -INFINITY}, "A holds a NaN or an infinity"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        lbh_encoder *enc = NULL;
        FAILS(lbh_encoder_load(&enc, write_model(wrong[i].m)), LBH_EFORMAT, wrong[i].part);
        cr_assert_null(enc);
    }
}

Test(encoder_file, wrong_calls)
{
    lbh_encoder *enc = NULL, *other = NULL;
    double value;
    OK(lbh_encoder_load(&enc, write_model((model){0})));
    FAILS(lbh_encoder_load(NULL, "x"), LBH_EINVAL, "NULL");
    FAILS(lbh_encoder_load(&other, NULL), LBH_EINVAL, "NULL");
    FAILS(lbh_encoder_load_memory(NULL, "x", 1), LBH_EINVAL, "NULL");
    FAILS(lbh_encoder_load_memory(&other, NULL, 1), LBH_EINVAL, "NULL");
    FAILS(lbh_encoder_load_memory(&other, "LBHM", 4), LBH_EFORMAT, "model in memory");
    FAILS(lbh_encoder_save(NULL, "x"), LBH_EINVAL, "NULL");
    FAILS(lbh_encoder_save(enc, NULL), LBH_EINVAL, "NULL");
    FAILS(lbh_encoder_get_value(enc, "no_such", &value), LBH_EINVAL, "no_such");
    FAILS(lbh_encoder_checkpoint(NULL, "x", 1), LBH_EINVAL, "NULL");
    FAILS(lbh_encoder_checkpoint(enc, "x", -1), LBH_EINVAL, "seconds");
    FAILS(lbh_encoder_encode_refined(enc, 1, (float[D]){0}, -1, (uint8_t[1]){0}), LBH_EINVAL, "-1");
    cr_assert_eq(lbh_encoder_digest(NULL), 0);
    lbh_encoder_free(enc);
}

Test(encoder_file, rows_and_lists_that_do_not_fit_are_refused)
{
    enum { N = 4 };
    static const float x[N * D] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    static const int64_t up[] = {0, 1, 2, 3, 4}, from_one[] = {1, 1, 2, 3, 4},
                         falling[] = {0, 2, 1, 3, 4}, item[] = {0, 1, 1, 0}, below[] = {0, 1, -1, 0};
    const struct {
        lbh_lists lists;
        const char *part;
    } wrong[] = {{{3, 2, up, item}, "3 rows, but there are 4"}, {{N, 2, NULL, item}, "start[0]"},
                 {{N, 2, from_one, item}, "start[0]"},          {{N, 2, falling, item}, "row 1"},
                 {{N, 1, up, item}, "item 1 is not in 0 .. 0"}, {{N, 2, up, below}, "item -1"}};
    lbh_encoder *enc = NULL;
    OK(lbh_encoder_new(&enc, "lsh", D, NBITS));
    lbh_rows rows = lbh_rows_from_matrix(N, D, x), other = lbh_rows_from_matrix(N, D + 1, x);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        FAILS(lbh_encoder_train_rows(enc, &rows, &wrong[i].lists, NULL), LBH_EINVAL, wrong[i].part);
        cr_assert(!lbh_encoder_is_trained(enc));
    }
    FAILS(lbh_encoder_train_rows(enc, NULL, NULL, NULL), LBH_EINVAL, "NULL");
    FAILS(lbh_encoder_train_rows(NULL, &rows, NULL, NULL), LBH_EINVAL, "NULL");
    FAILS(lbh_encoder_train_rows(enc, &other, NULL, NULL), LBH_EINVAL, "dimension 4");
    OK(lbh_encoder_train_rows(enc, &rows, &(lbh_lists){N, 2, up, item}, NULL));
    lbh_encoder_free(enc);
}

Test(encoder_file, a_sample_of_the_rows_has_each_row_once)
{
    /* Row i is the unit vector e_i, and lsh keeps b = -A mean with an orthogonal A: the mean shows
     * which rows it was taken of. */
    enum { ROWS = 24, SAMPLE = 7 };
    static float x[ROWS * ROWS], A[ROWS * ROWS], b[ROWS];
    lbh_encoder *enc = NULL;
    int taken = 0;
    for (int i = 0; i < ROWS; i++)
        x[i * ROWS + i] = 1;
    OK(lbh_encoder_new(&enc, "lsh", ROWS, ROWS));
    OK(lbh_encoder_set(enc, "max_train=7"));
    OK(lbh_encoder_train(enc, ROWS, x));
    OK(lbh_encoder_linear(enc, A, b));
    for (int j = 0; j < ROWS; j++) {
        double mean = 0;
        for (int k = 0; k < ROWS; k++)
            mean -= (double)A[k * ROWS + j] * (double)b[k];
        cr_assert(fabs(mean) < 1e-5 || fabs(mean - 1.0 / SAMPLE) < 1e-5, "row %d: %g", j, mean);
        taken += mean > 0.5 / SAMPLE;
    }
    cr_assert_eq(taken, SAMPLE);
    lbh_encoder_free(enc);
}
