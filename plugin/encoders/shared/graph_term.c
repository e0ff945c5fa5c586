/* graph_term.c: see graph_term.h. Both losses depend on the codes through K = T T^T (and, on
 * relaxed codes, the Laplacian through the diagonal too), so that with M = d(loss)/dK the gradient
 * is (M + M^T) T: passes over the rows of K, each by one thread, and one or two products. */
#include "graph_term.h"

#include "blas.h"
#include "cpu.h"
#include "vmath.h"

#include <math.h>
#include <stddef.h>

enum { FIT_STEPS = 10, LANES = 16 }; /* LANES: sums side by side, in one order everywhere */

static const double BETA_RATE = 0.05, BETA_CHANGE = 0.1, LEAST_BETA = 1, MOST_BETA = 100;

/* d_j = |x_i|^2 + |x_j|^2 - 2 x_i . x_j, at least 0 */
LBH_CLONES
static void distances(int B, float mine, const float *restrict norm, float *restrict D)
{
    for (int j = 0; j < B; j++) {
        float d = mine + norm[j] - 2 * D[j];
        D[j] = d > 0 ? d : 0;
    }
}

/* Row i of the Laplacian: K <- deg_i [i = j] - S_ij. Returns sum_j S_ij ||t_i - t_j||^2. */
LBH_CLONES
static double laplacian_row(int B, int i, float inv_sigma, const float *restrict square,
                            const float *restrict D, float *restrict K)
{
    float degree = 0, loss = 0, mine = square[i];
    for (int j = 0; j < B; j++) {
        float s = lbh_expf(-inv_sigma * D[j]);
        degree += s;
        loss += s * (mine + square[j] - 2 * K[j]);
        K[j] = -s;
    }
    K[i] += degree;
    return (double)loss;
}

/* Of a row's other distances, with u = inv (d - nearest): the sums of e^-u, u e^-u and u^2 e^-u. */
typedef struct moments {
    float weight, first, second;
} moments;

static inline __attribute__((always_inline)) void
add_moments(int count, int i, float inv, float nearest, const float *restrict D,
            float *restrict weight, float *restrict first, float *restrict second)
{
    for (int l = 0; l < count; l++) {
        float u = inv * (D[l] - nearest);
        float p = lbh_expf(-u);
        p = l == i || u > 80 ? 0 : p;
        u = u > 80 ? 80 : u; /* 0 times infinity is no number */
        weight[l] += p;
        first[l] += p * u;
        second[l] += p * u * u;
    }
}

static inline __attribute__((always_inline)) moments
find_moments(int B, int i, float inv, float nearest, const float *restrict D)
{
    float weight[LANES] = {0}, first[LANES] = {0}, second[LANES] = {0};
    int j = 0;
    for (; j + LANES <= B; j += LANES)
        add_moments(LANES, i - j, inv, nearest, D + j, weight, first, second);
    add_moments(B - j, i - j, inv, nearest, D + j, weight, first, second);
    moments m = {0};
    for (int l = 0; l < LANES; l++) {
        m.weight += weight[l];
        m.first += first[l];
        m.second += second[l];
    }
    return m;
}

/* 1 / sigma_i for the entropy `target`, by Newton's method in its logarithm: with u = d / sigma and
 * means over p, entropy = log sum e^-u + <u>, and its derivative is -(<u^2> - <u>^2). 0 (all rows
 * alike) where all are equally far. */
LBH_CLONES
static float fit_sigma(int B, int i, float target, const float *restrict D)
{
    float nearest = 1e30f, mean = 0;
    for (int j = 0; j < B; j++) {
        nearest = j != i && D[j] < nearest ? D[j] : nearest;
        mean += j != i ? D[j] : 0;
    }
    mean = mean / (float)(B - 1) - nearest;
    if (!(mean > 0))
        return 0;
    float inv = 3 / mean;
    for (int step = 0; step < FIT_STEPS; step++) {
        moments m = find_moments(B, i, inv, nearest, D);
        float first = m.first / m.weight;
        float variance = fmaxf(m.second / m.weight - first * first, 1e-3f);
        float change = (logf(m.weight) + first - target) / variance;
        inv *= lbh_expf(change > 1 ? 1 : change < -1 ? -1 : change);
        if (fabsf(change) < 1e-4f)
            break;
    }
    return inv;
}

/* Row i: K <- v (q_ij - p_ij), 0 at j = i. Returns v KL(p_i || q_i), of which the derivatives by
 * beta are -slope = v (<k>_q - <k>_p) and bend = v (<k^2>_q - <k>_q^2), with k = t_i . t_j. */
LBH_CLONES
static double embedding_row(int B, int i, float inv_sigma, float beta, float v, float *restrict D,
                            float *restrict K, double *slope, double *bend)
{
    const float far = 1e30f;
    float nearest = far, largest = -far, sum_p = 0, sum_q = 0, cross = 0;
    float mean_p = 0, mean_q = 0, square_q = 0;
    D[i] = far;
    K[i] = -far;
    for (int j = 0; j < B; j++) {
        nearest = D[j] < nearest ? D[j] : nearest;
        largest = K[j] > largest ? K[j] : largest;
    }
    for (int j = 0; j < B; j++) {
        float k = j == i ? 0 : K[j] - largest;
        float a = -inv_sigma * (D[j] - nearest), b = beta * (K[j] - largest);
        a = a < -80 ? -80 : a; /* e^-80 is 0 next to the 1 of the nearest */
        b = b < -80 ? -80 : b;
        float p = lbh_expf(a), q = lbh_expf(b);
        sum_p += p;
        sum_q += q;
        cross += p * (a - b);
        mean_p += p * k;
        mean_q += q * k;
        square_q += q * k * k;
        D[j] = p;
        K[j] = q;
    }
    float inv_p = 1 / sum_p, inv_q = 1 / sum_q;
    for (int j = 0; j < B; j++)
        K[j] = v * (K[j] * inv_q - D[j] * inv_p);
    K[i] = 0;
    mean_q *= inv_q;
    *slope = (double)v * (double)(mean_p * inv_p - mean_q);
    *bend = (double)v * (double)(square_q * inv_q - mean_q * mean_q);
    return (double)v * (double)(cross * inv_p + logf(sum_q * inv_p));
}

static void diagonal(int B, const float *M, float *out)
{
    for (int i = 0; i < B; i++)
        out[i] = M[(ptrdiff_t)i * B + i];
}

static double total(int B, const double *row)
{
    double sum = 0;
    for (int i = 0; i < B; i++)
        sum += row[i];
    return sum;
}

double lbh_graph_gradients(const lbh_graph *g, int B, int d, int L, float weight,
                             const float *X, const float *T, float *dT)
{
    if (B < 2)
        return 0;
    lbh_gemm_nt(B, B, d, 1, X, X, 0, g->D);
    lbh_gemm_nt(B, B, L, 1, T, T, 0, g->K);
    diagonal(B, g->D, g->norm);
#pragma omp parallel for schedule(static)
    for (int i = 0; i < B; i++)
        distances(B, g->norm[i], g->norm, g->D + (ptrdiff_t)i * B);
    diagonal(B, g->K, g->norm);
    float target = logf(fmaxf(g->neighbours * (float)B, 1.5f));
#pragma omp parallel for schedule(static)
    for (int i = 0; i < B; i++) {
        float *D = g->D + (ptrdiff_t)i * B, *K = g->K + (ptrdiff_t)i * B;
        if (g->loss == LBH_GRAPH_LAPLACIAN)
            g->row[i] = laplacian_row(B, i, 1 / g->sigma, g->norm, D, K);
        else
            g->row[i] = embedding_row(B, i, g->narrow ? g->narrow[i] : fit_sigma(B, i, target, D),
                                      g->beta, g->weight ? g->weight[i] : 1, D, K, g->slope + i,
                                      g->bend + i);
    }
    if (g->loss == LBH_GRAPH_LAPLACIAN) { /* symmetric: 4 / n^2 (deg T - S T) */
        float n2 = (float)B * (float)B;
        lbh_gemm_nn(B, L, B, 4 * weight / n2, g->K, T, 1, dT);
        return total(B, g->row) / (double)n2;
    }
    float factor = weight * g->beta / (float)B;
    lbh_gemm_nn(B, L, B, factor, g->K, T, 1, dT);
    lbh_gemm_tn(B, L, B, factor, g->K, T, 1, dT);
    return total(B, g->row) / B;
}

float lbh_graph_better_beta(const lbh_graph *g, int B, int L)
{
    double slope = total(B, g->slope), bend = total(B, g->bend), beta = (double)g->beta;
    if (B < 2 || g->loss == LBH_GRAPH_LAPLACIAN || !(bend > 0) || !isfinite(slope))
        return g->beta;
    double change = BETA_RATE * slope / (bend * beta);
    beta *= 1 + fmin(fmax(change, -BETA_CHANGE), BETA_CHANGE);
    return (float)fmin(fmax(beta, LEAST_BETA / L), MOST_BETA / L);
}
