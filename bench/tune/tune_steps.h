/* tune_steps.h: what to try next: successive halving. A function of what has been tried so far, and of
 * nothing else: who reads the record of a run that was stopped goes on as it would have.
 *
 * K. Jamieson, A. Talwalkar, "Non-stochastic best arm identification and hyperparameter optimization",
 * AISTATS 2016: all candidates are tried with little training, the better part of them with more, and so
 * on. Each round has a share of the budget; one whose share is spent is over, whoever is left, but tries at
 * least its first candidate. */
#ifndef LBH_TUNE_STEPS_H
#define LBH_TUNE_STEPS_H

#include "tune_space.h"

/* A trial that is over. */
typedef struct tune_done {
    int candidate, round;
    double seconds; /* that it took, its training and all its measurements */
    double value;   /* the highest tune_value() of its points; below -1 if there are none */
    double train;   /* seconds of it that went into training, which later rounds have more of */
} tune_done;

typedef struct tune_step {
    int candidate, round;
    double seconds; /* that it may take: what its round has left, the first of a round all that is left */
} tune_step;

/* False if there is nothing more to try: all was, or `budget` seconds are spent. */
bool tune_next(const tune_space *space, bool sweep, const tune_done *done, int n, double budget,
               tune_step *next);

#endif
