/* test_sgh.c: the gradients of stochastic generative hashing against enumeration of all codes and
 * central differences in double precision; the published loss log; quality against ITQ. */
#include "support.h"

#include "error.h"
#include "sgh.h"
#include "sgh_step.h"
#include "lbh.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { L = 6, D = 4, CODES = 1 << L };

#define OK(call) cr_assert_eq((call), LBH_OK, "%s", lbh_last_error())

/* All parameters in one array of doubles: W, b, U, s, c, beta, log_rho. */
enum { AT_W = 0, AT_B = L * D, AT_U = AT_B + L, AT_S = AT_U + L * D, AT_C = AT_S + D,
       AT_BETA = AT_C + D, AT_RHO = AT_BETA + L, SIZE = AT_RHO + 1 };

static void fill(double *theta)
{
    for (int i = 0; i < SIZE; i++)
        theta[i] = 0.7 * test_normal(21, (uint64_t)i);
    for (int j = 0; j < D; j++) /* away from the kink of |s| */
        theta[AT_S + j] = (j % 2 ? -1 : 1) * (0.5 + test_uniform(22, (uint64_t)j));
    theta[AT_RHO] = 0.3;
}

static double softplus(double a)
{
    return fmax(a, 0) + log1p(exp(-fabs(a)));
}

static double logit(const double *theta, const double *x, int k)
{
    double a = theta[AT_B + k];
    for (int j = 0; j < D; j++)
        a += theta[AT_W + k * D + j] * x[j];
    return a;
}

/* ||x - x^(h)||^2 / 2 for the code with the bits of `code` */
static double reconstruction(const sgh_config *cfg, const double *theta, const double *x, int code)
{
    double sum = 0;
    for (int j = 0; j < D; j++) {
        double v = 0;
        for (int k = 0; k < L; k++) {
            double h = code >> k & 1 ? 1 : cfg->coding == SGH_CODING_PM1 ? -1 : 0;
            v += h * theta[AT_U + k * D + j];
        }
        if (cfg->decoder == SGH_SCALED)
            v *= fabs(theta[AT_S + j]);
        if (cfg->decoder != SGH_BASIC)
            v += theta[AT_C + j];
        sum += 0.5 * (v - x[j]) * (v - x[j]);
    }
    return sum;
}

static double probability(const double *theta, const double *x, int code)
{
    double q = 1;
    for (int k = 0; k < L; k++) {
        double p = 1 / (1 + exp(-logit(theta, x, k)));
        q *= code >> k & 1 ? p : 1 - p;
    }
    return q;
}

/* E_q[-log p(x, h) + kl (log q(h|x) - log p(h))] by its definition, without the constant: every code
 * is visited, nothing is simplified. */
static double exact_objective(const sgh_config *cfg, const double *theta, const double *x)
{
    double rho = exp(theta[AT_RHO]), total = D * log(rho);
    for (int code = 0; code < CODES; code++) {
        double q = probability(theta, x, code), log_prior = 0;
        for (int k = 0; k < L; k++) {
            double beta = theta[AT_BETA + k], on = code >> k & 1;
            log_prior += cfg->coding == SGH_CODING_PM1
                             ? beta * (2 * on - 1) - log(2 * cosh(beta))
                             : beta * on - softplus(beta);
        }
        total += q * (reconstruction(cfg, theta, x, code) / (rho * rho) +
                      (double)cfg->kl * (log(q) - log_prior));
    }
    return total;
}

/* One batch of one row, in floats, around double parameters. */
typedef struct bench {
    float theta[SIZE], grad[SIZE], x[D], noise[L];
    float A[L], P[L], H[L], G[L], T[D], sums[L + D];
} bench;

static sgh_params view(float *theta)
{
    return (sgh_params){theta + AT_W, theta + AT_B,    theta + AT_U, theta + AT_S,
                        theta + AT_C, theta + AT_BETA, theta + AT_RHO};
}

/* Gradient at a forced code: noise 0 turns a bit on, noise 1 off. Returns the reconstruction. */
static double gradient_at(const sgh_config *cfg, bench *w, int code)
{
    sgh_params p = view(w->theta), g = view(w->grad);
    sgh_batch batch = {w->A, w->P, w->H, w->G, w->T, w->sums};
    double rec;
    for (int k = 0; k < L; k++)
        w->noise[k] = code >> k & 1 ? 0 : 1;
    memset(w->grad, 0, sizeof w->grad);
    sgh_gradients(cfg, &p, 1, w->x, w->noise, &batch, &g, &rec);
    return rec;
}

static void prepare(bench *w, double *theta, double *x)
{
    fill(theta);
    for (int i = 0; i < SIZE; i++) {
        w->theta[i] = (float)theta[i];
        theta[i] = w->theta[i];
    }
    for (int j = 0; j < D; j++) {
        w->x[j] = (float)test_normal(23, (uint64_t)j);
        x[j] = w->x[j];
    }
}

static bool is_used(const sgh_config *cfg, int i)
{
    if (i >= AT_S && i < AT_C)
        return cfg->decoder == SGH_SCALED;
    if (i >= AT_C && i < AT_BETA)
        return cfg->decoder != SGH_BASIC;
    return true;
}

/* The mean gradient over all codes, weighted by q(h|x). */
static void expected_gradient(const sgh_config *cfg, bench *w, const double *theta,
                              const double *x, double *mean)
{
    memset(mean, 0, SIZE * sizeof *mean);
    for (int code = 0; code < CODES; code++) {
        double q = probability(theta, x, code);
        gradient_at(cfg, w, code);
        for (int i = 0; i < SIZE; i++)
            mean[i] += q * w->grad[i];
    }
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
    double theta[SIZE], x[D], mean[SIZE];
    cfg.estimator = SGH_UNBIASED;
    prepare(&w, theta, x);
    expected_gradient(&cfg, &w, theta, x, mean);
    for (int i = 0; i < SIZE; i++) {
        if (!is_used(&cfg, i))
            continue;
        double old = theta[i], step = 1e-5;
        theta[i] = old + step;
        double up = exact_objective(&cfg, theta, x);
        theta[i] = old - step;
        double down = exact_objective(&cfg, theta, x);
        theta[i] = old;
        double difference = (up - down) / (2 * step);
        cr_assert_float_eq(mean[i], difference, 2e-5 * (1 + fabs(difference)),
                           "coding %d, decoder %d, parameter %d: %g and %g", cfg.coding,
                           cfg.decoder, i, mean[i], difference);
    }
}

Test(sgh, unbiased_gradient_equals_enumeration)
{
    for_each_model(check_unbiased);
}

/* E[biased] - exact = -p (1-p) (step/2 or, for {0,1}, (1/2 - p)) nu / rho^2 on the logit. */
static void check_biased(sgh_config cfg)
{
    static bench w;
    double theta[SIZE], x[D], exact[SIZE], biased[SIZE];
    prepare(&w, theta, x);
    cfg.estimator = SGH_UNBIASED;
    expected_gradient(&cfg, &w, theta, x, exact);
    cfg.estimator = SGH_BIASED;
    expected_gradient(&cfg, &w, theta, x, biased);
    for (int k = 0; k < L; k++) {
        double p = 1 / (1 + exp(-logit(theta, x, k))), nu = 0;
        for (int j = 0; j < D; j++) {
            double u = theta[AT_U + k * D + j];
            nu += u * u * (cfg.decoder == SGH_SCALED ? theta[AT_S + j] * theta[AT_S + j] : 1);
        }
        double mean_code = cfg.coding == SGH_CODING_PM1 ? 2 * p - 1 : p;
        double middle = cfg.coding == SGH_CODING_PM1 ? 0 : 0.5;
        double step = cfg.coding == SGH_CODING_PM1 ? 2 : 1;
        double bias = -p * (1 - p) * step * (middle - mean_code) * nu * exp(-2 * theta[AT_RHO]);
        cr_assert_float_eq(biased[AT_B + k] - exact[AT_B + k], bias, 2e-5 * (1 + fabs(bias)));
    }
}

Test(sgh, biased_gradient_is_off_by_what_the_theory_says)
{
    for_each_model(check_biased);
}

static void check_loss(sgh_config cfg)
{
    static bench w;
    double theta[SIZE], x[D], mean = 0;
    prepare(&w, theta, x);
    for (int code = 0; code < CODES; code++) {
        sgh_params p = view(w.theta);
        sgh_batch batch = {w.A, w.P, w.H, w.G, w.T, w.sums};
        double rec = gradient_at(&cfg, &w, code);
        cr_assert_float_eq(rec, reconstruction(&cfg, theta, x, code), 1e-5 * (1 + rec));
        mean += probability(theta, x, code) * sgh_loss(&cfg, &p, 1, &batch, rec);
    }
    cr_assert_float_eq(mean, exact_objective(&cfg, theta, x), 1e-5 * (1 + fabs(mean)));
}

Test(sgh, loss_equals_its_definition)
{
    for_each_model(check_loss);
}

/* The published program: threshold at 1/2; its automatic differentiation also goes through the
 * target of the cross-entropy: dA = p (1-p) (G - alpha a) + alpha (p - h). */
Test(sgh, official_gradient)
{
    static bench w;
    double theta[SIZE], x[D], rec;
    sgh_config cfg = {.d = D, .nbits = L, .decoder = SGH_SCALED, .objective = SGH_OFFICIAL,
                      .alpha = 0.25f, .decay_u = 0.5f, .decay_w = 0.125f};
    prepare(&w, theta, x);
    sgh_params p = view(w.theta), g = view(w.grad);
    sgh_batch batch = {w.A, w.P, w.H, w.G, w.T, w.sums};
    sgh_gradients(&cfg, &p, 1, w.x, NULL, &batch, &g, &rec);
    int code = 0;
    for (int k = 0; k < L; k++)
        code |= (logit(theta, x, k) > 0) << k;
    cr_assert_float_eq(rec, reconstruction(&cfg, theta, x, code), 1e-5 * rec);
    for (int k = 0; k < L; k++) {
        double a = logit(theta, x, k), q = 1 / (1 + exp(-a)), on = code >> k & 1, gk = 0;
        for (int j = 0; j < D; j++) {
            double v = 0, scale = fabs(theta[AT_S + j]);
            for (int i = 0; i < L; i++)
                v += (code >> i & 1) * theta[AT_U + i * D + j];
            double r = v * scale + theta[AT_C + j] - x[j];
            gk += r * scale * theta[AT_U + k * D + j];
            double dU = on * r * scale + 0.5 * theta[AT_U + k * D + j];
            cr_assert_float_eq(g.U[k * D + j], dU, 1e-5 * (1 + fabs(dU)));
        }
        double da = q * (1 - q) * (gk - 0.25 * a) + 0.25 * (q - on);
        cr_assert_float_eq(g.b[k], da, 1e-5 * (1 + fabs(da)));
        for (int j = 0; j < D; j++) {
            double dW = da * x[j] + 0.125 * theta[AT_W + k * D + j];
            cr_assert_float_eq(g.W[k * D + j], dW, 1e-5 * (1 + fabs(dW)));
        }
    }
}

/* ---- On real data -------------------------------------------------------------------------- */

/* Rows of a .bvecs file as floats. */
static float *read_bvecs(const char *name, int64_t limit, int64_t *n, int *d)
{
    size_t size;
    unsigned char *bytes = test_slurp(test_data_file(name), &size);
    int32_t dim;
    memcpy(&dim, bytes, 4);
    *d = dim;
    *n = (int64_t)(size / (size_t)(dim + 4));
    *n = *n > limit ? limit : *n;
    float *x = malloc((size_t)*n * (size_t)dim * sizeof *x);
    for (int64_t i = 0; i < *n; i++)
        for (int j = 0; j < dim; j++)
            x[i * dim + j] = bytes[i * (dim + 4) + 4 + j];
    free(bytes);
    return x;
}

/* Mean of ||x - x^||^2 / 2 over the first 10,000 images, in [0,1] pixels, after `steps` steps of the
 * published program; its step size is constant, so that this is what a longer run has seen there. */
static double official_error(int steps, int64_t n, int d, const float *x)
{
    enum { ROWS = 10000 };
    lbh_encoder *enc;
    uint8_t *codes = malloc(ROWS * 8);
    float *back = malloc(sizeof *back * ROWS * (size_t)d);
    double sum = 0;
    OK(lbh_encoder_new(&enc, "sgh", d, 64));
    OK(lbh_encoder_set(enc, "preset=official,scale=0.00392156862745098")); /* pixels / 255 */
    OK(lbh_encoder_set_value(enc, "steps", steps));
    OK(lbh_encoder_train(enc, n, x));
    OK(lbh_encoder_encode(enc, ROWS, x, codes));
    OK(lbh_encoder_decode(enc, ROWS, codes, back));
    for (int64_t i = 0; i < (int64_t)ROWS * d; i++)
        sum += 0.5 * ((double)x[i] - back[i]) * ((double)x[i] - back[i]) / (255.0 * 255.0);
    lbh_encoder_free(enc);
    free(codes), free(back);
    return sum / ROWS;
}

Test(sgh, official_mode_reproduces_the_published_loss_log, .timeout = 600)
{
    TEST_NEEDS("mnist/base.bvecs");
    int64_t n;
    int d;
    float *x = read_bvecs("mnist/base.bvecs", 55000, &n, &d);
    double at_500 = official_error(500, n, d, x), end = official_error(5000, n, d, x);
    cr_assert_float_eq(at_500, 9.3, 0.3, "at step 500: %g", at_500);
    cr_assert_float_eq(end, 8.2, 0.3, "at the end: %g", end);
    cr_log_info("after 500 steps %.3f (published 9.20 to 9.28), at the end %.3f (8.05 to 8.20)",
                at_500, end);
    free(x);
}

/* ---- Early stopping ------------------------------------------------------------------------ */

/* step[0]: the last report, [1]: of how many, [2]: the report before it */
static int follow(void *ctx, const char *method, int64_t step, int64_t steps, double loss)
{
    int64_t *seen = ctx;
    (void)method, (void)loss;
    seen[2] = seen[0];
    seen[0] = step;
    seen[1] = steps;
    return 0;
}

/* Error on fresh rows after a training; *end is about the step where it ended. */
static double error_after(const char *options, int64_t n, const float *x, int64_t m,
                          const float *fresh, int d, int64_t *end)
{
    lbh_encoder *enc;
    int64_t seen[3] = {0};
    uint8_t *codes = malloc((size_t)m * 4);
    float *back = malloc((size_t)(m * d) * sizeof *back);
    double sum = 0;
    OK(lbh_encoder_new(&enc, "sgh", d, 32));
    OK(lbh_encoder_set(enc, options));
    lbh_encoder_on_progress(enc, follow, seen);
    OK(lbh_encoder_train(enc, n, x));
    cr_assert_eq(seen[0], seen[1], "the last report was of step %lld", (long long)seen[0]);
    OK(lbh_encoder_encode(enc, m, fresh, codes));
    OK(lbh_encoder_decode(enc, m, codes, back));
    for (int64_t i = 0; i < m * d; i++)
        sum += (double)(fresh[i] - back[i]) * (double)(fresh[i] - back[i]);
    *end = seen[2];
    lbh_encoder_free(enc);
    free(codes), free(back);
    return sum / (double)m;
}

/* One row, 1, one bit, always set, and the item U: errors (U - 1)^2 at the checks, every 250 steps. */
Test(sgh, early_stopping_gives_the_best_parameters)
{
    float value[SGH_EARLY_PARAMS] = {1}, best[SGH_EARLY_PARAMS], progress[2] = {0};
    float T = 1, H, R;
    sgh_run r = {.cfg = {.d = 1, .nbits = 1, .coding = SGH_CODING_PM1, .decoder = SGH_BASIC},
                 .early = {.patience = 2, .held = 1, .stride = 1, .T = &T, .H = &H, .R = &R,
                           .progress = progress}};
    for (int i = 0; i < SGH_EARLY_PARAMS; i++) {
        r.early.best[i] = &best[i];
        r.learned[i] = (lbh_learned){.theta = &value[i], .size = 1};
    }
    r.p = (sgh_params){.W = &value[0], .b = &value[1], .U = &value[2], .s = &value[3], .c = &value[4]};
    static const float item[] = {3, 1.25f, 1.125f, 1, 2, 1.5f};
    static const int64_t step[] = {250, 500, 750, 800, 1000, 1250}; /* at 800 it does not look */
    for (int i = 0; i < 6; i++) {
        cr_assert(!sgh_early_over(&r), "over before step %lld", (long long)step[i]);
        value[2] = item[i];
        value[4] = (float)i;
        sgh_early_check(&r, step[i], 100000);
    }
    cr_assert(sgh_early_over(&r));
    sgh_early_finish(&r);
    cr_assert(value[2] == 1.125f && value[4] == 2 && value[0] == 1, "%g %g", value[2], value[4]);
}

Test(sgh, early_stopping_keeps_the_best_and_ends_sooner)
{
    enum { N = 300, M = 500, DIM = 40 };
    float *x = test_mixture(N, DIM, 3, NULL), *fresh = test_mixture(M, DIM, 9, NULL);
    int64_t end;
    const char *whole = "steps=20000,schedule=constant,refit=0,batch=50";
    const char *early = "steps=20000,schedule=constant,refit=0,batch=50,early_stop=8";
    double without = error_after(whole, N, x, M, fresh, DIM, &end);
    double with = error_after(early, N, x, M, fresh, DIM, &end);
    cr_assert(with < 1.1 * without, "%g with, %g without", with, without);
    cr_assert(end < 15000, "it went on to step %lld", (long long)end);
    lbh_encoder *enc;
    OK(lbh_encoder_new(&enc, "sgh", DIM, 32));
    OK(lbh_encoder_set(enc, "early_stop=3"));
    int rc = lbh_encoder_train(enc, 5, x); /* no rows to hold out */
    cr_assert_eq(rc, LBH_EINVAL, "%d: %s", rc, lbh_last_error());
    lbh_encoder_free(enc);
    free(x), free(fresh);
}
