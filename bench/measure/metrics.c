/* metrics.c: recall, average precision, precision. See metrics.h. */
#include "metrics.h"

#include "progress.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

/* ---- Relevance ----------------------------------------------------------------------------- */

int relevance_near(relevance *r, int64_t n, const int64_t *own, const truth *near, int64_t k)
{
    *r = (relevance){.nq = near->nq, .n = n, .own = own, .near = near,
                     .k = k < near->k ? k : near->k};
    r->most = r->k;
    return LBH_OK;
}

/* Rows of each class, by counting sort: class c has class_item[class_start[c] ..]. */
static int invert(relevance *r, const labels *base)
{
    int64_t classes = base->classes;
    r->class_start = cli_alloc(classes + 2, sizeof *r->class_start);
    r->class_item = cli_alloc(base->start[base->n], sizeof *r->class_item);
    if (!r->class_start || !r->class_item)
        return LBH_ENOMEM;
    memset(r->class_start, 0, (size_t)(classes + 2) * sizeof *r->class_start);
    for (int64_t i = 0; i < base->start[base->n]; i++)
        r->class_start[base->item[i] + 2]++;
    for (int64_t c = 0; c < classes; c++)
        r->class_start[c + 2] += r->class_start[c + 1];
    for (int64_t row = 0; row < base->n; row++)
        for (int64_t i = base->start[row]; i < base->start[row + 1]; i++)
            r->class_item[r->class_start[base->item[i] + 1]++] = row;
    return LBH_OK;
}

int relevance_labels(relevance *r, const int64_t *own, const labels *base, const labels *query)
{
    *r = (relevance){.nq = query->n, .n = base->n, .own = own, .query = query, .most = base->n};
    return invert(r, base);
}

void relevance_free(relevance *r)
{
    free(r->class_start);
    free(r->class_item);
    *r = (relevance){0};
}

/* NOLINTBEGIN(clang-analyzer-core.*): it takes memory that workers_new() refuses to be without for
 * missing. */

/* Union of the rows of all classes of a query, by marks: rows with several common labels count
 * once. */
static int64_t of_labels(const relevance *r, int64_t q, int64_t *items, uint8_t *mark)
{
    const int64_t *c = r->query->item + r->query->start[q];
    int64_t classes = r->query->start[q + 1] - r->query->start[q], count = 0;
    for (int64_t i = 0; i < classes; i++)
        for (int64_t p = r->class_start[c[i]]; p < r->class_start[c[i] + 1]; p++) {
            int64_t row = r->class_item[p];
            if (!mark[row] && !(r->own && r->own[q] == row))
                items[count++] = row;
            mark[row] = 1;
        }
    for (int64_t i = 0; i < classes; i++)
        for (int64_t p = r->class_start[c[i]]; p < r->class_start[c[i] + 1]; p++)
            mark[r->class_item[p]] = 0;
    if (classes > 1)
        qsort(items, (size_t)count, sizeof *items, compare_ids);
    return count;
}

int64_t relevance_of(const relevance *r, int64_t q, int64_t *items, uint8_t *mark)
{
    if (!r->near)
        return of_labels(r, q, items, mark);
    int64_t count = truth_known(r->near, q, r->k);
    memcpy(items, r->near->ids + q * r->near->k, (size_t)count * sizeof *items);
    qsort(items, (size_t)count, sizeof *items, compare_ids);
    return count;
}

/* NOLINTEND(clang-analyzer-core.*) */

/* ---- Average precision --------------------------------------------------------------------- */

void score_ranks(ap_sums *out, int64_t count, const int64_t *rank, const int64_t *hit,
                 int64_t r_cut)
{
    double sum = 0, sum_r = 0;
    int64_t found_r = 0, first = 0;
    for (int64_t i = 0; i < count; i++) {
        double term = (double)hit[i] / (double)rank[i];
        sum += term;
        first += rank[i] <= PRECISION_N;
        if (rank[i] <= r_cut) {
            sum_r += term;
            found_r++;
        }
    }
    *out = (ap_sums){.ap = count ? sum / (double)count : 0,
                     .ap_r = found_r ? sum_r / (double)found_r : 0,
                     .precision = (double)first / PRECISION_N,
                     .h2 = NAN,
                     .hit = count > 0,
                     .hit_r = found_r > 0};
}

void score_mean(map_scores *scores, int64_t nq, const ap_sums *sums)
{
    double ap = 0, ap_r = 0, precision = 0, h2 = 0;
    int64_t hits = 0, hits_r = 0, empty = 0;
    for (int64_t q = 0; q < nq; q++) {
        ap += sums[q].ap;
        ap_r += sums[q].ap_r;
        precision += sums[q].precision;
        h2 += sums[q].h2;
        hits += sums[q].hit;
        hits_r += sums[q].hit_r;
        empty += sums[q].empty_h2;
    }
    *scores = (map_scores){.map = ap / (double)hits,
                           .map_zero = ap / (double)nq,
                           .map_r = ap_r / (double)hits_r,
                           .map_r_zero = ap_r / (double)nq,
                           .precision = precision / (double)nq,
                           .precision_h2 = h2 / (double)nq,
                           .precision_h2_filled = h2 / (double)(nq - empty),
                           .empty_h2 = empty,
                           .skipped = nq - hits,
                           .skipped_r = nq - hits_r,
                           .queries = nq};
}

typedef struct worker {
    ranking ranks;
    int64_t *items;
    uint8_t *mark;
} worker;

static int workers_new(worker *w, int count, const relevance *rel, const code_set *base)
{
    int rc = LBH_OK;
    for (int t = 0; t < count && rc == LBH_OK; t++) {
        w[t].items = cli_alloc(rel->most, sizeof *w[t].items);
        w[t].mark = cli_alloc(rel->n, 1);
        if (!w[t].items || !w[t].mark)
            return LBH_ENOMEM;
        memset(w[t].mark, 0, (size_t)rel->n);
        rc = ranking_new(&w[t].ranks, base, rel->most);
    }
    return rc;
}

static void workers_free(worker *w, int count)
{
    for (int t = 0; w && t < count; t++) {
        ranking_free(&w[t].ranks);
        free(w[t].items);
        free(w[t].mark);
    }
    free(w);
}

static void score_query(ap_sums *out, worker *w, const relevance *rel, const code_set *base,
                        const code_set *query, int64_t q, int64_t r_cut)
{
    ranking *r = &w->ranks;
    int64_t count = relevance_of(rel, q, w->items, w->mark);
    rank_items(r, base, query->word + q * query->words, rel->own ? rel->own[q] : -1, count,
               w->items);
    score_ranks(out, count, r->rank, r->hit, r_cut);
    int64_t ball = r->below[r->levels > 3 ? 3 : r->levels], inside = 0;
    for (int64_t i = 0; i < count; i++)
        inside += r->item_distance[i] <= 2;
    out->h2 = ball ? (double)inside / (double)ball : 0;
    out->empty_h2 = ball == 0;
}

static int score_all(map_scores *scores, const relevance *rel, const code_set *base,
                     const code_set *query, int64_t r_cut, const rank_visitor *visitor)
{
    int threads = omp_get_max_threads();
    worker *w = calloc((size_t)threads, sizeof *w);
    ap_sums *sums = cli_alloc(rel->nq, sizeof *sums);
    int rc = w && sums ? workers_new(w, threads, rel, base) : fail_memory();
    for (int64_t q0 = 0; q0 < rel->nq && rc == LBH_OK; q0 += RANK_SLOTS) {
        int64_t stop = rel->nq - q0 < RANK_SLOTS ? rel->nq : q0 + RANK_SLOTS;
        rc = progress_tick("full rankings", q0, rel->nq);
        if (rc)
            break;
#pragma omp parallel for schedule(dynamic, 4)
        for (int64_t q = q0; q < stop; q++) {
            worker *mine = &w[omp_get_thread_num()];
            score_query(&sums[q], mine, rel, base, query, q, r_cut);
            if (visitor)
                visitor->query(visitor->ctx, q - q0, &mine->ranks);
        }
        if (visitor)
            visitor->block(visitor->ctx, stop - q0);
    }
    progress_clear();
    if (rc == LBH_OK)
        score_mean(scores, rel->nq, sums);
    free(sums);
    workers_free(w, threads);
    return rc;
}

int score_codes(map_scores *scores, const relevance *rel, int64_t n, const uint8_t *base,
                const uint8_t *query, size_t code_size, int64_t r_cut)
{
    return score_codes_visited(scores, rel, n, base, query, code_size, r_cut, NULL);
}

int score_codes_visited(map_scores *scores, const relevance *rel, int64_t n, const uint8_t *base,
                        const uint8_t *query, size_t code_size, int64_t r_cut,
                        const rank_visitor *visitor)
{
    code_set b = {0}, q = {0};
    int rc = code_set_make(&b, n, code_size, base);
    if (rc == LBH_OK)
        rc = code_set_make(&q, rel->nq, code_size, query);
    if (rc == LBH_OK)
        rc = score_all(scores, rel, &b, &q, r_cut, visitor);
    code_set_free(&b);
    code_set_free(&q);
    return rc;
}

/* ---- Recall -------------------------------------------------------------------------------- */

int64_t truth_known(const truth *t, int64_t query, int64_t k)
{
    const int64_t *ids = t->ids + query * t->k;
    int64_t known = 0;
    while (known < k && known < t->k && ids[known] >= 0)
        known++;
    return known;
}

double recall_at(const truth *t, const int64_t *answers, int64_t stride, int64_t k, int64_t n)
{
    int64_t queries, full = 0, found_of_full = 0;
    double shares = 0; /* of queries that know fewer than k, in order: one sum whatever the threads */
    n = n < stride ? n : stride;
    k = k < t->k ? k : t->k;
#pragma omp parallel for schedule(static) reduction(+ : full, found_of_full)
    for (int64_t q = 0; q < t->nq; q++)
        if (truth_known(t, q, k) == k) {
            full++;
            for (int64_t i = 0; i < n; i++)
                for (int64_t j = 0; j < k; j++)
                    found_of_full += answers[q * stride + i] == t->ids[q * t->k + j];
        }
    queries = full;
    for (int64_t q = 0; q < t->nq && full < t->nq; q++) {
        int64_t known = truth_known(t, q, k), found = 0;
        for (int64_t i = 0; i < n && known && known < k; i++)
            for (int64_t j = 0; j < known; j++)
                found += answers[q * stride + i] == t->ids[q * t->k + j];
        queries += known && known < k;
        shares += known && known < k ? (double)found / (double)known : 0;
    }
    return (shares + (double)found_of_full / (double)k) / (double)queries;
}

void drop_own(int64_t nq, int64_t k, const int64_t *own, int64_t *answers, void *distances)
{
    char *four = distances; /* bytes each */
    for (int64_t q = 0; q < nq; q++) {
        int64_t kept = 0;
        for (int64_t i = 0; i <= k && kept < k; i++) {
            int64_t from = q * (k + 1) + i;
            if (answers[from] == own[q])
                continue;
            answers[q * k + kept] = answers[from];
            if (four)
                memmove(four + 4 * (q * k + kept), four + 4 * from, 4);
            kept++;
        }
    }
}
