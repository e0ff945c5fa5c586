/* test_jmlh.c: the gradients of just-maximising-likelihood hashing against enumeration of all codes
 * and central differences in double precision, for every parameter block of encoder and head. */
#include "support.h"

#include "jmlh_step.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BITS = 10, D = 4, HID = 5, K = 3, MOST = 400 };

static double softplus(double a)
{
    return fmax(a, 0) + log1p(exp(-fabs(a)));
}

static double sigmoid(double a)
{
    return 1 / (1 + exp(-a));
}

/* One row, in floats around double parameters: those of the encoder, then those of the head. */
typedef struct bench {
    jmlh_config cfg;
    lbh_mlp encoder, head, genc, ghead;
    jmlh_batch w;
    int L, codes, nenc, size; /* bits, 2^bits, parameters of the encoder, of both */
    float theta[MOST], grad[MOST], X[D], y[64], noise[BITS];
    float room[4000];
    double loss[1], exact[MOST];
} bench;

static float *take(bench *t, int *used, int n)
{
    float *p = t->room + *used;
    *used += n;
    return p;
}

static void take_layers(bench *t, int *used, const lbh_mlp *m, lbh_mlp_batch *w)
{
    for (int l = 0; l < m->nlayers; l++) {
        w->Y[l] = take(t, used, m->size[l + 1]);
        w->D[l] = take(t, used, m->size[l + 1]);
    }
}

static void set_up(bench *t, jmlh_config cfg, int L, int nhidden, int head_hidden, int nout)
{
    const int hidden[] = {HID, 6, HID}, deep[] = {head_hidden};
    int used = 0;
    memset(t, 0, sizeof *t);
    t->cfg = cfg;
    t->L = L;
    t->codes = 1 << L;
    t->encoder = t->genc = lbh_mlp_shape(D, nhidden, hidden, L);
    t->head = t->ghead = lbh_mlp_shape(L, 1, deep, nout);
    t->nenc = (int)lbh_mlp_size(&t->encoder);
    t->size = t->nenc + (int)lbh_mlp_size(&t->head);
    lbh_mlp_bind(&t->encoder, t->theta);
    lbh_mlp_bind(&t->head, t->theta + t->nenc);
    lbh_mlp_bind(&t->genc, t->grad);
    lbh_mlp_bind(&t->ghead, t->grad + t->nenc);
    take_layers(t, &used, &t->encoder, &t->w.encoder);
    take_layers(t, &used, &t->head, &t->w.head);
    t->w.P = take(t, &used, L);
    t->w.H = take(t, &used, L);
    t->w.G = take(t, &used, L);
    t->w.Vt = take(t, &used, L * nout);
    t->w.other = take(t, &used, nout);
    t->w.loss = t->loss;
    for (int i = 0; i < t->size; i++)
        t->exact[i] = t->theta[i] = (float)(0.8 * test_normal(31, (uint64_t)i));
    for (int j = 0; j < D; j++)
        t->X[j] = (float)test_normal(32, (uint64_t)j);
    for (int c = 0; c < nout; c++)
        t->y[c] = cfg.loss == JMLH_SQUARES   ? (float)test_normal(33, (uint64_t)c)
                  : cfg.loss == JMLH_SIGMOID ? (float)(c % 2 == 0)
                                             : (float)(c == 1);
}

static void network(const lbh_mlp *m, const double *theta, const double *x, double *y)
{
    double in[64], out[64];
    memcpy(in, x, (size_t)m->size[0] * sizeof *in);
    for (int l = 0; l < m->nlayers; l++) {
        const double *W = theta, *b = theta + m->size[l + 1] * m->size[l];
        for (int k = 0; k < m->size[l + 1]; k++) {
            double a = b[k];
            for (int j = 0; j < m->size[l]; j++)
                a += W[k * m->size[l] + j] * in[j];
            out[k] = l < m->nlayers - 1 ? fmax(a, 0) : a;
        }
        memcpy(in, out, sizeof in);
        theta = b + m->size[l + 1];
    }
    memcpy(y, in, (size_t)m->size[m->nlayers] * sizeof *y);
}

static void logits(const bench *t, double *a)
{
    double x[D];
    for (int j = 0; j < D; j++)
        x[j] = t->X[j];
    network(&t->encoder, t->exact, x, a);
}

/* The loss of the head at h, by definition. */
static double head_loss(const bench *t, const double *h)
{
    double C[64], sum = 0;
    int n = t->head.size[t->head.nlayers];
    network(&t->head, t->exact + t->nenc, h, C);
    if (t->cfg.loss == JMLH_SOFTMAX) {
        for (int c = 0; c < n; c++)
            sum += exp(C[c]);
        sum = log(sum);
        for (int c = 0; c < n; c++)
            sum -= t->y[c] * C[c];
    } else
        for (int c = 0; c < n; c++)
            sum += t->cfg.loss == JMLH_SIGMOID ? softplus(C[c]) - t->y[c] * C[c]
                                               : 0.5 * (C[c] - t->y[c]) * (C[c] - t->y[c]);
    return sum;
}

static double kl(int L, const double *a)
{
    double sum = 0;
    for (int k = 0; k < L; k++) {
        double p = sigmoid(a[k]);
        sum += p * log(2 * p) + (1 - p) * log(2 * (1 - p));
    }
    return sum;
}

/* q(code) of bits that are on with chances p[L] */
static double probability(int L, const double *p, int code)
{
    double q = 1;
    for (int k = 0; k < L; k++)
        q *= code >> k & 1 ? p[k] : 1 - p[k];
    return q;
}

static void chances(const bench *t, double *p)
{
    logits(t, p);
    for (int k = 0; k < t->L; k++)
        p[k] = sigmoid(p[k]);
}

/* E_q[loss] + lambda KL: every code is visited. */
static double enumerated(const bench *t)
{
    double a[BITS], p[BITS], h[BITS], sum = 0;
    logits(t, a);
    chances(t, p);
    for (int code = 0; code < t->codes; code++) {
        for (int k = 0; k < t->L; k++)
            h[k] = code >> k & 1;
        sum += probability(t->L, p, code) * head_loss(t, h);
    }
    return sum + t->cfg.lambda * kl(t->L, a);
}

/* The objective of the relaxed model: the head sees probabilities. */
static double relaxed(const bench *t)
{
    double a[BITS], p[BITS];
    logits(t, a);
    chances(t, p);
    return head_loss(t, p) + t->cfg.lambda * kl(t->L, a);
}

static double gradient_at(bench *t, int code)
{
    for (int k = 0; k < t->L; k++)
        t->noise[k] = code >> k & 1 ? 0 : 1;
    return jmlh_gradients(&t->cfg, &t->encoder, &t->head, 1, t->X, t->y, t->noise, &t->w, &t->genc,
                          &t->ghead);
}

static void compare(bench *t, const double *mean, double (*objective)(const bench *))
{
    for (int i = 0; i < t->size; i++) {
        const double old = t->exact[i], step = 1e-5;
        t->exact[i] = old + step;
        double up = objective(t);
        t->exact[i] = old - step;
        double down = objective(t);
        t->exact[i] = old;
        double d = (up - down) / (2 * step);
        cr_assert_float_eq(mean[i], d, 2e-5 * (1 + fabs(d)), "loss %d, parameter %d: %g and %g",
                           t->cfg.loss, i, mean[i], d);
    }
}

static void check_exact(jmlh_loss loss, int L, int nhidden)
{
    static bench t;
    double mean[MOST] = {0}, p[BITS], J = 0;
    set_up(&t, (jmlh_config){.loss = loss, .estimator = JMLH_EXACT, .lambda = 0.3f}, L, nhidden, 0,
           K);
    chances(&t, p);
    for (int code = 0; code < t.codes; code++) {
        double q = probability(L, p, code);
        J += q * gradient_at(&t, code);
        for (int i = 0; i < t.size; i++)
            mean[i] += q * t.grad[i];
    }
    cr_assert_float_eq(J, enumerated(&t), 1e-5 * (1 + fabs(J)));
    compare(&t, mean, enumerated);
}

Test(jmlh, exact_gradient_equals_enumeration)
{
    for (int loss = JMLH_SOFTMAX; loss <= JMLH_SIGMOID; loss++)
        for (int L = 1; L <= BITS; L++)
            for (int nhidden = 0; nhidden <= 3; nhidden++)
                if (nhidden == 1 || L % 5 == 0) /* all depths at 5 and at 10 bits */
                    check_exact((jmlh_loss)loss, L, nhidden);
}

Test(jmlh, relaxed_gradient_equals_central_differences)
{
    static bench t;
    for (int loss = JMLH_SOFTMAX; loss <= JMLH_SQUARES; loss++)
        for (int depth = 0; depth < 8; depth++) {
            double mean[MOST];
            set_up(&t, (jmlh_config){.loss = (jmlh_loss)loss, .relaxed = true, .lambda = 0.3f}, 6,
                   depth / 2, depth % 2 ? HID : 0, K);
            double J = gradient_at(&t, 0);
            cr_assert_float_eq(J, relaxed(&t), 1e-5 * (1 + fabs(J)));
            for (int i = 0; i < t.size; i++)
                mean[i] = t.grad[i];
            compare(&t, mean, relaxed);
        }
}

/* d(loss)/dh_k at a code, by central differences. */
static double slope_at(const bench *t, int code, int k)
{
    double h[BITS], step = 1e-5;
    for (int j = 0; j < t->L; j++)
        h[j] = code >> j & 1;
    h[k] += step;
    double up = head_loss(t, h);
    h[k] -= 2 * step;
    return (up - head_loss(t, h)) / (2 * step);
}

/* The gradient by the last bias is that by the logits. */
Test(jmlh, biased_and_straight_through_are_what_they_say)
{
    static bench t;
    for (int loss = JMLH_SOFTMAX; loss <= JMLH_SQUARES; loss++)
        for (int straight = 0; straight < 2; straight++)
            for (int code = 0; code < 64; code += 5) {
                double a[BITS];
                set_up(&t, (jmlh_config){.loss = (jmlh_loss)loss,
                                         .estimator = straight ? JMLH_STRAIGHT : JMLH_BIASED,
                                         .lambda = 0.3f, .penalty = 0.7f}, 6, 1, 0, K);
                gradient_at(&t, code);
                logits(&t, a);
                for (int k = 0; k < t.L; k++) {
                    double p = sigmoid(a[k]), h = code >> k & 1, s = slope_at(&t, code, k);
                    double own = p * (1 - p) * (0.3 * a[k] + 2 * 0.7 * (p - h));
                    double want = (straight ? s : p * (1 - p) * s) + own;
                    cr_assert_float_eq(t.genc.b[t.genc.nlayers - 1][k], want,
                                       2e-5 * (1 + fabs(want)));
                }
            }
}

Test(jmlh, without_noise_the_sign_of_the_logit_decides)
{
    static bench t;
    double a[BITS];
    set_up(&t, (jmlh_config){.loss = JMLH_SOFTMAX}, BITS, 1, 0, K);
    logits(&t, a);
    jmlh_gradients(&t.cfg, &t.encoder, &t.head, 1, t.X, t.y, NULL, &t.w, &t.genc, &t.ghead);
    for (int k = 0; k < t.L; k++)
        cr_assert_eq(t.w.H[k], a[k] > 0 ? 1.0f : 0.0f);
}

/* Means over the batch: two equal rows give the gradient of one. */
Test(jmlh, losses_are_means_over_the_batch)
{
    enum { L = 6 };
    static bench t;
    float X[2 * D], y[2 * K], noise[2 * L], room[2000] = {0}, *at = room, one[MOST];
    double loss[2];
    jmlh_batch w = {.loss = loss};
    set_up(&t, (jmlh_config){.loss = JMLH_SIGMOID, .estimator = JMLH_EXACT, .lambda = 0.2f}, L, 1,
           0, K);
    double J = gradient_at(&t, 37);
    memcpy(one, t.grad, sizeof one);
    for (int i = 0; i < 2; i++) {
        memcpy(X + i * D, t.X, D * sizeof *X);
        memcpy(y + i * K, t.y, K * sizeof *y);
        memcpy(noise + i * L, t.noise, L * sizeof *noise);
    }
    for (int l = 0; l < 2; l++) {
        w.encoder.Y[l] = at, at += 2 * t.encoder.size[l + 1];
        w.encoder.D[l] = at, at += 2 * t.encoder.size[l + 1];
    }
    w.head.Y[0] = at, at += 2 * K;
    w.head.D[0] = at, at += 2 * K;
    w.P = at, at += 2 * L;
    w.H = at, at += 2 * L;
    w.G = at, at += 2 * L;
    w.Vt = at, at += L * K;
    w.other = at;
    double J2 = jmlh_gradients(&t.cfg, &t.encoder, &t.head, 2, X, y, noise, &w, &t.genc, &t.ghead);
    cr_assert_float_eq(J, J2, 1e-6 * (1 + fabs(J)));
    for (int i = 0; i < t.size; i++)
        cr_assert_float_eq(one[i], t.grad[i], 1e-6);
}
