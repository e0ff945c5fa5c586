/* test_rank_stats.c: what full rankings say, against the definitions spelt out, and expectations
 * over ties against all orders of the tied rows. */
#include "support.h"

#include "rank_stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_N = 400, NQ = 300, RADII = 17 };

/* Labels 0 .. classes-1, one a row; the last query has a class that no row has. */
static labels make_labels(int64_t n, int classes, uint64_t seed)
{
    labels l = {.classes = classes + 1};
    cr_assert_eq(labels_alloc(&l, n, n), LBH_OK);
    for (int64_t i = 0; i < n; i++) {
        l.item[i] = (int64_t)(classes * test_uniform(seed, (uint64_t)i));
        l.start[i + 1] = i + 1;
    }
    return l;
}

typedef struct naive_stats {
    double map, precision[8], recall[8], expected[8];
    double ball_precision[RADII], ball_recall[RADII];
    int filled[RADII], with_relevant;
} naive_stats;

/* Relevance and distance of the rows in the order of (distance, id), without the own row. */
static int64_t rank_rows(int64_t n, const uint8_t *base, const uint8_t *q, int64_t own,
                         const labels *l, int64_t class, int *relevant, int *distance)
{
    int32_t d[MAX_N];
    int64_t ids[MAX_N], kept = 0;
    test_naive_search(n, base, 1, q, 2, n, d, ids);
    for (int64_t i = 0; i < n; i++)
        if (ids[i] != own) {
            relevant[kept] = l->item[ids[i]] == class;
            distance[kept++] = d[i];
        }
    return kept;
}

/* Sum over all orders of precision sums and hits, by the definition of the expectation for one
 * group of ties at a time: position i of the m tied rows holds one of the r relevant ones with
 * probability r / m, and then (i - 1)(r - 1)/(m - 1) of the others are before it on average. */
static void add_expected(naive_stats *s, int64_t n, const int *relevant, const int *distance,
                         int points, const int64_t *point)
{
    double ap = 0;
    int64_t total = 0;
    for (int64_t t = 0, found = 0; t < n;) {
        int64_t m = 0, r = 0;
        while (t + m < n && distance[t + m] == distance[t])
            r += relevant[t + m++];
        for (int64_t i = 1; i <= m; i++) {
            double before = m > 1 ? (double)((i - 1) * (r - 1)) / (double)(m - 1) : 0;
            ap += (double)r / (double)m * ((double)found + 1 + before) / (double)(t + i);
            for (int p = 0; p < points; p++)
                s->expected[p] += t + i <= point[p] ? (double)r / (double)m / (double)point[p] : 0;
        }
        t += m;
        found += r;
        total = found;
    }
    s->map += total ? ap / (double)total : 0;
}

static void add_naive(naive_stats *s, int64_t n, const int *relevant, const int *distance,
                      int points, const int64_t *point)
{
    double total = 0;
    for (int64_t i = 0; i < n; i++)
        total += relevant[i];
    s->with_relevant += total > 0;
    for (int p = 0; p < points; p++) {
        double hits = 0;
        for (int64_t i = 0; i < n && i < point[p]; i++)
            hits += relevant[i];
        s->precision[p] += hits / (double)point[p];
        s->recall[p] += total > 0 ? hits / total : 0;
    }
    for (int h = 0; h < RADII; h++) {
        double size = 0, inside = 0;
        for (int64_t i = 0; i < n; i++) {
            size += distance[i] <= h;
            inside += distance[i] <= h && relevant[i];
        }
        s->filled[h] += size > 0;
        s->ball_precision[h] += size > 0 ? inside / size : 0;
        s->ball_recall[h] += total > 0 ? inside / total : 0;
    }
    add_expected(s, n, relevant, distance, points, point);
}

static void compare(int with_own)
{
    enum { N = MAX_N };
    int64_t point[] = {1, 3, 10, 399, 400, 1000}, own[NQ];
    int relevant[MAX_N], distance[MAX_N];
    uint8_t *base = test_codes(N, 2, 1), *query = test_codes(NQ, 2, 2);
    labels b = make_labels(N, 5, 3), q = make_labels(NQ, 5, 4);
    q.item[NQ - 1] = 5;
    for (int i = 0; i < NQ; i++)
        own[i] = i;
    relevance rel;
    rank_stats s;
    map_scores scores;
    naive_stats e = {0};
    cr_assert_eq(relevance_labels(&rel, with_own ? own : NULL, &b, &q), LBH_OK);
    cr_assert_eq(rank_stats_new(&s, N, RADII - 1, 6, point), LBH_OK);
    rank_visitor visitor = rank_stats_visitor(&s);
    cr_assert_eq(score_codes_visited(&scores, &rel, N, base, query, 2, 50, &visitor), LBH_OK);
    rank_stats_finish(&s);
    for (int i = 0; i < NQ; i++) {
        int64_t n = rank_rows(N, base, query + 2 * i, with_own ? i : -1, &b, q.item[i], relevant,
                              distance);
        add_naive(&e, n, relevant, distance, 6, point);
    }
    cr_assert_eq(s.queries, NQ);
    cr_assert_eq(s.with_relevant, e.with_relevant);
    cr_assert_float_eq(s.map_expected, e.map / e.with_relevant, 1e-12);
    for (int p = 0; p < 6; p++) {
        cr_assert_float_eq(s.precision[p], e.precision[p] / NQ, 1e-12);
        cr_assert_float_eq(s.expected[p], e.expected[p] / NQ, 1e-12, "point %d", p);
        cr_assert_float_eq(s.recall[p], e.recall[p] / e.with_relevant, 1e-12);
    }
    for (int h = 0; h < RADII; h++) {
        cr_assert_eq(s.ball[h].filled, e.filled[h]);
        if (e.filled[h])
            cr_assert_float_eq(s.ball[h].precision, e.ball_precision[h] / e.filled[h], 1e-12);
        else
            cr_assert(isnan(s.ball[h].precision));
        cr_assert_float_eq(s.ball[h].precision_zero, e.ball_precision[h] / NQ, 1e-12);
        cr_assert_float_eq(s.ball[h].recall, e.ball_recall[h] / e.with_relevant, 1e-12);
    }
    rank_stats_free(&s);
    relevance_free(&rel);
    labels_close(&b), labels_close(&q);
    free(base), free(query);
}

Test(rank_stats, against_the_definitions)
{
    compare(0);
    compare(1);
}

/* The expectation of AP itself: the mean over all 8! orders of 8 rows that respect the distances. */
typedef struct orders {
    int n, used[8], place[8];
    const int *relevant, *distance;
    double sum, count;
} orders;

static void all_orders(orders *o, int at)
{
    if (at == o->n) {
        double acc = 0, hits = 0;
        for (int i = 0; i < o->n; i++)
            if (o->relevant[o->place[i]])
                acc += ++hits / (i + 1);
        o->sum += hits > 0 ? acc / hits : 0;
        o->count++;
        return;
    }
    for (int i = 0; i < o->n; i++) {
        if (o->used[i] || (at > 0 && o->distance[i] < o->distance[o->place[at - 1]]))
            continue;
        o->used[i] = 1;
        o->place[at] = i;
        all_orders(o, at + 1);
        o->used[i] = 0;
    }
}

Test(rank_stats, ties_in_random_order_by_enumeration)
{
    enum { N = 8 };
    for (uint64_t seed = 0; seed < 12; seed++) {
        uint8_t base[N], query[1] = {0};
        int relevant[N], distance[N], first = 0;
        labels b = {.classes = 2}, q = {.classes = 2};
        labels_alloc(&b, N, N), labels_alloc(&q, 1, 1);
        for (int i = 0; i < N; i++) {
            distance[i] = (int)(3 * test_uniform(seed, (uint64_t)i));
            base[i] = (uint8_t)((1 << distance[i]) - 1);
            relevant[i] = i == 0 || test_uniform(seed + 100, (uint64_t)i) < 0.4;
            first = distance[i] < distance[first] ? i : first;
            b.item[i] = relevant[i];
            b.start[i + 1] = i + 1;
        }
        q.item[0] = 1;
        q.start[1] = 1;
        relevance rel;
        rank_stats s;
        map_scores scores;
        cr_assert_eq(relevance_labels(&rel, NULL, &b, &q), LBH_OK);
        cr_assert_eq(rank_stats_new(&s, N, 8, 1, (int64_t[]){1}), LBH_OK);
        rank_visitor visitor = rank_stats_visitor(&s);
        cr_assert_eq(score_codes_visited(&scores, &rel, N, base, query, 1, N, &visitor), LBH_OK);
        rank_stats_finish(&s);
        orders o = {.n = N, .relevant = relevant, .distance = distance};
        all_orders(&o, 0);
        cr_assert_gt(o.count, 0);
        cr_assert_float_eq(s.map_expected, o.sum / o.count, 1e-12, "seed %d", (int)seed);
        cr_assert_eq(s.precision[0], relevant[first]);
        cr_assert_eq(s.recall[0] == 0, !relevant[first], "nothing found is 0 itself");
        rank_stats_free(&s);
        relevance_free(&rel);
        labels_close(&b), labels_close(&q);
    }
}

/* Both conventions for queries without a hit, and for empty balls. */
Test(rank_stats, conventions)
{
    /* query 0: hits at ranks 1 and 2; query 1: relevant row only at rank 3; query 2: none at all */
    uint8_t base[] = {0x00, 0x01, 0xff}, query[] = {0x00, 0x00, 0xf0};
    labels b = {.classes = 3}, q = {.classes = 3};
    labels_alloc(&b, 3, 3), labels_alloc(&q, 3, 3);
    int64_t of_base[] = {0, 0, 1}, of_query[] = {0, 1, 2};
    for (int i = 0; i < 3; i++) {
        b.item[i] = of_base[i], q.item[i] = of_query[i];
        b.start[i + 1] = q.start[i + 1] = i + 1;
    }
    relevance rel;
    map_scores s;
    cr_assert_eq(relevance_labels(&rel, NULL, &b, &q), LBH_OK);
    cr_assert_eq(score_codes(&s, &rel, 3, base, query, 1, 2), LBH_OK);
    cr_assert_float_eq(s.map, (1 + 1 / 3.0) / 2, 1e-12);
    cr_assert_float_eq(s.map_zero, (1 + 1 / 3.0) / 3, 1e-12);
    cr_assert_float_eq(s.map_r, 1, 1e-12);
    cr_assert_float_eq(s.map_r_zero, 1 / 3.0, 1e-12);
    cr_assert_eq(s.skipped, 1);
    cr_assert_eq(s.skipped_r, 2);
    cr_assert_eq(s.empty_h2, 1);
    cr_assert_float_eq(s.precision_h2, (1 + 0 + 0) / 3.0, 1e-12);
    cr_assert_float_eq(s.precision_h2_filled, (1 + 0) / 2.0, 1e-12);
    relevance_free(&rel);
    labels_close(&b), labels_close(&q);
}
