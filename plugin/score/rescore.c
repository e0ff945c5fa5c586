/* rescore.c: a shortlist of codes, found by Hamming distance, ranked again by scores that know
 * more.
 *
 *     margin    sum of |z_j| over the bits j where the code differs from [z >= 0], z the projection
 *               of the query: a bit that the query decided narrowly weighs little. As a sum over
 *               all bits, with s_j = +-1/2 for a set or clear bit:  sum |z_j| / 2 - sum z_j s_j
 *     decoder   decoder_score.h
 *     float     ||q - x||^2 or q . x of stored vectors x; margins choose whose vectors are read
 *
 * The first two are sums of one weight a bit, by the tables of decoded.h. Scores are smaller-is-
 * better until they are written; a query's answers depend on its candidates alone, not on their
 * order, the threads, the other queries or the instruction set. */
#include "ranking.h"
#include "candidates.h"
#include "finite.h"
#include "watch.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Life ---------------------------------------------------------------------------------- */

static int check_new(lbh_rescorer **r, const lbh_encoder *enc, int mode, int metric,
                     const lbh_rows *rows)
{
    if (!r || !enc)
        return lbh_error(LBH_EINVAL, "lbh_rescorer_new: a NULL argument");
    if (mode < LBH_RESCORE_MARGIN || mode > LBH_RESCORE_FLOAT)
        return lbh_error(LBH_EINVAL, "lbh_rescorer_new: mode (%d) must be LBH_RESCORE_MARGIN, "
                         "LBH_RESCORE_DECODER or LBH_RESCORE_FLOAT", mode);
    if (metric < LBH_METRIC_L2 || metric > LBH_METRIC_COSINE)
        return lbh_error(LBH_EINVAL, "lbh_rescorer_new: metric (%d) must be LBH_METRIC_L2, "
                         "LBH_METRIC_IP or LBH_METRIC_COSINE", metric);
    if (!enc->trained)
        return lbh_error(LBH_ESTATE, "%s: the encoder is not trained", enc->method->name);
    if (mode == LBH_RESCORE_DECODER && !enc->method->decoder)
        return lbh_error(LBH_EINVAL, "%s: the method has no decoder to rescore by; margins need "
                         "none", enc->method->name);
    if (mode == LBH_RESCORE_FLOAT && (!rows || !rows->read))
        return lbh_error(LBH_EINVAL, "lbh_rescorer_new: LBH_RESCORE_FLOAT needs vectors (rows)");
    if (mode == LBH_RESCORE_FLOAT && rows->d != enc->d)
        return lbh_error(LBH_EINVAL, "lbh_rescorer_new: the rows have %d floats, the encoder is "
                         "for %d", rows->d, enc->d);
    return LBH_OK;
}

int lbh_rescorer_new(lbh_rescorer **out, const lbh_encoder *enc, int mode, int metric,
                     const lbh_rows *rows)
{
    LBH_TRY(check_new(out, enc, mode, metric, rows));
    lbh_rescorer *r = calloc(1, sizeof *r);
    if (!r)
        return lbh_error(LBH_ENOMEM, "out of memory for a rescorer");
    r->enc = enc;
    r->mode = mode;
    r->metric = metric;
    r->nbytes = (int)lbh_encoder_code_size(enc);
    r->score = lbh_choose_score(&r->byte_tables);
    r->nibble_tables = 1;
    if (mode == LBH_RESCORE_FLOAT)
        r->rows = *rows;
    int rc = mode == LBH_RESCORE_DECODER ? lbh_decoder_score_init(&r->decoder, enc, metric, true)
                                         : LBH_OK;
    if (rc) {
        free(r);
        return rc;
    }
    if (mode == LBH_RESCORE_DECODER) {
        r->score = r->decoder.score;
        r->nibble_tables = r->decoder.nibble_tables;
        r->byte_tables = r->decoder.byte_tables;
    }
    *out = r;
    return LBH_OK;
}

void lbh_rescorer_free(lbh_rescorer *r)
{
    if (!r)
        return;
    lbh_decoder_score_clear(&r->decoder);
    free(r);
}

const lbh_encoder *lbh_rescorer_encoder(const lbh_rescorer *r)
{
    return r->enc;
}

int lbh_rescorer_mode(const lbh_rescorer *r)
{
    return r->mode;
}

/* ---- Queries in threads -------------------------------------------------------------------- */

enum {
    PART = 128, /* queries a thread, whose tables are made at a time: a block of a Hamming search, */
    TABLES = 16, /* so many by one product */
    AHEAD = 32,  /* candidates for whose codes memory is asked */
};

/* One call. */
typedef struct rescoring {
    const lbh_rescorer *r;
    int64_t nq, m, k; /* nq: of this part of the call, as what comes next */
    const float *q;
    float *distances;
    int64_t *labels;
    bool scored;            /* by codes; else all are ranked by their vectors */
    lbh_score_table *table; /* of each query, if by the decoder; */
    float *nibbles, *bytes; /* what they consist of */
    float *room;            /* of each thread, to make them */
    float *z;               /* by margins: projections of the queries; else NULL */
    lbh_ranking *w;         /* of each thread */
    int threads;
    int failure;    /* of the first query that failed; error texts are per thread: it is carried out of */
    char text[512]; /* the parallel region */
} rescoring;

/* Memory for parts of at most `part` queries. */
static int begin(rescoring *s, int64_t part, int64_t keep)
{
    const lbh_rescorer *r = s->r;
    bool decoder = r->mode == LBH_RESCORE_DECODER, margins = !decoder && s->scored;
    int rc = LBH_OK;
    s->w = calloc((size_t)s->threads, sizeof *s->w);
    if (!s->w)
        return lbh_error(LBH_ENOMEM, "out of memory for rescoring");
    for (int t = 0; t < s->threads && !rc; t++)
        rc = lbh_ranking_new(&s->w[t], r, s->m, s->scored, keep, s->k);
    LBH_TRY(rc);
    int64_t nibbles = r->nibble_tables ? 32 * r->nbytes : 0, bytes = r->byte_tables ? 256 * r->nbytes : 0;
    int64_t room = decoder ? TABLES * lbh_decoder_score_room(&r->decoder) : 0;
    part = part < s->nq ? part : s->nq;
    s->z = margins ? lbh_alloc(part, (size_t)r->enc->nbits * sizeof *s->z) : NULL;
    s->table = lbh_alloc(decoder ? part : 0, sizeof *s->table);
    s->nibbles = lbh_alloc(decoder ? part * nibbles : 0, sizeof *s->nibbles);
    s->bytes = lbh_alloc(decoder ? part * bytes : 0, sizeof *s->bytes);
    s->room = lbh_alloc(s->threads * room, sizeof *s->room);
    if (!s->table || !s->nibbles || !s->bytes || !s->room || (margins && !s->z))
        return LBH_ENOMEM;
    for (int64_t i = 0; i < part && decoder; i++) {
        s->table[i].nibble = s->nibbles + i * nibbles;
        s->table[i].byte = r->byte_tables ? s->bytes + i * bytes : NULL;
    }
    return LBH_OK;
}

static int end(rescoring *s, int rc)
{
    for (int t = 0; t < s->threads && s->w; t++)
        lbh_ranking_free(&s->w[t]);
    free(s->w);
    free(s->z);
    free(s->table);
    free(s->nibbles);
    free(s->bytes);
    free(s->room);
    return rc;
}

/* The next `count` queries of the call. */
static int begin_part(rescoring *s, int64_t count)
{
    const lbh_rescorer *r = s->r;
    s->nq = count;
    if (r->mode != LBH_RESCORE_DECODER)
        return s->scored ? lbh_encoder_project_queries(r->enc, count, s->q, s->z) : LBH_OK;
    int64_t room = TABLES * lbh_decoder_score_room(&r->decoder);
#pragma omp parallel for schedule(static) num_threads(s->threads) if (count > TABLES)
    for (int64_t i = 0; i < count; i += TABLES)
        lbh_decoder_score_fill(&r->decoder, count - i < TABLES ? count - i : TABLES,
                               s->q + i * r->enc->d, s->room + omp_get_thread_num() * room,
                               s->table + i);
    return LBH_OK;
}

static int end_part(rescoring *s, int rc)
{
    LBH_TRY(rc);
    LBH_TRY(lbh_watch_check());
    s->q += s->nq * s->r->enc->d;
    s->distances += s->nq * s->k;
    s->labels += s->nq * s->k;
    return s->failure ? lbh_error(s->failure, "%s", s->text) : LBH_OK;
}

static lbh_ranking *start_query(const rescoring *s, int64_t i)
{
    lbh_ranking *w = &s->w[omp_get_thread_num()];
    lbh_ranking_start(w, s->q + i * s->r->enc->d,
                      s->r->mode == LBH_RESCORE_DECODER ? s->table + i : NULL,
                      s->z ? s->z + i * s->r->enc->nbits : NULL);
    return w;
}

static void finish_query(rescoring *s, lbh_ranking *w, int64_t i)
{
    int rc = lbh_ranking_finish(w, s->distances + i * s->k, s->labels + i * s->k);
    if (!rc)
        return;
#pragma omp critical
    {
        if (!s->failure)
            snprintf(s->text, sizeof s->text, "%s", lbh_last_error());
        s->failure = s->failure ? s->failure : rc;
    }
}

/* ---- Candidates that are given ------------------------------------------------------------- */

static int check_call(const char *name, const lbh_rescorer *r, int64_t nq, const float *q, int64_t m,
                      int64_t k, const float *distances, const int64_t *labels)
{
    if (!r || (nq > 0 && (!q || !distances || !labels)))
        return lbh_error(LBH_EINVAL, "%s: a NULL argument", name);
    if (nq < 0 || m < 0 || m > UINT32_MAX)
        return lbh_error(LBH_EINVAL, "%s: nq (%lld) must be at least 0, m (%lld) 0 to %lld", name,
                         (long long)nq, (long long)m, (long long)UINT32_MAX);
    if (k < 1)
        return lbh_error(LBH_EINVAL, "%s: k (%lld) must be at least 1", name, (long long)k);
    if (r->mode == LBH_RESCORE_DECODER)
        return lbh_decoder_score_check(&r->decoder, r->enc->method->name, nq, q);
    int64_t bad = lbh_find_nonfinite(nq, r->enc->d, q);
    if (bad >= 0)
        return lbh_error(LBH_EINVAL, "%s: query %lld holds a NaN or an infinity", name,
                         (long long)bad);
    return LBH_OK;
}

static void rank_part(rescoring *s, const uint8_t *codes, const int64_t *ids)
{
    bool stop = false;
#pragma omp parallel for schedule(dynamic, 4) num_threads(s->threads) if (s->nq > 1)
    for (int64_t i = 0; i < s->nq; i++) {
        if (lbh_watch_stopped(&stop))
            continue;
        lbh_ranking *w = start_query(s, i);
        for (int64_t j = i * s->m; j < (i + 1) * s->m; j++)
            if (ids[j] >= 0)
                lbh_ranking_add(w, ids[j], codes ? codes + j * s->r->nbytes : NULL);
        finish_query(s, w, i);
    }
}

int lbh_rescorer_rank(const lbh_rescorer *r, int64_t nq, const float *q, int64_t m,
                      const uint8_t *codes, const int64_t *ids, int64_t keep, int64_t k,
                      float *distances, int64_t *labels)
{
    static const char name[] = "lbh_rescorer_rank";
    LBH_TRY(check_call(name, r, nq, q, m, k, distances, labels));
    if (nq > 0 && m > 0 && !ids)
        return lbh_error(LBH_EINVAL, "%s: a NULL argument", name);
    if (!codes && nq > 0 && m > 0 && r->mode != LBH_RESCORE_FLOAT)
        return lbh_error(LBH_EINVAL, "%s: this rescoring needs the codes of the candidates", name);
    if (nq == 0)
        return LBH_OK;
    int threads = omp_get_max_threads();
    rescoring s = {.r = r, .nq = nq, .m = m, .k = k, .q = q, .distances = distances,
                   .labels = labels, .scored = codes, .threads = threads};
    int rc = begin(&s, PART * threads, keep);
    for (int64_t first = 0; first < nq && !rc; first += s.nq) {
        rc = begin_part(&s, nq - first < PART * threads ? nq - first : PART * threads);
        if (!rc)
            rank_part(&s, codes ? codes + first * m * r->nbytes : NULL, ids + first * m);
        rc = end_part(&s, rc);
    }
    return end(&s, rc);
}

/* ---- Candidates by Hamming distance -------------------------------------------------------- */

typedef struct two_stages {
    rescoring s;
    const uint8_t *codes;
} two_stages;

static void rank_answers(void *ctx, int64_t query, int64_t count, const lbh_answer *answer)
{
    two_stages *t = ctx;
    const int64_t size = t->s.r->nbytes;
    if (lbh_watch_poll()) /* the search ends with that; nobody sees its answers */
        return;
    lbh_ranking *w = start_query(&t->s, query);
    for (int64_t i = 0; i < count; i++) {
        if (i + AHEAD < count)
            __builtin_prefetch(t->codes + answer[i + AHEAD].id * size);
        lbh_ranking_add(w, answer[i].id, t->codes + answer[i].id * size);
    }
    finish_query(&t->s, w, query);
}

static int search(two_stages *t, int64_t n, int64_t keep)
{
    rescoring *s = &t->s;
    const int64_t nq = s->nq, size = s->r->nbytes, part = PART * s->threads;
    uint8_t *queries = lbh_alloc(nq, (size_t)size);
    int rc = queries ? lbh_encoder_encode_queries(s->r->enc, nq, s->q, queries) : LBH_ENOMEM;
    if (!rc)
        rc = begin(s, part, keep);
    for (int64_t first = 0; first < nq && !rc; first += s->nq) {
        rc = begin_part(s, nq - first < part ? nq - first : part);
        if (!rc)
            rc = lbh_hamming_candidates(s->nq, queries + first * size, n, t->codes, (size_t)size, s->m,
                                        rank_answers, t);
        rc = end_part(s, rc);
    }
    free(queries);
    return end(s, rc);
}

int lbh_rescorer_search(const lbh_rescorer *r, int64_t n, const uint8_t *codes, int64_t nq,
                        const float *q, int64_t m, int64_t keep, int64_t k, float *distances,
                        int64_t *labels)
{
    static const char name[] = "lbh_rescorer_search";
    LBH_TRY(check_call(name, r, nq, q, m, k, distances, labels));
    if (n < 0 || (n > 0 && !codes) || m < 1)
        return lbh_error(LBH_EINVAL, "%s: n (%lld) must be at least 0, with codes, and m (%lld) 1",
                         name, (long long)n, (long long)m);
    if (nq == 0)
        return LBH_OK;
    keep = keep < k ? k : keep;
    m = m < n ? m : n + (n == 0);
    two_stages t = {.codes = codes};
    t.s = (rescoring){.r = r, .nq = nq, .m = m, .k = k, .q = q, .distances = distances,
                      .labels = labels, .scored = r->mode != LBH_RESCORE_FLOAT || m > keep,
                      .threads = omp_get_max_threads()};
    lbh_watch_begin("search", nq);
    return lbh_watch_end(search(&t, n, keep));
}
