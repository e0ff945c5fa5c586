/* exact_search.c: see lbh_exact.h.
 *
 * In blocks of queries and tiles of rows, one product of matrices in single precision gives each
 * half squared distance |x|^2 / 2 - q.x (less |q|^2 / 2, the same for all rows), or each inner
 * product (for cosines with x / |x|), up to a known error (exact_space.c): an interval. Who may be among the k nearest by these
 * is kept (exact_pool.c), and put in order by double precision and more (exact_rank.c). Rows and
 * queries that single precision cannot hold go straight there. */
#include "lbh_exact.h"

#include "arena.h"
#include "cpu.h"
#include "error.h"
#include "exact_pool.h"
#include "exact_rank.h"
#include "exact_space.h"
#include "rows.h"
#include "threads.h"
#include "watch.h"

#include <cblas.h>
#include <math.h>
#include <omp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK_BYTES = 1 << 28, /* of the base at a time, and of answers that wait for its next part */
       QUERIES = 1024,        /* that have pools at a time */
       GROUP = 256,           /* queries of a thread's product at most */
       TILE = 1024,           /* rows of a product */
       FEW = 8,               /* queries that are not worth the preparation */
       MOST_D = 1 << 20 };    /* beyond it the bound says little */

typedef struct search {
    const lbh_rows *base;
    int metric;
    int64_t nq, k;
    const float *q;
    const int64_t *skip;
    lbh_near_rows where; /* the chunk in hand */
    float *chunk;        /* its memory, unless the base is a matrix */
    lbh_exact_space space;
    lbh_near *best; /* k a query, of the `super` queries in hand */
    int64_t *found; /* of those, how many there are so far */
    lbh_pool *pool; /* QUERIES */
    float *query, *tile, *product;
    double *query_norm; /* negative: does not fit */
    float *start, *norm; /* of a tile's rows: |x|^2 / 2 less its error, and |x| */
    int threads;
    int64_t done; /* pairs of a query and a row */
    lbh_failure failure;
} search;

/* ---- One query ----------------------------------------------------------------------------- */

/* Takes all rows of the chunk into the pool, in double precision. */
static int take_all(const search *s, int64_t q, lbh_pool *pool)
{
    int d = s->base->d;
    for (int64_t i = 0; i < s->where.n; i++) {
        lbh_near near = {.id = s->where.first + i};
        if (s->skip && s->skip[q] == near.id)
            continue;
        lbh_near_measure(s->metric, d, s->q + q * d, s->where.x + i * d, &near);
        LBH_TRY(lbh_near_check(&near));
        LBH_TRY(lbh_pool_add(pool, near.distance - near.error, near.distance + near.error,
                             near.id));
    }
    return LBH_OK;
}

/* Puts the pool's rows in order with the best of the chunks before. */
static int finish(const search *s, int64_t q, lbh_pool *pool, lbh_near *best, int64_t *found)
{
    int d = s->base->d;
    lbh_pool_prune(pool);
    int64_t count = pool->count + *found;
    lbh_near *list = lbh_alloc(count, sizeof *list);
    int rc = list ? LBH_OK : LBH_ENOMEM;
    for (int64_t i = 0; i < pool->count && !rc; i++) {
        list[i].id = pool->entry[i].id;
        lbh_near_measure(s->metric, d, s->q + q * d,
                         s->where.x + (list[i].id - s->where.first) * d, &list[i]);
        rc = lbh_near_check(&list[i]);
    }
    if (!rc) {
        memcpy(list + pool->count, best, (size_t)*found * sizeof *list);
        rc = lbh_near_sort(&s->where, s->metric, s->q + q * d, count, s->k, list);
    }
    if (!rc) {
        *found = count < s->k ? count : s->k;
        memcpy(best, list, (size_t)*found * sizeof *list);
    }
    free(list);
    return rc;
}

/* ---- Tiles --------------------------------------------------------------------------------- */

static void prepare_tile(search *s, int64_t first, int64_t count)
{
    int d = s->base->d;
#pragma omp parallel for schedule(static) num_threads(s->threads)
    for (int64_t i = 0; i < count; i++) {
        double norm;
        bool fits = lbh_exact_space_row(&s->space, s->where.x + (first + i) * d, s->tile + i * d,
                                        &norm);
        double half = s->metric == LBH_METRIC_L2 ? norm * norm / 2 : 0;
        /* NOLINTNEXTLINE(clang-analyzer-core*): no search begins without its memory */
        s->start[i] = fits ? (float)(half - s->space.own * norm * norm) : -INFINITY;
        s->norm[i] = nextafterf((float)norm, INFINITY);
    }
}

enum { BLOCK = 64, WORD = 8 };

/* Which of `count` lower ends may be below the bar, and whether one is: almost none, once k rows
 * are known. */
LBH_CLONES
static int find_below(int64_t count, const float *restrict start, const float *restrict product,
                      const float *restrict norm, float slope, float bar, uint8_t *restrict below)
{
    int any = 0;
    for (int64_t i = 0; i < count; i++) {
        int is = start[i] - product[i] - slope * norm[i] <= bar;
        below[i] = (uint8_t)is;
        any |= is;
    }
    return any;
}

/* Rows first .. first + n - 1 of the chunk for query q, whose number in the block is i. */
static int scan(const search *s, int64_t q, int64_t i, int64_t first, int64_t n,
                const float *product)
{
    const lbh_exact_space *space = &s->space;
    lbh_pool *pool = &s->pool[i];
    double nq = s->query_norm[i], fixed = space->own * nq * nq + space->least;
    float slope = (float)(space->cross * nq);
    for (int64_t at = 0; at < n; at += BLOCK) {
        float bar = nextafterf((float)(pool->bar + fixed), INFINITY);
        uint8_t below[BLOCK] = {0};
        if (!find_below(n - at < BLOCK ? n - at : BLOCK, s->start + at, product + at, s->norm + at,
                        slope, bar, below))
            continue;
        for (int word = 0; word < BLOCK; word += WORD) {
            uint64_t set;
            memcpy(&set, below + word, WORD);
            for (; set; set &= set - 1) { /* a byte is 0 or 1; numbers are little-endian */
                int64_t j = at + word + __builtin_ctzll(set) / 8, id = s->where.first + first + j;
                if (s->skip && s->skip[q] == id)
                    continue;
                double norm = (double)s->norm[j], rounding = space->own * norm * norm;
                double score = (double)s->start[j] + rounding - (double)product[j];
                double error = space->cross * nq * norm + rounding + fixed;
                LBH_TRY(lbh_pool_add(pool, score - error,
                                     isinf(s->start[j]) ? INFINITY : score + error, id));
            }
        }
    }
    return LBH_OK;
}

/* Multiplies a tile with all queries of the block, a group of them a thread, and looks at the
 * products while they are in its cache. */
static void visit_tile(search *s, int64_t q0, int64_t count, int64_t first, int64_t n)
{
    int d = s->base->d;
    int64_t group = count / (2 * s->threads) + 1;
    group = group > GROUP ? GROUP : group < 32 ? 32 : group;
#pragma omp parallel for schedule(dynamic, 1) num_threads(s->threads)
    for (int64_t i = 0; i < count; i += group) {
        int64_t rows = count - i < group ? count - i : group;
        float *product = s->product + (int64_t)omp_get_thread_num() * GROUP * TILE;
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)rows, (int)n, d, 1,
                    s->query + i * d, d, s->tile, d, 0, product, (int)n);
        for (int64_t j = i; j < i + rows; j++)
            if (s->query_norm[j] >= 0)
                lbh_failure_note(&s->failure, scan(s, q0 + j, j, first, n, product + (j - i) * n));
    }
}

/* ---- Blocks of queries, chunks of rows ----------------------------------------------------- */

static int prepare_queries(search *s, int64_t q0, int64_t count)
{
    int d = s->base->d;
    for (int64_t i = 0; i < count; i++)
        LBH_TRY(lbh_pool_start(&s->pool[i], s->k));
    bool few = s->nq < FEW || d > MOST_D;
#pragma omp parallel for schedule(static) num_threads(s->threads)
    for (int64_t i = 0; i < count; i++) {
        s->query_norm[i] = -1;
        if (!few && !lbh_exact_space_query(&s->space, s->q + (q0 + i) * d, s->query + i * d,
                                           &s->query_norm[i]))
            s->query_norm[i] = -1;
    }
    return LBH_OK;
}

static int search_block(search *s, int64_t q0, int64_t count, lbh_near *best, int64_t *found)
{
    LBH_TRY(prepare_queries(s, q0, count));
    bool some = false;
    for (int64_t i = 0; i < count; i++)
        some |= s->query_norm[i] >= 0;
    for (int64_t first = 0; first < s->where.n && some; first += TILE) {
        int64_t n = s->where.n - first < TILE ? s->where.n - first : TILE;
        prepare_tile(s, first, n);
        visit_tile(s, q0, count, first, n);
        LBH_TRY(lbh_watch_check());
    }
    bool stop = false;
#pragma omp parallel for schedule(dynamic, 4) num_threads(s->threads)
    for (int64_t i = 0; i < count; i++) {
        int rc = s->failure.code;
        if (lbh_watch_stopped(&stop))
            continue;
        if (!rc && s->query_norm[i] < 0)
            rc = take_all(s, q0 + i, &s->pool[i]);
        if (!rc)
            rc = finish(s, q0 + i, &s->pool[i], best + i * s->k, found + i);
        lbh_failure_note(&s->failure, rc);
    }
    LBH_TRY(lbh_failure_raise(&s->failure));
    s->done += count * s->where.n;
    return lbh_watch_step(s->done);
}

/* Has rows first .. first + count - 1 in hand. */
static int load(search *s, int64_t first, int64_t count)
{
    if (s->where.x && s->where.first == first && s->where.n == count)
        return LBH_OK;
    s->where.first = first;
    s->where.n = count;
    s->where.x = lbh_rows_matrix(s->base);
    if (!s->where.x) {
        int64_t *ids = lbh_alloc(count, sizeof *ids);
        for (int64_t i = 0; ids && i < count; i++)
            ids[i] = first + i;
        int rc = ids ? s->base->read(s->base, count, ids, s->chunk) : LBH_ENOMEM;
        free(ids);
        LBH_TRY(rc);
        s->where.x = s->chunk;
    }
    if (s->nq < FEW)
        return LBH_OK;
    return lbh_exact_space_choose(&s->space, s->metric, s->base->d, count, s->where.x);
}

static int take_memory(search *s, int64_t chunk_rows, int64_t super)
{
    int64_t d = s->base->d, block = s->nq < QUERIES ? s->nq : QUERIES;
    int64_t product = s->nq < FEW ? 0 : (int64_t)s->threads * GROUP * TILE;
    s->best = lbh_alloc(super * s->k, sizeof *s->best);
    s->found = lbh_alloc(super, sizeof *s->found);
    s->pool = lbh_alloc(QUERIES, sizeof *s->pool);
    s->query = lbh_alloc(block * d, sizeof *s->query);
    s->query_norm = lbh_alloc(block, sizeof *s->query_norm);
    s->tile = lbh_alloc(s->nq < FEW ? 0 : TILE * d, sizeof *s->tile);
    s->product = lbh_alloc(product, sizeof *s->product);
    s->start = lbh_alloc(TILE, sizeof *s->start);
    s->norm = lbh_alloc(TILE, sizeof *s->norm);
    if (!lbh_rows_matrix(s->base))
        s->chunk = lbh_alloc(chunk_rows * d, sizeof *s->chunk);
    bool ok = s->best && s->found && s->pool && s->query && s->query_norm && s->tile &&
              s->product && s->start && s->norm && (s->chunk || lbh_rows_matrix(s->base));
    return ok ? LBH_OK : LBH_ENOMEM;
}

static void give_memory(search *s)
{
    for (int64_t i = 0; s->pool && i < QUERIES; i++)
        lbh_pool_free(&s->pool[i]);
    lbh_exact_space_free(&s->space);
    free(s->best);
    free(s->found);
    free(s->pool);
    free(s->query);
    free(s->query_norm);
    free(s->tile);
    free(s->product);
    free(s->start);
    free(s->norm);
    free(s->chunk);
}

static int64_t rows_of_chunk(const search *s)
{
    int64_t rows = CHUNK_BYTES / (4 * (int64_t)s->base->d);
    rows = rows < TILE ? TILE : rows;
    return rows > s->base->n || lbh_rows_matrix(s->base) ? s->base->n : rows;
}

static int run(search *s, int64_t k, double *distances, int64_t *labels)
{
    int64_t chunk = rows_of_chunk(s), n = s->base->n;
    int64_t super = CHUNK_BYTES / (int64_t)sizeof(lbh_near) / (s->k + 1) + 1;
    super = super < s->nq ? super : s->nq;
    LBH_TRY(take_memory(s, chunk, super));
    for (int64_t q0 = 0; q0 < s->nq; q0 += super) {
        int64_t count = s->nq - q0 < super ? s->nq - q0 : super;
        memset(s->found, 0, (size_t)count * sizeof *s->found);
        for (int64_t first = 0; first < n; first += chunk) {
            LBH_TRY(load(s, first, n - first < chunk ? n - first : chunk));
            for (int64_t i = 0; i < count; i += QUERIES)
                LBH_TRY(search_block(s, q0 + i, count - i < QUERIES ? count - i : QUERIES,
                                     s->best + i * s->k, s->found + i));
        }
        for (int64_t i = 0; i < count; i++)
            lbh_near_write(s->metric, k, s->found[i], s->best + i * s->k,
                          distances ? distances + (q0 + i) * k : NULL, labels + (q0 + i) * k);
    }
    return LBH_OK;
}

/* ---- Calls --------------------------------------------------------------------------------- */

int lbh_exact_search(const lbh_rows *base, int metric, int64_t nq, const float *q,
                     const int64_t *skip, int64_t k, double *distances, int64_t *labels)
{
    LBH_TRY(lbh_exact_check("lbh_exact_search", base, metric, nq, q, k, labels));
    search *s = nq ? lbh_alloc(1, sizeof *s) : NULL;
    if (!s)
        return nq ? lbh_error(LBH_ENOMEM, "out of memory for true neighbours") : LBH_OK;
    *s = (search){.base = base, .metric = metric, .nq = nq, .q = q, .skip = skip};
    s->k = k < base->n ? k : base->n > 0 ? base->n : 1;
    omp_lock_t reading;
    omp_init_lock(&reading);
    s->where = (lbh_near_rows){.rows = base, .lock = &reading};
    s->threads = lbh_threads_for((double)nq * (double)base->n * base->d);
    lbh_watch_begin("exact search", nq * base->n);
    int rc = lbh_watch_end(run(s, k, distances, labels));
    if (rc == LBH_ENOMEM)
        lbh_error(rc, "out of memory for true neighbours");
    give_memory(s);
    omp_destroy_lock(&reading);
    free(s);
    return rc;
}
