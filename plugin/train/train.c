/* train.c: training as callers see it: some rows are held out, the encoder learns from the others, and
 * what its codes give on those held out is noted in the model. */
#include "encoder_parts.h"
#include "learn.h"
#include "quality.h"
#include "watch.h"

#include <string.h>

static int train(lbh_encoder *enc, const lbh_rows *rows, const lbh_lists *labels,
                 const lbh_lists *neighbours)
{
    lbh_held_out h;
    LBH_TRY(lbh_hold_out(&h, rows, lbh_rows_to_hold_out(enc, rows->n), labels, neighbours));
    int rc = lbh_learn(enc, &h.kept, labels ? &h.labels : NULL, neighbours ? &h.neighbours : NULL);
    if (!rc) {
        enc->n_train = rows->n;
        lbh_note_quality(enc, &h);
    }
    lbh_held_out_free(&h);
    int stopped = lbh_watch_check(); /* products, and notes, that were left undone say nothing of it */
    if (stopped && !rc)
        lbh_encoder_reset(enc);
    return stopped ? stopped : rc;
}

int lbh_encoder_train_rows(lbh_encoder *enc, const lbh_rows *rows, const lbh_lists *labels,
                           const lbh_lists *neighbours)
{
    LBH_TRY(lbh_check_training(enc, rows, labels, neighbours));
    lbh_watch_begin(enc->method->name, 0);
    return lbh_watch_end(train(enc, rows, labels, neighbours));
}

int lbh_encoder_train(lbh_encoder *enc, int64_t n, const float *x)
{
    if (!enc || !x)
        return lbh_error(LBH_EINVAL, "lbh_encoder_train: a NULL argument");
    lbh_rows rows = lbh_rows_from_matrix(n, enc->d, x);
    return lbh_encoder_train_rows(enc, &rows, NULL, NULL);
}

int lbh_encoder_best_rescore(const lbh_encoder *enc)
{
    const char *best = lbh_encoder_note(enc, "best_ranking");
    if (best && strcmp(best, "decoder") == 0)
        return LBH_RESCORE_DECODER;
    return best && strcmp(best, "none") == 0 ? LBH_RESCORE_NONE : LBH_RESCORE_MARGIN;
}
