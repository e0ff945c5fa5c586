/* sgh_tables.c: score=decoder by byte tables: codes and tables (byte_tables.h) are learned together, as
 * an additive quantizer whose codes start as bits. In turn
 *
 *   codes   by the search of table_codes.h, in tables that are shaken by noise which fades away (SR-D of
 *           Martinez et al., LSQ++, ECCV 2018): noise of tp sd_j / M on coordinate j, M the bytes of a code
 *   tables  by least squares, with a ridge; for inner products, where an error along the item counts
 *           1 + lambda times (sgh_map.h), by the residuals
 *             (e + lambda (u . e) u) / (1 + lambda)
 *           in place of e, a step of the weighted problem that cannot go too far
 *
 * score=both holds the codes to the bits sign(z), z = W x + b, of the linear encoder, which makes the
 * queries' codes: a bit that differs costs
 *
 *   f |z|,   f = keep e0 / (L mean |z|)
 *
 * e0 the mean squared error that tables have for the linear encoder's own codes.
 *
 * What is left of the bits is the order of a table's entries: codes near in Hamming distance remain near
 * more often than not, which a quantizer that starts from means of its own has not. */
#include "sgh_tables.h"

#include "blas.h"
#include "linear.h"
#include "rng.h"
#include "table_codes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MIN_COLUMNS = 128, MIN_ROWS = 5000 };
enum { SWEEPS = 3, FIRST_SWEEPS = 12, STEPS = 3, PATIENCE = 1, SHAKES = 50, ROUNDS = 4 };
enum { STREAM_NOISE = 0x7461626c };

static const double NOISE = 0.5;
static const float RIDGE = 1, FIRST_RIDGE = 30; /* rows */

typedef struct alternation {
    lbh_tables tables, shaken; /* of the training space */
    int64_t n;
    float *X, *U, *R; /* n x columns: rows, directions or NULL, residuals */
    float *sd;        /* columns */
    uint8_t *codes;
    float along;
    float *cost; /* n x 8 nbytes, -f z; or NULL */
} alternation;

bool sgh_tables_wanted(const lbh_encoder *self, int64_t n)
{
    int how = (int)self->common[LBH_OPT_REBUILD];
    bool fit = self->nbits <= 8 * LBH_MAX_TABLES;
    return fit && (how == LBH_REBUILD_TABLES || (how == LBH_REBUILD_AUTO && n >= MIN_ROWS));
}

/* ---- Training ------------------------------------------------------------------------------ */

static int begin(lbh_training *t, const sgh_run *r, sgh_codes *k, alternation *a)
{
    int L = k->L, wanted = 2 * L > MIN_COLUMNS ? 2 * L : MIN_COLUMNS;
    int c = wanted < k->d ? wanted : k->d, nbytes = (L + 7) / 8;
    *a = (alternation){.n = k->n, .along = k->lambda};
    LBH_TRY(lbh_tables_new(&a->tables, nbytes, c, r->d));
    LBH_TRY(lbh_tables_new(&a->shaken, nbytes, c, 0));
    a->X = lbh_scratch_f(t, k->n, c);
    a->R = lbh_scratch_f(t, k->n, c);
    a->U = a->along > 0 ? lbh_scratch_f(t, k->n, c) : NULL;
    a->sd = lbh_scratch_f(t, 1, c);
    a->codes = lbh_scratch(t, k->n, (size_t)nbytes);
    if (!a->X || !a->R || !a->sd || !a->codes || (a->along > 0 && !a->U))
        return LBH_ENOMEM;
    for (int64_t i = 0; i < k->n; i++)
        memcpy(a->X + i * c, r->rows + i * k->d, (size_t)c * sizeof *a->X);
    for (int64_t i = 0; a->U && i < k->n; i += SGH_MAP_BLOCK) {
        int64_t count = k->n - i < SGH_MAP_BLOCK ? k->n - i : SGH_MAP_BLOCK;
        sgh_unit_rows(r, k, i, count, NULL, k->T);
        for (int64_t j = 0; j < count; j++)
            memcpy(a->U + (i + j) * c, k->T + j * k->d, (size_t)c * sizeof *a->U);
    }
    for (int j = 0; j < c; j++) {
        double sum = 0;
        for (int64_t i = 0; i < k->n; i++)
            sum += (double)a->X[i * c + j] * (double)a->X[i * c + j];
        a->sd[j] = (float)sqrt(sum / (double)k->n);
    }
    lbh_pack_bits(k->n, L, k->B, a->codes);
    return LBH_OK;
}

/* R = (e + lambda (u . e) u) / (1 + lambda) */
static void weigh(const alternation *a)
{
    int c = a->tables.columns;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < a->n; i++) {
        float *e = a->R + i * c, along = 0;
        const float *u = a->U + i * c;
        for (int j = 0; j < c; j++)
            along += e[j] * u[j];
        for (int j = 0; j < c; j++)
            e[j] = (e[j] + a->along * along * u[j]) / (1 + a->along);
    }
}

static int fit(alternation *a, float ridge, int sweeps)
{
    size_t size = (size_t)(a->n * a->tables.columns) * sizeof *a->R;
    for (int step = 0; step < (a->U ? STEPS : 1); step++) {
        memcpy(a->R, a->X, size);
        lbh_tables_subtract(&a->tables, a->n, a->codes, a->R);
        if (a->U)
            weigh(a);
        LBH_TRY(lbh_tables_refit(&a->tables, a->n, a->codes, a->R, ridge, sweeps));
    }
    return LBH_OK;
}

/* One round: codes in shaken tables, then tables. */
static int round_of(alternation *a, int nbits, uint64_t seed, int round, int rounds)
{
    lbh_tables *s = &a->tables;
    int64_t entries = (int64_t)s->nbytes * LBH_TABLE, size = entries * s->columns;
    double noise = NOISE * (1 - (round + 1.0) / rounds) / s->nbytes;
    lbh_rng_normal(seed, STREAM_NOISE + (uint64_t)round, size, a->shaken.T);
    for (int64_t i = 0; i < size; i++)
        a->shaken.T[i] = s->T[i] + (float)noise * a->sd[i % s->columns] * a->shaken.T[i];
    lbh_table_search *search = NULL;
    LBH_TRY(lbh_table_search_new(&search, nbits, s->columns, a->shaken.T));
    const lbh_table_job job = {.x = a->X, .u = a->U, .along = a->along, .patience = PATIENCE,
                               .bit_cost = a->cost, .codes = a->codes};
    int rc = lbh_table_search_run(search, a->n, &job);
    lbh_table_search_free(search);
    return rc ? rc : fit(a, RIDGE, SWEEPS);
}

/* x = mean + y V / scale */
static void leave_space(const sgh_run *r, lbh_tables *s)
{
    for (int64_t i = 0; i < (int64_t)s->nbytes * LBH_TABLE * s->columns; i++)
        s->T[i] /= r->scale;
    for (int k = 0; k < s->columns; k++)
        for (int j = 0; j < s->d; j++)
            s->axes[(int64_t)k * s->d + j] = r->V ? r->V[(int64_t)k * s->d + j] : (float)(j == k);
    memcpy(s->centre, r->mean, (size_t)s->d * sizeof *s->centre);
}

/* Mean squared error of the rows. */
static double mean_error(alternation *a)
{
    int64_t size = a->n * a->tables.columns;
    double sum = 0;
    memcpy(a->R, a->X, (size_t)size * sizeof *a->R);
    lbh_tables_subtract(&a->tables, a->n, a->codes, a->R);
    for (int64_t i = 0; i < size; i++)
        sum += (double)a->R[i] * (double)a->R[i];
    return sum / (double)a->n;
}

/* score=both: z becomes -f z. */
static void scale_cost(const lbh_encoder *self, alternation *a)
{
    int64_t size = a->n * 8 * a->tables.nbytes;
    double sum = 0, keep = self->value[SGH_OPT_KEEP];
    for (int64_t i = 0; i < size; i++)
        sum += fabs((double)a->cost[i]);
    float f = sum > 0 ? (float)(keep * mean_error(a) * (double)a->n / sum) : 0;
    for (int64_t i = 0; i < size; i++)
        a->cost[i] *= -f;
    ((sgh_model *)self->state)->search[2] = f; /* in the training space's units */
}

static int alternate(lbh_encoder *self, lbh_training *t, sgh_run *r, alternation *a)
{
    int rounds = ((int)self->value[SGH_OPT_ALTERNATIONS] + ROUNDS - 1) / ROUNDS;
    LBH_TRY(fit(a, FIRST_RIDGE, FIRST_SWEEPS));
    if (a->cost)
        scale_cost(self, a);
    for (int i = 0; i < rounds && !t->stop; i++) {
        LBH_TRY(round_of(a, self->nbits, r->seed, i, rounds));
        r->done += SGH_MAP_TICK * ROUNDS;
        LBH_TRY(lbh_report(t, r->done < r->total ? r->done : r->total - 1, r->total, 0));
    }
    return LBH_OK;
}

/* z of the linear encoder, with zeros at the pad bits, and k->B = sign(z). */
static int linear_values(lbh_training *t, const sgh_run *r, sgh_codes *k, float **z)
{
    int L = k->L, width = (L + 7) / 8 * 8;
    *z = lbh_scratch_f(t, k->n, width);
    if (!*z)
        return LBH_ENOMEM;
    for (int64_t i = 0; i < k->n; i += SGH_MAP_BLOCK) {
        int64_t count = k->n - i < SGH_MAP_BLOCK ? k->n - i : SGH_MAP_BLOCK;
        lbh_gemm_nt((int)count, L, k->d, 1, r->rows + i * k->d, r->p.W, 0, k->P);
        for (int64_t j = 0; j < count * L; j++) {
            float value = k->P[j] + r->p.b[j % L];
            (*z)[(i + j / L) * width + j % L] = value;
            k->B[i * L + j] = value >= 0 ? 1.0f : -1.0f;
        }
    }
    return LBH_OK;
}

int sgh_tables_both(lbh_encoder *self, lbh_training *t, sgh_run *r, sgh_codes *k)
{
    sgh_model *model = self->state;
    if (sgh_inner_products(self))
        k->lambda = self->value[SGH_OPT_ALONG] < 0 ? 2 : (float)self->value[SGH_OPT_ALONG];
    LBH_TRY(linear_values(t, r, k, &k->z));
    LBH_TRY(sgh_tables_train(self, t, r, k));
    model->search[0] = SGH_TABLES;
    model->search[1] = k->lambda;
    model->search[2] /= r->scale * r->scale;
    return LBH_OK;
}

int sgh_tables_train(lbh_encoder *self, lbh_training *t, sgh_run *r, sgh_codes *k)
{
    alternation a;
    int rc = begin(t, r, k, &a);
    a.cost = k->z;
    if (!rc)
        rc = alternate(self, t, r, &a);
    lbh_tables_clear(&a.shaken);
    if (rc) {
        lbh_tables_clear(&a.tables);
        return rc;
    }
    lbh_unpack_bits(k->n, k->L, a.codes, k->B);
    for (int64_t i = 0; i < k->n * k->L; i++)
        k->B[i] = 2 * k->B[i] - 1;
    leave_space(r, &a.tables);
    self->tables = a.tables;
    return LBH_OK;
}

/* ---- Encoding ------------------------------------------------------------------------------ */

/* u = x / ||x|| on the axes. */
static void directions(const lbh_encoder *self, int64_t n, const float *x, float *u)
{
    int d = self->d, c = self->tables.columns;
    for (int64_t i = 0; i < n; i++) {
        double square = 0;
        for (int j = 0; j < d; j++)
            square += (double)x[i * d + j] * (double)x[i * d + j];
        float scale = square > 0 ? (float)(1 / sqrt(square)) : 0;
        for (int j = 0; j < c; j++)
            u[i * c + j] *= scale;
    }
}

int sgh_tables_items(const lbh_encoder *self, int depth, int64_t n, const float *x,
                     const float *start, float *z)
{
    const sgh_model *s = self->state;
    int L = self->nbits, c = self->tables.columns;
    float *y = lbh_alloc(n * c, sizeof *y), *u = lbh_alloc(n * c, sizeof *u);
    uint8_t *codes = lbh_alloc(n, (size_t)self->tables.nbytes);
    int width = 8 * self->tables.nbytes;
    bool both = (int)self->value[SGH_OPT_SCORE] == SGH_SCORE_BOTH;
    float *cost = lbh_alloc(both ? n * width : 0, sizeof *cost);
    int rc = y && u && codes && cost ? LBH_OK : LBH_ENOMEM;
    if (!rc) {
        lbh_panels_apply(s->axes, n, x, u);
        for (int64_t i = 0; i < n * c; i++) /* axes (x - centre) */
            y[i] = u[i] - s->shift[i % c];
        directions(self, n, x, u);
        lbh_pack_bits(n, L, start, codes);
        for (int64_t i = 0; both && i < n * L; i++)
            cost[i / L * width + i % L] = -s->search[2] * start[i];
        int patience = (depth + SHAKES - 1) / SHAKES;
        const lbh_table_job job = {.x = y, .u = s->search[1] > 0 ? u : NULL, .along = s->search[1],
                                   .bit_cost = both ? cost : NULL, .patience = patience,
                                   .codes = codes};
        rc = lbh_table_search_some(s->tables, n, &job);
    }
    if (!rc)
        lbh_unpack_bits(n, L, codes, z);
    for (int64_t i = 0; i < n * L && !rc; i++)
        z[i] = 2 * z[i] - 1;
    free(y);
    free(u);
    free(cost);
    free(codes);
    return rc;
}
