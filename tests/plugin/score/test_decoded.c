/* test_decoded.c: search by the decoder's scores against decoding all codes in double precision. */
#define _POSIX_C_SOURCE 200809L
#include "support.h"

#include "cpu.h"
#include "lbh.h"
#include "topk.h"

#include <float.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#define OK(call) cr_assert_eq((call), LBH_OK, "%s", lbh_last_error())

enum { D = 19 };

/* Any trained encoder with a decoder will do: the tests look at its decoder alone. */
static lbh_encoder *with_options(int d, int nbits, const char *options)
{
    lbh_encoder *enc = NULL;
    float *x = test_mixture(400, d, 3, NULL);
    OK(lbh_encoder_new(&enc, "sgh", d, nbits));
    OK(lbh_encoder_set(enc, "steps=20,batch=50"));
    OK(lbh_encoder_set(enc, options));
    OK(lbh_encoder_train(enc, 400, x));
    free(x);
    return enc;
}

static lbh_encoder *with_decoder(int d, int nbits)
{
    return with_options(d, nbits, "decoder=linear");
}

/* Codes with zero pad bits. */
static uint8_t *padded_codes(int64_t n, int nbits, uint64_t seed)
{
    size_t size = ((size_t)nbits + 7) / 8;
    uint8_t *codes = test_codes(n, size, seed);
    for (int64_t i = 0; i < n && nbits % 8; i++)
        codes[(size_t)(i + 1) * size - 1] &= (uint8_t)((1 << nbits % 8) - 1);
    return codes;
}

/* exact[nq * n]: ||q - x^||^2 or q . x^, and the size of its terms, which bounds rounding. */
static double *exact_scores(const lbh_encoder *enc, int metric, int64_t n, const uint8_t *codes,
                            int64_t nq, const float *q, double *size)
{
    int d = lbh_encoder_d(enc);
    size_t code_size = lbh_encoder_code_size(enc);
    float *book = malloc(code_size * 256 * (size_t)d * sizeof *book);
    double *x = malloc((size_t)d * sizeof *x), *out = malloc((size_t)(n * nq) * sizeof *out);
    OK(lbh_encoder_codebooks(enc, book));
    *size = 0;
    for (int64_t i = 0; i < n; i++) {
        double xx = 0;
        for (int j = 0; j < d; j++)
            x[j] = 0;
        for (size_t m = 0; m < code_size; m++)
            for (int j = 0; j < d; j++)
                x[j] += book[(m * 256 + codes[i * code_size + m]) * d + j];
        for (int j = 0; j < d; j++)
            xx += x[j] * x[j];
        for (int64_t a = 0; a < nq; a++) {
            double ip = 0, l2 = 0, qq = 0;
            for (int j = 0; j < d; j++) {
                double t = q[a * d + j] - x[j];
                ip += q[a * d + j] * x[j];
                l2 += t * t;
                qq += (double)q[a * d + j] * q[a * d + j];
            }
            out[a * n + i] = metric == LBH_METRIC_IP ? ip : l2;
            *size = fmax(*size, qq + xx);
        }
    }
    free(book), free(x);
    return out;
}

/* Sorted, complete, without repeats, each distance that of its code, nothing better left out. */
static void check_answers(int metric, int64_t n, int64_t k, const double *exact, double tolerance,
                          const float *distances, const int64_t *labels)
{
    double sign = metric == LBH_METRIC_IP ? -1 : 1, worst = -INFINITY;
    char *seen = calloc((size_t)n + 1, 1);
    int64_t found = k < n ? k : n;
    for (int64_t i = 0; i < found; i++) {
        int64_t id = labels[i];
        cr_assert(id >= 0 && id < n && !seen[id], "answer %lld is %lld", (long long)i,
                  (long long)id);
        seen[id] = 1;
        cr_assert_float_eq(distances[i], exact[id], tolerance, "%g, not %g", distances[i],
                           exact[id]);
        cr_assert(i == 0 || sign * distances[i - 1] < sign * distances[i] ||
                      (distances[i - 1] == distances[i] && labels[i - 1] < id),
                  "answers %lld and the one before are in the wrong order", (long long)i);
        worst = sign * distances[i];
    }
    for (int64_t id = 0; id < n; id++)
        cr_assert(seen[id] || sign * exact[id] >= worst - tolerance, "%lld is missing",
                  (long long)id);
    for (int64_t i = found; i < k; i++) {
        cr_assert_eq(labels[i], -1);
        cr_assert_eq(distances[i], metric == LBH_METRIC_IP ? -FLT_MAX : FLT_MAX);
    }
    free(seen);
}

static void against_decoding_by(const char *options, int nbits, int64_t n, int64_t nq, int64_t k)
{
    lbh_encoder *enc = with_options(D, nbits, options);
    uint8_t *codes = padded_codes(n, nbits, (uint64_t)(n + nbits));
    float *q = test_mixture(nq, D, 9, NULL), *distances = malloc((size_t)(nq * k) * sizeof(float));
    int64_t *labels = malloc((size_t)(nq * k) * sizeof *labels);
    for (int metric = 0; metric < 2; metric++) {
        double size, *exact = exact_scores(enc, metric, n, codes, nq, q, &size);
        OK(lbh_encoder_search_decoded(enc, metric, n, codes, nq, q, k, distances, labels));
        for (int64_t a = 0; a < nq; a++)
            check_answers(metric, n, k, exact + a * n, 4e-6 * size, distances + a * k,
                          labels + a * k);
        free(exact);
    }
    free(q), free(codes), free(distances), free(labels);
    lbh_encoder_free(enc);
}

static void against_decoding(int nbits, int64_t n, int64_t nq, int64_t k)
{
    against_decoding_by("decoder=linear", nbits, n, nq, k);
    against_decoding_by("decoder=tables", nbits, n, nq, k);
}

Test(decoded, scores_are_those_of_the_rebuilt_vectors)
{
    static const int nbits[] = {1, 4, 12, 64, 100};
    for (size_t i = 0; i < sizeof nbits / sizeof *nbits; i++) {
        against_decoding(nbits[i], 3000, 7, 10);
        against_decoding(nbits[i], 700, 3, 700);  /* all of them */
        against_decoding(nbits[i], 50, 40, 60);   /* more than there are */
        against_decoding(nbits[i], 1, 2, 1);
    }
}

Test(decoded, buffers_that_overflow_often)
{
    against_decoding(24, 40000, 2, 1);
    against_decoding(24, 40000, 1, 3000);
}

/* The same bits from one and two threads, all instruction sets, and queries together or alone. */
Test(decoded, answers_do_not_depend_on_the_machine)
{
    enum { N = 30011, NQ = 37, K = 200 };
    static const char *const isa[] = {"scalar", "avx2", "avx512"};
    for (int run = 0; run < 4; run++)
        for (int nbits = 12; nbits <= 100; nbits += 44) {
            int metric = run % 2;
            lbh_encoder *enc = with_options(D, nbits, run < 2 ? "decoder=linear" : "decoder=tables");
            uint8_t *codes = padded_codes(N, nbits, 5);
            float *q = test_mixture(NQ, D, 9, NULL), *first = malloc(NQ * K * sizeof *first),
                  *again = malloc(NQ * K * sizeof *again);
            int64_t *ids = malloc(NQ * K * sizeof *ids), *more = malloc(NQ * K * sizeof *more);
            omp_set_num_threads(1);
            OK(lbh_encoder_search_decoded(enc, metric, N, codes, NQ, q, K, first, ids));
            for (int form = 0; form < 6; form++) {
                setenv("LBH_ISA", isa[form % 3], 1);
                lbh_cpu_choose_again();
                omp_set_num_threads(form < 3 ? 1 : 2);
                OK(lbh_encoder_search_decoded(enc, metric, N, codes, NQ, q, K, again, more));
                cr_assert(memcmp(ids, more, NQ * K * sizeof *ids) == 0, "%s", isa[form % 3]);
                cr_assert(memcmp(first, again, NQ * K * sizeof *first) == 0, "%s", isa[form % 3]);
            }
            unsetenv("LBH_ISA");
            for (int threads = 1; threads <= 5; threads += 2) { /* one query: slices of the codes */
                omp_set_num_threads(threads);
                OK(lbh_encoder_search_decoded(enc, metric, N, codes, 1, q + 3 * D, K, again, more));
                cr_assert(memcmp(ids + 3 * K, more, K * sizeof *ids) == 0, "%d threads", threads);
                cr_assert(memcmp(first + 3 * K, again, K * sizeof *first) == 0);
            }
            free(q), free(codes), free(first), free(again), free(ids), free(more);
            lbh_encoder_free(enc);
        }
}

Test(decoded, equal_scores_are_in_the_order_of_ids)
{
    enum { N = 25000, K = 5000 };
    lbh_encoder *enc = with_decoder(D, 8);
    uint8_t *codes = malloc(N);
    float *q = test_mixture(1, D, 9, NULL), *distances = malloc(K * sizeof *distances);
    int64_t *labels = malloc(K * sizeof *labels);
    for (int i = 0; i < N; i++)
        codes[i] = (uint8_t)(i % 3 * 17); /* three codes, each thousands of times */
    for (int threads = 1; threads <= 2; threads++) {
        omp_set_num_threads(threads);
        OK(lbh_encoder_search_decoded(enc, LBH_METRIC_L2, N, codes, 1, q, K, distances, labels));
        for (int i = 0; i < K; i++)
            cr_assert_eq(labels[i], labels[0] + 3 * i);
        cr_assert(labels[0] < 3 && distances[0] == distances[K - 1]);
    }
    free(codes), free(q), free(distances), free(labels);
    lbh_encoder_free(enc);
}

/* Data far from the origin: the distances are not small differences of large numbers. */
Test(decoded, far_from_the_origin)
{
    enum { N = 500, K = 10 };
    lbh_encoder *enc = NULL;
    float *x = test_mixture(N, D, 3, NULL), distances[K];
    uint8_t *codes = malloc(N * 4);
    int64_t labels[K];
    for (int i = 0; i < N * D; i++)
        x[i] += 1000;
    OK(lbh_encoder_new(&enc, "sgh", D, 32));
    OK(lbh_encoder_set(enc, "steps=20,batch=50"));
    OK(lbh_encoder_train(enc, N, x));
    OK(lbh_encoder_encode(enc, N, x, codes));
    OK(lbh_encoder_search_decoded(enc, LBH_METRIC_L2, N, codes, 1, x, K, distances, labels));
    double size, *exact = exact_scores(enc, LBH_METRIC_L2, N, codes, 1, x, &size);
    check_answers(LBH_METRIC_L2, N, K, exact, 1e-3 * (1 + exact[0]), distances, labels);
    free(exact), free(x), free(codes);
    lbh_encoder_free(enc);
}

Test(decoded, wrong_calls)
{
    lbh_encoder *enc = with_decoder(4, 8), *lsh = NULL, *fresh = NULL;
    uint8_t codes[3] = {1, 2, 3};
    float q[8] = {0}, distances[4] = {7, 7, 7, 7};
    int64_t labels[4] = {7, 7, 7, 7};
#define CALL(e, metric, n, codes, nq, q, k)                                                        \
    lbh_encoder_search_decoded(e, metric, n, codes, nq, q, k, distances, labels)
    OK(lbh_encoder_new(&fresh, "sgh", 4, 8));
    OK(lbh_encoder_new(&lsh, "lsh", 4, 8));
    OK(lbh_encoder_train(lsh, 2, q));
    cr_assert_eq(CALL(NULL, 0, 3, codes, 1, q, 1), LBH_EINVAL);
    cr_assert_eq(CALL(enc, 0, 3, NULL, 1, q, 1), LBH_EINVAL);
    cr_assert_eq(CALL(enc, 0, 3, codes, 1, NULL, 1), LBH_EINVAL);
    cr_assert_eq(CALL(enc, 0, -1, codes, 1, q, 1), LBH_EINVAL);
    cr_assert_eq(CALL(enc, 0, (int64_t)1 << 33, codes, 1, q, 1), LBH_EINVAL);
    cr_assert_eq(CALL(enc, 0, 3, codes, -1, q, 1), LBH_EINVAL);
    cr_assert_eq(CALL(enc, 0, 3, codes, 1, q, 0), LBH_EINVAL);
    cr_assert_eq(CALL(enc, 3, 3, codes, 1, q, 1), LBH_EINVAL);
    cr_assert_eq(CALL(fresh, 0, 3, codes, 1, q, 1), LBH_ESTATE);
    cr_assert_eq(CALL(lsh, 0, 3, codes, 1, q, 1), LBH_EINVAL);
    cr_assert(strstr(lbh_last_error(), "decoder"));
    q[6] = NAN;
    cr_assert_eq(CALL(enc, 0, 3, codes, 2, q, 1), LBH_EINVAL);
    cr_assert(strstr(lbh_last_error(), "query 1 "), "%s", lbh_last_error());
    q[6] = 1e30f;
    cr_assert_eq(CALL(enc, 0, 3, codes, 2, q, 1), LBH_EINVAL);
    cr_assert(strstr(lbh_last_error(), "query 1"), "%s", lbh_last_error());
    cr_assert(labels[0] == 7 && distances[3] == 7); /* untouched by failing calls */
    OK(CALL(enc, 0, 3, codes, 0, NULL, 1));
    cr_assert_eq(labels[0], 7);
    OK(CALL(enc, 1, 0, NULL, 1, q, 4));
    cr_assert(labels[0] == -1 && labels[3] == -1 && distances[0] == -FLT_MAX);
    lbh_encoder_free(enc), lbh_encoder_free(lsh), lbh_encoder_free(fresh);
}

static int compare_keys(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

Test(decoded, keys_order_as_scores_do)
{
    static const float rising[] = {-INFINITY, -FLT_MAX, -1, -FLT_MIN, 0, FLT_MIN, 1, FLT_MAX};
    for (size_t i = 0; i < sizeof rising / sizeof *rising; i++) {
        cr_assert_eq(lbh_topk_score(lbh_topk_key(rising[i], 3)), rising[i]);
        cr_assert(i == 0 || lbh_topk_key(rising[i - 1], 9) < lbh_topk_key(rising[i], 0));
    }
    cr_assert_eq(lbh_topk_key(-0.0f, 5), lbh_topk_key(0.0f, 5));
    for (int64_t n = 0; n < 3000; n = 2 * n + 1) {
        uint64_t *a = malloc((size_t)n * 8 + 8), *b = malloc((size_t)n * 8 + 8),
                 *scratch = malloc((size_t)n * 8 + 8);
        for (int64_t i = 0; i < n; i++)
            a[i] = b[i] = lbh_topk_key((float)floor(20 * test_normal(4, (uint64_t)i)), (uint32_t)i);
        lbh_sort_keys(n, a, scratch);
        qsort(b, (size_t)n, sizeof *b, compare_keys);
        cr_assert(memcmp(a, b, (size_t)n * 8) == 0);
        free(a), free(b), free(scratch);
    }
}
