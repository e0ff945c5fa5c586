/* mih_build.c: filling a multi-index hash. The codes are brought into the order of table 0: one counting sort
 * by their prefixes, then each bucket is sorted. A counting sort of the codes that differ by their prefixes
 * fills each of the other tables. */
#include "mih.h"

#include "error.h"
#include "watch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WATCH_ROWS = 1 << 16 }; /* between two looks at whether to stop */

/* Substrings of about log2 n bits (section 3.2 of the paper): a bucket holds about one code. */
static int choose_substrings(size_t code_size, int64_t n)
{
    double bits = n > 256 ? log2((double)n) : 8;
    int nbits = 8 * (int)code_size, m = (int)lround(nbits / bits);
    int least = (nbits + LBH_MIH_MAX_BITS - 1) / LBH_MIH_MAX_BITS;
    return m < least ? least : m;
}

/* Whether to leave the rest of the rows from i on undone. */
static bool stopped(int64_t i, bool *stop)
{
    return i % WATCH_ROWS == 0 && lbh_watch_stopped(stop);
}

/* ---- The order of table 0 ------------------------------------------------------------------ */

typedef struct item {
    const uint8_t *code;
    uint32_t size, row;
} item;

static int compare_items(const void *a, const void *b)
{
    const item *p = a, *q = b;
    int c = memcmp(p->code, q->code, p->size);
    return c ? c : (p->row > q->row) - (p->row < q->row);
}

/* Counts to places: dir[h] becomes the number of entries with prefixes below h; dir[size + 1] */
static void counts_to_begins(uint32_t *dir, size_t size)
{
    uint32_t sum = 0;
    for (size_t h = 0; h <= size; h++) {
        uint32_t count = dir[h];
        dir[h] = sum;
        sum += count;
    }
}

/* After a counting sort each entry has moved on to where the next one began. */
static void move_back(uint32_t *dir, size_t size)
{
    memmove(dir + 1, dir, size * sizeof *dir);
    dir[0] = 0;
}

/* order[n]: codes[n], by row, in the order of table 0, whose directory of prefixes of `bits` bits is dir. */
static void sort_codes(int64_t n, size_t code_size, const uint8_t *codes, int bits, uint32_t *dir,
                       item *order)
{
    const size_t size = (size_t)1 << bits;
    bool stop = false;
    for (int64_t i = 0; i < n && !stopped(i, &stop); i++)
        dir[lbh_mih_bits(codes + (size_t)i * code_size, code_size, 0, bits)]++;
    counts_to_begins(dir, size);
    for (int64_t i = 0; i < n && !stopped(i, &stop); i++) {
        const uint8_t *code = codes + (size_t)i * code_size;
        order[dir[lbh_mih_bits(code, code_size, 0, bits)]++] =
            (item){code, (uint32_t)code_size, (uint32_t)i};
    }
    move_back(dir, size);
    if (stop) /* what was counted are no places */
        return;
#pragma omp parallel for schedule(dynamic, 64) if (n > 10000)
    for (size_t h = 0; h < size; h++)
        if (dir[h + 1] - dir[h] > 1 && !lbh_watch_stopped(&stop))
            qsort(order + dir[h], dir[h + 1] - dir[h], sizeof *order, compare_items);
}

static bool same_as_before(int64_t n, const item *order, int64_t i)
{
    return i > 0 && i < n && memcmp(order[i].code, order[i - 1].code, order[i].size) == 0;
}

/* ---- The other tables ---------------------------------------------------------------------- */

static void pack_dir(const lbh_mih *mih, int t, const uint32_t *dir)
{
    for (uint64_t h = 0; h <= UINT64_C(1) << mih->prefix_bits; h++)
        lbh_packed_put(mih->table[t].dir, h * (uint64_t)mih->dir_bits, dir[h]);
}

/* first[distinct]: the place of the first of all codes that are equal; key[distinct] and
 * dir[2^prefix_bits + 1], zeros, are scratch. */
static void fill_table(const lbh_mih *mih, int t, const uint32_t *first, uint32_t *key,
                       uint32_t *dir, bool *stop)
{
    const lbh_mih_table *table = &mih->table[t];
    const int width = mih->word_bits + mih->place_bits;
    const size_t size = (size_t)1 << mih->prefix_bits;
    for (int64_t i = 0; i < mih->distinct && !stopped(i, stop); i++) {
        key[i] = lbh_mih_prefix(mih, t, mih->codes + first[i] * mih->code_size);
        dir[key[i]]++;
    }
    counts_to_begins(dir, size);
    for (int64_t i = 0; i < mih->distinct && !stopped(i, stop); i++) {
        const uint8_t *code = mih->codes + first[i] * mih->code_size;
        uint64_t bit = (uint64_t)dir[key[i]]++ * (uint64_t)width;
        lbh_packed_put(table->entries, bit,
                       lbh_mih_word(code, mih->code_size, table->begin + mih->prefix_bits,
                                    mih->word_bits));
        if (mih->place_bits)
            lbh_packed_put(table->entries, bit + (uint64_t)mih->word_bits, first[i]);
    }
    move_back(dir, size);
    pack_dir(mih, t, dir);
}

static int fill_tables(const lbh_mih *mih, const uint32_t *first)
{
    int failed = 0;
    bool stop = false;
#pragma omp parallel for schedule(dynamic) reduction(+ : failed) if (mih->n > 10000)
    for (int t = 1; t < mih->m; t++) {
        uint32_t *key = calloc((size_t)mih->distinct + 1, sizeof *key);
        uint32_t *dir = calloc(((size_t)1 << mih->prefix_bits) + 1, sizeof *dir);
        failed += !key || !dir;
        if (key && dir && !lbh_watch_stopped(&stop))
            fill_table(mih, t, first, key, dir, &stop);
        free(key);
        free(dir);
    }
    LBH_TRY(lbh_watch_check());
    return failed ? lbh_error(LBH_ENOMEM, "mih: no memory to sort %lld codes", (long long)mih->n)
                  : LBH_OK;
}

/* ---- All together -------------------------------------------------------------------------- */

/* Codes, rows and directory of table 0, and first[] as above. */
static void fill_codes(const lbh_mih *mih, const item *order, const uint32_t *dir, uint32_t *first)
{
    bool stop = false;
    int64_t distinct = 0;
    pack_dir(mih, 0, dir);
    for (int64_t i = 0; i < mih->n && !stopped(i, &stop); i++) {
        memcpy(mih->codes + (size_t)i * mih->code_size, order[i].code, mih->code_size);
        lbh_packed_put(mih->rows, (uint64_t)i * (uint64_t)mih->row_bits, order[i].row);
        if (!same_as_before(mih->n, order, i))
            first[distinct++] = (uint32_t)i;
    }
}

/* codes[n] and ids[n] (or NULL) by rising id. dir[2^prefix_bits + 1], zeros; order[n] */
static int build_sorted(lbh_mih **out, size_t code_size, int64_t n, const uint8_t *codes,
                        const int64_t *ids, int m, uint32_t *dir, item *order)
{
    int64_t distinct = 0;
    sort_codes(n, code_size, codes, lbh_mih_prefix_bits(code_size, n, m), dir, order);
    LBH_TRY(lbh_watch_check());
    for (int64_t i = 0; i < n; i++)
        distinct += !same_as_before(n, order, i);
    lbh_mih *mih = NULL;
    LBH_TRY(lbh_mih_new(&mih, code_size, n, distinct, m, ids != NULL, NULL));
    uint32_t *first = calloc((size_t)mih->distinct + 1, sizeof *first); /* zeros, where a stop leaves some undone */
    int rc = first ? LBH_OK
                   : lbh_error(LBH_ENOMEM, "mih: no memory to sort %lld codes", (long long)n);
    if (rc == LBH_OK) {
        fill_codes(mih, order, dir, first);
        rc = lbh_watch_check();
    }
    if (rc == LBH_OK && n && ids)
        rc = lbh_watch_copy(mih->ids, ids, (size_t)n * sizeof *ids);
    if (rc == LBH_OK)
        rc = fill_tables(mih, first);
    free(first);
    if (rc == LBH_OK)
        *out = mih;
    else
        lbh_mih_free(mih);
    return rc;
}

static int build_by_row(lbh_mih **out, size_t code_size, int64_t n, const uint8_t *codes,
                        const int64_t *ids, int m)
{
    size_t buckets = (size_t)1 << lbh_mih_prefix_bits(code_size, n, m);
    uint32_t *dir = calloc(buckets + 1, sizeof *dir);
    item *order = malloc(((size_t)n + 1) * sizeof *order);
    int rc = dir && order
                 ? build_sorted(out, code_size, n, codes, ids, m, dir, order)
                 : lbh_error(LBH_ENOMEM, "mih: no memory to sort %lld codes", (long long)n);
    free(dir);
    free(order);
    return rc;
}

/* ---- Rows by rising id --------------------------------------------------------------------- */

typedef struct id_row {
    int64_t id, row;
} id_row;

/* Sorts order[n], of rising rows, by id, byte after byte; spare[n]. Where it is in the end. */
static id_row *sort_by_id(int64_t n, id_row *order, id_row *spare)
{
    bool stop = false;
    for (int shift = 0; shift < 64; shift += 8) {
        int64_t start[257] = {0};
        for (int64_t i = 0; i < n && !stopped(i, &stop); i++)
            start[((uint64_t)order[i].id >> shift & 255) + 1]++;
        if (start[((uint64_t)order[0].id >> shift & 255) + 1] == n)
            continue; /* the same in all ids */
        for (int v = 0; v < 255; v++)
            start[v + 1] += start[v];
        for (int64_t i = 0; i < n && !stopped(i, &stop); i++)
            spare[start[(uint64_t)order[i].id >> shift & 255]++] = order[i];
        id_row *other = order;
        order = spare;
        spare = other;
    }
    return order;
}

/* Where equal distances go by rising row, they go by rising id too. */
static int build_by_id(lbh_mih **out, size_t code_size, int64_t n, const uint8_t *codes,
                       const int64_t *ids, int m)
{
    bool rising = true, stop = false;
    for (int64_t i = 1; ids && i < n; i++)
        rising &= ids[i - 1] <= ids[i];
    if (rising)
        return build_by_row(out, code_size, n, codes, ids, m);
    id_row *order = malloc(2 * (size_t)n * sizeof *order), *sorted;
    uint8_t *by_row = malloc((size_t)n * code_size);
    int64_t *rising_ids = malloc((size_t)n * sizeof *rising_ids);
    int rc = LBH_OK;
    if (!order || !by_row || !rising_ids) {
        rc = lbh_error(LBH_ENOMEM, "mih: no memory to sort %lld ids", (long long)n);
    } else {
        for (int64_t i = 0; i < n; i++)
            order[i] = (id_row){ids[i], i};
        sorted = sort_by_id(n, order, order + n);
        rc = lbh_watch_check();
        for (int64_t i = 0; rc == LBH_OK && i < n && !stopped(i, &stop); i++) {
            rising_ids[i] = sorted[i].id;
            memcpy(by_row + (size_t)i * code_size, codes + (size_t)sorted[i].row * code_size,
                   code_size);
        }
        rc = rc ? rc : lbh_watch_check();
    }
    free(order);
    if (rc == LBH_OK)
        rc = build_by_row(out, code_size, n, by_row, rising_ids, m);
    free(by_row);
    free(rising_ids);
    return rc;
}

static int check_input(int64_t n, const uint8_t *codes, const int64_t *ids)
{
    if (n < 0 || (n > 0 && !codes))
        return lbh_error(LBH_EINVAL, "mih: %lld codes, %s", (long long)n,
                         codes ? "a negative number" : "and none given");
    for (int64_t i = 0; ids && i < n; i++)
        if (ids[i] < 0)
            return lbh_error(LBH_EINVAL, "mih: id %lld of code %lld is negative", (long long)ids[i],
                             (long long)i);
    return LBH_OK;
}

int lbh_mih_build(lbh_mih **out, size_t code_size, int64_t n, const uint8_t *codes,
                  const int64_t *ids, int substrings)
{
    if (!out)
        return lbh_error(LBH_EINVAL, "mih: nowhere to put the new index");
    LBH_TRY(check_input(n, codes, ids));
    if (substrings == 0 && code_size <= LBH_MIH_MAX_CODE_SIZE)
        substrings = choose_substrings(code_size, n);
    LBH_TRY(lbh_mih_check_shape(code_size, n, substrings));
    lbh_watch_begin("build", n);
    return lbh_watch_end(build_by_id(out, code_size, n, codes, ids, substrings));
}

/* ---- Adding -------------------------------------------------------------------------------- */

/* all: the codes of mih and n more; all_ids, their ids, if there are ids. */
static int join(const lbh_mih *mih, int64_t n, const uint8_t *codes, const int64_t *ids, uint8_t *all,
                int64_t *all_ids)
{
    LBH_TRY(lbh_mih_copy_by_row(mih, all));
    LBH_TRY(lbh_watch_copy(all + (size_t)mih->n * mih->code_size, codes, (size_t)n * mih->code_size));
    if (!ids)
        return LBH_OK;
    LBH_TRY(lbh_watch_copy(all_ids, mih->ids, (size_t)mih->n * sizeof *ids));
    return lbh_watch_copy(all_ids + mih->n, ids, (size_t)n * sizeof *ids);
}

/* *made: the codes of mih and n more. */
static int build_anew(lbh_mih **made, const lbh_mih *mih, int64_t n, const uint8_t *codes,
                      const int64_t *ids)
{
    size_t count = (size_t)(mih->n + n);
    uint8_t *all = malloc(count * mih->code_size + 1);
    int64_t *all_ids = ids ? malloc(count * sizeof *ids + 1) : NULL;
    int rc = all && (all_ids || !ids)
                 ? join(mih, n, codes, ids, all, all_ids)
                 : lbh_error(LBH_ENOMEM, "mih: no memory for %zu codes", count);
    if (rc == LBH_OK)
        rc = lbh_mih_build(made, mih->code_size, mih->n + n, all, all_ids, 0);
    free(all);
    free(all_ids);
    return rc;
}

int lbh_mih_add(lbh_mih *mih, int64_t n, const uint8_t *codes, const int64_t *ids)
{
    if (!mih)
        return lbh_error(LBH_EINVAL, "mih: no index given");
    LBH_TRY(check_input(n, codes, ids));
    bool has_ids = mih->ids != NULL;
    if (mih->n && has_ids != (ids != NULL))
        return lbh_error(LBH_EINVAL, has_ids ? "mih: its codes have ids: give ids of the new ones"
                                             : "mih: its codes have no ids: give none");
    if (n >= UINT32_MAX - mih->n)
        return lbh_error(LBH_EINVAL, "mih: %lld and %lld codes are more than %u", (long long)mih->n,
                         (long long)n, UINT32_MAX - 1);
    lbh_mih *made = NULL;
    lbh_watch_begin("build", mih->n + n);
    int rc = lbh_watch_end(build_anew(&made, mih, n, codes, ids));
    if (!made)
        return rc;
    lbh_mih old = *mih;
    *mih = *made;
    *made = old;
    lbh_mih_free(made);
    return LBH_OK;
}
