/* table_codes.c: see table_codes.h. With G = 2 T T^T over all entries of all tables, the error of a row
 * as a function of byte m alone is, up to a constant,
 *
 *     s_m[v] = base_m[v] + sum over the other bytes o of G[o, b_o][m, v],
 *     base_m[v] = ||T_m[v]||^2 - 2 x . T_m[v] + cost_m[v]
 *
 * and with `along` more, a_m[v] = u . T_m[v], w = u . (x - sum over the others of T_o[b_o]):
 *
 *     + along (w - a_m[v])^2
 *
 * so that after one product of the row with all entries no step depends on the dimension. */
#include "table_codes.h"

#include "arena.h"
#include "cpu.h"
#include "error.h"
#include "linear.h"
#include "watch.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { LANES = 16, ROWS = 32, PASSES = 4, SHAKEN = 2 };

static const float NEVER = 1e30f; /* the score of values with pad bits */

struct lbh_table_search {
    int nbytes, columns;
    int last; /* values of the last byte */
    float *G;          /* entries x entries */
    lbh_panels *twice; /* x -> -2 x . T */
};

/* One thread's memory. */
typedef struct worker {
    float *base, *along; /* ROWS x entries each */
    float *score;        /* 256 */
} worker;

/* One row. */
typedef struct row {
    const float *base, *a; /* entries; a NULL: no direction */
    float along, t;        /* t = u . x */
} row;

int lbh_table_search_new(lbh_table_search **out, int nbits, int columns, const float *T)
{
    int nbytes = (nbits + 7) / 8;
    int64_t entries = (int64_t)nbytes * LBH_TABLE, size = entries * columns;
    lbh_table_search *s = lbh_alloc(1, sizeof *s);
    float *scaled = lbh_alloc(size, sizeof *scaled);
    lbh_panels *gram = NULL;
    int rc = s && scaled ? LBH_OK : LBH_ENOMEM;
    if (!rc) {
        s->nbytes = nbytes;
        s->columns = columns;
        s->last = 1 << (nbits - 8 * (nbytes - 1));
        s->G = lbh_alloc(entries * entries, sizeof *s->G);
        for (int64_t i = 0; i < size; i++)
            scaled[i] = 2 * T[i];
        rc = s->G ? lbh_panels_new(&gram, (int)entries, columns, scaled, NULL) : LBH_ENOMEM;
    }
    if (!rc) {
#pragma omp parallel for schedule(dynamic)
        for (int64_t i = 0; i < entries; i += 64)
            lbh_panels_apply(gram, entries - i < 64 ? entries - i : 64, T + i * columns,
                             s->G + i * entries);
        for (int64_t i = 0; i < size; i++)
            scaled[i] = -2 * T[i];
        rc = lbh_panels_new(&s->twice, (int)entries, columns, scaled, NULL);
    }
    lbh_panels_free(gram);
    free(scaled);
    if (rc)
        lbh_table_search_free(s);
    else
        *out = s;
    return rc;
}

void lbh_table_search_free(lbh_table_search *s)
{
    if (!s)
        return;
    lbh_panels_free(s->twice);
    free(s->G);
    free(s);
}

/* ---- One row ------------------------------------------------------------------------------- */

/* score[256] = base + the sum of `count` rows of G, in the order of the bytes. */
LBH_CLONES
static void add_rows(int count, const float *const *rows, const float *restrict base,
                     float *restrict score)
{
    for (int v = 0; v < LBH_TABLE; v += 4 * LANES) {
        float sum[4 * LANES];
        for (int j = 0; j < 4 * LANES; j++)
            sum[j] = base[v + j];
        for (int i = 0; i < count; i++)
            for (int j = 0; j < 4 * LANES; j++)
                sum[j] += rows[i][v + j];
        for (int j = 0; j < 4 * LANES; j++)
            score[v + j] = sum[j];
    }
}

LBH_CLONES
static void add_direction(float along, float w, const float *restrict a, float *restrict score)
{
    for (int v = 0; v < LBH_TABLE; v++) {
        float rest = w - a[v];
        score[v] += along * rest * rest;
    }
}

/* The least score's place, the first of equals. */
LBH_CLONES
static int least(const float *restrict score)
{
    float best[LANES];
    int32_t at[LANES];
    for (int j = 0; j < LANES; j++) {
        best[j] = score[j];
        at[j] = j;
    }
    for (int v = LANES; v < LBH_TABLE; v += LANES)
        for (int j = 0; j < LANES; j++) {
            bool less = score[v + j] < best[j];
            at[j] = less ? v + j : at[j];
            best[j] = less ? score[v + j] : best[j];
        }
    int k = 0;
    for (int j = 1; j < LANES; j++)
        if (best[j] < best[k] || (best[j] == best[k] && at[j] < at[k]))
            k = j;
    return at[k];
}

/* Scores of all values of byte m. */
static void conditional(const lbh_table_search *s, const row *r, const uint8_t *b, int m,
                        float *score)
{
    int64_t entries = (int64_t)s->nbytes * LBH_TABLE;
    const float *rows[LBH_MAX_TABLES] = {NULL};
    int count = 0;
    for (int o = 0; o < s->nbytes; o++)
        if (o != m)
            rows[count++] = s->G + ((int64_t)o * LBH_TABLE + b[o]) * entries + m * LBH_TABLE;
    add_rows(count, rows, r->base + m * LBH_TABLE, score);
    if (!r->a)
        return;
    float w = r->t;
    for (int o = 0; o < s->nbytes; o++)
        if (o != m)
            w -= r->a[o * LBH_TABLE + b[o]];
    add_direction(r->along, w, r->a + m * LBH_TABLE, score);
}

/* Each byte in turn, from byte `first` on, until nothing changes. Returns what was gained. */
static float descend(const lbh_table_search *s, const row *r, int first, uint8_t *b, float *score)
{
    float gain = 0;
    for (int still = 0, step = 0; still < s->nbytes && step < PASSES * s->nbytes; step++) {
        int m = (first + step) % s->nbytes;
        conditional(s, r, b, m, score);
        int v = least(score);
        still = v == b[m] ? still + 1 : 1;
        gain += score[b[m]] - score[v];
        b[m] = (uint8_t)v;
    }
    return gain;
}

/* Numbers for shake number k: the same for all rows. */
static uint32_t mixed(uint32_t k)
{
    k = (k + 1) * 0x9e3779b1u;
    k ^= k >> 15;
    k *= 0x85ebca77u;
    return k ^ k >> 13;
}

static void search_row(const lbh_table_search *s, const row *r, int patience, uint8_t *b,
                       float *score)
{
    uint8_t trial[LBH_MAX_TABLES];
    size_t size = (size_t)s->nbytes;
    descend(s, r, 0, b, score);
    for (uint32_t k = 0, idle = 0; idle < (uint32_t)patience; k++) {
        float gain = 0;
        int first = 0;
        memcpy(trial, b, size);
        for (uint32_t i = 0; i < SHAKEN; i++) {
            uint32_t draw = mixed(SHAKEN * k + i);
            int m = (int)((draw >> 8) % size);
            int values = m == s->nbytes - 1 ? s->last : LBH_TABLE;
            int v = (int)(trial[m] + 1 + (draw & 127) * 2 % 255) % values;
            conditional(s, r, trial, m, score);
            gain += score[trial[m]] - score[v];
            trial[m] = (uint8_t)v;
            first = m + 1;
        }
        gain += descend(s, r, first, trial, score);
        idle = gain > 0 && memcmp(trial, b, size) != 0 ? 0 : idle + 1;
        if (idle == 0)
            memcpy(b, trial, size);
    }
}

/* ---- Many rows ----------------------------------------------------------------------------- */

static int worker_new(worker *w, const lbh_table_search *s, const lbh_table_job *job)
{
    int64_t entries = (int64_t)s->nbytes * LBH_TABLE;
    w->base = lbh_alloc(ROWS * entries, sizeof *w->base);
    w->along = lbh_alloc(job->u ? ROWS * entries : 0, sizeof *w->along);
    w->score = lbh_alloc(LBH_TABLE, sizeof *w->score);
    return w->base && w->along && w->score ? LBH_OK : LBH_ENOMEM;
}

static void worker_clear(worker *w)
{
    free(w->base);
    free(w->along);
    free(w->score);
}

/* Adds norms and the cost of the bits to -2 x . T; bars pad bits. */
static void finish_base(const lbh_table_search *s, const float *bit_cost, float *base)
{
    int64_t entries = (int64_t)s->nbytes * LBH_TABLE;
    for (int64_t i = 0; i < entries; i++)
        base[i] += 0.5f * s->G[i * entries + i];
    for (int m = 0; bit_cost && m < s->nbytes; m++)
        for (int v = 0; v < LBH_TABLE; v++)
            for (int bit = 0; bit < 8; bit++)
                base[m * LBH_TABLE + v] += v >> bit & 1 ? bit_cost[8 * m + bit] : 0;
    for (int v = s->last; v < LBH_TABLE; v++)
        base[(s->nbytes - 1) * LBH_TABLE + v] = NEVER;
}

static float dot(int n, const float *x, const float *y)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += (double)x[i] * (double)y[i];
    return (float)sum;
}

static void search_block(const lbh_table_search *s, worker *w, int64_t first, int n,
                         const lbh_table_job *job)
{
    int64_t entries = (int64_t)s->nbytes * LBH_TABLE;
    lbh_panels_apply(s->twice, n, job->x + first * s->columns, w->base);
    if (job->u)
        lbh_panels_apply(s->twice, n, job->u + first * s->columns, w->along);
    for (int64_t i = 0; i < n; i++) {
        int64_t at = first + i;
        row r = {.base = w->base + i * entries};
        const float *cost = job->bit_cost ? job->bit_cost + at * 8 * s->nbytes : NULL;
        finish_base(s, cost, w->base + i * entries);
        if (job->u) { /* a comes doubled and negated */
            r.a = w->along + i * entries;
            r.t = -2 * dot(s->columns, job->x + at * s->columns, job->u + at * s->columns);
            r.along = 0.25f * job->along;
        }
        search_row(s, &r, job->patience, job->codes + at * s->nbytes, w->score);
    }
}

int lbh_table_search_some(const lbh_table_search *s, int64_t n, const lbh_table_job *job)
{
    worker w = {0};
    int rc = worker_new(&w, s, job);
    for (int64_t i = 0; i < n && !rc; i += ROWS)
        search_block(s, &w, i, n - i < ROWS ? (int)(n - i) : ROWS, job);
    worker_clear(&w);
    return rc;
}

int lbh_table_search_run(const lbh_table_search *s, int64_t n, const lbh_table_job *job)
{
    int failed = 0;
    bool stop = false;
#pragma omp parallel reduction(max : failed)
    {
        worker w = {0};
        failed = worker_new(&w, s, job) != LBH_OK;
#pragma omp for schedule(dynamic)
        for (int64_t i = 0; i < n; i += ROWS)
            if (!failed && !lbh_watch_stopped(&stop))
                search_block(s, &w, i, n - i < ROWS ? (int)(n - i) : ROWS, job);
        worker_clear(&w);
    }
    return failed ? lbh_error(LBH_ENOMEM, "out of memory while searching codes") : lbh_watch_check();
}
