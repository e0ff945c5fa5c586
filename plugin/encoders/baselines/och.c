/* och.c: ordinal constraint hashing (Liu, Ji, Wu & Huang, AAAI 2017; IEEE TPAMI 41(4), 2019).
 *
 * Codes shall keep the order of distances to a few anchors: with t(y) = tanh(beta W y), the relaxed
 * code of a row, and s_j = t(y) . t(a_j) / L its similarity to anchor a_j,
 *
 *   min over W W^T = I of  mean over (y, j, k) with ||y - a_j|| < ||y - a_k|| of
 *                          log(1 + exp(gamma (s_k - s_j)))
 *
 * by gradient steps from batches of rows, each followed by a retraction onto the orthonormal matrices
 * (a step of fixed length along the gradient, then QR).
 *
 * Left open by the paper or changed, and taken: anchors are random training rows (the paper: those or
 * centres of clusters); orders are of two anchors against one row instead of two pairs of anchors; a
 * random sample of them a batch; a logistic loss; beta makes the values W y of size 1; step length
 * `rate` times the size of W, falling to 0 on a cosine; the leading max(256, 2 nbits) principal
 * components are learned from, and W starts at the leading nbits of them under a random rotation.
 * More bits than components go in groups of orthonormal rows. */
#include "blas.h"
#include "cpu.h"
#include "linalg.h"
#include "rng.h"
#include "vmath.h"
#include "och.h"

#include <math.h>
#include <string.h>

enum { OPT_STEPS, OPT_BATCH, OPT_ANCHORS, OPT_PAIRS, OPT_GAMMA, OPT_RATE, OPT_MAX_TRAIN };

static const lbh_param params[] = {
    [OPT_STEPS] = {"steps", 2000, 0, 1e8, 1, NULL, "gradient steps"},
    [OPT_BATCH] = {"batch", 256, 1, 65536, 1, NULL, "rows a step"},
    [OPT_ANCHORS] = {"anchors", 300, 2, 10000, 1, NULL, "anchors"},
    [OPT_PAIRS] = {"pairs", 64, 1, 10000, 1, NULL, "pairs of anchors that a row is compared on"},
    [OPT_GAMMA] = {"gamma", 30, 1e-3, 1e4, 0, NULL, "steepness of the loss"},
    [OPT_RATE] = {"rate", 0.02, 0, 10, 0, NULL, "first step length, as a share of the size of W"},
    [OPT_MAX_TRAIN] = {"max_train", 100000, 1, 1e9, 1, NULL, "rows to learn from, at most"},
    {0},
};

static const uint64_t STREAM_ANCHORS = 0x6f6368, STREAM_ROWS = 0x6f6369, STREAM_PAIRS = 0x6f636a,
                      STREAM_START = 0x6f636b;

typedef struct och {
    float *A, *b;
} och;

static int visit(lbh_encoder *self, lbh_visitor *v)
{
    och *s = self->state;
    LBH_TRY(v->tensor(v, "A", &s->A, self->nbits, self->d));
    return v->tensor(v, "b", &s->b, 1, self->nbits);
}

static int allocate(lbh_training *t, och_run *r)
{
    int64_t rows = (int64_t)r->B + r->K;
    r->W = lbh_scratch_f(t, r->L, r->p.r);
    r->G = lbh_scratch_f(t, r->L, r->p.r);
    r->old = lbh_scratch_f(t, r->L, r->p.r);
    r->Y = lbh_scratch_f(t, rows, r->p.r);
    r->T = lbh_scratch_f(t, rows, r->L);
    r->dT = lbh_scratch_f(t, rows, r->L);
    r->D = lbh_scratch_f(t, r->B, r->K);
    r->S = lbh_scratch_f(t, r->B, r->K);
    r->anchor_norm = lbh_scratch_f(t, 1, r->K);
    r->slope = lbh_scratch_f(t, 1, r->K);
    return r->W && r->G && r->old && r->Y && r->T && r->dT && r->D && r->S && r->anchor_norm &&
                   r->slope ? LBH_OK : LBH_ENOMEM;
}

/* Orthonormal rows in groups of r, each pointing the way it did before (QR leaves signs open). */
static int retract(och_run *r)
{
    int L = r->L, d = r->p.r;
    memcpy(r->old, r->W, (size_t)L * (size_t)d * sizeof *r->W);
    for (int k = 0; k < L; k += d)
        LBH_TRY(lbh_orthonormal_rows(L - k < d ? L - k : d, d, r->W + (int64_t)k * d));
    for (int k = 0; k < L; k++) {
        float dot = 0, *w = r->W + (int64_t)k * d;
        for (int j = 0; j < d; j++)
            dot += w[j] * r->old[(int64_t)k * d + j];
        for (int j = 0; j < d && dot < 0; j++)
            w[j] = -w[j];
    }
    return LBH_OK;
}

static int start(lbh_training *t, och_run *r)
{
    int L = r->L, d = r->p.r, lead = L < d ? L : d;
    int64_t *ids = lbh_scratch(t, r->K, sizeof *ids);
    if (!ids)
        return LBH_ENOMEM;
    for (int k = 0; k < L; k++) /* a random rotation of the leading components, group by group */
        lbh_rng_normal(r->seed, STREAM_START + (uint64_t)k * 16, lead, r->W + (int64_t)k * d);
    LBH_TRY(retract(r));
    LBH_TRY(lbh_rng_sample(r->seed, STREAM_ANCHORS, r->p.m, r->K, ids));
    for (int k = 0; k < r->K; k++) {
        float *a = r->Y + ((int64_t)r->B + k) * d;
        memcpy(a, r->p.Y + ids[k] * d, (size_t)d * sizeof *a);
        double sum = 0;
        for (int j = 0; j < d; j++)
            sum += (double)a[j] * (double)a[j];
        r->anchor_norm[k] = (float)sum;
    }
    double square = 0;
    lbh_gemm_nt(r->K, L, d, 1, r->Y + (int64_t)r->B * d, r->W, 0, r->T);
    for (int64_t i = 0; i < (int64_t)r->K * L; i++)
        square += (double)r->T[i] * (double)r->T[i];
    r->beta = square > 0 ? (float)fmin(sqrt((double)r->K * L / square), 1e30) : 1;
    return LBH_OK;
}

LBH_CLONES
static void tanh_all(int64_t n, float scale, float *restrict x)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = 2 * lbh_sigmoid(2 * scale * x[i]) - 1;
}

/* dT becomes d loss / d (W y): dT beta (1 - T^2) */
LBH_CLONES
static void through_tanh(int64_t n, float scale, const float *restrict T, float *restrict dT)
{
    for (int64_t i = 0; i < n; i++)
        dT[i] *= scale * (1 - T[i] * T[i]);
}

/* The loss of row i's pairs of anchors; S becomes its gradient. */
static double row_loss(const och_run *r, int64_t step, int i)
{
    const float *D = r->D + (int64_t)i * r->K;
    float *S = r->S + (int64_t)i * r->K, *slope = r->slope;
    uint64_t first = ((uint64_t)step * (uint64_t)r->B + (uint64_t)i) * (uint64_t)r->pairs * 2;
    double loss = 0, weight = 1 / ((double)r->B * r->pairs);
    memset(slope, 0, (size_t)r->K * sizeof *slope);
    for (int q = 0; q < r->pairs; q++) {
        int64_t j = lbh_rng_below(r->seed, STREAM_PAIRS, first + 2 * (uint64_t)q, r->K);
        int64_t k = lbh_rng_below(r->seed, STREAM_PAIRS, first + 2 * (uint64_t)q + 1, r->K);
        if (D[j] > D[k]) {
            int64_t swap = j;
            j = k;
            k = swap;
        }
        if (D[j] >= D[k])
            continue;
        double e = (double)r->gamma * ((double)S[k] - (double)S[j]);
        loss += weight * (e > 0 ? e + log1p(exp(-e)) : log1p(exp(e)));
        float g = (float)(weight * (double)r->gamma / (1 + exp(-e)));
        slope[k] += g;
        slope[j] -= g;
    }
    memcpy(S, slope, (size_t)r->K * sizeof *slope);
    return loss;
}

double lbh_och_gradient(och_run *r, int64_t step)
{
    int L = r->L, d = r->p.r, B = r->B, K = r->K;
    float *anchors = r->Y + (int64_t)B * d, *Ta = r->T + (int64_t)B * L;
    double loss = 0;
    lbh_gemm_nt(B + K, L, d, 1, r->Y, r->W, 0, r->T);
    tanh_all((int64_t)(B + K) * L, r->beta, r->T);
    lbh_gemm_nt(B, K, d, -2, r->Y, anchors, 0, r->D);
    lbh_gemm_nt(B, K, L, 1 / (float)L, r->T, Ta, 0, r->S);
    for (int i = 0; i < B; i++) {
        for (int k = 0; k < K; k++)
            r->D[(int64_t)i * K + k] += r->anchor_norm[k];
        loss += row_loss(r, step, i);
    }
    lbh_gemm_nn(B, L, K, 1 / (float)L, r->S, Ta, 0, r->dT);
    lbh_gemm_tn(K, L, B, 1 / (float)L, r->S, r->T, 0, r->dT + (int64_t)B * L);
    through_tanh((int64_t)(B + K) * L, r->beta, r->T, r->dT);
    lbh_gemm_tn(L, d, B + K, 1, r->dT, r->Y, 0, r->G);
    return loss;
}

static int take_step(och_run *r, double rate)
{
    int64_t size = (int64_t)r->L * r->p.r;
    double square = 0;
    for (int64_t i = 0; i < size; i++)
        square += (double)r->G[i] * (double)r->G[i];
    if (square <= 0)
        return LBH_OK;
    float scale = (float)(rate * sqrt(r->L / square)); /* ||W|| = sqrt(L) */
    for (int64_t i = 0; i < size; i++)
        r->W[i] -= scale * r->G[i];
    return retract(r);
}

static int train(lbh_encoder *self, lbh_training *t)
{
    och *s = self->state;
    och_run r = {.L = self->nbits, .B = (int)self->value[OPT_BATCH],
             .K = (int)self->value[OPT_ANCHORS], .pairs = (int)self->value[OPT_PAIRS],
             .gamma = (float)self->value[OPT_GAMMA],
             .seed = (uint64_t)self->common[LBH_OPT_SEED]};
    int64_t steps = (int64_t)self->value[OPT_STEPS];
    LBH_TRY(lbh_reduce(t, (int64_t)self->value[OPT_MAX_TRAIN],
                       lbh_space_dimension(LBH_SPACE_LEAST, r.L, self->d), &r.p));
    r.K = r.p.m < r.K ? (int)r.p.m : r.K;
    LBH_TRY(allocate(t, &r));
    LBH_TRY(start(t, &r));
    for (int64_t i = 0; i < steps && !t->stop; i++) {
        for (int k = 0; k < r.B; k++) {
            int64_t row = lbh_rng_below(r.seed, STREAM_ROWS, (uint64_t)(i * r.B + k), r.p.m);
            memcpy(r.Y + (int64_t)k * r.p.r, r.p.Y + row * r.p.r, (size_t)r.p.r * sizeof *r.Y);
        }
        double loss = lbh_och_gradient(&r, i);
        LBH_TRY(take_step(&r, self->value[OPT_RATE] * 0.5 *
                                  (1 + cos(3.14159265358979 * (double)i / (double)steps))));
        LBH_TRY(lbh_report(t, i + 1, steps, loss));
    }
    lbh_reduced_expand(&r.p, r.L, r.W, NULL, s->A, s->b);
    return LBH_OK;
}

static int linear(const lbh_encoder *self, lbh_role role, float *A, float *b)
{
    (void)role;
    const och *s = self->state;
    memcpy(A, s->A, (size_t)self->nbits * (size_t)self->d * sizeof *A);
    memcpy(b, s->b, (size_t)self->nbits * sizeof *b);
    return LBH_OK;
}

const lbh_method lbh_method_och = {
    .name = "och",
    .summary = "ordinal constraint hashing: codes that keep the order of distances to anchors",
    .cite = "Liu, Ji, Wu & Huang, Ordinal constrained binary code learning, AAAI 2017",
    .state_size = sizeof(och),
    .params = params,
    .train = train,
    .visit = visit,
    .linear = linear,
};
