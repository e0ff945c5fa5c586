/* exact_pool.c: see exact_pool.h. */
#include "exact_pool.h"

#include "lbh.h"

#include <math.h>
#include <stdlib.h>

static int make_room(lbh_pool *p, int64_t room)
{
    if (room <= p->room)
        return LBH_OK;
    lbh_pool_entry *entry = (uint64_t)room > SIZE_MAX / sizeof *entry
                                ? NULL
                                : realloc(p->entry, (size_t)room * sizeof *entry);
    if (!entry)
        return LBH_ENOMEM;
    p->entry = entry;
    p->room = room;
    return LBH_OK;
}

int lbh_pool_start(lbh_pool *p, int64_t k)
{
    p->k = k;
    p->count = 0;
    p->bar = INFINITY;
    return make_room(p, 2 * k + 64);
}

static void swap(lbh_pool_entry *a, lbh_pool_entry *b)
{
    lbh_pool_entry t = *a;
    *a = *b;
    *b = t;
}

/* The upper end of rank k (from 0), by quickselect; moves the entries. */
static double select_high(lbh_pool_entry *e, int64_t n, int64_t k)
{
    int64_t first = 0, last = n - 1;
    while (first < last) {
        double pivot = e[first + (last - first) / 2].high;
        int64_t i = first, j = last;
        while (i <= j) {
            while (e[i].high < pivot)
                i++;
            while (e[j].high > pivot)
                j--;
            if (i <= j)
                swap(&e[i++], &e[j--]);
        }
        if (k <= j)
            last = j;
        else if (k >= i)
            first = i;
        else
            break;
    }
    return e[k].high;
}

void lbh_pool_prune(lbh_pool *p)
{
    int64_t kept = 0;
    if (p->count < p->k)
        return;
    p->bar = fmin(p->bar, select_high(p->entry, p->count, p->k - 1));
    for (int64_t i = 0; i < p->count; i++)
        if (p->entry[i].low <= p->bar)
            p->entry[kept++] = p->entry[i];
    p->count = kept;
}

int lbh_pool_add(lbh_pool *p, double low, double high, int64_t id)
{
    if (low > p->bar)
        return LBH_OK;
    if (p->count == p->room) {
        lbh_pool_prune(p);
        if (p->count > p->room / 4 * 3 && make_room(p, 2 * p->room))
            return LBH_ENOMEM;
    }
    p->entry[p->count++] = (lbh_pool_entry){low, high, id};
    return LBH_OK;
}

void lbh_pool_free(lbh_pool *p)
{
    free(p->entry);
    *p = (lbh_pool){0};
}
