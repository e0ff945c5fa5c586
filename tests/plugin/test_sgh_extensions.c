/* test_sgh_extensions.c: the extensions of SGH: every block of their gradients against enumeration of
 * all codes and central differences in double precision; what pairs they take and what they refuse;
 * that they do what they are for. */
#include "support.h"

#include "core/error.h"
#include "encoders/sgh_pairs.h"
#include "encoders/sgh_scale.h"
#include "encoders/sgh_step.h"
#include "lbh.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#define OK(call) cr_assert_eq((call), LBH_OK, "%s", lbh_last_error())

static double softplus(double a)
{
    return fmax(a, 0) + log1p(exp(-fabs(a)));
}

static double sigmoid(double a)
{
    return 1 / (1 + exp(-a));
}

/* ---- The latent scale ---------------------------------------------------------------------- */

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

/* E[biased] - exact = -p (1-p) step (middle - E[h]) z^2 nu / rho^2 on the logit; the other blocks are
 * the same. */
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

/* ---- Pairs --------------------------------------------------------------------------------- */

enum { PB = 4, PL = 3, PD = 2, PCODES = 1 << (PB * PL), NKEYS = 8 };

/* A batch of 4 rows of 3 bits: 4096 codes. Parameters: W, b; the decoder is fixed. */
typedef struct pair_bench {
    sgh_pairs p;
    int64_t start[NKEYS + 1], key[NKEYS], member_start[NKEYS + 1], member[NKEYS], row[PB];
    float mid[2 * (PL + 1)], half[PL + 1], relation[PB * PB], F[PB * PL], S[PB * PB];
    double loss[2 * (PL + 1)], row_loss[PB];
    int head[NKEYS], next[PB * 4], holder[PB * 4];
    float W[PL * PD], b[PL], U[PL * PD], beta[PL], rho, x[PB * PD];
    float gW[PL * PD], gb[PL], gU[PL * PD], gbeta[PL], grho;
    float A[PB * PL], P[PB * PL], H[PB * PL], G[PB * PL], T[PB * PD], sums[PL + PD];
} pair_bench;

static void prepare_pairs(pair_bench *w, float weight)
{
    omp_set_num_threads(1); /* thousands of tiny batches */
    memset(w, 0, sizeof *w);
    w->p = (sgh_pairs){.weight = weight, .start = w->start, .key = w->key, .row = w->row,
                       .mid = w->mid, .half = w->half, .loss = w->loss, .relation = w->relation,
                       .F = w->F, .S = w->S, .row_loss = w->row_loss, .head = w->head,
                       .next = w->next, .holder = w->holder};
    for (int i = 0; i < PB * PD; i++)
        w->x[i] = (float)test_normal(41, (uint64_t)i);
    for (int i = 0; i < PL * PD; i++) {
        w->W[i] = (float)test_normal(42, (uint64_t)i);
        w->U[i] = (float)test_normal(43, (uint64_t)i);
    }
    for (int k = 0; k < PL; k++)
        w->b[k] = (float)(0.5 * test_normal(44, (uint64_t)k));
    w->rho = 0.4f;
}

/* Gives the rows 0 .. n-1 these keys; -1 ends a row's list. */
static void set_lists(pair_bench *w, int n, const int keys[][3], bool labels)
{
    int count = 0;
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < 3 && keys[i][j] >= 0; j++)
            w->key[count++] = keys[i][j];
        w->start[i + 1] = count;
    }
    w->p.n = n;
    w->p.nkeys = NKEYS;
    if (!labels)
        return;
    for (int k = 0, at = 0; k < NKEYS; k++) {
        for (int i = 0; i < n; i++)
            for (int64_t j = w->start[i]; j < w->start[i + 1]; j++)
                if (w->key[j] == k)
                    w->member[at++] = i;
        w->member_start[k + 1] = at;
    }
    w->p.member_start = w->member_start;
    w->p.member = w->member;
}

static void expect_relation(pair_bench *w, const int row[PB], const int want[PB][PB])
{
    int near = 0, apart = 0;
    for (int i = 0; i < PB; i++)
        w->row[i] = row[i];
    for (int twice = 0; twice < 2; twice++) /* the second time: nothing is left of the first */
        sgh_pairs_relate(&w->p, PB);
    for (int i = 0; i < PB; i++)
        for (int j = 0; j < PB; j++) {
            cr_assert_eq(w->relation[i * PB + j], want[i][j], "%d %d", i, j);
            near += want[i][j] == 1;
            apart += want[i][j] == 0;
        }
    cr_assert(w->p.near == near && w->p.apart == apart);
}

Test(pairs, labels_relate_rows)
{
    static pair_bench w;
    /* rows: 0 and 1 share label 2; 2 has none; 3 shares label 5 with 1; 4 has another */
    static const int keys[5][3] = {{2, -1}, {2, 5, -1}, {-1}, {5, -1}, {7, -1}};
    prepare_pairs(&w, 1);
    set_lists(&w, 5, keys, true);
    expect_relation(&w, (int[]){0, 1, 2, 3},
                    (const int[PB][PB]){{-1, 1, -1, 0}, {1, -1, -1, 1}, {-1, -1, -1, -1}, {0, 1, -1, -1}});
    expect_relation(&w, (int[]){0, 0, 4, 1}, /* two draws of one row are no pair */
                    (const int[PB][PB]){{-1, -1, 0, 1}, {-1, -1, 0, 1}, {0, 0, -1, 0}, {1, 1, 0, -1}});
}

Test(pairs, neighbours_relate_rows)
{
    static pair_bench w;
    /* 0 lists 1; 1 lists 3; 2 and 3 have no lists */
    static const int keys[4][3] = {{1, -1}, {3, -1}, {-1}, {-1}};
    prepare_pairs(&w, 1);
    set_lists(&w, 4, keys, false);
    expect_relation(&w, (int[]){0, 1, 2, 3},
                    (const int[PB][PB]){{-1, 1, 0, 0}, {1, -1, 0, 1}, {0, 0, -1, -1}, {0, 1, -1, -1}});
    expect_relation(&w, (int[]){3, 1, 1, 0},
                    (const int[PB][PB]){{-1, 1, 1, 0}, {1, -1, -1, 1}, {1, -1, -1, 1}, {0, 1, 1, -1}});
}

static double logit(const pair_bench *w, const double *theta, int i, int k)
{
    double a = theta[PL * PD + k];
    for (int j = 0; j < PD; j++)
        a += theta[k * PD + j] * w->x[i * PD + j];
    return a;
}

static double joint_probability(const pair_bench *w, const double *theta, int code)
{
    double q = 1;
    for (int i = 0; i < PB; i++)
        for (int k = 0; k < PL; k++) {
            double p = sigmoid(logit(w, theta, i, k));
            q *= code >> (i * PL + k) & 1 ? p : 1 - p;
        }
    return q;
}

/* The definition: B / 2 (mean over near pairs + mean over pairs apart), each pair once. */
static double pairs_by_definition(const pair_bench *w, int code)
{
    double sum[2] = {0, 0};
    int count[2] = {0, 0};
    for (int i = 0; i < PB; i++)
        for (int j = 0; j < i; j++) {
            int y = (int)w->relation[i * PB + j];
            double s = 0;
            if (y < 0)
                continue;
            for (int k = 0; k < PL; k++) {
                int f = code >> (i * PL + k) & 1, g = code >> (j * PL + k) & 1;
                s += (f == g ? 1 : -1) / sqrt(PL);
            }
            sum[y] += softplus(s) - y * s;
            count[y]++;
        }
    return w->p.weight * PB / 2 *
           ((count[0] ? sum[0] / count[0] : 0) + (count[1] ? sum[1] / count[1] : 0));
}

/* Expected loss of the pairs over all codes of the batch, by which bits the rows' parts take. */
static double expected_pairs(const pair_bench *w, const double *theta)
{
    double total = 0;
    for (int code = 0; code < PCODES; code++)
        total += joint_probability(w, theta, code) * pairs_by_definition(w, code);
    return total;
}

/* Gradients at a forced code, with or without the pairs. */
static double pair_gradient(sgh_config cfg, pair_bench *w, int code, bool with)
{
    sgh_params p = {w->W, w->b, w->U, NULL, NULL, w->beta, &w->rho};
    sgh_params g = {w->gW, w->gb, w->gU, NULL, NULL, w->gbeta, &w->grho};
    sgh_batch batch = {w->A, w->P, w->H, w->G, w->T, w->sums};
    float noise[PB * PL];
    double rec;
    for (int i = 0; i < PB * PL; i++)
        noise[i] = code >> i & 1 ? 0 : 1;
    cfg.pairs = with ? &w->p : NULL;
    sgh_gradients(&cfg, &p, PB, w->x, noise, &batch, &g, &rec);
    return sgh_loss(&cfg, &p, PB, &batch, rec);
}

/* What the pairs add to the mean gradients of W and b over all codes. */
static void added_by_pairs(sgh_config cfg, pair_bench *w, const double *theta, double *added)
{
    enum { SIZE_P = PL * PD + PL };
    memset(added, 0, SIZE_P * sizeof *added);
    for (int code = 0; code < PCODES; code++) {
        double q = joint_probability(w, theta, code), loss[2];
        for (int with = 0; with < 2; with++) {
            loss[with] = pair_gradient(cfg, w, code, with);
            for (int i = 0; i < SIZE_P; i++)
                added[i] += (with ? q : -q) * (i < PL * PD ? w->gW[i] : w->gb[i - PL * PD]);
        }
        double want = pairs_by_definition(w, code);
        cr_assert_float_eq(loss[1] - loss[0], want, 1e-5 * (1 + fabs(loss[1])));
    }
}

static void prepare_theta(const pair_bench *w, double *theta)
{
    for (int i = 0; i < PL * PD; i++)
        theta[i] = w->W[i];
    for (int k = 0; k < PL; k++)
        theta[PL * PD + k] = w->b[k];
}

static void check_pairs(sgh_coding coding, bool labels)
{
    static pair_bench w;
    static const int by_label[4][3] = {{0, 1, -1}, {1, -1}, {2, -1}, {0, 2, -1}};
    static const int by_row[4][3] = {{1, -1}, {-1}, {-1}, {0, 1, -1}};
    double theta[PL * PD + PL], added[PL * PD + PL];
    sgh_config cfg = {.d = PD, .nbits = PL, .coding = coding, .decoder = SGH_BASIC,
                      .estimator = SGH_UNBIASED};
    prepare_pairs(&w, 3);
    set_lists(&w, 4, labels ? by_label : by_row, labels);
    for (int i = 0; i < PB; i++)
        w.row[i] = i;
    sgh_pairs_relate(&w.p, PB);
    sgh_pairs_tables(&w.p, PL, SGH_UNBIASED);
    prepare_theta(&w, theta);
    added_by_pairs(cfg, &w, theta, added);
    for (int i = 0; i < PL * PD + PL; i++) {
        double old = theta[i], step = 1e-5;
        theta[i] = old + step;
        double up = expected_pairs(&w, theta);
        theta[i] = old - step;
        double down = expected_pairs(&w, theta);
        theta[i] = old;
        double difference = (up - down) / (2 * step);
        cr_assert_float_eq(added[i], difference, 3e-5 * (1 + fabs(difference)),
                           "coding %d, parameter %d: %g and %g", coding, i, added[i], difference);
    }
}

Test(pairs, unbiased_gradient_and_loss_equal_enumeration)
{
    for (int coding = 0; coding < 2; coding++)
        for (int labels = 0; labels < 2; labels++)
            check_pairs((sgh_coding)coding, labels);
}

/* At a code: d(logit) = p (1-p) times 2 dl/df, dl/df of the definition with f a real number. */
Test(pairs, biased_gradient_is_the_derivative_by_the_code)
{
    static pair_bench w;
    static const int by_label[4][3] = {{0, 1, -1}, {1, -1}, {2, -1}, {0, 2, -1}};
    sgh_config cfg = {.d = PD, .nbits = PL, .coding = SGH_CODING_PM1, .decoder = SGH_BASIC};
    prepare_pairs(&w, 3);
    set_lists(&w, 4, by_label, true);
    for (int i = 0; i < PB; i++)
        w.row[i] = i;
    sgh_pairs_relate(&w.p, PB);
    sgh_pairs_tables(&w.p, PL, SGH_BIASED);
    for (int code = 0; code < PCODES; code += 37) {
        float without[PB * PL];
        pair_gradient(cfg, &w, code, false);
        memcpy(without, w.G, sizeof without);
        pair_gradient(cfg, &w, code, true);
        for (int i = 0; i < PB; i++)
            for (int k = 0; k < PL; k++) {
                double want = 0, p = w.P[i * PL + k];
                for (int j = 0; j < PB; j++) {
                    double s = 0, y = w.relation[i * PB + j];
                    int count = (int)(y > 0 ? w.p.near : w.p.apart) / 2;
                    for (int l = 0; l < PL; l++)
                        s += (double)w.H[i * PL + l] * w.H[j * PL + l] / sqrt(PL);
                    if (y >= 0)
                        want += 3.0 * PB / 2 / count * (sigmoid(s) - y) *
                                w.H[j * PL + k] / sqrt(PL);
                }
                want *= 2 * p * (1 - p);
                cr_assert_float_eq(w.G[i * PL + k] - without[i * PL + k], want, 3e-5);
            }
    }
}

/* ---- Whole trainings ----------------------------------------------------------------------- */

enum { N = 600, DIM = 16 };

typedef struct data {
    float *x;
    int64_t label[N], start[N + 1], none[N + 1], near[N];
} data;

static data *make_data(void)
{
    data *s = calloc(1, sizeof *s);
    s->x = test_mixture(N, DIM, 3, s->label);
    for (int i = 0; i <= N; i++)
        s->start[i] = i;
    for (int i = 0; i < N; i++)
        s->near[i] = (i + 1) % N;
    return s;
}

static void free_data(data *s)
{
    free(s->x);
    free(s);
}

static int try(const char *options, const data *s, const lbh_lists *labels, const lbh_lists *near,
               uint64_t *digest)
{
    lbh_encoder *enc;
    lbh_rows rows = lbh_rows_from_matrix(N, DIM, s->x);
    OK(lbh_encoder_new(&enc, "sgh", DIM, 16));
    OK(lbh_encoder_set(enc, "steps=30,batch=32"));
    OK(lbh_encoder_set(enc, options));
    int rc = lbh_encoder_train_rows(enc, &rows, labels, near);
    if (rc == LBH_OK && digest)
        *digest = lbh_encoder_digest(enc);
    lbh_encoder_free(enc);
    return rc;
}

Test(extensions, take_what_they_need_and_refuse_the_rest)
{
    data *s = make_data();
    lbh_lists labels = {N, 10, s->start, s->label}, empty = {N, 10, s->none, s->label};
    lbh_lists near = {N, N, s->start, s->near};
    uint64_t plain, other;
    static const char *const taken[] = {"pairs=labels", "pairs=neighbours", "pairs=knn",
                                        "pairs=knn,pairs_k=1000", "pairs=labels,batch=2",
                                        "latent_scale=1", "latent_scale=1,pairs=knn,coding=01",
                                        "pairs=labels,preset=official"};
    static const struct {
        const char *options, *words;
    } refused[] = {{"pairs=labels,batch=1", "batch (1) must be 2 to 8192"},
                   {"pairs=labels,batch=8193", "batch (8193) must be 2 to 8192"},
                   {"pairs=knn,score=decoder", "pairs needs score=hamming"},
                   {"latent_scale=1,score=decoder", "latent_scale=1 needs score=hamming"},
                   {"pairs=knn,metric=ip", "pairs needs metric=l2"},
                   {"pairs=knn,early_stop=4", "pairs needs early_stop=0"},
                   {"latent_scale=1,objective=official", "needs objective=paper"}};
    OK(try("pairs=none", s, &labels, &near, &plain));
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        OK(try(taken[i], s, &labels, &near, &other));
        cr_assert_neq(plain, other, "%s changed nothing", taken[i]);
    }
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        cr_assert_eq(try(refused[i].options, s, &labels, &near, NULL), LBH_EINVAL);
        cr_assert(strstr(lbh_last_error(), refused[i].words), "%s", lbh_last_error());
    }
    cr_assert_eq(try("pairs=labels", s, NULL, &near, NULL), LBH_EINVAL);
    cr_assert(strstr(lbh_last_error(), "needs labels"), "%s", lbh_last_error());
    cr_assert_eq(try("pairs=labels", s, &empty, &near, NULL), LBH_EINVAL);
    cr_assert(strstr(lbh_last_error(), "has a label"), "%s", lbh_last_error());
    cr_assert_eq(try("pairs=neighbours", s, &labels, NULL, NULL), LBH_EINVAL);
    cr_assert(strstr(lbh_last_error(), "needs lists of neighbours"), "%s", lbh_last_error());
    cr_assert_eq(try("pairs=neighbours", s, &labels, &empty, NULL), LBH_EINVAL);
    cr_assert(strstr(lbh_last_error(), "has a neighbour"), "%s", lbh_last_error());
    near.nitems = N + 1;
    s->near[7] = N;
    cr_assert_eq(try("pairs=neighbours", s, &labels, &near, NULL), LBH_EINVAL);
    cr_assert(strstr(lbh_last_error(), "neighbour 600 of row 7"), "%s", lbh_last_error());
    free_data(s);
}

/* pairs=knn is pairs=neighbours with the exact neighbours: found here by a plain search. */
Test(extensions, found_neighbours_are_the_true_ones)
{
    enum { K = 3 };
    data *s = make_data();
    int64_t *start = malloc((N + 1) * sizeof *start), *near = malloc(N * K * sizeof *near);
    uint64_t given, found;
    for (int i = 0; i <= N; i++)
        start[i] = K * i;
    for (int i = 0; i < N; i++) {
        double best[K] = {1e30, 1e30, 1e30};
        for (int j = 0; j < N; j++) {
            double sum = 0;
            for (int k = 0; k < DIM; k++)
                sum += pow((double)s->x[i * DIM + k] - s->x[j * DIM + k], 2);
            int at = K;
            for (; j != i && at > 0 && sum < best[at - 1]; at--)
                if (at < K) {
                    best[at] = best[at - 1];
                    near[i * K + at] = near[i * K + at - 1];
                }
            if (at < K) {
                best[at] = sum;
                near[i * K + at] = j;
            }
        }
    }
    lbh_lists lists = {N, N, start, near};
    OK(try("pairs=neighbours", s, NULL, &lists, &given));
    OK(try("pairs=knn,pairs_k=3", s, NULL, NULL, &found));
    cr_assert_eq(given, found);
    free(start), free(near);
    free_data(s);
}

/* With L real numbers for free the bits are not needed. */
Test(extensions, bits_that_stand_still_are_an_error)
{
    data *s = make_data();
    cr_assert_eq(try("latent_scale=1,scale_penalty=0,coding=01,steps=3000,lr=0.05", s, NULL, NULL,
                     NULL), LBH_ENUMERIC);
    cr_assert(strstr(lbh_last_error(), "a stronger scale_penalty than 0"), "%s", lbh_last_error());
    free_data(s);
}

static int cancel_later(void *ctx, const char *method, int64_t step, int64_t steps, double loss)
{
    (void)method, (void)loss;
    return step > steps / 2 && ++*(int *)ctx == 1;
}

static lbh_encoder *checkpointed(const char *path)
{
    lbh_encoder *enc;
    OK(lbh_encoder_new(&enc, "sgh", DIM, 16));
    OK(lbh_encoder_set(enc, "steps=3000,batch=32,latent_scale=1,pairs=labels"));
    OK(lbh_encoder_checkpoint(enc, path, 1e9));
    return enc;
}

Test(extensions, a_cut_training_ends_with_the_same_model)
{
    data *s = make_data();
    lbh_lists labels = {N, 10, s->start, s->label};
    lbh_rows rows = lbh_rows_from_matrix(N, DIM, s->x);
    const char *path = test_tmp("run.ckpt");
    lbh_encoder *whole = checkpointed(NULL), *cut = checkpointed(path), *back = checkpointed(path);
    int calls = 0;
    OK(lbh_encoder_train_rows(whole, &rows, &labels, NULL));
    lbh_encoder_on_progress(cut, cancel_later, &calls);
    cr_assert_eq(lbh_encoder_train_rows(cut, &rows, &labels, NULL), LBH_ECANCELLED);
    OK(lbh_encoder_train_rows(back, &rows, &labels, NULL));
    cr_assert_eq(lbh_encoder_digest(whole), lbh_encoder_digest(back));
    lbh_encoder_free(whole), lbh_encoder_free(cut), lbh_encoder_free(back);
    free_data(s);
}

/* Mean Hamming distance of rows of different labels over that of rows of the same. */
static double separation(const char *options, const data *s, const lbh_lists *labels)
{
    lbh_encoder *enc;
    lbh_rows rows = lbh_rows_from_matrix(N, DIM, s->x);
    uint8_t codes[2 * N];
    double sum[2] = {0, 0};
    int count[2] = {0, 0};
    OK(lbh_encoder_new(&enc, "sgh", DIM, 16));
    OK(lbh_encoder_set(enc, "steps=1000,batch=64"));
    OK(lbh_encoder_set(enc, options));
    OK(lbh_encoder_train_rows(enc, &rows, labels, NULL));
    OK(lbh_encoder_encode(enc, N, s->x, codes));
    for (int i = 0; i < N; i++)
        for (int j = 0; j < i; j++) {
            int same = s->label[i] == s->label[j];
            sum[same] += test_hamming(codes + 2 * i, codes + 2 * j, 2);
            count[same]++;
        }
    lbh_encoder_free(enc);
    return sum[0] / count[0] / (sum[1] / count[1]);
}

/* Labels that go across the largest directions of the data: only the pairs know of them. */
Test(extensions, pairs_bring_rows_of_a_label_together)
{
    data *s = make_data();
    lbh_lists labels = {N, 2, s->start, s->label};
    for (int i = 0; i < N; i++) {
        s->label[i] = i % 2;
        s->x[i * DIM + DIM - 1] = (float)((i % 2 ? 0.8 : -0.8) + 0.1 * test_normal(51, (uint64_t)i));
    }
    double plain = separation("pairs=none", s, &labels);
    double paired = separation("pairs=labels", s, &labels);
    cr_assert(plain < 1.3, "without pairs: %g", plain);
    cr_assert(paired > 2 * plain, "without pairs: %g, with them: %g", plain, paired);
    free_data(s);
}
