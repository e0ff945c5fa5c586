/* training_data.c: what a method learns from and with: rows, samples of them, memory. */
#include "profile.h"
#include "rng.h"
#include "training_run.h"
#include "watch.h"

#include <stdio.h>
#include <stdlib.h>

enum { PULL_BLOCK = 1024, SAMPLE_FLOATS = 1 << 27 };

/* Random stream of this file; methods use small numbers. */
static const uint64_t STREAM_SAMPLE = 0x73616d706c65;

/* ---- Memory -------------------------------------------------------------------------------- */

/* To clear large memory takes its time. Whoever wants to stop gets none: what that is called in the end
 * is said where training ends (train/train.c). */
void *lbh_scratch(lbh_training *t, int64_t count, size_t size)
{
    if (lbh_watch_poll())
        return NULL;
    return lbh_arena_take(&t->run->arena, count, size);
}

float *lbh_scratch_f(lbh_training *t, int64_t rows, int64_t cols)
{
    return lbh_scratch(t, rows * cols, sizeof(float));
}

float *lbh_state_f(lbh_training *t, const char *name, int64_t rows, int64_t cols)
{
    struct lbh_run *run = t->run;
    float *data = lbh_scratch_f(t, rows, cols);
    if (data && run->nstates == LBH_MAX_STATES) {
        lbh_error(LBH_EINVAL, "more than %d training states", LBH_MAX_STATES);
        return NULL;
    }
    if (data) {
        lbh_tensor *s = &run->state[run->nstates];
        snprintf(s->name, sizeof s->name, "state.%s", name);
        s->rows = rows;
        s->cols = cols;
        s->data = data;
        run->state_data[run->nstates++] = data;
    }
    return data;
}

/* ---- Rows ---------------------------------------------------------------------------------- */

int lbh_pull(lbh_training *t, int64_t count, const int64_t *ids, float *x)
{
    lbh_time before = lbh_clock(LBH_TIME_DATA);
    int rc = t->rows.read(&t->rows, count, ids, x);
    lbh_clock(before);
    return rc ? rc : lbh_watch_check();
}

static int compare_ids(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

int lbh_sample_ids(lbh_training *t, int64_t count, int64_t *ids)
{
    if (count == t->n) {
        for (int64_t i = 0; i < count; i++)
            ids[i] = i;
        return LBH_OK;
    }
    uint64_t seed = (uint64_t)t->enc->common[LBH_OPT_SEED];
    LBH_TRY(lbh_rng_sample(seed, STREAM_SAMPLE, t->n, count, ids));
    qsort(ids, (size_t)count, sizeof *ids, compare_ids); /* files are read forwards */
    return LBH_OK;
}

int lbh_sample_rows(lbh_training *t, int64_t max_rows, int64_t *m, float **X)
{
    int d = t->rows.d;
    int64_t room = SAMPLE_FLOATS / d, limit = max_rows < room ? max_rows : room;
    *m = t->n < limit ? t->n : limit;
    int64_t *ids = lbh_scratch(t, *m, sizeof *ids);
    *X = lbh_scratch_f(t, *m, d);
    if (!ids || !*X)
        return LBH_ENOMEM;
    LBH_TRY(lbh_sample_ids(t, *m, ids));
    for (int64_t i = 0; i < *m; i += PULL_BLOCK) {
        int64_t count = *m - i < PULL_BLOCK ? *m - i : PULL_BLOCK;
        LBH_TRY(lbh_pull(t, count, ids + i, *X + i * d));
    }
    return LBH_OK;
}
