/* sph.c: spherical hashing (Heo, Lee, He, Chang & Yoon, CVPR 2012).
 *
 *   bit_k = [ ||x - p_k|| <= t_k ],   z_k = t_k^2 - ||x - p_k||^2
 *
 * Each sphere holds half of the m training rows (t_k is the median distance to p_k), and the pivots
 * are moved until every pair of spheres shares a quarter of them:
 *
 *   p_i += 1/L sum_j 1/2 (o_ij - m/4) / (m/4) (p_i - p_j),   o_ij = rows inside both spheres
 *
 * and it ends when the mean of |o_ij - m/4| is below `tolerance` of m/4 and the standard deviation
 * of o_ij below `spread` of it.
 *
 * Left open by the paper, and taken: a pivot starts as the mean of ten random rows; where no place lets
 * spheres share less, as among rows most of which are one, pivots flee from each other, and are left where
 * they are 100 times as far from the mean as the rows. The paper ranks
 * by a distance of its own, |xor| / |and|; in FAISS's indexes codes are ranked by Hamming distance. */
#include "blas.h"
#include "linalg.h"
#include "linear.h"
#include "rng.h"
#include "method.h"
#include "watch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { OPT_MAX_TRAIN, OPT_ITERATIONS, OPT_TOLERANCE, OPT_SPREAD };
enum { START_ROWS = 10, BLOCK_ROWS = 96 };

static const float FAR_AWAY = 1e4f; /* squared, in mean squared lengths of rows */

static const lbh_param params[] = {
    [OPT_MAX_TRAIN] = {"max_train", 20000, 1, 1e7, 1, NULL, "rows to learn from, at most"},
    [OPT_ITERATIONS] = {"iterations", 200, 0, 100000, 1, NULL, "moves of the pivots, at most"},
    [OPT_TOLERANCE] = {"tolerance", 0.1, 0, 10, 0, NULL,
                       "overlaps may be off m/4 by this share of it, on average"},
    [OPT_SPREAD] = {"spread", 0.15, 0, 10, 0, NULL,
                    "standard deviation of the overlaps, as a share of m/4"},
    {0},
};

static const uint64_t STREAM_START = 0x737068;

typedef struct sph {
    float *mean, *scale; /* d, 1: spheres are in u = (x - mean) scale */
    float *pivot;        /* nbits x d */
    float *radius;       /* nbits: t_k^2 */
    struct lbh_panels *panels;
} sph;

static int visit(lbh_encoder *self, lbh_visitor *v)
{
    sph *s = self->state;
    LBH_TRY(v->tensor(v, "mean", &s->mean, 1, self->d));
    LBH_TRY(v->tensor(v, "scale", &s->scale, 1, 1));
    LBH_TRY(v->tensor(v, "pivots", &s->pivot, self->nbits, self->d));
    return v->tensor(v, "squared_radii", &s->radius, 1, self->nbits);
}

static float squared_norm(int d, const float *x)
{
    double sum = 0;
    for (int j = 0; j < d; j++)
        sum += (double)x[j] * (double)x[j];
    return (float)sum;
}

static int compare_floats(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* One training: rows, what they are inside of, and how much the spheres share. */
typedef struct run {
    int64_t m;
    int d, L;
    float *X, *norm;     /* m x d, m */
    float *D, *inside;   /* m x L: squared distances; 1 inside, else 0 */
    float *column, *overlap, *force; /* m; L x L; L x d */
} run;

/* t_k^2 = median of ||x - p_k||^2, then inside[] and overlap[]. Ends early where the caller wants to stop, which
 * lbh_report() makes an error of. */
static void measure(run *r, const float *pivot, float *radius)
{
    lbh_gemm_nt((int)r->m, r->L, r->d, -2, r->X, pivot, 0, r->D);
    for (int k = 0; k < r->L && !lbh_watch_poll(); k++) {
        float own = squared_norm(r->d, pivot + (int64_t)k * r->d);
        for (int64_t i = 0; i < r->m; i++) {
            float *distance = &r->D[i * r->L + k];
            *distance += own + r->norm[i];
            r->column[i] = *distance;
        }
        qsort(r->column, (size_t)r->m, sizeof *r->column, compare_floats);
        radius[k] = r->column[(r->m - 1) / 2];
        for (int64_t i = 0; i < r->m; i++)
            r->inside[i * r->L + k] = r->D[i * r->L + k] <= radius[k] ? 1.0f : 0.0f;
    }
    lbh_gemm_tn(r->L, r->L, (int)r->m, 1, r->inside, r->inside, 0, r->overlap);
}

/* Mean of |o_ij / (m/4) - 1|, and *spread, the standard deviation of o_ij / (m/4), over i < j. */
static double unevenness(const run *r, double *spread)
{
    double off = 0, sum = 0, square = 0, quarter = (double)r->m / 4;
    int64_t pairs = 0;
    for (int i = 0; i < r->L; i++)
        for (int j = i + 1; j < r->L; j++, pairs++) {
            double o = (double)r->overlap[(int64_t)i * r->L + j] / quarter;
            off += fabs(o - 1);
            sum += o;
            square += o * o;
        }
    if (!pairs)
        return *spread = 0;
    double mean = sum / (double)pairs;
    *spread = sqrt(fmax(square / (double)pairs - mean * mean, 0));
    return off / (double)pairs;
}

/* force_i = sum_j w_ij (p_i - p_j), w_ij = 1/2 (o_ij - m/4) / (m/4): one product, less own weight. */
static void move(run *r, float *pivot)
{
    float quarter = (float)r->m / 4;
    for (int i = 0; i < r->L; i++) {
        float *w = r->overlap + (int64_t)i * r->L;
        float total = 0;
        for (int j = 0; j < r->L; j++) {
            w[j] = j == i ? 0 : 0.5f * (w[j] - quarter) / quarter;
            total += w[j];
            w[j] = -w[j];
        }
        w[i] = total;
    }
    lbh_gemm_nn(r->L, r->d, r->L, 1.0f / (float)r->L, r->overlap, pivot, 0, r->force);
    for (int64_t i = 0; i < (int64_t)r->L * r->d; i++)
        pivot[i] += r->force[i];
}

static bool fled(const run *r, const float *pivot)
{
    for (int k = 0; k < r->L; k++)
        if (squared_norm(r->d, pivot + (int64_t)k * r->d) > FAR_AWAY)
            return true;
    return false;
}

static void start(const run *r, uint64_t seed, float *pivot)
{
    for (int k = 0; k < r->L; k++)
        for (int i = 0; i < START_ROWS; i++) {
            int64_t row = lbh_rng_below(seed, STREAM_START, (uint64_t)k * START_ROWS + (uint64_t)i,
                                        r->m);
            for (int j = 0; j < r->d; j++)
                pivot[(int64_t)k * r->d + j] += r->X[row * r->d + j] / START_ROWS;
        }
}

/* Scales the centred rows to a mean squared length of 1. */
static float unit_scale(run *r)
{
    double total = 0;
    for (int64_t i = 0; i < r->m; i++)
        for (int j = 0; j < r->d; j++)
            total += (double)r->X[i * r->d + j] * (double)r->X[i * r->d + j];
    float scale = total > 0 ? (float)fmin(sqrt((double)r->m / total), 1e30) : 1;
    for (int64_t i = 0; i < r->m * r->d; i++)
        r->X[i] *= scale;
    return scale;
}

static int train(lbh_encoder *self, lbh_training *t)
{
    sph *s = self->state;
    run r = {.d = self->d, .L = self->nbits};
    LBH_TRY(lbh_sample_rows(t, (int64_t)self->value[OPT_MAX_TRAIN], &r.m, &r.X));
    r.norm = lbh_scratch_f(t, 1, r.m);
    r.D = lbh_scratch_f(t, r.m, r.L);
    r.inside = lbh_scratch_f(t, r.m, r.L);
    r.column = lbh_scratch_f(t, 1, r.m);
    r.overlap = lbh_scratch_f(t, r.L, r.L);
    r.force = lbh_scratch_f(t, r.L, r.d);
    if (!r.norm || !r.D || !r.inside || !r.column || !r.overlap || !r.force)
        return LBH_ENOMEM;
    lbh_centre(r.m, r.d, r.X, s->mean);
    s->scale[0] = unit_scale(&r);
    for (int64_t i = 0; i < r.m; i++)
        r.norm[i] = squared_norm(r.d, r.X + i * r.d);
    start(&r, (uint64_t)self->common[LBH_OPT_SEED], s->pivot);
    int64_t iterations = (int64_t)self->value[OPT_ITERATIONS];
    for (int64_t i = 0;; i++) {
        double spread, off;
        measure(&r, s->pivot, s->radius);
        off = unevenness(&r, &spread);
        bool done = i == iterations || t->stop || fled(&r, s->pivot) ||
                    (off <= self->value[OPT_TOLERANCE] && spread <= self->value[OPT_SPREAD]);
        LBH_TRY(lbh_report(t, done ? iterations + 1 : i + 1, iterations + 1, off));
        if (done)
            return LBH_OK;
        move(&r, s->pivot);
    }
}

static int prepare(lbh_encoder *self)
{
    sph *s = self->state;
    int64_t size = (int64_t)self->nbits * self->d;
    float *A = lbh_alloc(size, sizeof *A), *b = lbh_alloc(self->nbits, sizeof *b);
    int rc = A && b ? LBH_OK : LBH_ENOMEM;
    for (int64_t i = 0; i < size && !rc; i++)
        A[i] = 2 * s->pivot[i];
    for (int k = 0; k < self->nbits && !rc; k++)
        b[k] = s->radius[k] - squared_norm(self->d, s->pivot + (int64_t)k * self->d);
    if (!rc)
        rc = lbh_panels_new(&s->panels, self->nbits, self->d, A, b);
    free(A);
    free(b);
    return rc;
}

static void release(lbh_encoder *self)
{
    sph *s = self->state;
    lbh_panels_free(s->panels);
    s->panels = NULL;
}

/* z_k = 2 p_k . u + t_k^2 - ||p_k||^2 - ||u||^2,  u = (x - mean) scale */
static int project(const lbh_encoder *self, lbh_role role, int64_t n, const float *x, float *z)
{
    (void)role;
    const sph *s = self->state;
    int d = self->d, L = self->nbits;
    float *U = lbh_alloc((int64_t)BLOCK_ROWS * d, sizeof *U);
    if (!U)
        return LBH_ENOMEM;
    for (int64_t i = 0; i < n; i += BLOCK_ROWS) {
        int rows = n - i < BLOCK_ROWS ? (int)(n - i) : BLOCK_ROWS;
        for (int k = 0; k < rows; k++)
            for (int j = 0; j < d; j++)
                U[(int64_t)k * d + j] = (x[(i + k) * d + j] - s->mean[j]) * s->scale[0];
        lbh_panels_apply(s->panels, rows, U, z + i * L);
        for (int k = 0; k < rows; k++) {
            float own = squared_norm(d, U + (int64_t)k * d);
            for (int j = 0; j < L; j++)
                z[(i + k) * L + j] -= own;
        }
    }
    free(U);
    return LBH_OK;
}

const lbh_method lbh_method_sph = {
    .name = "sph",
    .summary = "spherical hashing: inside or outside of balanced spheres",
    .cite = "Heo, Lee, He, Chang & Yoon, Spherical hashing, CVPR 2012",
    .state_size = sizeof(sph),
    .params = params,
    .train = train,
    .visit = visit,
    .project = project,
    .prepare = prepare,
    .release = release,
};
