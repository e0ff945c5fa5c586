/* sdh.c: supervised discrete hashing (Shen, Shen, Liu & Shen, CVPR 2015): codes from which a linear
 * classifier tells the labels, found without relaxing them, on Gaussian kernel features phi.
 *
 *   min  ||Y - B W||^2 + lambda ||W||^2 + nu ||B - phi P||^2,   B in {-1, +1}^(m x L)
 *   W = (B^T B + lambda I)^-1 B^T Y
 *   B by discrete cyclic coordinate descent: b_k = sign(q_k - B_{/k} W_{/k} w_k^T),
 *       Q = Y W^T + nu phi P, until no bit changes; rows are independent of each other
 *   P = (phi^T phi)^-1 phi^T B;   bit_k = [ (phi P)_k >= 0 ]
 *
 * As in the authors' program the features get a constant one (here: they are centred). Y is the 0/1
 * label matrix, with several ones a row where there are several labels. The kernel's width is set
 * from the data; phi^T phi gets a small ridge, because anchors may be close to each other. */
#include "blas.h"
#include "linalg.h"
#include "rng.h"
#include "rbf.h"
#include "supervised.h"
#include "watch.h"

#include <string.h>

enum {
    OPT_ANCHORS,
    OPT_WIDTH,
    OPT_LAMBDA,
    OPT_NU,
    OPT_ITERATIONS,
    OPT_SWEEPS,
    OPT_RIDGE,
    OPT_CLASSES,
    OPT_MAX_TRAIN,
};

enum { MAX_ANCHORS = 16384, CHUNK = 4096, STREAM_CODES = 1 };

static const lbh_param params[] = {
    [OPT_ANCHORS] = {"anchors", 1000, 1, MAX_ANCHORS, 1, NULL,
                     "kernel centres (fewer if there are fewer rows)"},
    [OPT_WIDTH] = {"width", 0.6, 1e-3, 1e3, 0, NULL,
                   "kernel exp(-(dist / width)^2), dist in units of the root mean square distance"},
    [OPT_LAMBDA] = {"lambda", 1, 0, 1e9, 0, NULL, "weight of ||W||^2"},
    [OPT_NU] = {"nu", 1e-5, 0, 1e9, 0, NULL, "weight of ||B - phi P||^2"},
    [OPT_ITERATIONS] = {"iterations", 5, 1, 10000, 1, NULL, "rounds over W, B and P"},
    [OPT_SWEEPS] = {"sweeps", 10, 1, 10000, 1, NULL, "sweeps over the bits a round, at most"},
    [OPT_RIDGE] = {"ridge", 1e-5, 1e-12, 1e3, 0, NULL,
                   "ridge of phi^T phi, as a share of its mean diagonal"},
    [OPT_CLASSES] = {"classes", 0, 0, LBH_MAX_CLASSES, 1, NULL,
                     "number of classes; 0: from the labels"},
    [OPT_MAX_TRAIN] = {"max_train", 60000, 1, 1e9, 1, NULL, "rows to learn from, at most"},
    {0},
};

typedef struct sdh {
    lbh_rbf rbf;
    float *V, *v; /* the classifier on codes of 0/1 */
    float *multi; /* 1: several labels a row */
} sdh;

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
    sdh *s = self->state;
    LBH_TRY(lbh_rbf_visit(&s->rbf, self, anchors(self), v));
    LBH_TRY(v->tensor(v, "V", &s->V, (int)self->settled[OPT_CLASSES], self->nbits));
    LBH_TRY(v->tensor(v, "v", &s->v, 1, (int)self->settled[OPT_CLASSES]));
    return v->tensor(v, "multi", &s->multi, 1, 1);
}

/* One training. */
typedef struct run {
    int64_t m;
    int L, K, n; /* n anchors */
    float *phi, *mean; /* m x n, centred; n */
    float *Y, *B, *F;  /* m x K, m x L, m x L: labels, codes, phi P */
    float *W, *P;      /* L x K, L x n (a row a bit) */
    float *Q, *G;      /* m x L; L x L: W W^T */
    float *part;       /* n x n floats */
    double *gram, *gram_copy, *rhs; /* n x n, n x n, the larger of n x L and L x K */
    double *small;                  /* L x L */
} run;

static int take(lbh_training *t, run *r)
{
    int64_t m = r->m, L = r->L, K = r->K, n = r->n, wide = n > L ? n : L, high = n > K ? n : K;
    r->phi = lbh_scratch_f(t, m, n);
    r->mean = lbh_scratch_f(t, 1, n);
    r->Y = lbh_scratch_f(t, m, K);
    r->B = lbh_scratch_f(t, m, L);
    r->F = lbh_scratch_f(t, m, L);
    r->W = lbh_scratch_f(t, L, K);
    r->P = lbh_scratch_f(t, L, n);
    r->Q = lbh_scratch_f(t, m, L);
    r->G = lbh_scratch_f(t, L, L);
    r->part = lbh_scratch_f(t, wide, wide > high ? wide : high);
    r->gram = lbh_scratch(t, n * n, sizeof(double));
    r->gram_copy = lbh_scratch(t, n * n, sizeof(double));
    r->rhs = lbh_scratch(t, high * L, sizeof(double));
    r->small = lbh_scratch(t, L * L, sizeof(double));
    bool ok = r->phi && r->mean && r->Y && r->B && r->F && r->W && r->P && r->Q && r->G &&
              r->part && r->gram && r->gram_copy && r->rhs && r->small;
    return ok ? LBH_OK : LBH_ENOMEM;
}

/* C[p * q] = A^T B over m rows, in double sums of chunks. */
static void inner(const run *r, int p, int q, const float *A, const float *B, double *C)
{
    memset(C, 0, (size_t)p * (size_t)q * sizeof *C);
    for (int64_t i = 0; i < r->m && !lbh_watch_poll(); i += CHUNK) { /* lbh_solve_spd says so */
        int rows = r->m - i < CHUNK ? (int)(r->m - i) : CHUNK;
        lbh_gemm_tn(p, q, rows, 1, A + i * p, B + i * q, 0, r->part);
        for (int64_t k = 0; k < (int64_t)p * q; k++)
            C[k] += (double)r->part[k];
    }
}

/* W: ridge regression of the labels on the codes. */
static int fit_classifier(run *r, double lambda)
{
    int L = r->L, K = r->K;
    inner(r, L, L, r->B, r->B, r->small);
    inner(r, L, K, r->B, r->Y, r->rhs);
    /* equal columns of B make B^T B singular where lambda is 0 */
    LBH_TRY(lbh_solve_spd(L, K, r->small, lambda + 1e-6 * (double)r->m, r->rhs));
    for (int64_t i = 0; i < (int64_t)L * K; i++)
        r->W[i] = (float)r->rhs[i];
    return LBH_OK;
}

/* Coordinate descent on the bits of one row. */
static void settle_row(int L, int sweeps, const float *Q, const float *G, float *B)
{
    for (int sweep = 0, changed = 1; changed && sweep < sweeps; sweep++) {
        changed = 0;
        for (int k = 0; k < L; k++) {
            const float *g = G + (int64_t)k * L;
            float sum = 0;
            for (int j = 0; j < L; j++)
                sum += B[j] * g[j];
            float bit = Q[k] - (sum - B[k] * g[k]) >= 0 ? 1.0f : -1.0f;
            changed |= bit != B[k];
            B[k] = bit;
        }
    }
}

static int settle_codes(run *r, double nu, int sweeps)
{
    int L = r->L, K = r->K;
    int64_t m = r->m;
    lbh_gemm_nt(L, L, K, 1, r->W, r->W, 0, r->G);
    memcpy(r->Q, r->F, (size_t)m * (size_t)L * sizeof *r->Q);
    lbh_gemm_nt((int)m, L, K, 1, r->Y, r->W, (float)nu, r->Q);
    bool stop = false;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < m; i++)
        if (!lbh_watch_stopped(&stop))
            settle_row(L, sweeps, r->Q + i * L, r->G, r->B + i * L);
    return lbh_watch_check();
}

/* P: regression of the codes on the features; F = phi P. Where rows are there many times, so are anchors,
 * and rounding may leave phi^T phi with eigenvalues below -ridge: then the ridge grows. */
static int fit_features(run *r, double ridge)
{
    int L = r->L, n = r->n, rc;
    double mean = 0;
    for (int i = 0; i < n; i++)
        mean += r->gram[(int64_t)i * n + i] / n;
    do {
        memcpy(r->gram_copy, r->gram, (size_t)n * (size_t)n * sizeof *r->gram);
        inner(r, n, L, r->phi, r->B, r->rhs);
        rc = lbh_solve_spd(n, L, r->gram_copy, mean > 0 ? ridge * mean : 1, r->rhs);
        ridge *= 10;
    } while (rc == LBH_ENUMERIC && ridge < 1);
    LBH_TRY(rc);
    for (int k = 0; k < L; k++)
        for (int i = 0; i < n; i++)
            r->P[(int64_t)k * n + i] = (float)r->rhs[(int64_t)i * L + k];
    lbh_gemm_nt((int)r->m, L, n, 1, r->phi, r->P, 0, r->F);
    return LBH_OK;
}

static double loss(const run *r)
{
    double wrong = 0;
    for (int64_t i = 0; i < r->m * r->L; i++)
        wrong += (r->F[i] >= 0) != (r->B[i] > 0);
    return wrong / (double)r->m; /* bits a row that the features do not predict */
}

static int alternate(const lbh_encoder *self, lbh_training *t, run *r)
{
    int rounds = choice(self, OPT_ITERATIONS);
    int64_t size = r->m * r->L;
    lbh_rng_uniform((uint64_t)self->common[LBH_OPT_SEED], STREAM_CODES, 0, size, r->B);
    for (int64_t i = 0; i < size; i++)
        r->B[i] = r->B[i] < 0.5f ? -1.0f : 1.0f;
    inner(r, r->n, r->n, r->phi, r->phi, r->gram);
    LBH_TRY(fit_features(r, self->value[OPT_RIDGE]));
    for (int i = 0; i < rounds && !t->stop; i++) {
        LBH_TRY(fit_classifier(r, self->value[OPT_LAMBDA]));
        LBH_TRY(settle_codes(r, self->value[OPT_NU], choice(self, OPT_SWEEPS)));
        LBH_TRY(fit_features(r, self->value[OPT_RIDGE]));
        LBH_TRY(lbh_report(t, i + 1, rounds, loss(r)));
    }
    return fit_classifier(r, self->value[OPT_LAMBDA]);
}

/* The tensors: features are no longer centred, codes are 0/1. */
static void hand_over(const lbh_encoder *self, const run *r, bool multi)
{
    sdh *s = self->state;
    int L = r->L, K = r->K, n = r->n;
    memcpy(s->rbf.W, r->P, (size_t)L * (size_t)n * sizeof *r->P);
    for (int k = 0; k < L; k++) {
        double shift = 0;
        for (int i = 0; i < n; i++)
            shift += (double)r->P[(int64_t)k * n + i] * (double)r->mean[i];
        s->rbf.b[k] = (float)-shift;
    }
    for (int c = 0; c < K; c++) {
        double sum = multi ? -0.5 : 0; /* labels are 0/1: the middle is where the score is 0 */
        for (int k = 0; k < L; k++) {
            float w = r->W[(int64_t)k * K + c];
            s->V[(int64_t)c * L + k] = 2 * w;
            sum -= (double)w;
        }
        s->v[c] = (float)sum;
    }
    s->multi[0] = multi;
}

static int train(lbh_encoder *self, lbh_training *t)
{
    sdh *s = self->state;
    lbh_labelled all;
    run r = {.L = self->nbits, .n = choice(self, OPT_ANCHORS)};
    int64_t *ids;
    float *X;
    LBH_TRY(lbh_find_labelled(t, choice(self, OPT_CLASSES), &all));
    LBH_TRY(lbh_sample_labelled(t, &all, (int64_t)self->value[OPT_MAX_TRAIN], &r.m, &ids, &X));
    r.n = r.m < r.n ? (int)r.m : r.n;
    r.K = all.nclasses;
    self->settled[OPT_ANCHORS] = r.n;
    self->settled[OPT_CLASSES] = r.K;
    LBH_TRY(lbh_visit_allocate(self)); /* anew: the sizes are known now */
    LBH_TRY(take(t, &r));
    LBH_TRY(lbh_rbf_start(&s->rbf, r.m, self->d, X, r.n, self->value[OPT_WIDTH],
                          (uint64_t)self->common[LBH_OPT_SEED]));
    LBH_TRY(lbh_rbf_features(&s->rbf, r.m, self->d, X, r.n, r.phi, r.mean));
    lbh_centre(r.m, r.n, r.phi, r.mean);
    lbh_label_matrix(t, r.m, ids, r.K, r.Y);
    LBH_TRY(alternate(self, t, &r));
    hand_over(self, &r, all.several);
    return LBH_OK;
}

static int project(const lbh_encoder *self, lbh_role role, int64_t n, const float *x, float *z)
{
    (void)role;
    const sdh *s = self->state;
    return lbh_rbf_project(&s->rbf, self, anchors(self), n, x, z);
}

static int prepare(lbh_encoder *self)
{
    sdh *s = self->state;
    return lbh_rbf_prepare(&s->rbf, self, anchors(self));
}

static void release(lbh_encoder *self)
{
    sdh *s = self->state;
    lbh_rbf_release(&s->rbf);
}

static lbh_classifier classifier(const lbh_encoder *self)
{
    const sdh *s = self->state;
    return (lbh_classifier){s->V, s->v, (int)self->settled[OPT_CLASSES], s->multi[0] > 0};
}

const lbh_method lbh_method_sdh = {
    .name = "sdh",
    .summary = "discrete codes from which a linear classifier tells the labels, on kernel features",
    .cite = "Shen, Shen, Liu & Shen, Supervised discrete hashing, CVPR 2015",
    .needs_labels = 1,
    .state_size = sizeof(sdh),
    .params = params,
    .train = train,
    .visit = visit,
    .project = project,
    .classifier = classifier,
    .prepare = prepare,
    .release = release,
};
