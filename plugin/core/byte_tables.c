/* byte_tables.c: see byte_tables.h. The least squares are solved by Gauss-Seidel over the bytes: given
 * the residual E of all others, D_m[b] = sum of E over the rows with byte b / (their number + lambda).
 * Each lambda starts from the solution of the next larger one, the largest from 0. */
#include "byte_tables.h"

#include "arena.h"
#include "cpu.h"
#include "error.h"
#include "watch.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { LANES = 16, HELD = 8, SWEEPS = 3 };

/* In rows: what a table's entry needs to be believed by half. */
static const float lambdas[] = {1024, 256, 64, 16, 4};
enum { LAMBDAS = sizeof lambdas / sizeof *lambdas };

/* ---- Memory -------------------------------------------------------------------------------- */

int lbh_tables_new(lbh_tables *t, int nbytes, int columns, int d)
{
    *t = (lbh_tables){.nbytes = nbytes, .columns = columns, .d = d};
    t->T = lbh_alloc((int64_t)nbytes * LBH_TABLE * columns, sizeof *t->T);
    t->axes = lbh_alloc((int64_t)columns * d, sizeof *t->axes);
    t->centre = lbh_alloc(d, sizeof *t->centre);
    if (t->T && t->axes && t->centre)
        return LBH_OK;
    lbh_tables_clear(t);
    return LBH_ENOMEM;
}

void lbh_tables_clear(lbh_tables *t)
{
    free(t->T);
    free(t->axes);
    free(t->centre);
    *t = (lbh_tables){0};
}

/* ---- Use ----------------------------------------------------------------------------------- */

void lbh_tables_project(const lbh_tables *t, const float *x, float *y)
{
    for (int k = 0; k < t->columns; k++) {
        double sum = 0;
        for (int j = 0; j < t->d; j++)
            sum += ((double)x[j] - (double)t->centre[j]) * (double)t->axes[(int64_t)k * t->d + j];
        y[k] = (float)sum;
    }
}

/* x = y axes */
static void expand(const lbh_tables *t, const float *y, float *x)
{
    memset(x, 0, (size_t)t->d * sizeof *x);
    for (int k = 0; k < t->columns; k++)
        for (int j = 0; j < t->d; j++)
            x[j] += y[k] * t->axes[(int64_t)k * t->d + j];
}

int lbh_tables_decode(const lbh_tables *t, int64_t n, const uint8_t *codes, float *x)
{
    int failed = 0;
#pragma omp parallel if (n > 64) reduction(max : failed)
    {
        float *y = malloc((size_t)t->columns * sizeof *y);
        failed = !y;
#pragma omp for schedule(static)
        for (int64_t i = 0; i < n; i++) {
            if (!y)
                continue;
            memset(y, 0, (size_t)t->columns * sizeof *y);
            for (int m = 0; m < t->nbytes; m++) {
                int64_t entry = (int64_t)m * LBH_TABLE + codes[i * t->nbytes + m];
                for (int k = 0; k < t->columns; k++)
                    y[k] += t->T[entry * t->columns + k];
            }
            expand(t, y, x + i * t->d);
            for (int j = 0; j < t->d; j++)
                x[i * t->d + j] += t->centre[j];
        }
        free(y);
    }
    return failed ? lbh_error(LBH_ENOMEM, "out of memory for a vector") : LBH_OK;
}

void lbh_tables_expand(const lbh_tables *t, float *books)
{
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < (int64_t)t->nbytes * LBH_TABLE; i++) {
        expand(t, t->T + i * t->columns, books + i * t->d);
        for (int j = 0; i < LBH_TABLE && j < t->d; j++)
            books[i * t->d + j] += t->centre[j];
    }
}

/* ---- Fit ----------------------------------------------------------------------------------- */

/* One group of columns: E[n * LANES] the residuals, D[nbytes * 256 * LANES] what is added to T. */
typedef struct group {
    int64_t n;
    int nbytes;
    const uint8_t *codes;
    float *E, *D, *sum; /* sum[256 * LANES] */
    bool *stop;         /* what is left undone is of no use */
} group;

/* Sums of E by byte m, and the number of rows, of those that count. */
LBH_CLONES
static void add_rows(int64_t n, int nbytes, const uint8_t *codes, bool hold, const float *restrict E,
                     float *restrict sum, int32_t *count)
{
    for (int64_t i = 0; i < n; i++) {
        if (hold && i % HELD == HELD - 1)
            continue;
        float *restrict to = sum + (int64_t)codes[i * nbytes] * LANES;
        count[codes[i * nbytes]]++;
        for (int k = 0; k < LANES; k++)
            to[k] += E[i * LANES + k];
    }
}

LBH_CLONES
static void take_off(int64_t n, int nbytes, const uint8_t *codes, const float *restrict change,
                     float *restrict E)
{
    for (int64_t i = 0; i < n; i++)
        for (int k = 0; k < LANES; k++)
            E[i * LANES + k] -= change[(int64_t)codes[i * nbytes] * LANES + k];
}

static void sweep(const group *g, float lambda, bool hold)
{
    for (int m = 0; m < g->nbytes && !lbh_watch_stopped(g->stop); m++) {
        int32_t count[LBH_TABLE] = {0};
        float *D = g->D + (int64_t)m * LBH_TABLE * LANES;
        memset(g->sum, 0, LBH_TABLE * LANES * sizeof *g->sum);
        add_rows(g->n, g->nbytes, g->codes + m, hold, g->E, g->sum, count);
        for (int i = 0; i < LBH_TABLE * LANES; i++) {
            float change = (g->sum[i] - lambda * D[i]) / ((float)count[i / LANES] + lambda);
            D[i] += change;
            g->sum[i] = change;
        }
        take_off(g->n, g->nbytes, g->codes + m, g->sum, g->E);
    }
}

static void start(const group *g, int columns, int first, const float *R)
{
    int used = columns - first < LANES ? columns - first : LANES;
    memset(g->D, 0, (size_t)g->nbytes * LBH_TABLE * LANES * sizeof *g->D);
    for (int64_t i = 0; i < g->n; i++)
        for (int k = 0; k < LANES; k++)
            g->E[i * LANES + k] = k < used ? R[i * columns + first + k] : 0;
}

static double held_error(const group *g)
{
    double sum = 0;
    for (int64_t i = HELD - 1; i < g->n; i += HELD)
        for (int k = 0; k < LANES; k++)
            sum += (double)g->E[i * LANES + k] * (double)g->E[i * LANES + k];
    return sum;
}

/* The number of lambdas to go through, 0 for none; their errors go to error[2]. */
static int choose(const group *g, double *error)
{
    int best = 0;
    error[0] = error[1] = held_error(g);
    for (int l = 0; l < LAMBDAS && l - best < 2; l++) {
        for (int i = 0; i < SWEEPS; i++)
            sweep(g, lambdas[l], true);
        double e = held_error(g);
        if (e < error[1]) {
            error[1] = e;
            best = l + 1;
        }
    }
    return best;
}

static void fit_group(const group *g, lbh_tables *t, int first, const float *R, double *error)
{
    start(g, t->columns, first, R);
    int best = choose(g, error);
    start(g, t->columns, first, R);
    for (int l = 0; l < best; l++)
        for (int i = 0; i < SWEEPS; i++)
            sweep(g, lambdas[l], false);
    for (int64_t i = 0; i < (int64_t)g->nbytes * LBH_TABLE; i++)
        for (int k = 0; k < LANES && first + k < t->columns; k++)
            t->T[i * t->columns + first + k] += g->D[i * LANES + k];
}

/* What is done to one group of columns. */
typedef struct job {
    lbh_tables *t;
    int64_t n;
    const uint8_t *codes;
    const float *R;
    double *error; /* 2 a group: fit_group(); NULL: refit_group() */
    float lambda;
    int sweeps;
} job;

static void refit_group(const group *g, const job *j, int first)
{
    lbh_tables *t = j->t;
    int used = t->columns - first < LANES ? t->columns - first : LANES;
    start(g, t->columns, first, j->R);
    for (int64_t i = 0; i < (int64_t)g->nbytes * LBH_TABLE; i++)
        memcpy(g->D + i * LANES, t->T + i * t->columns + first, (size_t)used * sizeof *g->D);
    for (int i = 0; i < j->sweeps; i++)
        sweep(g, j->lambda, false);
    for (int64_t i = 0; i < (int64_t)g->nbytes * LBH_TABLE; i++)
        memcpy(t->T + i * t->columns + first, g->D + i * LANES, (size_t)used * sizeof *g->D);
}

static int run_groups(const job *j)
{
    lbh_tables *t = j->t;
    int groups = (t->columns + LANES - 1) / LANES, failed = 0;
    bool stop = false;
#pragma omp parallel reduction(max : failed)
    {
        group g = {.n = j->n, .nbytes = t->nbytes, .codes = j->codes, .stop = &stop};
        g.E = lbh_alloc(g.n * LANES, sizeof *g.E);
        g.D = lbh_alloc((int64_t)t->nbytes * LBH_TABLE * LANES, sizeof *g.D);
        g.sum = lbh_alloc(LBH_TABLE * LANES, sizeof *g.sum);
        failed = !g.E || !g.D || !g.sum;
#pragma omp for schedule(dynamic)
        for (int i = 0; i < groups; i++)
            if (failed || lbh_watch_stopped(&stop))
                continue;
            else if (j->error)
                fit_group(&g, t, i * LANES, j->R, j->error + 2 * i);
            else
                refit_group(&g, j, i * LANES);
        free(g.E);
        free(g.D);
        free(g.sum);
    }
    return failed ? lbh_error(LBH_ENOMEM, "out of memory for tables") : lbh_watch_check();
}

int lbh_tables_refit(lbh_tables *t, int64_t n, const uint8_t *codes, const float *R, float lambda,
                     int sweeps)
{
    return run_groups(&(job){t, n, codes, R, NULL, lambda, sweeps});
}

int lbh_tables_fit(lbh_tables *t, int64_t n, const uint8_t *codes, const float *R, double *error)
{
    int groups = (t->columns + LANES - 1) / LANES;
    double *part = lbh_alloc(2 * (int64_t)groups, sizeof *part);
    int rc = part ? run_groups(&(job){t, n, codes, R, part, 0, 0}) : LBH_ENOMEM;
    int64_t held = n / HELD > 0 ? n / HELD : 1;
    error[0] = error[1] = 0;
    for (int i = 0; i < groups && !rc; i++) {
        error[0] += part[2 * i] / (double)held;
        error[1] += part[2 * i + 1] / (double)held;
    }
    free(part);
    return rc;
}

void lbh_tables_subtract(const lbh_tables *t, int64_t n, const uint8_t *codes, float *R)
{
    int r = t->columns;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i++)
        for (int m = 0; m < t->nbytes; m++) {
            const float *entry = t->T + ((int64_t)m * LBH_TABLE + codes[i * t->nbytes + m]) * r;
            for (int k = 0; k < r; k++)
                R[i * r + k] -= entry[k];
        }
}
