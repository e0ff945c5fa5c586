/* test_two_stages.c: lbh_rescorer_search against a naive shortlist that lbh_rescorer_rank ranks. */
#include "lbh.h"
#include "support.h"

#include <float.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

/* So many codes are cut among threads. */
enum { N = 90000, NQ = 5, D = 56, BITS = 56, SIZE = BITS / 8, TRAIN = 600, MOST = 2000, K = 30 };

static uint8_t *codes, queries[NQ * SIZE];
static float *x, *q;
static lbh_encoder *enc;

/* There are many codes at each distance. All codes of the last third are that of query 0. */
static void prepare(const char *method, const char *options)
{
    x = test_mixture(N, D, 3, NULL);
    q = test_mixture(NQ, D, 4, NULL);
    codes = test_codes(N, SIZE, 5);
    cr_assert_eq(lbh_encoder_new(&enc, method, D, BITS), LBH_OK);
    cr_assert_eq(lbh_encoder_set(enc, options), LBH_OK, "%s", lbh_last_error());
    cr_assert_eq(lbh_encoder_train(enc, TRAIN, x), LBH_OK, "%s", lbh_last_error());
    cr_assert_eq(lbh_encoder_encode_queries(enc, NQ, q, queries), LBH_OK);
    for (int i = 2 * N / 3; i < N; i++)
        memcpy(codes + i * SIZE, queries, SIZE);
}

static void drop(void)
{
    lbh_encoder_free(enc);
    free(x);
    free(q);
    free(codes);
}

/* Of the first n codes, the m nearest, and their ranking. */
static void expect(const lbh_rescorer *r, int64_t n, int64_t m, bool scored, int64_t keep, float *distances,
                   int64_t *labels)
{
    static int32_t hamming[NQ * MOST];
    static int64_t ids[NQ * MOST];
    static uint8_t near[NQ * MOST * SIZE];
    test_naive_search(n, codes, NQ, queries, SIZE, m, hamming, ids);
    for (int64_t i = 0; i < NQ * m; i++)
        if (ids[i] >= 0)
            memcpy(near + i * SIZE, codes + ids[i] * SIZE, SIZE);
    cr_assert_eq(lbh_rescorer_rank(r, NQ, q, m, scored ? near : NULL, ids, keep, K, distances, labels),
                 LBH_OK, "%s", lbh_last_error());
}

static void check(const lbh_rescorer *r, int64_t n, int64_t m, int64_t keep)
{
    bool scored = lbh_rescorer_mode(r) != LBH_RESCORE_FLOAT || m > keep;
    static float want[NQ * K], got[NQ * K];
    static int64_t expected[NQ * K], labels[NQ * K];
    expect(r, n, m, scored, keep, want, expected);
    for (int threads = 1; threads <= 4; threads += 3)
        for (int nq = 1; nq <= NQ; nq += NQ - 1) { /* one query: its codes are cut, not the queries */
            omp_set_num_threads(threads);
            memset(labels, 0, sizeof labels);
            cr_assert_eq(lbh_rescorer_search(r, n, codes, nq, q, m, keep, K, got, labels), LBH_OK, "%s",
                         lbh_last_error());
            cr_assert_arr_eq(labels, expected, sizeof *labels * (size_t)(nq * K));
            cr_assert_arr_eq(got, want, sizeof *got * (size_t)(nq * K));
        }
}

/* With all codes as candidates the answers are those of the exhaustive search, which has no bounds: the same
 * tables and norms, since d = nbits. */
static void check_all(const lbh_rescorer *r, int metric)
{
    static float want[NQ * K], got[NQ * K];
    static int64_t expected[NQ * K], labels[NQ * K];
    for (int64_t n = 100; n <= N; n *= 30) {
        cr_assert_eq(lbh_encoder_search_decoded(enc, metric, n, codes, NQ, q, K, want, expected), LBH_OK);
        cr_assert_eq(lbh_rescorer_search(r, n, codes, NQ, q, n, 0, K, got, labels), LBH_OK);
        cr_assert_arr_eq(labels, expected, sizeof labels);
        cr_assert_arr_eq(got, want, sizeof got);
    }
}

static void check_mode(const char *method, const char *options, int mode, int metric)
{
    prepare(method, options);
    lbh_rows rows = lbh_rows_from_matrix(N, D, x);
    lbh_rescorer *r = NULL;
    cr_assert_eq(lbh_rescorer_new(&r, enc, mode, metric, &rows), LBH_OK, "%s", lbh_last_error());
    check(r, N, MOST, 100);
    check(r, N, 700, 700);
    check(r, N, 40, 35);
    check(r, N, 7, 7); /* fewer than answers */
    check(r, 500, MOST, 100);
    check(r, 3, 60, 60);
    check(r, 0, 60, 60);
    if (mode == LBH_RESCORE_DECODER)
        check_all(r, metric);
    lbh_rescorer_free(r);
    drop();
}

Test(two_stages, margins)
{
    check_mode("lsh", "seed=2", LBH_RESCORE_MARGIN, LBH_METRIC_L2);
}

Test(two_stages, decoder)
{
    check_mode("itq", "rebuild=linear", LBH_RESCORE_DECODER, LBH_METRIC_L2);
    check_mode("itq", "rebuild=linear", LBH_RESCORE_DECODER, LBH_METRIC_IP);
}

Test(two_stages, byte_tables)
{
    check_mode("itq", "rebuild=tables", LBH_RESCORE_DECODER, LBH_METRIC_L2);
    check_mode("itq", "rebuild=tables", LBH_RESCORE_DECODER, LBH_METRIC_IP);
    check_mode("itq", "rebuild=tables", LBH_RESCORE_DECODER, LBH_METRIC_COSINE);
}

Test(two_stages, vectors)
{
    check_mode("lsh", "seed=2", LBH_RESCORE_FLOAT, LBH_METRIC_L2);
    check_mode("lsh", "seed=2", LBH_RESCORE_FLOAT, LBH_METRIC_IP);
}

/* A candidate of a query beyond the vectors that there are: the error comes out of its thread. */
Test(two_stages, errors)
{
    prepare("lsh", "seed=2");
    lbh_rows few = lbh_rows_from_matrix(1, D, x);
    lbh_rescorer *r = NULL;
    static float distances[NQ * K];
    static int64_t labels[NQ * K];
    cr_assert_eq(lbh_rescorer_new(&r, enc, LBH_RESCORE_FLOAT, LBH_METRIC_L2, &few), LBH_OK);
#define SEARCH(n, codes, m, k) lbh_rescorer_search(r, n, codes, NQ, q, m, 10, k, distances, labels)
    omp_set_num_threads(4);
    cr_assert_eq(SEARCH(N, codes, 50, K), LBH_EINVAL);
    cr_assert(strstr(lbh_last_error(), "1 stored vectors"), "%s", lbh_last_error());
    cr_assert_eq(SEARCH(N, codes, 0, K), LBH_EINVAL);
    cr_assert_eq(SEARCH(-1, codes, 50, K), LBH_EINVAL);
    cr_assert_eq(SEARCH(1, NULL, 50, K), LBH_EINVAL);
    cr_assert_eq(SEARCH(N, codes, 50, 0), LBH_EINVAL);
    cr_assert_eq(SEARCH(0, NULL, 50, K), LBH_OK);
    for (int i = 0; i < NQ * K; i++)
        cr_assert(labels[i] == -1 && distances[i] == FLT_MAX);
    lbh_rescorer_free(r);
    drop();
}
