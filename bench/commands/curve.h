/* curve.h: the measurements of `lbh curve`: each point is a training of its own, to its end, with a
 * given number of steps. What a learner reports about itself is not used. */
#ifndef LBH_CURVE_H
#define LBH_CURVE_H

#include "common.h"

enum { CURVE_METHODS = 16, CURVE_BITS = 16, CURVE_POINTS = 64 };

/* A method with its options, from "sgh:steps=500:noise=0". */
typedef struct contender {
    char *name, *method, *settings;
} contender;

/* One line of the figure: errors y at samples seen x. */
typedef struct curve {
    int contender, nbits, n;
    char label[32];
    double x[CURVE_POINTS], y[CURVE_POINTS];
} curve;

typedef struct experiment {
    vectors base;
    double scale; /* factor on the base */
    contender list[CURVE_METHODS];
    int nmethods, nbits;
    int64_t bits[CURVE_BITS], samples, points, seed;
    lbh_rows rows; /* the base, scaled; pulled by the trainings */
    int64_t m;     /* rows x[m * d] that the error is measured on */
    float *x;
    double variance; /* mean of ||x - mean||^2 / 2 over them */
    curve *curves;   /* nmethods * nbits */
    cJSON *out;      /* one object a point */
} experiment;

/* Opens the measured rows, then runs all trainings: fills `curves` and `out`. The fields up to
 * `seed` and `out` are given. CLI_EUSAGE for methods that do not learn in steps. */
int curve_run(experiment *e);
void curve_free(experiment *e); /* all but `out` */

#endif
