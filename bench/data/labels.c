/* labels.c: reads class labels and row numbers. See labels.h. */
#include "labels.h"

#include "labels_text.h"
#include "synthetic.h"

#include <stdlib.h>
#include <string.h>

static bool zero_one(const vectors *v)
{
    for (int64_t i = 0; i < v->n; i++)
        for (int j = 0; j < v->d; j++) {
            int64_t x = vectors_int(v, i, j);
            if (x != 0 && x != 1)
                return false;
        }
    return true;
}

/* Is this a 0/1 matrix rather than lists of classes? */
static int is_matrix(const vectors *v, bool *matrix)
{
    vec_format format = VEC_NPY;
    char *at = strrchr(v->name, '@');
    if (at)
        *at = '\0';
    vec_format_of(v->name, &format);
    if (at)
        *at = '@';
    bool bytes = v->type == VEC_U8 || v->type == VEC_I8;
    *matrix = v->d > 1 && (bytes || format == VEC_NPY) && zero_one(v);
    if (v->d > 1 && bytes && !*matrix)
        return fail("'%s': a label matrix holds 0 and 1 only; one column or .ivecs holds class "
                    "numbers", v->name);
    return EXIT_OK;
}

/* The labels of one row to `item`; the count, or -1 with the error raised. */
static int64_t read_one(const vectors *v, int64_t row, bool matrix, int64_t *item)
{
    int64_t count = 0;
    if (vectors_check_row(v, row))
        return -1;
    for (int j = 0; j < v->d; j++) {
        int64_t x = vectors_int(v, row, j);
        if (matrix && x)
            item[count++] = j;
        else if (!matrix && x < -1) {
            fail("'%s': row %lld has class %lld; classes are 0, 1, 2 ... or -1 for none", v->name,
                 (long long)(v->first + row), (long long)x);
            return -1;
        } else if (!matrix && x >= 0)
            item[count++] = x;
    }
    return sort_unique(item, count);
}

static int read_all(labels *l, const vectors *v)
{
    bool matrix = false;
    int rc = v->made ? EXIT_OK : is_matrix(v, &matrix);
    if (rc)
        return rc;
    int64_t room = v->n * (v->made ? 1 : v->d);
    rc = labels_alloc(l, v->n, room);
    if (rc)
        return rc;
    for (int64_t i = 0; i < v->n; i++) {
        int64_t count = 1;
        if (v->made)
            l->item[i] = synthetic_label(v->made, v->first + i);
        else
            count = read_one(v, i, matrix, l->item + l->start[i]);
        if (count < 0)
            return EXIT_RUNTIME;
        l->start[i + 1] = l->start[i] + count;
    }
    return EXIT_OK;
}

int labels_alloc(labels *l, int64_t n, int64_t room)
{
    l->n = n;
    l->start = cli_alloc(n + 1, sizeof *l->start);
    l->item = cli_alloc(room, sizeof *l->item);
    if (!l->start || !l->item)
        return EXIT_RUNTIME;
    l->start[0] = 0;
    return EXIT_OK;
}

static int open_numbers(labels *l, const char *spec)
{
    vectors v;
    int rc = numbers_open(&v, spec);
    if (rc)
        return rc;
    if (!v.made && !vectors_is_int(&v))
        rc = fail("'%s': labels are integers, this file holds floats", spec);
    if (rc == EXIT_OK)
        rc = read_all(l, &v);
    vectors_close(&v);
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

void labels_close(labels *l)
{
    for (int64_t i = 0; l->name && i < l->nnames; i++)
        free(l->name[i]);
    free(l->name);
    free(l->number);
    free(l->start);
    free(l->item);
    *l = (labels){0};
}

int labels_fit(const labels *l, const char *spec, const vectors *rows)
{
    if (l->n == rows->n)
        return EXIT_OK;
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
        for (int j = 0; rc == EXIT_OK && j < v->d; j++) {
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
    return EXIT_OK;
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
    if (rc == EXIT_OK)
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
        rc = EXIT_RUNTIME;
    for (int64_t i = 0; i < count && rc == EXIT_OK; i++) {
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
