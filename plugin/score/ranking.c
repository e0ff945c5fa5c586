/* ranking.c: see ranking.h. What is kept are the `want` best scores so far and those that equal the last of
 * them, since only ids decide among these; all others are cut off whenever as many again have come. */
#include "ranking.h"
#include "topk.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { READ = 32 /* rows that are read at a time */, SPARE = 256 };

/* ---- Life ---------------------------------------------------------------------------------- */

int lbh_ranking_new(lbh_ranking *w, const lbh_rescorer *r, int64_t m, int64_t keep, int64_t k)
{
    bool vectors = r->mode == LBH_RESCORE_FLOAT;
    keep = keep < k ? k : keep;
    *w = (lbh_ranking){.r = r, .want = vectors ? keep : k, .k = k};
    w->row = lbh_alloc(vectors ? READ * (int64_t)r->enc->d : 0, sizeof *w->row);
    w->near = lbh_alloc(vectors ? m : 0, sizeof *w->near);
    int rc = lbh_block_scores_new(&w->s, r);
    w->code = lbh_alloc(LBH_DECODED_BLOCK, (size_t)r->nbytes);
    w->key = lbh_alloc(m, sizeof *w->key);
    w->sorted = lbh_alloc(m, sizeof *w->sorted);
    w->id = lbh_alloc(m, sizeof *w->id);
    return w->row && w->near && w->code && w->key && w->sorted && w->id ? rc : LBH_ENOMEM;
}

void lbh_ranking_free(lbh_ranking *w)
{
    lbh_block_scores_free(&w->s);
    free(w->row);
    free(w->near);
    free(w->code);
    free(w->key);
    free(w->sorted);
    free(w->id);
}

static void fill_margins(lbh_ranking *w, const float *z)
{
    int nbits = w->r->enc->nbits;
    double sum = 0;
    for (int j = 0; j < nbits; j++) { /* pad bits weigh nothing: the room is zero behind the bits */
        sum += fabs((double)z[j]) / 2;
        /* NOLINTNEXTLINE(clang-analyzer-core*): no ranking begins without its memory */
        w->s.room[j] = -z[j];
    }
    w->s.table.least = 0;
    w->s.table.offset = (float)sum;
    lbh_score_table_fill(&w->s.table, w->r->nbytes, w->s.room);
}

static void wait_for_more(lbh_ranking *w)
{
    w->full = w->count + (w->want > SPARE ? w->want : SPARE);
}

void lbh_ranking_start(lbh_ranking *w, const float *q, const float *z)
{
    w->q = q;
    w->count = w->taken = 0;
    w->bar = INFINITY;
    wait_for_more(w);
    if (z)
        fill_margins(w, z);
    else if (w->r->mode == LBH_RESCORE_DECODER)
        lbh_decoder_score_fill(&w->r->decoder, 1, q, w->s.room, &w->s.table);
}

/* ---- Scores -------------------------------------------------------------------------------- */

static void cut(lbh_ranking *w)
{
    if (w->count > w->want) {
        lbh_topk best = {.k = w->want, .count = w->count, .key = w->key};
        lbh_topk_prune(&best);
        w->bar = best.bar;
        for (int64_t i = best.count; i < w->count; i++)
            if (lbh_topk_score(w->key[i]) <= w->bar)
                w->key[best.count++] = w->key[i];
        w->count = best.count;
    }
    wait_for_more(w);
}

static void take(lbh_ranking *w, float score, int64_t id)
{
    if (score > w->bar || id < 0)
        return;
    w->id[w->taken] = id;
    w->key[w->count++] = lbh_topk_key(score, (uint32_t)w->taken++);
    if (w->count == w->full)
        cut(w);
}

static void add_block(lbh_ranking *w, int64_t n, const uint8_t *codes, const int64_t *ids)
{
    const lbh_rescorer *r = w->r;
    float norm[LBH_DECODED_BLOCK];
    bool norms = r->mode == LBH_RESCORE_DECODER && r->metric != LBH_METRIC_IP;
    if (norms)
        lbh_decoder_score_norms(&r->decoder, n, codes, norm);
    lbh_block_scores_fill(&w->s, r, n, codes, norms ? norm : NULL);
    for (int64_t j = 0; j < n; j++)
        take(w, w->s.score[j], ids[j]);
}

void lbh_ranking_add(lbh_ranking *w, int64_t n, const uint8_t *codes, const int64_t *ids)
{
    for (int64_t i = 0; i < n && !codes; i++)
        if (ids[i] >= 0) {
            w->id[w->taken] = ids[i];
            w->key[w->count++] = lbh_topk_key(0, (uint32_t)w->taken++);
        }
    for (int64_t i = 0; i < n && codes; i += LBH_DECODED_BLOCK)
        add_block(w, n - i < LBH_DECODED_BLOCK ? n - i : LBH_DECODED_BLOCK,
                  codes + i * w->r->nbytes, ids + i);
}

void lbh_ranking_add_rows(lbh_ranking *w, int64_t n, const uint8_t *codes, const int64_t *ids)
{
    const size_t size = (size_t)w->r->nbytes, words = size / 8 * 8;
    for (int64_t j = 0; j < n; j++) { /* word by word: the sizes are small */
        const uint8_t *from = codes + (size_t)ids[j] * size;
        uint8_t *to = w->code + (size_t)j * size;
        for (size_t b = 0; b < words; b += 8)
            memcpy(to + b, from + b, 8);
        if (words < size)
            memcpy(to + words, from + words, size - words);
    }
    add_block(w, n, w->code, ids);
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

/* Sorts n keys of equal scores by id. */
static int sort_ties(const lbh_ranking *w, int64_t n, uint64_t *key)
{
    int64_t rising = 1;
    while (rising < n && w->id[(uint32_t)key[rising - 1]] <= w->id[(uint32_t)key[rising]])
        rising++;
    if (rising >= n)
        return LBH_OK;
    tie *run = lbh_alloc(n, sizeof *run);
    if (!run)
        return LBH_ENOMEM;
    for (int64_t j = 0; j < n; j++)
        run[j] = (tie){w->id[(uint32_t)key[j]], key[j]};
    qsort(run, (size_t)n, sizeof *run, compare_ties);
    for (int64_t j = 0; j < n; j++)
        key[j] = run[j].key;
    free(run);
    return LBH_OK;
}

/* Sorts the keys by (score, id). */
static int sort_keys(lbh_ranking *w)
{
    lbh_sort_keys(w->count, w->key, w->sorted);
    for (int64_t i = 0, end; i < w->count; i = end) {
        for (end = i + 1; end < w->count && w->key[end] >> 32 == w->key[i] >> 32; end++)
            ;
        LBH_TRY(sort_ties(w, end - i, w->key + i));
    }
    return LBH_OK;
}

/* ---- Scores of vectors --------------------------------------------------------------------- */

/* Measures the candidates in key[count] by their vectors, into w->near, in order. */
static int rank_vectors(lbh_ranking *w, int64_t count)
{
    const lbh_rescorer *r = w->r;
    lbh_near_rows where = {.rows = &r->rows};
    for (int64_t first = 0; first < count; first += READ) {
        int64_t n = count - first < READ ? count - first : READ, row[READ];
        for (int64_t j = 0; j < n; j++) {
            row[j] = w->id[(uint32_t)w->key[first + j]];
            if (row[j] >= r->rows.n)
                return lbh_error(LBH_EINVAL, "rescoring: a candidate has the id %lld, but there "
                                 "are %lld stored vectors", (long long)row[j],
                                 (long long)r->rows.n);
        }
        LBH_TRY(r->rows.read(&r->rows, n, row, w->row));
        for (int64_t j = 0; j < n; j++) {
            lbh_near *near = &w->near[first + j];
            near->id = row[j];
            lbh_near_measure(r->metric, r->enc->d, w->q, w->row + j * r->enc->d, near);
            if (!isfinite(near->distance)) /* what is no number comes last */
                *near = (lbh_near){INFINITY, 0, row[j]};
        }
    }
    return lbh_near_sort(&where, r->metric, w->q, count, w->k, w->near);
}

/* ---- Answers ------------------------------------------------------------------------------- */

static void write_answer(const lbh_ranking *w, double score, int64_t id, float *distance, int64_t *label)
{
    const lbh_rescorer *r = w->r;
    bool falling = r->metric != LBH_METRIC_L2 && r->mode != LBH_RESCORE_MARGIN;
    *distance = falling ? 0.0f - (float)score : (float)score;
    *label = id;
}

int lbh_ranking_finish(lbh_ranking *w, float *distances, int64_t *labels)
{
    bool vectors = w->r->mode == LBH_RESCORE_FLOAT;
    int64_t found;
    if (!vectors || w->count > w->want)
        LBH_TRY(sort_keys(w));
    found = w->count < w->want ? w->count : w->want;
    if (vectors)
        LBH_TRY(rank_vectors(w, found));
    for (int64_t j = 0; j < w->k; j++) {
        bool there = j < found;
        double score = !there ? (double)FLT_MAX : vectors ? w->near[j].distance
                                                : (double)lbh_topk_score(w->key[j]);
        int64_t id = !there ? -1 : vectors ? w->near[j].id : w->id[(uint32_t)w->key[j]];
        write_answer(w, score, id, distances + j, labels + j);
    }
    return LBH_OK;
}
