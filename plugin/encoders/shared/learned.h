/* learned.h: parameters that gradients change, with what belongs to them: gradient, Adam's moments,
 * their place in checkpoints; and the course of a step size. */
#ifndef LBH_ENCODERS_LEARNED_H
#define LBH_ENCODERS_LEARNED_H

#include "adam.h"
#include "method.h"

typedef struct lbh_learned {
    float *theta, *grad, *m, *v;
    int64_t size;
    bool fixed; /* stays as it is: steps leave it alone */
} lbh_learned;

/* rows x cols numbers that checkpoints hold as NAME, their moments as NAME.m and NAME.v, and scratch
 * memory for the gradient. `name` is a string constant. */
int lbh_learned_take(lbh_training *t, const char *name, int64_t rows, int64_t cols, lbh_learned *p);

/* The same for numbers that the caller holds. */
int lbh_learned_bind(lbh_training *t, const char *m, const char *v, int64_t rows, int64_t cols,
                     float *theta, lbh_learned *p);

/* A step of Adam on each of count. */
void lbh_learned_step(const lbh_adam *adam, float rate, const lbh_learned *p, int count);

/* The share of a step size that a cosine leaves at a step: 1 at the first, 0 behind the last. */
double lbh_cosine(int64_t step, int64_t steps);

#endif
