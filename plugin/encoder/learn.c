/* learn.c: training of any method: checks what it is given, lets the method learn, and keeps the model
 * or nothing. */
#include "encoder_parts.h"
#include "learn.h"
#include "finite.h"
#include "profile.h"
#include "training_run.h"
#include "threads.h"
#include "watch.h"

#include <omp.h>
#include <stdio.h>
#include <string.h>

static int check_lists(const char *method, const char *what, const lbh_lists *lists, int64_t n)
{
    if (!lists)
        return LBH_OK;
    if (lists->n != n)
        return lbh_error(LBH_EINVAL, "%s: %s for %lld rows, but there are %lld", method, what,
                         (long long)lists->n, (long long)n);
    if (!lists->start || lists->start[0] != 0)
        return lbh_error(LBH_EINVAL, "%s: %s: start[0] must be 0", method, what);
    for (int64_t i = 0; i < n; i++)
        if (lists->start[i + 1] < lists->start[i])
            return lbh_error(LBH_EINVAL, "%s: %s: start falls at row %lld", method, what,
                             (long long)i);
    for (int64_t i = 0; i < lists->start[n]; i++)
        if (lists->item[i] < 0 || lists->item[i] >= lists->nitems)
            return lbh_error(LBH_EINVAL, "%s: %s: item %lld is not in 0 .. %lld", method, what,
                             (long long)lists->item[i], (long long)lists->nitems - 1);
    return LBH_OK;
}

int lbh_check_training(const lbh_encoder *enc, const lbh_rows *rows, const lbh_lists *labels,
                       const lbh_lists *neighbours)
{
    if (!enc || !rows || !rows->read)
        return lbh_error(LBH_EINVAL, "lbh_encoder_train: a NULL argument");
    const char *name = enc->method->name;
    if (enc->trained)
        return lbh_error(LBH_ESTATE, "%s: the encoder is trained already", name);
    if (rows->d != enc->d)
        return lbh_error(LBH_EINVAL, "%s: rows of dimension %d, but the encoder has d = %d", name,
                         rows->d, enc->d);
    if (rows->n < 1)
        return lbh_error(LBH_EINVAL, "%s: no training rows", name);
    LBH_TRY(check_lists(name, "labels", labels, rows->n));
    LBH_TRY(check_lists(name, "neighbours", neighbours, rows->n));
    if (enc->method->needs_labels && !labels)
        return lbh_error(LBH_EINVAL, "%s: needs labels of the training rows", name);
    if (!enc->method->rebuild && enc->common[LBH_OPT_REBUILD] == LBH_REBUILD_GENERATOR)
        return lbh_error(LBH_EINVAL, "%s: rebuild=generator: the method has no generator", name);
    if (!enc->method->decoder && enc->common[LBH_OPT_REBUILD] == LBH_REBUILD_TABLES)
        return lbh_error(LBH_EINVAL, "%s: rebuild=tables needs a method with a decoder", name);
    return enc->method->check ? enc->method->check(enc) : LBH_OK;
}

static int check_tensor(lbh_visitor *v, const char *name, float **data, int64_t rows, int64_t cols)
{
    (void)v;
    for (int64_t i = 0; i < rows; i++)
        if (lbh_find_nonfinite(1, (int)cols, *data + i * cols) >= 0)
            return lbh_error(LBH_ENUMERIC, "training diverged: %s is not finite", name);
    return LBH_OK;
}

/* Learns; a model that is not finite is an error, not a model. */
static int learn(lbh_encoder *enc, lbh_training *t)
{
    lbh_visitor finite = {check_tensor};
    LBH_TRY(lbh_visit_allocate(enc));
    LBH_TRY(lbh_view_prepare(&t->run->view, t, &t->run->damped));
    LBH_TRY(enc->method->train(enc, t));
    if (enc->method->visit(enc, &finite))
        return lbh_error(LBH_ENUMERIC, "%s: %s; a lower step size may help", enc->method->name,
                         lbh_last_error());
    return lbh_view_note(enc, &t->run->damped);
}

static int learn_rows(lbh_encoder *enc, const lbh_rows *rows, const lbh_lists *labels,
                      const lbh_lists *neighbours)
{
    struct lbh_run run = {.view = {.source = rows}, .started = lbh_now()};
    run.saved = run.started;
    run.pace = (lbh_pace){.most = omp_get_max_threads(), .resumed = run.started};
    lbh_training t = {.enc = enc,
                      .rows = lbh_view_rows(&run.view),
                      .n = rows->n,
                      .labels = labels,
                      .neighbours = neighbours,
                      .run = &run};
    memcpy(enc->settled, enc->value, sizeof enc->settled);
    lbh_clock_reset();
    int rc = learn(enc, &t);
    if (!rc)
        rc = lbh_encoder_finish(enc);
    if (!rc)
        rc = lbh_train_tables(enc, &t);
    lbh_clock_read(enc->seconds);
    lbh_arena_clear(&run.arena);
    if (rc) {
        lbh_encoder_reset(enc);
        return rc;
    }
    enc->n_train = rows->n;
    snprintf(enc->library, sizeof enc->library, "%s", LBH_VERSION);
    return LBH_OK;
}

/* Multiplications of one of the products that training is made of: of a batch, or of all rows, with a
 * matrix of d x nbits. A step has tens of parallel regions, none of which is larger. */
static double product_size(const lbh_encoder *enc, int64_t n)
{
    double batch;
    if (lbh_encoder_get_value(enc, "batch", &batch))
        batch = (double)n;
    return (batch < (double)n ? batch : (double)n) * enc->d * enc->nbits;
}

int lbh_learn(lbh_encoder *enc, const lbh_rows *rows, const lbh_lists *labels,
              const lbh_lists *neighbours)
{
    /* Small steps take one thread: waking another would cost more than it does. */
    int threads = omp_get_max_threads();
    omp_set_num_threads(lbh_threads_for(product_size(enc, rows->n) / 4));
    int rc = learn_rows(enc, rows, labels, neighbours);
    omp_set_num_threads(threads);
    return rc;
}

int lbh_encoder_train_time(const lbh_encoder *enc, int i, const char **name, double *seconds)
{
    static const char *const names[] = {[LBH_TIME_OTHER] = "other",
                                        [LBH_TIME_GEMM] = "gemm",
                                        [LBH_TIME_PASSES] = "passes",
                                        [LBH_TIME_NOISE] = "noise",
                                        [LBH_TIME_OPTIMISER] = "optimiser",
                                        [LBH_TIME_DATA] = "data"};
    if (!enc || !name || !seconds || i < 0 || i >= LBH_TIME_PARTS)
        return lbh_error(LBH_EINVAL, "lbh_encoder_train_time: NULL, or part %d of 0 to %d", i,
                         LBH_TIME_PARTS - 1);
    *name = names[i];
    *seconds = enc->seconds[i];
    return LBH_OK;
}
