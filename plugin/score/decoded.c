/* decoded.c: exhaustive search by the decoder: the vector that a code stands for against a real
 * query (asymmetric scores; Proposition 10 of the SGH paper for inner products).
 *
 * The scores are those of decoder_score.h; ||y||^2 is computed once per code and call. All scores
 * are computed in one order of additions and compared with their ids: answers depend neither on
 * threads nor on blocks nor on the instruction set. */
#include "decoded.h"

#include "byte_filter.h"
#include "decoder_score.h"
#include "query_group.h"
#include "topk.h"
#include "watch.h"

#include <float.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>

enum { MAX_QUERIES = 16, MIN_SLICE = 8192, NORMS = 4096 /* made at a time */ };
static const int64_t MAX_BUFFER = 1 << 26; /* bytes of candidates a thread, about */

/* What all threads share. */
typedef struct decoded {
    int d, nbits, nbytes;
    int64_t n, nq, k;
    const uint8_t *codes;
    const float *q;
    bool l2, cosine;
    lbh_decoder_score decoder;
    bool filtered; /* scores that bounds leave over only */
    bool grouped;  /* scores of several queries at a time */
    float most;    /* the largest norm */
    float *norm, *zeros; /* of each code, unless for inner products; one block */
    /* Work is cut into blocks of queries times slices of codes. */
    int64_t block, nblocks, slice, nslices;
    uint64_t *part; /* nq x nslices x kept keys, if there are several slices */
    int64_t *part_count;
    int64_t kept; /* min(k, n) */
    float *distances;
    int64_t *labels;
} decoded;

/* One thread's memory. */
typedef struct worker {
    float *room; /* lbh_decoder_score_fill's */
    lbh_score_table table[MAX_QUERIES];
    lbh_topk best[MAX_QUERIES];
    lbh_code_block codes;
    lbh_filter filter[MAX_QUERIES];
    lbh_query_group group;
    uint8_t *plane;
    float *score;
    uint64_t *sorted;
} worker;

/* ---- Preparation --------------------------------------------------------------------------- */

static int prepare(decoded *s, const lbh_encoder *enc, int metric)
{
    LBH_TRY(lbh_decoder_score_init(&s->decoder, enc, metric, false));
    int64_t norms = metric != LBH_METRIC_IP ? s->n : 0;
    s->norm = lbh_alloc(norms + LBH_DECODED_BLOCK, sizeof *s->norm);
    if (!s->norm)
        return LBH_ENOMEM;
    s->zeros = s->norm + norms;
    s->filtered = s->decoder.tables && !s->cosine && s->nbytes <= LBH_FILTER_BYTES &&
                  lbh_filter_pays();
    s->grouped = s->decoder.tables && !s->cosine && !s->filtered && s->nq > 1;
#pragma omp parallel for schedule(static) if (norms > NORMS)
    for (int64_t i = 0; i < norms; i += NORMS)
        lbh_decoder_score_norms(&s->decoder, norms - i < NORMS ? norms - i : NORMS,
                                s->codes + i * s->nbytes, s->norm + i);
    for (int64_t i = 0; i < norms; i++)
        s->most = s->norm[i] > s->most ? s->norm[i] : s->most;
    return LBH_OK;
}

/* Blocks of queries for every thread; where there are too few, the codes are cut as well. */
static int plan(decoded *s)
{
    int64_t threads = omp_get_max_threads();
    s->kept = s->k < s->n ? s->k : s->n;
    s->block = (s->nq + 2 * threads - 1) / (2 * threads);
    s->block = s->block > MAX_QUERIES ? MAX_QUERIES : s->block;
    int64_t fit = MAX_BUFFER / (2 * (int64_t)sizeof(uint64_t) * s->kept + 1) + 1;
    s->block = s->block > fit ? fit : s->block;
    s->nblocks = (s->nq + s->block - 1) / s->block;
    s->nslices = s->nblocks >= threads ? 1 : (threads + s->nblocks - 1) / s->nblocks;
    if (s->nslices > s->n / MIN_SLICE)
        s->nslices = s->n / MIN_SLICE > 1 ? s->n / MIN_SLICE : 1;
    s->slice = (s->n + s->nslices - 1) / s->nslices;
    if (s->nslices > 1) {
        s->part = lbh_alloc(s->nq * s->nslices, (size_t)s->kept * sizeof *s->part);
        s->part_count = lbh_alloc(s->nq * s->nslices, sizeof *s->part_count);
    }
    return s->nslices == 1 || (s->part && s->part_count) ? LBH_OK : LBH_ENOMEM;
}

static int64_t keys_per_query(const decoded *s)
{
    int64_t room = 2 * s->kept > s->kept + 1024 ? 2 * s->kept : s->kept + 1024;
    return room < s->slice ? room : s->slice;
}

static int worker_new(worker *w, const decoded *s)
{
    int64_t words = (s->nbytes + 3) / 4, room = keys_per_query(s), ok = 1;
    int64_t sorted = s->kept * s->nslices > room ? s->kept * s->nslices : room;
    w->room = lbh_alloc(s->block * lbh_decoder_score_room(&s->decoder), sizeof *w->room);
    w->score = lbh_alloc(LBH_DECODED_BLOCK, sizeof *w->score);
    w->sorted = lbh_alloc(sorted, sizeof *w->sorted);
    w->codes = (lbh_code_block){.nbytes = s->nbytes, .stride = LBH_DECODED_BLOCK};
    w->codes.word = lbh_alloc(words * LBH_DECODED_BLOCK, sizeof *w->codes.word);
    w->plane = lbh_alloc(s->filtered ? (int64_t)s->nbytes * LBH_DECODED_BLOCK : 0, 1);
    w->group.entry = lbh_alloc(s->grouped ? (int64_t)s->nbytes * 256 : 0,
                               LBH_GROUP_QUERIES * sizeof *w->group.entry);
    for (int64_t i = 0; i < s->block; i++) {
        w->filter[i].whole = lbh_alloc(s->filtered ? (int64_t)s->nbytes * 256 : 0, 1);
        ok = ok && w->filter[i].whole;
        bool made = lbh_score_table_new(&w->table[i], s->nbytes, s->decoder.nibble_tables,
                                        s->decoder.byte_tables) == LBH_OK;
        w->best[i] = (lbh_topk){.k = s->kept, .room = room};
        w->best[i].key = lbh_alloc(room, sizeof(uint64_t));
        ok = ok && made && w->best[i].key;
    }
    ok = ok && w->group.entry;
    return ok && w->room && w->plane && w->score && w->sorted && w->codes.word ? LBH_OK : LBH_ENOMEM;
}

static void workers_free(worker *w, int count)
{
    for (int t = 0; w && t < count; t++) {
        free(w[t].room);
        free(w[t].score);
        free(w[t].sorted);
        free(w[t].plane);
        free(w[t].codes.word);
        free(w[t].group.entry);
        for (int i = 0; i < MAX_QUERIES; i++) {
            free(w[t].table[i].nibble);
            free(w[t].table[i].byte);
            free(w[t].best[i].key);
            free(w[t].filter[i].whole);
        }
    }
    free(w);
}

/* ---- Search -------------------------------------------------------------------------------- */

static void make_tables(const decoded *s, worker *w, int64_t first, int64_t count)
{
    lbh_decoder_score_fill(&s->decoder, count, s->q + first * s->d, w->room, w->table);
    for (int64_t i = 0; i < count; i++) {
        w->best[i].count = 0;
        w->best[i].bar = INFINITY;
        if (s->filtered)
            lbh_filter_fill(&w->filter[i], s->nbytes, &w->table[i], s->most);
    }
}

/* The score of one code, by the kernels' order of additions (decoded.h). */
static float exact_score(int nbytes, const lbh_score_table *table, const uint8_t *code, float norm)
{
    float sum = 0;
    for (int b = 0; b < nbytes; b++)
        sum += table->byte[256 * b + code[b]];
    sum = (sum + norm) + table->offset;
    return sum > table->least ? sum : table->least;
}

/* The codes of a block that may be among the best of query j. */
static void add_filtered(const decoded *s, worker *w, int64_t j, int64_t first, int64_t rows,
                         const float *norm)
{
    lbh_topk *best = &w->best[j];
    uint16_t pass[LBH_DECODED_BLOCK];
    int count = lbh_filter_pass(&w->filter[j], s->nbytes, rows, w->plane, norm, best->bar, pass);
    for (int i = 0; i < count; i++) {
        int64_t id = first + pass[i];
        float score = exact_score(s->nbytes, &w->table[j], s->codes + id * s->nbytes,
                                  norm[pass[i]]);
        lbh_topk_add(best, 1, &score, (uint32_t)id);
    }
}

/* Answers of query q from its sorted keys. */
static void write_answers(const decoded *s, int64_t q, int64_t count, const uint64_t *key)
{
    for (int64_t i = 0; i < s->k; i++) {
        float score = i < count ? lbh_topk_score(key[i]) : FLT_MAX;
        s->distances[q * s->k + i] = s->l2 ? score : 0.0f - score;
        s->labels[q * s->k + i] = i < count ? (int64_t)(uint32_t)key[i] : -1;
    }
}

static void finish_query(const decoded *s, worker *w, lbh_topk *best, int64_t q, int64_t slice)
{
    lbh_topk_prune(best);
    if (s->nslices == 1) {
        lbh_sort_keys(best->count, best->key, w->sorted);
        write_answers(s, q, best->count, best->key);
    } else {
        int64_t at = q * s->nslices + slice;
        s->part_count[at] = best->count;
        memcpy(s->part + at * s->kept, best->key, (size_t)best->count * sizeof *s->part);
    }
}

/* Codes begin .. end-1 with `count` queries from the worker's tables. */
static void add_grouped(const decoded *s, worker *w, int64_t count, int64_t begin, int64_t end,
                        bool *stop)
{
    for (int64_t j = 0; j < count; j += LBH_GROUP_QUERIES) {
        int64_t few = count - j < LBH_GROUP_QUERIES ? count - j : LBH_GROUP_QUERIES;
        lbh_query_group_fill(&w->group, s->nbytes, few, w->table + j);
        for (int64_t i = begin; i < end && !lbh_watch_stopped(stop); i += LBH_DECODED_BLOCK)
            lbh_query_group_add(&w->group, s->nbytes, few,
                                end - i < LBH_DECODED_BLOCK ? end - i : LBH_DECODED_BLOCK,
                                s->codes + i * s->nbytes, s->l2 ? s->norm + i : s->zeros,
                                (uint32_t)i, w->best + j);
    }
}

static void search_task(const decoded *s, worker *w, int64_t task, bool *stop)
{
    int64_t first = task / s->nslices * s->block, slice = task % s->nslices;
    int64_t count = s->nq - first < s->block ? s->nq - first : s->block;
    int64_t begin = slice * s->slice, end = begin + s->slice < s->n ? begin + s->slice : s->n;
    make_tables(s, w, first, count);
    if (s->grouped)
        add_grouped(s, w, count, begin, end, stop);
    for (int64_t i = begin; i < end && !s->grouped && !lbh_watch_stopped(stop);
         i += LBH_DECODED_BLOCK) {
        int64_t rows = end - i < LBH_DECODED_BLOCK ? end - i : LBH_DECODED_BLOCK;
        const float *norm = s->l2 ? s->norm + i : s->zeros;
        lbh_code_block_fill(&w->codes, rows, s->codes + i * s->nbytes);
        if (s->filtered)
            lbh_filter_planes(&w->codes, w->plane);
        for (int64_t j = 0; j < count && s->filtered; j++)
            add_filtered(s, w, j, i, rows, norm);
        for (int64_t j = 0; j < count && !s->filtered; j++) {
            s->decoder.score(&w->codes, &w->table[j], norm, w->score);
            if (s->cosine)
                lbh_decoder_score_multiply(rows, s->norm + i, w->score);
            lbh_topk_add(&w->best[j], rows, w->score, (uint32_t)i);
        }
    }
    for (int64_t j = 0; j < count; j++)
        finish_query(s, w, &w->best[j], first + j, slice);
}

/* The best of all slices of query q; gathers their keys at the front of the query's part. */
static void merge_slices(const decoded *s, worker *w, int64_t q)
{
    uint64_t *key = s->part + q * s->nslices * s->kept;
    int64_t count = 0;
    for (int64_t slice = 0; slice < s->nslices; slice++) {
        int64_t found = s->part_count[q * s->nslices + slice];
        memmove(key + count, key + slice * s->kept, (size_t)found * sizeof *key);
        count += found;
    }
    lbh_sort_keys(count, key, w->sorted);
    write_answers(s, q, count < s->k ? count : s->k, key);
}

static int search(decoded *s)
{
    int threads = omp_get_max_threads(), rc = LBH_OK;
    bool stop = false;
    worker *w = calloc((size_t)threads, sizeof *w);
    if (!w)
        return lbh_error(LBH_ENOMEM, "out of memory for a search");
    for (int t = 0; t < threads && !rc; t++)
        rc = worker_new(&w[t], s);
    if (!rc) {
#pragma omp parallel num_threads(threads)
        {
            worker *mine = &w[omp_get_thread_num()];
#pragma omp for schedule(dynamic, 1)
            for (int64_t task = 0; task < s->nblocks * s->nslices; task++)
                search_task(s, mine, task, &stop);
            if (s->nslices > 1) {
#pragma omp for schedule(dynamic, 1)
                for (int64_t q = 0; q < s->nq; q++)
                    merge_slices(s, mine, q);
            }
        }
    }
    workers_free(w, threads);
    return rc ? rc : lbh_watch_check();
}

static int check_call(const lbh_encoder *enc, int metric, int64_t n, const void *codes, int64_t nq,
                      const void *q, int64_t k, const void *distances, const void *labels)
{
    static const char name[] = "lbh_encoder_search_decoded";
    if (!enc || (n > 0 && !codes) || (nq > 0 && (!q || !distances || !labels)))
        return lbh_error(LBH_EINVAL, "%s: a NULL argument", name);
    if (n < 0 || n > UINT32_MAX)
        return lbh_error(LBH_EINVAL, "%s: n (%lld) must be 0 to %lld; search larger sets in parts",
                         name, (long long)n, (long long)UINT32_MAX);
    if (nq < 0)
        return lbh_error(LBH_EINVAL, "%s: nq (%lld) is below 0", name, (long long)nq);
    if (k < 1)
        return lbh_error(LBH_EINVAL, "%s: k (%lld) must be at least 1", name, (long long)k);
    if (metric < LBH_METRIC_L2 || metric > LBH_METRIC_COSINE)
        return lbh_error(LBH_EINVAL, "%s: metric (%d) must be LBH_METRIC_L2, LBH_METRIC_IP or "
                         "LBH_METRIC_COSINE", name, metric);
    if (!enc->trained)
        return lbh_error(LBH_ESTATE, "%s: the encoder is not trained", enc->method->name);
    if (!enc->method->decoder)
        return lbh_error(LBH_EINVAL, "%s: the method has no decoder", enc->method->name);
    return LBH_OK;
}

int lbh_encoder_search_decoded(const lbh_encoder *enc, int metric, int64_t n, const uint8_t *codes,
                               int64_t nq, const float *q, int64_t k, float *distances,
                               int64_t *labels)
{
    LBH_TRY(check_call(enc, metric, n, codes, nq, q, k, distances, labels));
    decoded s = {.l2 = metric == LBH_METRIC_L2, .cosine = metric == LBH_METRIC_COSINE,
                 .d = enc->d, .nbits = enc->nbits, .n = n, .nq = nq, .k = k,
                 .nbytes = (int)lbh_encoder_code_size(enc), .codes = codes, .q = q,
                 .distances = distances, .labels = labels};
    lbh_watch_begin("search", nq);
    int rc = prepare(&s, enc, metric);
    if (!rc)
        rc = lbh_decoder_score_check(&s.decoder, enc->method->name, nq, q);
    if (!rc && n == 0)
        for (int64_t i = 0; i < nq; i++)
            write_answers(&s, i, 0, NULL);
    if (!rc && n > 0 && nq > 0)
        rc = plan(&s);
    if (!rc && n > 0 && nq > 0)
        rc = search(&s);
    rc = lbh_watch_end(rc);
    lbh_decoder_score_clear(&s.decoder);
    free(s.norm);
    free(s.part);
    free(s.part_count);
    return rc;
}
