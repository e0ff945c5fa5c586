/* qolsh.c: quantization-optimised LSH (Balu, Furon & Jegou, "Beyond project and sign for cosine
 * estimation with binary codes", ICASSP 2014).
 *
 * A code b in {-1,+1}^L stands for the direction of W^T b, W a random frame (L x d). Where there are
 * more bits than dimensions the signs of W x are not the code whose direction is nearest to x; flips
 * of single bits from there raise the cosine
 *
 *   (x . W^T b) / ||W^T b|| = b.p / sqrt(b^T G b),   p = W x,  G = W W^T
 *
 * until none does. Up to d bits the frame is orthonormal, G = I, and the signs are the best code.
 *
 * Left open by the paper, and taken: beyond d bits the frame is tight, with orthonormal columns; the
 * mean of the training rows is taken off (an option; the paper is about cosines). Values before the
 * threshold are what the flip of a bit would cost, with the bit's sign. */
#include "blas.h"
#include "linalg.h"
#include "linear.h"
#include "rng.h"
#include "method.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { OPT_CENTRE, OPT_MAX_TRAIN };

static const lbh_param params[] = {
    [OPT_CENTRE] = {"centre", 1, 0, 1, 1, NULL, "1: take off the mean of the training rows"},
    [OPT_MAX_TRAIN] = {"max_train", 100000, 1, 1e9, 1, NULL, "rows to take the mean of"},
    {0},
};

typedef struct qolsh {
    float *W, *b; /* p = W x + b */
    struct lbh_panels *panels;
    float *G; /* L x L, where it is not the identity */
} qolsh;

static bool is_linear(const lbh_encoder *self)
{
    return self->nbits <= self->d;
}

static int visit(lbh_encoder *self, lbh_visitor *v)
{
    qolsh *s = self->state;
    LBH_TRY(v->tensor(v, "W", &s->W, self->nbits, self->d));
    return v->tensor(v, "b", &s->b, 1, self->nbits);
}

static int make_frame(lbh_encoder *self, lbh_training *t)
{
    qolsh *s = self->state;
    int d = self->d, L = self->nbits;
    uint64_t seed = (uint64_t)self->common[LBH_OPT_SEED];
    if (L <= d)
        return lbh_random_rotation(L, d, seed, 0, s->W);
    float *columns = lbh_scratch_f(t, d, L);
    if (!columns)
        return LBH_ENOMEM;
    LBH_TRY(lbh_random_rotation(d, L, seed, 0, columns));
    for (int k = 0; k < L; k++)
        for (int j = 0; j < d; j++)
            s->W[(int64_t)k * d + j] = columns[(int64_t)j * L + k];
    return LBH_OK;
}

static int train(lbh_encoder *self, lbh_training *t)
{
    qolsh *s = self->state;
    int64_t m;
    float *X, *mean = lbh_scratch_f(t, 1, self->d);
    if (!mean)
        return LBH_ENOMEM;
    LBH_TRY(make_frame(self, t));
    LBH_TRY(lbh_sample_rows(t, (int64_t)self->value[OPT_MAX_TRAIN], &m, &X));
    lbh_centre(m, self->d, X, mean);
    if (self->value[OPT_CENTRE] != 0)
        lbh_gemm_nt(1, self->nbits, self->d, -1, mean, s->W, 0, s->b);
    return lbh_report(t, 1, 1, 0);
}

static int linear(const lbh_encoder *self, lbh_role role, float *A, float *b)
{
    (void)role;
    const qolsh *s = self->state;
    memcpy(A, s->W, (size_t)self->nbits * (size_t)self->d * sizeof *A);
    memcpy(b, s->b, (size_t)self->nbits * sizeof *b);
    return LBH_OK;
}

static void release(lbh_encoder *self)
{
    qolsh *s = self->state;
    lbh_panels_free(s->panels);
    free(s->G);
    s->panels = NULL;
    s->G = NULL;
}

static int prepare(lbh_encoder *self)
{
    qolsh *s = self->state;
    int d = self->d, L = self->nbits;
    if (is_linear(self))
        return LBH_OK;
    LBH_TRY(lbh_panels_new(&s->panels, L, d, s->W, s->b));
    s->G = lbh_alloc((int64_t)L * L, sizeof *s->G);
    if (!s->G)
        return LBH_ENOMEM;
    for (int i = 0; i < L; i++)
        for (int k = 0; k < L; k++) { /* sums in one order: the same codes on every CPU */
            double sum = 0;
            for (int j = 0; j < d; j++)
                sum += (double)s->W[(int64_t)i * d + j] * (double)s->W[(int64_t)k * d + j];
            s->G[(int64_t)i * L + k] = (float)sum;
        }
    return LBH_OK;
}

/* One row's code: b, g = G b, and the two parts of its cosine. */
typedef struct code {
    int L;
    const float *G, *p;
    float *b, *g;
    float dot, square;
} code;

static float cosine(float dot, float square)
{
    return square > 0 ? dot / sqrtf(square) : 0;
}

static float cosine_after_flip(const code *c, int k)
{
    float own = c->G[(int64_t)k * c->L + k];
    return cosine(c->dot - 2 * c->b[k] * c->p[k], c->square - 4 * c->b[k] * c->g[k] + 4 * own);
}

static void flip(code *c, int k)
{
    const float *row = c->G + (int64_t)k * c->L;
    float b = c->b[k];
    c->dot -= 2 * b * c->p[k];
    c->square += 4 * row[k] - 4 * b * c->g[k];
    for (int j = 0; j < c->L; j++)
        c->g[j] -= 2 * b * row[j];
    c->b[k] = -b;
}

static void start(code *c)
{
    c->dot = c->square = 0;
    memset(c->g, 0, (size_t)c->L * sizeof *c->g);
    for (int k = 0; k < c->L; k++) {
        c->b[k] = c->p[k] >= 0 ? 1.0f : -1.0f;
        c->dot += c->b[k] * c->p[k];
        for (int j = 0; j < c->L; j++)
            c->g[j] += c->b[k] * c->G[(int64_t)k * c->L + j];
    }
    for (int k = 0; k < c->L; k++)
        c->square += c->b[k] * c->g[k];
}

/* Takes the best flip while there is one; z_k = b_k times what a flip would cost. */
static void search(code *c, float *z)
{
    start(c);
    for (int round = 0; round < 4 * c->L; round++) {
        float best = cosine(c->dot, c->square) * (1 + 4 * FLT_EPSILON);
        int which = -1;
        for (int k = 0; k < c->L; k++) {
            float value = cosine_after_flip(c, k);
            if (value > best) {
                best = value;
                which = k;
            }
        }
        if (which < 0)
            break;
        flip(c, which);
    }
    float now = cosine(c->dot, c->square);
    for (int k = 0; k < c->L; k++)
        z[k] = c->b[k] * fmaxf(now - cosine_after_flip(c, k), FLT_MIN);
}

static int project(const lbh_encoder *self, lbh_role role, int64_t n, const float *x, float *z)
{
    (void)role;
    const qolsh *s = self->state;
    int L = self->nbits;
    float *room = lbh_alloc(3 * (int64_t)L, sizeof *room);
    if (!room)
        return LBH_ENOMEM;
    code c = {.L = L, .G = s->G, .p = room, .b = room + L, .g = room + 2 * L};
    lbh_panels_apply(s->panels, n, x, z);
    for (int64_t i = 0; i < n; i++) {
        memcpy(room, z + i * L, (size_t)L * sizeof *room);
        search(&c, z + i * L);
    }
    free(room);
    return LBH_OK;
}

const lbh_method lbh_method_qolsh = {
    .name = "qolsh",
    .summary = "random frame, codes searched for the direction nearest to the vector",
    .cite = "Balu, Furon & Jegou, Beyond project and sign for cosine estimation, ICASSP 2014",
    .state_size = sizeof(qolsh),
    .params = params,
    .train = train,
    .visit = visit,
    .linear = linear,
    .project = project,
    .is_linear = is_linear,
    .prepare = prepare,
    .release = release,
};
