/* sgh_step.c: see sgh_step.h. Five matrix products and three element-wise passes a batch, or what
 * sgh_gram.h makes of them. The passes that sum columns go over blocks of columns, so that every sum
 * has one order whatever the number of threads; full blocks have a constant width, which keeps their
 * sums in registers. */
#include "sgh_step.h"

#include "blas.h"
#include "cpu.h"
#include "vmath.h"
#include "sgh_gram.h"
#include "sgh_pairs.h"
#include "sgh_scale.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

enum { COLUMNS = 16, WIDE = 32 }; /* of B x nbits and of B x d; WIDE: pairs of cache lines */

static float code_lo(const sgh_config *cfg)
{
    return cfg->coding == SGH_CODING_PM1 ? -1.0f : 0.0f;
}

/* log(1 + e^a) */
static double softplus(double a)
{
    return fmax(a, 0) + log1p(exp(-fabs(a)));
}

/* One row: A += b, P = sigma(A), H = hi where P > noise. */
LBH_CLONES
static void noisy_neurons(int L, float lo, const float *restrict b, const float *restrict noise,
                          float *restrict A, float *restrict P, float *restrict H)
{
    for (int j = 0; j < L; j++) {
        float a = A[j] + b[j], p = lbh_sigmoid(a);
        A[j] = a;
        P[j] = p;
        H[j] = p > noise[j] ? 1.0f : lo;
    }
}

/* Threshold 1/2, decided on the logit: sigma rounds to 1/2 around 0. */
LBH_CLONES
static void plain_neurons(int L, float lo, const float *restrict b, float *restrict A,
                          float *restrict P, float *restrict H)
{
    for (int j = 0; j < L; j++) {
        float a = A[j] + b[j];
        A[j] = a;
        P[j] = lbh_sigmoid(a);
        H[j] = a > 0 ? 1.0f : lo;
    }
}

static void all_neurons(const sgh_config *cfg, const sgh_params *p, int B, const float *noise,
                        const sgh_batch *w)
{
    int L = cfg->nbits;
    float lo = code_lo(cfg);
#pragma omp parallel for schedule(static)
    for (int i = 0; i < B; i++) {
        ptrdiff_t at = (ptrdiff_t)i * L;
        if (noise)
            noisy_neurons(L, lo, p->b, noise + at, w->A + at, w->P + at, w->H + at);
        else
            plain_neurons(L, lo, p->b, w->A + at, w->P + at, w->H + at);
    }
}

/* One block of columns of: T <- (T o |s| + c - X) o |s|, with the sums that dc and ds need; returns
 * sum r^2 / 2. s, c, dc, ds start at the block; s, c, ds may be NULL. */
static inline __attribute__((always_inline)) double
residual_block(const int width, int B, int d, const float *restrict X, const float *restrict s,
               const float *restrict c, float *restrict T, float *restrict dc, float *restrict ds)
{
    float sum_r[WIDE] = {0}, sum_rt[WIDE] = {0}, sum_rr[WIDE] = {0}, scale[WIDE], shift[WIDE];
    double rec = 0;
    for (int j = 0; j < width; j++) {
        scale[j] = s ? fabsf(s[j]) : 1.0f;
        shift[j] = c ? c[j] : 0.0f;
    }
    for (int i = 0; i < B; i++) {
        float *t = T + (ptrdiff_t)i * d;
        const float *x = X + (ptrdiff_t)i * d;
        for (int j = 0; j < width; j++) {
            float r = t[j] * scale[j] + shift[j] - x[j];
            sum_r[j] += r;
            sum_rt[j] += r * t[j];
            sum_rr[j] += r * r;
            t[j] = r * scale[j];
        }
    }
    for (int j = 0; j < width; j++) {
        rec += 0.5 * (double)sum_rr[j];
        if (dc)
            dc[j] = sum_r[j];
        if (ds)
            ds[j] = s[j] < 0 ? -sum_rt[j] : sum_rt[j];
    }
    return rec;
}

LBH_CLONES
static double residuals(int width, int B, int d, const float *restrict X, const float *restrict s,
                        const float *restrict c, float *restrict T, float *restrict dc,
                        float *restrict ds)
{
    if (width == WIDE)
        return residual_block(WIDE, B, d, X, s, c, T, dc, ds);
    return residual_block(width, B, d, X, s, c, T, dc, ds);
}

/* What turns d(reconstruction)/d(code) into the gradient of the logit. */
typedef struct logit_terms {
    float lo, step;      /* codes */
    float inv_rho2;      /* 1 / rho^2 */
    float kl;            /* paper: + kl (a - step beta) */
    float alpha;         /* official: - alpha a, and + alpha (p - [h = hi]) */
} logit_terms;

/* One block of columns of: G <- d(loss)/d(logit), db = its column sums. All start at the block. */
static inline __attribute__((always_inline)) void
logit_block(const int width, int B, int L, const logit_terms *t, const float *restrict nu,
            const float *restrict beta, const float *restrict A, const float *restrict P,
            const float *restrict H, float *restrict G, float *restrict db)
{
    float middle = t->lo + 0.5f * t->step;
    float sum[COLUMNS] = {0}, norm[COLUMNS], prior[COLUMNS];
    for (int j = 0; j < width; j++) {
        norm[j] = nu ? nu[j] : 0.0f;
        prior[j] = t->step * beta[j];
    }
    for (int i = 0; i < B; i++)
        for (int j = 0; j < width; j++) {
            ptrdiff_t k = (ptrdiff_t)i * L + j;
            float g = G[k] + norm[j] * (middle - H[k]);
            float on = H[k] > t->lo ? 1.0f : 0.0f;
            float slope = P[k] * (1.0f - P[k]);
            float da = slope * (t->step * g * t->inv_rho2 + t->kl * (A[k] - prior[j]) -
                                t->alpha * A[k]) +
                       t->alpha * (P[k] - on);
            G[k] = da;
            sum[j] += da;
        }
    for (int j = 0; j < width; j++)
        db[j] = sum[j];
}

LBH_CLONES
static void logits(int width, int B, int L, const logit_terms *t, const float *restrict nu,
                   const float *restrict beta, const float *restrict A, const float *restrict P,
                   const float *restrict H, float *restrict G, float *restrict db)
{
    if (width == COLUMNS)
        logit_block(COLUMNS, B, L, t, nu, beta, A, P, H, G, db);
    else
        logit_block(width, B, L, t, nu, beta, A, P, H, G, db);
}

/* d/dbeta of kl * KL, summed over the batch: kl (B E_prior[h] - sum E_q[h]) */
static void prior_gradient(const sgh_config *cfg, const sgh_params *p, int B, const float *P,
                           float *dbeta)
{
    int L = cfg->nbits;
    for (int j = 0; j < L; j++) {
        double sum = 0, beta = p->beta[j];
        for (int i = 0; i < B; i++)
            sum += P[(ptrdiff_t)i * L + j];
        double expected = cfg->coding == SGH_CODING_PM1 ? B * tanh(beta) - (2 * sum - B)
                                                        : B / (1 + exp(-beta)) - sum;
        dbeta[j] = (float)((double)cfg->kl * expected);
    }
}

static void template_norms(const sgh_config *cfg, const sgh_params *p, float *nu)
{
    for (int k = 0; k < cfg->nbits; k++) {
        double sum = 0;
        for (int j = 0; j < cfg->d; j++) {
            double u = p->U[(ptrdiff_t)k * cfg->d + j];
            if (cfg->decoder == SGH_SCALED)
                u *= p->s[j];
            sum += u * u;
        }
        nu[k] = (float)sum;
    }
}

static double all_residuals(const sgh_config *cfg, const sgh_params *p, int B, const float *X,
                            const sgh_batch *w, const sgh_params *g)
{
    const float *s = cfg->decoder == SGH_SCALED ? p->s : NULL;
    const float *c = cfg->decoder == SGH_BASIC ? NULL : p->c;
    int d = cfg->d, nblocks = (d + WIDE - 1) / WIDE;
    double *part = (double *)(void *)w->sums; /* one double a block: fits in d floats */
#pragma omp parallel for schedule(static)
    for (int k = 0; k < nblocks; k++) {
        int j = k * WIDE, width = d - j < WIDE ? d - j : WIDE;
        part[k] = residuals(width, B, d, X + j, s ? s + j : NULL, c ? c + j : NULL, w->T + j,
                            c && g->c ? g->c + j : NULL, s && g->s ? g->s + j : NULL);
    }
    double rec = 0;
    for (int k = 0; k < nblocks; k++)
        rec += part[k];
    return rec;
}

/* The extensions: G, as it comes from the decoder, becomes the gradient by the code. Returns what
 * the neurons still have to add: the templates' squared norms, or NULL. */
static const float *extend(const sgh_config *cfg, const sgh_params *p, int B, const float *X,
                           const sgh_batch *w, double rho2)
{
    const float *nu = cfg->estimator == SGH_UNBIASED ? w->sums : NULL;
    if (nu)
        template_norms(cfg, p, w->sums);
    if (cfg->latent) {
        sgh_scale_gradients(cfg, cfg->latent, B, X, w->H, (float)(1 / rho2), nu, w->G);
        nu = NULL;
    }
    if (cfg->pairs)
        sgh_pairs_gradients(cfg, cfg->pairs, B, w->H, rho2, w->G);
    return nu;
}

static void all_logits(const sgh_config *cfg, const sgh_params *p, int B, const sgh_batch *w,
                       float inv_rho2, const float *nu, const sgh_params *g)
{
    int L = cfg->nbits;
    bool paper = cfg->objective == SGH_PAPER;
    logit_terms terms = {.lo = code_lo(cfg),
                         .step = 1.0f - code_lo(cfg),
                         .inv_rho2 = inv_rho2,
                         .kl = paper ? cfg->kl : 0,
                         .alpha = paper ? 0 : cfg->alpha};
#pragma omp parallel for schedule(static)
    for (int j = 0; j < L; j += COLUMNS)
        logits(L - j < COLUMNS ? L - j : COLUMNS, B, L, &terms, nu ? nu + j : NULL, p->beta + j,
               w->A + j, w->P + j, w->H + j, w->G + j, g->b + j);
}

void sgh_gradients(const sgh_config *cfg, const sgh_params *p, int B, const float *X,
                   const float *noise, const sgh_batch *w, const sgh_params *g, double *rec)
{
    lbh_gemm_nt(B, cfg->nbits, cfg->d, 1, X, p->W, 0, w->A);
    sgh_gradients_of_logits(cfg, p, B, X, noise, w, g, rec);
}

void sgh_gradients_of_logits(const sgh_config *cfg, const sgh_params *p, int B, const float *X,
                             const float *noise, const sgh_batch *w, const sgh_params *g,
                             double *rec)
{
    int d = cfg->d, L = cfg->nbits;
    bool paper = cfg->objective == SGH_PAPER;
    double rho = paper ? exp((double)p->log_rho[0]) : 1;
    float inv_rho2 = (float)(1 / (rho * rho));

    all_neurons(cfg, p, B, noise, w);

    const float *M = cfg->latent ? cfg->latent->M : w->H;
    if (cfg->latent)
        sgh_scale_codes(cfg, cfg->latent, B, X, w->H);
    bool gram = sgh_gram_pays(cfg, B);
    if (gram)
        sgh_gram_code(cfg, p, B, X, M, w);
    else {
        lbh_gemm_nn(B, d, L, 1, M, p->U, 0, w->T);    /* T = M U */
        *rec = all_residuals(cfg, p, B, X, w, g);     /* T = R o |s| */
        lbh_gemm_nt(B, L, d, 1, w->T, p->U, 0, w->G); /* G = T U^T */
    }
    const float *nu = extend(cfg, p, B, X, w, rho * rho);
    all_logits(cfg, p, B, w, inv_rho2, nu, g); /* G = dA */

    if (cfg->decay_w != 0)
        memcpy(g->W, p->W, (size_t)L * (size_t)d * sizeof *g->W);
    lbh_gemm_tn(L, d, B, 1, w->G, X, cfg->decay_w, g->W); /* dW = dA^T X + decay W */
    if (gram)
        *rec = sgh_gram_decoder(cfg, p, B, X, M, inv_rho2, w, g);
    else {
        if (cfg->decay_u != 0)
            memcpy(g->U, p->U, (size_t)L * (size_t)d * sizeof *g->U);
        lbh_gemm_tn(L, d, B, inv_rho2, M, w->T, cfg->decay_u, g->U); /* dU = M^T Q / rho^2 + ... */
    }
    for (int j = 0; j < d; j++) {
        if (g->c && cfg->decoder != SGH_BASIC)
            g->c[j] *= inv_rho2;
        if (g->s && cfg->decoder == SGH_SCALED)
            g->s[j] *= inv_rho2;
    }
    if (g->beta && paper)
        prior_gradient(cfg, p, B, w->P, g->beta);
    if (g->log_rho && paper) /* d/d(log rho) of r^2 / (2 rho^2) + d log rho */
        g->log_rho[0] = (float)((double)B * d - 2 * *rec / (rho * rho));
}

double sgh_loss(const sgh_config *cfg, const sgh_params *p, int B, const sgh_batch *w, double rec)
{
    int L = cfg->nbits;
    bool pm1 = cfg->coding == SGH_CODING_PM1;
    double sum = (cfg->latent ? sgh_scale_loss(cfg, cfg->latent, B) : 0) +
                 (cfg->pairs ? sgh_pairs_loss(cfg->pairs, B) : 0);
    for (ptrdiff_t i = 0; i < (ptrdiff_t)B * L; i++) {
        double a = w->A[i], q = w->P[i], beta = p->beta[i % L];
        bool on = w->H[i] > code_lo(cfg);
        if (cfg->objective == SGH_OFFICIAL)
            sum += (double)cfg->alpha * (softplus(a) - (on ? a : 0));
        else
            sum += (double)cfg->kl *
                   (pm1 ? q * a - softplus(a) - beta * (2 * q - 1) + softplus(2 * beta) - beta
                        : q * (a - beta) - softplus(a) + softplus(beta));
    }
    if (cfg->objective == SGH_PAPER) {
        double log_rho = p->log_rho[0];
        return rec * exp(-2 * log_rho) + (double)B * cfg->d * log_rho + sum;
    }
    for (ptrdiff_t i = 0; i < (ptrdiff_t)L * cfg->d; i++) {
        double u = p->U[i], v = p->W[i];
        sum += 0.5 * ((double)cfg->decay_u * u * u + (double)cfg->decay_w * v * v);
    }
    return rec + sum;
}
