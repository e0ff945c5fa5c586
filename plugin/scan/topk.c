/* topk.c: see topk.h. Selection by quickselect, sorting by radix: both know no worst inputs that
 * scores bring with them (few different values, or an order). */
#include "topk.h"

#include "cpu.h"

/* ---- Selection ----------------------------------------------------------------------------- */

static inline void swap(uint64_t *a, uint64_t *b)
{
    uint64_t t = *a;
    *a = *b;
    *b = t;
}

/* Moves the median of three to the middle. */
static uint64_t pivot_of(uint64_t *key, int64_t low, int64_t high)
{
    int64_t middle = low + (high - low) / 2;
    if (key[middle] < key[low])
        swap(&key[middle], &key[low]);
    if (key[high] < key[low])
        swap(&key[high], &key[low]);
    if (key[high] < key[middle])
        swap(&key[high], &key[middle]);
    return key[middle];
}

/* Puts the key of rank k (from 0) in its place, smaller ones before it. Keys are all different. */
static void select_rank(uint64_t *key, int64_t n, int64_t k)
{
    int64_t low = 0, high = n - 1;
    while (low < high) {
        uint64_t pivot = pivot_of(key, low, high);
        int64_t i = low, j = high;
        while (i <= j) {
            while (key[i] < pivot)
                i++;
            while (key[j] > pivot)
                j--;
            if (i <= j)
                swap(&key[i++], &key[j--]);
        }
        if (k <= j)
            high = j;
        else if (k >= i)
            low = i;
        else
            return;
    }
}

void lbh_topk_prune(lbh_topk *t)
{
    if (t->count < t->k)
        return;
    if (t->count > t->k)
        select_rank(t->key, t->count, t->k - 1);
    t->count = t->k;
    uint64_t worst = t->key[0];
    for (int64_t i = 1; i < t->k; i++)
        worst = t->key[i] > worst ? t->key[i] : worst;
    /* Later candidates have larger ids: one that equals the bar loses. */
    t->bar = lbh_topk_score(worst);
}

/* ---- Collection ---------------------------------------------------------------------------- */

/* Whether one of 64 scores is below the bar. Almost none is, once the buffer was full. */
LBH_CLONES
static int any_below(const float *scores, float bar)
{
    int any = 0;
    for (int i = 0; i < 64; i++)
        any |= scores[i] < bar;
    return any;
}

void lbh_topk_add(lbh_topk *t, int64_t n, const float *scores, uint32_t first)
{
    for (int64_t i = 0; i < n; i += 64) {
        int64_t stop = n - i < 64 ? n : i + 64;
        if (stop - i == 64 && !any_below(scores + i, t->bar))
            continue;
        for (int64_t j = i; j < stop; j++) {
            if (!(scores[j] < t->bar))
                continue;
            t->key[t->count++] = lbh_topk_key(scores[j], first + (uint32_t)j);
            if (t->count == t->room)
                lbh_topk_prune(t);
        }
    }
}

/* ---- Sorting ------------------------------------------------------------------------------- */

enum { DIGITS = 8, VALUES = 256, SHORT = 48 };

static void insertion_sort(int64_t n, uint64_t *key)
{
    for (int64_t i = 1; i < n; i++) {
        uint64_t x = key[i];
        int64_t j = i;
        for (; j > 0 && key[j - 1] > x; j--)
            key[j] = key[j - 1];
        key[j] = x;
    }
}

void lbh_sort_keys(int64_t n, uint64_t *key, uint64_t *scratch)
{
    int64_t count[DIGITS][VALUES] = {{0}};
    uint64_t *from = key, *to = scratch;
    if (n <= SHORT) {
        insertion_sort(n, key);
        return;
    }
    for (int64_t i = 0; i < n; i++)
        for (int d = 0; d < DIGITS; d++)
            count[d][key[i] >> (8 * d) & 255]++;
    for (int d = 0; d < DIGITS; d++) {
        if (count[d][key[0] >> (8 * d) & 255] == n)
            continue; /* all the same: the upper bytes of ids, mostly */
        int64_t start[VALUES], sum = 0;
        for (int v = 0; v < VALUES; v++) {
            start[v] = sum;
            sum += count[d][v];
        }
        for (int64_t i = 0; i < n; i++)
            to[start[from[i] >> (8 * d) & 255]++] = from[i];
        uint64_t *other = from;
        from = to;
        to = other;
    }
    if (from != key)
        memcpy(key, from, (size_t)n * sizeof *key);
}
