/* test_methods.c: what every registered method promises. Runs over all of them and names none. */
#define _POSIX_C_SOURCE 200809L
#include "support.h"

#include "lbh.h"

#include <math.h>
#include <stdio.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

enum { N = 600, D = 24 };

#define OK(call) cr_assert_eq((call), LBH_OK, "%s", lbh_last_error())

#define FOR_ALL_METHODS(m)                                                                         \
    for (int m##_i = 0; m##_i < lbh_method_count(); m##_i++)                                       \
        for (const char *m = lbh_method_name(m##_i); m; m = NULL)

/* An untrained encoder with options that make training short. */
static lbh_encoder *fresh(const char *method, int d, int nbits)
{
    lbh_encoder *enc = NULL;
    lbh_param p;
    OK(lbh_encoder_new(&enc, method, d, nbits));
    for (int i = 0; lbh_method_param(&p, method, i) == LBH_OK; i++) {
        if (strcmp(p.name, "steps") == 0)
            OK(lbh_encoder_set_value(enc, p.name, 40));
        if (strcmp(p.name, "batch") == 0)
            OK(lbh_encoder_set_value(enc, p.name, 64));
    }
    return enc;
}

typedef struct owned_lists {
    lbh_lists lists;
    int64_t *start;
} owned_lists;

static owned_lists one_label_each(int64_t n, const int64_t *label)
{
    owned_lists l = {.start = malloc((size_t)(n + 1) * sizeof(int64_t))};
    for (int64_t i = 0; i <= n; i++)
        l.start[i] = i;
    l.lists = (lbh_lists){n, 10, l.start, label};
    return l;
}

static int train(lbh_encoder *enc, int64_t n, const float *x, const int64_t *label)
{
    owned_lists l = one_label_each(n, label);
    lbh_rows rows = lbh_rows_from_matrix(n, lbh_encoder_d(enc), x);
    int rc = lbh_encoder_train_rows(enc, &rows, &l.lists, NULL);
    free(l.start);
    return rc;
}

static lbh_encoder *trained(const char *method, int64_t n, int d, int nbits)
{
    int64_t *label = malloc((size_t)n * sizeof *label);
    float *x = test_mixture(n, d, 3, label);
    lbh_encoder *enc = fresh(method, d, nbits);
    cr_assert_eq(train(enc, n, x, label), LBH_OK, "%s: %s", method, lbh_last_error());
    free(x), free(label);
    return enc;
}

Test(methods, describe_themselves)
{
    cr_assert(lbh_method_count() > 0);
    FOR_ALL_METHODS(m) {
        lbh_param p;
        const char *name, *assignments;
        cr_assert(strlen(lbh_method_summary(m)) > 10 && strlen(lbh_method_cite(m)) > 10);
        for (int i = 0; lbh_method_param(&p, m, i) == LBH_OK; i++) {
            cr_assert(p.value >= p.min && p.value <= p.max, "%s: default of %s", m, p.name);
            cr_assert(strlen(p.doc) > 5, "%s: %s has no words", m, p.name);
            cr_assert(!p.integer || p.value == floor(p.value));
            lbh_encoder *enc;
            OK(lbh_encoder_new(&enc, m, 8, 8));
            OK(lbh_encoder_set_value(enc, p.name, p.min));
            OK(lbh_encoder_set_value(enc, p.name, p.max));
            cr_assert_eq(lbh_encoder_set_value(enc, p.name, p.max * 2 + 1), LBH_EINVAL);
            cr_assert_eq(lbh_encoder_set_value(enc, p.name, NAN), LBH_EINVAL);
            cr_assert(strstr(lbh_last_error(), p.name));
            lbh_encoder_free(enc);
        }
        for (int i = 0; lbh_method_preset(&name, &assignments, m, i) == LBH_OK; i++) {
            lbh_encoder *enc;
            char text[64];
            OK(lbh_encoder_new(&enc, m, 8, 8));
            snprintf(text, sizeof text, "preset=%s", name);
            OK(lbh_encoder_set(enc, text));
            lbh_encoder_free(enc);
        }
    }
    cr_assert_null(lbh_method_name(-1));
    cr_assert_null(lbh_method_name(lbh_method_count()));
}

Test(methods, codes_do_not_depend_on_threads_or_blocks)
{
    FOR_ALL_METHODS(m) {
        for (int nbits = 5; nbits <= 70; nbits += 13) {
            lbh_encoder *enc = trained(m, N, D, nbits);
            size_t size = lbh_encoder_code_size(enc);
            float *x = test_mixture(1000, D, 4, NULL), *z = malloc(1000 * (size_t)nbits * 4);
            uint8_t *one = malloc(1000 * size), *two = malloc(1000 * size);
            omp_set_num_threads(1);
            OK(lbh_encoder_encode(enc, 1000, x, one));
            omp_set_num_threads(2);
            OK(lbh_encoder_encode(enc, 1000, x, two));
            cr_assert(memcmp(one, two, 1000 * size) == 0, "%s, %d bits: threads", m, nbits);
            for (int64_t i = 0, step = 1; i < 1000; i += step, step = step % 97 + 1) {
                int64_t count = i + step > 1000 ? 1000 - i : step;
                OK(lbh_encoder_encode(enc, count, x + i * D, two + (size_t)i * size));
            }
            cr_assert(memcmp(one, two, 1000 * size) == 0, "%s, %d bits: blocks", m, nbits);
            OK(lbh_encoder_project(enc, 1000, x, z));
            for (int64_t i = 0; i < 1000; i++)
                for (size_t j = 0; j < 8 * size; j++)
                    cr_assert_eq(one[(size_t)i * size + j / 8] >> (j % 8) & 1,
                                 j < (size_t)nbits && z[i * nbits + (int64_t)j] >= 0);
            free(x), free(z), free(one), free(two);
            lbh_encoder_free(enc);
        }
    }
}

Test(methods, encode_bytes_as_the_same_floats)
{
    enum { ROWS = 801, STRIDE = D + 4 };
    uint8_t *bytes = malloc((size_t)ROWS * STRIDE);
    float *x = malloc(sizeof *x * ROWS * D);
    for (int i = 0; i < ROWS * STRIDE; i++)
        bytes[i] = (uint8_t)(8 * test_uniform(5, (uint64_t)i)); /* near the mixture */
    for (int i = 0; i < ROWS * D; i++)
        x[i] = bytes[i / D * STRIDE + i % D];
    FOR_ALL_METHODS(m) {
        lbh_encoder *enc = trained(m, N, D, 20);
        uint8_t codes[ROWS * 3], same[ROWS * 3];
        OK(lbh_encoder_encode(enc, ROWS, x, codes));
        OK(lbh_encoder_encode_u8(enc, ROWS, bytes, STRIDE, same));
        cr_assert(memcmp(codes, same, sizeof codes) == 0, "%s", m);
        OK(lbh_encoder_encode_queries(enc, ROWS, x, codes));
        OK(lbh_encoder_encode_queries_u8(enc, ROWS, bytes, STRIDE, same));
        cr_assert(memcmp(codes, same, sizeof codes) == 0, "%s", m);
        OK(lbh_encoder_encode_u8(enc, 0, NULL, D, NULL));
        cr_assert_eq(lbh_encoder_encode_u8(enc, 1, bytes, D - 1, same), LBH_EINVAL);
        cr_assert_eq(lbh_encoder_encode_u8(enc, 1, NULL, D, same), LBH_EINVAL);
        lbh_encoder_free(enc);
    }
    free(bytes), free(x);
}

Test(methods, a_seed_gives_one_model_whatever_the_threads)
{
    FOR_ALL_METHODS(m) {
        omp_set_num_threads(1);
        lbh_encoder *a = trained(m, N, D, 16);
        omp_set_num_threads(2);
        lbh_encoder *b = trained(m, N, D, 16);
        cr_assert_eq(lbh_encoder_digest(a), lbh_encoder_digest(b), "%s", m);
        lbh_encoder_free(a), lbh_encoder_free(b);
    }
}

Test(methods, say_where_their_training_time_went)
{
    const char *name;
    double seconds;
    FOR_ALL_METHODS(m) {
        lbh_encoder *enc = trained(m, N, D, 16), *loaded;
        double total = 0;
        int parts = 0;
        for (; lbh_encoder_train_time(enc, parts, &name, &seconds) == LBH_OK; parts++) {
            cr_assert(*name && seconds >= 0, "%s", m);
            total += seconds;
        }
        cr_assert(parts > 1 && total > 0 && total < 600, "%s: %g s", m, total);
        cr_assert_eq(lbh_encoder_train_time(enc, -1, &name, &seconds), LBH_EINVAL);
        OK(lbh_encoder_save(enc, test_tmp("timed.lbh")));
        OK(lbh_encoder_load(&loaded, test_tmp("timed.lbh")));
        for (int i = 0; i < parts; i++) {
            OK(lbh_encoder_train_time(loaded, i, &name, &seconds));
            cr_assert_eq(seconds, 0);
        }
        lbh_encoder_free(enc), lbh_encoder_free(loaded);
    }
}

Test(methods, codes_keep_near_rows_near)
{
    /* Rows of one component must be nearer in codes than rows of two components. */
    FOR_ALL_METHODS(m) {
        lbh_encoder *enc = trained(m, N, D, 64);
        int64_t label[N];
        float *x = test_mixture(N, D, 11, label);
        uint8_t *codes = malloc(N * 8);
        OK(lbh_encoder_encode(enc, N, x, codes));
        double same = 0, other = 0;
        int nsame = 0, nother = 0;
        for (int i = 0; i < N; i++)
            for (int j = 0; j < i; j++) {
                int h = test_hamming(codes + 8 * i, codes + 8 * j, 8);
                if (label[i] == label[j])
                    same += h, nsame++;
                else
                    other += h, nother++;
            }
        cr_assert(same / nsame < 0.8 * other / nother, "%s: %g within, %g between", m,
                  same / nsame, other / nother);
        free(x), free(codes);
        lbh_encoder_free(enc);
    }
}

Test(methods, save_and_load_keep_everything)
{
    FOR_ALL_METHODS(m) {
        lbh_encoder *enc = trained(m, N, D, 20), *back = NULL;
        const char *path = test_tmp("m.lbh");
        float *x = test_mixture(50, D, 5, NULL);
        uint8_t one[150], two[150];
        OK(lbh_encoder_save(enc, path));
        OK(lbh_encoder_load(&back, path));
        cr_assert_eq(lbh_encoder_digest(enc), lbh_encoder_digest(back));
        cr_assert_str_eq(lbh_encoder_method(back), m);
        cr_assert(lbh_encoder_d(back) == D && lbh_encoder_nbits(back) == 20);
        cr_assert(lbh_encoder_is_trained(back) && lbh_encoder_n_train(back) == N);
        lbh_param p;
        for (int i = 0; lbh_method_param(&p, m, i) == LBH_OK; i++) {
            double v, w;
            OK(lbh_encoder_get_value(enc, p.name, &v));
            OK(lbh_encoder_get_value(back, p.name, &w));
            cr_assert_eq(v, w);
        }
        OK(lbh_encoder_encode(enc, 50, x, one));
        OK(lbh_encoder_encode(back, 50, x, two));
        cr_assert(memcmp(one, two, sizeof one) == 0);
        free(x);
        lbh_encoder_free(enc), lbh_encoder_free(back);
    }
}

Test(methods, a_model_cut_at_any_byte_is_refused)
{
    FOR_ALL_METHODS(m) {
        lbh_encoder *enc = trained(m, N, 6, 8), *back = NULL;
        const char *path = test_tmp("m.lbh");
        size_t size;
        OK(lbh_encoder_save(enc, path));
        unsigned char *bytes = test_slurp(path, &size);
        for (size_t cut = 0; cut < size; cut++)
            cr_assert_eq(lbh_encoder_load_memory(&back, bytes, cut), LBH_EFORMAT);
        OK(lbh_encoder_load_memory(&back, bytes, size));
        lbh_encoder_free(enc), lbh_encoder_free(back);
        free(bytes);
    }
}

Test(methods, odd_shapes_work_or_say_why)
{
    static const struct {
        int64_t n;
        int d, nbits;
    } shape[] = {{1, 4, 8}, {3, 4, 16}, {50, 1, 8}, {400, 3, 64}, {100, 40, 1}, {200, 10, 100}};
    FOR_ALL_METHODS(m) {
        int worked = 0;
        for (size_t i = 0; i < sizeof shape / sizeof *shape; i++) {
            int64_t label[400];
            float *x = test_mixture(shape[i].n, shape[i].d, 3, label);
            lbh_encoder *enc = fresh(m, shape[i].d, shape[i].nbits);
            int rc = train(enc, shape[i].n, x, label);
            uint8_t code[16];
            worked += rc == LBH_OK;
            if (rc == LBH_OK)
                OK(lbh_encoder_encode(enc, 1, x, code));
            else
                cr_assert(strstr(lbh_last_error(), m) != NULL, "%s: %s", m, lbh_last_error());
            free(x);
            lbh_encoder_free(enc);
        }
        cr_assert(worked >= 5, "%s refuses all but %d", m, worked);
    }
}

Test(methods, constant_rows_and_extreme_scales_train)
{
    static const float scales[] = {0, 1e-12f, 1e12f};
    FOR_ALL_METHODS(m) {
        for (int s = 0; s < 3; s++) {
            int64_t label[N];
            float *x = test_mixture(N, D, 3, label);
            for (int i = 0; i < N * D; i++)
                x[i] *= scales[s];
            lbh_encoder *enc = fresh(m, D, 16);
            uint8_t code[2];
            cr_assert_eq(train(enc, N, x, label), LBH_OK, "%s, scale %g: %s", m, scales[s],
                         lbh_last_error());
            OK(lbh_encoder_encode(enc, 1, x, code));
            free(x);
            lbh_encoder_free(enc);
        }
    }
}

Test(methods, bad_data_and_wrong_calls_are_refused)
{
    FOR_ALL_METHODS(m) {
        int64_t label[N];
        float *x = test_mixture(N, D, 3, label), bad = x[7 * D + 3];
        uint8_t codes[2 * N];
        lbh_encoder *enc = fresh(m, D, 16);
        cr_assert_eq(lbh_encoder_encode(enc, 1, x, codes), LBH_ESTATE);
        cr_assert_eq(lbh_encoder_save(enc, test_tmp("no")), LBH_ESTATE);
        x[7 * D + 3] = NAN;
        cr_assert_eq(train(enc, N, x, label), LBH_EINVAL);
        cr_assert(strstr(lbh_last_error(), "row 7"), "%s", lbh_last_error());
        x[7 * D + 3] = INFINITY;
        cr_assert_eq(train(enc, N, x, label), LBH_EINVAL);
        x[7 * D + 3] = bad;
        cr_assert_eq(train(enc, 0, x, label), LBH_EINVAL);
        cr_assert_eq(lbh_encoder_train(enc, N, NULL), LBH_EINVAL);
        OK(train(enc, N, x, label)); /* the failures left it usable */
        cr_assert_eq(train(enc, N, x, label), LBH_ESTATE);
        cr_assert_eq(lbh_encoder_set(enc, "seed=3"), LBH_ESTATE);
        x[500 * D] = -INFINITY;
        cr_assert_eq(lbh_encoder_encode(enc, N, x, codes), LBH_EINVAL);
        cr_assert(strstr(lbh_last_error(), "row 500"), "%s", lbh_last_error());
        cr_assert_eq(lbh_encoder_encode(enc, -1, x, codes), LBH_EINVAL);
        cr_assert_eq(lbh_encoder_encode(enc, 1, NULL, codes), LBH_EINVAL);
        OK(lbh_encoder_encode(enc, 0, NULL, NULL));
        cr_assert_eq(lbh_encoder_save(enc, "/dev/full"), LBH_EIO);
        free(x);
        lbh_encoder_free(enc);
    }
    lbh_encoder *enc = NULL;
    cr_assert_eq(lbh_encoder_new(&enc, "no such method", 4, 8), LBH_EINVAL);
    cr_assert_eq(lbh_encoder_new(&enc, lbh_method_name(0), 0, 8), LBH_EINVAL);
    cr_assert_eq(lbh_encoder_new(&enc, lbh_method_name(0), 4, 0), LBH_EINVAL);
    cr_assert_eq(lbh_encoder_new(&enc, lbh_method_name(0), 65537, 8), LBH_EINVAL);
    cr_assert_null(enc);
    lbh_encoder_free(NULL);
}

Test(methods, options_from_text)
{
    lbh_encoder *enc;
    double seed;
    OK(lbh_encoder_new(&enc, lbh_method_name(0), 4, 8));
    OK(lbh_encoder_set(enc, "seed=7,time_limit=2.5"));
    OK(lbh_encoder_get_value(enc, "seed", &seed));
    cr_assert_eq(seed, 7);
    const char *bad[] = {"seed", "seed=", "seed=x", "seed=1.5", "seed=-1", "sed=1", "preset=none",
                         "seed=9,nothing=1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_assert_eq(lbh_encoder_set(enc, bad[i]), LBH_EINVAL, "%s was taken", bad[i]);
        OK(lbh_encoder_get_value(enc, "seed", &seed));
        cr_assert_eq(seed, 7, "%s changed the seed", bad[i]);
    }
    lbh_encoder_free(enc);
}

static int cancel(void *ctx, const char *method, int64_t step, int64_t steps, double loss)
{
    (void)method, (void)loss;
    cr_assert(step >= 1 && step <= steps);
    return ++*(int *)ctx;
}

Test(methods, cancelling_ends_training)
{
    FOR_ALL_METHODS(m) {
        int64_t label[N];
        float *x = test_mixture(N, D, 3, label);
        lbh_encoder *enc = fresh(m, D, 16);
        int calls = 0;
        lbh_encoder_on_progress(enc, cancel, &calls);
        cr_assert_eq(train(enc, N, x, label), LBH_ECANCELLED, "%s", m);
        cr_assert_eq(calls, 1);
        cr_assert(!lbh_encoder_is_trained(enc));
        free(x);
        lbh_encoder_free(enc);
    }
}

/* Bits of queries against [A q + b >= 0], of q / ||q|| if the map says so. */
static void check_query_map(const lbh_encoder *enc, const char *what)
{
    enum { L = 16, NQ = 60 };
    float A[L * D], b[L], *q = test_mixture(NQ, D, 8, NULL);
    uint8_t codes[NQ * L / 8];
    int unit = -1, differ = 0;
    if (lbh_encoder_linear_queries(enc, A, b, &unit) != LBH_OK) {
        cr_assert_eq(lbh_encoder_linear(enc, A, b), LBH_EINVAL, "%s", what);
        free(q);
        return;
    }
    OK(lbh_encoder_encode_queries(enc, NQ, q, codes));
    for (int i = 0; i < NQ; i++) {
        double length = 0;
        for (int j = 0; j < D; j++)
            length += (double)q[i * D + j] * q[i * D + j];
        length = unit ? sqrt(length) : 1;
        for (int k = 0; k < L; k++) {
            double sum = b[k], size = fabs(b[k]);
            for (int j = 0; j < D; j++) {
                sum += (double)A[k * D + j] * q[i * D + j] / length;
                size += fabs((double)A[k * D + j] * q[i * D + j] / length);
            }
            int bit = codes[i * (L / 8) + k / 8] >> (k % 8) & 1;
            differ += bit != (sum >= 0) && fabs(sum) > 1e-5 * size;
        }
    }
    cr_assert_eq(differ, 0, "%s: %d bits of queries differ", what, differ);
    free(q);
}

Test(methods, query_maps_agree_with_the_codes)
{
    FOR_ALL_METHODS(m) {
        lbh_encoder *enc = trained(m, N, D, 16);
        check_query_map(enc, m);
        lbh_encoder_free(enc);
        lbh_param p;
        for (int i = 0; lbh_method_param(&p, m, i) == LBH_OK; i++) {
            if (strcmp(p.name, "mips") != 0)
                continue;
            float *x = test_mixture(N, D, 1, NULL); /* whatever way it encodes items */
            for (int way = 0; way <= (int)p.max; way++) {
                OK(lbh_encoder_new(&enc, m, D, 16));
                OK(lbh_encoder_set(enc, "metric=ip,steps=60,alternations=2"));
                OK(lbh_encoder_set_value(enc, "mips", way));
                OK(lbh_encoder_train(enc, N, x));
                check_query_map(enc, m);
                lbh_encoder_free(enc);
            }
            free(x);
        }
    }
}

Test(methods, linear_maps_and_decoders_agree_with_the_calls)
{
    FOR_ALL_METHODS(m) {
        lbh_encoder *enc = trained(m, N, D, 16);
        float *x = test_mixture(40, D, 6, NULL), A[16 * D], b[16], z[40 * 16];
        uint8_t codes[80];
        OK(lbh_encoder_encode(enc, 40, x, codes));
        if (lbh_encoder_linear(enc, A, b) == LBH_OK) {
            OK(lbh_encoder_project(enc, 40, x, z));
            for (int i = 0; i < 40 * 16; i++) {
                double sum = b[i % 16];
                for (int j = 0; j < D; j++)
                    sum += (double)A[i % 16 * D + j] * x[i / 16 * D + j];
                cr_assert_float_eq(z[i], sum, 1e-4 * (1 + fabs(sum)));
            }
        }
        float U[16 * D], c[D], back[40 * D];
        if (lbh_encoder_decoder(enc, U, c) == LBH_OK) {
            OK(lbh_encoder_decode(enc, 40, codes, back));
            for (int i = 0; i < 40; i++)
                for (int j = 0; j < D; j++) {
                    double sum = c[j];
                    for (int k = 0; k < 16; k++)
                        sum += codes[2 * i + k / 8] >> (k % 8) & 1 ? U[k * D + j] : 0;
                    cr_assert_float_eq(back[i * D + j], sum, 1e-4 * (1 + fabs(sum)));
                }
        } else
            cr_assert_eq(lbh_encoder_decode(enc, 40, codes, back), LBH_EINVAL);
        free(x);
        lbh_encoder_free(enc);
    }
}
