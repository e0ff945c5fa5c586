/* training_view.h: the rows that training sees: the caller's, checked, and those far outside damped.
 *
 * A row whose distance from the middle is more than
 *
 *     bound = robust * q,   q: the distance within which three quarters of the rows lie,
 *
 * is drawn straight towards the middle until it is that far (robust is the option, 4 by default;
 * the middle is the median of each coordinate). Means, components and least squares then hold
 * whatever a few broken rows contain, while data that are merely uneven stay as they are: q grows
 * with them. Up to a quarter of the rows may be broken. Middle and q come from a sample. */
#ifndef LBH_TRAINING_VIEW_H
#define LBH_TRAINING_VIEW_H

#include "method.h"

typedef struct lbh_view {
    const lbh_rows *source;
    double bound;  /* 0: no row is moved */
    float *middle; /* d */
} lbh_view;

/* What was found among `looked` rows: all of them, or a sample where they are many. */
typedef struct lbh_damped {
    int64_t looked, count;
    double least, most; /* distances of the damped rows, times q */
    double robust;
} lbh_damped;

/* The view as rows; it must live as long as they do. */
lbh_rows lbh_view_rows(const lbh_view *view);

/* Finds middle and bound from t->rows, which must be those of `view` and are damped from then on.
 * robust = 0: nothing is moved. */
int lbh_view_damp(lbh_view *view, lbh_training *t, double robust, lbh_damped *found);

/* Puts down what was damped as the note "damped"; nothing if nothing was. */
int lbh_note_damped(lbh_encoder *enc, const lbh_damped *found);

#endif
