/* test_sgh_scale.c: the latent scale of SGH: every block of its gradients, and its loss, against
 * enumeration of all codes and central differences in double precision. */
#include "support.h"

#include "sgh_scale.h"
#include "sgh_step.h"

#include <math.h>
#include <string.h>

static double softplus(double a)
{
    return fmax(a, 0) + log1p(exp(-fabs(a)));
}

static double sigmoid(double a)
{
    return 1 / (1 + exp(-a));
}

enum { L = 6, D = 4, CODES = 1 << L };

/* All parameters in one array: W, b, U, s, c, beta, log_rho; W_z, b_z, t. */
enum { AT_W = 0, AT_B = L * D, AT_U = AT_B + L, AT_S = AT_U + L * D, AT_C = AT_S + D,
       AT_BETA = AT_C + D, AT_RHO = AT_BETA + L, AT_WZ = AT_RHO + 1, AT_BZ = AT_WZ + L * D,
       AT_T = AT_BZ + L, SIZE = AT_T + L };

static const double PENALTY = 0.3;

typedef struct bench {
    float theta[SIZE], grad[SIZE], x[D], noise[L], eps[L];
    float A[L], P[L], H[L], G[L], T[D], sums[L + D], Z[L], M[L], dZ[L];
} bench;

typedef struct truth {
    double theta[SIZE], x[D], eps[L];
} truth;

static void prepare(bench *w, truth *e)
{
    for (int i = 0; i < SIZE; i++)
        e->theta[i] = (float)(0.7 * test_normal(31, (uint64_t)i));
    for (int j = 0; j < D; j++) { /* s away from the kink of |s| */
        e->theta[AT_S + j] = (float)((j % 2 ? -1 : 1) * (0.5 + test_uniform(32, (uint64_t)j)));
        e->x[j] = (float)test_normal(33, (uint64_t)j);
        w->x[j] = (float)e->x[j];
    }
    for (int k = 0; k < L; k++) {
        e->theta[AT_BZ + k] = (float)(1 + 0.5 * test_normal(34, (uint64_t)k));
        e->eps[k] = (float)test_normal(35, (uint64_t)k);
        w->eps[k] = (float)e->eps[k];
    }
    e->theta[AT_RHO] = 0.25;
    for (int i = 0; i < SIZE; i++)
        w->theta[i] = (float)e->theta[i];
}

static double affine(const double *W, double b, const double *x)
{
    for (int j = 0; j < D; j++)
        b += W[j] * x[j];
    return b;
}

static double probability(const truth *e, int code)
{
    double q = 1;
    for (int k = 0; k < L; k++) {
        double p = sigmoid(affine(e->theta + AT_W + k * D, e->theta[AT_B + k], e->x));
        q *= code >> k & 1 ? p : 1 - p;
    }
    return q;
}

static double latent(const truth *e, int k)
{
    return affine(e->theta + AT_WZ + k * D, e->theta[AT_BZ + k], e->x) +
           exp(e->theta[AT_T + k]) * e->eps[k];
}

/* ||x - x^(h o z)||^2 / 2 for the code with the bits of `code` */
static double reconstruction(const sgh_config *cfg, const truth *e, int code)
{
    double sum = 0;
    for (int j = 0; j < D; j++) {
        double v = 0;
        for (int k = 0; k < L; k++) {
            double h = code >> k & 1 ? 1 : cfg->coding == SGH_CODING_PM1 ? -1 : 0;
            v += h * latent(e, k) * e->theta[AT_U + k * D + j];
        }
        if (cfg->decoder == SGH_SCALED)
            v *= fabs(e->theta[AT_S + j]);
        if (cfg->decoder != SGH_BASIC)
            v += e->theta[AT_C + j];
        sum += 0.5 * (v - e->x[j]) * (v - e->x[j]);
    }
    return sum;
}

/* E_q(h)[-log p(x, h, z) + kl (log q(h) + log q(z) - log p(h))] at z = mu + tau eps, without the
 * constants, by its definition; log q(z) = -t - eps^2 / 2. */
static double exact_objective(const sgh_config *cfg, const truth *e)
{
    double rho = exp(e->theta[AT_RHO]), total = D * log(rho);
    for (int code = 0; code < CODES; code++) {
        double q = probability(e, code), log_prior = 0;
        for (int k = 0; k < L; k++) {
            double beta = e->theta[AT_BETA + k], on = code >> k & 1;
            log_prior += cfg->coding == SGH_CODING_PM1
                             ? beta * (2 * on - 1) - log(2 * cosh(beta))
                             : beta * on - softplus(beta);
        }
        total += q * (reconstruction(cfg, e, code) / (rho * rho) +
                      (double)cfg->kl * (log(q) - log_prior));
    }
    for (int k = 0; k < L; k++) {
        double away = latent(e, k) - 1;
        total += (double)(float)PENALTY / 2 * away * away -
                 (double)cfg->kl * e->theta[AT_T + k];
    }
    return total;
}

static sgh_params view(float *theta)
{
    return (sgh_params){theta + AT_W, theta + AT_B,    theta + AT_U, theta + AT_S,
                        theta + AT_C, theta + AT_BETA, theta + AT_RHO};
}

/* Gradient at a forced code: noise 0 turns a bit on, noise 1 off. Returns the whole loss. */
static double gradient_at(sgh_config cfg, bench *w, int code)
{
    sgh_params p = view(w->theta), g = view(w->grad);
    sgh_batch batch = {w->A, w->P, w->H, w->G, w->T, w->sums};
    sgh_scale s = {.penalty = (float)PENALTY,
                   .W = w->theta + AT_WZ, .b = w->theta + AT_BZ, .t = w->theta + AT_T,
                   .gW = w->grad + AT_WZ, .gb = w->grad + AT_BZ, .gt = w->grad + AT_T,
                   .eps = w->eps, .Z = w->Z, .M = w->M, .D = w->dZ};
    double rec;
    cfg.latent = &s;
    for (int k = 0; k < L; k++)
        w->noise[k] = code >> k & 1 ? 0 : 1;
    memset(w->grad, 0, sizeof w->grad);
    sgh_gradients(&cfg, &p, 1, w->x, w->noise, &batch, &g, &rec);
    return sgh_loss(&cfg, &p, 1, &batch, rec);
}

/* The mean gradient over all codes, weighted by q(h|x), and the mean loss. */
static double expectation(sgh_config cfg, bench *w, const truth *e, double *mean)
{
    double loss = 0;
    memset(mean, 0, SIZE * sizeof *mean);
    for (int code = 0; code < CODES; code++) {
        double q = probability(e, code);
        loss += q * gradient_at(cfg, w, code);
        for (int i = 0; i < SIZE; i++)
            mean[i] += q * w->grad[i];
    }
    return loss;
}

static bool is_used(const sgh_config *cfg, int i)
{
    if (i >= AT_S && i < AT_C)
        return cfg->decoder == SGH_SCALED;
    if (i >= AT_C && i < AT_BETA)
        return cfg->decoder != SGH_BASIC;
    return true;
}

static void for_each_model(void (*check)(sgh_config cfg))
{
    for (int coding = 0; coding < 2; coding++)
        for (int decoder = 0; decoder < 3; decoder++)
            check((sgh_config){.d = D,
                               .nbits = L,
                               .coding = (sgh_coding)coding,
                               .decoder = (sgh_decoder)decoder,
                               .kl = 0.8f});
}

static void check_unbiased(sgh_config cfg)
{
    static bench w;
    static truth e;
    double mean[SIZE];
    cfg.estimator = SGH_UNBIASED;
    prepare(&w, &e);
    double loss = expectation(cfg, &w, &e, mean), exact = exact_objective(&cfg, &e);
    cr_assert_float_eq(loss, exact, 1e-5 * (1 + fabs(exact)));
    for (int i = 0; i < SIZE; i++) {
        if (!is_used(&cfg, i))
            continue;
        double old = e.theta[i], step = 1e-5;
        e.theta[i] = old + step;
        double up = exact_objective(&cfg, &e);
        e.theta[i] = old - step;
        double down = exact_objective(&cfg, &e);
        e.theta[i] = old;
        double difference = (up - down) / (2 * step);
        cr_assert_float_eq(mean[i], difference, 3e-5 * (1 + fabs(difference)),
                           "coding %d, decoder %d, parameter %d: %g and %g", cfg.coding,
                           cfg.decoder, i, mean[i], difference);
    }
}

Test(latent_scale, unbiased_gradient_and_loss_equal_enumeration)
{
    for_each_model(check_unbiased);
}

/* E[biased] - exact = -p (1-p) step (middle - E[h]) z^2 nu / rho^2 on the logit; the other blocks
 * are the same. */
static void check_biased(sgh_config cfg)
{
    static bench w;
    static truth e;
    double exact[SIZE], biased[SIZE];
    prepare(&w, &e);
    cfg.estimator = SGH_UNBIASED;
    expectation(cfg, &w, &e, exact);
    cfg.estimator = SGH_BIASED;
    expectation(cfg, &w, &e, biased);
    for (int k = 0; k < L; k++) {
        double p = sigmoid(affine(e.theta + AT_W + k * D, e.theta[AT_B + k], e.x));
        double z = latent(&e, k), nu = 0;
        for (int j = 0; j < D; j++) {
            double u = e.theta[AT_U + k * D + j];
            nu += u * u * (cfg.decoder == SGH_SCALED ? pow(e.theta[AT_S + j], 2) : 1);
        }
        bool pm1 = cfg.coding == SGH_CODING_PM1;
        double away = pm1 ? -(2 * p - 1) : 0.5 - p;
        double bias = -p * (1 - p) * (pm1 ? 2 : 1) * away * z * z * nu * exp(-2 * e.theta[AT_RHO]);
        cr_assert_float_eq(biased[AT_B + k] - exact[AT_B + k], bias, 3e-5 * (1 + fabs(bias)));
    }
    for (int i = AT_U; i < SIZE; i++)
        cr_assert_float_eq(biased[i], exact[i], 1e-6 * (1 + fabs(exact[i])));
}

Test(latent_scale, biased_gradient_is_off_by_what_the_theory_says)
{
    for_each_model(check_biased);
}
