/* sh.c: spectral hashing (Weiss, Torralba & Fergus, NIPS 2008).
 *
 * For data spread evenly over a box along their principal axes, the smoothest codes are signs of the
 * eigenfunctions of the one-dimensional Laplacian
 *
 *   Phi_ij(x) = cos(w_ij (v_i . x - low_i)),   w_ij = j pi / (high_i - low_i),   j = 1, 2, ...
 *
 * of smallest frequency w_ij over all axes i and modes j.
 *
 * Left open by the paper, and taken: low and high are the smallest and the largest value of the
 * training rows along the axis, and as many axes as bits are looked at (both as in the authors'
 * program). The values before the threshold are not the cosine but the triangle wave of the same
 * zeros and signs, plain arithmetic that gives the same bits on every CPU. */
#include "linear.h"
#include "space.h"

#include <math.h>

enum { OPT_MAX_TRAIN };

static const lbh_param params[] = {
    [OPT_MAX_TRAIN] = {"max_train", 100000, 1, 1e9, 1, NULL, "rows to learn from, at most"},
    {0},
};

typedef struct sh {
    float *A, *b; /* phase in half periods: A x + b = j (v_i . x - low_i) / (high_i - low_i) */
    struct lbh_panels *panels;
} sh;

static int visit(lbh_encoder *self, lbh_visitor *v)
{
    sh *s = self->state;
    LBH_TRY(v->tensor(v, "A", &s->A, self->nbits, self->d));
    return v->tensor(v, "b", &s->b, 1, self->nbits);
}

/* The nbits smallest frequencies: every axis offers its next mode, the lowest offer wins.
 * W[nbits * r] and w[nbits] give the phases. */
static void choose_modes(int r, const float *low, const float *range, int *next, int nbits,
                         float *W, float *w)
{
    for (int k = 0; k < nbits; k++) {
        int best = -1;
        for (int i = 0; i < r; i++)
            if (range[i] > 0 &&
                (best < 0 || (float)next[i] * range[best] < (float)next[best] * range[i]))
                best = i;
        if (best < 0)
            return; /* all rows are equal: every code is all ones */
        float frequency = (float)next[best]++ / range[best];
        W[(int64_t)k * r + best] = frequency;
        w[k] = -frequency * low[best];
    }
}

static int train(lbh_encoder *self, lbh_training *t)
{
    sh *s = self->state;
    lbh_reduced p;
    LBH_TRY(lbh_reduce(t, (int64_t)self->value[OPT_MAX_TRAIN], self->nbits, &p));
    float *low = lbh_scratch_f(t, 1, p.r), *range = lbh_scratch_f(t, 1, p.r);
    float *W = lbh_scratch_f(t, self->nbits, p.r), *w = lbh_scratch_f(t, 1, self->nbits);
    int *next = lbh_scratch(t, p.r, sizeof *next);
    if (!low || !range || !next || !W || !w)
        return LBH_ENOMEM;
    for (int i = 0; i < p.r; i++) {
        float high = p.Y[i];
        low[i] = p.Y[i];
        for (int64_t row = 1; row < p.m; row++) {
            low[i] = fminf(low[i], p.Y[row * p.r + i]);
            high = fmaxf(high, p.Y[row * p.r + i]);
        }
        /* what is left of an axis without variance is rounding */
        range[i] = p.variance[i] > 1e-12f * p.variance[0] ? high - low[i] : 0;
        next[i] = 1;
    }
    choose_modes(p.r, low, range, next, self->nbits, W, w);
    lbh_reduced_expand(&p, self->nbits, W, w, s->A, s->b);
    return lbh_report(t, 1, 1, 0);
}

static int prepare(lbh_encoder *self)
{
    sh *s = self->state;
    return lbh_panels_new(&s->panels, self->nbits, self->d, s->A, s->b);
}

static void release(lbh_encoder *self)
{
    sh *s = self->state;
    lbh_panels_free(s->panels);
    s->panels = NULL;
}

/* cos(pi a) and 1 - 2 |a - 2 round(a / 2)| have the same sign and the same zeros. */
static int project(const lbh_encoder *self, lbh_role role, int64_t n, const float *x, float *z)
{
    (void)role;
    const sh *s = self->state;
    lbh_panels_apply(s->panels, n, x, z);
    for (int64_t i = 0; i < n * self->nbits; i++)
        z[i] = 1 - 2 * fabsf(z[i] - 2 * floorf(z[i] * 0.5f + 0.5f));
    return LBH_OK;
}

const lbh_method lbh_method_sh = {
    .name = "sh",
    .summary = "spectral hashing: waves along the principal components",
    .cite = "Weiss, Torralba & Fergus, Spectral hashing, NIPS 2008",
    .state_size = sizeof(sh),
    .params = params,
    .train = train,
    .visit = visit,
    .project = project,
    .prepare = prepare,
    .release = release,
};
