/* training_run.h: what method/ and encoder/ know of a training that runs; methods do not. */
#ifndef LBH_TRAINING_RUN_H
#define LBH_TRAINING_RUN_H

#include "method.h"
#include "model_file.h"
#include "training_threads.h"
#include "training_view.h"

enum { LBH_MAX_STATES = 48 };

struct lbh_run {
    lbh_view view;
    lbh_damped damped;
    lbh_arena arena;
    lbh_pace pace;
    double started, reported, saved; /* seconds of the monotonic clock */
    int nstates;
    lbh_tensor state[LBH_MAX_STATES];
    float *state_data[LBH_MAX_STATES];
    char fingerprint[24]; /* of the data */
};

/* checkpoint.c: whether lbh_resume() was called, and a file is wanted; writes it. */
bool lbh_can_checkpoint(const lbh_training *t);
int lbh_save_checkpoint(lbh_training *t, int64_t step);

#endif
