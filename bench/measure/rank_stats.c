/* rank_stats.c: see rank_stats.h. */
#include "rank_stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What one query said; kept until its block is added up in the order of the queries. */
struct rank_slot {
    int64_t relevant;
    double ap;
    int64_t *hits;     /* at each point */
    double *expected;  /* at each point */
    int64_t *inside, *size; /* of each ball: relevant rows, rows */
};

enum { MAX_POINTS = 60000 };

static int slots_new(rank_stats *s)
{
    int64_t points = s->npoints, balls = s->nbits + 1;
    s->slot = calloc(RANK_SLOTS, sizeof *s->slot);
    if (!s->slot)
        return fail_memory();
    s->slot[0].hits = cli_alloc(RANK_SLOTS * (points + 2 * balls), sizeof(int64_t));
    s->slot[0].expected = cli_alloc(RANK_SLOTS * points, sizeof(double));
    if (!s->slot[0].hits || !s->slot[0].expected)
        return LBH_ENOMEM;
    for (int64_t i = 0; i < RANK_SLOTS; i++) {
        struct rank_slot *slot = &s->slot[i];
        slot->hits = s->slot[0].hits + i * (points + 2 * balls);
        slot->inside = slot->hits + points;
        slot->size = slot->inside + balls;
        slot->expected = s->slot[0].expected + i * points;
    }
    return LBH_OK;
}

static void fill_tables(rank_stats *s)
{
    s->harmonic[0] = 0;
    for (int64_t j = 1; j <= s->n; j++)
        s->harmonic[j] = s->harmonic[j - 1] + 1 / (double)j;
    for (int64_t rank = 0, p = 0; rank <= s->n; rank++) {
        while (p < s->npoints && s->point[p] < rank)
            p++;
        s->point_of[rank] = (uint16_t)p;
    }
    memset(s->precision, 0, (size_t)s->npoints * sizeof *s->precision);
    memset(s->expected, 0, (size_t)s->npoints * sizeof *s->expected);
    memset(s->recall, 0, (size_t)s->npoints * sizeof *s->recall);
    memset(s->ball, 0, ((size_t)s->nbits + 1) * sizeof *s->ball);
}

int rank_stats_new(rank_stats *s, int64_t n, int nbits, int npoints, const int64_t *points)
{
    *s = (rank_stats){.n = n, .nbits = nbits};
    if (npoints > MAX_POINTS)
        return fail("more than %d ranks to look at", MAX_POINTS);
    s->point = cli_alloc(npoints, sizeof *s->point);
    s->precision = cli_alloc(npoints, sizeof *s->precision);
    s->expected = cli_alloc(npoints, sizeof *s->expected);
    s->recall = cli_alloc(npoints, sizeof *s->recall);
    s->ball = cli_alloc(nbits + 1, sizeof *s->ball);
    s->harmonic = cli_alloc(n + 1, sizeof *s->harmonic);
    s->point_of = cli_alloc(n + 1, sizeof *s->point_of);
    if (!s->point || !s->precision || !s->expected || !s->recall || !s->ball || !s->harmonic ||
        !s->point_of)
        return LBH_ENOMEM;
    memcpy(s->point, points, (size_t)npoints * sizeof *points);
    s->npoints = (int)sort_unique(s->point, npoints);
    fill_tables(s);
    return slots_new(s);
}

void rank_stats_free(rank_stats *s)
{
    if (s->slot) {
        free(s->slot[0].hits);
        free(s->slot[0].expected);
    }
    free(s->slot);
    free(s->point);
    free(s->precision);
    free(s->expected);
    free(s->recall);
    free(s->ball);
    free(s->harmonic);
    free(s->point_of);
    *s = (rank_stats){0};
}

int rank_stats_at(const rank_stats *s, int64_t rank)
{
    int p = 0;
    while (p < s->npoints && s->point[p] < rank)
        p++;
    return p;
}

int rank_stats_curve(int64_t n, int per_decade, int max, int64_t *rank)
{
    int count = 0;
    for (int i = 0; count < max - 1; i++) {
        int64_t k = (int64_t)round(pow(10, i / (double)per_decade));
        if (k >= n)
            break;
        if (count == 0 || k > rank[count - 1])
            rank[count++] = k;
    }
    rank[count++] = n;
    return count;
}

/* Relevant rows within the first point[p] ranks by (distance, id). */
static void count_hits(const rank_stats *s, struct rank_slot *slot, const ranking *r)
{
    memset(slot->hits, 0, (size_t)s->npoints * sizeof *slot->hits);
    for (int64_t i = 0; i < r->count; i++) {
        int p = s->point_of[r->rank[i]];
        if (p < s->npoints)
            slot->hits[p]++;
    }
    for (int p = 1; p < s->npoints; p++)
        slot->hits[p] += slot->hits[p - 1];
}

/* Balls, and expectations over the order of ties: one step a distance. */
static void walk_distances(const rank_stats *s, struct rank_slot *slot, const ranking *r)
{
    int64_t below = 0, found = 0;
    double ap = 0;
    int p = 0;
    for (int h = 0; h < r->levels; h++) {
        int64_t here = r->below[h + 1] - below, hits = r->hits[h];
        double t = (double)below, m = (double)here, R = (double)found, rel = (double)hits;
        for (; p < s->npoints && s->point[p] <= below + here; p++)
            slot->expected[p] = R + (here ? ((double)s->point[p] - t) * rel / m : 0);
        if (hits) {
            double c = here > 1 ? (rel - 1) / (m - 1) : 0;
            ap += rel / m * (c * m + (R + 1 - c * (t + 1)) *
                                         (s->harmonic[below + here] - s->harmonic[below]));
        }
        below += here;
        found += hits;
        if (h <= s->nbits) {
            slot->size[h] = below;
            slot->inside[h] = found;
        }
    }
    for (; p < s->npoints; p++)
        slot->expected[p] = (double)found;
    slot->ap = found ? ap / (double)found : 0;
}

static void see_query(void *ctx, int64_t at, const ranking *r)
{
    rank_stats *s = ctx;
    struct rank_slot *slot = &s->slot[at];
    slot->relevant = r->count;
    count_hits(s, slot, r);
    walk_distances(s, slot, r);
}

static void add_slot(rank_stats *s, const struct rank_slot *slot)
{
    double relevant = (double)slot->relevant;
    s->queries++;
    s->with_relevant += slot->relevant > 0;
    s->map_expected += slot->ap;
    for (int p = 0; p < s->npoints; p++) {
        s->precision[p] += (double)slot->hits[p] / (double)s->point[p];
        s->expected[p] += slot->expected[p] / (double)s->point[p];
        if (slot->relevant)
            s->recall[p] += (double)slot->hits[p] / relevant;
    }
    for (int h = 0; h <= s->nbits; h++) {
        ball_stats *b = &s->ball[h];
        if (slot->size[h]) {
            b->filled++;
            b->precision += (double)slot->inside[h] / (double)slot->size[h];
        }
        if (slot->relevant)
            b->recall += (double)slot->inside[h] / relevant;
    }
}

static void add_block(void *ctx, int64_t count)
{
    rank_stats *s = ctx;
    for (int64_t i = 0; i < count; i++)
        add_slot(s, &s->slot[i]);
}

rank_visitor rank_stats_visitor(rank_stats *s)
{
    return (rank_visitor){see_query, add_block, s};
}

void rank_stats_finish(rank_stats *s)
{
    double all = (double)s->queries, some = (double)s->with_relevant;
    s->map_expected /= some;
    for (int p = 0; p < s->npoints; p++) {
        s->precision[p] /= all;
        s->expected[p] /= all;
        s->recall[p] /= some;
    }
    for (int h = 0; h <= s->nbits; h++) {
        ball_stats *b = &s->ball[h];
        b->precision_zero = b->precision / all;
        b->precision = b->filled ? b->precision / (double)b->filled : NAN;
        b->recall /= some;
    }
}

int rank_stats_score(rank_stats *s, map_scores *scores, const relevance *rel,
                     const code_pair *codes, int64_t r_cut, int npoints, const int64_t *points)
{
    LBH_TRY(rank_stats_new(s, codes->n, codes->nbits, npoints, points));
    rank_visitor visitor = rank_stats_visitor(s);
    LBH_TRY(score_codes_visited(scores, rel, codes->n, codes->base, codes->query, codes->code_size,
                            r_cut, &visitor));
    rank_stats_finish(s);
    return LBH_OK;
}
