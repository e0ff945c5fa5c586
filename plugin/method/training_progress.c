/* training_progress.c: progress of a training, its time limit, and when checkpoints are due. */
#include "training_run.h"
#include "watch.h"

#include <omp.h>

static const double REPORT_SECONDS = 0.05; /* between two calls of the progress callback */

void lbh_encoder_on_progress(lbh_encoder *enc, lbh_progress_fn fn, void *ctx)
{
    enc->progress = fn;
    enc->progress_ctx = ctx;
}

/* Progress, checkpoints, limits: all that is due after a step. */
static int after_step(lbh_training *t, double time, int64_t step, int64_t steps, double loss)
{
    struct lbh_run *run = t->run;
    lbh_encoder *enc = t->enc;
    double limit = enc->common[LBH_OPT_TIME_LIMIT];
    if (limit > 0 && time - run->started > limit)
        t->stop = true;
    /* A checkpoint is of whole steps: within them nobody asks whether to stop. Before the first step somebody
     * did, and what it has made then is of no use. */
    bool can_save = lbh_can_checkpoint(t) && step < steps;
    if (lbh_watch_hold(can_save && !t->stop))
        can_save = false;
    if (can_save && time - run->saved >= enc->checkpoint_seconds)
        LBH_TRY(lbh_save_checkpoint(t, step));
    bool due = time - run->reported >= REPORT_SECONDS || step >= steps || t->stop;
    bool cancel = lbh_watch_report(enc->method->name, step, steps, loss, due && step >= steps);
    if (enc->progress && due && !cancel)
        cancel = enc->progress(enc->progress_ctx, enc->method->name, step, steps, loss) != 0;
    if (due)
        run->reported = time;
    if (!cancel)
        return LBH_OK;
    if (can_save)
        LBH_TRY(lbh_save_checkpoint(t, step));
    return lbh_error(LBH_ECANCELLED, "%s: cancelled at step %lld of %lld", enc->method->name,
                     (long long)step, (long long)steps);
}

int lbh_report(lbh_training *t, int64_t step, int64_t steps, double loss)
{
    double time = lbh_now();
    omp_set_num_threads(lbh_pace_step(&t->run->pace, time));
    int rc = after_step(t, time, step, steps, loss);
    lbh_pace_resume(&t->run->pace, lbh_now());
    return rc;
}
