/* label_array.c: the one rule by which arrays of numbers are read as class labels: lbh_labels_read. It
 * decides by what the numbers are, not by where they come from, and refuses what could be two things. */
#include "error.h"
#include "lbh.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

typedef struct array {
    int64_t n, columns;
    const int64_t *x;
} array;

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Which numbers there are, other than 1. */
typedef struct survey {
    bool zero, minus_one, one, other;
} survey;

static survey look(const array *a)
{
    survey s = {false, false, false, false};
    for (int64_t i = 0; i < a->n * a->columns; i++) {
        s.zero |= a->x[i] == 0;
        s.one |= a->x[i] == 1;
        s.minus_one |= a->x[i] == -1;
        s.other |= a->x[i] < -1 || a->x[i] > 1;
    }
    return s;
}

/* ---- Lists ---------------------------------------------------------------------------------- */

/* Classes, none twice, and then nothing but -1: to item[], sorted; their number to *count. */
static int read_list(const array *a, int64_t row, int64_t *item, int64_t *count)
{
    const int64_t *x = a->x + row * a->columns;
    int64_t size = 0;
    while (size < a->columns && x[size] >= 0)
        size++;
    for (int64_t j = size; j < a->columns; j++)
        if (x[j] != -1)
            return lbh_error(LBH_EINVAL, "labels: row %lld has %lld behind -1, which ends a list; neither "
                             "a matrix (0 and 1, or -1 and 1) nor lists of classes", (long long)row,
                             (long long)x[j]);
    memmove(item, x, (size_t)size * sizeof *item);
    qsort(item, (size_t)size, sizeof *item, compare);
    for (int64_t j = 1; j < size; j++)
        if (item[j] == item[j - 1])
            return lbh_error(LBH_EINVAL, "labels: row %lld has class %lld twice; neither a matrix (0 and "
                             "1, or -1 and 1) nor lists of classes", (long long)row, (long long)item[j]);
    *count = size;
    return LBH_OK;
}

/* How many numbers of a column are classes, and how many different ones; sorted[n] is scratch. */
static void count_column(const array *a, int64_t j, int64_t *sorted, int64_t *classes,
                         int64_t *different)
{
    *classes = *different = 0;
    for (int64_t i = 0; i < a->n; i++)
        if (a->x[i * a->columns + j] >= 0)
            sorted[(*classes)++] = a->x[i * a->columns + j];
    qsort(sorted, (size_t)*classes, sizeof *sorted, compare);
    for (int64_t i = 0; i < *classes; i++)
        *different += i == 0 || sorted[i] != sorted[i - 1];
}

/* A column of ids: another number in every row, beside one of classes, which are there in most rows and
 * come again. Lists of a few rows may look so by chance. */
static int refuse_ids(const array *a)
{
    enum { FEW = 8 };
    int64_t *sorted = a->n < FEW ? NULL : malloc((size_t)a->n * sizeof *sorted), id = -1;
    bool classes = false;
    if (a->n < FEW)
        return LBH_OK;
    if (!sorted)
        return lbh_error(LBH_ENOMEM, "labels: out of memory for %lld rows", (long long)a->n);
    for (int64_t j = 0; j < a->columns; j++) {
        int64_t filled, different;
        count_column(a, j, sorted, &filled, &different);
        if (filled >= a->n - 1 && different == filled)
            id = j;
        else if (2 * filled > a->n && different < filled)
            classes = true;
    }
    free(sorted);
    return id < 0 || !classes
               ? LBH_OK
               : lbh_error(LBH_EINVAL, "labels: column %lld has another number in every row, as ids do; "
                           "leave it out, or give lists of classes as a 0/1 matrix", (long long)id);
}

static int read_lists(const array *a, int64_t *start, int64_t *item)
{
    LBH_TRY(refuse_ids(a));
    for (int64_t i = 0; i < a->n; i++) {
        int64_t count = 0;
        LBH_TRY(read_list(a, i, item + start[i], &count));
        start[i + 1] = start[i] + count;
    }
    return LBH_OK;
}

/* ---- One column, matrices ------------------------------------------------------------------- */

static int read_classes(const array *a, bool signs, int64_t *start, int64_t *item)
{
    for (int64_t i = 0; i < a->n; i++) {
        int64_t x = a->x[i];
        if (x < -1)
            return lbh_error(LBH_EINVAL, "labels: row %lld has class %lld; classes are 0, 1, 2 ... or -1 "
                             "for none", (long long)i, (long long)x);
        bool any = signs || x >= 0;
        if (any)
            item[start[i]] = signs ? x > 0 : x;
        start[i + 1] = start[i] + any;
    }
    return LBH_OK;
}

static void read_matrix(const array *a, int64_t *start, int64_t *item)
{
    for (int64_t i = 0; i < a->n; i++) {
        int64_t at = start[i];
        for (int64_t j = 0; j < a->columns; j++)
            if (a->x[i * a->columns + j] == 1)
                item[at++] = j;
        start[i + 1] = at;
    }
}

int lbh_labels_read(int64_t n, int64_t columns, const int64_t *x, int can_pad, int *form,
                    int64_t *start, int64_t *item)
{
    if (n < 0 || columns < 1 || (n > 0 && !x) || !form || !start || !item)
        return lbh_error(LBH_EINVAL, "labels: no array, or no place for the lists, given");
    array a = {n, columns, x};
    survey s = look(&a);
    start[0] = 0;
    if (*form != LBH_LABELS_LISTS && columns == 1) {
        bool signs = s.minus_one && s.one && !s.zero && !s.other;
        *form = signs ? LBH_LABELS_SIGNS : LBH_LABELS_CLASSES;
        return read_classes(&a, signs, start, item);
    }
    bool matrix = !s.other && (!s.minus_one || (s.one && !s.zero));
    if (*form != LBH_LABELS_LISTS && matrix) {
        *form = LBH_LABELS_MATRIX;
        read_matrix(&a, start, item);
        return LBH_OK;
    }
    *form = LBH_LABELS_LISTS;
    if (!can_pad)
        return lbh_error(LBH_EINVAL, "labels: %lld columns of unsigned numbers that are not 0 and 1 only; "
                         "one column holds class numbers, lists of them are signed, padded with -1",
                         (long long)columns);
    return read_lists(&a, start, item);
}
