/* ranking.c: see ranking.h.
 *
 * Of the keys those with the `want` best scores so far are kept, and those that equal the last of these, since only ids
 * decide among them; the others are cut off whenever as many again have come.
 *
 * By the decoder and L2, scores need norms, whose rows of tables are beyond caches: most of the work. So candidates
 * are first ranked by bounds from below, with the norm of some columns in the norm's place; those with the best
 * bounds are scored, and of the others those alone whose bounds are no worse than the best scores. */
#include "ranking.h"
#include "topk.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    READ = 32,  /* rows that are read at a time */
    SPARE = 256,
    FIRST = 2,  /* times as many as are wanted are scored before the others' bounds are looked at */
};

/* ---- Life ---------------------------------------------------------------------------------- */

int lbh_ranking_new(lbh_ranking *w, const lbh_rescorer *r, int64_t m, bool scored, int64_t keep, int64_t k)
{
    bool vectors = r->mode == LBH_RESCORE_FLOAT;
    keep = keep < k ? k : keep;
    *w = (lbh_ranking){.r = r, .scored = scored, .want = !scored ? m : vectors ? keep : k, .k = k};
    w->row = lbh_alloc(vectors ? READ * (int64_t)r->enc->d : 0, sizeof *w->row);
    w->near = lbh_alloc(vectors ? m : 0, sizeof *w->near);
    int rc = lbh_block_scores_new(&w->s, r);
    w->code = lbh_alloc(m, (size_t)r->nbytes);
    w->score = lbh_alloc(m, sizeof *w->score);
    w->norm = lbh_alloc(m, sizeof *w->norm);
    w->key = lbh_alloc(m, sizeof *w->key);
    w->sorted = lbh_alloc(m, sizeof *w->sorted);
    w->id = lbh_alloc(m, sizeof *w->id);
    bool codes = w->code && w->score && w->norm;
    return codes && w->row && w->near && w->key && w->sorted && w->id ? rc : LBH_ENOMEM;
}

void lbh_ranking_free(lbh_ranking *w)
{
    lbh_block_scores_free(&w->s);
    free(w->row);
    free(w->near);
    free(w->code);
    free(w->score);
    free(w->norm);
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
    w->table = w->s.table;
    w->table.least = 0;
    w->table.offset = (float)sum;
    lbh_score_table_fill(&w->table, w->r->nbytes, w->s.room);
}

static void wait_for_more(lbh_ranking *w)
{
    w->full = w->count + (w->want > SPARE ? w->want : SPARE);
}

void lbh_ranking_start(lbh_ranking *w, const float *q, const lbh_score_table *table, const float *z)
{
    w->q = q;
    w->count = w->taken = 0;
    w->bar = INFINITY;
    wait_for_more(w);
    if (z)
        fill_margins(w, z);
    else if (table)
        w->table = *table;
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

/* Takes the score of candidate i. */
static void take(lbh_ranking *w, float score, int64_t i)
{
    if (score > w->bar)
        return;
    w->key[w->count++] = lbh_topk_key(score, (uint32_t)i);
    if (w->count == w->full)
        cut(w);
}

static bool by_norms(const lbh_ranking *w)
{
    return w->r->mode == LBH_RESCORE_DECODER && w->r->metric == LBH_METRIC_L2;
}

/* The scores of all candidates, as far as they need no norm. */
static void score_codes(lbh_ranking *w)
{
    const lbh_rescorer *r = w->r;
    lbh_score_table table = w->table;
    bool cosine = r->mode == LBH_RESCORE_DECODER && r->metric == LBH_METRIC_COSINE;
    if (by_norms(w)) {
        table.offset = 0;
        table.least = -INFINITY;
    }
    for (int64_t i = 0; i < w->taken; i += LBH_DECODED_BLOCK) {
        int64_t n = w->taken - i < LBH_DECODED_BLOCK ? w->taken - i : LBH_DECODED_BLOCK;
        const uint8_t *codes = w->code + i * r->nbytes;
        if (cosine)
            lbh_decoder_score_norms(&r->decoder, n, codes, w->norm);
        lbh_block_scores_fill(&w->s, r, &table, n, codes, cosine ? w->norm : NULL);
        memcpy(w->score + i, w->s.score, (size_t)n * sizeof *w->score);
    }
}

/* Scores a candidate whose bound is no worse than the bar, in the order of additions of decoded.h. */
static void take_exact(lbh_ranking *w, int64_t i)
{
    const lbh_rescorer *r = w->r;
    float sum = w->score[i], offset = w->table.offset, least = w->table.least;
    float norm = lbh_code_norm_below(&r->decoder.norms, w->code + i * r->nbytes, sum, offset, w->bar);
    float score = (sum + norm) + offset;
    take(w, score > least ? score : least, i);
}

static void take_by_bounds(lbh_ranking *w)
{
    const float offset = w->table.offset;
    lbh_topk first = {.k = FIRST * w->want, .count = w->taken, .key = w->sorted};
    lbh_code_norms_bound(&w->r->decoder.norms, w->taken, w->code, w->norm);
    for (int64_t i = 0; i < w->taken; i++) {
        w->norm[i] = (w->score[i] + w->norm[i]) + offset;
        w->sorted[i] = lbh_topk_key(w->norm[i], (uint32_t)i);
    }
    lbh_topk_prune(&first);
    for (int64_t i = 0; i < first.count; i++) {
        uint32_t at = (uint32_t)first.key[i];
        take_exact(w, at);
        w->norm[at] = INFINITY;
    }
    cut(w);
    for (int64_t i = 0; i < w->taken && first.count < w->taken; i++)
        if (w->norm[i] <= w->bar)
            take_exact(w, i);
}

/* The keys of all that may be answers. */
static void take_all(lbh_ranking *w)
{
    if (w->scored)
        score_codes(w);
    if (w->scored && by_norms(w)) {
        take_by_bounds(w);
        return;
    }
    for (int64_t i = 0; i < w->taken; i++)
        take(w, w->scored ? w->score[i] : 0, i);
}

void lbh_ranking_add(lbh_ranking *w, int64_t id, const uint8_t *code)
{
    const size_t size = (size_t)w->r->nbytes, words = size / 8 * 8;
    uint8_t *to = w->code + (size_t)w->taken * size;
    for (size_t b = 0; b < words && w->scored; b += 8) /* word by word: codes are short */
        memcpy(to + b, code + b, 8);
    if (words < size && w->scored)
        memcpy(to + words, code + words, size - words);
    w->id[w->taken++] = id;
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
    take_all(w);
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
