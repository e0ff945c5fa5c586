/* report_front.c: Pareto fronts, by one sweep from the greatest x down. See report_front.h. */
#include "report_front.h"

#include <math.h>
#include <stdlib.h>

typedef struct point {
    double x, y;
    int at;
} point;

/* x falling, then y falling: what beats a point comes before it. */
static int by_rank(const void *pa, const void *pb)
{
    const point *a = pa, *b = pb;
    if (a->x != b->x)
        return a->x < b->x ? 1 : -1;
    if (a->y != b->y)
        return a->y < b->y ? 1 : -1;
    return (a->at > b->at) - (a->at < b->at);
}

int report_front(int n, const double *x, const double *y, int *front)
{
    int count = 0, found = 0;
    point *p = malloc((n > 0 ? (size_t)n : 1) * sizeof *p);
    if (!p)
        return -1;
    for (int i = 0; i < n; i++)
        if (isfinite(x[i]) && isfinite(y[i]))
            p[count++] = (point){x[i], y[i], i};
    qsort(p, (size_t)count, sizeof *p, by_rank);
    double best = -INFINITY;
    for (int i = 0; i < count; i++)
        if (p[i].y > best) {
            best = p[i].y;
            front[found++] = p[i].at;
        }
    for (int i = 0; i < found / 2; i++) {
        int swap = front[i];
        front[i] = front[found - 1 - i];
        front[found - 1 - i] = swap;
    }
    free(p);
    return found;
}
