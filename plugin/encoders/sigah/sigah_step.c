/* sigah_step.c: see sigah_step.h. Matrix products and element-wise passes; sums of columns go over
 * blocks of 16 columns and those of rows row by row, so that every sum has one order whatever the
 * number of threads. */
#include "sigah_step.h"

#include "blas.h"
#include "cpu.h"
#include "vmath.h"
#include "graph_term.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

enum { COLUMNS = 16 };

static const float DISCRIMINATOR_LEAK = 0.2f;

/* ---- Passes over one row ------------------------------------------------------------------- */

/* T = tanh(T + b) */
LBH_CLONES
static void hash_row(int L, const float *restrict b, float *restrict T)
{
    for (int j = 0; j < L; j++)
        T[j] = 2 * lbh_sigmoid(2 * (T[j] + b[j])) - 1;
}

LBH_CLONES
static void noisy_row(int L, const float *restrict T, const float *restrict noise,
                      float *restrict H)
{
    for (int j = 0; j < L; j++)
        H[j] = T[j] + noise[j] >= 0 ? 1.0f : -1.0f;
}

/* S = f(S + b), D = f'(S + b) */
LBH_CLONES
static void leaky_row(int m, float leak, const float *restrict b, float *restrict S,
                      float *restrict D)
{
    for (int j = 0; j < m; j++) {
        float a = S[j] + b[j];
        D[j] = a > 0 ? 1.0f : leak;
        S[j] = a * D[j];
    }
}

LBH_CLONES
static void sigmoid_row(int m, const float *restrict b, float *restrict S, float *restrict D)
{
    for (int j = 0; j < m; j++) {
        float s = lbh_sigmoid(S[j] + b[j]);
        D[j] = s * (1 - s);
        S[j] = s;
    }
}

LBH_CLONES
static void tanh_row(int m, const float *restrict b, float *restrict S, float *restrict D)
{
    for (int j = 0; j < m; j++) {
        float t = 2 * lbh_sigmoid(2 * (S[j] + b[j])) - 1;
        D[j] = 1 - t * t;
        S[j] = t;
    }
}

LBH_CLONES
static void swish_row(int m, const float *restrict b, float *restrict S, float *restrict D)
{
    for (int j = 0; j < m; j++) {
        float a = S[j] + b[j], s = lbh_sigmoid(a);
        D[j] = s + a * s * (1 - s);
        S[j] = a * s;
    }
}

static void activate(sigah_activation f, int m, float leak, const float *b, float *S, float *D)
{
    switch (f) {
    case SIGAH_LEAKY_RELU:
        leaky_row(m, leak, b, S, D);
        break;
    case SIGAH_RELU:
        leaky_row(m, 0, b, S, D);
        break;
    case SIGAH_LINEAR:
        leaky_row(m, 1, b, S, D);
        break;
    case SIGAH_SIGMOID:
        sigmoid_row(m, b, S, D);
        break;
    case SIGAH_TANH:
        tanh_row(m, b, S, D);
        break;
    case SIGAH_SWISH:
        swish_row(m, b, S, D);
        break;
    }
}

/* dS <- (dY A^T + weight sign(S)) f', in place: G holds dY A^T, D holds f'. Returns sum |s|. */
LBH_CLONES
static double sparse_row(int m, float weight, const float *restrict S, const float *restrict G,
                         float *restrict D)
{
    float sum = 0;
    for (int j = 0; j < m; j++) {
        float sign = S[j] > 0 ? 1.0f : S[j] < 0 ? -1.0f : 0.0f;
        sum += fabsf(S[j]);
        D[j] *= G[j] + weight * sign;
    }
    return (double)sum;
}

LBH_CLONES
static void hash_gradient_row(int L, const float *restrict T, float *restrict dT)
{
    for (int j = 0; j < L; j++)
        dT[j] *= 1 - T[j] * T[j];
}

/* O = y - (O + b), returns ||O||^2 */
LBH_CLONES
static double residual_row(int d, const float *restrict y, const float *restrict b,
                           float *restrict O)
{
    float sum = 0;
    for (int j = 0; j < d; j++) {
        float r = y[j] - O[j] - b[j];
        sum += r * r;
        O[j] = r;
    }
    return (double)sum;
}

/* R = factor (y - x), returns ||y - x||^2 */
LBH_CLONES
static double difference_row(int d, float factor, const float *restrict x, const float *restrict y,
                             float *restrict R)
{
    float sum = 0;
    for (int j = 0; j < d; j++) {
        float r = y[j] - x[j];
        sum += r * r;
        R[j] = factor * r;
    }
    return (double)sum;
}

LBH_CLONES
static void multiply(int64_t n, const float *restrict a, float *restrict x)
{
    for (int64_t i = 0; i < n; i++)
        x[i] *= a[i];
}

/* out[j] = beta out[j] + sum over i of M[i * n + j] */
LBH_CLONES
static void sum_columns(int B, int n, int j0, int j1, const float *restrict M, float beta,
                        float *restrict out)
{
    float sum[COLUMNS] = {0};
    for (int i = 0; i < B; i++)
        for (int j = j0; j < j1; j++)
            sum[j - j0] += M[(ptrdiff_t)i * n + j];
    for (int j = j0; j < j1; j++)
        out[j] = (beta != 0 ? beta * out[j] : 0) + sum[j - j0];
}

static void columns(int B, int n, const float *M, float beta, float *out)
{
#pragma omp parallel for schedule(static)
    for (int j = 0; j < n; j += COLUMNS)
        sum_columns(B, n, j, j + COLUMNS < n ? j + COLUMNS : n, M, beta, out);
}

static double total(int B, const double *row)
{
    double sum = 0;
    for (int i = 0; i < B; i++)
        sum += row[i];
    return sum;
}

/* ---- Forward ------------------------------------------------------------------------------- */

void sigah_features(const sigah_config *cfg, int B, const float *H, const float *Wg, const float *bg,
                    float *S, float *dS)
{
    int m = cfg->m;
    lbh_gemm_nn(B, m, cfg->nbits, 1, H, Wg, 0, S);
#pragma omp parallel for schedule(static)
    for (int i = 0; i < B; i++)
        activate(cfg->activation, m, cfg->leak, bg, S + (ptrdiff_t)i * m, dS + (ptrdiff_t)i * m);
}

void sigah_forward(const sigah_config *cfg, float *const *p, int B, const float *X,
                   const float *noise, sigah_batch *w)
{
    int d = cfg->d, L = cfg->nbits, m = cfg->m;
    w->H = noise ? w->bits : w->T;
    lbh_gemm_nt(B, L, d, 1, X, p[SIGAH_W], 0, w->T);
#pragma omp parallel for schedule(static)
    for (int i = 0; i < B; i++) {
        ptrdiff_t at = (ptrdiff_t)i * L;
        hash_row(L, p[SIGAH_B], w->T + at);
        if (noise)
            noisy_row(L, w->T + at, noise + at, w->bits + at);
    }
    sigah_features(cfg, B, w->H, p[SIGAH_WG], p[SIGAH_BG], w->S, w->dS);
    if (cfg->measurement == SIGAH_IDENTITY)
        memcpy(w->Y, w->S, (size_t)B * (size_t)d * sizeof *w->Y);
    else
        lbh_gemm_nn(B, d, m, 1, w->S, p[SIGAH_A], 0, w->Y);
}

/* ---- Discriminator ------------------------------------------------------------------------- */

/* E, dE, O = y - AE(y), and the energies into w->row. */
static void energies(const sigah_config *cfg, float *const *p, int B, const float *Y,
                     const sigah_batch *w)
{
    int d = cfg->d, k = cfg->k;
    lbh_gemm_nn(B, k, d, 1, Y, p[SIGAH_WE], 0, w->E);
#pragma omp parallel for schedule(static)
    for (int i = 0; i < B; i++)
        leaky_row(k, DISCRIMINATOR_LEAK, p[SIGAH_BE], w->E + (ptrdiff_t)i * k,
                  w->dE + (ptrdiff_t)i * k);
    lbh_gemm_nn(B, d, k, 1, w->E, p[SIGAH_WD], 0, w->O);
#pragma omp parallel for schedule(static)
    for (int i = 0; i < B; i++)
        w->row[i] = (double)cfg->unit *
                    residual_row(d, Y + (ptrdiff_t)i * d, p[SIGAH_BD], w->O + (ptrdiff_t)i * d);
}

/* Adds (beta = 1) or sets (0) the gradients of sum_i weight_i D(y_i); weights in w->row. */
static void energy_gradients(const sigah_config *cfg, float *const *p, int B, const float *Y,
                             const sigah_batch *w, float beta, float *const *g)
{
    int d = cfg->d, k = cfg->k;
#pragma omp parallel for schedule(static)
    for (int i = 0; i < B; i++)
        for (int j = 0; j < d; j++) /* dO of the output: -2 weight (y - AE(y)) */
            w->O[(ptrdiff_t)i * d + j] *= (float)(-2 * w->row[i]) * cfg->unit;
    lbh_gemm_tn(k, d, B, 1, w->E, w->O, beta, g[SIGAH_WD]);
    columns(B, d, w->O, beta, g[SIGAH_BD]);
    lbh_gemm_nt(B, k, d, 1, w->O, p[SIGAH_WD], 0, w->E);
    multiply((int64_t)B * k, w->E, w->dE);
    lbh_gemm_tn(d, k, B, 1, Y, w->dE, beta, g[SIGAH_WE]);
    columns(B, k, w->dE, beta, g[SIGAH_BE]);
}

static void move_row(int width, int from, int to, float *M)
{
    if (from != to)
        memcpy(M + (ptrdiff_t)to * width, M + (ptrdiff_t)from * width, (size_t)width * sizeof *M);
}

/* The rows of negative weight move to the front; returns how many. Those of weight 0 have no gradient.
 * R gets their Y: nothing else is there before the generator's step. */
static int keep_pushed(const sigah_config *cfg, int B, const sigah_batch *w)
{
    size_t size = (size_t)cfg->d * sizeof *w->R;
    int kept = 0;
    for (int i = 0; i < B; i++) {
        if (w->row[i] >= 0)
            continue;
        w->row[kept] = w->row[i];
        move_row(cfg->d, i, kept, w->O);
        move_row(cfg->k, i, kept, w->E);
        move_row(cfg->k, i, kept, w->dE);
        memcpy(w->R + (ptrdiff_t)kept * cfg->d, w->Y + (ptrdiff_t)i * cfg->d, size);
        kept++;
    }
    return kept;
}

void sigah_discriminator(const sigah_config *cfg, float *const *p, int B, const float *X,
                         const sigah_batch *w, float *const *g, sigah_losses *losses)
{
    energies(cfg, p, B, X, w);
    losses->real = total(B, w->row) / B;
    for (int i = 0; i < B; i++)
        w->row[i] = 1.0 / B;
    energy_gradients(cfg, p, B, X, w, 0, g);

    energies(cfg, p, B, w->Y, w);
    losses->synthetic = total(B, w->row) / B;
    losses->hinge = 0;
    for (int i = 0; i < B; i++) {
        bool below = w->row[i] < (double)cfg->margin;
        losses->hinge += below ? ((double)cfg->margin - w->row[i]) / B : 0;
        w->row[i] = below ? -1.0 / B : 0;
    }
    int pushed = keep_pushed(cfg, B, w);
    if (pushed > 0)
        energy_gradients(cfg, p, pushed, w->R, w, 1, g);
}

/* ---- Generator and hash layer -------------------------------------------------------------- */

/* R = d(rec)/dX^ */
static void reconstruction(const sigah_config *cfg, int B, const float *X, const sigah_batch *w,
                           sigah_losses *losses)
{
    int d = cfg->d;
    float factor = 2 * cfg->unit / (float)B;
#pragma omp parallel for schedule(static)
    for (int i = 0; i < B; i++) {
        ptrdiff_t at = (ptrdiff_t)i * d;
        float weight = w->weight ? w->weight[i] : 1;
        w->row[i] = difference_row(d, factor * weight, X + at, w->Y + at, w->R + at);
    }
    losses->error = losses->rec = 0;
    for (int i = 0; i < B; i++) {
        double share = (double)cfg->unit * w->row[i] / B;
        losses->error += share;
        losses->rec += w->weight ? (double)w->weight[i] * share : share;
    }
}

/* R += d(adversarial adv)/dX^ = 2 q (o - (o Wd^T . f') We^T), q = adversarial unit / n */
static void adversarial_gradient(const sigah_config *cfg, float *const *p, int B,
                                 const sigah_batch *w, sigah_losses *losses)
{
    int d = cfg->d, k = cfg->k;
    float q = 2 * cfg->adversarial * cfg->unit / (float)B;
    energies(cfg, p, B, w->Y, w);
    losses->synthetic = total(B, w->row) / B;
    lbh_gemm_nt(B, k, d, q, w->O, p[SIGAH_WD], 0, w->E);
    multiply((int64_t)B * k, w->E, w->dE);
    lbh_gemm_nt(B, d, k, -1, w->dE, p[SIGAH_WE], 1, w->R);
#pragma omp parallel for schedule(static)
    for (int i = 0; i < B; i++)
        for (int j = 0; j < d; j++)
            w->R[(ptrdiff_t)i * d + j] += q * w->O[(ptrdiff_t)i * d + j];
}

/* From R = d(loss)/dX^ to dS = d(loss)/d(input of f). */
static void through_measurement(const sigah_config *cfg, float *const *p, int B,
                                const sigah_batch *w, float *const *g, sigah_losses *losses)
{
    int d = cfg->d, m = cfg->m;
    const float *G = w->R;
    if (cfg->measurement == SIGAH_LEARNED)
        lbh_gemm_tn(m, d, B, 1, w->S, w->R, 0, g[SIGAH_A]);
    if (cfg->measurement != SIGAH_IDENTITY) {
        lbh_gemm_nt(B, m, d, 1, w->R, p[SIGAH_A], 0, w->G);
        G = w->G;
    }
    float weight = cfg->sparsity / ((float)B * (float)m);
#pragma omp parallel for schedule(static)
    for (int i = 0; i < B; i++) {
        ptrdiff_t at = (ptrdiff_t)i * m;
        w->row[i] = sparse_row(m, weight, w->S + at, G + at, w->dS + at);
    }
    losses->sparsity = total(B, w->row) / ((double)B * m);
}

void sigah_generator(const sigah_config *cfg, float *const *p, int B, const float *X,
                     const sigah_batch *w, float *const *g, sigah_losses *losses)
{
    int d = cfg->d, L = cfg->nbits, m = cfg->m;
    reconstruction(cfg, B, X, w, losses);
    if (cfg->adversarial > 0)
        adversarial_gradient(cfg, p, B, w, losses);
    through_measurement(cfg, p, B, w, g, losses);
    lbh_gemm_tn(L, m, B, 1, w->H, w->dS, 0, g[SIGAH_WG]);
    columns(B, m, w->dS, 0, g[SIGAH_BG]);
    lbh_gemm_nt(B, L, m, 1, w->dS, p[SIGAH_WG], 0, w->dT);
    losses->graph =
        cfg->near ? lbh_graph_gradients(cfg->near, B, d, L, cfg->graph, X, w->H, w->dT) : 0;
#pragma omp parallel for schedule(static)
    for (int i = 0; i < B; i++)
        hash_gradient_row(L, w->T + (ptrdiff_t)i * L, w->dT + (ptrdiff_t)i * L);
    lbh_gemm_tn(L, d, B, 1, w->dT, X, 0, g[SIGAH_W]);
    columns(B, L, w->dT, 0, g[SIGAH_B]);
}
