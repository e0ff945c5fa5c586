/* hamming_collect.c: what may still be an answer of one query; see hamming.h.
 *
 * Distances are few and small, so selection and sorting are counting: the histogram gives the bar
 * while codes are scanned, and the place of every answer at the end. Answers of equal distance come
 * by rising id without sorting when codes are scanned in the order of their ids. Else ties at the
 * limit are selected by id, and runs of equal distance sorted. */
#include "hamming.h"

#include "packed.h"
#include "topk.h"

#include <stdlib.h>

/* Collectors write by turns, each its own memory, too many for the processor to see where they go on: answers
 * ahead of the last one, memory is asked for. */
enum { AHEAD = 8 };

static void set_limit(lbh_collector *c, int32_t limit)
{
    c->limit = limit;
    c->tie = INT64_MAX;
    c->bar = c->ordered ? limit : (int64_t)limit + 1;
}

void lbh_collector_start(lbh_collector *c, int64_t k, bool ordered, int64_t nbits, int32_t end)
{
    c->k = k;
    c->ordered = ordered;
    c->count = c->below = 0;
    if (k > 0) {
        for (int64_t t = 0; t < nbits + 2; t++)
            c->histogram[t] = 0;
        set_limit(c, end);
    } else {
        c->limit = end - 1;
        c->bar = end;
    }
}

void lbh_collector_expect(lbh_collector *c, int32_t most)
{
    set_limit(c, most < c->limit ? most + 1 : c->limit);
}

/* ---- Adding -------------------------------------------------------------------------------- */

/* Moves the `need` smallest ids of a[n] to its front; 0 < need < n. */
static void select_ids(lbh_answer *a, int64_t n, int64_t need)
{
    int64_t low = 0, high = n - 1;
    while (low < high) {
        int64_t pivot = a[low + (high - low) / 2].id, i = low, j = high;
        while (i <= j) {
            while (a[i].id < pivot)
                i++;
            while (a[j].id > pivot)
                j--;
            if (i <= j) {
                lbh_answer swapped = a[i];
                a[i++] = a[j];
                a[j--] = swapped;
            }
        }
        if (need - 1 <= j)
            high = j;
        else if (need - 1 >= i)
            low = i;
        else
            return;
    }
}

/* Keeps the smallest ids of the ties, which are the last of the answers, so that k are left. */
static void select_ties(lbh_collector *c)
{
    lbh_answer *ties = c->answer + c->below;
    int64_t need = c->k - c->below;
    for (lbh_answer *a = ties; a < c->answer + c->count; a++) {
        a->id = lbh_answer_id(a);
        a->elsewhere = false;
    }
    select_ids(ties, c->count - c->below, need);
    c->count = c->k;
    c->tie = ties[0].id;
    for (int64_t i = 1; i < need; i++)
        c->tie = ties[i].id > c->tie ? ties[i].id : c->tie;
}

/* Drops what is no answer any more; at most k are left. */
static void compact(lbh_collector *c)
{
    lbh_answer *a = c->answer;
    int64_t kept = 0, ties = c->k - c->below;
    if (c->ordered) {
        for (int64_t i = 0; i < c->count; i++) { /* no branches: they would be guessed wrongly */
            int tie = a[i].distance == c->limit, keep = tie & (ties > 0);
            keep |= a[i].distance < c->limit;
            ties -= tie;
            a[kept] = a[i];
            kept += keep;
        }
        c->count = kept;
        return;
    }
    for (int64_t i = 0; i < c->count; i++)
        if (a[i].distance <= c->limit)
            a[kept++] = a[i];
    c->count = kept;
    if (kept <= c->k)
        return;
    for (int64_t i = 0, front = 0; front < c->below; i++)
        if (a[i].distance < c->limit) {
            lbh_answer swapped = a[front];
            a[front++] = a[i];
            a[i] = swapped;
        }
    select_ties(c);
}

static void add_to_range(lbh_collector *c, const lbh_answer *answer)
{
    if (c->count == c->room) {
        int64_t room = c->room ? 2 * c->room : 64;
        lbh_answer *grown = (uint64_t)room > SIZE_MAX / sizeof *grown
                                ? NULL
                                : realloc(c->answer, (size_t)room * sizeof *grown);
        if (!grown) {
            c->failed = true;
            c->bar = 0;
            return;
        }
        c->answer = grown;
        c->room = room;
    }
    c->answer[c->count++] = *answer;
}

void lbh_collector_add(lbh_collector *c, const lbh_answer *answer)
{
    int32_t distance = answer->distance;
    if (c->k == 0) {
        add_to_range(c, answer);
        return;
    }
    if (distance == c->limit && c->tie != INT64_MAX && lbh_answer_id(answer) >= c->tie)
        return;
    __builtin_prefetch(&c->answer[c->count + AHEAD], 1);
    c->answer[c->count++] = *answer;
    if (distance < c->limit) {
        c->histogram[distance]++;
        if (++c->below >= c->k) {
            int32_t limit = c->limit;
            while (c->below >= c->k)
                c->below -= c->histogram[--limit];
            set_limit(c, limit);
        }
    }
    if (c->count == c->room)
        compact(c);
}

static int64_t id_of(const lbh_scan *s, int64_t place)
{
    return s->rows ? (int64_t)lbh_packed(s->rows, (uint64_t)(place * s->row_bits), s->row_bits) : place;
}

void lbh_scan_take(lbh_scan *s, int64_t q, int64_t at, int32_t distance)
{
    lbh_collector *c = s->collector[q];
    if (distance < c->bar) {
        lbh_answer answer = {.distance = distance, .elsewhere = s->ids != NULL};
        if (s->ids)
            answer.where = s->ids + at;
        else
            answer.id = id_of(s, s->first + at);
        lbh_collector_add(c, &answer);
        s->bar[q] = c->bar;
    }
}

void lbh_scan_report(lbh_scan *s, int64_t q, int64_t at, uint64_t mask, const int32_t *distance)
{
    for (; mask; mask &= mask - 1) {
        int i = __builtin_ctzll(mask);
        lbh_scan_take(s, q, at + i, distance[i]);
    }
}

/* ---- Writing ------------------------------------------------------------------------------- */

static int compare_ids(const void *a, const void *b)
{
    int64_t p = *(const int64_t *)a, q = *(const int64_t *)b;
    return (p > q) - (p < q);
}

/* Sorts ids[n]; scratch[n], or NULL. */
static void sort_ids(int64_t n, int64_t *ids, uint64_t *scratch)
{
    const uint64_t sign = UINT64_C(1) << 63; /* flipped, numbers with a sign are in order */
    uint64_t *key = (uint64_t *)ids;
    if (!scratch) {
        qsort(ids, (size_t)n, sizeof *ids, compare_ids);
        return;
    }
    for (int64_t i = 0; i < n; i++)
        key[i] ^= sign;
    lbh_sort_keys(n, key, scratch);
    for (int64_t i = 0; i < n; i++)
        key[i] ^= sign;
}

/* Sorts the ids of each run of equal distances, if they do not rise already. scratch[n], or NULL */
static void sort_runs(int64_t n, const int32_t *distances, int64_t *labels, uint64_t *scratch)
{
    for (int64_t i = 0, end; i < n; i = end) {
        bool rising = true;
        for (end = i + 1; end < n && distances[end] == distances[i]; end++)
            rising = rising && labels[end - 1] <= labels[end];
        if (!rising)
            sort_ids(end - i, labels + i, scratch);
    }
}

/* Counts to places: start[t] becomes the number of answers at distances below t. */
static void counts_to_starts(int64_t n, int64_t *start)
{
    int64_t sum = 0;
    for (int64_t t = 0; t < n; t++) {
        int64_t count = start[t];
        start[t] = sum;
        sum += count;
    }
}

static void place(const lbh_collector *c, int64_t *start, int32_t *distances, int64_t *labels)
{
    for (int64_t i = 0; i < c->count; i++) {
        int64_t at = start[c->answer[i].distance]++;
        distances[at] = c->answer[i].distance;
        labels[at] = lbh_answer_id(&c->answer[i]);
    }
}

void lbh_collector_settle(lbh_collector *c)
{
    compact(c);
}

void lbh_collector_write(lbh_collector *c, int32_t *distances, int64_t *labels, int64_t k)
{
    compact(c);
    c->histogram[c->limit] = c->count - c->below;
    counts_to_starts((int64_t)c->limit + 1, c->histogram);
    place(c, c->histogram, distances, labels);
    if (!c->ordered) /* the answers are written: their memory is free */
        sort_runs(c->count, distances, labels, (uint64_t *)(void *)c->answer);
    for (int64_t i = c->count; i < k; i++) {
        distances[i] = INT32_MAX;
        labels[i] = -1;
    }
}

void lbh_collectors_write_all(const lbh_collector *c, int64_t count, int64_t stride, int64_t nbits,
                              int64_t *start, int32_t *distances, int64_t *labels)
{
    int64_t total = 0;
    const lbh_collector *last = &c[(count - 1) * stride];
    for (int64_t t = 0; t < nbits + 2; t++)
        start[t] = 0;
    for (int64_t j = 0; j < count; j++)
        for (int64_t i = 0; i < c[j * stride].count; i++, total++)
            start[c[j * stride].answer[i].distance]++;
    counts_to_starts(nbits + 2, start);
    for (int64_t j = 0; j < count; j++)
        place(&c[j * stride], start, distances, labels);
    if (!c->ordered) /* as above, if the last one's memory is enough */
        sort_runs(total, distances, labels,
                  last->room >= total ? (uint64_t *)(void *)last->answer : NULL);
}
