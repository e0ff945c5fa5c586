/* jmlh_step.c: see jmlh_step.h. The matrix products are those of core/mlp; the passes between them go
 * row by row, and the loss is summed in the order of the rows, so nothing depends on the threads. */
#include "jmlh_step.h"

#include "cpu.h"
#include "vmath.h"

#include <math.h>
#include <stddef.h>

/* log(1 + e^a) = max(a, 0) + 2 artanh(s), s = t / (2 + t) <= 1/3, t = e^-|a|: plain arithmetic, so
 * that loops over it vectorise. */
static inline float softplus(float a)
{
    float t = lbh_expf(-fabsf(a)), s = t / (2 + t), q = s * s;
    float p = 1.0f / 13;
    p = p * q + 1.0f / 11;
    p = p * q + 1.0f / 9;
    p = p * q + 1.0f / 7;
    p = p * q + 1.0f / 5;
    p = p * q + 1.0f / 3;
    p = p * q + 1.0f;
    return (a > 0 ? a : 0) + 2 * s * p;
}

/* P and H of one row. */
LBH_CLONES
static void neurons(int L, bool relaxed, const float *restrict A, const float *restrict noise,
                    float *restrict P, float *restrict H)
{
    for (int k = 0; k < L; k++)
        P[k] = lbh_sigmoid(A[k]);
    if (relaxed)
        for (int k = 0; k < L; k++)
            H[k] = P[k];
    else if (noise)
        for (int k = 0; k < L; k++)
            H[k] = P[k] > noise[k] ? 1.0f : 0.0f;
    else /* decided on the logit: sigma rounds to 1/2 around 0 */
        for (int k = 0; k < L; k++)
            H[k] = A[k] > 0 ? 1.0f : 0.0f;
}

/* log sum exp of C[K] */
LBH_CLONES
static float log_sum_exp(int K, const float *C)
{
    float top = C[0], sum = 0;
    for (int c = 1; c < K; c++)
        top = C[c] > top ? C[c] : top;
    for (int c = 0; c < K; c++)
        sum += lbh_expf(C[c] - top);
    return top + logf(sum);
}

LBH_CLONES
static float sum_softplus(int K, const float *C)
{
    float sum = 0;
    for (int c = 0; c < K; c++)
        sum += softplus(C[c]);
    return sum;
}

/* The part of softmax and sigmoid losses that is not linear in C. */
static float curved(jmlh_loss loss, int K, const float *C)
{
    return loss == JMLH_SOFTMAX ? log_sum_exp(K, C) : sum_softplus(K, C);
}

/* D = d(loss)/dC / B of one row; returns the loss. */
LBH_CLONES
static double output_row(jmlh_loss loss, int K, float inv_B, const float *restrict C,
                         const float *restrict y, float *restrict D)
{
    double sum = 0;
    if (loss == JMLH_SQUARES) {
        for (int c = 0; c < K; c++) {
            float r = C[c] - y[c];
            D[c] = r * inv_B;
            sum += 0.5 * (double)r * (double)r;
        }
        return sum;
    }
    float all = curved(loss, K, C);
    for (int c = 0; c < K; c++) {
        float q = loss == JMLH_SOFTMAX ? lbh_expf(C[c] - all) : lbh_sigmoid(C[c]);
        D[c] = (q - y[c]) * inv_B;
        sum -= (double)y[c] * (double)C[c];
    }
    return sum + (double)all;
}

/* G_k = (loss with bit k on, less loss with it off) / B of one row. `other` is K floats. */
static void exact_row(jmlh_loss loss, int L, int K, float inv_B, const float *H, const float *C,
                      const float *y, const float *Vt, float *other, float *G)
{
    float here = curved(loss, K, C);
    for (int k = 0; k < L; k++) {
        const float *V = Vt + (ptrdiff_t)k * K;
        float flip = 1 - 2 * H[k], linear = 0;
        for (int c = 0; c < K; c++) {
            other[c] = C[c] + flip * V[c];
            linear += y[c] * V[c];
        }
        G[k] = (flip * (curved(loss, K, other) - here) - linear) * inv_B;
    }
}

/* D = gradient by the logits of one row; returns the row's regularisers. */
LBH_CLONES
static double logits_row(const jmlh_config *cfg, int L, float inv_B, const float *restrict A,
                         const float *restrict P, const float *restrict H,
                         const float *restrict G, float *restrict D)
{
    const float log2 = 0.693147181f;
    float lambda = cfg->lambda, penalty = cfg->penalty, kl = 0, gap2 = 0;
    bool straight = cfg->estimator == JMLH_STRAIGHT && !cfg->relaxed;
    for (int k = 0; k < L; k++) {
        float slope = P[k] * (1 - P[k]), gap = P[k] - H[k];
        float own = (lambda * A[k] + 2 * penalty * gap) * inv_B;
        D[k] = straight ? G[k] + slope * own : slope * (G[k] + own);
        kl += P[k] * A[k] - softplus(A[k]) + log2;
        gap2 += gap * gap;
    }
    return (double)(lambda * kl) + (double)(penalty * gap2);
}

static void transpose_head(const lbh_mlp *head, float *Vt)
{
    int L = head->size[0], K = head->size[1];
    for (int c = 0; c < K; c++)
        for (int k = 0; k < L; k++)
            Vt[(ptrdiff_t)k * K + c] = head->W[0][(ptrdiff_t)c * L + k];
}

double jmlh_gradients(const jmlh_config *cfg, const lbh_mlp *encoder, const lbh_mlp *head, int B,
                      const float *X, const float *y, const float *noise, const jmlh_batch *w,
                      const lbh_mlp *genc, const lbh_mlp *ghead)
{
    int L = head->size[0], K = head->size[head->nlayers];
    const float *A = w->encoder.Y[encoder->nlayers - 1], *C = w->head.Y[head->nlayers - 1];
    float *dA = w->encoder.D[encoder->nlayers - 1], *dC = w->head.D[head->nlayers - 1];
    float inv_B = 1.0f / (float)B;
    bool exact = cfg->estimator == JMLH_EXACT && !cfg->relaxed;

    lbh_mlp_forward(encoder, B, X, &w->encoder);
#pragma omp parallel for schedule(static)
    for (int i = 0; i < B; i++) {
        ptrdiff_t at = (ptrdiff_t)i * L;
        neurons(L, cfg->relaxed, A + at, noise ? noise + at : NULL, w->P + at, w->H + at);
    }
    lbh_mlp_forward(head, B, w->H, &w->head);
    if (exact)
        transpose_head(head, w->Vt);
#pragma omp parallel for schedule(static)
    for (int i = 0; i < B; i++) {
        ptrdiff_t l = (ptrdiff_t)i * L, k = (ptrdiff_t)i * K;
        w->loss[i] = output_row(cfg->loss, K, inv_B, C + k, y + k, dC + k);
        if (exact)
            exact_row(cfg->loss, L, K, inv_B, w->H + l, C + k, y + k, w->Vt, w->other + k,
                      w->G + l);
    }
    lbh_mlp_backward(head, B, w->H, &w->head, ghead, exact ? NULL : w->G);
#pragma omp parallel for schedule(static)
    for (int i = 0; i < B; i++) {
        ptrdiff_t at = (ptrdiff_t)i * L;
        w->loss[i] += logits_row(cfg, L, inv_B, A + at, w->P + at, w->H + at, w->G + at, dA + at);
    }
    lbh_mlp_backward(encoder, B, X, &w->encoder, genc, NULL);
    double J = 0;
    for (int i = 0; i < B; i++)
        J += w->loss[i];
    return J / B;
}
