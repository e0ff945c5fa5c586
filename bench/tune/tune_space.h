/* tune_space.h: what `lbh tune` can try: methods, lengths, rankings, indexes, and with how much
 * training; and each trial as a specification of `lbh bench`. */
#ifndef LBH_TUNE_SPACE_H
#define LBH_TUNE_SPACE_H

#include "tune_choice.h"

/* Rounds: little training, then as usual; then the indexes and the lengths of shortlists, with the
 * models of the second. */
enum { TUNE_ROUNDS = 2, TUNE_SWEEP = TUNE_ROUNDS, TUNE_MAX = 256 };

/* A method with options at so many bits. */
typedef struct tune_candidate {
    int family;
    int64_t nbits;
} tune_candidate;

typedef struct tune_space {
    int n;
    tune_candidate candidate[TUNE_MAX];
} tune_space;

/* Fills the space. methods: names of families, NULL: all; bits: lengths, NULL: those that the bound on
 * bytes suggests. CLI_EUSAGE for a name or number that is none, or if nothing can keep the bounds. */
int tune_space_make(tune_space *s, const tune_ask *ask, const char *methods, const char *bits);

/* The sections [bench] and [method ...] of a trial, for a data set of any name. Two rounds of one
 * candidate may be the same. */
void tune_trial_text(char *text, size_t size, const tune_ask *ask, const tune_candidate *c, int round);

/* Whether a sweep of indexes and shortlists makes sense for what is asked. */
bool tune_wants_sweep(const tune_ask *ask);

#endif
