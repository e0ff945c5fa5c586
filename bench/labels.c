/* labels.c: reads class labels and row numbers. See labels.h. */
#include "labels.h"

#include "synthetic.h"

#include <stdlib.h>
#include <string.h>

static int compare_ids(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Sorts and drops repeats; returns how many are left. */
static int64_t sort_unique(int64_t *x, int64_t n)
{
    int64_t kept = 0;
    qsort(x, (size_t)n, sizeof *x, compare_ids);
    for (int64_t i = 0; i < n; i++)
        if (i == 0 || x[i] != x[i - 1])
            x[kept++] = x[i];
    return kept;
}

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
    l->n = v->n;
    l->start = cli_alloc(v->n + 1, sizeof *l->start);
    l->item = cli_alloc(room, sizeof *l->item);
    if (!l->start || !l->item)
        return EXIT_RUNTIME;
    l->start[0] = 0;
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

int labels_open(labels *l, const char *spec)
{
    *l = (labels){0};
    vectors v;
    int rc = vectors_open(&v, spec);
    if (rc)
        return rc;
    if (!v.made && !vectors_is_int(&v))
        rc = fail("'%s': labels are integers, this file holds floats", spec);
    if (rc == EXIT_OK)
        rc = read_all(l, &v);
    vectors_close(&v);
    if (rc)
        labels_close(l);
    return rc;
}

void labels_close(labels *l)
{
    free(l->start);
    free(l->item);
    *l = (labels){0};
}

static void renumber(labels *l, const int64_t *known, int64_t count)
{
    for (int64_t i = 0; i < l->start[l->n]; i++) {
        const int64_t *at =
            bsearch(&l->item[i], known, (size_t)count, sizeof *known, compare_ids);
        l->item[i] = at - known;
    }
    l->classes = count;
}

int labels_dense(labels *a, labels *b)
{
    int64_t na = a->start[a->n], nb = b ? b->start[b->n] : 0;
    int64_t *known = cli_alloc(na + nb, sizeof *known);
    if (!known)
        return EXIT_RUNTIME;
    memcpy(known, a->item, (size_t)na * sizeof *known);
    if (b)
        memcpy(known + na, b->item, (size_t)nb * sizeof *known);
    int64_t count = sort_unique(known, na + nb);
    renumber(a, known, count);
    if (b)
        renumber(b, known, count);
    free(known);
    return EXIT_OK;
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
    l->start = cli_alloc(v->n + 1, sizeof *l->start);
    l->item = cli_alloc(v->n * v->d, sizeof *l->item);
    if (!l->start || !l->item)
        return EXIT_RUNTIME;
    l->n = l->classes = v->n;
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
    int rc = vectors_open(&v, spec);
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
    int rc = vectors_open(&v, spec);
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
