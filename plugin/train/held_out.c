/* held_out.c: see held_out.h. */
#include "held_out.h"

#include "arena.h"
#include "error.h"
#include "finite.h"

#include <stdbool.h>
#include <stdlib.h>

/* The caller's number of kept row i. Before a held-out row there are stride - 1 others. */
static int64_t source_of(const lbh_held_out *h, int64_t i)
{
    if (h->count == 0)
        return i;
    int64_t between = h->stride - 1;
    return i < h->count * between ? i + i / between + 1 : i + h->count;
}

/* The number of the caller's row among those that are kept; -1: it is held out. */
static int64_t kept_of(const lbh_held_out *h, int64_t row)
{
    if (h->count == 0)
        return row;
    int64_t before = (row + h->stride - 1) / h->stride; /* held-out rows before it */
    if (row < h->count * h->stride && row % h->stride == 0)
        return -1;
    return row - (before < h->count ? before : h->count);
}

/* Errors of rows name them as the caller does. */
static int check_rows(int64_t n, int d, const float *x, const int64_t *ids)
{
    int64_t bad = lbh_find_nonfinite(n, d, x);
    if (bad < 0)
        return LBH_OK;
    return lbh_error(LBH_EINVAL, "training row %lld holds a NaN or an infinity",
                     (long long)ids[bad]);
}

static int take_rows(lbh_held_out *h)
{
    int d = h->source->d;
    int64_t *ids = lbh_alloc(h->count, sizeof *ids);
    h->x = lbh_alloc(h->count * d, sizeof *h->x);
    int rc = ids && h->x ? LBH_OK : LBH_ENOMEM;
    for (int64_t i = 0; i < h->count && !rc; i++)
        ids[i] = i * h->stride;
    if (!rc && h->count)
        rc = h->source->read(h->source, h->count, ids, h->x);
    if (!rc)
        rc = check_rows(h->count, d, h->x, ids);
    free(ids);
    return rc;
}

static int read_kept(const lbh_rows *self, int64_t count, const int64_t *ids, float *x)
{
    enum { BLOCK = 1024 };
    const lbh_held_out *h = self->ctx;
    int64_t source[BLOCK];
    for (int64_t i = 0; i < count; i += BLOCK) {
        int64_t n = count - i < BLOCK ? count - i : BLOCK;
        for (int64_t j = 0; j < n; j++)
            source[j] = source_of(h, ids[i + j]);
        LBH_TRY(h->source->read(h->source, n, source, x + i * self->d));
        LBH_TRY(check_rows(n, self->d, x + i * self->d, source));
    }
    return LBH_OK;
}

/* Lists of the kept rows; items are rows themselves where `rows`. */
static int keep_lists(lbh_held_out *h, const lbh_lists *from, bool rows, int64_t **memory,
                      lbh_lists *out)
{
    int64_t n = h->kept.n, used = 0;
    int64_t *start = lbh_alloc(n + 1, sizeof *start);
    int64_t *item = lbh_alloc(from->start[from->n], sizeof *item);
    memory[0] = start;
    memory[1] = item;
    if (!start || !item)
        return LBH_ENOMEM;
    for (int64_t i = 0; i < n; i++) {
        int64_t row = source_of(h, i);
        for (int64_t j = from->start[row]; j < from->start[row + 1]; j++) {
            int64_t value = rows ? kept_of(h, from->item[j]) : from->item[j];
            if (value >= 0)
                item[used++] = value;
        }
        start[i + 1] = used;
    }
    *out = (lbh_lists){n, rows ? n : from->nitems, start, item};
    return LBH_OK;
}

int lbh_hold_out(lbh_held_out *h, const lbh_rows *rows, int64_t count, const lbh_lists *labels,
                 const lbh_lists *neighbours)
{
    *h = (lbh_held_out){.source = rows, .count = count};
    h->stride = count ? rows->n / count : 0;
    h->kept = (lbh_rows){rows->n - count, rows->d, read_kept, h};
    int rc = take_rows(h);
    if (labels && !rc)
        rc = keep_lists(h, labels, false, h->memory, &h->labels);
    if (neighbours && !rc)
        rc = keep_lists(h, neighbours, true, h->memory + 2, &h->neighbours);
    if (rc)
        lbh_held_out_free(h);
    return rc;
}

void lbh_held_out_free(lbh_held_out *h)
{
    for (int i = 0; i < 4; i++)
        free(h->memory[i]);
    free(h->x);
    *h = (lbh_held_out){0};
}
