/* pipeline_rows.c: rows that come to a pipeline and go: what one of its parts refuses, none takes. */
#include "pipeline.h"

#include "watch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Whether rows are found by the ids they were added with, not by their place in the index. */
static bool keeps_ids(const lbh_pipeline *p)
{
    lbh_index_info info = lbh_gap_info(p->index);
    return lbh_keeps_ids(&info);
}

static int check_ids(const lbh_pipeline *p, int64_t n, const int64_t *ids)
{
    if (!keeps_ids(p))
        return lbh_error(LBH_EFAISS, "pipeline: %s takes no ids; put IDMap in front, as "
                         "\"IDMap,%s\"", lbh_index_kind(p->index), p->spec.text);
    for (int64_t i = 0; i < n; i++)
        if (ids[i] < 0 || ids[i] == INT64_MAX)
            return lbh_error(LBH_EINVAL, "pipeline: id %lld of row %lld must be within 0..2^63-2",
                             (long long)ids[i], (long long)i);
    return LBH_OK;
}

/* ids[n], or NULL: the next ones. Nothing reaches the index before all rows were read, checked and
 * encoded; the vectors, which go first, can be taken back. */
typedef struct addition {
    lbh_pipeline *p;
    const lbh_rows *rows;
    const float *x; /* the rows, if they lie in memory, else NULL */
    const int64_t *ids;
    int64_t stored; /* vectors that are in the store */
    uint8_t *codes;
} addition;

static int take_block(addition *a, int64_t first, int64_t count, float *room, int64_t *place)
{
    lbh_pipeline *p = a->p;
    const float *x = a->x ? a->x + first * p->d : room;
    for (int64_t i = 0; i < count; i++)
        place[i] = first + i;
    LBH_TRY(lbh_watch_step(first));
    if (!a->x)
        LBH_TRY(a->rows->read(a->rows, count, place, room));
    for (int64_t i = 0; i < count * p->d; i++)
        if (!isfinite(x[i]))
            return lbh_error(LBH_EINVAL, "pipeline: row %lld holds a NaN or an infinity",
                             (long long)(first + i / p->d));
    LBH_TRY(lbh_encoder_encode(p->enc, count, x,
                               a->codes + (size_t)first * lbh_encoder_code_size(p->enc)));
    if (p->store) {
        LBH_TRY(lbh_store_add(p->store, count, x, a->ids ? a->ids + first : NULL));
        a->stored += count;
    }
    return LBH_OK;
}

static int take_all(addition *a)
{
    enum { BLOCK = 8192 };
    lbh_pipeline *p = a->p;
    int64_t n = a->rows->n, block = n < BLOCK ? n : BLOCK;
    size_t size = lbh_encoder_code_size(p->enc);
    float *room = lbh_alloc_rows(a->x ? 0 : block, sizeof *room * (size_t)p->d, 0);
    int64_t *place = lbh_alloc_rows(block, sizeof *place, 0);
    a->codes = lbh_alloc_rows(n, size, LBH_CODE_PAD);
    int rc = room && place && a->codes ? LBH_OK : LBH_ENOMEM;
    for (int64_t i = 0; i < n && !rc; i += block)
        rc = take_block(a, i, n - i < block ? n - i : block, room, place);
    free(room);
    free(place);
    if (rc)
        return rc;
    memset(a->codes + (size_t)n * size, 0, LBH_CODE_PAD);
    return lbh_index_add_codes(p->index, size, n, a->codes, a->ids);
}

static int add(lbh_pipeline *p, const lbh_rows *rows, const float *x, const int64_t *ids)
{
    addition a = {.p = p, .rows = rows, .x = x, .ids = ids};
    lbh_watch_begin("add", rows->n);
    int rc = take_all(&a);
    if (rc && a.stored)
        lbh_store_undo(p->store, a.stored);
    free(a.codes);
    for (int64_t i = 0; !rc && ids && i < rows->n; i++)
        p->next_id = ids[i] >= p->next_id ? ids[i] + 1 : p->next_id;
    return lbh_watch_end(rc);
}

/* As add, but ids may be NULL where the index wants some. */
static int add_any(lbh_pipeline *p, const lbh_rows *rows, const float *x, const int64_t *ids)
{
    int64_t n = rows->n;
    if (n == 0)
        return LBH_OK;
    if (ids) {
        LBH_TRY(check_ids(p, n, ids));
        return add(p, rows, x, ids);
    }
    if (!keeps_ids(p))
        return add(p, rows, x, NULL);
    if (p->next_id > INT64_MAX - 1 - n)
        return lbh_error(LBH_EINVAL, "pipeline: there are no ids above %lld left",
                         (long long)p->next_id);
    int64_t *next = lbh_alloc_rows(n, sizeof *next, 0);
    if (!next)
        return LBH_ENOMEM;
    for (int64_t i = 0; i < n; i++)
        next[i] = p->next_id + i;
    int rc = add(p, rows, x, next);
    free(next);
    return rc;
}

int lbh_pipeline_add_with_ids(lbh_pipeline *p, int64_t n, const float *x, const int64_t *ids)
{
    LBH_TRY(lbh_pipeline_check_trained(p, n, x));
    LBH_TRY(lbh_check_rows("pipeline", n, ids));
    lbh_rows rows = lbh_rows_from_matrix(n, p->d, x);
    return add_any(p, &rows, x, n ? ids : NULL);
}

int lbh_pipeline_add(lbh_pipeline *p, int64_t n, const float *x)
{
    LBH_TRY(lbh_pipeline_check_trained(p, n, x));
    lbh_rows rows = lbh_rows_from_matrix(n, p->d, x);
    return add_any(p, &rows, x, NULL);
}

int lbh_pipeline_add_rows(lbh_pipeline *p, const lbh_rows *rows, const int64_t *ids)
{
    LBH_TRY(lbh_pipeline_check_trained(p, 0, NULL));
    if (!rows || !rows->read || rows->d != p->d || rows->n < 0)
        return lbh_error(LBH_EINVAL, "pipeline: adding needs rows of %d floats", p->d);
    return add_any(p, rows, NULL, ids);
}

int lbh_pipeline_remove_ids(lbh_pipeline *p, int64_t n, const int64_t *ids, int64_t *removed)
{
    LBH_TRY(lbh_pipeline_check_trained(p, n, ids));
    lbh_kind kind = lbh_gap_info(p->index).kind;
    if (kind != LBH_KIND_FLAT && kind != LBH_KIND_IVF)
        return lbh_error(LBH_EFAISS, "pipeline: FAISS cannot remove from %s; BFlat and BIVF can",
                         lbh_index_kind(p->index));
    int64_t count = 0;
    if (p->store && lbh_store_in_order(p->store))
        LBH_TRY(lbh_store_remove(p->store, 0, NULL, false)); /* whatever memory it may need */
    LBH_TRY(lbh_index_remove(p->index, n, ids, &count));
    if (p->store)
        LBH_TRY(lbh_store_remove(p->store, n, ids, !keeps_ids(p)));
    if (removed)
        *removed = count;
    return LBH_OK;
}

int lbh_pipeline_reset(lbh_pipeline *p)
{
    LBH_TRY(lbh_pipeline_check(p, 0, NULL));
    LBH_TRY(lbh_index_reset(p->index));
    if (p->store)
        lbh_store_clear(p->store);
    p->next_id = 0;
    return LBH_OK;
}
