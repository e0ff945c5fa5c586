/* sgh_rank.c: see sgh_rank.h. */
#include "sgh_rank.h"

#include "adam.h"
#include "blas.h"
#include "cpu.h"
#include "found.h"
#include "lbh_exact.h"
#include "rng.h"
#include "vmath.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { K = SGH_RANK_K, MAX_QUERIES = 10000, MAX_HELD = 1000, BATCH = 500, UNIFORM = 3000,
       TOP_BLOCK = 4096, POOL = BATCH * K + UNIFORM };
enum { STREAM_QUERIES = 64, STREAM_RANK_BATCH, STREAM_POOL };

struct sgh_rank_scratch {
    int64_t query[BATCH], pool[POOL];
    int npool;
    float *X, *Z, *S, *items, *logits; /* batch x d, batch x L (twice), pool x L, batch x pool */
    float *gW, *gc, *m, *v;            /* gradients; moments of W, c and log s in one array each */
};

/* ---- True neighbours ----------------------------------------------------------------------- */

/* q- . x ranks like q . x; the mean's share of it is the same for all rows. */
static int find_neighbours(const sgh_run *r, const sgh_codes *k, int64_t nq, const int64_t *row,
                           int64_t *top)
{
    lbh_rows rows = lbh_rows_from_matrix(k->n, k->d, r->rows);
    float *unit = lbh_alloc((int64_t)TOP_BLOCK * k->d, sizeof *unit);
    int rc = unit ? LBH_OK : LBH_ENOMEM;
    for (int64_t i = 0; i < nq && !rc; i += TOP_BLOCK) {
        int64_t count = nq - i < TOP_BLOCK ? nq - i : TOP_BLOCK;
        sgh_unit_rows(r, k, 0, count, row + i, unit);
        rc = lbh_exact_search(&rows, LBH_METRIC_IP, count, unit, row + i, K, NULL, top + i * K);
    }
    free(unit);
    return rc;
}

/* ---- Start --------------------------------------------------------------------------------- */

static int take_scratch(lbh_training *t, const sgh_codes *k, sgh_ranking *q)
{
    int64_t d = k->d, L = k->L;
    struct sgh_rank_scratch *s = lbh_scratch(t, 1, sizeof *s);
    if (!s)
        return LBH_ENOMEM;
    s->X = lbh_scratch_f(t, BATCH, d);
    s->Z = lbh_scratch_f(t, BATCH, L);
    s->S = lbh_scratch_f(t, BATCH, L);
    s->items = lbh_scratch_f(t, POOL, L);
    s->logits = lbh_scratch_f(t, BATCH, POOL);
    s->gW = lbh_scratch_f(t, L, d);
    s->gc = lbh_scratch_f(t, 1, L);
    s->m = lbh_scratch_f(t, 1, L * d + L + 1);
    s->v = lbh_scratch_f(t, 1, L * d + L + 1);
    q->scratch = s;
    bool ok = s->X && s->Z && s->S && s->items && s->logits && s->gW && s->gc && s->m && s->v;
    return ok ? LBH_OK : LBH_ENOMEM;
}

static int choose_queries(lbh_training *t, const sgh_run *r, const sgh_codes *k, sgh_ranking *q)
{
    q->nheld = k->n / 10 < MAX_HELD ? k->n / 10 : MAX_HELD;
    q->nq = k->n - q->nheld < MAX_QUERIES ? k->n - q->nheld : MAX_QUERIES;
    int64_t all = q->nq + q->nheld;
    q->row = lbh_scratch(t, all, sizeof *q->row);
    q->top = lbh_scratch(t, all * K, sizeof *q->top);
    if (!q->row || !q->top)
        return LBH_ENOMEM;
    LBH_TRY(lbh_rng_sample(r->seed, STREAM_QUERIES, k->n, all, q->row));
    q->held_row = q->row + q->nq;
    q->held_top = q->top + q->nq * K;
    return find_neighbours(r, k, all, q->row, q->top);
}

int sgh_ranking_start(lbh_training *t, const sgh_run *r, sgh_codes *k, sgh_ranking *q)
{
    *q = (sgh_ranking){.log_s = (float)log(2 / sqrt(k->L))};
    LBH_TRY(take_scratch(t, k, q));
    LBH_TRY(choose_queries(t, r, k, q));
    /* W = V, each bit's values scaled to standard deviation 1 over the queries. */
    int64_t m = q->nq < BATCH ? q->nq : BATCH;
    struct sgh_rank_scratch *s = q->scratch;
    sgh_unit_rows(r, k, 0, m, q->row, s->X);
    lbh_gemm_nt((int)m, k->L, k->d, 1, s->X, k->V, 0, s->Z);
    for (int b = 0; b < k->L; b++) {
        double sum = 0, square = 0;
        for (int64_t i = 0; i < m; i++) {
            sum += s->Z[i * k->L + b];
            square += (double)s->Z[i * k->L + b] * (double)s->Z[i * k->L + b];
        }
        double variance = m > 0 ? square / (double)m - sum / (double)m * (sum / (double)m) : 0;
        float scale = variance > 1e-30 ? (float)(1 / sqrt(variance)) : 1;
        for (int j = 0; j < k->d; j++)
            k->W[(int64_t)b * k->d + j] = scale * k->V[(int64_t)b * k->d + j];
        k->c[b] = 0;
    }
    return LBH_OK;
}

/* ---- Training ------------------------------------------------------------------------------ */

static int compare_rows(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Queries, and the pool: all their neighbours and uniformly drawn rows, rising and distinct. */
static void draw(const sgh_run *r, const sgh_codes *k, sgh_ranking *q)
{
    struct sgh_rank_scratch *s = q->scratch;
    int n = 0, distinct = 0;
    for (int i = 0; i < BATCH; i++) {
        uint64_t index = (uint64_t)(q->step * BATCH + i);
        s->query[i] = lbh_rng_below(r->seed, STREAM_RANK_BATCH, index, q->nq);
        for (int j = 0; j < K; j++)
            if (q->top[s->query[i] * K + j] >= 0)
                s->pool[n++] = q->top[s->query[i] * K + j];
    }
    for (int i = 0; i < UNIFORM; i++)
        s->pool[n++] = lbh_rng_below(r->seed, STREAM_POOL, (uint64_t)(q->step * UNIFORM + i), k->n);
    qsort(s->pool, (size_t)n, sizeof *s->pool, compare_rows);
    for (int i = 0; i < n; i++)
        if (i == 0 || s->pool[i] != s->pool[i - 1])
            s->pool[distinct++] = s->pool[i];
    s->npool = distinct;
    q->step++;
    for (int i = 0; i < distinct; i++)
        memcpy(s->items + (int64_t)i * k->L, k->B + s->pool[i] * k->L,
               (size_t)k->L * sizeof *s->items);
}

static int find_in_pool(const struct sgh_rank_scratch *s, int64_t row)
{
    const int64_t *p = bsearch(&row, s->pool, (size_t)s->npool, sizeof row, compare_rows);
    return p ? (int)(p - s->pool) : -1;
}

/* x <- e^u, u = x - largest, and its shares of sum e^u and sum e^u u. Far below the largest nothing is
 * left of either. */
static inline void exponential(float largest, float *x, float *sum, float *sum_u)
{
    const float far = -80;
    float u = *x - largest;
    u = u > far ? u : far;
    *x = lbh_expf(u);
    *sum += *x;
    *sum_u += *x * u;
}

/* exponential() of x[n]; returns sum e^u, and *moment = sum e^u u, each in one order. */
LBH_CLONES
static float exponentials(int n, float largest, float *restrict x, float *moment)
{
    enum { LANES = 16 };
    float sum[LANES] = {0}, sum_u[LANES] = {0};
    int whole = n / LANES * LANES;
    for (int i = 0; i < whole; i += LANES)
        for (int j = 0; j < LANES; j++)
            exponential(largest, x + i + j, sum + j, sum_u + j);
    for (int i = whole; i < n; i++)
        exponential(largest, x + i, sum + i - whole, sum_u + i - whole);
    for (int j = 1; j < LANES; j++) {
        sum[0] += sum[j];
        sum_u[0] += sum_u[j];
    }
    *moment = sum_u[0];
    return sum[0];
}

/* logits of one query -> d(loss)/d(logits), less the 1/batch; returns sum of gradient * logit. */
static double softmax_row(const sgh_ranking *q, int i, float *x)
{
    const struct sgh_rank_scratch *s = q->scratch;
    const int64_t *top = q->top + s->query[i] * K;
    int own = find_in_pool(s, q->row[s->query[i]]), n = s->npool, ntop = 0;
    float largest = -FLT_MAX, at_top[K];
    if (own >= 0)
        x[own] = -FLT_MAX; /* a query does not look for itself */
    for (int j = 0; j < n; j++)
        largest = x[j] > largest ? x[j] : largest;
    int place[K];
    for (int j = 0; j < K && top[j] >= 0; j++, ntop++) {
        place[j] = find_in_pool(s, top[j]);
        at_top[j] = x[place[j]];
    }
    float moment, sum = exponentials(n, largest, x, &moment), inv = 1 / sum;
    for (int j = 0; j < n; j++)
        x[j] *= inv;
    double change = (double)largest + (double)moment / (double)sum;
    for (int j = 0; j < ntop; j++) {
        x[place[j]] -= 1.0f / (float)ntop;
        change -= (double)at_top[j] / ntop;
    }
    return ntop ? change : 0;
}

/* Gradients of one batch into gW, gc; returns d(loss)/d(log s). */
static float gradients(const sgh_run *r, const sgh_codes *k, sgh_ranking *q)
{
    struct sgh_rank_scratch *s = q->scratch;
    int d = k->d, L = k->L, P = s->npool;
    int64_t rows[BATCH];
    float scale = expf(q->log_s);
    for (int i = 0; i < BATCH; i++)
        rows[i] = q->row[s->query[i]];
    sgh_unit_rows(r, k, 0, BATCH, rows, s->X);
    lbh_gemm_nt(BATCH, L, d, 1, s->X, k->W, 0, s->Z);
    for (int64_t i = 0; i < (int64_t)BATCH * L; i++) {
        s->Z[i] += k->c[i % L];
        s->S[i] = s->Z[i] >= 0 ? 1.0f : -1.0f;
    }
    lbh_gemm_nt(BATCH, P, L, scale, s->S, s->items, 0, s->logits);
    double change[BATCH], total = 0;
#pragma omp parallel for schedule(static)
    for (int i = 0; i < BATCH; i++)
        change[i] = softmax_row(q, i, s->logits + (int64_t)i * P);
    for (int i = 0; i < BATCH; i++)
        total += change[i];
    lbh_gemm_nn(BATCH, L, P, scale / BATCH, s->logits, s->items, 0, s->S);
    memset(s->gc, 0, (size_t)L * sizeof *s->gc);
    for (int64_t i = 0; i < (int64_t)BATCH * L; i++) {
        float h = tanhf(s->Z[i]);
        s->S[i] *= 1 - h * h;
        s->gc[i % L] += s->S[i];
    }
    lbh_gemm_tn(L, d, BATCH, 1, s->S, s->X, 0, s->gW);
    return (float)(total / BATCH);
}

int sgh_ranking_train(lbh_training *t, const sgh_run *r, sgh_codes *k, sgh_ranking *q, int steps,
                      double lr)
{
    const lbh_adam adam = {0.9f, 0.999f, 1e-8f};
    struct sgh_rank_scratch *s = q->scratch;
    int64_t size = (int64_t)k->L * k->d, L = k->L;
    if (q->nq == 0)
        return LBH_OK;
    memset(s->m, 0, (size_t)(size + L + 1) * sizeof *s->m);
    memset(s->v, 0, (size_t)(size + L + 1) * sizeof *s->v);
    for (int step = 0; step < steps && !t->stop; step++) {
        draw(r, k, q);
        float gs = gradients(r, k, q);
        float rate = lbh_adam_rate(&adam, lr * lbh_cosine(step, steps), step + 1);
        const lbh_learned p[] = {
            {k->W, s->gW, s->m, s->v, size, false},
            {k->c, s->gc, s->m + size, s->v + size, L, false},
            {&q->log_s, &gs, s->m + size + L, s->v + size + L, 1, false}};
        lbh_learned_step(&adam, rate, p, 3);
        LBH_TRY(lbh_report(t, r->done, r->total, 0)); /* cancel and time limit are looked at */
    }
    return LBH_OK;
}

/* ---- Judging ------------------------------------------------------------------------------- */

int sgh_ranking_recall(lbh_training *t, const sgh_ranking *q, int64_t n, int L,
                       const uint8_t *items, const uint8_t *queries, double *recall)
{
    int64_t found = 0, wanted = 0, size = (L + 7) / 8;
    uint16_t *distance = lbh_scratch(t, n, sizeof *distance);
    if (!distance)
        return LBH_ENOMEM;
    for (int64_t i = 0; i < q->nheld; i++) {
        const int64_t *top = q->held_top + i * K;
        found += lbh_found_within_100(n, L, items, queries + i * size, q->held_row[i], K, top,
                                      distance);
        for (int j = 0; j < K && top[j] >= 0; j++)
            wanted++;
    }
    *recall = wanted ? (double)found / (double)wanted : 0;
    return LBH_OK;
}
