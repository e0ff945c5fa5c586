/* labels.c: reads class labels and row numbers. See labels.h. */
#define _POSIX_C_SOURCE 200809L
#include "labels.h"

#include "labels_text.h"
#include "synthetic.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Number `column` of a row, which must be a whole one. */
static int whole_number(const vectors *v, int64_t row, int column, int64_t *out)
{
    if (vectors_is_int(v)) {
        *out = vectors_int(v, row, column);
        return LBH_OK;
    }
    double x = vectors_number(v, row, column);
    if (x == floor(x) && fabs(x) <= 0x1p53) {
        *out = (int64_t)x;
        return LBH_OK;
    }
    return fail("'%s': row %lld holds %g; labels are whole numbers: classes, or 0 and 1", v->name,
                (long long)(v->first + row), x);
}

/* All numbers of the file to l->item, which has room for them. */
static int take_numbers(labels *l, const vectors *v)
{
    for (int64_t i = 0; i < v->n; i++) {
        LBH_TRY(vectors_check_row(v, i));
        for (int j = 0; j < v->d; j++)
            LBH_TRY(whole_number(v, i, j, &l->item[i * v->d + j]));
    }
    return LBH_OK;
}

static int read_all(labels *l, const vectors *v)
{
    int rc = labels_alloc(l, v->n, v->n * (v->made ? 1 : v->d));
    for (int64_t i = 0; v->made && i < v->n && rc == LBH_OK; i++) {
        l->item[i] = synthetic_label(v->made, v->first + i);
        l->start[i + 1] = i + 1;
    }
    if (rc || v->made)
        return rc;
    int form = LBH_LABELS_ANY;
    rc = take_numbers(l, v);
    return rc ? rc
              : labels_by_rule(l, v->name, v->d, v->type != VEC_U8 && !v->is_unsigned, &form);
}

/* What a file is shows in all of it, whichever rows are wanted. */
static int pick_range(labels *l, char *range, const char *name)
{
    labels whole = *l;
    int64_t from, to;
    int rc = parse_range(range, name, whole.n, &from, &to);
    *l = (labels){0};
    int64_t *rows = rc ? NULL : cli_alloc(to - from, sizeof *rows);
    if (rc == LBH_OK && !rows)
        rc = LBH_ENOMEM;
    for (int64_t i = 0; rc == LBH_OK && i < to - from; i++)
        rows[i] = from + i;
    if (rc == LBH_OK)
        rc = labels_pick(l, &whole, to - from, rows);
    free(rows);
    labels_close(&whole);
    return rc;
}

static int open_numbers(labels *l, const char *spec)
{
    vectors v;
    char *path = strdup(spec), *range = path ? split_range(path) : NULL;
    int rc = path ? numbers_open(&v, path) : fail_memory();
    if (rc == LBH_OK) {
        rc = read_all(l, &v);
        vectors_close(&v);
    }
    if (rc == LBH_OK && range)
        rc = pick_range(l, range, spec);
    free(path);
    return rc;
}

int labels_open(labels *l, const char *spec)
{
    *l = (labels){0};
    int rc = is_label_text(spec) ? labels_open_text(l, spec) : open_numbers(l, spec);
    if (rc)
        labels_close(l);
    return rc;
}

int labels_fit(labels *l, const char *spec, const vectors *rows)
{
    if (l->n > rows->n && l->n - l->loose <= rows->n)
        l->n = rows->n;
    if (l->n == rows->n)
        return LBH_OK;
    return fail("'%s' has labels for %lld rows, but '%s' has %lld rows", spec, (long long)l->n,
                rows->name, (long long)rows->n);
}

lbh_lists labels_lists(const labels *l)
{
    return (lbh_lists){.n = l->n, .nitems = l->classes, .start = l->start, .item = l->item};
}

static int read_neighbours(labels *l, const vectors *v)
{
    int64_t kept = 0;
    int alloc = labels_alloc(l, v->n, v->n * v->d);
    if (alloc)
        return alloc;
    l->classes = v->n;
    for (int64_t i = 0; i < v->n; i++) {
        int rc = vectors_check_row(v, i);
        l->start[i] = kept;
        for (int j = 0; rc == LBH_OK && j < v->d; j++) {
            int64_t id = vectors_int(v, i, j);
            if (id < -1 || id >= v->n)
                rc = fail("'%s': row %lld names row %lld; there are rows 0 to %lld", v->name,
                          (long long)(v->first + i), (long long)id, (long long)v->n - 1);
            else if (id >= 0 && id != i)
                l->item[kept++] = id;
        }
        if (rc)
            return rc;
    }
    l->start[v->n] = kept;
    return LBH_OK;
}

int neighbours_open(labels *l, const char *spec, const vectors *rows)
{
    *l = (labels){0};
    vectors v;
    int rc = numbers_open(&v, spec);
    if (rc)
        return rc;
    if (v.made || !vectors_is_int(&v))
        rc = fail("'%s': neighbours are integers, this file holds floats", spec);
    else if (v.n != rows->n)
        rc = fail("'%s' has neighbours of %lld rows, '%s' has %lld rows", spec, (long long)v.n,
                  rows->name, (long long)rows->n);
    if (rc == LBH_OK)
        rc = read_neighbours(l, &v);
    vectors_close(&v);
    if (rc)
        labels_close(l);
    return rc;
}

int read_row_ids(const char *spec, int64_t count, int64_t limit, int64_t **ids)
{
    vectors v;
    *ids = NULL;
    int rc = numbers_open(&v, spec);
    if (rc)
        return rc;
    if (!vectors_is_int(&v) || v.d != 1)
        rc = fail("'%s': row numbers are one column of integers (.ivecs, .ibin or .npy)", spec);
    else if (v.n != count)
        rc = fail("'%s' has %lld row numbers for %lld queries", spec, (long long)v.n,
                  (long long)count);
    else if (!(*ids = cli_alloc(count, sizeof **ids)))
        rc = LBH_ENOMEM;
    for (int64_t i = 0; i < count && rc == LBH_OK; i++) {
        rc = vectors_check_row(&v, i);
        if (rc)
            break;
        int64_t id = vectors_int(&v, i, 0);
        (*ids)[i] = id;
        if (id < 0 || id >= limit)
            rc = fail("'%s': query %lld is said to be row %lld of a base of %lld rows", spec,
                      (long long)i, (long long)id, (long long)limit);
    }
    vectors_close(&v);
    if (rc) {
        free(*ids);
        *ids = NULL;
    }
    return rc;
}
