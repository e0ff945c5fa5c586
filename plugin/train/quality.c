/* quality.c: see quality.h. The work is in proportion to training: queries times rows are at most 25
 * times the number of training rows, a tenth of what principal components cost, or, beside methods that
 * learn in steps, 200 times 10,000. Which rows are taken depends on numbers only, not on the time. */
#include "quality.h"

#include "arena.h"
#include "lbh_exact.h"
#include "lbh_scan.h"
#include "method.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_HELD = 200, SHARE_HELD = 20, FEWEST_TRAIN = 1000 };
enum { NEAR = 10, FIRST = 100 };
enum { MOST_ROWS = 10000, PAIRS_PER_ROW = 25, FEWEST_BASE = 500, FEWEST_CODES = 16, LOOKED_AT = 1000 };
enum { DEAD_SHARE = 200, FEW = 4 };

static const int64_t MOST_FLOATS = 1 << 25;
static const double SAME = 0.005; /* recalls that differ by less are equal */

typedef struct sample {
    const lbh_encoder *enc;
    int metric;         /* of rows as they are here: the cosine is the inner product of unit rows */
    int64_t m, nq;
    size_t size;        /* of a code */
    float *x, *q;       /* m x d of the rows that were kept, nq x d of those held out */
    uint8_t *codes, *query_codes;
    int64_t *truth, *found, *ids; /* nq x NEAR, nq x FIRST, 0 .. m-1 */
    float *distances;             /* nq x FIRST */
} sample;

static bool learns_in_steps(const lbh_encoder *enc)
{
    for (const lbh_param *p = enc->method->params; p && p->name; p++)
        if (strcmp(p->name, "steps") == 0)
            return true;
    return false;
}

int64_t lbh_rows_to_hold_out(const lbh_encoder *enc, int64_t n)
{
    int64_t wanted = (int64_t)enc->common[LBH_OPT_HELD_OUT];
    if (wanted >= 0)
        return wanted < n / 2 ? wanted : n / 2;
    if (n < FEWEST_TRAIN || enc->method->needs_labels)
        return 0;
    return n / SHARE_HELD < MOST_HELD ? n / SHARE_HELD : MOST_HELD;
}

/* ---- Rows and their codes ------------------------------------------------------------------ */

/* Whether recalls are wanted. Where labels say what is near, distances do not. */
static bool measures(const lbh_encoder *enc)
{
    return enc->common[LBH_OPT_HELD_OUT] != 0 && !enc->method->needs_labels;
}

static int64_t rows_to_search(const lbh_encoder *enc, const lbh_held_out *h)
{
    int64_t n = h->kept.n, nq = h->count ? h->count : MOST_HELD, most = MOST_ROWS;
    if (!learns_in_steps(enc))
        most = PAIRS_PER_ROW * n / nq < FEWEST_BASE ? FEWEST_BASE : PAIRS_PER_ROW * n / nq;
    most = most < MOST_ROWS ? most : MOST_ROWS;
    if (!measures(enc))
        most = LOOKED_AT;
    most = most < MOST_FLOATS / enc->d ? most : MOST_FLOATS / enc->d;
    return most < n ? most : n;
}

static int take(sample *s, lbh_arena *arena, const lbh_held_out *h)
{
    const lbh_encoder *enc = s->enc;
    int64_t d = enc->d;
    s->size = lbh_encoder_code_size(enc);
    s->nq = h->count;
    s->m = rows_to_search(enc, h);
    s->x = lbh_arena_take(arena, s->m * d, sizeof *s->x);
    s->q = lbh_arena_take(arena, s->nq * d, sizeof *s->q);
    s->codes = lbh_arena_take(arena, s->m, s->size);
    s->query_codes = lbh_arena_take(arena, s->nq, s->size);
    s->truth = lbh_arena_take(arena, s->nq * NEAR, sizeof *s->truth);
    s->found = lbh_arena_take(arena, s->nq * FIRST, sizeof *s->found);
    s->distances = lbh_arena_take(arena, s->nq * FIRST, sizeof *s->distances);
    s->ids = lbh_arena_take(arena, s->m, sizeof *s->ids);
    if (!s->x || !s->q || !s->codes || !s->query_codes || !s->truth || !s->found || !s->distances ||
        !s->ids)
        return LBH_ENOMEM;
    memcpy(s->q, h->x, (size_t)(s->nq * d) * sizeof *s->q);
    for (int64_t i = 0; i < s->m; i++) /* at even distances */
        s->ids[i] = (int64_t)((double)i * (double)h->kept.n / (double)s->m);
    LBH_TRY(h->kept.read(&h->kept, s->m, s->ids, s->x));
    for (int64_t i = 0; i < s->m; i++)
        s->ids[i] = i;
    s->metric = (int)enc->common[LBH_OPT_METRIC];
    if (s->metric == LBH_METRIC_COSINE) {
        s->metric = LBH_METRIC_IP;
        lbh_unit_rows(s->m, enc->d, s->x, s->x);
        lbh_unit_rows(s->nq, enc->d, s->q, s->q);
    }
    LBH_TRY(lbh_encoder_encode(enc, s->m, s->x, s->codes));
    return lbh_encoder_encode_queries(enc, s->nq, s->q, s->query_codes);
}

/* ---- Rankings ------------------------------------------------------------------------------ */

/* Share of the true neighbours among the first answers, `first` of FIRST. */
static double recall(const sample *s, int first)
{
    int64_t hits = 0;
    for (int64_t i = 0; i < s->nq; i++)
        for (int j = 0; j < NEAR; j++)
            for (int a = 0; a < first; a++)
                hits += s->found[i * FIRST + a] == s->truth[i * NEAR + j];
    return (double)hits / (double)(s->nq * NEAR);
}

static int rank_hamming(const sample *s)
{
    int32_t *distances = lbh_alloc(s->nq * FIRST, sizeof *distances);
    int rc = distances ? lbh_hamming_search(s->nq, s->query_codes, s->m, s->codes, s->size, FIRST,
                                            distances, s->found)
                       : LBH_ENOMEM;
    free(distances);
    return rc;
}

static int rank_margin(const sample *s)
{
    lbh_rescorer *r = NULL;
    int rc = lbh_rescorer_new(&r, s->enc, LBH_RESCORE_MARGIN, s->metric, NULL);
    for (int64_t i = 0; i < s->nq && !rc; i++)
        rc = lbh_rescorer_rank(r, 1, s->q + i * s->enc->d, s->m, s->codes, s->ids, s->m, FIRST,
                               s->distances + i * FIRST, s->found + i * FIRST);
    lbh_rescorer_free(r);
    return rc;
}

static int rank_decoder(const sample *s)
{
    return lbh_encoder_search_decoded(s->enc, (int)s->enc->common[LBH_OPT_METRIC], s->m, s->codes,
                                      s->nq, s->q, FIRST, s->distances, s->found);
}

static void note_recalls(lbh_encoder *enc, const sample *s)
{
    static const struct {
        const char *note, *name;
        int (*rank)(const sample *s);
    } rankings[] = {{"recall_hamming", "none", rank_hamming},
                    {"recall_margin", "margin", rank_margin},
                    {"recall_decoder", "decoder", rank_decoder}};
    double best[2] = {-1, -1};
    char text[128];
    lbh_rows rows = lbh_rows_from_matrix(s->m, enc->d, s->x);
    if (lbh_exact_search(&rows, s->metric, s->nq, s->q, NULL, NEAR, NULL, s->truth))
        return;
    snprintf(text, sizeof text, "%lld rows that training did not see, among %lld that it saw",
             (long long)s->nq, (long long)s->m);
    if (lbh_encoder_set_note(enc, "held_out", text))
        return;
    for (int i = 0; i < 3; i++) {
        if (rankings[i].rank(s))
            continue;
        double found = recall(s, FIRST), at_once = recall(s, NEAR);
        snprintf(text, sizeof text, "%.4f", found);
        bool better = found > best[0] + SAME || (found > best[0] - SAME && at_once > best[1] + SAME);
        if (lbh_encoder_set_note(enc, rankings[i].note, text) == LBH_OK && better &&
            lbh_encoder_set_note(enc, "best_ranking", rankings[i].name) == LBH_OK) {
            best[0] = found;
            best[1] = at_once;
        }
    }
}

/* ---- Bits ---------------------------------------------------------------------------------- */

typedef struct bytes {
    const void *at;
    size_t size;
} bytes;

static int compare_bytes(const void *a, const void *b)
{
    const bytes *x = a, *y = b;
    return memcmp(x->at, y->at, x->size);
}

/* Different ones of n things of `size` bytes; 0 without memory. */
static int64_t count_different(int64_t n, size_t size, const void *things)
{
    bytes *all = lbh_alloc(n, sizeof *all);
    int64_t count = 0;
    for (int64_t i = 0; i < n && all; i++)
        all[i] = (bytes){(const char *)things + (size_t)i * size, size};
    if (all)
        qsort(all, (size_t)n, sizeof *all, compare_bytes);
    for (int64_t i = 0; i < n && all; i++)
        count += i == 0 || compare_bytes(&all[i - 1], &all[i]) != 0;
    free(all);
    return count;
}

static void note_bits(lbh_encoder *enc, const sample *s)
{
    int64_t codes = count_different(s->m, s->size, s->codes), rare = s->m / DEAD_SHARE, dead = 0;
    int64_t rows = count_different(s->m, (size_t)enc->d * sizeof *s->x, s->x);
    char text[128];
    for (int k = 0; k < enc->nbits; k++) {
        int64_t ones = 0;
        for (int64_t i = 0; i < s->m; i++)
            ones += s->codes[(size_t)i * s->size + (size_t)k / 8] >> (k % 8) & 1;
        dead += ones <= rare || ones >= s->m - rare;
    }
    bool short_codes = enc->nbits < 60 && codes >= (int64_t)1 << enc->nbits / 2;
    bool few = enc->method->needs_labels ? codes == 1 && rows > 1 : codes < rows / FEW && !short_codes;
    snprintf(text, sizeof text, "%lld different codes for %lld different rows", (long long)codes,
             (long long)rows);
    if (codes > 0 && few)
        lbh_encoder_set_note(enc, "few_codes", text);
    snprintf(text, sizeof text, "%lld of %d bits are the same in (nearly) all codes", (long long)dead,
             enc->nbits);
    if (dead > 0)
        lbh_encoder_set_note(enc, "dead_bits", text);
}

static void note_few_rows(lbh_encoder *enc, int64_t n)
{
    char text[160];
    snprintf(text, sizeof text,
             "%lld %s to learn %d bits from: what holds for so few may hold for no others", (long long)n,
             n == 1 ? "row" : "rows", enc->nbits);
    if (n < enc->nbits && !lbh_encoder_note(enc, "few_rows"))
        lbh_encoder_set_note(enc, "few_rows", text);
}

void lbh_note_quality(lbh_encoder *enc, const lbh_held_out *h)
{
    lbh_arena arena = {0};
    sample s = {.enc = enc};
    note_few_rows(enc, h->kept.n);
    if (h->kept.n < FEWEST_CODES)
        return;
    if (take(&s, &arena, h) == LBH_OK) {
        if (measures(enc) && s.nq > 0 && s.m >= FIRST)
            note_recalls(enc, &s);
        note_bits(enc, &s);
    }
    lbh_arena_clear(&arena);
}
