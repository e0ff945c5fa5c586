/* sort.c: the order of answers. FAISS leaves the order of equal distances to chance for most kinds;
 * ours is (distance, label). Rows that are in order already, the common case, are only read. */
#include "index_parts.h"

#include <omp.h>
#include <stdbool.h>
#include <stdlib.h>

typedef struct answer {
    double distance; /* holds any int32 and any float exactly; rising */
    int64_t label;
} answer;

static int compare(const void *a, const void *b)
{
    const answer *p = a, *q = b;
    if (p->distance != q->distance)
        return p->distance < q->distance ? -1 : 1;
    return (p->label > q->label) - (p->label < q->label);
}

/* One thread's row of k answers each. */
static answer *scratch(int64_t k)
{
    return lbh_alloc_rows(k, sizeof(answer) * (size_t)omp_get_max_threads(), 0);
}

static bool int_in_order(int64_t k, const int32_t *d, const int64_t *l)
{
    for (int64_t j = 1; j < k; j++)
        if (d[j - 1] > d[j] || (d[j - 1] == d[j] && l[j - 1] > l[j] && l[j] >= 0))
            return false;
    return true;
}

static void sort_int_row(int64_t k, int32_t *d, int64_t *l, answer *row)
{
    for (int64_t j = 0; j < k; j++)
        if (l[j] < 0) {
            l[j] = -1;
            d[j] = INT32_MAX;
        }
    if (int_in_order(k, d, l))
        return;
    for (int64_t j = 0; j < k; j++)
        row[j] = (answer){d[j], l[j]};
    qsort(row, (size_t)k, sizeof *row, compare);
    for (int64_t j = 0; j < k; j++) {
        d[j] = (int32_t)row[j].distance;
        l[j] = row[j].label;
    }
}

int lbh_sort_int(int64_t n, int64_t k, int32_t *distances, int64_t *labels)
{
    answer *rows = scratch(k);
    if (!rows)
        return LBH_ENOMEM;
#pragma omp parallel for if (n * k > 10000)
    for (int64_t i = 0; i < n; i++)
        sort_int_row(k, distances + i * k, labels + i * k, rows + omp_get_thread_num() * k);
    free(rows);
    return LBH_OK;
}

static void sort_float_row(int64_t k, float *d, int64_t *l, int falling, answer *row)
{
    int64_t found = 0;
    bool in_order = true;
    float sign = falling ? -1 : 1;
    while (found < k && l[found] >= 0)
        found++; /* FAISS puts the missing ones last */
    for (int64_t j = 0; j < found; j++) {
        row[j] = (answer){sign * d[j], l[j]};
        in_order = in_order && (j == 0 || compare(row + j - 1, row + j) <= 0);
    }
    if (in_order)
        return;
    qsort(row, (size_t)found, sizeof *row, compare);
    for (int64_t j = 0; j < found; j++) {
        d[j] = sign * (float)row[j].distance;
        l[j] = row[j].label;
    }
}

int lbh_sort_float(int64_t n, int64_t k, float *distances, int64_t *labels, int falling)
{
    answer *rows = scratch(k);
    if (!rows)
        return LBH_ENOMEM;
#pragma omp parallel for if (n * k > 10000)
    for (int64_t i = 0; i < n; i++)
        sort_float_row(k, distances + i * k, labels + i * k, falling,
                       rows + omp_get_thread_num() * k);
    free(rows);
    return LBH_OK;
}
