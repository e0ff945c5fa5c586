/* bench_rankings.c: full rankings, bits and decoders. See bench_measure.h. */
#include "bench_measure.h"

#include "code_stats.h"
#include "float_rank.h"
#include "rank_stats.h"
#include "rebuild.h"

#include <math.h>
#include <stdlib.h>

enum { CURVE = 64 };

static void add_curve(cJSON *o, const rank_stats *s, int count, const int64_t *rank)
{
    cJSON *pr = cJSON_AddArrayToObject(o, "pr");
    for (int i = 0; i < count; i++) {
        int p = rank_stats_at(s, rank[i]);
        double point[2] = {short_number(s->recall[p]), short_number(s->precision[p])};
        if (isfinite(point[0]) && isfinite(point[1]))
            cJSON_AddItemToArray(pr, cJSON_CreateDoubleArray(point, 2));
    }
}

/* AP over the first R ranks, by both conventions. */
static void add_cut(cJSON *o, const spec_measures *s, const map_scores *m)
{
    if (!s->map_at)
        return;
    cJSON *cut = cJSON_AddObjectToObject(o, "map_at");
    add_number(cut, "r", (double)s->map_at);
    add_number(cut, "skip", m->map_r);
    add_number(cut, "zero", m->map_r_zero);
}

static void add_scores(cJSON *o, const spec_measures *s, const map_scores *m, bool by_label)
{
    add_number(o, by_label ? "label_map" : "map", m->map);
    if (!by_label)
        add_number(o, "map_k", (double)s->map_k);
    add_number(o, "map_queries", (double)m->queries);
}

static int64_t cut_rank(const bench_data *d, const spec_measures *s)
{
    return s->map_at ? s->map_at : d->base.n;
}

/* The metric's own relevance, with everything that there is to say. */
static int score_metric(cJSON *o, const bench_data *d, const spec_measures *s, int nbits,
                        size_t code_size, const uint8_t *base, const uint8_t *sample)
{
    const relevance *rel = bench_relevance(d);
    int64_t rank[CURVE];
    rank_stats stats;
    map_scores m;
    int count = rank_stats_curve(d->base.n - (rel->own ? 1 : 0), 8, CURVE, rank);
    code_pair codes = {d->base.n, nbits, code_size, base, sample};
    int rc = rank_stats_score(&stats, &m, rel, &codes, cut_rank(d, s), count, rank);
    if (rc == LBH_OK) {
        add_scores(o, s, &m, d->spec->metric == BENCH_LABEL);
        add_cut(o, s, &m);
        cJSON *ball = cJSON_AddObjectToObject(o, "radius2");
        add_number(ball, "precision", m.precision_h2);
        add_number(ball, "empty", (double)m.empty_h2 / (double)m.queries);
        add_curve(o, &stats, count, rank);
    }
    rank_stats_free(&stats);
    return rc;
}

int measure_codes(cJSON *o, const bench_data *d, const spec_measures *s, int nbits, size_t code_size,
                  const uint8_t *base, const uint8_t *sample)
{
    int rc = LBH_OK;
    map_scores m;
    if (d->near_rel.nq || d->spec->metric == BENCH_LABEL)
        rc = score_metric(o, d, s, nbits, code_size, base, sample);
    if (rc || d->spec->metric == BENCH_LABEL || !d->label_rel.nq)
        return rc;
    rc = score_codes(&m, &d->label_rel, d->base.n, base, sample, code_size, d->base.n);
    if (rc == LBH_OK)
        add_scores(o, s, &m, true);
    return rc;
}

static int answer(const void *ctx, int64_t n, const float *x, int64_t k, float *distances,
                  int64_t *ids)
{
    return engine_floats(ctx, n, x, k, distances, ids);
}

ranker engine_ranker(const bench_engine *e)
{
    const bench_data *d = e->data;
    return (ranker){.search = answer, .ctx = e, .query = &d->sample, .n = d->base.n,
                    .own = d->sample_own};
}

int measure_floats(cJSON *o, const spec_measures *s, const bench_engine *e)
{
    const bench_data *d = e->data;
    ranker r = engine_ranker(e);
    map_scores m;
    if (!bench_relevance(d)->nq)
        return LBH_OK;
    LBH_TRY(ranker_scores(&r, bench_relevance(d), cut_rank(d, s), &m));
    if (m.queries) {
        add_scores(o, s, &m, d->spec->metric == BENCH_LABEL);
        add_cut(o, s, &m);
    }
    return LBH_OK;
}

int measure_bits(cJSON *o, int64_t n, int nbits, size_t code_size, const uint8_t *codes)
{
    code_stats stats;
    int rc = code_stats_compute(&stats, n, nbits, code_size, codes);
    if (rc == LBH_OK) {
        cJSON *bits = cJSON_AddObjectToObject(o, "codes");
        add_number(bits, "balance", stats.mean);
        add_number(bits, "least", stats.least);
        add_number(bits, "greatest", stats.greatest);
        add_number(bits, "constant", stats.constant);
        add_number(bits, "correlation", stats.correlation);
        add_number(bits, "distinct", (double)stats.distinct);
        add_number(bits, "entropy", stats.entropy);
        add_number(bits, "entropy_limit", stats.entropy_limit);
    }
    code_stats_free(&stats);
    return rc;
}

int measure_decoder(cJSON *o, const lbh_encoder *enc, const vectors *v, const uint8_t *codes)
{
    if (!has_decoder(enc))
        return LBH_OK;
    double error, left;
    LBH_TRY(measure_rebuilding(enc, v, codes, &error, &left));
    cJSON *out = cJSON_AddObjectToObject(o, "reconstruction");
    add_number(out, "mse", 2 * error);
    add_number(out, "relative", left);
    return LBH_OK;
}
