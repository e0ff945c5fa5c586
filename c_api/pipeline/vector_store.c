/* vector_store.c: see vector_store.h. Rows 0 .. nmapped-1 are in a mapped file and stay there;
 * later ones are in memory. A row is found by a table of ids (open addressing) unless ids are 0, 1,
 * ... A removed row has no id; its memory is used again where it is no mapped one. */
#define _POSIX_C_SOURCE 200809L
#include "vector_store.h"

#include "error.h"
#include "npy_file.h"
#include "watch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct lbh_store {
    int d, width;
    int64_t n, live, nmapped, room; /* rows, rows that are there, mapped ones, room of `own` */
    const uint8_t *mapped;
    void *map; /* what to unmap */
    size_t map_size;
    uint8_t *own;          /* rows nmapped .. n-1 */
    int64_t *ids;          /* n, -1 = removed; NULL: row i has the id i */
    int64_t ids_room;
    int64_t *slot;         /* table: a row + 1, or 0; slots = 2^bits entries, NULL with ids */
    int64_t slots;
    float *low, *step;     /* bytes: value = low + step * byte */
    bool trained;
};

int lbh_store_new(lbh_store **out, int d, int width)
{
    lbh_store *s = calloc(1, sizeof *s);
    float *scale = calloc(2 * (size_t)d, sizeof *scale);
    if (!s || !scale) {
        free(s);
        free(scale);
        return lbh_error(LBH_ENOMEM, "out of memory for stored vectors");
    }
    s->d = d;
    s->width = width;
    s->low = scale;
    s->step = scale + d;
    s->trained = width == LBH_STORE_FLOAT;
    *out = s;
    return LBH_OK;
}

void lbh_store_free(lbh_store *s)
{
    if (!s)
        return;
    if (s->map)
        munmap(s->map, s->map_size);
    free(s->own);
    free(s->ids);
    free(s->slot);
    free(s->low);
    free(s);
}

bool lbh_store_trained(const lbh_store *s)
{
    return s->trained;
}

static size_t row_size(const lbh_store *s)
{
    return (size_t)s->d * (size_t)s->width;
}

static const uint8_t *row_at(const lbh_store *s, int64_t row)
{
    return row < s->nmapped ? s->mapped + (size_t)row * row_size(s)
                            : s->own + (size_t)(row - s->nmapped) * row_size(s);
}

/* ---- Numbers ------------------------------------------------------------------------------- */

int lbh_store_train(lbh_store *s, const lbh_rows *rows)
{
    enum { BLOCK = 1024 };
    if (s->trained)
        return LBH_OK;
    int d = s->d;
    float *x = malloc(sizeof *x * BLOCK * (size_t)d), *high = s->step;
    int64_t ids[BLOCK];
    int rc = x ? LBH_OK : lbh_error(LBH_ENOMEM, "out of memory for RSQ8");
    for (int64_t first = 0; first < rows->n && !rc; first += BLOCK) {
        int64_t count = rows->n - first < BLOCK ? rows->n - first : BLOCK;
        for (int64_t i = 0; i < count; i++)
            ids[i] = first + i;
        rc = rows->read(rows, count, ids, x);
        for (int64_t i = 0; i < count * d && !rc; i++) {
            int j = (int)(i % d);
            bool start = first == 0 && i < d;
            s->low[j] = start || x[i] < s->low[j] ? x[i] : s->low[j];
            high[j] = start || x[i] > high[j] ? x[i] : high[j];
        }
    }
    free(x);
    for (int j = 0; j < d && !rc; j++)
        s->step[j] = (high[j] - s->low[j]) / 255;
    s->trained = rc == LBH_OK;
    return rc;
}

static void store_row(const lbh_store *s, const float *x, uint8_t *row)
{
    if (s->width == LBH_STORE_FLOAT) {
        memcpy(row, x, row_size(s));
        return;
    }
    for (int j = 0; j < s->d; j++) {
        float t = s->step[j] > 0 ? (x[j] - s->low[j]) / s->step[j] : 0;
        row[j] = (uint8_t)lrintf(t < 0 ? 0 : t > 255 ? 255 : t);
    }
}

static void load_row(const lbh_store *s, const uint8_t *row, float *x)
{
    if (s->width == LBH_STORE_FLOAT) {
        memcpy(x, row, row_size(s));
        return;
    }
    for (int j = 0; j < s->d; j++)
        x[j] = s->low[j] + s->step[j] * (float)row[j];
}

/* ---- Ids ----------------------------------------------------------------------------------- */

static int64_t first_slot(const lbh_store *s, int64_t id)
{
    uint64_t h = (uint64_t)id * 0x9E3779B97F4A7C15u;
    return (int64_t)((h ^ h >> 32) & (uint64_t)(s->slots - 1));
}

/* The row of an id, or -1. */
static int64_t find(const lbh_store *s, int64_t id)
{
    if (!s->ids)
        return id >= 0 && id < s->n ? id : -1;
    if (id < 0 || !s->slots)
        return -1;
    for (int64_t i = first_slot(s, id); s->slot[i]; i = (i + 1) & (s->slots - 1))
        if (s->ids[s->slot[i] - 1] == id)
            return s->slot[i] - 1;
    return -1;
}

static void enter(lbh_store *s, int64_t row)
{
    int64_t i = first_slot(s, s->ids[row]);
    while (s->slot[i])
        i = (i + 1) & (s->slots - 1);
    s->slot[i] = row + 1;
}

static void fill_table(lbh_store *s)
{
    memset(s->slot, 0, (size_t)s->slots * sizeof *s->slot);
    for (int64_t row = 0; row < s->n; row++)
        if (s->ids[row] >= 0)
            enter(s, row);
}

/* Room for `rows` ids and a table that is half empty at most. */
static int reserve_ids(lbh_store *s, int64_t rows)
{
    bool fresh = !s->ids;
    if (fresh || rows > s->ids_room) {
        int64_t room = rows + rows / 2 + 64;
        int64_t *ids = realloc(s->ids, (size_t)room * sizeof *ids);
        if (!ids)
            return lbh_error(LBH_ENOMEM, "out of memory for the ids of stored vectors");
        s->ids = ids;
        s->ids_room = room;
        for (int64_t i = 0; fresh && i < s->n; i++)
            ids[i] = i;
    }
    if (s->slots >= 2 * rows && !fresh)
        return LBH_OK;
    int64_t slots = 64;
    while (slots < 3 * rows)
        slots *= 2;
    int64_t *slot = malloc((size_t)slots * sizeof *slot);
    if (!slot) {
        if (fresh) { /* as it was: ids in order, no table */
            free(s->ids);
            s->ids = NULL;
        }
        return lbh_error(LBH_ENOMEM, "out of memory for the ids of stored vectors");
    }
    free(s->slot);
    s->slot = slot;
    s->slots = slots;
    fill_table(s);
    return LBH_OK;
}

/* ---- Rows come and go ---------------------------------------------------------------------- */

static int reserve_rows(lbh_store *s, int64_t n)
{
    int64_t rows = s->n - s->nmapped + n;
    if (rows <= s->room)
        return LBH_OK;
    int64_t room = s->room ? rows + rows / 2 : rows;
    uint8_t *own = NULL;
    if ((uint64_t)room <= SIZE_MAX / 2 / row_size(s))
        own = realloc(s->own, (size_t)room * row_size(s));
    if (!own)
        return lbh_error(LBH_ENOMEM, "out of memory for %lld stored vectors", (long long)rows);
    s->own = own;
    s->room = room;
    return LBH_OK;
}

static bool in_order(const lbh_store *s, int64_t n, const int64_t *ids)
{
    for (int64_t i = 0; ids && i < n; i++)
        if (ids[i] != s->n + i)
            return false;
    return true;
}

int lbh_store_add(lbh_store *s, int64_t n, const float *x, const int64_t *ids)
{
    LBH_TRY(reserve_rows(s, n));
    bool plain = !s->ids && in_order(s, n, ids);
    if (!plain)
        LBH_TRY(reserve_ids(s, s->n + n));
    int64_t before = s->live;
    for (int64_t i = 0; i < n; i++) {
        int64_t id = ids ? ids[i] : before + i;
        if (!plain && find(s, id) >= 0) {
            lbh_store_undo(s, i);
            return lbh_error(LBH_EINVAL, "pipeline: id %lld of row %lld is there already",
                             (long long)id, (long long)i);
        }
        store_row(s, x + i * s->d, s->own + (size_t)(s->n - s->nmapped) * row_size(s));
        if (!plain) {
            s->ids[s->n] = id;
            enter(s, s->n);
        }
        s->n++;
        s->live++;
    }
    return LBH_OK;
}

void lbh_store_undo(lbh_store *s, int64_t n)
{
    s->n -= n;
    s->live -= n;
    if (s->ids && n)
        fill_table(s);
}

/* Rows in memory move up over removed ones; mapped rows stay where they are. */
static void compact(lbh_store *s)
{
    int64_t to = s->nmapped;
    for (int64_t row = s->nmapped; row < s->n; row++) {
        if (s->ids[row] < 0)
            continue;
        if (to != row) {
            memcpy(s->own + (size_t)(to - s->nmapped) * row_size(s), row_at(s, row), row_size(s));
            s->ids[to] = s->ids[row];
        }
        to++;
    }
    s->n = to;
}

int lbh_store_remove(lbh_store *s, int64_t n, const int64_t *ids, bool close_gaps)
{
    LBH_TRY(reserve_ids(s, s->n));
    for (int64_t i = 0; i < n; i++) {
        int64_t row = find(s, ids[i]);
        if (row < 0 || s->ids[row] < 0)
            continue;
        s->ids[row] = -1; /* its slot stays taken until the table is filled anew */
        s->live--;
    }
    compact(s);
    for (int64_t row = 0, next = 0; close_gaps && row < s->n; row++)
        if (s->ids[row] >= 0)
            s->ids[row] = next++;
    fill_table(s);
    return LBH_OK;
}

void lbh_store_clear(lbh_store *s)
{
    if (s->map)
        munmap(s->map, s->map_size);
    free(s->own);
    free(s->ids);
    free(s->slot);
    s->map = NULL;
    s->mapped = s->own = NULL;
    s->ids = s->slot = NULL;
    s->n = s->live = s->nmapped = s->room = s->ids_room = s->slots = 0;
}

/* ---- Reading ------------------------------------------------------------------------------- */

int lbh_store_get(const lbh_store *s, int64_t id, float *x)
{
    int64_t row = find(s, id);
    if (row < 0)
        return lbh_error(LBH_EINVAL, "pipeline: there is no stored vector with the id %lld",
                         (long long)id);
    load_row(s, row_at(s, row), x);
    return LBH_OK;
}

static int read_rows(const lbh_rows *self, int64_t count, const int64_t *ids, float *x)
{
    const lbh_store *s = self->ctx;
    for (int64_t i = 0; i < count; i++)
        LBH_TRY(lbh_store_get(s, ids[i], x + i * s->d));
    return LBH_OK;
}

lbh_rows lbh_store_rows(const lbh_store *s)
{
    return (lbh_rows){.n = INT64_MAX, .d = s->d, .read = read_rows, .ctx = s};
}

/* ---- Files --------------------------------------------------------------------------------- */

bool lbh_store_in_order(const lbh_store *s)
{
    for (int64_t row = 0, next = 0; s->ids && row < s->n; row++)
        if (s->ids[row] >= 0 && s->ids[row] != next++)
            return false;
    return true;
}

static const char *row_type(const lbh_store *s)
{
    return s->width == LBH_STORE_FLOAT ? "<f4" : "|u1";
}

int lbh_store_write_rows(const lbh_store *s, FILE *stream)
{
    lbh_npy_write_header(stream, row_type(s), s->live, s->d);
    for (int64_t row = 0; row < s->n; row++) {
        if (!s->ids || s->ids[row] >= 0)
            fwrite(row_at(s, row), row_size(s), 1, stream);
        if (row % 1024 == 0)
            LBH_TRY(lbh_watch_check());
    }
    return LBH_OK; /* the stream remembers a failure; lbh_file_commit reports it */
}

int lbh_store_write_scale(const lbh_store *s, FILE *stream)
{
    lbh_npy_write_header(stream, "<f4", 2, s->d);
    fwrite(s->low, sizeof *s->low, 2 * (size_t)s->d, stream);
    return LBH_OK;
}

int lbh_store_write_ids(const lbh_store *s, FILE *stream)
{
    lbh_npy_write_header(stream, "<i8", s->live, 0);
    for (int64_t row = 0; row < s->n; row++)
        if (s->ids[row] >= 0)
            fwrite(&s->ids[row], sizeof *s->ids, 1, stream);
    return LBH_OK;
}

int lbh_store_map(lbh_store *s, int64_t n, const void *rows, size_t size)
{
    const void *data;
    LBH_TRY(lbh_npy_data(&data, rows, size, row_type(s), n, s->d));
    s->mapped = data;
    s->n = s->live = s->nmapped = n;
    s->map = (void *)(uintptr_t)rows;
    s->map_size = size;
    return LBH_OK;
}

int lbh_store_read_scale(lbh_store *s, const void *data, size_t size)
{
    const void *numbers;
    LBH_TRY(lbh_npy_data(&numbers, data, size, "<f4", 2, s->d));
    memcpy(s->low, numbers, 2 * (size_t)s->d * sizeof *s->low);
    for (int j = 0; j < 2 * s->d; j++)
        if (!isfinite(s->low[j]))
            return lbh_error(LBH_EFORMAT, "a number is not finite");
    s->trained = true;
    return LBH_OK;
}

int lbh_store_read_ids(lbh_store *s, const void *data, size_t size)
{
    const void *numbers;
    LBH_TRY(lbh_npy_data(&numbers, data, size, "<i8", s->n, 0));
    int64_t n = s->n;
    const uint8_t *at = numbers;
    LBH_TRY(reserve_ids(s, n));
    s->n = 0; /* rows come in one by one, so that a repeated id is seen */
    fill_table(s);
    for (int64_t row = 0; row < n; row++) {
        int64_t id;
        memcpy(&id, at + 8 * (size_t)row, sizeof id);
        if (id < 0 || find(s, id) >= 0)
            return lbh_error(LBH_EFORMAT, "the id %lld of row %lld is negative or there twice",
                             (long long)id, (long long)row);
        s->ids[row] = id;
        enter(s, row);
        s->n = row + 1;
    }
    return LBH_OK;
}
