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
#include "rescorer.h"
#include "exact_rank.h"
#include "finite.h"
#include "topk.h"
#include "unit.h"
#include "watch.h"

#include <float.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { READ = 32 }; /* rows that are read at a time */
static const int64_t MAX_PART = 1 << 20; /* candidates at a time, about */

/* One call, or the part of one that is worked on. */
typedef struct shortlist {
    const lbh_rescorer *r;
    int64_t nq, m, keep, k;
    const float *q;
    const uint8_t *codes; /* nq x m codes, or NULL */
    const int64_t *ids;   /* nq x m */
    float *z;             /* margin: projections of the queries */
    float *norm;          /* decoder, L2 and cosine: nq x m */
    float *distances;
    int64_t *labels;
} shortlist;

/* One thread's memory. */
typedef struct worker {
    lbh_block_scores s;
    float *row;     /* of vectors */
    lbh_near *near; /* by vectors: the candidates that are read */
    uint64_t *key, *sorted;
} worker;

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

/* ---- Scores of blocks ---------------------------------------------------------------------- */

int lbh_block_scores_new(lbh_block_scores *w, const lbh_rescorer *r)
{
    int64_t words = (r->nbytes + 3) / 4, room = 8 * (int64_t)r->nbytes;
    if (r->mode == LBH_RESCORE_DECODER)
        room = lbh_decoder_score_room(&r->decoder);
    w->room = lbh_alloc(room, sizeof *w->room);
    int rc = lbh_score_table_new(&w->table, r->nbytes, r->nibble_tables, r->byte_tables);
    w->block = (lbh_code_block){.nbytes = r->nbytes, .stride = LBH_DECODED_BLOCK};
    w->block.word = lbh_alloc(words * LBH_DECODED_BLOCK, sizeof *w->block.word);
    w->norm = lbh_alloc(LBH_DECODED_BLOCK, sizeof *w->norm);
    w->score = lbh_alloc(LBH_DECODED_BLOCK, sizeof *w->score);
    return w->room && w->block.word && w->norm && w->score ? rc : LBH_ENOMEM;
}

void lbh_block_scores_free(lbh_block_scores *w)
{
    free(w->room);
    free(w->table.nibble);
    free(w->table.byte);
    free(w->block.word);
    free(w->norm);
    free(w->score);
}

void lbh_block_scores_fill(lbh_block_scores *w, const lbh_rescorer *r, int64_t n, const uint8_t *codes,
                           const float *norms)
{
    bool times = norms && lbh_decoder_score_multiplies(&r->decoder);
    lbh_code_block_fill(&w->block, n, codes);
    if (norms && !times)
        memcpy(w->norm, norms, (size_t)n * sizeof *w->norm);
    r->score(&w->block, &w->table, w->norm, w->score);
    if (times)
        lbh_decoder_score_multiply(n, norms, w->score);
}

/* ---- Threads' memory ----------------------------------------------------------------------- */

static int worker_new(worker *w, const shortlist *s)
{
    const lbh_rescorer *r = s->r;
    w->row = lbh_alloc(r->mode == LBH_RESCORE_FLOAT ? READ * (int64_t)r->enc->d : 0, sizeof *w->row);
    w->near = lbh_alloc(r->mode == LBH_RESCORE_FLOAT ? s->m : 0, sizeof *w->near);
    int rc = lbh_block_scores_new(&w->s, r);
    w->key = lbh_alloc(s->m, sizeof *w->key);
    w->sorted = lbh_alloc(s->m, sizeof *w->sorted);
    return w->row && w->near && w->key && w->sorted ? rc : LBH_ENOMEM;
}

static void workers_free(worker *w, int count)
{
    for (int t = 0; w && t < count; t++) {
        lbh_block_scores_free(&w[t].s);
        free(w[t].row);
        free(w[t].near);
        free(w[t].key);
        free(w[t].sorted);
    }
    free(w);
}

/* ---- Order --------------------------------------------------------------------------------- */

typedef struct tie {
    int64_t id;
    uint64_t key;
} tie;

static int compare_ties(const void *a, const void *b)
{
    const tie *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

/* Sorts keys (score, position) by (score, id of that position). */
static int sort_candidates(int64_t count, uint64_t *key, uint64_t *scratch, const int64_t *ids)
{
    lbh_sort_keys(count, key, scratch);
    for (int64_t i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && key[end] >> 32 == key[i] >> 32; end++)
            ;
        if (end - i == 1)
            continue;
        tie *run = lbh_alloc(end - i, sizeof *run);
        if (!run)
            return LBH_ENOMEM;
        for (int64_t j = i; j < end; j++)
            run[j - i] = (tie){ids[(uint32_t)key[j]], key[j]};
        qsort(run, (size_t)(end - i), sizeof *run, compare_ties);
        for (int64_t j = i; j < end; j++)
            key[j] = run[j - i].key;
        free(run);
    }
    return LBH_OK;
}

/* ---- Scores of codes ----------------------------------------------------------------------- */

static void make_table(const shortlist *s, worker *w, int64_t i)
{
    const lbh_rescorer *r = s->r;
    if (r->mode == LBH_RESCORE_DECODER) {
        lbh_decoder_score_fill(&r->decoder, 1, s->q + i * r->enc->d, w->s.room, &w->s.table);
        return;
    }
    int nbits = r->enc->nbits;
    double sum = 0;
    for (int j = 0; j < nbits; j++) { /* pad bits weigh nothing: the room is zero behind the bits */
        float z = s->z[i * nbits + j];
        sum += fabs((double)z) / 2;
        /* NOLINTNEXTLINE(clang-analyzer-core*): no ranking begins without its memory */
        w->s.room[j] = -z;
    }
    w->s.table.least = 0;
    w->s.table.offset = (float)sum;
    lbh_score_table_fill(&w->s.table, r->nbytes, w->s.room);
}

/* Keys of the candidates of query i that are there, by the scores of their codes; their number. */
static int64_t score_codes(const shortlist *s, worker *w, int64_t i)
{
    const lbh_rescorer *r = s->r;
    const int64_t *ids = s->ids + i * s->m;
    int64_t count = 0;
    make_table(s, w, i);
    for (int64_t first = 0; first < s->m; first += LBH_DECODED_BLOCK) {
        int64_t n = s->m - first < LBH_DECODED_BLOCK ? s->m - first : LBH_DECODED_BLOCK;
        lbh_block_scores_fill(&w->s, r, n, s->codes + (i * s->m + first) * r->nbytes,
                              s->norm ? s->norm + i * s->m + first : NULL);
        for (int64_t j = 0; j < n; j++)
            if (ids[first + j] >= 0)
                w->key[count++] = lbh_topk_key(w->s.score[j], (uint32_t)(first + j));
    }
    return count;
}

static int64_t all_candidates(const shortlist *s, worker *w, int64_t i)
{
    int64_t count = 0;
    for (int64_t j = 0; j < s->m; j++)
        if (s->ids[i * s->m + j] >= 0)
            w->key[count++] = lbh_topk_key(0, (uint32_t)j);
    return count;
}

/* ---- Scores of vectors --------------------------------------------------------------------- */

/* Measures the candidates in key[count] by their vectors, into w->near, in order. */
static int rank_vectors(const shortlist *s, worker *w, int64_t i, int64_t count)
{
    const lbh_rescorer *r = s->r;
    const float *q = s->q + i * r->enc->d;
    lbh_near_rows where = {.rows = &r->rows};
    for (int64_t first = 0; first < count; first += READ) {
        int64_t n = count - first < READ ? count - first : READ, row[READ];
        for (int64_t j = 0; j < n; j++) {
            row[j] = s->ids[i * s->m + (uint32_t)w->key[first + j]];
            if (row[j] >= r->rows.n)
                return lbh_error(LBH_EINVAL, "rescoring: a candidate has the id %lld, but there "
                                 "are %lld stored vectors", (long long)row[j],
                                 (long long)r->rows.n);
        }
        LBH_TRY(r->rows.read(&r->rows, n, row, w->row));
        for (int64_t j = 0; j < n; j++) {
            lbh_near *near = &w->near[first + j];
            near->id = row[j];
            lbh_near_measure(r->metric, r->enc->d, q, w->row + j * r->enc->d, near);
            if (!isfinite(near->distance)) /* what is no number comes last */
                *near = (lbh_near){INFINITY, 0, row[j]};
        }
    }
    return lbh_near_sort(&where, r->metric, q, count, s->k, w->near);
}

/* ---- Queries ------------------------------------------------------------------------------- */

static bool falling(const lbh_rescorer *r)
{
    return r->metric != LBH_METRIC_L2 && r->mode != LBH_RESCORE_MARGIN;
}

static void write_vectors(const shortlist *s, int64_t i, int64_t count, const lbh_near *near)
{
    for (int64_t j = 0; j < s->k; j++) {
        float score = j < count ? (float)near[j].distance : FLT_MAX;
        s->distances[i * s->k + j] = falling(s->r) ? 0.0f - score : score;
        s->labels[i * s->k + j] = j < count ? near[j].id : -1;
    }
}

static void write_answers(const shortlist *s, int64_t i, int64_t count, const uint64_t *key)
{
    for (int64_t j = 0; j < s->k; j++) {
        float score = j < count ? lbh_topk_score(key[j]) : FLT_MAX;
        s->distances[i * s->k + j] = falling(s->r) ? 0.0f - score : score;
        s->labels[i * s->k + j] = j < count ? s->ids[i * s->m + (uint32_t)key[j]] : -1;
    }
}

static int rank_query(const shortlist *s, worker *w, int64_t i)
{
    const int64_t *ids = s->ids + i * s->m;
    bool vectors = s->r->mode == LBH_RESCORE_FLOAT;
    int64_t count = s->codes ? score_codes(s, w, i) : all_candidates(s, w, i);
    if (vectors) {
        if (s->codes && count > s->keep) {
            LBH_TRY(sort_candidates(count, w->key, w->sorted, ids));
            count = s->keep;
        }
        LBH_TRY(rank_vectors(s, w, i, count));
        write_vectors(s, i, count, w->near);
        return LBH_OK;
    }
    LBH_TRY(sort_candidates(count, w->key, w->sorted, ids));
    write_answers(s, i, count, w->key);
    return LBH_OK;
}

/* What all queries of a part need first, by functions with threads of their own. */
static int prepare_part(shortlist *s)
{
    const lbh_rescorer *r = s->r;
    if (r->mode != LBH_RESCORE_DECODER)
        return s->codes ? lbh_encoder_project_queries(r->enc, s->nq, s->q, s->z) : LBH_OK;
    return s->norm ? lbh_decoder_score_norms(&r->decoder, s->nq * s->m, s->codes, s->norm) : LBH_OK;
}

/* Error texts are per thread: the first one is carried out of the parallel region. */
static int rank_part(shortlist *s, worker *w, int threads)
{
    LBH_TRY(prepare_part(s));
    char text[512] = "";
    int failure = LBH_OK;
    bool stop = false;
#pragma omp parallel for schedule(dynamic, 4) num_threads(threads) if (s->nq > 1)
    for (int64_t i = 0; i < s->nq; i++) {
        if (lbh_watch_stopped(&stop))
            continue;
        int rc = rank_query(s, &w[omp_get_thread_num()], i);
        if (rc) {
#pragma omp critical
            {
                if (!failure)
                    snprintf(text, sizeof text, "%s", lbh_last_error());
                failure = failure ? failure : rc;
            }
        }
    }
    LBH_TRY(lbh_watch_check());
    return failure ? lbh_error(failure, "%s", text) : LBH_OK;
}

static int check_rank(const lbh_rescorer *r, int64_t nq, const float *q, int64_t m,
                      const uint8_t *codes, const int64_t *ids, int64_t k, const float *distances,
                      const int64_t *labels)
{
    static const char name[] = "lbh_rescorer_rank";
    if (!r || (nq > 0 && (!q || !distances || !labels || (m > 0 && !ids))))
        return lbh_error(LBH_EINVAL, "%s: a NULL argument", name);
    if (nq < 0 || m < 0 || m > UINT32_MAX)
        return lbh_error(LBH_EINVAL, "%s: nq (%lld) must be at least 0, m (%lld) 0 to %lld", name,
                         (long long)nq, (long long)m, (long long)UINT32_MAX);
    if (k < 1)
        return lbh_error(LBH_EINVAL, "%s: k (%lld) must be at least 1", name, (long long)k);
    if (!codes && nq > 0 && m > 0 && r->mode != LBH_RESCORE_FLOAT)
        return lbh_error(LBH_EINVAL, "%s: this rescoring needs the codes of the candidates", name);
    if (r->mode == LBH_RESCORE_DECODER)
        return lbh_decoder_score_check(&r->decoder, r->enc->method->name, nq, q);
    int64_t bad = lbh_find_nonfinite(nq, r->enc->d, q);
    if (bad >= 0)
        return lbh_error(LBH_EINVAL, "%s: query %lld holds a NaN or an infinity", name,
                         (long long)bad);
    return LBH_OK;
}

int lbh_rescorer_rank(const lbh_rescorer *r, int64_t nq, const float *q, int64_t m,
                      const uint8_t *codes, const int64_t *ids, int64_t keep, int64_t k,
                      float *distances, int64_t *labels)
{
    LBH_TRY(check_rank(r, nq, q, m, codes, ids, k, distances, labels));
    if (nq == 0)
        return LBH_OK;
    int64_t part = MAX_PART / (m + 1) + 1, d = r->enc->d;
    part = part < nq ? part : nq;
    shortlist s = {.r = r, .m = m, .keep = keep < k ? k : keep, .k = k};
    bool norms = r->mode == LBH_RESCORE_DECODER && r->metric != LBH_METRIC_IP;
    bool margins = r->mode != LBH_RESCORE_DECODER && codes;
    int threads = omp_get_max_threads(), rc = LBH_OK;
    worker *w = calloc((size_t)threads, sizeof *w);
    s.z = margins ? lbh_alloc(part, (size_t)r->enc->nbits * sizeof *s.z) : NULL;
    s.norm = norms ? lbh_alloc(part * m, sizeof *s.norm) : NULL;
    if (!w || (margins && !s.z) || (norms && !s.norm))
        rc = lbh_error(LBH_ENOMEM, "out of memory for rescoring");
    for (int t = 0; t < threads && !rc; t++)
        rc = worker_new(&w[t], &s);
    for (int64_t first = 0; first < nq && !rc; first += part) {
        s.nq = nq - first < part ? nq - first : part;
        s.q = q + first * d;
        s.codes = codes ? codes + first * m * r->nbytes : NULL;
        s.ids = ids + first * m;
        s.distances = distances + first * k;
        s.labels = labels + first * k;
        rc = rank_part(&s, w, threads);
    }
    workers_free(w, threads);
    free(s.z);
    free(s.norm);
    return rc;
}
