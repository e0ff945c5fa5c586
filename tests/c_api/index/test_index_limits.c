/* test_index_limits.c: rows that are all the same, numbers that are none, and more codes than 2^31 bytes, in
 * FAISS's indexes and in pipelines. */
#define _GNU_SOURCE
#include "cases.h"
#include "lbh_pipeline.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { N = 300, D = 16, K = 5 };

static lbh_encoder *trained(const char *method, const float *x)
{
    lbh_encoder *enc = NULL;
    cr_ok(lbh_encoder_new(&enc, method, D, 24));
    cr_ok(lbh_encoder_train(enc, N, x));
    return enc;
}

/* All rows are one row: every answer is at distance 0, and they are the first ones. */
Test(limits, rows_that_are_all_equal)
{
    float x[N * D];
    for (int i = 0; i < N * D; i++)
        x[i] = (float)(i % D) - 3;
    lbh_encoder *enc = trained("itq", x);
    for (const test_case *c = test_cases; c->factory; c++) {
        FaissIndexBinary *index = NULL;
        int32_t distances[K];
        int64_t labels[K];
        cr_ok(lbh_index_build(&index, enc, c->factory, N, x));
        cr_ok(lbh_index_search(index, enc, 1, x, K, distances, labels));
        for (int j = 0; j < K; j++) {
            cr_assert(labels[j] >= -1 && labels[j] < N, "%s", c->factory);
            cr_assert(labels[j] < 0 || distances[j] == 0, "%s", c->factory);
            if (c->thorough)
                cr_assert(labels[j] >= 0 && distances[j] == 0, "%s", c->factory);
        }
        lbh_index_free(index);
    }
    lbh_encoder_free(enc);
}

/* One row, and more answers wanted than there are. */
Test(limits, an_index_of_one_row)
{
    float *x = test_mixture(N, D, 3, NULL);
    lbh_encoder *enc = trained("lsh", x);
    for (const test_case *c = test_cases; c->factory; c++) {
        FaissIndexBinary *index = NULL;
        int32_t distances[K];
        int64_t labels[K];
        int rc = lbh_index_build(&index, enc, c->factory, 1, x);
        if (strstr(c->kind, "BIVF")) {
            cr_assert_eq(rc, LBH_EINVAL, "%s: fewer codes than lists", c->factory);
            continue;
        }
        cr_assert_eq(rc, LBH_OK, "%s: %s", c->factory, lbh_last_error());
        cr_ok(lbh_index_search(index, enc, 1, x, K, distances, labels));
        cr_assert(labels[0] == 0 && distances[0] == 0, "%s", c->factory);
        cr_assert(labels[1] == -1 && distances[1] == INT32_MAX, "%s", c->factory);
        lbh_index_free(index);
    }
    lbh_encoder_free(enc);
    free(x);
}

static const float bad[] = {NAN, INFINITY, -INFINITY};

Test(limits, what_is_no_number_in_an_index)
{
    float *x = test_mixture(N, D, 3, NULL);
    lbh_encoder *enc = trained("lsh", x);
    FaissIndexBinary *index = NULL, *none = NULL;
    lbh_range_result *range = NULL;
    int32_t distances[K];
    int64_t labels[K];
    cr_ok(lbh_index_build(&index, enc, "BFlat", N, x));
    for (int i = 0; i < 3; i++) {
        float *y = test_mixture(N, D, 4, NULL);
        y[77 * D + 3] = bad[i];
        cr_fails(lbh_index_build(&none, enc, "BFlat", N, y), LBH_EINVAL, "row 77");
        cr_fails(lbh_index_add(index, enc, N, y, NULL), LBH_EINVAL, "row 77");
        cr_fails(lbh_index_search(index, enc, 1, y + 77 * D, K, distances, labels), LBH_EINVAL,
                 "row 0");
        cr_fails(lbh_index_range_search(&range, index, enc, 1, y + 77 * D, 3), LBH_EINVAL, "row 0");
        free(y);
    }
    cr_assert_eq(lbh_index_ntotal(index), N);
    cr_assert(!none && !range);
    lbh_index_free(index);
    lbh_encoder_free(enc);
    free(x);
}

Test(limits, what_is_no_number_in_a_pipeline)
{
    static const char *const factories[] = {"lsh24,BFlat", "lsh24,BFlat,RFlat",
                                            "IDMap2,lsh24,BIVF2,RSQ8"};
    for (size_t f = 0; f < sizeof factories / sizeof *factories; f++)
        for (int i = 0; i < 3; i++) {
            float *x = test_mixture(N, D, 3, NULL), distances[K];
            int64_t labels[K];
            lbh_pipeline *p = NULL, *fresh = NULL;
            cr_ok(lbh_pipeline_new(&p, D, factories[f], LBH_METRIC_L2));
            cr_ok(lbh_pipeline_train(p, N, x));
            cr_ok(lbh_pipeline_add(p, N, x));
            x[77 * D + 3] = bad[i];
            cr_ok(lbh_pipeline_new(&fresh, D, factories[f], LBH_METRIC_L2));
            cr_assert_eq(lbh_pipeline_train(fresh, N, x), LBH_EINVAL, "%s", factories[f]);
            cr_assert(!lbh_pipeline_is_trained(fresh));
            cr_assert_eq(lbh_pipeline_add(p, N, x), LBH_EINVAL, "%s", factories[f]);
            cr_assert_eq(lbh_pipeline_search(p, 1, x + 77 * D, K, distances, labels), LBH_EINVAL);
            cr_assert_eq(lbh_pipeline_ntotal(p), N);
            lbh_pipeline_free(p), lbh_pipeline_free(fresh);
            free(x);
        }
}

/* Denormals and the largest floats: they are numbers, and are found again. */
Test(limits, numbers_at_both_ends)
{
    static const float scale[] = {1e-40F, 1e-20F, 1e15F};
    for (size_t s = 0; s < sizeof scale / sizeof *scale; s++) {
        float *x = test_mixture(N, D, 3, NULL), distances[K];
        int64_t labels[K];
        lbh_pipeline *p = NULL;
        for (int i = 0; i < N * D; i++)
            x[i] *= scale[s];
        cr_ok(lbh_pipeline_new(&p, D, "itq24,BFlat,RFlat", LBH_METRIC_L2));
        cr_ok(lbh_pipeline_train(p, N, x));
        cr_ok(lbh_pipeline_add(p, N, x));
        for (int64_t i = 0; i < N; i += 50) {
            cr_ok(lbh_pipeline_search(p, 1, x + i * D, K, distances, labels));
            cr_assert(isfinite(distances[0]) && distances[0] == 0, "scale %g: %g",
                      (double)scale[s], (double)distances[0]);
        }
        lbh_pipeline_free(p);
        free(x);
    }
}

/* 2^31 bytes of codes and more in an index of FAISS. */
Test(limits, an_index_beyond_2_to_the_31_bytes)
{
    enum { BYTES = 64 };
    if (!getenv("LBH_BIG"))
        cr_skip_test("takes 2.2 GB of memory: set LBH_BIG");
    const int64_t n = (INT64_C(1) << 31) / BYTES + 1000;
    size_t size = (size_t)n * BYTES;
    uint8_t *codes = mmap(NULL, size, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0); /* zeros */
    cr_assert(codes != MAP_FAILED);
    memset(codes + (n - 3) * BYTES, 0x55, BYTES);
    FaissIndexBinary *index = NULL;
    int32_t distance;
    int64_t label;
    cr_ok(lbh_index_build_codes(&index, BYTES, "BFlat", n, codes));
    for (int round = 0; round < 2; round++) {
        cr_ok(lbh_index_search_codes(index, BYTES, 1, codes + (n - 3) * BYTES, 1, &distance,
                                     &label));
        cr_assert(label == n - 3 && distance == 0);
        uint8_t code[BYTES];
        cr_ok(lbh_index_reconstruct(index, n - 3, code));
        cr_assert(code[0] == 0x55);
        cr_ok(lbh_index_accelerate(&index));
    }
    lbh_index_free(index);
    munmap(codes, size);
}
