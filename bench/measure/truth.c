/* truth.c: exact nearest neighbours by lbh_exact.h. See truth.h. */
#include "truth.h"

#include "lbh_exact.h"
#include "progress.h"

#include <stdlib.h>

static int show(void *ctx, const char *what, int64_t step, int64_t steps, double loss)
{
    (void)ctx, (void)what, (void)loss;
    return progress_tick("exact neighbours", step, steps);
}

static int run(truth *t, const vectors *base, const vectors *query, const int64_t *own, int metric)
{
    lbh_rows rows = vectors_rows(base);
    float *x = cli_alloc(query->n * query->d, sizeof *x);
    t->ids = cli_alloc(t->nq * t->k, sizeof *t->ids);
    int rc = x && t->ids ? vectors_floats(query, 0, query->n, x) : LBH_ENOMEM;
    lbh_on_progress(show, NULL);
    if (rc == LBH_OK)
        rc = lbh_exact_search(&rows, metric, t->nq, x, own, t->k, NULL, t->ids);
    lbh_on_progress(NULL, NULL);
    progress_clear();
    free(x);
    return rc;
}

int truth_compute(truth *t, const vectors *base, const vectors *query, const int64_t *own,
                  int64_t k, int metric)
{
    *t = (truth){0};
    LBH_TRY(vectors_fit_metric(base, metric));
    int64_t rows = base->n - (own ? 1 : 0);
    if (rows < 1)
        return fail("'%s' has one row only: nothing is left to find", base->name);
    if (base->d != query->d)
        return fail("'%s' has dimension %d, '%s' has %d", base->name, base->d, query->name,
                    query->d);
    t->nq = query->n;
    t->k = k < rows ? k : rows;
    int rc = run(t, base, query, own, metric);
    if (rc)
        truth_free(t);
    return rc;
}

void truth_free(truth *t)
{
    free(t->ids);
    *t = (truth){0};
}
