/* test_byte_tables.c: the decoder by byte tables: the least squares against what they must find, the
 * choice between tables and the linear decoder, files, and vectors rebuilt. */
#include "support.h"

#include "byte_tables.h"
#include "lbh.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#define OK(call) cr_assert_eq((call), LBH_OK, "%s", lbh_last_error())

enum { M = 2, R = 19 };

/* Rows that are sums of the entries of true tables, and noise; R = X where the tables start at 0. */
static float *rows_of(int64_t n, const uint8_t *codes, const float *truth, double noise)
{
    float *x = malloc((size_t)n * R * sizeof *x);
    for (int64_t i = 0; i < n; i++)
        for (int k = 0; k < R; k++) {
            double sum = noise * test_normal(8, (uint64_t)(i * R + k));
            for (int m = 0; m < M; m++)
                sum += (double)truth[((int64_t)m * 256 + codes[i * M + m]) * R + k];
            x[i * R + k] = (float)sum;
        }
    return x;
}

static float *true_tables(double size)
{
    float *T = malloc((size_t)M * 256 * R * sizeof *T);
    for (int i = 0; i < M * 256 * R; i++)
        T[i] = (float)(size * test_normal(7, (uint64_t)i));
    return T;
}

/* Mean squared length of what tables leave of rows. */
static double error_of(const lbh_tables *t, int64_t n, const uint8_t *codes, const float *x)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        for (int k = 0; k < R; k++) {
            double e = (double)x[i * R + k];
            for (int m = 0; m < M; m++)
                e -= (double)t->T[((int64_t)m * 256 + codes[i * M + m]) * R + k];
            sum += e * e;
        }
    return sum / (double)n;
}

Test(byte_tables, finds_the_tables_that_made_the_rows)
{
    enum { N = 20000 };
    uint8_t *codes = test_codes(N, M, 3);
    float *truth = true_tables(1), *x = rows_of(N, codes, truth, 0);
    lbh_tables t;
    double error[2];
    OK(lbh_tables_new(&t, M, R, R));
    OK(lbh_tables_fit(&t, N, codes, x, error));
    cr_assert_float_eq(error[0], M * R, 0.1 * M * R); /* of entries of variance 1 */
    cr_assert(error[1] < 0.01 * error[0] && error_of(&t, N, codes, x) < 0.01 * error[0]);
    lbh_tables_clear(&t);
    free(codes), free(truth), free(x);
}

/* The ridge of least lambda tried, 4, against its equation: for each entry, the sum of the residuals
 * of its rows is lambda times the entry. */
Test(byte_tables, solves_the_ridge_equations)
{
    enum { N = 6000 };
    uint8_t *codes = test_codes(N, M, 3);
    float *truth = true_tables(1), *x = rows_of(N, codes, truth, 0.1);
    double error[2], sum[M * 256], lambda = 4, worst = 0;
    lbh_tables t;
    OK(lbh_tables_new(&t, M, R, R));
    OK(lbh_tables_fit(&t, N, codes, x, error));
    for (int k = 0; k < R; k++) {
        memset(sum, 0, sizeof sum);
        for (int64_t i = 0; i < N; i++) {
            double e = (double)x[i * R + k];
            for (int m = 0; m < M; m++)
                e -= (double)t.T[((int64_t)m * 256 + codes[i * M + m]) * R + k];
            for (int m = 0; m < M; m++)
                sum[m * 256 + codes[i * M + m]] += e;
        }
        for (int j = 0; j < M * 256; j++)
            worst = fmax(worst, fabs(sum[j] - lambda * (double)t.T[(int64_t)j * R + k]));
    }
    cr_assert(worst < 0.15, "%g", worst); /* of sums of 23 rows of size 1 */
    lbh_tables_clear(&t);
    free(codes), free(truth), free(x);
}

/* Rows that the codes say nothing of: new rows must be rebuilt no worse than before, to 0.5 %. */
Test(byte_tables, noise_is_not_learned)
{
    enum { N = 3000 };
    uint8_t *codes = test_codes(2 * N, M, 3);
    float *zero = true_tables(0), *x = rows_of(2 * N, codes, zero, 1);
    double error[2];
    lbh_tables t;
    OK(lbh_tables_new(&t, M, R, R));
    double before = error_of(&t, N, codes + N * M, x + N * R);
    OK(lbh_tables_fit(&t, N, codes, x, error));
    cr_assert(error[1] <= error[0]);
    cr_assert(error_of(&t, N, codes + N * M, x + N * R) < 1.005 * before);
    lbh_tables_clear(&t);
    free(codes), free(zero), free(x);
}

Test(byte_tables, do_not_depend_on_the_threads)
{
    enum { N = 3000 };
    uint8_t *codes = test_codes(N, M, 3);
    float *truth = true_tables(1), *x = rows_of(N, codes, truth, 0.5), *first = NULL;
    size_t size = (size_t)M * 256 * R * sizeof *first;
    for (int threads = 1; threads <= 3; threads++) {
        double error[2];
        lbh_tables t;
        omp_set_num_threads(threads);
        OK(lbh_tables_new(&t, M, R, R));
        OK(lbh_tables_fit(&t, N, codes, x, error));
        if (!first)
            first = memcpy(malloc(size), t.T, size);
        cr_assert(memcmp(first, t.T, size) == 0, "%d threads", threads);
        lbh_tables_clear(&t);
    }
    free(codes), free(truth), free(x), free(first);
}

/* ---- Encoders ------------------------------------------------------------------------------ */

static lbh_encoder *trained(const char *method, const char *options, int64_t n, int d, int nbits,
                            const float *x)
{
    lbh_encoder *enc = NULL;
    OK(lbh_encoder_new(&enc, method, d, nbits));
    OK(lbh_encoder_set(enc, options));
    OK(lbh_encoder_train(enc, n, x));
    return enc;
}

static double rebuilt_error(const lbh_encoder *enc, int64_t n, const float *x)
{
    int d = lbh_encoder_d(enc);
    uint8_t *codes = malloc((size_t)n * lbh_encoder_code_size(enc));
    float *y = malloc((size_t)(n * d) * sizeof *y);
    double sum = 0;
    OK(lbh_encoder_encode(enc, n, x, codes));
    OK(lbh_encoder_decode(enc, n, codes, y));
    for (int64_t i = 0; i < n * d; i++)
        sum += ((double)y[i] - (double)x[i]) * ((double)y[i] - (double)x[i]);
    free(codes), free(y);
    return sum / (double)n;
}

/* Data of few clusters, which linear decoders cannot have all right. */
Test(byte_tables, rebuild_better_and_leave_the_codes_as_they_are)
{
    enum { N = 3000, D = 140, NBITS = 20 }; /* more dimensions than columns; pad bits */
    float *x = test_mixture(2 * N, D, 5, NULL), *fresh = x + N * D;
    lbh_encoder *linear = trained("itq", "decoder=linear", N, D, NBITS, x);
    lbh_encoder *tables = trained("itq", "decoder=tables", N, D, NBITS, x);
    lbh_encoder *automatic = trained("itq", "", N, D, NBITS, x);
    cr_assert(!lbh_encoder_has_tables(linear) && lbh_encoder_has_tables(tables));
    cr_assert(lbh_encoder_has_tables(automatic) && !lbh_encoder_has_tables(NULL));
    cr_assert_eq(lbh_encoder_digest(automatic), lbh_encoder_digest(tables));
    cr_assert_neq(lbh_encoder_digest(linear), lbh_encoder_digest(tables));
    uint8_t a[3 * 100], b[3 * 100];
    OK(lbh_encoder_encode(linear, 100, fresh, a));
    OK(lbh_encoder_encode(tables, 100, fresh, b));
    cr_assert(memcmp(a, b, sizeof a) == 0);
    double plain = rebuilt_error(linear, N, fresh), better = rebuilt_error(tables, N, fresh);
    cr_assert(better < 0.95 * plain, "%g, by tables %g", plain, better);
    lbh_encoder_free(linear), lbh_encoder_free(tables), lbh_encoder_free(automatic);
    free(x);
}

/* The mean of an isotropic Gaussian under the signs of orthogonal projections is linear in them, so
 * that nothing is left to tables; and there may be too few rows. */
Test(byte_tables, automatic_choice_stays_linear)
{
    enum { N = 2000, D = 16 };
    float *x = malloc((size_t)N * D * sizeof *x);
    for (int64_t i = 0; i < N * D; i++)
        x[i] = (float)test_normal(4, (uint64_t)i);
    lbh_encoder *enc = trained("itq", "", N, D, 16, x);
    lbh_encoder *few = trained("itq", "", 500, D, 8, x);
    lbh_encoder *forced = trained("itq", "rebuild=tables", 500, D, 8, x);
    cr_assert(!lbh_encoder_has_tables(enc) && !lbh_encoder_has_tables(few));
    cr_assert(lbh_encoder_has_tables(forced));
    lbh_encoder_free(enc), lbh_encoder_free(few), lbh_encoder_free(forced);
    free(x);
}

/* Codes and tables learned together, by the search: far better than tables for codes of another origin,
 * for rows that were not learned from; and they end in files that give the same codes. */
Test(byte_tables, codes_and_tables_learned_together)
{
    enum { N = 5000, M2 = 500, D = 24, NBITS = 20 };
    float *x = test_mixture(N + M2, D, 5, NULL), *fresh = x + N * D;
    for (int i = 0; i < 2; i++) {
        const char *metric = i ? "metric=ip,score=decoder,alternations=12"
                               : "score=decoder,alternations=12";
        lbh_encoder *plain = trained("sgh", "steps=100", N, D, NBITS, x), *read = NULL;
        lbh_encoder *both = trained("sgh", metric, N, D, NBITS, x);
        cr_assert(lbh_encoder_has_tables(both));
        double a = rebuilt_error(plain, M2, fresh), b = rebuilt_error(both, M2, fresh);
        cr_assert(b < 0.9 * a, "%g, together %g", a, b);
        uint8_t codes[M2 * 3], again[M2 * 3], alone[3];
        OK(lbh_encoder_encode(both, M2, fresh, codes));
        OK(lbh_encoder_save(both, test_tmp("both.lbh")));
        OK(lbh_encoder_load(&read, test_tmp("both.lbh")));
        omp_set_num_threads(1);
        OK(lbh_encoder_encode(read, M2, fresh, again));
        omp_set_num_threads(2);
        cr_assert(memcmp(codes, again, sizeof codes) == 0);
        for (int64_t j = 0; j < M2; j += 50) {
            cr_assert(codes[j * 3 + 2] < 16, "pad bits");
            OK(lbh_encoder_encode(read, 1, fresh + j * D, alone));
            cr_assert(memcmp(alone, codes + j * 3, 3) == 0);
        }
        lbh_encoder_free(plain), lbh_encoder_free(both), lbh_encoder_free(read);
    }
    free(x);
}

static double share_of_equal_bits(int64_t n, const uint8_t *a, const uint8_t *b)
{
    int64_t different = 0;
    for (int64_t i = 0; i < n; i++)
        different += test_hamming(a + i, b + i, 1);
    return 1 - (double)different / (8 * (double)n);
}

/* score=both: the queries' codes are those of score=hamming; the more items' bits are held to theirs,
 * the more of them stay, and the worse the rows are rebuilt. */
Test(byte_tables, bits_are_held_to_the_linear_code)
{
    enum { N = 5000, M2 = 500, D = 24, NBITS = 24 };
    static const char *const options[] = {"score=both,keep=0", "score=both,keep=2",
                                          "score=both,keep=1e5"};
    float *x = test_mixture(N + M2, D, 5, NULL), *fresh = x + N * D;
    uint8_t linear[M2 * 3], codes[M2 * 3];
    double equal = 0, error = 0;
    lbh_encoder *plain = trained("sgh", "steps=100", N, D, NBITS, x);
    OK(lbh_encoder_encode(plain, M2, fresh, linear));
    for (int i = 0; i < 3; i++) {
        char all[64] = "steps=100,alternations=12,";
        lbh_encoder *enc = trained("sgh", strcat(all, options[i]), N, D, NBITS, x);
        OK(lbh_encoder_encode_queries(enc, M2, fresh, codes));
        cr_assert(share_of_equal_bits(M2 * 3, linear, codes) > 0.9999);
        OK(lbh_encoder_encode(enc, M2, fresh, codes));
        double share = share_of_equal_bits(M2 * 3, linear, codes);
        double rebuilt = rebuilt_error(enc, M2, fresh);
        cr_assert(share > equal && rebuilt > error, "%g, %g", share, rebuilt);
        equal = share;
        error = rebuilt;
        lbh_encoder_free(enc);
    }
    cr_assert(equal > 0.999);
    lbh_encoder_free(plain);
    free(x);
}

/* Refined codes are searched for in the tables: better ones the longer, the same from rows alone. */
Test(byte_tables, refined_codes)
{
    enum { N = 3000, D = 24, NBITS = 20, M2 = 200 };
    float *x = test_mixture(N, D, 5, NULL), y[M2 * D];
    lbh_encoder *enc = trained("itq", "rebuild=tables", N, D, NBITS, x);
    double before = rebuilt_error(enc, M2, x);
    for (int flips = 0; flips <= 300; flips += 150) {
        uint8_t codes[M2 * 3], alone[3];
        double sum = 0;
        OK(lbh_encoder_encode_refined(enc, M2, x, flips, codes));
        OK(lbh_encoder_decode(enc, M2, codes, y));
        for (int i = 0; i < M2 * D; i++)
            sum += ((double)y[i] - (double)x[i]) * ((double)y[i] - (double)x[i]);
        cr_assert(flips ? sum / M2 <= before : sum / M2 < 0.95 * before,
                  "%d flips: %g, before %g", flips, sum / M2, before);
        before = sum / M2;
        OK(lbh_encoder_encode_refined(enc, 1, x + 9 * D, flips, alone));
        cr_assert(memcmp(alone, codes + 27, 3) == 0 && alone[2] < 16);
    }
    lbh_encoder_free(enc);
    free(x);
}

Test(byte_tables, codebooks_rebuild_what_the_encoder_rebuilds)
{
    enum { N = 600, D = 9 };
    float *x = test_mixture(N, D, 5, NULL), y[N * D];
    for (int i = 0; i < 2; i++) {
        lbh_encoder *enc = trained("itq", i ? "rebuild=tables" : "rebuild=linear", N, D, 13, x);
        uint8_t codes[N * 2];
        float *book = malloc((size_t)2 * 256 * D * sizeof *book);
        OK(lbh_encoder_encode(enc, N, x, codes));
        OK(lbh_encoder_decode(enc, N, codes, y));
        OK(lbh_encoder_codebooks(enc, book));
        for (int j = 0; j < N * D; j++) {
            const uint8_t *code = codes + j / D * 2;
            float sum = book[code[0] * D + j % D] + book[(256 + code[1]) * D + j % D];
            cr_assert_float_eq(sum, y[j], 1e-4f * (1 + fabsf(y[j])));
        }
        lbh_encoder_free(enc);
        free(book);
    }
    free(x);
}

Test(byte_tables, files)
{
    enum { N = 1200, D = 9 };
    float *x = test_mixture(N, D, 5, NULL), y[N * D], again[N * D];
    lbh_encoder *enc = trained("sgh", "steps=20,decoder=tables,decoder=scaled,pca=0", N, D, 16, x);
    lbh_encoder *read = NULL;
    const char *path = test_tmp("tables.lbh");
    uint8_t codes[N * 2];
    OK(lbh_encoder_save(enc, path));
    OK(lbh_encoder_load(&read, path));
    cr_assert(lbh_encoder_has_tables(read));
    cr_assert_eq(lbh_encoder_digest(read), lbh_encoder_digest(enc));
    OK(lbh_encoder_encode(read, N, x, codes));
    OK(lbh_encoder_decode(enc, N, codes, y));
    OK(lbh_encoder_decode(read, N, codes, again));
    cr_assert(memcmp(y, again, sizeof y) == 0);
    size_t size;
    unsigned char *bytes = test_slurp(path, &size);
    cr_assert_eq(bytes[4], 2); /* the version of the format */
    lbh_encoder_free(enc), lbh_encoder_free(read);
    free(bytes), free(x);
}

Test(byte_tables, options)
{
    lbh_encoder *enc = NULL;
    double value;
    float x[8] = {0};
    OK(lbh_encoder_new(&enc, "sgh", 4, 8));
    OK(lbh_encoder_set(enc, "decoder=basic,decoder=tables"));
    OK(lbh_encoder_get_value(enc, "rebuild", &value));
    cr_assert_eq(value, 2);
    OK(lbh_encoder_get_value(enc, "decoder", &value));
    cr_assert_eq(value, 0); /* sgh's own */
    cr_assert_eq(lbh_encoder_set(enc, "decoder=other"), LBH_EINVAL);
    lbh_encoder_free(enc);
    OK(lbh_encoder_new(&enc, "lsh", 4, 8));
    cr_assert_eq(lbh_encoder_set(enc, "decoder=shifted"), LBH_EINVAL);
    OK(lbh_encoder_set(enc, "decoder=tables"));
    cr_assert_eq(lbh_encoder_train(enc, 2, x), LBH_EINVAL);
    cr_assert(strstr(lbh_last_error(), "decoder"));
    OK(lbh_encoder_set(enc, "decoder=auto"));
    OK(lbh_encoder_train(enc, 2, x));
    float books[256 * 4];
    cr_assert_eq(lbh_encoder_codebooks(enc, books), LBH_EINVAL);
    lbh_encoder_free(enc);
}
