/* report_front.h: which of many points no other point beats. */
#ifndef LBH_REPORT_FRONT_H
#define LBH_REPORT_FRONT_H

#include <stdbool.h>

/* Points i of which more is better in both. front[n]: the places of those that no other point beats
 * (is at least as good in both, and better in one), x rising; of equal points the first only.
 * Returns their number, -1 without memory. Numbers that are not finite are in no front. */
int report_front(int n, const double *x, const double *y, int *front);

#endif
