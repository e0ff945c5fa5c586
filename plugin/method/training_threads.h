/* training_threads.h: PRIVATE. How many threads the steps of a training take: OpenMP's number, or one
 * where a step is too small to share, or the other cores are busy with something else. What is learned
 * is the same bit for bit, so that a clock may choose. */
#ifndef LBH_TRAINING_THREADS_H
#define LBH_TRAINING_THREADS_H

#include <stdbool.h>

/* Zeroed but for `most`, the number of threads to choose from besides one. */
typedef struct lbh_pace {
    int most;
    bool begun;             /* the first step has ended: what came before was not a step */
    bool one;               /* steps run on one thread now */
    bool other;             /* ... which is not the choice, but a trial */
    bool unsettled;         /* the next step is not timed: it wakes threads */
    double resumed, until;  /* seconds: when the step began; when the choice is looked at again */
    double mean[2];         /* seconds a step, of the choice and of the other, in the last trial */
    double seconds;         /* of the steps timed so far, and their number */
    long steps;
} lbh_pace;

/* A step has ended at `now`: how many threads the next takes, 1 or p->most. */
int lbh_pace_step(lbh_pace *p, double now);

/* The next step begins at `now`. */
void lbh_pace_resume(lbh_pace *p, double now);

#endif
