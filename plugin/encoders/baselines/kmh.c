/* kmh.c: k-means hashing (He, Wen & Sun, CVPR 2013).
 *
 * The principal components are dealt out to subspaces of `subbits` bits each; a vector's bits in a
 * subspace are the index of the nearest of its 2^subbits codewords c_i. Codewords are learned so that
 * they quantize well and lie at distances that their indices' Hamming distances tell:
 *
 *   E = sum_i n_i/n ||mean_i - c_i||^2 + lambda sum_ij w_ij (||c_i - c_j|| - s sqrt(h(i, j)))^2,
 *   w_ij = n_i n_j / n^2
 *
 * Left open by the paper or changed, and taken: components are dealt so that the subspaces' products
 * of variances are even (as in the same authors' optimised product quantization); codewords start at
 * the corners of a cube that ITQ turns in the subspace, whose edge is s; E in c_i is lowered by its
 * quadratic majorizer (as in multidimensional scaling), which has a closed form, instead of by a
 * quasi-Newton method; only the leading max(256, 2 nbits) components are used.
 *
 * Bits are not signs of one number here; z_k is the squared distance to the nearest codeword with bit
 * k clear, less that to the nearest one with bit k set. */
#include "blas.h"
#include "linear.h"
#include "itq.h"
#include "space.h"
#include "watch.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { OPT_SUBBITS, OPT_LAMBDA, OPT_ITERATIONS, OPT_MAX_TRAIN };
enum { MAX_SUBBITS = 8, START_ITERATIONS = 20, BLOCK_ROWS = 96, START_ROWS = 5000 };

static const lbh_param params[] = {
    [OPT_SUBBITS] = {"subbits", 4, 1, MAX_SUBBITS, 1, NULL, "bits a subspace"},
    [OPT_LAMBDA] = {"lambda", 10, 0, 1e6, 0, NULL, "weight of the codewords' distances"},
    [OPT_ITERATIONS] = {"iterations", 50, 0, 100000, 1, NULL, "rounds of k-means"},
    [OPT_MAX_TRAIN] = {"max_train", 50000, 1, 1e9, 1, NULL, "rows to learn from, at most"},
    {0},
};

typedef struct kmh {
    float *A, *b;   /* r x d, r: components, subspace after subspace */
    float *codeword; /* row c of subspace s at (first codeword of s + c) * width */
    struct lbh_panels *panels;
} kmh;

/* Shapes, by d, nbits and options alone. */
typedef struct layout {
    int r, nsub, subbits, nbits;
    int width; /* components of the widest subspace */
} layout;

static layout layout_of(const lbh_encoder *self)
{
    layout l = {.nbits = self->nbits, .subbits = (int)self->value[OPT_SUBBITS]};
    l.r = lbh_space_dimension(LBH_SPACE_LEAST, self->nbits, self->d);
    l.nsub = (l.nbits + l.subbits - 1) / l.subbits;
    l.width = (l.r + l.nsub - 1) / l.nsub;
    return l;
}

/* Components, first component, and bits of subspace i; the last one may have fewer bits. */
static int components_of(const layout *l, int i)
{
    return l->r / l->nsub + (i < l->r % l->nsub);
}

static int first_component(const layout *l, int i)
{
    int extra = l->r % l->nsub;
    return i * (l->r / l->nsub) + (i < extra ? i : extra);
}

static int bits_of(const layout *l, int i)
{
    int left = l->nbits - i * l->subbits;
    return left < l->subbits ? left : l->subbits;
}

static int visit(lbh_encoder *self, lbh_visitor *v)
{
    kmh *s = self->state;
    layout l = layout_of(self);
    LBH_TRY(v->tensor(v, "A", &s->A, l.r, self->d));
    LBH_TRY(v->tensor(v, "b", &s->b, 1, l.r));
    return v->tensor(v, "codewords", &s->codeword, (int64_t)l.nsub << l.subbits, l.width);
}

/* Largest variance first, to the subspace with the smallest product so far that has room.
 * place[r]: where each component goes. */
static int deal_components(lbh_training *t, const layout *l, const float *variance, int *place)
{
    double *product = lbh_scratch(t, l->nsub, sizeof *product);
    int *count = lbh_scratch(t, l->nsub, sizeof *count);
    if (!product || !count)
        return LBH_ENOMEM;
    for (int c = 0; c < l->r; c++) {
        int best = -1;
        for (int i = 0; i < l->nsub; i++)
            if (count[i] < components_of(l, i) && (best < 0 || product[i] < product[best]))
                best = i;
        place[c] = first_component(l, best) + count[best]++;
        product[best] += log(fmax((double)variance[c] / (double)variance[0], 1e-12)) + 28;
    }
    return LBH_OK;
}

/* One subspace in training. */
typedef struct subspace {
    int64_t m;
    int d, bits, K;          /* K = 2^bits */
    float *X, *dot, *onehot; /* m x d, m x K, m x K */
    float *C, *mean;         /* K x d */
    double *share;           /* K: n_i / n */
    double s, lambda;
} subspace;

/* Corners of the cube whose axes ITQ finds, at the mean size of the rows along them. */
static int start(lbh_training *t, subspace *u, uint64_t seed)
{
    float *R = lbh_scratch_f(t, u->bits, u->d);
    int64_t m = u->m < START_ROWS ? u->m : START_ROWS;
    if (!R)
        return LBH_ENOMEM;
    LBH_TRY(lbh_itq_learn(t, m, u->d, u->X, u->bits, START_ITERATIONS, seed, 0, R));
    lbh_gemm_nt((int)m, u->bits, u->d, 1, u->X, R, 0, u->dot);
    double size = 0;
    for (int64_t i = 0; i < m * u->bits; i++)
        size += fabs((double)u->dot[i]);
    float half = (float)(size / (double)(m * u->bits));
    u->s = 2 * (double)half;
    for (int i = 0; i < u->K; i++)
        for (int k = 0; k < u->bits; k++)
            for (int j = 0; j < u->d; j++)
                u->C[i * u->d + j] += (i >> k & 1 ? half : -half) * R[k * u->d + j];
    return LBH_OK;
}

static double squared_distance(int d, const float *a, const float *b)
{
    double sum = 0;
    for (int j = 0; j < d; j++)
        sum += ((double)a[j] - (double)b[j]) * ((double)a[j] - (double)b[j]);
    return sum;
}

/* Every row to its nearest codeword; means and shares of the cells. */
static void assign(subspace *u)
{
    static const float zero[1];
    lbh_gemm_nt((int)u->m, u->K, u->d, -2, u->X, u->C, 0, u->dot);
    memset(u->onehot, 0, (size_t)(u->m * u->K) * sizeof *u->onehot);
    memset(u->share, 0, (size_t)u->K * sizeof *u->share);
    double own[1 << MAX_SUBBITS];
    for (int i = 0; i < u->K; i++) {
        own[i] = 0;
        for (int j = 0; j < u->d; j++)
            own[i] += squared_distance(1, &u->C[i * u->d + j], zero);
    }
    for (int64_t row = 0; row < u->m; row++) {
        int best = 0;
        double least = DBL_MAX;
        for (int i = 0; i < u->K; i++) {
            double distance = (double)u->dot[row * u->K + i] + own[i];
            if (distance < least) {
                least = distance;
                best = i;
            }
        }
        u->onehot[row * u->K + best] = 1;
        u->share[best] += 1;
    }
    lbh_gemm_tn(u->K, u->d, (int)u->m, 1, u->onehot, u->X, 0, u->mean);
    for (int i = 0; i < u->K; i++) {
        for (int j = 0; j < u->d; j++)
            u->mean[i * u->d + j] /= u->share[i] > 0 ? (float)u->share[i] : 1;
        u->share[i] /= (double)u->m;
    }
}

/* The minimum of E's majorizer in c_i, the other codewords held: a weighted mean of the cell's mean
 * and of the points at the wanted distance from each c_j, towards the present c_i. */
static void update_codeword(subspace *u, int i, double *next)
{
    double weight = u->share[i];
    float *c = u->C + i * u->d;
    for (int j = 0; j < u->d; j++)
        next[j] = weight * (double)u->mean[i * u->d + j];
    for (int o = 0; o < u->K; o++) {
        double w = 2 * u->lambda * u->share[i] * u->share[o];
        if (o == i || w <= 0)
            continue;
        const float *other = u->C + o * u->d;
        double length = sqrt(squared_distance(u->d, c, other));
        double wanted = u->s * sqrt((double)__builtin_popcount((unsigned)(i ^ o)));
        double stretch = length > 0 ? wanted / length : 0;
        for (int j = 0; j < u->d; j++)
            next[j] += w * ((double)other[j] + stretch * ((double)c[j] - (double)other[j]));
        weight += w;
    }
    for (int j = 0; j < u->d && weight > 0; j++) /* an empty cell's codeword stays */
        c[j] = (float)(next[j] / weight);
}

/* E, for the report. */
static double objective(const subspace *u)
{
    double E = 0;
    for (int i = 0; i < u->K; i++) {
        E += u->share[i] * squared_distance(u->d, u->C + i * u->d, u->mean + i * u->d);
        for (int o = 0; o < u->K; o++) {
            double off = sqrt(squared_distance(u->d, u->C + i * u->d, u->C + o * u->d)) -
                         u->s * sqrt((double)__builtin_popcount((unsigned)(i ^ o)));
            E += u->lambda * u->share[i] * u->share[o] * off * off;
        }
    }
    return E;
}

static int learn_subspaces(lbh_encoder *self, lbh_training *t, const layout *l, subspace *u,
                           const float *Y)
{
    kmh *s = self->state;
    uint64_t seed = (uint64_t)self->common[LBH_OPT_SEED];
    int iterations = (int)self->value[OPT_ITERATIONS];
    int64_t done = 0, all = (int64_t)l->nsub * (iterations + 1);
    double *next = lbh_scratch(t, l->width, sizeof *next);
    if (!next)
        return LBH_ENOMEM;
    for (int i = 0; i < l->nsub; i++) {
        u->d = components_of(l, i);
        u->bits = bits_of(l, i);
        u->K = 1 << u->bits;
        if (!u->d)
            continue; /* fewer components than subspaces: these bits say nothing */
        for (int64_t row = 0; row < u->m; row++)
            memcpy(u->X + row * u->d, Y + row * l->r + first_component(l, i),
                   (size_t)u->d * sizeof *Y);
        memset(u->C, 0, (size_t)(u->K * u->d) * sizeof *u->C);
        LBH_TRY(start(t, u, seed + (uint64_t)i));
        for (int round = 0; round < iterations && !t->stop; round++) {
            assign(u);
            for (int c = 0; c < u->K; c++)
                update_codeword(u, c, next);
            LBH_TRY(lbh_report(t, ++done, all, objective(u)));
        }
        for (int c = 0; c < u->K; c++)
            memcpy(s->codeword + (((int64_t)i << l->subbits) + c) * l->width, u->C + c * u->d,
                   (size_t)u->d * sizeof *u->C);
    }
    return lbh_report(t, all, all, 0);
}

static int train(lbh_encoder *self, lbh_training *t)
{
    kmh *s = self->state;
    layout l = layout_of(self);
    lbh_reduced p;
    LBH_TRY(lbh_reduce(t, (int64_t)self->value[OPT_MAX_TRAIN], l.r, &p));
    int K = 1 << l.subbits;
    subspace u = {.m = p.m, .lambda = self->value[OPT_LAMBDA]};
    int *place = lbh_scratch(t, l.r, sizeof *place);
    float *W = lbh_scratch_f(t, l.r, l.r), *Y = lbh_scratch_f(t, p.m, l.r);
    u.X = lbh_scratch_f(t, p.m, l.width);
    u.dot = lbh_scratch_f(t, p.m, K);
    u.onehot = lbh_scratch_f(t, p.m, K);
    u.C = lbh_scratch_f(t, K, l.width);
    u.mean = lbh_scratch_f(t, K, l.width);
    u.share = lbh_scratch(t, K, sizeof *u.share);
    if (!place || !W || !Y || !u.X || !u.dot || !u.onehot || !u.C || !u.mean || !u.share)
        return LBH_ENOMEM;
    LBH_TRY(deal_components(t, &l, p.variance, place));
    for (int c = 0; c < l.r; c++) {
        W[(int64_t)place[c] * l.r + c] = 1;
        for (int64_t row = 0; row < p.m; row++)
            Y[row * l.r + place[c]] = p.Y[row * l.r + c];
        LBH_TRY(lbh_watch_check());
    }
    lbh_reduced_expand(&p, l.r, W, NULL, s->A, s->b);
    return learn_subspaces(self, t, &l, &u, Y);
}

static int prepare(lbh_encoder *self)
{
    kmh *s = self->state;
    return lbh_panels_new(&s->panels, layout_of(self).r, self->d, s->A, s->b);
}

static void release(lbh_encoder *self)
{
    kmh *s = self->state;
    lbh_panels_free(s->panels);
    s->panels = NULL;
}

/* z of one row's bits in one subspace, from its components y. */
static void subspace_bits(int d, int bits, int width, const float *C, const float *y, float *z)
{
    float clear[MAX_SUBBITS], set[MAX_SUBBITS];
    for (int k = 0; k < bits; k++)
        clear[k] = set[k] = FLT_MAX;
    for (int i = 0; i < 1 << bits; i++) {
        float distance = 0;
        for (int j = 0; j < d; j++) {
            float e = y[j] - C[(int64_t)i * width + j];
            distance += e * e;
        }
        for (int k = 0; k < bits; k++) {
            float *least = i >> k & 1 ? &set[k] : &clear[k];
            *least = distance < *least ? distance : *least;
        }
    }
    for (int k = 0; k < bits; k++)
        z[k] = clear[k] - set[k];
}

static int project(const lbh_encoder *self, lbh_role role, int64_t n, const float *x, float *z)
{
    (void)role;
    const kmh *s = self->state;
    layout l = layout_of(self);
    float *Y = lbh_alloc((int64_t)BLOCK_ROWS * l.r, sizeof *Y);
    if (!Y)
        return LBH_ENOMEM;
    for (int64_t first = 0; first < n; first += BLOCK_ROWS) {
        int rows = n - first < BLOCK_ROWS ? (int)(n - first) : BLOCK_ROWS;
        lbh_panels_apply(s->panels, rows, x + first * self->d, Y);
        for (int k = 0; k < rows; k++)
            for (int i = 0; i < l.nsub; i++)
                subspace_bits(components_of(&l, i), bits_of(&l, i), l.width,
                              s->codeword + ((int64_t)i << l.subbits) * l.width,
                              Y + (int64_t)k * l.r + first_component(&l, i),
                              z + (first + k) * l.nbits + i * l.subbits);
    }
    free(Y);
    return LBH_OK;
}

const lbh_method lbh_method_kmh = {
    .name = "kmh",
    .summary = "k-means hashing: codewords whose indices tell their distances",
    .cite = "He, Wen & Sun, K-means hashing: an affinity-preserving quantization method, CVPR 2013",
    .state_size = sizeof(kmh),
    .params = params,
    .train = train,
    .visit = visit,
    .project = project,
    .prepare = prepare,
    .release = release,
};
