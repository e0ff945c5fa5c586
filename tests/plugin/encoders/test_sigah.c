/* test_sigah.c: every gradient of SiGAH against central differences of the losses as the header
 * writes them down, in double precision and without a matrix product. */
#include "support.h"

#include "graph_term.h"
#include "sigah_step.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { B = 5, D = 4, L = 3, M = 7, K = 3, MOST = 64 };

static const float row_weight[B] = {1, 0.3f, 2, 1.7f, 0.9f};
static const float near_weight[B] = {0.5f, 1.5f, 0.7f, 1.1f, 1.2f};

/* Codes, features and rebuilt rows of the batch, by the book. */
typedef struct reference {
    const sigah_config *cfg;
    double p[SIGAH_NPARAMS][MOST], x[B][D];
    double t[B][L], s[B][D > M ? D : M], y[B][D];
} reference;

static const int size[SIGAH_NPARAMS] = {L * D, L, L *M, M, M *D, D *K, K, K *D, D};
static const char *const name[SIGAH_NPARAMS] = {"W", "b", "Wg", "bg", "A", "We", "be", "Wd", "bd"};

static double activation(const sigah_config *cfg, double a)
{
    switch (cfg->activation) {
    case SIGAH_LEAKY_RELU:
        return a > 0 ? a : (double)cfg->leak * a;
    case SIGAH_RELU:
        return a > 0 ? a : 0;
    case SIGAH_TANH:
        return tanh(a);
    case SIGAH_SIGMOID:
        return 1 / (1 + exp(-a));
    case SIGAH_SWISH:
        return a / (1 + exp(-a));
    case SIGAH_LINEAR:
        return a;
    }
    return NAN;
}

static void forward(reference *r)
{
    const sigah_config *c = r->cfg;
    for (int i = 0; i < B; i++) {
        for (int k = 0; k < L; k++) {
            double z = r->p[SIGAH_B][k];
            for (int j = 0; j < D; j++)
                z += r->x[i][j] * r->p[SIGAH_W][k * D + j];
            r->t[i][k] = tanh(z);
        }
        for (int j = 0; j < c->m; j++) {
            double a = r->p[SIGAH_BG][j];
            for (int k = 0; k < L; k++)
                a += r->t[i][k] * r->p[SIGAH_WG][k * c->m + j];
            r->s[i][j] = activation(c, a);
        }
        for (int j = 0; j < D; j++) {
            r->y[i][j] = c->measurement == SIGAH_IDENTITY ? r->s[i][j] : 0;
            for (int l = 0; l < c->m && c->measurement != SIGAH_IDENTITY; l++)
                r->y[i][j] += r->s[i][l] * r->p[SIGAH_A][l * D + j];
        }
    }
}

static double energy(const reference *r, const double *y)
{
    double sum = 0, e[K];
    for (int k = 0; k < K; k++) {
        e[k] = r->p[SIGAH_BE][k];
        for (int j = 0; j < D; j++)
            e[k] += y[j] * r->p[SIGAH_WE][j * K + k];
        e[k] *= e[k] > 0 ? 1 : 0.2;
    }
    for (int j = 0; j < D; j++) {
        double o = r->p[SIGAH_BD][j];
        for (int k = 0; k < K; k++)
            o += e[k] * r->p[SIGAH_WD][k * D + j];
        sum += (y[j] - o) * (y[j] - o);
    }
    return sum * (double)r->cfg->unit;
}

static double squared(int n, const double *a, const double *b)
{
    double sum = 0;
    for (int j = 0; j < n; j++)
        sum += (a[j] - b[j]) * (a[j] - b[j]);
    return sum;
}

static double dot(int n, const double *a, const double *b)
{
    double sum = 0;
    for (int j = 0; j < n; j++)
        sum += a[j] * b[j];
    return sum;
}

/* p_ij, j != i, of the entropy log(neighbours B), by bisection. */
static void similarities(const reference *r, int i, double p[B])
{
    double lo = 1e-6, hi = 1e6, target = log((double)r->cfg->near->neighbours * B);
    for (int step = 0; step < 100; step++) {
        double sigma = sqrt(lo * hi), sum = 0, entropy = 0;
        for (int j = 0; j < B; j++)
            sum += p[j] = j != i ? exp(-squared(D, r->x[i], r->x[j]) / sigma) : 0;
        for (int j = 0; j < B; j++) {
            p[j] /= sum;
            entropy -= p[j] > 0 ? p[j] * log(p[j]) : 0;
        }
        if (entropy < target)
            lo = sigma;
        else
            hi = sigma;
    }
}

static double graph_loss(const reference *r)
{
    const lbh_graph *g = r->cfg->near;
    double sum = 0;
    for (int i = 0; i < B; i++) {
        double p[B], sum_q = 0;
        similarities(r, i, p);
        for (int j = 0; j < B; j++) {
            double s = exp(-squared(D, r->x[i], r->x[j]) / (double)g->sigma);
            if (g->loss == LBH_GRAPH_LAPLACIAN)
                sum += s * squared(L, r->t[i], r->t[j]) / (B * B);
            sum_q += j != i ? exp((double)g->beta * dot(L, r->t[i], r->t[j])) : 0;
        }
        for (int j = 0; j < B && g->loss == LBH_GRAPH_EMBEDDING; j++)
            if (j != i)
                sum += (double)near_weight[i] * p[j] / B *
                       (log(p[j] * sum_q) - (double)g->beta * dot(L, r->t[i], r->t[j]));
    }
    return sum;
}

static double generator_loss(reference *r)
{
    const sigah_config *c = r->cfg;
    double rec = 0, sparsity = 0, adversarial = 0;
    forward(r);
    for (int i = 0; i < B; i++) {
        rec += (double)row_weight[i] * squared(D, r->x[i], r->y[i]) * (double)c->unit / B;
        adversarial += energy(r, r->y[i]) / B;
        for (int j = 0; j < c->m; j++)
            sparsity += fabs(r->s[i][j]) / (B * c->m);
    }
    return rec + (double)c->sparsity * sparsity + (double)c->adversarial * adversarial +
           (c->near ? (double)c->graph * graph_loss(r) : 0);
}

/* y is constant: forward() is not called. */
static double discriminator_loss(reference *r)
{
    double sum = 0;
    for (int i = 0; i < B; i++)
        sum += energy(r, r->x[i]) / B + fmax(0, (double)r->cfg->margin - energy(r, r->y[i])) / B;
    return sum;
}

/* The library's side: the same numbers in floats. */
typedef struct bench {
    float p[SIGAH_NPARAMS][MOST], g[SIGAH_NPARAMS][MOST], x[B * D];
    float T[B * L], bits[B * L], dT[B * L], S[B * M], dS[B * M], G[B * M];
    float Y[B * D], R[B * D], O[B * D], E[B * K], dE[B * K], GD[B * B], GK[B * B], norm[B];
    double row[B], graph_row[B], slope[B], bend[B];
    float *pp[SIGAH_NPARAMS], *gp[SIGAH_NPARAMS];
    sigah_batch batch;
    lbh_graph near;
    sigah_config cfg;
    sigah_losses losses;
} bench;

static void fill(bench *w, reference *r, uint64_t seed)
{
    for (int i = 0; i < SIGAH_NPARAMS; i++) {
        for (int j = 0; j < size[i]; j++)
            r->p[i][j] = w->p[i][j] = (float)(0.6 * test_normal(seed + (uint64_t)i, (uint64_t)j));
        w->pp[i] = w->p[i];
        w->gp[i] = w->g[i];
        for (int j = 0; j < MOST; j++)
            w->g[i][j] = 77; /* gradients are set, not added to */
    }
    for (int i = 0; i < B * D; i++)
        r->x[i / D][i % D] = w->x[i] = (float)test_normal(seed + 40, (uint64_t)i);
    w->near = (lbh_graph){.sigma = 3,
                            .neighbours = 0.5f,
                            .beta = 0.7f,
                            .weight = near_weight,
                            .D = w->GD,
                            .K = w->GK,
                            .norm = w->norm,
                            .row = w->graph_row,
                            .slope = w->slope,
                            .bend = w->bend};
    w->cfg = (sigah_config){.d = D,
                            .nbits = L,
                            .m = M,
                            .k = K,
                            .leak = 0.2f,
                            .unit = 0.3f,
                            .sparsity = 0.8f,
                            .graph = 0.5f,
                            .adversarial = 0.9f,
                            .margin = 1.5f,
                            .near = &w->near};
    w->batch = (sigah_batch){.T = w->T,
                             .bits = w->bits,
                             .S = w->S,
                             .dS = w->dS,
                             .Y = w->Y,
                             .R = w->R,
                             .E = w->E,
                             .dE = w->dE,
                             .O = w->O,
                             .dT = w->dT,
                             .G = w->G,
                             .row = w->row,
                             .weight = row_weight};
    r->cfg = &w->cfg;
}

static void compare(bench *w, reference *r, int i, double (*loss)(reference *))
{
    const double h = 1e-5;
    int count = i == SIGAH_WG ? L * w->cfg.m : i == SIGAH_BG ? w->cfg.m : size[i];
    for (int j = 0; j < count; j++) {
        double keep = r->p[i][j], up, down;
        r->p[i][j] = keep + h;
        up = loss(r);
        r->p[i][j] = keep - h;
        down = loss(r);
        r->p[i][j] = keep;
        double expected = (up - down) / (2 * h);
        cr_assert_float_eq(w->g[i][j], expected, 2e-5 + 1e-4 * fabs(expected),
                           "%s[%d], f %d, A %d: %g, by differences %g", name[i], j,
                           (int)w->cfg.activation, (int)w->cfg.measurement, (double)w->g[i][j],
                           expected);
    }
}

static void check_generator(bench *w, reference *r)
{
    sigah_forward(&w->cfg, w->pp, B, w->x, NULL, &w->batch);
    sigah_generator(&w->cfg, w->pp, B, w->x, &w->batch, w->gp, &w->losses);
    double total = w->losses.rec + (double)w->cfg.sparsity * w->losses.sparsity +
                   (double)w->cfg.graph * w->losses.graph +
                   (double)w->cfg.adversarial * w->losses.synthetic;
    double expected = generator_loss(r);
    cr_assert_float_eq(total, expected, 1e-5 * fabs(expected), "%g, not %g", total, expected);
    for (int i = SIGAH_W; i <= SIGAH_BG; i++)
        compare(w, r, i, generator_loss);
    if (w->cfg.measurement == SIGAH_LEARNED)
        compare(w, r, SIGAH_A, generator_loss);
}

Test(sigah, hash_layer_and_generator_with_every_activation)
{
    for (int f = SIGAH_LEAKY_RELU; f <= SIGAH_LINEAR; f++)
        for (int loss = 0; loss < 2; loss++) {
            bench w;
            reference r;
            fill(&w, &r, 100 + (uint64_t)f);
            w.cfg.activation = (sigah_activation)f;
            w.near.loss = (lbh_graph_loss)loss;
            check_generator(&w, &r);
        }
}

Test(sigah, hash_layer_and_generator_with_every_measurement)
{
    for (int A = SIGAH_GAUSSIAN; A <= SIGAH_IDENTITY; A++) {
        bench w;
        reference r;
        fill(&w, &r, 200);
        w.cfg.measurement = (sigah_measurement)A;
        w.cfg.m = A == SIGAH_IDENTITY ? D : M;
        check_generator(&w, &r);
        cr_assert(A == SIGAH_LEARNED || w.g[SIGAH_A][0] == 77, "A is fixed, but has a gradient");
    }
}

/* The derivatives of the graph loss by beta; the fit ends at the minimum of that loss. */
Test(sigah, beta_is_fitted_to_the_codes)
{
    for (int start = 0; start < 2; start++) {
        const double h = 1e-3;
        double value[3], steps[] = {-h, 0, h}, slope = 0, bend = 0;
        bench w;
        reference r;
        fill(&w, &r, 600);
        for (int j = 0; j < L * D; j++) /* codes that follow the rows, if not perfectly */
            r.p[SIGAH_W][j] = w.p[SIGAH_W][j] = j / D == j % D ? 0.4f : 0.1f;
        w.near.beta = start ? 20 : 0.5f;
        forward(&r);
        for (int i = 0; i < 3; i++) {
            double keep = (double)w.near.beta;
            w.near.beta = (float)(keep + steps[i]);
            steps[i] = (double)w.near.beta - keep;
            value[i] = graph_loss(&r);
            w.near.beta = (float)keep;
        }
        for (int fit = 0; fit < 3000; fit++) {
            sigah_forward(&w.cfg, w.pp, B, w.x, NULL, &w.batch);
            sigah_generator(&w.cfg, w.pp, B, w.x, &w.batch, w.gp, &w.losses);
            for (int i = 0; i < B && fit == 0; i++) {
                slope -= w.slope[i] / B;
                bend += w.bend[i] / B;
            }
            w.near.beta = lbh_graph_better_beta(&w.near, B, L);
        }
        double up = (value[2] - value[1]) / steps[2], down = (value[0] - value[1]) / steps[0];
        cr_assert_float_eq(slope, (up + down) / 2, 1e-4, "%g, not %g", slope, (up + down) / 2);
        cr_assert_float_eq(bend, (up - down) / ((steps[2] - steps[0]) / 2), 1e-3, "%g", bend);

        float best = w.near.beta;
        double least = graph_loss(&r);
        cr_assert(best > 1.1f / L && best < 90.0f / L, "%g is at a bound", (double)best);
        w.near.beta = 1.05f * best;
        double above = graph_loss(&r);
        w.near.beta = best / 1.05f;
        cr_assert(least < above && least < graph_loss(&r), "%g is not best", (double)best);
    }
}

Test(sigah, without_the_regularisers_it_is_a_tanh_autoencoder)
{
    bench w;
    reference r;
    fill(&w, &r, 300);
    w.cfg.measurement = SIGAH_IDENTITY;
    w.cfg.activation = SIGAH_LINEAR;
    w.cfg.m = D;
    w.cfg.sparsity = w.cfg.graph = w.cfg.adversarial = 0;
    w.cfg.near = NULL;
    check_generator(&w, &r);
    for (int i = 0; i < B; i++) { /* x^ = tanh(W x + b) Wg + bg */
        double expected = r.p[SIGAH_BG][0];
        for (int k = 0; k < L; k++)
            expected += r.t[i][k] * r.p[SIGAH_WG][k * D];
        cr_assert_float_eq(w.Y[i * D], expected, 1e-5);
    }
}

Test(sigah, discriminator_on_both_sides_of_the_margin)
{
    static const float margins[] = {0, 1.5f, 100}; /* none, some, all synthetic rows are below */
    int active[3] = {0};
    for (int m = 0; m < 3; m++) {
        bench w;
        reference r;
        fill(&w, &r, 400);
        w.cfg.margin = margins[m];
        sigah_forward(&w.cfg, w.pp, B, w.x, NULL, &w.batch);
        sigah_discriminator(&w.cfg, w.pp, B, w.x, &w.batch, w.gp, &w.losses);
        forward(&r);
        double expected = discriminator_loss(&r), got = w.losses.real + w.losses.hinge;
        cr_assert_float_eq(got, expected, 1e-5 * expected);
        for (int i = 0; i < B; i++)
            active[m] += energy(&r, r.y[i]) < (double)margins[m];
        for (int i = SIGAH_WE; i <= SIGAH_BD; i++)
            compare(&w, &r, i, discriminator_loss);
    }
    cr_assert(active[0] == 0 && active[1] > 0 && active[1] < B && active[2] == B,
              "the margins do not part the rows: %d %d %d", active[0], active[1], active[2]);
}

/* With noise the generator sees bits; what it is told about them reaches W as if they were T. */
Test(sigah, noisy_bits_pass_their_gradient_on)
{
    bench w, v;
    reference r;
    float noise[B * L];
    int up = 0;
    fill(&w, &r, 500);
    for (int i = 0; i < B * L; i++)
        noise[i] = (float)(2.4 * test_uniform(501, (uint64_t)i) - 1.2);
    sigah_forward(&w.cfg, w.pp, B, w.x, noise, &w.batch);
    forward(&r);
    for (int i = 0; i < B * L; i++) {
        float expected = r.t[i / L][i % L] + (double)noise[i] >= 0 ? 1 : -1;
        cr_assert_eq(w.batch.H[i], expected);
        up += expected > 0;
    }
    cr_assert(up > 0 && up < B * L);
    sigah_generator(&w.cfg, w.pp, B, w.x, &w.batch, w.gp, &w.losses);

    /* The same generator on codes that are the bits: dT by differences of the loss by each. */
    for (int i = 0; i < B * L; i++) {
        const double h = 1e-3;
        double loss[2], t = (double)w.T[i], through = 1 - t * t;
        for (int side = 0; side < 2; side++) {
            fill(&v, &r, 500);
            sigah_forward(&v.cfg, v.pp, B, v.x, noise, &v.batch);
            v.bits[i] += (float)(side ? -h : h);
            for (int a = 0; a < B; a++)
                for (int k = 0; k < L; k++)
                    r.t[a][k] = (double)v.bits[a * L + k];
            loss[side] = 0;
            for (int a = 0; a < B; a++) {
                double y[D] = {0};
                for (int j = 0; j < M; j++) {
                    double sum = r.p[SIGAH_BG][j];
                    for (int k = 0; k < L; k++)
                        sum += r.t[a][k] * r.p[SIGAH_WG][k * M + j];
                    double s = activation(&v.cfg, sum);
                    loss[side] += (double)v.cfg.sparsity * fabs(s) / (B * M);
                    for (int c = 0; c < D; c++)
                        y[c] += s * r.p[SIGAH_A][j * D + c];
                }
                loss[side] +=
                    (double)row_weight[a] * squared(D, r.x[a], y) * (double)v.cfg.unit / B +
                    (double)v.cfg.adversarial * energy(&r, y) / B;
            }
            loss[side] += (double)v.cfg.graph * graph_loss(&r);
        }
        double expected = (loss[0] - loss[1]) / (2 * h) * through;
        cr_assert_float_eq(w.dT[i], expected, 1e-4 + 2e-3 * fabs(expected), "bit %d: %g, not %g", i,
                           (double)w.dT[i], expected);
    }
}
