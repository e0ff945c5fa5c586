/* test_map_codes.c: the search for codes against enumeration of all of them. */
#include "support.h"

#include "arena.h"
#include "error.h"
#include "map_codes.h"
#include "lbh.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { L = 11, D = 7 };

static float V[L * D], p[L], y[L];

static void make_problem(uint64_t seed, float correlation)
{
    for (int i = 0; i < L * D; i++)
        V[i] = (float)(test_normal(seed, (uint64_t)i) +
                       (double)correlation * test_normal(seed + 1, (uint64_t)(i % D)));
    for (int k = 0; k < L; k++) {
        p[k] = 0;
        y[k] = test_uniform(seed + 3, (uint64_t)k) < 0.5 ? -1.0f : 1.0f;
        for (int j = 0; j < D; j++)
            p[k] += V[k * D + j] * (float)(3 * test_normal(seed + 2, (uint64_t)j));
    }
}

/* E(b) by its definition. */
static double energy(const float *b, const lbh_extra_term *x)
{
    double e = 0, along = 0;
    for (int j = 0; j < D; j++) {
        double v = 0;
        for (int k = 0; k < L; k++)
            v += (double)b[k] * V[k * D + j];
        e += v * v;
    }
    for (int k = 0; k < L; k++) {
        e -= 2.0 * b[k] * p[k];
        along += x ? (double)x->y[k] * b[k] : 0;
    }
    if (x)
        e += x->lambda * (x->alpha * along - x->t) * (x->alpha * along - x->t);
    return e;
}

static double best_of_all(const lbh_extra_term *x)
{
    double best = INFINITY;
    for (int code = 0; code < 1 << L; code++) {
        float b[L];
        for (int k = 0; k < L; k++)
            b[k] = code >> k & 1 ? 1.0f : -1.0f;
        double e = energy(b, x);
        best = e < best ? e : best;
    }
    return best;
}

/* Searches from a random start; checks that no single flip helps and that margins say so. */
static double search(const lbh_quadratic *q, const lbh_extra_term *x, int iterations, uint64_t seed)
{
    float b[L], margin[L];
    void *scratch = lbh_alloc((int64_t)lbh_map_scratch(L), 1);
    for (int k = 0; k < L; k++)
        b[k] = test_uniform(seed, (uint64_t)k) < 0.5 ? -1.0f : 1.0f;
    lbh_map_search(q, p, x, iterations, b, margin, scratch);
    double e = energy(b, x);
    for (int k = 0; k < L; k++) {
        cr_assert(b[k] == 1 || b[k] == -1);
        b[k] = -b[k];
        double cost = energy(b, x) - e;
        b[k] = -b[k];
        cr_assert(cost > -1e-3, "flipping bit %d gains %g", k, -cost);
        cr_assert_float_eq(margin[k], b[k] * cost, 1e-3 * (1 + fabs(cost)));
        cr_assert((margin[k] >= 0) == (b[k] > 0));
    }
    free(scratch);
    return e;
}

static void check(int with_extra, int iterations, int wanted)
{
    int exact = 0;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        lbh_quadratic q;
        make_problem(10 * seed, 1);
        lbh_extra_term x = {0.7f, 0.9f, 4.0f, y};
        cr_assert_eq(lbh_quadratic_new(&q, L, D, V), LBH_OK);
        double best = best_of_all(with_extra ? &x : NULL);
        double found = search(&q, with_extra ? &x : NULL, iterations, seed);
        cr_assert(found > best - 1e-3);
        exact += found < best + 1e-3;
        lbh_quadratic_free(&q);
    }
    cr_assert(exact >= wanted, "%d of 50 minima were the least ones", exact);
}

Test(map_codes, descent_ends_where_no_flip_helps)
{
    check(0, 0, 5);
    check(1, 0, 5);
}

Test(map_codes, tabu_search_finds_the_least_energy)
{
    check(0, 200, 45);
    check(1, 200, 45);
}

static double error_of(const lbh_encoder *enc, int64_t n, int d, const float *x,
                       const uint8_t *codes)
{
    float *back = malloc((size_t)n * (size_t)d * sizeof *back);
    double sum = 0;
    cr_assert_eq(lbh_encoder_decode(enc, n, codes, back), LBH_OK);
    for (int64_t i = 0; i < n * d; i++)
        sum += (double)(x[i] - back[i]) * (double)(x[i] - back[i]);
    free(back);
    return sum / (double)n;
}

Test(map_codes, refined_codes_rebuild_better_whatever_the_encoder)
{
    enum { N = 500, DIM = 20, BYTES = 3 };
    float *x = test_mixture(N, DIM, 5, NULL);
    for (int i = 0; i < lbh_method_count(); i++) {
        lbh_encoder *enc;
        uint8_t plain[N * BYTES], refined[N * BYTES], again[N * BYTES];
        const char *m = lbh_method_name(i);
        if (lbh_method_needs_labels(m))
            continue;
        cr_assert_eq(lbh_encoder_new(&enc, m, DIM, 8 * BYTES), LBH_OK);
        lbh_encoder_set(enc, "steps=200");
        cr_assert_eq(lbh_encoder_train(enc, N, x), LBH_OK, "%s", lbh_last_error());
        cr_assert_eq(lbh_encoder_encode(enc, N, x, plain), LBH_OK);
        float U[8 * BYTES * DIM], c[DIM];
        int rc = lbh_encoder_encode_refined(enc, N, x, 100, refined);
        if (lbh_encoder_decoder(enc, U, c) != LBH_OK)
            cr_assert_eq(rc, LBH_EINVAL, "%s has no decoder", m);
        else {
            cr_assert_eq(rc, LBH_OK, "%s", lbh_last_error());
            double before = error_of(enc, N, DIM, x, plain);
            double after = error_of(enc, N, DIM, x, refined);
            cr_assert(after < before, "%s: %g became %g", m, before, after);
            for (int64_t j = 0; j < N; j += 7) { /* blocks make no difference */
                int64_t count = N - j < 7 ? N - j : 7;
                lbh_encoder_encode_refined(enc, count, x + j * DIM, 100, again + j * BYTES);
            }
            cr_assert(memcmp(refined, again, sizeof again) == 0, "%s", m);
        }
        lbh_encoder_free(enc);
    }
    free(x);
}

/* ---- SGH's searched codes end to end ------------------------------------------------------- */

enum { ITEMS = 3000, QUERIES = 100, DIMS = 24, BITS = 32, K = 10, WITHIN = 100 };

/* Directions of the mixture with lengths over two orders of magnitude. */
static float *heavy_tailed(int64_t n, uint64_t seed)
{
    float *x = test_mixture(n, DIMS, seed, NULL);
    for (int64_t i = 0; i < n; i++) {
        double norm = 0, length = exp(1.2 * test_normal(seed + 9, (uint64_t)i));
        for (int j = 0; j < DIMS; j++)
            norm += x[i * DIMS + j] * x[i * DIMS + j];
        for (int j = 0; j < DIMS; j++)
            x[i * DIMS + j] *= (float)(length / sqrt(norm));
    }
    return x;
}

static double recall_of(const char *options, const float *x, const float *q)
{
    lbh_encoder *enc;
    static uint8_t items[ITEMS * BITS / 8], queries[QUERIES * BITS / 8];
    static int32_t distances[WITHIN];
    static int64_t labels[WITHIN];
    int found = 0;
    cr_assert_eq(lbh_encoder_new(&enc, "sgh", DIMS, BITS), LBH_OK);
    cr_assert_eq(lbh_encoder_set(enc, options), LBH_OK, "%s", lbh_last_error());
    cr_assert_eq(lbh_encoder_train(enc, ITEMS, x), LBH_OK, "%s", lbh_last_error());
    cr_assert_eq(lbh_encoder_encode(enc, ITEMS, x, items), LBH_OK);
    cr_assert_eq(lbh_encoder_encode_queries(enc, QUERIES, q, queries), LBH_OK);
    for (int i = 0; i < QUERIES; i++) {
        double score[ITEMS], kth[K];
        for (int k = 0; k < K; k++)
            kth[k] = -INFINITY;
        for (int j = 0; j < ITEMS; j++) {
            double s = 0;
            for (int a = 0; a < DIMS; a++)
                s += (double)q[i * DIMS + a] * x[j * DIMS + a];
            score[j] = s;
            for (int k = 0; k < K; k++)
                if (s > kth[k]) {
                    double t = kth[k];
                    kth[k] = s;
                    s = t;
                }
        }
        test_naive_search(ITEMS, items, 1, queries + i * BITS / 8, BITS / 8, WITHIN, distances,
                          labels);
        for (int j = 0; j < WITHIN; j++)
            found += score[labels[j]] >= kth[K - 1];
    }
    lbh_encoder_free(enc);
    return (double)found / (QUERIES * K);
}

Test(map_codes, inner_product_codes_find_long_items)
{
    float *x = heavy_tailed(ITEMS, 3), *q = heavy_tailed(QUERIES, 77);
    double l2 = recall_of("steps=1500", x, q);
    double ip = recall_of("steps=1500,metric=ip", x, q);
    cr_assert(ip > l2 + 0.1, "recall 10@100: %g for L2 codes, %g for inner product codes", l2, ip);
    free(x), free(q);
}

enum { FEW = 1000 };

/* Mean squared error of the decoded items, and of its part along the item. */
static void decoder_errors(const char *along, const float *x, double *all, double *part)
{
    lbh_encoder *enc;
    static uint8_t codes[FEW * BITS / 8];
    float *rebuilt = malloc(sizeof *rebuilt * FEW * DIMS);
    char options[100];
    snprintf(options, sizeof options, "metric=ip,score=decoder,alternations=12,along=%s", along);
    cr_assert_eq(lbh_encoder_new(&enc, "sgh", DIMS, BITS), LBH_OK);
    cr_assert_eq(lbh_encoder_set(enc, options), LBH_OK, "%s", lbh_last_error());
    cr_assert_eq(lbh_encoder_train(enc, FEW, x), LBH_OK, "%s", lbh_last_error());
    cr_assert_eq(lbh_encoder_encode(enc, FEW, x, codes), LBH_OK);
    cr_assert_eq(lbh_encoder_decode(enc, FEW, codes, rebuilt), LBH_OK);
    *all = *part = 0;
    for (int i = 0; i < FEW; i++) {
        double error = 0, length = 0, inside = 0;
        for (int j = 0; j < DIMS; j++) {
            double v = x[i * DIMS + j], e = v - (double)rebuilt[i * DIMS + j];
            error += e * e;
            length += v * v;
            inside += e * v;
        }
        *all += error / FEW;
        *part += inside * inside / length / FEW;
    }
    lbh_encoder_free(enc);
    free(rebuilt);
}

Test(map_codes, the_error_along_the_item_can_weigh_more)
{
    float *x = heavy_tailed(FEW, 3);
    double plain, plain_along, weighted, weighted_along;
    decoder_errors("0", x, &plain, &plain_along);
    decoder_errors("8", x, &weighted, &weighted_along);
    cr_assert(weighted_along < 0.6 * plain_along, "along the item: %g, weighted %g", plain_along,
              weighted_along);
    cr_assert(weighted > 0.98 * plain, "in all: %g, weighted %g", plain, weighted);
    free(x);
}
