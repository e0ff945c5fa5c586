/* table_codes.c: see table_codes.h. With G = 2 T T^T over all entries of all tables, the error of a row
 * as a function of byte m alone is, up to a constant,
 *
 *     s_m[v] = base_m[v] + S_m[v],  S_m[v] = sum over the other bytes o of G[o, b_o][m, v],
 *     base_m[v] = ||T_m[v]||^2 - 2 x . T_m[v] + cost_m[v]
 *
 * and with `along` more, a_m[v] = u . T_m[v], w = u . (x - sum over the others of T_o[b_o]):
 *
 *     + along (w - a_m[v])^2
 *
 * so that after one product of the row with all entries no step depends on the dimension. G is what is
 * read most, and it is larger than caches. So S is kept for all bytes, and two rows of G are read when
 * a byte changes, none when it is looked at; and G has numbers of 16 bits, those of byte m in units of
 * unit_m, a 32767th of the largest. S is a sum of whole numbers: exact, in whatever order the bytes
 * have changed. What is minimised is thereby off by at most half a unit for each other byte. */
#include "table_codes.h"

#include "arena.h"
#include "cpu.h"
#include "error.h"
#include "linear.h"
#include "watch.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 32, PASSES = 4, SHAKEN = 2 };

static const float NEVER = 1e30f; /* the score of values with pad bits */

struct lbh_table_search {
    int nbytes, columns;
    int last; /* values of the last byte */
    int16_t *G;        /* entries x entries: (o, b_o), (m, v), in units of ... */
    float *unit;       /* [nbytes]: of m */
    float *norm;       /* [entries]: ||T_m[v]||^2 */
    lbh_panels *twice; /* x -> -2 x . T */
};

/* One thread's memory. */
typedef struct worker {
    float *base, *along; /* ROWS x entries each */
    float *score;        /* 256 */
    int32_t *sum, *trial; /* entries: S of a code, and of what is tried */
} worker;

/* One row. */
typedef struct row {
    const float *base, *a; /* entries; a NULL: no direction */
    float along, t;        /* t = u . x */
    float *score;          /* 256, scratch */
} row;

/* A code with its S. */
typedef struct code {
    uint8_t *b;   /* nbytes */
    int32_t *sum; /* entries */
} code;

/* ---- What all rows share -------------------------------------------------------------------- */

/* largest[nbytes]: of the products of one entry with those of each other table. */
static void take_largest(int nbytes, int own, const float *product, float *largest)
{
    for (int m = 0; m < nbytes; m++)
        for (int v = 0; v < LBH_TABLE && m != own; v++)
            largest[m] = fmaxf(largest[m], fabsf(product[m * LBH_TABLE + v]));
}

static void round_products(const lbh_table_search *s, int own, const float *product, int16_t *to)
{
    for (int m = 0; m < s->nbytes; m++)
        for (int v = 0; v < LBH_TABLE; v++) {
            float times = product[m * LBH_TABLE + v] / s->unit[m];
            to[m * LBH_TABLE + v] = m == own ? 0 : (int16_t)lrintf(times);
        }
}

/* Products of all entries with each other, twice: for their units, and to be rounded to them. */
static int fill_products(lbh_table_search *s, const lbh_panels *twice, const float *T)
{
    const int64_t entries = (int64_t)s->nbytes * LBH_TABLE;
    float largest[LBH_MAX_TABLES] = {0};
    int failed = 0;
    for (int round = 0; round < 2; round++) {
#pragma omp parallel reduction(max : largest, failed)
        {
            float *product = lbh_alloc(ROWS * entries, sizeof *product);
            failed = product ? failed : 1;
#pragma omp for schedule(dynamic)
            for (int64_t first = 0; first < entries; first += ROWS) {
                if (!product)
                    continue;
                lbh_panels_apply(twice, ROWS, T + first * s->columns, product);
                for (int64_t i = first; i < first + ROWS; i++) {
                    const float *of = product + (i - first) * entries;
                    s->norm[i] = of[i] / 2;
                    if (round == 0)
                        take_largest(s->nbytes, (int)(i / LBH_TABLE), of, largest);
                    else
                        round_products(s, (int)(i / LBH_TABLE), of, s->G + i * entries);
                }
            }
            free(product);
        }
        for (int m = 0; m < s->nbytes; m++)
            s->unit[m] = largest[m] > 0 ? largest[m] / INT16_MAX : 1;
    }
    return failed ? LBH_ENOMEM : LBH_OK;
}

/* times * T in panels. */
static int new_panels(lbh_panels **panels, float times, int64_t entries, int columns, const float *T)
{
    float *scaled = lbh_alloc(entries * columns, sizeof *scaled);
    for (int64_t i = 0; scaled && i < entries * columns; i++)
        scaled[i] = times * T[i];
    int rc = scaled ? lbh_panels_new(panels, (int)entries, columns, scaled, NULL) : LBH_ENOMEM;
    free(scaled);
    return rc;
}

int lbh_table_search_new(lbh_table_search **out, int nbits, int columns, const float *T)
{
    int nbytes = (nbits + 7) / 8;
    int64_t entries = (int64_t)nbytes * LBH_TABLE;
    lbh_table_search *s = lbh_alloc(1, sizeof *s);
    lbh_panels *twice = NULL;
    int rc = s ? new_panels(&twice, 2, entries, columns, T) : LBH_ENOMEM;
    if (!rc) {
        s->nbytes = nbytes;
        s->columns = columns;
        s->last = 1 << (nbits - 8 * (nbytes - 1));
        s->G = lbh_alloc(entries * entries, sizeof *s->G);
        s->unit = lbh_alloc(nbytes, sizeof *s->unit);
        s->norm = lbh_alloc(entries, sizeof *s->norm);
        rc = s->G && s->unit && s->norm ? fill_products(s, twice, T) : LBH_ENOMEM;
    }
    if (!rc)
        rc = new_panels(&s->twice, -2, entries, columns, T);
    lbh_panels_free(twice);
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
    free(s->unit);
    free(s->norm);
    free(s);
}

/* ---- One row ------------------------------------------------------------------------------- */

/* sum[n] += to - from */
LBH_CLONES
static void add_difference(int n, const int16_t *restrict from, const int16_t *restrict to,
                           int32_t *restrict sum)
{
    for (int i = 0; i < n; i++)
        sum[i] += (int32_t)to[i] - (int32_t)from[i];
}

LBH_CLONES
static void add_to(int n, const int16_t *restrict more, int32_t *restrict sum)
{
    for (int i = 0; i < n; i++)
        sum[i] += more[i];
}

/* score[256] = base + unit sum */
LBH_CLONES
static void add_sum(float unit, const int32_t *restrict sum, const float *restrict base,
                    float *restrict score)
{
    for (int v = 0; v < LBH_TABLE; v++)
        score[v] = base[v] + unit * (float)sum[v];
}

LBH_CLONES
static void add_direction(float along, float w, const float *restrict a, float *restrict score)
{
    for (int v = 0; v < LBH_TABLE; v++) {
        float rest = w - a[v];
        score[v] += along * rest * rest;
    }
}

/* A whole number that has the order of the float: compilers find least whole numbers in vectors. */
static inline int32_t ordered(float x)
{
    int32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits < 0 ? bits ^ INT32_MAX : bits;
}

/* The least score's place, the first of equals. */
LBH_CLONES
static int least(const float *restrict score)
{
    int32_t best = INT32_MAX, at = LBH_TABLE;
    for (int32_t v = 0; v < LBH_TABLE; v++) {
        int32_t x = ordered(score[v]);
        best = x < best ? x : best;
    }
    for (int32_t v = 0; v < LBH_TABLE; v++) {
        int32_t place = ordered(score[v]) == best ? v : LBH_TABLE;
        at = place < at ? place : at;
    }
    return at;
}

/* The row of G of value v of byte m, which is zero where byte m is. */
static const int16_t *products(const lbh_table_search *s, int m, int v)
{
    return s->G + ((int64_t)m * LBH_TABLE + v) * s->nbytes * LBH_TABLE;
}

static void start(const lbh_table_search *s, code *c)
{
    int entries = s->nbytes * LBH_TABLE;
    memset(c->sum, 0, (size_t)entries * sizeof *c->sum);
    for (int m = 0; m < s->nbytes; m++)
        add_to(entries, products(s, m, c->b[m]), c->sum);
}

static void change(const lbh_table_search *s, code *c, int m, int v)
{
    if (v != c->b[m])
        add_difference(s->nbytes * LBH_TABLE, products(s, m, c->b[m]), products(s, m, v), c->sum);
    c->b[m] = (uint8_t)v;
}

/* Scores of all values of byte m. */
static void conditional(const lbh_table_search *s, const row *r, const code *c, int m)
{
    add_sum(s->unit[m], c->sum + m * LBH_TABLE, r->base + m * LBH_TABLE, r->score);
    if (!r->a)
        return;
    float w = r->t;
    for (int o = 0; o < s->nbytes; o++)
        if (o != m)
            w -= r->a[o * LBH_TABLE + c->b[o]];
    add_direction(r->along, w, r->a + m * LBH_TABLE, r->score);
}

/* Each byte in turn, from byte `first` on, until nothing changes. Returns what was gained. */
static float descend(const lbh_table_search *s, const row *r, int first, code *c)
{
    float gain = 0;
    for (int still = 0, step = 0; still < s->nbytes && step < PASSES * s->nbytes; step++) {
        int m = (first + step) % s->nbytes;
        conditional(s, r, c, m);
        int v = least(r->score);
        still = v == c->b[m] ? still + 1 : 1;
        gain += r->score[c->b[m]] - r->score[v];
        change(s, c, m, v);
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

static void search_row(const lbh_table_search *s, const row *r, int patience, code *best, code *trial)
{
    const size_t size = (size_t)s->nbytes, sums = size * LBH_TABLE * sizeof *best->sum;
    start(s, best);
    descend(s, r, 0, best);
    for (uint32_t k = 0, idle = 0; idle < (uint32_t)patience; k++) {
        float gain = 0;
        int first = 0;
        memcpy(trial->b, best->b, size);
        memcpy(trial->sum, best->sum, sums);
        for (uint32_t i = 0; i < SHAKEN; i++) {
            uint32_t draw = mixed(SHAKEN * k + i);
            int m = (int)((draw >> 8) % size);
            int values = m == s->nbytes - 1 ? s->last : LBH_TABLE;
            int v = (int)(trial->b[m] + 1 + (draw & 127) * 2 % 255) % values;
            conditional(s, r, trial, m);
            gain += r->score[trial->b[m]] - r->score[v];
            change(s, trial, m, v);
            first = m + 1;
        }
        gain += descend(s, r, first, trial);
        idle = gain > 0 && memcmp(trial->b, best->b, size) != 0 ? 0 : idle + 1;
        if (idle == 0) {
            memcpy(best->b, trial->b, size);
            memcpy(best->sum, trial->sum, sums);
        }
    }
}

/* ---- Many rows ----------------------------------------------------------------------------- */

static int worker_new(worker *w, const lbh_table_search *s, const lbh_table_job *job)
{
    int64_t entries = (int64_t)s->nbytes * LBH_TABLE;
    w->base = lbh_alloc(ROWS * entries, sizeof *w->base);
    w->along = lbh_alloc(job->u ? ROWS * entries : 0, sizeof *w->along);
    w->score = lbh_alloc(LBH_TABLE, sizeof *w->score);
    w->sum = lbh_alloc(entries, sizeof *w->sum);
    w->trial = lbh_alloc(entries, sizeof *w->trial);
    return w->base && w->along && w->score && w->sum && w->trial ? LBH_OK : LBH_ENOMEM;
}

static void worker_clear(worker *w)
{
    free(w->base);
    free(w->along);
    free(w->score);
    free(w->sum);
    free(w->trial);
}

/* Adds norms and the cost of the bits to -2 x . T; bars pad bits. */
static void finish_base(const lbh_table_search *s, const float *bit_cost, float *base)
{
    int64_t entries = (int64_t)s->nbytes * LBH_TABLE;
    for (int64_t i = 0; i < entries; i++)
        base[i] += s->norm[i];
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
        uint8_t tried[LBH_MAX_TABLES];
        row r = {.base = w->base + i * entries, .score = w->score};
        const float *cost = job->bit_cost ? job->bit_cost + at * 8 * s->nbytes : NULL;
        finish_base(s, cost, w->base + i * entries);
        if (job->u) { /* a comes doubled and negated */
            r.a = w->along + i * entries;
            r.t = -2 * dot(s->columns, job->x + at * s->columns, job->u + at * s->columns);
            r.along = 0.25f * job->along;
        }
        search_row(s, &r, job->patience, &(code){job->codes + at * s->nbytes, w->sum},
                   &(code){tried, w->trial});
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
