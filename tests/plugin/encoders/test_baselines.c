/* test_baselines.c: what the unsupervised baselines claim of their codes. */
#include "support.h"

#include "linalg.h"
#include "och.h"
#include "lbh.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define OK(call) cr_assert_eq((call), LBH_OK, "%s", lbh_last_error())

static lbh_encoder *trained(const char *method, const char *options, int64_t n, int d, int nbits,
                            const float *x)
{
    lbh_encoder *enc = NULL;
    OK(lbh_encoder_new(&enc, method, d, nbits));
    OK(lbh_encoder_set(enc, options));
    OK(lbh_encoder_train(enc, n, x));
    return enc;
}

static int bit(const uint8_t *code, int k)
{
    return code[k / 8] >> (k % 8) & 1;
}

static float uniform(unsigned *state)
{
    *state = *state * 1664525u + 1013904223u;
    return (float)(*state >> 8) / (float)(1 << 24);
}

/* An evenly filled box of sides 4, 1.5: the five lowest frequencies are modes 1, 2 of the long side,
 * mode 1 of the short one (1/1.5), mode 3 (3/4) and mode 4 (1) of the long one. */
Test(sh, finds_the_lowest_frequencies_of_a_box)
{
    enum { N = 4000, NBITS = 5 };
    static const int side[NBITS] = {0, 0, 1, 0, 0}, mode[NBITS] = {1, 2, 1, 3, 4};
    static const float length[2] = {4, 1.5f};
    float *x = malloc(sizeof(float) * N * 2);
    uint8_t *codes = malloc(N);
    unsigned state = 1;
    for (int i = 0; i < 2 * N; i++)
        x[i] = uniform(&state) * length[i % 2];
    lbh_encoder *enc = trained("sh", "", N, 2, NBITS, x);
    OK(lbh_encoder_encode(enc, N, x, codes));
    for (int k = 0; k < NBITS; k++) {
        int same = 0;
        for (int i = 0; i < N; i++)
            same += bit(codes + i, k) ==
                    (cos(3.14159265358979 * mode[k] * (double)(x[2 * i + side[k]] / length[side[k]])) >= 0);
        /* an axis may point either way; the axes found are a little turned */
        cr_assert(same > 0.97 * N || same < 0.03 * N, "bit %d agrees for %d of %d", k, same, N);
    }
    lbh_encoder_free(enc);
    free(x), free(codes);
}

Test(sph, spheres_are_balanced_and_share_a_quarter)
{
    enum { N = 4000, D = 16, NBITS = 16 };
    float *x = test_mixture(N, D, 5, NULL);
    uint8_t *codes = malloc(N * NBITS / 8);
    lbh_encoder *enc = trained("sph", "", N, D, NBITS, x);
    OK(lbh_encoder_encode(enc, N, x, codes));
    double off = 0;
    for (int a = 0; a < NBITS; a++) {
        int inside = 0;
        for (int i = 0; i < N; i++)
            inside += bit(codes + i * NBITS / 8, a);
        cr_assert_float_eq(inside, N / 2.0, N * 0.002, "bit %d: %d of %d inside", a, inside, N);
        for (int b = 0; b < a; b++) {
            int both = 0;
            for (int i = 0; i < N; i++)
                both += bit(codes + i * NBITS / 8, a) & bit(codes + i * NBITS / 8, b);
            off += fabs(both / (N / 4.0) - 1) / (NBITS * (NBITS - 1) / 2);
        }
    }
    cr_assert(off < 0.11, "overlaps are off a quarter by %.3f of it", off);
    lbh_encoder_free(enc);
    free(x), free(codes);
}

/* Clusters at the corners of a square: neighbours along a side differ in one bit, across in two. */
/* No pivots make spheres of half of the rows share a quarter: they flee, and used to reach infinity. */
Test(sph, learns_where_half_of_the_rows_are_one)
{
    enum { ROWS = 400, DIM = 16, L = 16 };
    float *x = test_mixture(ROWS, DIM, 3, NULL);
    for (int i = 0; i < ROWS; i += 2)
        memcpy(x + i * DIM, x, DIM * sizeof *x);
    lbh_encoder_free(trained("sph", "", ROWS, DIM, L, x));
    free(x);
}

Test(kmh, indices_tell_distances)
{
    enum { N = 800 };
    float x[2 * N];
    uint8_t codes[N];
    unsigned state = 3;
    for (int i = 0; i < N; i++) {
        float a = (float)(i & 1) * 2 - 1, b = (float)(i >> 1 & 1) * 2 - 1;
        x[2 * i] = 3 * (a * 0.8f - b * 0.6f) + uniform(&state) - 0.5f; /* a turned square */
        x[2 * i + 1] = 3 * (a * 0.6f + b * 0.8f) + uniform(&state) - 0.5f;
    }
    lbh_encoder *enc = trained("kmh", "subbits=2", N, 2, 2, x);
    OK(lbh_encoder_encode(enc, N, x, codes));
    for (int i = 0; i < N; i++)
        for (int j = 0; j < 8; j++)
            cr_assert_eq(__builtin_popcount(codes[i] ^ codes[j]), __builtin_popcount((i ^ j) & 3),
                         "rows %d and %d", i, j);
    lbh_encoder_free(enc);
}

static double rebuilding_error(const lbh_encoder *enc, int64_t n, int d, const float *x)
{
    uint8_t *codes = malloc((size_t)n * lbh_encoder_code_size(enc));
    float *y = malloc((size_t)(n * d) * sizeof *y);
    double error = 0;
    OK(lbh_encoder_encode(enc, n, x, codes));
    OK(lbh_encoder_decode(enc, n, codes, y));
    for (int64_t i = 0; i < n * d; i++)
        error += ((double)x[i] - (double)y[i]) * ((double)x[i] - (double)y[i]);
    free(codes), free(y);
    return error / (double)n;
}

Test(ba, rebuilds_better_than_the_codes_it_starts_from)
{
    enum { N = 3000, D = 24, NBITS = 12 };
    float *x = test_mixture(N, D, 7, NULL);
    lbh_encoder *ba = trained("ba", "", N, D, NBITS, x);
    lbh_encoder *itq = trained("itq", "", N, D, NBITS, x);
    double ours = rebuilding_error(ba, N, D, x), start = rebuilding_error(itq, N, D, x);
    cr_assert(ours < 0.97 * start, "ba %g, itq %g", ours, start);
    lbh_encoder_free(ba), lbh_encoder_free(itq), free(x);
}

/* d loss / d W against central differences. */
Test(och, gradient_equals_central_differences)
{
    enum { R = 6, L = 4, B = 8, K = 5 };
    float W[L * R], G[L * R], Y[(B + K) * R], T[(B + K) * L], dT[(B + K) * L], D[B * K], S[B * K];
    float norm[K] = {0}, slope[K];
    unsigned state = 11;
    for (int i = 0; i < L * R; i++)
        W[i] = uniform(&state) - 0.5f;
    for (int i = 0; i < (B + K) * R; i++)
        Y[i] = 2 * uniform(&state) - 1;
    for (int i = 0; i < K * R; i++)
        norm[i / R] += Y[B * R + i] * Y[B * R + i];
    och_run r = {.p = {.r = R}, .L = L, .B = B, .K = K, .pairs = 20, .W = W, .G = G, .Y = Y, .T = T,
                 .dT = dT, .D = D, .S = S, .anchor_norm = norm, .slope = slope, .beta = 0.9f,
                 .gamma = 3, .seed = 5};
    float gradient[L * R];
    cr_assert(lbh_och_gradient(&r, 2) > 0);
    memcpy(gradient, G, sizeof G);
    for (int i = 0; i < L * R; i++) {
        const float h = 1e-2f, w = W[i];
        W[i] = w + h;
        double up = lbh_och_gradient(&r, 2);
        W[i] = w - h;
        double down = lbh_och_gradient(&r, 2);
        W[i] = w;
        cr_assert_float_eq((double)gradient[i], (up - down) / (2 * (double)h),
                           2e-3 * fabs((double)gradient[i]) + 2e-4, "W[%d]", i);
    }
}

static double squared_distance(int d, const float *a, const float *b)
{
    double sum = 0;
    for (int j = 0; j < d; j++)
        sum += ((double)a[j] - (double)b[j]) * ((double)a[j] - (double)b[j]);
    return sum;
}

/* Share of triples (a, b, c) whose codes tell which of b and c is nearer to a; equal ones count half. */
static double orders_kept(const lbh_encoder *enc, int n, int d, const float *x)
{
    size_t size = lbh_encoder_code_size(enc);
    uint8_t *codes = malloc((size_t)n * size);
    double kept = 0;
    OK(lbh_encoder_encode(enc, n, x, codes));
    for (int i = 0; i + 2 < n; i++) {
        double near = squared_distance(d, x + i * d, x + (i + 1) * d) -
                      squared_distance(d, x + i * d, x + (i + 2) * d);
        int code = test_hamming(codes + (size_t)i * size, codes + (size_t)(i + 1) * size, size) -
                   test_hamming(codes + (size_t)i * size, codes + (size_t)(i + 2) * size, size);
        kept += code == 0 ? 0.5 : (near < 0) == (code < 0);
    }
    free(codes);
    return kept / (n - 2);
}

Test(och, learns_orders_with_orthonormal_directions)
{
    enum { N = 4000, D = 32, NBITS = 16 };
    float *x = test_mixture(N, D, 13, NULL), A[NBITS * D], b[NBITS];
    lbh_encoder *start = trained("och", "steps=0", N, D, NBITS, x);
    lbh_encoder *enc = trained("och", "steps=400,batch=128", N, D, NBITS, x);
    double before = orders_kept(start, N, D, x), after = orders_kept(enc, N, D, x);
    cr_assert(after > before + 0.004, "%g of the orders kept, %g at the start", after, before);
    lbh_encoder_free(start);
    OK(lbh_encoder_linear(enc, A, b));
    for (int i = 0; i < NBITS; i++)
        for (int k = 0; k <= i; k++) {
            double dot = 0, size = 0;
            for (int j = 0; j < D; j++) {
                dot += (double)A[i * D + j] * (double)A[k * D + j];
                size += (double)A[j] * (double)A[j];
            }
            cr_assert_float_eq(dot / size, i == k, 1e-3, "rows %d and %d", i, k);
        }
    lbh_encoder_free(enc);
    free(x);
}

/* cos(x, W^T b) */
static double cosine(int L, int d, const float *columns, const float *x, const double *b)
{
    double dot = 0, square = 0, length = 0;
    for (int j = 0; j < d; j++) {
        double y = 0;
        for (int k = 0; k < L; k++)
            y += b[k] * (double)columns[j * L + k];
        dot += y * (double)x[j];
        square += y * y;
        length += (double)x[j] * (double)x[j];
    }
    return dot / sqrt(square * length);
}

/* No flip of one bit brings W^T b nearer to the direction of x; z is what a flip would cost. */
Test(qolsh, codes_cannot_be_improved_by_a_flip)
{
    enum { N = 40, D = 8, NBITS = 24 };
    float *x = test_mixture(N, D, 17, NULL), *z = malloc(sizeof(float) * N * NBITS);
    float columns[D * NBITS];
    double seed, moved = 0;
    lbh_encoder *enc = trained("qolsh", "centre=0", N, D, NBITS, x);
    OK(lbh_encoder_get_value(enc, "seed", &seed));
    OK(lbh_random_rotation(D, NBITS, (uint64_t)seed, 0, columns)); /* the frame, transposed */
    OK(lbh_encoder_project(enc, N, x, z));
    for (int i = 0; i < N; i++) {
        double b[NBITS], length = 0;
        for (int j = 0; j < D; j++)
            length += (double)x[i * D + j] * (double)x[i * D + j];
        for (int k = 0; k < NBITS; k++) {
            double p = 0;
            for (int j = 0; j < D; j++)
                p += (double)columns[j * NBITS + k] * (double)x[i * D + j];
            b[k] = z[i * NBITS + k] >= 0 ? 1 : -1;
            moved += (p >= 0) != (b[k] > 0);
        }
        double best = cosine(NBITS, D, columns, x + i * D, b);
        for (int k = 0; k < NBITS; k++) {
            b[k] = -b[k];
            double cost = (best - cosine(NBITS, D, columns, x + i * D, b)) * sqrt(length);
            b[k] = -b[k];
            cr_assert(cost > -1e-5 * sqrt(length), "row %d: a flip of bit %d gains", i, k);
            cr_assert_float_eq(fabs((double)z[i * NBITS + k]), fmax(cost, 0), 1e-4 * sqrt(length));
        }
    }
    cr_assert(moved > N, "the search hardly moved: %g bits", moved);
    lbh_encoder_free(enc);
    free(x), free(z);
}
