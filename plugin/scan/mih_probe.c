/* mih_probe.c: see mih_probe.h. Memory latency is what a step costs: the values of a step are taken
 * 64 at a time, first their directory entries are asked for, then their words, then the words are
 * compared; only rows of words that are near enough are read, and, if a word is not the whole code,
 * the codes. */
#include "mih_probe.h"

#include "cpu.h"
#include "error.h"

#include <stdlib.h>
#include <string.h>

/* Nanoseconds of a value looked up, an entry compared, a code checked; measured with 10 million
 * codes on a machine whose exhaustive scan takes 0.35 ns for 8 bytes. Only the ratios matter. */
static const double value_ns = 8, entry_ns = 0.7, check_ns = 10;

/* ---- Distances ----------------------------------------------------------------------------- */

/* hit[]: entries of the runs whose words are within `limit` of `word`. Returns their number. */
LBH_CLONES
static int64_t near_words(int64_t nruns, const lbh_mih_run *run, const uint64_t *words,
                          uint64_t word, int limit, uint32_t *hit)
{
    int64_t count = 0;
    for (int64_t r = 0; r < nruns; r++)
        for (uint32_t i = run[r].begin; i < run[r].end; i++) {
            hit[count] = i;
            count += __builtin_popcountll(words[i] ^ word) <= limit;
        }
    return count;
}

/* flips = a ^ b; returns the number of bits in it. */
LBH_CLONES
static int distance(const uint8_t *a, const uint8_t *b, size_t size, uint8_t *flips)
{
    int sum = 0;
    size_t i = 0;
    for (; i + 8 <= size; i += 8) {
        uint64_t x, y;
        memcpy(&x, a + i, 8);
        memcpy(&y, b + i, 8);
        x ^= y;
        memcpy(flips + i, &x, 8);
        sum += __builtin_popcountll(x);
    }
    for (; i < size; i++) {
        flips[i] = (uint8_t)(a[i] ^ b[i]);
        sum += __builtin_popcount(flips[i]);
    }
    return sum;
}

/* Whether step (r, t), which found the code, is the first that does. */
static bool is_first(const lbh_mih *mih, const uint8_t *flips, int r, int t)
{
    for (int j = 0; j < mih->m; j++) {
        const lbh_mih_table *table = &mih->table[j];
        int d = __builtin_popcount(lbh_mih_bits(flips, mih->code_size, table->begin, table->bits));
        if (d < r || (d == r && j < t))
            return false;
    }
    return true;
}

/* ---- What was found ------------------------------------------------------------------------ */

static int make_room(lbh_probe *p)
{
    lbh_topk *f = &p->found;
    if (p->k) { /* keep the best k: those dropped are as far as the limit or farther */
        lbh_topk_prune(f);
        p->count[p->limit] -= p->near - p->k;
        p->near = p->k;
        return LBH_OK;
    }
    uint64_t *key = realloc(f->key, 2 * (size_t)f->room * sizeof *key);
    if (!key)
        return lbh_error(LBH_ENOMEM, "mih: no memory for %lld answers", (long long)(2 * f->room));
    f->key = key;
    f->room *= 2;
    return LBH_OK;
}

static int add(lbh_probe *p, int d, uint32_t row)
{
    lbh_topk *f = &p->found;
    if (f->count == f->room)
        LBH_TRY(make_room(p));
    f->key[f->count++] = lbh_topk_key((float)d, row);
    if (p->k == 0)
        return LBH_OK;
    p->count[d]++;
    p->near++;
    while (p->near - p->count[p->limit] >= p->k)
        p->near -= p->count[p->limit--];
    return LBH_OK;
}

/* ---- Entries ------------------------------------------------------------------------------- */

/* Looks at the codes of hit[0 .. count-1] of table t in full. */
static int check_hits(lbh_probe *p, int r, int t, int64_t count)
{
    const lbh_mih *mih = p->mih;
    const lbh_mih_table *table = &mih->table[t];
    uint8_t flips[LBH_MIH_MAX_CODE_SIZE];
    bool whole = mih->code_size <= 8;
    for (int64_t i = 0; i < count && !whole; i++)
        __builtin_prefetch(table->rows + p->hit[i]);
    for (int64_t i = 0; i < count && !whole; i++)
        if (table->rows[p->hit[i]] < mih->n)
            __builtin_prefetch(mih->codes + table->rows[p->hit[i]] * mih->code_size);
    for (int64_t i = 0; i < count; i++) {
        uint32_t row = table->rows[p->hit[i]];
        if (row >= mih->n)
            return lbh_error(LBH_EFORMAT, "mih: damaged index: row %u of %lld", row,
                             (long long)mih->n);
        const uint8_t *code =
            whole ? (const uint8_t *)&table->words[p->hit[i]] : mih->codes + row * mih->code_size;
        int d = distance(code, p->query, mih->code_size, flips);
        if (d <= p->limit && is_first(mih, flips, r, t))
            LBH_TRY(add(p, d, row));
    }
    return LBH_OK;
}

/* Looks at the runs that wait. */
static int look(lbh_probe *p, int r, int t)
{
    const lbh_mih_table *table = &p->mih->table[t];
    uint64_t word = lbh_mih_word(p->query, p->mih->code_size, table->word_byte);
    int limit = table->disjoint ? p->limit - r : p->limit;
    int64_t hits = near_words(p->nruns, p->run, table->words, word, limit, p->hit);
    p->stats.candidates += p->entries;
    p->nruns = p->entries = 0;
    p->cost += check_ns * (double)hits;
    if (p->cost > p->budget) /* many codes at the same small distance, most often */
        return LBH_PROBE_TOO_DEAR;
    p->stats.checked += hits;
    return check_hits(p, r, t, hits);
}

/* Entries begin .. end-1 are to be looked at: in pieces that fit the list of hits. */
static int take_run(lbh_probe *p, int r, int t, uint32_t begin, uint32_t end)
{
    const lbh_mih_table *table = &p->mih->table[t];
    p->cost += entry_ns * (end - begin);
    if (p->cost > p->budget)
        return LBH_PROBE_TOO_DEAR;
    __builtin_prefetch(table->words + begin);
    __builtin_prefetch(table->words + end - 1);
    while (begin < end) {
        uint32_t room = (uint32_t)(LBH_PROBE_ENTRIES - p->entries);
        uint32_t stop = end - begin < room ? end : begin + room;
        p->run[p->nruns++] = (lbh_mih_run){begin, stop};
        p->entries += stop - begin;
        begin = stop;
        if (p->nruns == LBH_PROBE_RUNS || p->entries == LBH_PROBE_ENTRIES)
            LBH_TRY(look(p, r, t));
    }
    return LBH_OK;
}

/* The first entry of begin .. end-1 whose key is not below `key`. */
static uint32_t lower_bound(const uint32_t *keys, uint32_t begin, uint32_t end, uint64_t key)
{
    while (begin < end) {
        uint32_t middle = begin + (end - begin) / 2;
        if (keys[middle] < key)
            begin = middle + 1;
        else
            end = middle;
    }
    return begin;
}

static int look_up(lbh_probe *p, int r, int t, uint32_t key)
{
    const lbh_mih_table *table = &p->mih->table[t];
    uint32_t prefix = key >> (table->bits - table->dir_bits);
    uint32_t begin = table->dir[prefix], end = table->dir[prefix + 1];
    if (begin > end || end > p->mih->n)
        return lbh_error(LBH_EFORMAT, "mih: damaged index: entries %u to %u of %lld", begin, end,
                         (long long)p->mih->n);
    if (table->keys) {
        begin = lower_bound(table->keys, begin, end, key);
        end = lower_bound(table->keys, begin, end, (uint64_t)key + 1);
    }
    return begin < end ? take_run(p, r, t, begin, end) : LBH_OK;
}

/* ---- Steps --------------------------------------------------------------------------------- */

/* n choose r, as far as a double goes. */
static double choose(int n, int r)
{
    double c = 1;
    for (int i = 1; i <= r; i++)
        c = c * (n - r + i) / i;
    return c;
}

/* The next larger number with as many bits set (Gosper). */
static uint64_t next_combination(uint64_t v)
{
    uint64_t lowest = v & (~v + 1), ripple = v + lowest;
    return ripple | ((v ^ ripple) >> (__builtin_ctzll(v) + 2));
}

static int look_up_all(lbh_probe *p, int r, int t, int count, const uint32_t *key)
{
    for (int i = 0; i < count; i++)
        LBH_TRY(look_up(p, r, t, key[i]));
    return LBH_OK;
}

static int step(lbh_probe *p, int r, int t)
{
    enum { BATCH = 64 };
    const lbh_mih_table *table = &p->mih->table[t];
    if (r > table->bits)
        return LBH_OK;
    double values = choose(table->bits, r);
    p->cost += value_ns * values;
    if (p->cost > p->budget)
        return LBH_PROBE_TOO_DEAR;
    p->stats.buckets += (int64_t)values;
    uint32_t own = lbh_mih_bits(p->query, p->mih->code_size, table->begin, table->bits);
    uint64_t flips = (UINT64_C(1) << r) - 1, end = UINT64_C(1) << table->bits;
    uint32_t key[BATCH];
    int count = 0;
    do {
        key[count] = own ^ (uint32_t)flips;
        __builtin_prefetch(table->dir + (key[count] >> (table->bits - table->dir_bits)));
        if (++count == BATCH) {
            LBH_TRY(look_up_all(p, r, t, count, key));
            count = 0;
        }
        flips = r ? next_combination(flips) : end;
    } while (flips < end);
    LBH_TRY(look_up_all(p, r, t, count, key));
    return p->nruns ? look(p, r, t) : LBH_OK;
}

static int steps(lbh_probe *p)
{
    const lbh_mih *mih = p->mih;
    /* Before step s, all codes at a distance below s are known. */
    for (int s = 0; s <= p->limit; s++)
        LBH_TRY(step(p, s / mih->m, s % mih->m));
    return LBH_OK;
}

/* ---- A query ------------------------------------------------------------------------------- */

int lbh_probe_query(lbh_probe *p, const uint8_t *query, int limit, double budget)
{
    size_t distances = 8 * p->mih->code_size + 1;
    if (p->k)
        memset(p->count, 0, distances * sizeof *p->count);
    p->query = query;
    p->limit = limit;
    p->near = p->found.count = p->nruns = p->entries = 0;
    p->cost = 0;
    p->budget = budget;
    LBH_TRY(steps(p));
    if (p->k)
        lbh_topk_prune(&p->found);
    uint64_t *scratch = malloc(((size_t)p->found.count + 1) * sizeof *scratch);
    if (!scratch)
        return lbh_error(LBH_ENOMEM, "mih: no memory to sort answers");
    lbh_sort_keys(p->found.count, p->found.key, scratch);
    free(scratch);
    return LBH_OK;
}

int lbh_probe_new(lbh_probe **probe, const lbh_mih *mih, int64_t k)
{
    lbh_probe *p = calloc(1, sizeof *p);
    if (p) {
        p->mih = mih;
        p->k = k;
        p->found.k = k;
        p->found.room = 2 * k + 1024;
        p->found.key = malloc((size_t)p->found.room * sizeof *p->found.key);
        p->count = calloc(8 * mih->code_size + 1, sizeof *p->count);
    }
    if (!p || !p->found.key || !p->count) {
        lbh_probe_free(p);
        return lbh_error(LBH_ENOMEM, "mih: no memory for a search of %lld codes", (long long)k);
    }
    *probe = p;
    return LBH_OK;
}

void lbh_probe_free(lbh_probe *p)
{
    if (p) {
        free(p->found.key);
        free(p->count);
        free(p);
    }
}
