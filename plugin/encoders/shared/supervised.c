/* supervised.c: see supervised.h. */
#include "supervised.h"

#include "rng.h"

#include <stdlib.h>
#include <string.h>

enum { PULL_ROWS = 1024, SAMPLE_FLOATS = 1 << 27 };

static const uint64_t STREAM_LABELLED = 0x6c6162656c;

int lbh_find_labelled(lbh_training *t, int64_t classes, lbh_labelled *found)
{
    const lbh_lists *labels = t->labels;
    const char *name = t->enc->method->name;
    int64_t *rows = lbh_scratch(t, t->n, sizeof *rows), n = 0;
    if (!rows)
        return LBH_ENOMEM;
    *found = (lbh_labelled){.rows = rows};
    for (int64_t i = 0; i < t->n; i++) {
        int64_t count = labels->start[i + 1] - labels->start[i];
        found->several |= count > 1;
        if (count > 0)
            rows[n++] = i;
    }
    if (n == 0)
        return lbh_error(LBH_EINVAL, "%s: none of the %lld training rows has a label", name,
                         (long long)t->n);
    int64_t limit = classes > 0 ? classes : LBH_MAX_CLASSES;
    if (labels->nitems > limit)
        return lbh_error(LBH_EINVAL, "%s: the labels are of %lld classes, but at most %lld %s", name,
                         (long long)labels->nitems, (long long)limit,
                         classes > 0 ? "were asked for (option classes)" : "can be learned");
    found->n = n;
    found->nclasses = (int)(classes > 0 ? classes : labels->nitems);
    return LBH_OK;
}

static int compare_ids(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

int lbh_sample_labelled(lbh_training *t, const lbh_labelled *all, int64_t max_rows, int64_t *m,
                        int64_t **ids, float **X)
{
    int d = t->rows.d;
    int64_t room = SAMPLE_FLOATS / d, limit = max_rows < room ? max_rows : room;
    *m = all->n < limit ? all->n : limit;
    *ids = lbh_scratch(t, *m, sizeof **ids);
    *X = lbh_scratch_f(t, *m, d);
    if (!*ids || !*X)
        return LBH_ENOMEM;
    if (*m == all->n)
        memcpy(*ids, all->rows, (size_t)*m * sizeof **ids);
    else {
        uint64_t seed = (uint64_t)t->enc->common[LBH_OPT_SEED];
        LBH_TRY(lbh_rng_sample(seed, STREAM_LABELLED, all->n, *m, *ids));
        qsort(*ids, (size_t)*m, sizeof **ids, compare_ids);
        for (int64_t i = 0; i < *m; i++)
            (*ids)[i] = all->rows[(*ids)[i]];
    }
    for (int64_t i = 0; i < *m; i += PULL_ROWS) {
        int64_t count = *m - i < PULL_ROWS ? *m - i : PULL_ROWS;
        LBH_TRY(lbh_pull(t, count, *ids + i, *X + i * d));
    }
    return LBH_OK;
}

void lbh_label_matrix(const lbh_training *t, int64_t m, const int64_t *ids, int nclasses, float *Y)
{
    const lbh_lists *labels = t->labels;
    memset(Y, 0, (size_t)m * (size_t)nclasses * sizeof *Y);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = labels->start[ids[i]]; j < labels->start[ids[i] + 1]; j++)
            Y[i * nclasses + labels->item[j]] = 1;
}
