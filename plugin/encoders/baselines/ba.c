/* ba.c: binary autoencoder by auxiliary coordinates (Carreira-Perpinan & Raziperchikolaei, CVPR 2015).
 *
 *   min over h, f, Z of  sum_n ||x_n - f(z_n)||^2 + mu ||z_n - h(x_n)||^2,   z_n in {0,1}^L
 *
 * h(x) = [W x + w >= 0] is linear with a threshold, f is linear. For a growing mu, in turn: f by least
 * squares, h by one support vector machine a bit, each z_n by descent over single bits. It ends when
 * Z = h(X).
 *
 * Left open by the paper or changed, and taken: Z starts at the bits of ITQ (the paper: of PCA); the
 * machines have the squared hinge loss, so that all bits are learned by a few products of matrices
 * (each step is the least-squares problem of a quadratic majorizer of the loss); mu = mu_start *
 * mu_factor^i; the leading max(256, 2 nbits) principal components are learned from. */
#include "blas.h"
#include "linalg.h"
#include "map_codes.h"
#include "itq.h"
#include "space.h"
#include "watch.h"

#include <omp.h>
#include <string.h>

enum { OPT_MU_START, OPT_MU_FACTOR, OPT_ITERATIONS, OPT_SVM_ITERATIONS, OPT_RIDGE, OPT_MAX_TRAIN };
enum { ITQ_ITERATIONS = 50 };

static const lbh_param params[] = {
    [OPT_MU_START] = {"mu_start", 0.05, 1e-9, 1e9, 0, NULL, "first weight of ||z - h(x)||^2"},
    [OPT_MU_FACTOR] = {"mu_factor", 1.5, 1.0001, 1000, 0, NULL, "its growth from round to round"},
    [OPT_ITERATIONS] = {"iterations", 20, 1, 100000, 1, NULL, "rounds, at most"},
    [OPT_SVM_ITERATIONS] = {"svm_iterations", 10, 1, 10000, 1, NULL,
                            "steps of the support vector machines a round"},
    [OPT_RIDGE] = {"ridge", 1e-4, 0, 1e6, 0, NULL,
                   "their regulariser, times the number of rows"},
    [OPT_MAX_TRAIN] = {"max_train", 50000, 1, 1e9, 1, NULL, "rows to learn from, at most"},
    {0},
};

typedef struct ba {
    float *A, *b; /* h */
    float *U, *c; /* f, for codes of 0 and 1 */
} ba;

static int visit(lbh_encoder *self, lbh_visitor *v)
{
    ba *s = self->state;
    LBH_TRY(v->tensor(v, "A", &s->A, self->nbits, self->d));
    LBH_TRY(v->tensor(v, "b", &s->b, 1, self->nbits));
    LBH_TRY(v->tensor(v, "U", &s->U, self->nbits, self->d));
    return v->tensor(v, "c", &s->c, 1, self->d);
}

/* One training, in centred components y; codes b are of -1 and +1, y^ = b V + c. */
typedef struct run {
    lbh_reduced p;
    int L;
    float *Z;          /* m x (L + 1): codes, and a column of 1 */
    float *F, *T;      /* m x L: values W y + w; targets of the machines, or P of the searches */
    float *Wt, *w;     /* r x L, L */
    float *V;          /* (L + 1) x r: the last row is c */
    char *scratch;     /* of the searches: `share` bytes a thread */
    size_t share;
} run;

static int allocate(lbh_training *t, run *r, int L)
{
    int64_t m = r->p.m;
    r->L = L;
    r->share = (lbh_map_scratch(L) + (size_t)L * sizeof(float) + 127) / 64 * 64;
    r->Z = lbh_scratch_f(t, m, L + 1);
    r->F = lbh_scratch_f(t, m, L);
    r->T = lbh_scratch_f(t, m, L);
    r->Wt = lbh_scratch_f(t, r->p.r, L);
    r->w = lbh_scratch_f(t, 1, L);
    r->V = lbh_scratch_f(t, L + 1, r->p.r);
    r->scratch = lbh_scratch(t, omp_get_max_threads(), r->share);
    return r->Z && r->F && r->T && r->Wt && r->w && r->V && r->scratch ? LBH_OK : LBH_ENOMEM;
}

/* F = W y + w */
static void values(run *r)
{
    for (int64_t i = 0; i < r->p.m; i++)
        memcpy(r->F + i * r->L, r->w, (size_t)r->L * sizeof *r->w);
    lbh_gemm_nn((int)r->p.m, r->L, r->p.r, 1, r->p.Y, r->Wt, 1, r->F);
}

/* Z = h(Y) */
static void take_codes(run *r)
{
    for (int64_t i = 0; i < r->p.m; i++) {
        for (int k = 0; k < r->L; k++)
            r->Z[i * (r->L + 1) + k] = r->F[i * r->L + k] >= 0 ? 1.0f : -1.0f;
        r->Z[i * (r->L + 1) + r->L] = 1;
    }
}

/* One step of all machines, min over W, w of sum max(0, 1 - b f)^2 + ridge ||W||^2: where b f >= 1 the
 * target is f itself, elsewhere b; then least squares. Y has mean 0, so that w = mean of the
 * targets. */
static int step_machines(run *r, double ridge)
{
    int L = r->L;
    for (int k = 0; k < L; k++) {
        double sum = 0;
        for (int64_t i = 0; i < r->p.m; i++) {
            float b = r->Z[i * (L + 1) + k], f = r->F[i * L + k];
            sum += (double)(r->T[i * L + k] = b * f >= 1 ? f : b);
        }
        r->w[k] = (float)(sum / (double)r->p.m);
    }
    LBH_TRY(lbh_least_squares(r->p.m, r->p.r, L, r->p.Y, r->T, ridge, r->Wt));
    values(r);
    return LBH_OK;
}

/* h: the machines for the codes Z, from where they stand. */
static int fit_hash(run *r, int iterations, double ridge)
{
    for (int i = 0; i < iterations; i++)
        LBH_TRY(step_machines(r, ridge));
    return LBH_OK;
}

/* f by least squares; a small ridge for bits that are alike. */
static int fit_decoder(run *r)
{
    return lbh_least_squares(r->p.m, r->L + 1, r->p.r, r->Z, r->p.Y, 1e-6, r->V);
}

/* Z: each row's code by descent on ||y - y^||^2 + mu/4 ||b - sign F||^2, whose second part adds
 * mu/4 sign F to p. *changed: how many bits are not h's in the end. */
static int search_codes(run *r, double mu, int64_t *changed)
{
    int L = r->L, d = r->p.r;
    const float *c = r->V + (int64_t)L * d;
    float pull = (float)(mu / 4), *Vc = r->w; /* w is read no more before it is learned again */
    int64_t off = 0;
    lbh_quadratic q;
    LBH_TRY(lbh_quadratic_new(&q, L, d, r->V));
    lbh_gemm_nt(1, L, d, 1, c, r->V, 0, Vc);
    lbh_gemm_nt((int)r->p.m, L, d, 1, r->p.Y, r->V, 0, r->T);
    bool stop = false;
#pragma omp parallel for schedule(static) reduction(+ : off)
    for (int64_t i = 0; i < r->p.m; i++) {
        if (lbh_watch_stopped(&stop))
            continue;
        char *scratch = r->scratch + (size_t)omp_get_thread_num() * r->share;
        float *b = (float *)(void *)scratch, *z = r->Z + i * (L + 1), *p = r->T + i * L;
        size_t bytes = ((size_t)L * sizeof *b + 63) / 64 * 64;
        for (int k = 0; k < L; k++) {
            b[k] = z[k];
            p[k] += (r->F[i * L + k] >= 0 ? pull : -pull) - Vc[k];
        }
        lbh_map_search(&q, p, NULL, 0, b, NULL, scratch + bytes);
        for (int k = 0; k < L; k++) {
            z[k] = b[k];
            off += (b[k] > 0) != (r->F[i * L + k] >= 0);
        }
    }
    lbh_quadratic_free(&q);
    *changed = off;
    return lbh_watch_check();
}

/* Z starts at ITQ's bits, the machines at ITQ's map. */
static int start(lbh_training *t, run *r, uint64_t seed)
{
    float *W = lbh_scratch_f(t, r->L, r->p.r);
    if (!W)
        return LBH_ENOMEM;
    LBH_TRY(lbh_itq_learn(t, r->p.m, r->p.r, r->p.Y, r->L, ITQ_ITERATIONS, seed, 0, W));
    for (int k = 0; k < r->L; k++)
        for (int j = 0; j < r->p.r; j++)
            r->Wt[(int64_t)j * r->L + k] = W[(int64_t)k * r->p.r + j];
    values(r);
    take_codes(r);
    return LBH_OK;
}

/* The machines' map and the decoder, as ones of the vectors themselves. */
static void leave(run *r, float *W, ba *s)
{
    int L = r->L, d = r->p.d;
    for (int k = 0; k < L; k++)
        for (int j = 0; j < r->p.r; j++)
            W[(int64_t)k * r->p.r + j] = r->Wt[(int64_t)j * L + k];
    lbh_reduced_expand(&r->p, L, W, r->w, s->A, s->b);
    lbh_gemm_nn(L, d, r->p.r, 2 / r->p.scale, r->V, r->p.V, 0, s->U); /* b = 2 bit - 1 */
    lbh_gemm_nn(1, d, r->p.r, 1 / r->p.scale, r->V + (int64_t)L * r->p.r, r->p.V, 0, s->c);
    for (int j = 0; j < d; j++) {
        double sum = (double)s->c[j] + (double)r->p.mean[j];
        for (int k = 0; k < L; k++)
            sum -= (double)s->U[(int64_t)k * d + j] / 2;
        s->c[j] = (float)sum;
    }
}

static int train(lbh_encoder *self, lbh_training *t)
{
    run r;
    int L = self->nbits, rounds = (int)self->value[OPT_ITERATIONS];
    int steps = (int)self->value[OPT_SVM_ITERATIONS];
    double mu = self->value[OPT_MU_START], ridge = self->value[OPT_RIDGE];
    LBH_TRY(lbh_reduce(t, (int64_t)self->value[OPT_MAX_TRAIN],
                       lbh_space_dimension(LBH_SPACE_LEAST, L, self->d), &r.p));
    LBH_TRY(allocate(t, &r, L));
    float *W = lbh_scratch_f(t, L, r.p.r);
    if (!W)
        return LBH_ENOMEM;
    LBH_TRY(start(t, &r, (uint64_t)self->common[LBH_OPT_SEED]));
    int64_t changed = 1;
    for (int i = 0; i < rounds && changed && !t->stop; i++, mu *= self->value[OPT_MU_FACTOR]) {
        LBH_TRY(fit_decoder(&r));
        LBH_TRY(search_codes(&r, mu, &changed));
        LBH_TRY(fit_hash(&r, steps, ridge));
        LBH_TRY(lbh_report(t, i + 1 < rounds && changed ? i + 1 : rounds, rounds,
                           (double)changed / (double)r.p.m));
    }
    take_codes(&r);
    LBH_TRY(fit_decoder(&r));
    leave(&r, W, self->state);
    return LBH_OK;
}

static int linear(const lbh_encoder *self, lbh_role role, float *A, float *b)
{
    (void)role;
    const ba *s = self->state;
    memcpy(A, s->A, (size_t)self->nbits * (size_t)self->d * sizeof *A);
    memcpy(b, s->b, (size_t)self->nbits * sizeof *b);
    return LBH_OK;
}

static int decoder(const lbh_encoder *self, float *U, float *c)
{
    const ba *s = self->state;
    memcpy(U, s->U, (size_t)self->nbits * (size_t)self->d * sizeof *U);
    memcpy(c, s->c, (size_t)self->d * sizeof *c);
    return LBH_OK;
}

const lbh_method lbh_method_ba = {
    .name = "ba",
    .summary = "binary autoencoder: codes, decoder and hash by auxiliary coordinates",
    .cite = "Carreira-Perpinan & Raziperchikolaei, Hashing with binary autoencoders, CVPR 2015",
    .state_size = sizeof(ba),
    .params = params,
    .train = train,
    .visit = visit,
    .linear = linear,
    .decoder = decoder,
};
