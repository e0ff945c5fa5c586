/* ksh.c: supervised hashing with kernels (Liu, Wang, Ji, Jiang & Chang, CVPR 2012): the inner products
 * of the codes should be +L for rows that share a label and -L for others, greedily bit by bit, on
 * centred Gaussian kernel features K of a sample of l labelled rows.
 *
 *   R_0 = L S,  S = +-1 (l x l);   bit k:  max b^T R_{k-1} b,  b = sign(K a);  R_k = R_{k-1} - b b^T
 *   spectral relaxation: the leading eigenvector of K^T R K a = e K^T K a, scaled to |K a|^2 = l
 *   then ascent on the smoothed objective, b~ = tanh(K a / 2), with steps that grow while it rises
 *
 * The features are whitened once (K^T K = I l by a Cholesky factor with a small ridge), which makes
 * the eigenproblems ordinary and the ascent well conditioned; the paper's start and its rule to keep
 * the better of start and end stay. Rows of several labels are alike if they share one. */
#include "blas.h"
#include "cpu.h"
#include "linalg.h"
#include "vmath.h"
#include "rbf.h"
#include "supervised.h"
#include "watch.h"

#include <lapacke.h>
#include <math.h>
#include <string.h>

enum { OPT_ANCHORS, OPT_WIDTH, OPT_PAIRED, OPT_ASCENT, OPT_RIDGE };

enum { MAX_ANCHORS = 8192, MAX_PAIRED = 20000 };

static const lbh_param params[] = {
    [OPT_ANCHORS] = {"anchors", 300, 1, MAX_ANCHORS, 1, NULL,
                     "kernel centres (fewer if there are fewer rows)"},
    [OPT_WIDTH] = {"width", 1, 1e-3, 1e3, 0, NULL,
                   "kernel exp(-(dist / width)^2), dist in units of the root mean square distance"},
    [OPT_PAIRED] = {"paired", 2000, 2, MAX_PAIRED, 1, NULL,
                    "labelled rows whose pairs are learned from, at most"},
    [OPT_ASCENT] = {"ascent", 60, 0, 100000, 1, NULL, "gradient steps a bit, at most"},
    [OPT_RIDGE] = {"ridge", 1e-5, 1e-12, 1e3, 0, NULL,
                   "ridge of K^T K, as a share of its mean diagonal"},
    {0},
};

typedef struct ksh {
    lbh_rbf rbf;
} ksh;

static int choice(const lbh_encoder *self, int option)
{
    return (int)self->value[option];
}

/* Kernel centres there are. */
static int anchors(const lbh_encoder *self)
{
    return (int)self->settled[OPT_ANCHORS];
}

static int visit(lbh_encoder *self, lbh_visitor *v)
{
    ksh *s = self->state;
    return lbh_rbf_visit(&s->rbf, self, anchors(self), v);
}

/* One training. */
typedef struct run {
    int l, n;          /* rows, anchors */
    float *phi, *mean; /* l x n: whitened features; n */
    double *chol;      /* n x n: upper U of phi^T phi / l = U^T U */
    float *R;          /* l x l */
    double *M, *work;  /* n x n: phi^T R phi; a copy */
    double *vector, *values; /* n: of the eigenproblem */
    float *a, *g, *try; /* n: direction, gradient, candidate */
    float *s, *b, *Rb; /* l: phi a, smoothed or signed bits, R b */
    float *best;       /* n */
} run;

static int take(lbh_training *t, run *r)
{
    int64_t l = r->l, n = r->n;
    r->phi = lbh_scratch_f(t, l, n);
    r->mean = lbh_scratch_f(t, 1, n);
    r->chol = lbh_scratch(t, n * n, sizeof(double));
    r->R = lbh_scratch_f(t, l, l);
    r->M = lbh_scratch(t, n * n, sizeof(double));
    r->work = lbh_scratch(t, n * n, sizeof(double));
    r->vector = lbh_scratch(t, n, sizeof(double));
    r->values = lbh_scratch(t, n, sizeof(double));
    r->a = lbh_scratch_f(t, 1, n);
    r->g = lbh_scratch_f(t, 1, n);
    r->try = lbh_scratch_f(t, 1, n);
    r->best = lbh_scratch_f(t, 1, n);
    r->s = lbh_scratch_f(t, 1, l);
    r->b = lbh_scratch_f(t, 1, l);
    r->Rb = lbh_scratch_f(t, 1, l);
    bool ok = r->phi && r->mean && r->chol && r->R && r->M && r->work && r->vector &&
              r->values && r->a && r->g && r->try &&
              r->best && r->s && r->b && r->Rb;
    return ok ? LBH_OK : LBH_ENOMEM;
}

static int failed(const char *what, int info)
{
    return info == LAPACK_WORK_MEMORY_ERROR || info == LAPACK_TRANSPOSE_MEMORY_ERROR
               ? lbh_error(LBH_ENOMEM, "ksh: out of memory in %s", what)
               : lbh_error(LBH_ENUMERIC, "ksh: %s failed (LAPACK info %d)", what, info);
}

/* phi <- phi U^-1, so that phi^T phi is about l I. */
static int whiten(run *r, double ridge)
{
    int l = r->l, n = r->n;
    double mean = 0;
    float *part = r->R; /* not yet in use; l >= n */
    lbh_gemm_tn(n, n, l, 1.0f / (float)l, r->phi, r->phi, 0, part);
    for (int i = 0; i < n; i++)
        mean += (double)part[(int64_t)i * n + i] / n;
    int info = 0;
    do { /* anchors that are there many times: rounding may take more than the ridge brings */
        for (int64_t i = 0; i < (int64_t)n * n; i++)
            r->chol[i] = part[i];
        for (int i = 0; i < n; i++)
            r->chol[(int64_t)i * n + i] += mean > 1e-12 ? ridge * mean : 1;
#pragma omp parallel
#pragma omp single
        info = LAPACKE_dpotrf(LAPACK_ROW_MAJOR, 'U', n, r->chol, n);
        ridge *= 10;
    } while (info > 0 && ridge < 1);
    if (info)
        return failed("whitening", info);
#pragma omp parallel for schedule(static)
    for (int i = 0; i < l; i++) { /* row y of phi U^-1: y U = phi_i, by substitution */
        float *row = r->phi + (int64_t)i * n;
        for (int j = 0; j < n; j++) {
            float y = (float)((double)row[j] / r->chol[(int64_t)j * n + j]);
            row[j] = y;
            for (int k = j + 1; k < n; k++)
                row[k] -= y * (float)r->chol[(int64_t)j * n + k];
        }
    }
    return LBH_OK;
}

static void similarities(run *r, lbh_training *t, const int64_t *ids, int nbits, float *Y,
                         int nclasses)
{
    int l = r->l;
    lbh_label_matrix(t, l, ids, nclasses, Y);
    lbh_gemm_nt(l, l, nclasses, 1, Y, Y, 0, r->R);
    for (int64_t i = 0; i < (int64_t)l * l; i++)
        r->R[i] = r->R[i] > 0 ? (float)nbits : -(float)nbits;
}

/* M = phi^T R phi, once; later bits take their part off it. */
static int project_residue(run *r, lbh_training *t)
{
    int l = r->l, n = r->n;
    float *T = lbh_scratch_f(t, l, n), *part = lbh_scratch_f(t, n, n);
    if (!T || !part)
        return LBH_ENOMEM;
    lbh_gemm_nn(l, n, l, 1, r->R, r->phi, 0, T);
    lbh_gemm_tn(n, n, l, 1, r->phi, T, 0, part);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++)
            r->M[(int64_t)i * n + j] =
                0.5 * ((double)part[(int64_t)i * n + j] + (double)part[(int64_t)j * n + i]);
    return LBH_OK;
}

/* a: leading eigenvector of M. phi^T phi = l I, so |phi a|^2 = l as it is. */
static int spectral_start(run *r)
{
    int n = r->n;
    double *z = r->vector, *w = r->values;
    lapack_int support[2], found;
    memcpy(r->work, r->M, (size_t)n * (size_t)n * sizeof *r->M);
    int info = 0;
/* inside a parallel region OpenBLAS keeps to one thread: the same bits with any number of them */
#pragma omp parallel
#pragma omp single
    info = LAPACKE_dsyevr(LAPACK_COL_MAJOR, 'V', 'I', 'L', n, r->work, n, 0, 0, n, n, 0, &found, w,
                          z, n, support);
    if (info || found != 1)
        return failed("the spectral relaxation", info);
    int largest = 0;
    for (int i = 1; i < n; i++)
        largest = fabs(z[i]) > fabs(z[largest]) ? i : largest;
    for (int i = 0; i < n; i++) /* of the two, the one whose largest entry is positive */
        r->a[i] = (float)(z[largest] < 0 ? -z[i] : z[i]);
    return LBH_OK;
}

LBH_CLONES
static void squash(int l, const float *restrict s, float *restrict b)
{
    for (int i = 0; i < l; i++)
        b[i] = 2 * lbh_sigmoid(s[i]) - 1;
}

static double quadratic(run *r)
{
    double sum = 0;
    lbh_gemm_nn(r->l, 1, r->l, 1, r->R, r->b, 0, r->Rb);
    for (int i = 0; i < r->l; i++)
        sum += (double)r->b[i] * (double)r->Rb[i];
    return sum;
}

/* b~^T R b~ for direction a; leaves b~ and R b~. */
static double smoothed(run *r, const float *a)
{
    lbh_gemm_nn(r->l, 1, r->n, 1, r->phi, a, 0, r->s);
    squash(r->l, r->s, r->b);
    return quadratic(r);
}

/* b^T R b for the bits of direction a; leaves b and R b. */
static double signed_objective(run *r, const float *a)
{
    lbh_gemm_nn(r->l, 1, r->n, 1, r->phi, a, 0, r->s);
    for (int i = 0; i < r->l; i++)
        r->b[i] = r->s[i] >= 0 ? 1.0f : -1.0f;
    return quadratic(r);
}

/* Direction of ascent at the point that smoothed() was called for last, of length 1. */
static bool gradient(run *r)
{
    double norm = 0;
    for (int i = 0; i < r->l; i++)
        r->s[i] = r->Rb[i] * (1 - r->b[i] * r->b[i]);
    lbh_gemm_tn(r->n, 1, r->l, 1, r->phi, r->s, 0, r->g);
    for (int i = 0; i < r->n; i++)
        norm += (double)r->g[i] * (double)r->g[i];
    for (int i = 0; i < r->n && norm > 0; i++)
        r->g[i] = (float)((double)r->g[i] / sqrt(norm));
    return norm > 0;
}

static void ascend(run *r, int steps)
{
    size_t size = (size_t)r->n * sizeof *r->a;
    float length = 0.5f;
    double here = smoothed(r, r->a);
    bool moving = gradient(r);
    for (int i = 0; i < steps && moving && length > 1e-4f && !lbh_watch_poll(); i++) {
        for (int j = 0; j < r->n; j++)
            r->try[j] = r->a[j] + length * r->g[j];
        double there = smoothed(r, r->try);
        if (there <= here) {
            length *= 0.4f;
            continue;
        }
        memcpy(r->a, r->try, size);
        here = there;
        length *= 1.5f;
        moving = gradient(r);
    }
}

/* R -= b b^T, and M with it. */
static void take_off(run *r)
{
    int l = r->l, n = r->n;
    lbh_gemm_tn(n, 1, l, 1, r->phi, r->b, 0, r->g);
#pragma omp parallel for schedule(static)
    for (int i = 0; i < l; i++)
        for (int j = 0; j < l; j++)
            r->R[(int64_t)i * l + j] -= r->b[i] * r->b[j];
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++)
            r->M[(int64_t)i * n + j] -= (double)r->g[i] * (double)r->g[j];
}

/* W_k = U^-1 a, b_k = -W_k . mean: from centred, whitened features to phi. */
static void write_bit(const run *r, lbh_rbf *rbf, int k)
{
    int n = r->n;
    float *W = rbf->W + (int64_t)k * n;
    double shift = 0;
    for (int i = n - 1; i >= 0; i--) {
        double sum = r->a[i];
        for (int j = i + 1; j < n; j++)
            sum -= r->chol[(int64_t)i * n + j] * (double)W[j];
        W[i] = (float)(sum / r->chol[(int64_t)i * n + i]);
    }
    for (int i = 0; i < n; i++)
        shift += (double)W[i] * (double)r->mean[i];
    rbf->b[k] = (float)-shift;
}

static int greedy(const lbh_encoder *self, lbh_training *t, run *r)
{
    ksh *s = self->state;
    size_t size = (size_t)r->n * sizeof *r->a;
    for (int k = 0; k < self->nbits && !t->stop; k++) {
        LBH_TRY(spectral_start(r));
        memcpy(r->best, r->a, size);
        double start = signed_objective(r, r->a);
        ascend(r, choice(self, OPT_ASCENT));
        double end = signed_objective(r, r->a);
        if (end < start) {
            memcpy(r->a, r->best, size);
            end = signed_objective(r, r->a);
        }
        take_off(r);
        write_bit(r, &s->rbf, k);
        LBH_TRY(lbh_report(t, k + 1, self->nbits, -end / r->l / r->l));
    }
    return LBH_OK;
}

static int train(lbh_encoder *self, lbh_training *t)
{
    ksh *s = self->state;
    lbh_labelled all;
    run r = {0};
    int64_t m, *ids;
    float *X;
    LBH_TRY(lbh_find_labelled(t, 0, &all));
    LBH_TRY(lbh_sample_labelled(t, &all, (int64_t)self->value[OPT_PAIRED], &m, &ids, &X));
    r.l = (int)m;
    r.n = choice(self, OPT_ANCHORS) < r.l ? choice(self, OPT_ANCHORS) : r.l;
    self->settled[OPT_ANCHORS] = r.n;
    LBH_TRY(lbh_visit_allocate(self)); /* anew: the size is known now */
    LBH_TRY(take(t, &r));
    float *Y = lbh_scratch_f(t, r.l, all.nclasses);
    if (!Y)
        return LBH_ENOMEM;
    LBH_TRY(lbh_rbf_start(&s->rbf, m, self->d, X, r.n, self->value[OPT_WIDTH],
                          (uint64_t)self->common[LBH_OPT_SEED]));
    LBH_TRY(lbh_rbf_features(&s->rbf, m, self->d, X, r.n, r.phi, r.mean));
    lbh_centre(m, r.n, r.phi, r.mean);
    LBH_TRY(whiten(&r, self->value[OPT_RIDGE]));
    similarities(&r, t, ids, self->nbits, Y, all.nclasses);
    LBH_TRY(project_residue(&r, t));
    return greedy(self, t, &r);
}

static int project(const lbh_encoder *self, lbh_role role, int64_t n, const float *x, float *z)
{
    (void)role;
    const ksh *s = self->state;
    return lbh_rbf_project(&s->rbf, self, anchors(self), n, x, z);
}

static int prepare(lbh_encoder *self)
{
    ksh *s = self->state;
    return lbh_rbf_prepare(&s->rbf, self, anchors(self));
}

static void release(lbh_encoder *self)
{
    ksh *s = self->state;
    lbh_rbf_release(&s->rbf);
}

const lbh_method lbh_method_ksh = {
    .name = "ksh",
    .summary = "codes whose inner products say whether rows share a label, on kernel features",
    .cite = "Liu, Wang, Ji, Jiang & Chang, Supervised hashing with kernels, CVPR 2012",
    .needs_labels = 1,
    .state_size = sizeof(ksh),
    .params = params,
    .train = train,
    .visit = visit,
    .project = project,
    .prepare = prepare,
    .release = release,
};
