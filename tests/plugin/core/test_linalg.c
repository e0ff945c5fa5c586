/* test_linalg.c: decompositions against their definitions. */
#include "support.h"

#include "blas.h"
#include "linalg.h"
#include "error.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

/* n rows with standard deviations 10 / (1 + j) along the axes, rotated by Q. */
static float *spectrum(int64_t n, int d, float *Q)
{
    float *Z = malloc((size_t)n * d * 4), *X = malloc((size_t)n * d * 4);
    cr_assert_eq(lbh_random_rotation(d, d, 5, 0, Q), LBH_OK);
    for (int64_t i = 0; i < n * d; i++)
        Z[i] = (float)(10.0 / (1 + i % d) * test_normal(9, (uint64_t)i));
    lbh_gemm_nn((int)n, d, d, 1, Z, Q, 0, X);
    free(Z);
    return X;
}

static void check_pca(int64_t n, int d, int k)
{
    float *Q = malloc((size_t)d * d * 4), *mean = malloc((size_t)d * 4);
    float *V = malloc((size_t)k * d * 4), *variance = malloc((size_t)k * 4);
    float *X = spectrum(n, d, Q);
    lbh_centre(n, d, X, mean);
    cr_assert_eq(lbh_pca(n, d, X, k, 1, V, variance), LBH_OK);
    for (int i = 0; i < k; i++) {
        double expected = 100.0 / ((1 + i) * (1 + i)), along = 0;
        for (int j = 0; j < d; j++)
            along += V[i * d + j] * Q[i * d + j];
        cr_assert_float_eq(variance[i] / expected, 1, 0.15, "variance %d: %g", i, variance[i]);
        if (i < 3)
            cr_assert(fabs(along) > 0.98, "direction %d: %g", i, along);
        for (int j = 0; j <= i; j++) {
            double dot = 0;
            for (int l = 0; l < d; l++)
                dot += V[i * d + l] * V[j * d + l];
            cr_assert_float_eq(dot, i == j, 1e-4);
        }
    }
    free(Q), free(mean), free(V), free(variance), free(X);
}

Test(linalg, pca_finds_the_spectrum)
{
    check_pca(5000, 20, 8);
}

Test(linalg, pca_of_many_dimensions_goes_by_subspace)
{
    check_pca(1200, 1600, 5);
}

Test(linalg, centre_takes_the_mean_off)
{
    float X[] = {1, 10, 2, 20, 3, 60}, mean[2];
    lbh_centre(3, 2, X, mean);
    cr_assert_eq(mean[0], 2);
    cr_assert_eq(mean[1], 30);
    cr_assert_eq(X[4], 1);
    cr_assert_eq(X[5], 30);
}

Test(linalg, procrustes_recovers_a_rotation)
{
    enum { K = 12 };
    float R[K * K], M[K * K], S[K * K] = {0}, found[K * K];
    lbh_random_rotation(K, K, 3, 1, R);
    for (int i = 0; i < K; i++)
        S[i * K + i] = 1 + (float)i;
    lbh_gemm_nn(K, K, K, 1, S, R, 0, M); /* symmetric positive times a rotation */
    cr_assert_eq(lbh_procrustes(K, M, found), LBH_OK);
    for (int i = 0; i < K * K; i++)
        cr_assert_float_eq(found[i], R[i], 1e-4);
}

Test(linalg, solves_symmetric_systems_and_refuses_indefinite_ones)
{
    double G[] = {4, 1, 1, 3}, B[] = {1, 2, 3, 4};
    cr_assert_eq(lbh_solve_spd(2, 2, G, 0, B), LBH_OK);
    cr_assert_float_eq(4 * B[0] + B[2], 1, 1e-12);
    cr_assert_float_eq(B[1] + 3 * B[3], 4, 1e-12);
    double ridged[] = {4, 1, 1, 3}, R[] = {1, 2, 3, 4}; /* with 2 more on all of the diagonal */
    cr_assert_eq(lbh_solve_spd(2, 2, ridged, 2, R), LBH_OK);
    cr_assert_float_eq(6 * R[0] + R[2], 1, 1e-12);
    cr_assert_float_eq(R[1] + 5 * R[3], 4, 1e-12);
    double bad[] = {1, 2, 2, 1}, C[] = {1, 1};
    cr_assert_eq(lbh_solve_spd(2, 1, bad, 0, C), LBH_ENUMERIC);
}

/* Large enough for LAPACK to share its work among threads. */
Test(linalg, results_do_not_depend_on_the_number_of_threads)
{
    enum { N = 700, D = 500, K = 300 };
    float *X = malloc(sizeof(float) * N * D), variance[K];
    float *V[2], *Q[2], *R[2];
    for (int i = 0; i < N * D; i++)
        X[i] = (float)test_normal(5, (uint64_t)i);
    for (int run = 0; run < 2; run++) {
        V[run] = malloc(sizeof(float) * K * D);
        Q[run] = malloc(sizeof(float) * K * K);
        R[run] = malloc(sizeof(float) * K * K);
        omp_set_num_threads(run + 1);
        cr_assert_eq(lbh_pca(N, D, X, K, 1, V[run], variance), LBH_OK);
        cr_assert_eq(lbh_random_rotation(K, K, 1, 2, Q[run]), LBH_OK);
        cr_assert_eq(lbh_procrustes(K, X, R[run]), LBH_OK);
    }
    cr_assert(memcmp(V[0], V[1], sizeof(float) * K * D) == 0);
    cr_assert(memcmp(Q[0], Q[1], sizeof(float) * K * K) == 0);
    cr_assert(memcmp(R[0], R[1], sizeof(float) * K * K) == 0);
    free(X);
    for (int run = 0; run < 2; run++)
        free(V[run]), free(Q[run]), free(R[run]);
}
