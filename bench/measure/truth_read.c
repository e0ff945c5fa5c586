/* truth_read.c: true neighbours from a file. See truth.h. */
#include "labels.h"
#include "truth.h"

#include <stdlib.h>
#include <string.h>

typedef struct source {
    const vectors *v, *base;
    int64_t k;
    int64_t *sorted; /* v->d, scratch */
} source;

/* The first k ids of a row without `own`, to `out`, and -1 behind them. */
static int read_row(const source *s, int64_t row, int64_t own, int64_t *out)
{
    const vectors *v = s->v;
    int64_t kept = 0, known = 0;
    int rc = vectors_check_row(v, row);
    for (int j = 0; j < v->d && rc == LBH_OK; j++) {
        int64_t id = vectors_int(v, row, j);
        if (id == -1)
            continue;
        if (id < 0 || id >= s->base->n)
            rc = fail("'%s': row %lld names row %lld; the base has rows 0 to %lld", v->name,
                      (long long)row, (long long)id, (long long)s->base->n - 1);
        else if (known < j)
            rc = fail("'%s': row %lld names row %lld behind -1, which ends a list", v->name,
                      (long long)row, (long long)id);
        else if (id != own && kept < s->k)
            out[kept++] = id;
        s->sorted[known++] = id;
    }
    if (rc == LBH_OK && sort_unique(s->sorted, known) < known)
        rc = fail("'%s': row %lld names a row of the base twice", v->name, (long long)row);
    while (kept < s->k)
        out[kept++] = -1;
    return rc;
}

static int read_all(truth *t, const source *s, const int64_t *own)
{
    int rc = LBH_OK;
    bool any = false;
    for (int64_t q = 0; q < t->nq && rc == LBH_OK; q++) {
        rc = read_row(s, q, own ? own[q] : -1, t->ids + q * t->k);
        any |= t->ids[q * t->k] >= 0;
    }
    return rc || any ? rc : fail("'%s' names no neighbours at all", s->v->name);
}

int truth_read(truth *t, const char *spec, const vectors *base, const vectors *query,
               const int64_t *own, int64_t k)
{
    vectors v;
    *t = (truth){0};
    int rc = numbers_open(&v, spec);
    if (rc)
        return rc;
    int64_t have = v.d - (own ? 1 : 0);
    *t = (truth){.nq = query->n, .k = k < have ? k : have};
    if (!vectors_is_int(&v))
        rc = fail("'%s': true neighbours are ids, this file holds floats", spec);
    else if (v.n != query->n)
        rc = fail("'%s' has neighbours of %lld queries, '%s' has %lld", spec, (long long)v.n,
                  query->name, (long long)query->n);
    else if (t->k < 1)
        rc = fail("'%s' has one neighbour a query, which may be the query itself: nothing is left",
                  spec);
    source s = {&v, base, t->k, cli_alloc(v.d, sizeof *s.sorted)};
    t->ids = rc ? NULL : cli_alloc(t->nq * t->k, sizeof *t->ids);
    if (rc == LBH_OK)
        rc = s.sorted && t->ids ? read_all(t, &s, own) : LBH_ENOMEM;
    free(s.sorted);
    vectors_close(&v);
    if (rc)
        truth_free(t);
    return rc;
}
