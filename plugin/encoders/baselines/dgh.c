/* dgh.c: discrete graph hashing (Liu, Mu, Kumar & Chang, NIPS 2014).
 *
 *   max Q(B, Y) = tr(B^T A B) + rho tr(B^T Y),  B in {-1,1}^(n x L),  1^T Y = 0, Y^T Y = n I
 *
 * with the affinity A = Z Lambda^-1 Z^T of an anchor graph (shared/anchor_graph.h), by turns:
 *
 *   B  signed gradient: B <- sgn(2 A B + rho Y), an entry of 0 staying as it is, until it stands
 *   Y  Y = sqrt(n) [U U0] [V V0]^T of J B = U Sigma V^T, J = I - 1 1^T / n; U0 and V0, where J B has a
 *      rank below L, complete them
 *
 * Q is convex in B, so that neither lowers it. Starts: Y = H, the graph's L leading eigenvectors
 * (start=spectral, the paper's DGH-I), or Y = H R with the rotation that brings H R nearest to
 * its signs (start=rotated, DGH-R); B = sgn(Y). A new row q gets the code that is most alike those of
 * the rows it is joined to: sgn(W^T z(q)), W = Lambda^-1 Z^T B.
 *
 * Left open by the paper or changed, and taken: rho; rows that were learned from get their codes as new
 * rows do, and not those of B (a row learned from and the same row met later are one row here); anchors
 * and gamma as for agh. There are as many anchors as bits need, nbits + 1, if there are rows. With few or
 * equal rows bits beyond the rank of A start alike, and are driven apart by rho Y alone; with fewer rows
 * than bits + 1 the conditions on Y cannot be kept, and columns without a direction are 0. */
#include "dgh.h"

#include "blas.h"
#include "linalg.h"
#include "rng.h"
#include "watch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { OPT_ANCHORS, OPT_NEIGHBOURS, OPT_RHO, OPT_START, OPT_ROTATIONS, OPT_TURNS, OPT_STEPS_B,
       OPT_WIDTH, OPT_ROUNDS, OPT_MAX_TRAIN };
enum { START_SPECTRAL, START_ROTATED };

static const lbh_param params[] = {
    [OPT_ANCHORS] = {"anchors", 300, 1, LBH_MAX_ANCHORS, 1, NULL,
                     "anchors (more if bits need them, fewer if there are fewer rows)"},
    [OPT_NEIGHBOURS] = {"neighbours", 3, 1, LBH_MAX_NEAR_ANCHORS, 1, NULL,
                        "nearest anchors that a row is joined to"},
    [OPT_RHO] = {"rho", 0.1, 0, 1e6, 0, NULL, "weight of balance and uncorrelated bits"},
    [OPT_START] = {"start", START_ROTATED, 0, 1, 1, "spectral|rotated",
                   "DGH-I: eigenvectors, DGH-R: eigenvectors turned towards their signs"},
    [OPT_ROTATIONS] = {"rotations", 100, 0, 100000, 1, NULL, "start=rotated: rounds"},
    [OPT_TURNS] = {"iterations", 20, 0, 100000, 1, NULL, "turns of B and Y, at most"},
    [OPT_STEPS_B] = {"sign_steps", 100, 1, 100000, 1, NULL, "steps of B a turn, at most"},
    [OPT_WIDTH] = {"width", 1, 1e-3, 1e3, 0, NULL,
                   "kernel exp(-(dist / width)^2), dist in units of the mean distance to the last of "
                   "those neighbours"},
    [OPT_ROUNDS] = {"rounds", 5, 0, 10000, 1, NULL, "of k-means, which finds the anchors"},
    [OPT_MAX_TRAIN] = {"max_train", 100000, 1, 1e9, 1, NULL, "rows to learn from, at most"},
    {0},
};

static const uint64_t STREAM_OPEN = 0x646768;

typedef struct dgh {
    lbh_anchor_graph graph;
} dgh;

static int anchors(const lbh_encoder *self)
{
    return (int)self->settled[OPT_ANCHORS];
}

static int near_anchors(const lbh_encoder *self)
{
    int s = (int)self->value[OPT_NEIGHBOURS];
    return s < anchors(self) ? s : anchors(self);
}

static int visit(lbh_encoder *self, lbh_visitor *v)
{
    dgh *s = self->state;
    return lbh_anchor_graph_visit(&s->graph, self, anchors(self), self->nbits, v);
}

/* P = Lambda^-1 Z^T B */
static void gather(dgh_run *r)
{
    lbh_anchor_graph_backward(&r->w, r->L, r->B, r->P);
    for (int a = 0; a < r->w.m; a++)
        for (int k = 0; k < r->L; k++) {
            float *p = r->P + (int64_t)a * r->L + k;
            *p = r->w.lambda[a] > 1e-12 ? (float)((double)*p / r->w.lambda[a]) : 0;
        }
}

double lbh_dgh_objective(dgh_run *r)
{
    double sum = 0;
    gather(r);
    for (int a = 0; a < r->w.m; a++)
        for (int k = 0; k < r->L; k++) {
            double p = (double)r->P[(int64_t)a * r->L + k];
            sum += r->w.lambda[a] * p * p;
        }
    for (int64_t i = 0; i < r->w.n * r->L; i++)
        sum += r->rho * (double)r->B[i] * (double)r->Y[i];
    return sum;
}

int64_t lbh_dgh_sign_step(dgh_run *r)
{
    int64_t changed = 0, size = r->w.n * r->L;
    float rho = (float)r->rho;
    gather(r);
    lbh_anchor_graph_forward(&r->w, r->L, r->P, r->C);
#pragma omp parallel for schedule(static) reduction(+ : changed)
    for (int64_t i = 0; i < size; i++) {
        float c = 2 * r->C[i] + rho * r->Y[i];
        float b = c > 0 ? 1.0f : c < 0 ? -1.0f : r->B[i];
        changed += b != r->B[i];
        r->B[i] = b;
    }
    return changed;
}

/* A column orthogonal to the constant one and to columns 0 .. k-1 of U[n * L], of length 1, into column
 * k, from random numbers; 0 if the rows are too few. Twice, as rounding would show after once. */
static void complete_column(const dgh_run *r, int k, float *U)
{
    float *column = r->column;
    int64_t n = r->w.n;
    int L = r->L;
    double square = 0;
    float mean;
    lbh_rng_normal(r->seed, STREAM_OPEN + (uint64_t)k, n, column);
    for (int pass = 0; pass < 2; pass++) {
        lbh_centre(n, 1, column, &mean);
        for (int c = 0; c < k; c++) {
            double dot = 0;
            for (int64_t i = 0; i < n; i++)
                dot += (double)column[i] * (double)U[i * L + c];
            for (int64_t i = 0; i < n; i++)
                column[i] -= (float)dot * U[i * L + c];
        }
    }
    for (int64_t i = 0; i < n; i++)
        square += (double)column[i] * (double)column[i];
    float scale = k < n - 1 && square > 1e-6 ? (float)(1 / sqrt(square)) : 0;
    for (int64_t i = 0; i < n; i++)
        U[i * L + k] = scale * column[i];
}

/* B^T J B = V Sigma^2 V^T; U = J B V Sigma^-1. The rows of V are the directions, all L of them, so that
 * those of J B's null space complete it. */
int lbh_dgh_relax(dgh_run *r)
{
    int64_t n = r->w.n;
    int L = r->L;
    float *J = r->C, *U = r->Y;
    memcpy(J, r->B, (size_t)(n * L) * sizeof *J);
    lbh_centre(n, L, J, r->square);
    lbh_gemm_tn(L, L, (int)n, 1, J, J, 0, r->G);
    for (int64_t i = 0; i < (int64_t)L * L; i++)
        r->D[i] = (double)r->G[i];
    LBH_TRY(lbh_leading_eigenvectors(L, r->D, L, r->V, r->square));
    lbh_gemm_nt((int)n, L, L, 1, J, r->V, 0, U);
    for (int k = 0; k < L; k++) {
        LBH_TRY(lbh_watch_check());
        if (r->square[k] <= 1e-5F * (float)n) {
            complete_column(r, k, U);
            continue;
        }
        float scale = 1 / sqrtf(r->square[k]);
        for (int64_t i = 0; i < n; i++)
            U[i * L + k] *= scale;
    }
    lbh_gemm_nn((int)n, L, L, (float)sqrt((double)n), U, r->V, 0, J);
    memcpy(r->Y, J, (size_t)(n * L) * sizeof *J);
    return LBH_OK;
}

static void signs(int64_t size, const float *Y, float *B)
{
    for (int64_t i = 0; i < size; i++)
        B[i] = Y[i] >= 0 ? 1.0f : -1.0f;
}

/* Y = H R: max over R and B of tr(B^T H R), by turns. H is in r->Y. */
static int rotate(lbh_training *t, dgh_run *r, int rounds)
{
    int64_t n = r->w.n, size = n * r->L;
    int L = r->L;
    float *H = r->C;
    memcpy(H, r->Y, (size_t)size * sizeof *H);
    for (int round = 0; round < rounds && !t->stop; round++) {
        signs(size, r->Y, r->B);
        lbh_gemm_tn(L, L, (int)n, 1 / (float)n, H, r->B, 0, r->G);
        LBH_TRY(lbh_procrustes(L, r->G, r->V));
        lbh_gemm_nn((int)n, L, L, 1, H, r->V, 0, r->Y);
    }
    return LBH_OK;
}

static int take(lbh_encoder *self, lbh_training *t, dgh_run *r)
{
    dgh *s = self->state;
    int64_t n, most = (int64_t)self->value[OPT_MAX_TRAIN], room = ((int64_t)1 << 27) / self->nbits;
    int m = (int)self->value[OPT_ANCHORS];
    float *X;
    /* a matrix of codes has at most as many bytes as the rows */
    LBH_TRY(lbh_sample_rows(t, most < room ? most : room, &n, &X));
    m = m > self->nbits ? m : self->nbits + 1;
    self->settled[OPT_ANCHORS] = n < m ? (int)n : m;
    LBH_TRY(lbh_visit_allocate(self)); /* anew: the size is known now */
    LBH_TRY(lbh_anchor_graph_learn(&s->graph, t, n, X, anchors(self), near_anchors(self),
                                   (int)self->value[OPT_ROUNDS], self->value[OPT_WIDTH], &r->w));
    r->B = lbh_scratch_f(t, n, r->L);
    r->Y = lbh_scratch_f(t, n, r->L);
    r->C = lbh_scratch_f(t, n, r->L);
    r->P = lbh_scratch_f(t, r->w.m, r->L);
    r->G = lbh_scratch_f(t, r->L, r->L);
    r->V = lbh_scratch_f(t, r->L, r->L);
    r->square = lbh_scratch_f(t, 1, r->L);
    r->column = lbh_scratch_f(t, n, 1);
    r->D = lbh_scratch(t, (int64_t)r->L * r->L, sizeof *r->D);
    bool ok = r->B && r->Y && r->C && r->P && r->G && r->V && r->square && r->column && r->D;
    return ok ? LBH_OK : LBH_ENOMEM;
}

static int train(lbh_encoder *self, lbh_training *t)
{
    dgh *s = self->state;
    dgh_run r = {.L = self->nbits, .rho = self->value[OPT_RHO],
                 .seed = (uint64_t)self->common[LBH_OPT_SEED]};
    int turns = (int)self->value[OPT_TURNS], steps = (int)self->value[OPT_STEPS_B];
    LBH_TRY(take(self, t, &r));
    float *eigenvalue = lbh_scratch_f(t, 1, r.L);
    if (!eigenvalue)
        return LBH_ENOMEM;
    LBH_TRY(lbh_anchor_graph_spectrum(t, &r.w, r.L, s->graph.W, eigenvalue));
    lbh_anchor_graph_forward(&r.w, r.L, s->graph.W, r.Y);
    if ((int)self->value[OPT_START] == START_ROTATED)
        LBH_TRY(rotate(t, &r, (int)self->value[OPT_ROTATIONS]));
    signs(r.w.n * r.L, r.Y, r.B);
    double before = lbh_dgh_objective(&r), now = before;
    LBH_TRY(lbh_report(t, 1, turns + 1, -now));
    for (int turn = 0; turn < turns && !t->stop; turn++) {
        for (int step = 0; step < steps && lbh_dgh_sign_step(&r) > 0 && !t->stop; step++)
            LBH_TRY(lbh_watch_check());
        LBH_TRY(lbh_dgh_relax(&r));
        now = lbh_dgh_objective(&r);
        bool done = now - before <= 1e-6 * fabs(before); /* the paper's Q stands */
        LBH_TRY(lbh_report(t, done ? turns + 1 : turn + 2, turns + 1, -now));
        if (done)
            break;
        before = now;
    }
    gather(&r);
    memcpy(s->graph.W, r.P, (size_t)r.w.m * (size_t)r.L * sizeof *r.P);
    return LBH_OK;
}

static int project(const lbh_encoder *self, lbh_role role, int64_t n, const float *x, float *z)
{
    (void)role;
    const dgh *s = self->state;
    return lbh_anchor_graph_project(&s->graph, self, anchors(self), near_anchors(self), self->nbits,
                                    n, x, z);
}

static int prepare(lbh_encoder *self)
{
    dgh *s = self->state;
    return lbh_anchor_graph_prepare(&s->graph, self, anchors(self));
}

static void release(lbh_encoder *self)
{
    dgh *s = self->state;
    lbh_anchor_graph_release(&s->graph);
}

const lbh_method lbh_method_dgh = {
    .name = "dgh",
    .summary = "discrete graph hashing: codes of a graph over anchors, found as bits",
    .cite = "Liu, Mu, Kumar & Chang, Discrete graph hashing, NIPS 2014",
    .state_size = sizeof(dgh),
    .params = params,
    .train = train,
    .visit = visit,
    .project = project,
    .prepare = prepare,
    .release = release,
};
