/* test_float_index.c: FAISS's float indexes as ground truth and as rivals. */
#include "cases.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = 800, NQ = 25, D = 16, K = 8 };

static FaissIndex *build(const char *factory, int metric, const float *x)
{
    FaissIndex *index = NULL;
    cr_ok(lbh_float_index_new(&index, D, factory, metric));
    cr_ok(lbh_float_index_train(index, N, x));
    cr_ok(lbh_float_index_add(index, N, x));
    return index;
}

static double score(const float *a, const float *b, int metric)
{
    double s = 0;
    for (int j = 0; j < D; j++)
        s += metric == LBH_METRIC_IP ? (double)a[j] * b[j] : pow((double)a[j] - b[j], 2);
    return s;
}

Test(c_api_float_index, flat_is_exact)
{
    float *x = test_mixture(N, D, 1, NULL), *q = test_mixture(NQ, D, 2, NULL);
    for (int metric = LBH_METRIC_L2; metric <= LBH_METRIC_IP; metric++) {
        FaissIndex *index = build("Flat", metric, x);
        float d[NQ * K];
        int64_t l[NQ * K];
        cr_ok(lbh_float_index_search(index, NQ, q, K, d, l));
        for (int i = 0; i < NQ; i++)
            for (int j = 0; j < K; j++) {
                double mine = score(q + i * D, x + l[i * K + j] * D, metric);
                int better = 0;
                cr_assert_float_eq(d[i * K + j], mine, 1e-3 * (1 + fabs(mine)));
                for (int r = 0; r < N; r++) {
                    double s = score(q + i * D, x + r * D, metric);
                    better += metric == LBH_METRIC_IP ? s > mine + 1e-3 : s < mine - 1e-3;
                }
                cr_assert_leq(better, j);
                if (j)
                    cr_assert(metric == LBH_METRIC_IP ? d[i * K + j - 1] >= d[i * K + j]
                                                      : d[i * K + j - 1] <= d[i * K + j]);
            }
        lbh_float_index_free(index);
    }
    free(x);
    free(q);
}

/* Equal distances come by rising id, missing answers last. */
Test(c_api_float_index, ties_and_missing)
{
    float x[6 * D] = {0}, q[D] = {0}, d[9];
    int64_t l[9];
    x[0] = 1;
    x[5 * D] = 2;
    for (int metric = LBH_METRIC_L2; metric <= LBH_METRIC_IP; metric++) {
        FaissIndex *index = NULL;
        cr_ok(lbh_float_index_new(&index, D, "Flat", metric));
        cr_ok(lbh_float_index_add(index, 6, x));
        q[0] = metric == LBH_METRIC_IP ? 1 : 0;
        cr_ok(lbh_float_index_search(index, 1, q, 9, d, l));
        static const int64_t expected[2][9] = {{1, 2, 3, 4, 0, 5, -1, -1, -1},
                                               {5, 0, 1, 2, 3, 4, -1, -1, -1}};
        cr_assert_arr_eq(l, expected[metric], sizeof l);
        lbh_float_index_free(index);
    }
}

Test(c_api_float_index, codes)
{
    float *x = test_mixture(N, D, 1, NULL);
    FaissIndex *pq = build("PQ4", LBH_METRIC_L2, x);
    FaissIndex *itq = build("ITQ16,LSH", LBH_METRIC_L2, x);
    cr_assert_eq(lbh_float_index_code_size(pq), 4);
    cr_assert_eq(lbh_float_index_code_size(itq), 2);
    cr_assert_eq(lbh_float_index_code_size(NULL), 0);

    /* "...,LSH" searches by the Hamming distance of its codes. */
    uint8_t codes[N * 2];
    float d[NQ * K];
    int64_t l[NQ * K];
    cr_ok(lbh_float_index_encode(itq, N, x, codes));
    cr_ok(lbh_float_index_search(itq, NQ, x, K, d, l));
    for (int i = 0; i < NQ; i++)
        for (int j = 0; j < K; j++)
            cr_assert_eq(d[i * K + j],
                         test_hamming(codes + 2 * i, codes + 2 * l[i * K + j], 2));

    FaissIndex *read = NULL;
    uint8_t again[N * 2];
    cr_ok(lbh_float_index_save(itq, test_tmp("itq.faiss")));
    cr_ok(lbh_float_index_load(&read, test_tmp("itq.faiss")));
    cr_ok(lbh_float_index_encode(read, N, x, again));
    cr_assert_arr_eq(codes, again, sizeof codes);
    lbh_float_index_free(read);
    lbh_float_index_free(pq);
    lbh_float_index_free(itq);
    lbh_float_index_free(NULL);
    free(x);
}

Test(c_api_float_index, wrong_calls)
{
    static const char *const bad[] = {"", "Flatt", "PQ", "PQ0", "PQ3", "ITQ0,LSH", "IVF0,Flat", "%n",
                                      "ITQ64,LSH,"};
    FaissIndex *index = NULL;
    float x[4 * D] = {0}, d[4];
    int64_t l[4];
    uint8_t codes[64];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_assert_neq(lbh_float_index_new(&index, D, bad[i], LBH_METRIC_L2), LBH_OK, "%s", bad[i]);
        cr_assert_null(index);
        cr_assert(*lbh_last_error() && !strchr(lbh_last_error(), '\n'));
    }
    cr_fails(lbh_float_index_new(NULL, D, "Flat", LBH_METRIC_L2), LBH_EINVAL, "index");
    cr_fails(lbh_float_index_new(&index, 0, "Flat", LBH_METRIC_L2), LBH_EINVAL, "dimension");
    cr_fails(lbh_float_index_new(&index, 65537, "Flat", LBH_METRIC_L2), LBH_EINVAL, "dimension");
    cr_ok(lbh_float_index_new(&index, 65536, "Flat", LBH_METRIC_L2));
    lbh_float_index_free(index);
    index = NULL;
    cr_fails(lbh_float_index_new(&index, D, "Flat", 7), LBH_EINVAL, "metric");
    cr_fails(lbh_float_index_new(&index, D, NULL, LBH_METRIC_L2), LBH_EINVAL, "factory");
    cr_ok(lbh_float_index_new(&index, D, "PQ4", LBH_METRIC_L2));
    cr_fails(lbh_float_index_add(index, 4, x), LBH_ESTATE, "train");
    cr_fails(lbh_float_index_search(index, 4, x, 1, d, l), LBH_ESTATE, "train");
    cr_fails(lbh_float_index_encode(index, 4, x, codes), LBH_ESTATE, "train");
    cr_fails(lbh_float_index_train(index, 4, x), LBH_EFAISS, "256");
    cr_fails(lbh_float_index_train(NULL, 4, x), LBH_EINVAL, "no index");
    lbh_float_index_free(index);
    index = NULL;
    cr_ok(lbh_float_index_new(&index, D, "Flat", LBH_METRIC_L2));
    cr_fails(lbh_float_index_add(index, 4, NULL), LBH_EINVAL, "no data");
    cr_fails(lbh_float_index_add(index, -1, x), LBH_EINVAL, "negative");
    cr_fails(lbh_float_index_search(index, 4, x, 0, d, l), LBH_EINVAL, "k (0)");
    cr_fails(lbh_float_index_search(index, 4, x, 1, NULL, l), LBH_EINVAL, "answers");
    cr_ok(lbh_float_index_search(index, 4, x, 1, d, l));
    cr_assert_eq(l[0], -1);
    x[2 * D + 1] = INFINITY;
    cr_fails(lbh_float_index_add(index, 4, x), LBH_EINVAL, "row 2");
    cr_fails(lbh_float_index_load(&index, "/nowhere"), LBH_EIO, "No such");
    cr_fails(lbh_float_index_save(index, "/nowhere/x"), LBH_EIO, "No such");
    lbh_float_index_free(index);
}

/* Rows of any length are ranked by the cosine, a row of zeros as at a right angle. */
Test(c_api_float_index, cosine)
{
    float *x = test_mixture(N, D, 1, NULL), *q = test_mixture(NQ, D, 2, NULL);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < D; j++)
            x[i * D + j] = i == 7 ? 0 : ldexpf(x[i * D + j], i % 41 - 20);
    FaissIndex *index = build("Flat", LBH_METRIC_COSINE, x);
    float d[NQ * K];
    int64_t l[NQ * K];
    cr_ok(lbh_float_index_search(index, NQ, q, K, d, l));
    for (int i = 0; i < NQ; i++)
        for (int j = 0; j < K; j++) {
            int better = 0;
            for (int r = 0; r < N; r++) {
                const float *a = q + i * D, *b = x + r * D;
                double c = score(a, b, LBH_METRIC_IP), both = score(a, a, LBH_METRIC_IP) *
                                                              score(b, b, LBH_METRIC_IP);
                c = both > 0 ? c / sqrt(both) : 0;
                if (r == l[i * K + j])
                    cr_assert_float_eq(d[i * K + j], c, 1e-5);
                better += c > d[i * K + j] + 1e-5;
            }
            cr_assert_leq(better, j);
        }
    lbh_float_index_free(index);
    free(x), free(q);
}
