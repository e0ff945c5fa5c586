/* training_view.h: the rows that training sees: the caller's, checked, of unit length where the metric
 * is the cosine, and those far outside drawn in.
 *
 * Distances are from the middle, the median of each coordinate; q is the one that three quarters of
 * the rows keep within. A row at a distance f beyond
 *
 *     bound = robust * q        (robust: the option, 4 by default)
 *
 * is moved straight towards the middle to max(q, bound^2 / f): the further out, the less it counts, a
 * broken row as an ordinary one. Means, components and least squares then hold whatever a few broken
 * rows contain; data that are merely uneven stay as they are, for q grows with them. Up to a quarter
 * of the rows may be broken. Middle and q come from a sample.
 *
 * Where near means a high inner product, long rows are the answers: they are moved to the bound, and
 * that is as far out as the longest of log-normal lengths with the same quartiles. */
#ifndef LBH_TRAINING_VIEW_H
#define LBH_TRAINING_VIEW_H

#include "method.h"

typedef struct lbh_view {
    const lbh_rows *source;
    double q, bound; /* bound 0: no row is moved */
    float *middle;   /* d */
    bool unit, keep_long;
} lbh_view;

/* What was found among `looked` rows: all of them, or a sample where they are many. */
typedef struct lbh_damped {
    int64_t looked, count, zero; /* rows that are drawn in; without a direction, under cosine */
    double bound, least, most;   /* distances of rows that are drawn in, in units of q */
} lbh_damped;

/* The view as rows; it must live as long as they do. */
lbh_rows lbh_view_rows(const lbh_view *view);

/* Sets the view up by the options and from t->rows, which must be those of `view`. */
int lbh_view_prepare(lbh_view *view, lbh_training *t, lbh_damped *found);

/* Puts down what was found as the notes "damped" and "zero_rows"; nothing if nothing was. */
int lbh_view_note(lbh_encoder *enc, const lbh_damped *found);

#endif
