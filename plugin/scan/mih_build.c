/* mih_build.c: filling the tables of a multi-index hash: for each substring one counting sort of
 * all rows by its value (two, where the directory holds only the upper bits of the value). Both are
 * stable, so that the entries of a value have rising rows. */
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

/* ---- Tables -------------------------------------------------------------------------------- */

/* Whether to leave the rest of the rows from i on undone. */
static bool stopped(int64_t i, bool *stop)
{
    return i % WATCH_ROWS == 0 && lbh_watch_stopped(stop);
}

/* order[n]: rows in stable order of the low bits of their keys, fewer than 32. */
static int sort_by_low_bits(uint32_t *order, int64_t n, const uint32_t *key, int low, bool *stop)
{
    uint32_t mask = (UINT32_C(1) << low) - 1;
    uint32_t *start = calloc((size_t)mask + 2, sizeof *start);
    if (!start)
        return LBH_ENOMEM;
    for (int64_t i = 0; i < n && !stopped(i, stop); i++)
        start[(key[i] & mask) + 1]++;
    for (uint32_t v = 0; v < mask; v++)
        start[v + 1] += start[v];
    for (int64_t i = 0; i < n && !stopped(i, stop); i++)
        order[start[key[i] & mask]++] = (uint32_t)i;
    free(start);
    return LBH_OK;
}

/* order NULL: 0 .. n-1. */
static void fill_table(const lbh_mih *mih, const lbh_mih_table *t, const uint32_t *key,
                       const uint32_t *order, bool *stop)
{
    int low = t->bits - t->dir_bits;
    size_t size = (size_t)1 << t->dir_bits;
    for (int64_t i = 0; i < mih->n && !stopped(i, stop); i++)
        t->dir[(key[i] >> low) + 1]++;
    for (size_t h = 0; h < size; h++)
        t->dir[h + 1] += t->dir[h];
    for (int64_t i = 0; i < mih->n && !stopped(i, stop); i++) {
        uint32_t row = order ? order[i] : (uint32_t)i;
        uint32_t at = t->dir[key[row] >> low]++;
        t->rows[at] = row;
        t->words[at] =
            lbh_mih_word(mih->codes + row * mih->code_size, mih->code_size, t->word_byte);
        if (t->keys)
            t->keys[at] = key[row];
    }
    /* Each entry has moved on to where the next one began. */
    memmove(t->dir + 1, t->dir, size * sizeof *t->dir);
    t->dir[0] = 0;
}

static int build_table(const lbh_mih *mih, const lbh_mih_table *t, bool *stop)
{
    int64_t n = mih->n;
    int rc = LBH_OK, low = t->bits - t->dir_bits;
    uint32_t *key = calloc((size_t)n + 1, sizeof *key); /* zeros, where a stop leaves some undone */
    uint32_t *order = low && key ? calloc((size_t)n + 1, sizeof *order) : NULL;
    if (!key || (low && !order))
        rc = LBH_ENOMEM;
    for (int64_t i = 0; rc == LBH_OK && i < n && !stopped(i, stop); i++)
        key[i] = lbh_mih_bits(mih->codes + (size_t)i * mih->code_size, mih->code_size, t->begin,
                              t->bits);
    if (rc == LBH_OK && low)
        rc = sort_by_low_bits(order, n, key, low, stop);
    if (rc == LBH_OK && !stopped(0, stop)) /* else what was sorted is no order */
        fill_table(mih, t, key, order, stop);
    free(key);
    free(order);
    return rc;
}

static int build_tables(const lbh_mih *mih)
{
    int failed = 0;
    bool stop = false;
#pragma omp parallel for schedule(dynamic) reduction(+ : failed) if (mih->n > 10000)
    for (int t = 0; t < mih->m; t++)
        failed += build_table(mih, &mih->table[t], &stop) != LBH_OK;
    LBH_TRY(lbh_watch_check());
    return failed ? lbh_error(LBH_ENOMEM, "mih: no memory to sort %lld codes", (long long)mih->n)
                  : LBH_OK;
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
static int copy_by_id(const lbh_mih *mih, const uint8_t *codes, const int64_t *ids)
{
    size_t size = mih->code_size;
    bool rising = true;
    for (int64_t i = 1; i < mih->n; i++)
        rising &= ids[i - 1] <= ids[i];
    if (rising) {
        LBH_TRY(lbh_watch_copy(mih->codes, codes, (size_t)mih->n * size));
        return lbh_watch_copy(mih->ids, ids, (size_t)mih->n * sizeof *ids);
    }
    id_row *order = malloc(2 * (size_t)mih->n * sizeof *order), *sorted;
    if (!order)
        return lbh_error(LBH_ENOMEM, "mih: no memory to sort %lld ids", (long long)mih->n);
    for (int64_t i = 0; i < mih->n; i++)
        order[i] = (id_row){ids[i], i};
    sorted = sort_by_id(mih->n, order, order + mih->n);
    int rc = lbh_watch_check();
    bool stop = rc != LBH_OK;
    for (int64_t i = 0; i < mih->n && !stopped(i, &stop); i++) {
        mih->ids[i] = sorted[i].id;
        memcpy(mih->codes + (size_t)i * size, codes + (size_t)sorted[i].row * size, size);
    }
    free(order);
    return rc ? rc : lbh_watch_check();
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
    lbh_mih *mih = NULL;
    LBH_TRY(lbh_mih_new(&mih, code_size, n, substrings, ids != NULL, NULL));
    int rc = LBH_OK;
    lbh_watch_begin("build", n);
    if (n && ids)
        rc = copy_by_id(mih, codes, ids);
    else if (n)
        rc = lbh_watch_copy(mih->codes, codes, (size_t)n * code_size);
    if (rc == LBH_OK)
        rc = build_tables(mih);
    rc = lbh_watch_end(rc);
    if (rc != LBH_OK) {
        lbh_mih_free(mih);
        return rc;
    }
    *out = mih;
    return LBH_OK;
}

/* ---- Adding -------------------------------------------------------------------------------- */

/* *both: a[na * size] and then b[nb * size]; the caller frees. */
static int join(void **both, const void *a, int64_t na, const void *b, int64_t nb, size_t size)
{
    char *to = malloc((size_t)(na + nb) * size + 1);
    if (!to)
        return lbh_error(LBH_ENOMEM, "mih: no memory for %lld codes", (long long)(na + nb));
    *both = to;
    LBH_TRY(lbh_watch_copy(to, a, (size_t)na * size));
    return lbh_watch_copy(to + (size_t)na * size, b, (size_t)nb * size);
}

/* *made: the codes of mih and n more. */
static int build_anew(lbh_mih **made, const lbh_mih *mih, int64_t n, const uint8_t *codes,
                      const int64_t *ids)
{
    void *all = NULL, *all_ids = NULL;
    int rc = join(&all, mih->codes, mih->n, codes, n, mih->code_size);
    if (!rc && ids)
        rc = join(&all_ids, mih->ids, mih->n, ids, n, sizeof *ids);
    if (!rc)
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
