/* mih_probe.c: see mih_probe.h. Memory latency is what a step costs, so that it is asked for many things at
 * once before the first is needed: of 64 values of a step first the directory entries, then the entries
 * themselves, then, of those whose words are near enough, the codes (or what leads to them), and in the end
 * the rows of codes that are answers so far. */
#include "mih_probe.h"

#include "cpu.h"
#include "error.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* Nanoseconds of a value looked up (whose entries lie in more lines of memory where prefixes are shorter, that is
 * where entries are the rest of the code), of an entry compared and of a code checked, on a machine whose exhaustive
 * scan takes 0.35 ns for 8 bytes. Only the ratios matter; they gave the quickest searches of 1 and 5 million codes of
 * 64 and 128 bits on a Zen 3. */
static const double rest_value_ns = 14, place_value_ns = 8, entry_ns = 1, check_ns = 8;

/* ---- Distances ----------------------------------------------------------------------------- */

/* hit[]: (run, entry) of the runs' entries whose words are within `limit` of `word` under `mask`; a word is
 * the beginning of an entry of `width` bits. Returns their number. */
LBH_CLONES
static int64_t near_words(int64_t nruns, const lbh_mih_run *run, const uint8_t *entries, int width,
                          uint64_t word, uint64_t mask, int limit, uint64_t *hit)
{
    int64_t count = 0;
    for (int64_t r = 0; r < nruns; r++) {
        uint64_t bit = (uint64_t)run[r].begin * (uint64_t)width;
        for (uint32_t i = run[r].begin; i < run[r].end; i++, bit += (uint64_t)width) {
            uint64_t flips = (lbh_packed_from(entries, bit) ^ word) & mask;
            hit[count] = (uint64_t)r << 32 | i;
            count += __builtin_popcountll(flips) <= limit;
        }
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
LBH_CLONES
static bool is_first(const lbh_mih *mih, const uint8_t *flips, int r, int t)
{
    for (int j = 0; j < mih->m; j++) {
        int d = __builtin_popcount(lbh_mih_prefix(mih, j, flips));
        if (d < r || (d == r && j < t))
            return false;
    }
    return true;
}

/* The place of a find that is not known yet. */
static const uint32_t NOWHERE = UINT32_MAX;

/* ---- What was found ------------------------------------------------------------------------ */

/* One more code at distance d: the limit falls to where k of them lie. */
static void count_one(lbh_probe *p, int d)
{
    if (p->k == 0)
        return;
    p->count[d]++;
    p->near++;
    while (p->near - p->count[p->limit] >= p->k)
        p->near -= p->count[p->limit--];
}

static int make_room(lbh_probe *p)
{
    lbh_topk *f = &p->found;
    if (p->k) { /* keep the best k: those dropped are as far as the limit or farther */
        lbh_topk_prune(f);
        return LBH_OK;
    }
    uint64_t *key = realloc(f->key, 2 * (size_t)f->room * sizeof *key);
    if (!key)
        return lbh_error(LBH_ENOMEM, "mih: no memory for %lld answers", (long long)(2 * f->room));
    f->key = key;
    f->room *= 2;
    return LBH_OK;
}

static int add(lbh_probe *p, int d, uint64_t place)
{
    lbh_topk *f = &p->found;
    uint32_t row = lbh_mih_row(p->mih, place);
    if (row >= p->mih->n)
        return lbh_error(LBH_EFORMAT, "mih: damaged index: row %u of %lld", row,
                         (long long)p->mih->n);
    if (f->count == f->room)
        LBH_TRY(make_room(p));
    f->key[f->count++] = lbh_topk_key((float)d, row);
    return LBH_OK;
}

/* ---- Entries ------------------------------------------------------------------------------- */

static void prefetch_dir(const lbh_mih *mih, int t, uint64_t prefix)
{
    __builtin_prefetch(mih->table[t].dir + prefix * (uint64_t)mih->dir_bits / 8);
}

static const uint8_t *code_at(const lbh_mih *mih, uint64_t place)
{
    return mih->codes + place * mih->code_size;
}

/* Whether an earlier step than (r, t) found a code: as far as the prefixes tell that the word of its entry
 * in table t holds as a whole, which differs from the query's by `flips`. */
LBH_CLONES
static bool was_found(const lbh_mih *mih, uint64_t flips, int r, int t)
{
    const int nbits = 8 * (int)mih->code_size, bits = mih->prefix_bits;
    const uint64_t mask = (UINT64_C(1) << bits) - 1;
    for (int j = (t + 1) % mih->m; j != t; j = (j + 1) % mih->m) {
        int at = mih->table[j].begin - mih->table[t].begin - bits + (j < t ? nbits : 0);
        if (at + bits > mih->word_bits)
            break;
        int d = __builtin_popcountll(flips >> at & mask);
        if (d < r || (d == r && j < t))
            return true;
    }
    return false;
}

/* The places of the codes of the hits, without those that earlier steps found. Sets their number. */
static int find_places(lbh_probe *p, int r, int t, int64_t *count)
{
    const lbh_mih *mih = p->mih;
    const lbh_mih_table *table = &mih->table[t];
    const int width = mih->word_bits + mih->place_bits;
    int64_t kept = 0;
    for (int64_t i = 0; i < *count; i++) {
        uint64_t place = (uint32_t)p->hit[i];
        if (t > 0) {
            uint64_t bit = place * (uint64_t)width;
            uint64_t flips = lbh_packed(table->entries, bit, mih->word_bits) ^ p->word[t];
            if (was_found(mih, flips, r, t))
                continue;
            place = lbh_packed(table->entries, bit + (uint64_t)mih->word_bits, mih->place_bits);
        }
        if (place >= (uint64_t)mih->n)
            return lbh_error(LBH_EFORMAT, "mih: damaged index: code %llu of %lld",
                             (unsigned long long)place, (long long)mih->n);
        __builtin_prefetch(code_at(mih, place));
        p->place[kept++] = (uint32_t)place;
    }
    *count = kept;
    return LBH_OK;
}

/* Makes find[] of those hits that are answers so far, and counts them. */
static void check_places(lbh_probe *p, int r, int t, int64_t count)
{
    const lbh_mih *mih = p->mih;
    uint8_t flips[LBH_MIH_MAX_CODE_SIZE];
    for (int64_t i = 0; i < count; i++) {
        uint32_t place = p->place[i];
        int d = distance(code_at(mih, place), p->query, mih->code_size, flips);
        if (d <= p->limit && is_first(mih, flips, r, t)) {
            p->find[p->nfinds++] = (lbh_mih_find){.place = place, .distance = d, .equals = t > 0};
            count_one(p, d);
        }
    }
}

/* The same, where prefix and word are the code. */
static void check_words(lbh_probe *p, int r, int t, int64_t count)
{
    const lbh_mih *mih = p->mih;
    const lbh_mih_table *table = &mih->table[t];
    const int nbits = 8 * (int)mih->code_size, word_bits = mih->word_bits;
    for (int64_t i = 0; i < count; i++) {
        uint64_t word = lbh_packed(table->entries, (uint32_t)p->hit[i] * (uint64_t)word_bits, word_bits);
        word = word << mih->prefix_bits | p->run[p->hit[i] >> 32].prefix;
        word = word << table->begin | word >> (nbits - table->begin);
        uint8_t code[8], flips[8];
        memcpy(code, &word, sizeof code);
        int d = distance(code, p->query, mih->code_size, flips);
        if (d <= p->limit && is_first(mih, flips, r, t)) {
            p->find[p->nfinds++] =
                (lbh_mih_find){.code = word, .place = NOWHERE, .distance = d, .equals = true};
            prefetch_dir(mih, 0, word & ((UINT64_C(1) << mih->prefix_bits) - 1));
            count_one(p, d);
        }
    }
}

/* A code of up to 8 bytes as a number; numbers are in the order that memcmp has. */
static uint64_t number_of(const lbh_mih *mih, const void *code)
{
    uint64_t number;
    memcpy(&number, code, sizeof number); /* behind the last code there are zeros */
    return __builtin_bswap64(number) >> (64 - 8 * mih->code_size);
}

/* The first of the places of a run of table 0 whose code is not below the number; or its end. */
static uint32_t lower_bound(const lbh_mih *mih, lbh_mih_run run, uint64_t number)
{
    uint32_t begin = run.begin, count = run.end - run.begin;
    while (count > 0) {
        uint32_t half = count / 2;
        bool below = number_of(mih, code_at(mih, begin + (uint64_t)half)) < number;
        begin += below ? half + 1 : 0;
        count = below ? count - half - 1 : half;
    }
    return begin;
}

static int get_run(const lbh_mih *mih, int t, uint32_t prefix, lbh_mih_run *run)
{
    const lbh_mih_table *table = &mih->table[t];
    *run = (lbh_mih_run){lbh_mih_dir(mih, table, prefix), lbh_mih_dir(mih, table, (uint64_t)prefix + 1),
                         prefix};
    if (run->begin > run->end || run->end > table->count)
        return lbh_error(LBH_EFORMAT, "mih: damaged index: entries %u to %u of %lld", run->begin,
                         run->end, (long long)table->count);
    return LBH_OK;
}

/* The places of codes that check_words made. */
static int find_codes(lbh_probe *p, int64_t count)
{
    const lbh_mih *mih = p->mih;
    const uint64_t prefixes = (UINT64_C(1) << mih->prefix_bits) - 1;
    lbh_mih_run run;
    for (int64_t i = 0; i < count; i++) {
        if (p->find[i].place != NOWHERE)
            continue;
        LBH_TRY(get_run(mih, 0, (uint32_t)(p->find[i].code & prefixes), &run));
        __builtin_prefetch(code_at(mih, run.begin));
        __builtin_prefetch(code_at(mih, run.end) - 1);
        __builtin_prefetch(mih->rows + run.begin * (uint64_t)mih->row_bits / 8);
    }
    for (int64_t i = 0; i < count; i++) {
        if (p->find[i].place != NOWHERE)
            continue;
        const uint64_t number = number_of(mih, &p->find[i].code);
        LBH_TRY(get_run(mih, 0, (uint32_t)(p->find[i].code & prefixes), &run));
        uint32_t place = lower_bound(mih, run, number);
        if (place == run.end || number_of(mih, code_at(mih, place)) != number)
            return lbh_error(LBH_EFORMAT, "mih: damaged index: a code of a table is not there");
        p->find[i].place = place;
    }
    return LBH_OK;
}

/* Adds codes that are equal to the one at find's place, which lie behind it. */
static int add_equals(lbh_probe *p, const lbh_mih_find *find)
{
    const lbh_mih *mih = p->mih;
    const uint8_t *code = code_at(mih, find->place);
    for (uint64_t i = (uint64_t)find->place + 1; i < (uint64_t)mih->n && find->distance <= p->limit; i++) {
        if (memcmp(code_at(mih, i), code, mih->code_size) != 0)
            break;
        p->cost += check_ns;
        if (p->cost > p->budget)
            return LBH_PROBE_TOO_DEAR;
        count_one(p, find->distance);
        LBH_TRY(add(p, find->distance, i));
    }
    return LBH_OK;
}

/* Reads the rows of what was found and is still near enough. */
static int add_finds(lbh_probe *p)
{
    const lbh_mih *mih = p->mih;
    int64_t kept = 0;
    for (int64_t i = 0; i < p->nfinds; i++)
        if (p->find[i].distance <= p->limit)
            p->find[kept++] = p->find[i];
    p->nfinds = 0;
    LBH_TRY(find_codes(p, kept));
    for (int64_t i = 0; i < kept; i++)
        __builtin_prefetch(mih->rows + p->find[i].place * (uint64_t)mih->row_bits / 8);
    for (int64_t i = 0; i < kept; i++) {
        LBH_TRY(add(p, p->find[i].distance, p->find[i].place));
        if (p->find[i].equals)
            LBH_TRY(add_equals(p, &p->find[i]));
    }
    return LBH_OK;
}

/* Of the codes, the entries of table 0, the last 8 bytes are compared. */
static uint64_t first_word(const lbh_mih *mih, const uint8_t *query)
{
    int nbits = 8 * (int)mih->code_size, width = nbits < 64 ? nbits : 64;
    return lbh_mih_word(query, mih->code_size, nbits - width, width);
}

static int64_t near_entries(lbh_probe *p, int t, int limit)
{
    const lbh_mih *mih = p->mih;
    const lbh_mih_table *table = &mih->table[t];
    const int nbits = 8 * (int)mih->code_size;
    if (t > 0)
        return near_words(p->nruns, p->run, table->entries, mih->word_bits + mih->place_bits,
                          p->word[t], (UINT64_C(1) << mih->word_bits) - 1, limit, p->hit);
    int width = nbits < 64 ? nbits : 64, begin = nbits - width;
    uint64_t mask = UINT64_MAX >> (64 - width);
    if (begin < mih->prefix_bits) { /* a shift by 64 is none */
        int prefix = mih->prefix_bits - begin;
        mask = prefix < width ? mask >> prefix << prefix : 0;
    }
    return near_words(p->nruns, p->run, mih->codes + begin / 8, nbits, p->word[0], mask,
                      limit, p->hit);
}

/* Looks at the runs that wait. */
static int look(lbh_probe *p, int r, int t)
{
    int64_t hits = near_entries(p, t, p->limit - r); /* r bits of the prefix differ already */
    bool whole = t > 0 && p->mih->place_bits == 0;
    p->stats.candidates += p->entries;
    if (!whole)
        LBH_TRY(find_places(p, r, t, &hits));
    p->cost += check_ns * (double)hits;
    if (p->cost > p->budget) /* many codes at the same small distance, most often */
        return LBH_PROBE_TOO_DEAR;
    p->stats.checked += hits;
    if (p->nfinds + hits > LBH_PROBE_ENTRIES)
        LBH_TRY(add_finds(p));
    if (whole)
        check_words(p, r, t, hits);
    else
        check_places(p, r, t, hits);
    p->nruns = p->entries = 0;
    return LBH_OK;
}

/* The entries of a run are to be looked at: in pieces that fit the list of hits. */
static int take_run(lbh_probe *p, int r, int t, lbh_mih_run run)
{
    enum { LINE = 64, FIRST = 8 * LINE }; /* the rest the hardware sees coming */
    const lbh_mih *mih = p->mih;
    size_t width = t ? (size_t)(mih->word_bits + mih->place_bits) : 8 * mih->code_size;
    const uint8_t *from = mih->table[t].entries + run.begin * width / 8;
    size_t size = (run.end - run.begin) * width / 8 + 1;
    p->cost += entry_ns * (run.end - run.begin);
    if (p->cost > p->budget)
        return LBH_PROBE_TOO_DEAR;
    for (size_t at = 0; at < size && at < FIRST; at += LINE)
        __builtin_prefetch(from + at);
    __builtin_prefetch(from + size);
    while (run.begin < run.end) {
        uint32_t room = (uint32_t)(LBH_PROBE_ENTRIES - p->entries);
        uint32_t stop = run.end - run.begin < room ? run.end : run.begin + room;
        p->run[p->nruns++] = (lbh_mih_run){run.begin, stop, run.prefix};
        p->entries += stop - run.begin;
        run.begin = stop;
        if (p->nruns == LBH_PROBE_RUNS || p->entries == LBH_PROBE_ENTRIES)
            LBH_TRY(look(p, r, t));
    }
    return LBH_OK;
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

static int look_up(lbh_probe *p, int r, int t, int count, const uint32_t *prefix)
{
    lbh_mih_run run;
    for (int i = 0; i < count; i++) {
        LBH_TRY(get_run(p->mih, t, prefix[i], &run));
        if (run.begin < run.end)
            LBH_TRY(take_run(p, r, t, run));
    }
    return LBH_OK;
}

static int step(lbh_probe *p, int r, int t)
{
    enum { BATCH = 64 };
    const int bits = p->mih->prefix_bits;
    if (r > bits)
        return LBH_OK;
    double values = choose(bits, r);
    p->cost += (p->mih->place_bits ? place_value_ns : rest_value_ns) * values;
    if (p->cost > p->budget)
        return LBH_PROBE_TOO_DEAR;
    p->stats.buckets += (int64_t)values;
    uint32_t own = lbh_mih_prefix(p->mih, t, p->query), prefix[BATCH];
    uint64_t flips = (UINT64_C(1) << r) - 1, end = UINT64_C(1) << bits;
    int count = 0;
    do {
        prefix[count] = own ^ (uint32_t)flips;
        prefetch_dir(p->mih, t, prefix[count]);
        if (++count == BATCH) {
            LBH_TRY(look_up(p, r, t, count, prefix));
            count = 0;
        }
        flips = r ? next_combination(flips) : end;
    } while (flips < end);
    LBH_TRY(look_up(p, r, t, count, prefix));
    return p->nruns ? look(p, r, t) : LBH_OK;
}

static int steps(lbh_probe *p)
{
    const lbh_mih *mih = p->mih;
    /* Before step s, all codes at a distance below s are known. */
    for (int s = 0; s <= p->limit; s++) {
        LBH_TRY(step(p, s / mih->m, s % mih->m));
        if (p->k && mih->distinct < mih->n) /* equal codes lower the limit as well */
            LBH_TRY(add_finds(p));
    }
    return add_finds(p);
}

/* ---- A query ------------------------------------------------------------------------------- */

int lbh_probe_query(lbh_probe *p, const uint8_t *query, int limit, double budget)
{
    size_t distances = 8 * p->mih->code_size + 1;
    if (p->k)
        memset(p->count, 0, distances * sizeof *p->count);
    p->query = query;
    p->limit = limit;
    p->near = p->found.count = p->nruns = p->nfinds = p->entries = 0;
    p->word[0] = first_word(p->mih, query);
    for (int t = 1; t < p->mih->m; t++)
        p->word[t] = lbh_mih_word(query, p->mih->code_size,
                                  p->mih->table[t].begin + p->mih->prefix_bits, p->mih->word_bits);
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
    lbh_probe *p = malloc(sizeof *p);
    if (p) {
        memset(p, 0, offsetof(lbh_probe, run)); /* the lists that follow are long */
        p->mih = mih;
        p->k = k;
        p->found.k = k;
        p->found.room = 2 * k + 1024;
        p->found.key = malloc((size_t)p->found.room * sizeof *p->found.key);
        p->count = calloc(8 * mih->code_size + 1, sizeof *p->count);
        p->word = malloc((size_t)mih->m * sizeof *p->word);
    }
    if (!p || !p->found.key || !p->count || !p->word) {
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
        free(p->word);
        free(p);
    }
}
