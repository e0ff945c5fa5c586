/* test_cosine.c: metric=cosine: rows and queries of any length count by their direction, in training,
 * in codes and in scores; rows of zeros have none. */
#include "support.h"

#include "lbh.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N = 700, D = 20, K = 25 };

#define OK(call) cr_assert_eq((call), LBH_OK, "%s", lbh_last_error())

static float *unit_rows(int64_t *label)
{
    float *x = test_mixture(N, D, 9, label);
    for (int i = 0; i < N; i++) {
        double sum = 0;
        for (int j = 0; j < D; j++)
            sum += (double)x[i * D + j] * (double)x[i * D + j];
        for (int j = 0; j < D; j++)
            x[i * D + j] = (float)((double)x[i * D + j] / sqrt(sum));
    }
    return x;
}

/* The same directions at lengths around 2^-60 to 2^60: powers of two change no digit. */
static float *of_any_length(void)
{
    float *x = test_mixture(N, D, 9, NULL);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < D; j++)
            x[i * D + j] = ldexpf(x[i * D + j], i * 37 % 121 - 60);
    return x;
}

static lbh_encoder *trained(const char *method, int nbits, const char *options, const float *x,
                            const int64_t *label)
{
    lbh_encoder *enc = NULL;
    lbh_param p;
    int64_t start[N + 1];
    for (int i = 0; i <= N; i++)
        start[i] = i;
    lbh_lists labels = {N, 10, start, label};
    lbh_rows rows = lbh_rows_from_matrix(N, D, x);
    OK(lbh_encoder_new(&enc, method, D, nbits));
    for (int i = 0; lbh_method_param(&p, method, i) == LBH_OK; i++)
        if (strcmp(p.name, "steps") == 0)
            OK(lbh_encoder_set_value(enc, p.name, 40));
    OK(lbh_encoder_set(enc, options));
    cr_assert_eq(lbh_encoder_train_rows(enc, &rows, &labels, NULL), LBH_OK, "%s: %s", method,
                 lbh_last_error());
    return enc;
}

static void same_codes(const lbh_encoder *a, const float *x, const lbh_encoder *b, const float *y)
{
    size_t size = N * lbh_encoder_code_size(a);
    uint8_t *one = malloc(size), *two = malloc(size);
    OK(lbh_encoder_encode(a, N, x, one));
    OK(lbh_encoder_encode(b, N, y, two));
    cr_assert(memcmp(one, two, size) == 0, "%s: items", lbh_encoder_method(a));
    OK(lbh_encoder_encode_queries(a, N, x, one));
    OK(lbh_encoder_encode_queries(b, N, y, two));
    cr_assert(memcmp(one, two, size) == 0, "%s: queries", lbh_encoder_method(a));
    free(one), free(two);
}

Test(cosine, every_method_learns_from_directions)
{
    int64_t label[N];
    float *unit = unit_rows(label), *x = of_any_length();
    for (int m = 0; m < lbh_method_count(); m++) {
        const char *method = lbh_method_name(m);
        lbh_encoder *a = trained(method, 24, "metric=cosine", x, label), *copy;
        lbh_encoder *b = trained(method, 24, "metric=l2", unit, label);
        cr_assert_eq(lbh_encoder_digest(a), lbh_encoder_digest(b), "%s", method);
        same_codes(a, x, b, unit);
        OK(lbh_encoder_save(a, test_tmp("m.lbh")));
        OK(lbh_encoder_load(&copy, test_tmp("m.lbh")));
        same_codes(copy, x, b, unit);
        lbh_encoder_free(copy);
        lbh_encoder_free(a);
        lbh_encoder_free(b);
    }
    free(unit), free(x);
}

Test(cosine, searched_codes_and_refined_ones_are_of_directions)
{
    int64_t label[N];
    float *unit = unit_rows(label), *x = of_any_length();
    lbh_encoder *a = trained("sgh", 24, "metric=cosine,score=decoder,alternations=4", x, label);
    lbh_encoder *b = trained("sgh", 24, "score=decoder,alternations=4", unit, label);
    same_codes(a, x, b, unit);
    lbh_encoder *c = trained("itq", 24, "metric=cosine", x, label);
    lbh_encoder *d = trained("itq", 24, "", unit, label);
    uint8_t one[N][3], two[N][3];
    OK(lbh_encoder_encode_refined(c, N, x, 20, one[0]));
    OK(lbh_encoder_encode_refined(d, N, unit, 20, two[0]));
    cr_assert(memcmp(one, two, sizeof one) == 0);
    lbh_encoder_free(a), lbh_encoder_free(b), lbh_encoder_free(c), lbh_encoder_free(d);
    free(unit), free(x);
}

Test(cosine, bytes_are_brought_to_unit_length_too)
{
    int64_t label[N];
    float *x = unit_rows(label), few[50 * D];
    uint8_t bytes[50 * D], one[50][3], two[50][3];
    for (int i = 0; i < 50 * D; i++)
        few[i] = bytes[i] = (uint8_t)(test_uniform(4, (uint64_t)i) * 200);
    static const char *const options[] = {"metric=cosine", "metric=cosine,score=decoder,"
                                                           "alternations=3"};
    for (int o = 0; o < 2; o++) {
        lbh_encoder *enc = trained("sgh", 24, options[o], x, label);
        OK(lbh_encoder_encode(enc, 50, few, one[0]));
        OK(lbh_encoder_encode_u8(enc, 50, bytes, D, two[0]));
        cr_assert(memcmp(one, two, sizeof one) == 0);
        lbh_encoder_free(enc);
    }
    free(x);
}

Test(cosine, rows_of_zeros_are_counted_and_encoded)
{
    int64_t label[N];
    float *x = unit_rows(label), zero[D] = {0}, z[24];
    for (int i = 0; i < 3; i++)
        memset(x + (100 + i * 50) * D, 0, D * sizeof *x);
    lbh_encoder *enc = trained("itq", 24, "metric=cosine", x, label);
    const char *note = lbh_encoder_note(enc, "zero_rows");
    cr_assert(note && strncmp(note, "3 of 700 rows hold nothing but zeros", 36) == 0, "%s", note);
    OK(lbh_encoder_project(enc, 1, zero, z));
    for (int j = 0; j < 24; j++)
        cr_assert(isfinite(z[j]));
    lbh_encoder_free(enc);
    enc = trained("itq", 24, "", x, label);
    cr_assert_null(lbh_encoder_note(enc, "zero_rows"));
    x[3] = NAN;
    uint8_t codes[N][3];
    lbh_encoder_free(enc);
    enc = NULL;
    OK(lbh_encoder_new(&enc, "itq", D, 24));
    OK(lbh_encoder_set(enc, "metric=cosine"));
    cr_assert_eq(lbh_encoder_train(enc, N, x), LBH_EINVAL);
    x[3] = 1;
    OK(lbh_encoder_train(enc, N, x));
    x[5 * D] = INFINITY;
    cr_assert_eq(lbh_encoder_encode(enc, N, x, codes[0]), LBH_EINVAL);
    cr_assert(strstr(lbh_last_error(), "row 5 "), "%s", lbh_last_error());
    lbh_encoder_free(enc);
    free(x);
}

Test(cosine, the_map_is_of_unit_rows)
{
    int64_t label[N];
    float *unit = unit_rows(label), *x = of_any_length(), A[24 * D], b[24], z[24];
    lbh_encoder *enc = trained("itq", 24, "metric=cosine", x, label);
    int one = 0;
    cr_assert_eq(lbh_encoder_linear(enc, A, b), LBH_EINVAL);
    cr_assert_eq(lbh_encoder_is_asymmetric(enc), 0);
    OK(lbh_encoder_linear_queries(enc, A, b, &one));
    cr_assert_eq(one, 1);
    OK(lbh_encoder_project(enc, 1, x + 9 * D, z));
    for (int k = 0; k < 24; k++) {
        double sum = b[k];
        for (int j = 0; j < D; j++)
            sum += (double)A[k * D + j] * (double)unit[9 * D + j];
        cr_assert_float_eq(z[k], sum, 1e-5);
    }
    lbh_encoder_free(enc);
    free(unit), free(x);
}

static double cosine(const float *a, const float *b)
{
    double ab = 0, aa = 0, bb = 0;
    for (int j = 0; j < D; j++) {
        ab += (double)a[j] * (double)b[j];
        aa += (double)a[j] * (double)a[j];
        bb += (double)b[j] * (double)b[j];
    }
    return aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : 0;
}

/* The K answers are the highest cosines between q and the rows y, as far as floats tell them apart. */
static void check_answers(const float *q, const float *y, const float *distances,
                          const int64_t *labels)
{
    double all[N];
    for (int i = 0; i < N; i++)
        all[i] = cosine(q, y + i * D);
    for (int i = 0; i < K; i++) {
        int above = 0;
        cr_assert_float_eq(distances[i], all[labels[i]], 1e-5);
        for (int j = 0; j < N; j++)
            above += all[j] > all[labels[i]] + 1e-5;
        cr_assert(above <= i, "answer %d has %d better ones", i, above);
        cr_assert(i == 0 || distances[i] <= distances[i - 1]);
    }
}

Test(cosine, scores_are_cosines_with_what_the_decoder_makes)
{
    static const char *const options[] = {"metric=cosine,rebuild=linear",
                                          "metric=cosine,rebuild=tables"};
    int64_t label[N], labels[K], ids[N];
    float *unit = unit_rows(label), *x = of_any_length(), distances[K];
    float *y = malloc(N * D * sizeof *y);
    for (int i = 0; i < N; i++)
        ids[i] = i;
    for (int o = 0; o < 4; o++) {
        int nbits = o < 2 ? 16 : 40; /* fewer and more than D */
        lbh_encoder *enc = trained("itq", nbits, options[o % 2], x, label);
        uint8_t *codes = malloc(N * lbh_encoder_code_size(enc));
        lbh_rescorer *r;
        cr_assert_eq(lbh_encoder_has_tables(enc), o % 2);
        OK(lbh_encoder_encode(enc, N, x, codes));
        OK(lbh_encoder_decode(enc, N, codes, y));
        OK(lbh_rescorer_new(&r, enc, LBH_RESCORE_DECODER, LBH_METRIC_COSINE, NULL));
        for (int q = 0; q < 30; q++) {
            OK(lbh_encoder_search_decoded(enc, LBH_METRIC_COSINE, N, codes, 1, x + q * D, K,
                                          distances, labels));
            check_answers(x + q * D, y, distances, labels);
            OK(lbh_rescorer_rank(r, 1, x + q * D, N, codes, ids, N, K, distances, labels));
            check_answers(x + q * D, y, distances, labels);
        }
        lbh_rescorer_free(r);
        lbh_encoder_free(enc);
        free(codes);
    }
    free(unit), free(x), free(y);
}

Test(cosine, stored_vectors_of_any_length)
{
    int64_t label[N], labels[K], ids[N];
    float *unit = unit_rows(label), *x = of_any_length(), distances[K];
    memset(x + 4 * D, 0, D * sizeof *x);
    for (int j = 0; j < D; j++)
        x[6 * D + j] = 3e38f * (j % 2 ? 1 : -1);
    for (int i = 0; i < N; i++)
        ids[i] = i;
    lbh_encoder *enc = trained("itq", 16, "metric=cosine", unit, label);
    lbh_rows rows = lbh_rows_from_matrix(N, D, x);
    lbh_rescorer *r;
    OK(lbh_rescorer_new(&r, enc, LBH_RESCORE_FLOAT, LBH_METRIC_COSINE, &rows));
    for (int q = 0; q < 30; q++) {
        OK(lbh_rescorer_rank(r, 1, x + q * D, N, NULL, ids, N, K, distances, labels));
        check_answers(x + q * D, x, distances, labels);
    }
    lbh_rescorer_free(r);
    lbh_encoder_free(enc);
    free(unit), free(x);
}

/* Where all rows are of one length, inner products need no search: the codes are those for
 * distances. */
Test(cosine, inner_products_of_unit_rows_cost_no_search)
{
    int64_t label[N];
    float *unit = unit_rows(label);
    lbh_encoder *a = trained("sgh", 24, "metric=ip", unit, label);
    lbh_encoder *b = trained("sgh", 24, "metric=l2", unit, label);
    cr_assert_eq(lbh_encoder_is_asymmetric(a), 0);
    same_codes(a, unit, b, unit);
    lbh_encoder_free(a), lbh_encoder_free(b);
    a = trained("sgh", 24, "metric=ip,mips=searched,alternations=3", unit, label);
    cr_assert_eq(lbh_encoder_is_asymmetric(a), 1);
    lbh_encoder_free(a);
    free(unit);
}
