/* sgh_map.c: see sgh_map.h. Alternates codes (tabu search) and decoder (least squares). For inner
 * products scored by the decoder, the least squares have the weights of sgh_map.h and are solved by
 * conjugate gradients, preconditioned with the unweighted normal matrix. */
#include "sgh_map.h"

#include "blas.h"
#include "linalg.h"
#include "map_codes.h"
#include "rng.h"
#include "itq.h"
#include "sgh_rank.h"
#include "sgh_tables.h"
#include "watch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ITQ_ROWS = 20000, ITQ_ITERATIONS = 20, CG_STEPS = 6, CG_LAST = 10 };

static const double RIDGE = 1e-4; /* times n, on the diagonal of B^T B */

/* ---- Codes --------------------------------------------------------------------------------- */

/* Y and T of a block of unit rows: see sgh_map.h. */
static void extra_terms(const sgh_run *r, sgh_codes *k, int64_t first, int64_t count)
{
    int d = k->d, L = k->L;
    sgh_unit_rows(r, k, first, count, NULL, k->T);
    bool decoder = k->mode == SGH_MAP_IP_DECODER;
    lbh_gemm_nt((int)count, L, d, 1, k->T, decoder ? k->V : k->W, 0, k->Y);
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < count; i++) {
        float t = 0;
        for (int j = 0; j < d; j++)
            t += k->T[i * d + j] * r->rows[(first + i) * d + j];
        k->T[i * d] = t;
        if (!decoder)
            for (int j = 0; j < L; j++)
                k->Y[i * L + j] = k->Y[i * L + j] + k->c[j] >= 0 ? 1.0f : -1.0f;
    }
}

/* alpha = sum (y.b) t / sum (y.b)^2 over all rows */
static void fit_alpha(const sgh_run *r, sgh_codes *k)
{
    double num = 0, den = 0;
    for (int64_t i = 0; i < k->n; i += SGH_MAP_BLOCK) {
        int64_t count = k->n - i < SGH_MAP_BLOCK ? k->n - i : SGH_MAP_BLOCK;
        extra_terms(r, k, i, count);
        for (int64_t j = 0; j < count; j++) {
            double dot = 0;
            for (int b = 0; b < k->L; b++)
                dot += (double)k->Y[j * k->L + b] * (double)k->B[(i + j) * k->L + b];
            num += dot * (double)k->T[j * k->d];
            den += dot * dot;
        }
    }
    k->alpha = den > 0 ? (float)(num / den) : 0;
}

static int improve_block(const lbh_quadratic *q, sgh_codes *k, int64_t first, int64_t count,
                         int iterations, bool extra)
{
    int L = k->L, failed = 0;
#pragma omp parallel reduction(max : failed)
    {
        void *scratch = lbh_alloc((int64_t)lbh_map_scratch(L), 1);
        failed = scratch == NULL;
#pragma omp for schedule(static)
        for (int64_t i = 0; i < count; i++) {
            lbh_extra_term x = {k->lambda, k->alpha, k->T[i * k->d], k->Y + i * L};
            if (scratch)
                lbh_map_search(q, k->P + i * L, extra ? &x : NULL, iterations,
                               k->B + (first + i) * L, NULL, scratch);
        }
        free(scratch);
    }
    return failed ? LBH_ENOMEM : LBH_OK;
}

int sgh_improve_codes(const sgh_run *r, sgh_codes *k, int iterations)
{
    lbh_quadratic q;
    bool extra = k->mode != SGH_MAP_L2 && k->lambda > 0;
    LBH_TRY(lbh_quadratic_new(&q, k->L, k->d, k->V));
    int rc = LBH_OK;
    for (int64_t i = 0; i < k->n && !rc; i += SGH_MAP_BLOCK) {
        int64_t count = k->n - i < SGH_MAP_BLOCK ? k->n - i : SGH_MAP_BLOCK;
        lbh_gemm_nt((int)count, k->L, k->d, 1, r->rows + i * k->d, k->V, 0, k->P);
        if (extra)
            extra_terms(r, k, i, count);
        rc = improve_block(&q, k, i, count, iterations, extra);
        rc = rc ? lbh_error(rc, "sgh: out of memory while searching codes") : lbh_watch_check();
    }
    lbh_quadratic_free(&q);
    return rc;
}

/* ---- Decoder ------------------------------------------------------------------------------- */

/* N = B^T B + ridge (doubles) and R = B^T X, in blocks whose sums are added in double. */
static int normal_equations(const sgh_run *r, const sgh_codes *k, float *part, double *N, double *R)
{
    int L = k->L, d = k->d;
    memset(N, 0, (size_t)L * (size_t)L * sizeof *N);
    memset(R, 0, (size_t)L * (size_t)d * sizeof *R);
    for (int64_t i = 0; i < k->n; i += SGH_MAP_BLOCK) {
        int count = (int)(k->n - i < SGH_MAP_BLOCK ? k->n - i : SGH_MAP_BLOCK);
        lbh_add_normal(count, L, d, k->B + i * L, r->rows + i * d, part, N, R);
        LBH_TRY(lbh_watch_check());
    }
    return LBH_OK;
}

/* V = argmin ||X - B V||^2 + ridge ||V||^2 */
static int fit_decoder(const sgh_run *r, sgh_codes *k)
{
    int L = k->L, d = k->d;
    lbh_arena arena = {0};
    float *part = lbh_arena_take(&arena, (int64_t)L * (d > L ? d : L), sizeof *part);
    double *N = lbh_arena_take(&arena, (int64_t)L * L, sizeof *N);
    double *R = lbh_arena_take(&arena, (int64_t)L * d, sizeof *R);
    int rc = part && N && R ? LBH_OK : LBH_ENOMEM;
    if (!rc)
        rc = normal_equations(r, k, part, N, R);
    if (!rc)
        rc = lbh_solve_spd(L, d, N, RIDGE * (double)k->n, R);
    for (int64_t i = 0; i < (int64_t)L * d && !rc; i++)
        k->V[i] = (float)R[i];
    lbh_arena_clear(&arena);
    return rc;
}

/* out = B^T (B V + lambda (u o X-)), u_i = (B V)_i . x-_i: the weighted normal operator; with
 * V = NULL its right-hand side, where X stands in for B V. Ends early where the caller wants to stop. */
static void weighted_normal(const sgh_run *r, sgh_codes *k, const float *V, float *unit, float *rows,
                            float *out)
{
    int L = k->L, d = k->d;
    memset(out, 0, (size_t)L * (size_t)d * sizeof *out);
    for (int64_t i = 0; i < k->n && !lbh_watch_poll(); i += SGH_MAP_BLOCK) {
        int count = (int)(k->n - i < SGH_MAP_BLOCK ? k->n - i : SGH_MAP_BLOCK);
        sgh_unit_rows(r, k, i, count, NULL, unit);
        if (V)
            lbh_gemm_nn(count, d, L, 1, k->B + i * L, V, 0, rows);
        else
            memcpy(rows, r->rows + i * d, (size_t)count * (size_t)d * sizeof *rows);
#pragma omp parallel for schedule(static)
        for (int64_t j = 0; j < count; j++) {
            float u = 0;
            for (int a = 0; a < d; a++)
                u += rows[j * d + a] * unit[j * d + a];
            for (int a = 0; a < d; a++)
                rows[j * d + a] += k->lambda * u * unit[j * d + a];
        }
        lbh_gemm_tn(L, d, count, 1, k->B + i * L, rows, 1, out);
    }
}

static double dot(int64_t n, const float *a, const float *b)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

/* Preconditioned conjugate gradients from the present V; inverse[L * L] of B^T B + ridge. */
static void conjugate_gradients(const sgh_run *r, sgh_codes *k, int steps, const float *inverse,
                                float *res, float *z, float *dir, float *image, float *unit,
                                float *rows)
{
    int L = k->L, d = k->d;
    int64_t size = (int64_t)L * d;
    weighted_normal(r, k, NULL, unit, rows, res);
    weighted_normal(r, k, k->V, unit, rows, image);
    for (int64_t i = 0; i < size; i++)
        res[i] -= image[i];
    double rz = 0;
    for (int step = 0; step < steps && !lbh_watch_poll(); step++) {
        lbh_gemm_nn(L, d, L, 1, inverse, res, 0, z);
        double next = dot(size, res, z);
        if (!(next > 0)) /* solved */
            return;
        for (int64_t i = 0; i < size; i++)
            dir[i] = z[i] + (step ? (float)(next / rz) : 0) * dir[i];
        rz = next;
        weighted_normal(r, k, dir, unit, rows, image);
        double curvature = dot(size, dir, image);
        if (!(curvature > 0))
            return;
        float length = (float)(rz / curvature);
        for (int64_t i = 0; i < size; i++) {
            k->V[i] += length * dir[i];
            res[i] -= length * image[i];
        }
    }
}

static int fit_weighted_decoder(const sgh_run *r, sgh_codes *k, int steps)
{
    int L = k->L, d = k->d;
    int64_t size = (int64_t)L * d, square = (int64_t)L * L;
    lbh_arena arena = {0};
    float *f[6], *inverse = lbh_arena_take(&arena, square, sizeof *inverse);
    double *N = lbh_arena_take(&arena, square, sizeof *N);
    double *eye = lbh_arena_take(&arena, square > size ? square : size, sizeof *eye);
    int rc = inverse && N && eye ? LBH_OK : LBH_ENOMEM;
    for (int i = 0; i < 6; i++) {
        int64_t floats = i < 4 ? (size > square ? size : square) : (int64_t)SGH_MAP_BLOCK * d;
        f[i] = lbh_arena_take(&arena, floats, sizeof(float));
        rc = f[i] ? rc : LBH_ENOMEM;
    }
    if (!rc)
        rc = normal_equations(r, k, f[0], N, eye);
    if (!rc) {
        memset(eye, 0, (size_t)square * sizeof *eye);
        for (int i = 0; i < L; i++)
            eye[(int64_t)i * L + i] = 1;
        rc = lbh_solve_spd(L, L, N, RIDGE * (double)k->n, eye);
    }
    if (!rc) {
        for (int64_t i = 0; i < square; i++)
            inverse[i] = (float)eye[i];
        conjugate_gradients(r, k, steps, inverse, f[0], f[1], f[2], f[3], f[4], f[5]);
        rc = lbh_watch_check();
    }
    lbh_arena_clear(&arena);
    return rc;
}

/* ---- Training ------------------------------------------------------------------------------ */

/* Bits of the rotation of ITQ; bits beyond the dimensions start at random. */
static int first_codes(lbh_training *t, const sgh_run *r, sgh_codes *k)
{
    int L = k->L, d = k->d, l = L < d ? L : d;
    int64_t m = k->n < ITQ_ROWS ? k->n : ITQ_ROWS;
    float *A = lbh_scratch_f(t, l, d), *T = lbh_scratch_f(t, m, d);
    float *random = lbh_scratch_f(t, SGH_MAP_BLOCK, L);
    if (!A || !T || !random)
        return LBH_ENOMEM;
    for (int64_t i = 0; i < m; i++)
        memcpy(T + i * d, r->rows + i * (k->n / m) * d, (size_t)d * sizeof *T);
    LBH_TRY(lbh_itq_learn(t, m, d, T, l, ITQ_ITERATIONS, r->seed, 0, A));
    for (int64_t i = 0; i < k->n; i += SGH_MAP_BLOCK) {
        int64_t count = k->n - i < SGH_MAP_BLOCK ? k->n - i : SGH_MAP_BLOCK;
        lbh_gemm_nt((int)count, l, d, 1, r->rows + i * d, A, 0, k->P);
        if (L > l)
            lbh_rng_normal(r->seed, (uint64_t)(1000 + i), count * L, random);
        for (int64_t j = 0; j < count; j++)
            for (int b = 0; b < L; b++) {
                float z = b < l ? k->P[j * l + b] : random[j * L + b];
                k->B[(i + j) * L + b] = z >= 0 ? 1.0f : -1.0f;
            }
        LBH_TRY(lbh_watch_check());
    }
    return LBH_OK;
}

int sgh_take_codes(lbh_training *t, sgh_run *r, sgh_codes *k)
{
    int64_t L = k->L, d = k->d, block = SGH_MAP_BLOCK;
    k->B = lbh_scratch_f(t, k->n, L);
    k->V = lbh_scratch_f(t, L, d);
    k->W = lbh_scratch_f(t, L, d);
    k->c = lbh_scratch_f(t, 1, L);
    k->P = lbh_scratch_f(t, block, L);
    k->Y = lbh_scratch_f(t, block, L);
    k->T = lbh_scratch_f(t, block, d);
    k->origin = lbh_scratch_f(t, 1, d);
    k->norm = lbh_scratch_f(t, 1, k->n);
    if (!k->B || !k->V || !k->W || !k->c || !k->P || !k->Y || !k->T || !k->origin || !k->norm)
        return LBH_ENOMEM;
    if (r->V)
        lbh_gemm_nt(1, (int)d, r->d, 1, r->mean, r->V, 0, k->origin);
    else
        memcpy(k->origin, r->mean, (size_t)d * sizeof *k->origin);
    memcpy(k->norm, r->norm, (size_t)k->n * sizeof *k->norm);
    return LBH_OK;
}

/* Queries' map without ranking: the linear map whose values come nearest to the codes (L2), or the
 * decoder itself, whose signs are the agreement q . v_k (inner product). */
static int linear_queries(lbh_training *t, const sgh_run *r, sgh_codes *k)
{
    int L = k->L, d = k->d;
    memcpy(k->W, k->V, (size_t)L * (size_t)d * sizeof *k->W);
    if (sgh_is_ip(k->mode))
        return LBH_OK;
    float *part = lbh_scratch_f(t, d, d > L ? d : L);
    double *C = lbh_scratch(t, (int64_t)d * d, sizeof *C), *R = lbh_scratch(t, (int64_t)d * L, 8);
    if (!part || !C || !R)
        return LBH_ENOMEM;
    double trace = 0;
    for (int64_t i = 0; i < k->n; i += SGH_MAP_BLOCK) { /* C = X^T X, R = X^T B */
        int count = (int)(k->n - i < SGH_MAP_BLOCK ? k->n - i : SGH_MAP_BLOCK);
        const float *X = r->rows + i * d;
        lbh_gemm_tn(d, d, count, 1, X, X, 0, part);
        for (int64_t j = 0; j < (int64_t)d * d; j++)
            C[j] += (double)part[j];
        lbh_gemm_tn(d, L, count, 1, X, k->B + i * L, 0, part);
        for (int64_t j = 0; j < (int64_t)d * L; j++)
            R[j] += (double)part[j];
        LBH_TRY(lbh_watch_check());
    }
    for (int j = 0; j < d; j++)
        trace += C[(int64_t)j * d + j];
    LBH_TRY(lbh_solve_spd(d, L, C, 1e-6 * trace / d + 1e-30, R));
    for (int j = 0; j < d; j++)
        for (int b = 0; b < L; b++)
            k->W[(int64_t)b * d + j] = (float)R[(int64_t)j * L + b];
    return LBH_OK;
}

static int tick(lbh_training *t, sgh_run *r)
{
    r->done += SGH_MAP_TICK;
    return lbh_report(t, r->done < r->total ? r->done : r->total - 1, r->total, 0);
}

static int alternate(lbh_training *t, sgh_run *r, sgh_codes *k, int rounds, int iterations)
{
    sgh_mode mode = k->mode;
    k->mode = SGH_MAP_L2; /* the plain error */
    int rc = LBH_OK;
    for (int i = 0; i < rounds && !t->stop && !rc; i++) {
        rc = fit_decoder(r, k);
        if (!rc)
            rc = sgh_improve_codes(r, k, iterations);
        if (!rc)
            rc = tick(t, r);
    }
    k->mode = mode;
    return rc ? rc : fit_decoder(r, k);
}

static int train_ip_decoder(const lbh_encoder *self, lbh_training *t, sgh_run *r, sgh_codes *k)
{
    int rounds = (int)self->value[SGH_OPT_ALTERNATIONS];
    LBH_TRY(alternate(t, r, k, rounds / 2, 50));
    k->alpha = 1;
    for (int i = 0; i < (rounds + 3) / 4 && !t->stop; i++) {
        LBH_TRY(fit_weighted_decoder(r, k, CG_STEPS));
        LBH_TRY(sgh_improve_codes(r, k, 60));
        LBH_TRY(tick(t, r));
    }
    return fit_weighted_decoder(r, k, CG_LAST);
}

static int train_ip_hamming(const lbh_encoder *self, lbh_training *t, sgh_run *r, sgh_codes *k,
                            sgh_ranking *ranking)
{
    LBH_TRY(alternate(t, r, k, ((int)self->value[SGH_OPT_ALTERNATIONS] + 2) / 3, 40));
    LBH_TRY(sgh_ranking_start(t, r, k, ranking));
    LBH_TRY(sgh_ranking_train(t, r, k, ranking, 250, 0.005));
    for (int i = 0; i < 3 && !t->stop; i++) {
        fit_alpha(r, k);
        LBH_TRY(sgh_improve_codes(r, k, 40));
        LBH_TRY(fit_decoder(r, k));
        LBH_TRY(sgh_ranking_train(t, r, k, ranking, i < 2 ? 120 : 400, i < 2 ? 0.003 : 0.005));
        LBH_TRY(tick(t, r));
    }
    fit_alpha(r, k);
    return LBH_OK;
}

int sgh_map_train(lbh_encoder *self, lbh_training *t, sgh_run *r, sgh_mode mode, sgh_codes *k,
                  sgh_ranking *ranking)
{
    *k = (sgh_codes){.n = r->n < SGH_MAP_ROWS ? r->n : SGH_MAP_ROWS,
                     .L = r->cfg.nbits,
                     .d = r->cfg.d,
                     .mode = mode,
                     .lambda = (float)self->value[SGH_OPT_ALONG]};
    if (k->lambda < 0)
        k->lambda = mode == SGH_MAP_IP_HAMMING ? 0.5f : 2;
    if (!sgh_inner_products(self))
        k->lambda = 0;
    LBH_TRY(sgh_take_codes(t, r, k));
    LBH_TRY(first_codes(t, r, k));
    if (mode == SGH_MAP_IP_HAMMING)
        return train_ip_hamming(self, t, r, k, ranking);
    if (mode == SGH_TABLES) {
        LBH_TRY(sgh_tables_train(self, t, r, k));
        LBH_TRY(fit_decoder(r, k));
    } else if (mode == SGH_MAP_IP_DECODER)
        LBH_TRY(train_ip_decoder(self, t, r, k));
    else
        LBH_TRY(alternate(t, r, k, (int)self->value[SGH_OPT_ALTERNATIONS], 100));
    return linear_queries(t, r, k);
}

/* x^ = m + b V -> codes {0,1}; p, y and t of encoding are in the data's units, so that the form is
 * 1 / scale^2 times that of training and alpha 1 / scale times. */
void sgh_map_leave_space(const sgh_run *r, const sgh_codes *k, sgh_model *model)
{
    int d = r->d, L = k->L;
    bool ip = sgh_is_ip(k->mode);
    sgh_expand(r, L, k->V, model->U);
    sgh_expand(r, L, k->W, model->W);
    memcpy(model->c, r->mean, (size_t)d * sizeof *model->c);
    for (int b = 0; b < L; b++) {
        double shift = 0;
        for (int j = 0; j < d; j++) {
            int64_t i = (int64_t)b * d + j;
            model->U[i] *= 2 / r->scale;
            model->c[j] -= 0.5f * model->U[i];
            model->W[i] *= ip ? 1 : r->scale; /* L2: of (x - mean) scale; else: of q / ||q|| */
            shift += (double)model->W[i] * (double)r->mean[j];
        }
        model->b[b] = ip ? k->c[b] : (float)-shift;
    }
    model->search[0] = (float)k->mode;
    model->search[1] = k->mode != SGH_MAP_L2 ? k->lambda : 0;
    model->search[2] = k->mode == SGH_MAP_IP_HAMMING ? k->alpha / r->scale : 1;
}
