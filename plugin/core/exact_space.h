/* exact_space.h: rows moved and scaled so that single precision tells them apart, with what its
 * arithmetic may be off by. See exact_search.c. */
#ifndef LBH_EXACT_SPACE_H
#define LBH_EXACT_SPACE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct lbh_exact_space {
    int metric, d;
    double scale;    /* a power of two */
    double *centre;  /* d; taken off the rows, and for L2 off the queries too */
    uint8_t *varies; /* d; 0: all rows have the same number there, which changes no order */
    double slack;    /* what is added to norms of rows: for cosines, of what makes rows unit vectors */
    double cross, own, least; /* the error of a half squared distance or an inner product is below
                                 cross |q||x| + own (|q|^2 + |x|^2) + least */
} lbh_exact_space;

/* Chooses centre and scale for n > 0 rows x[n * d]; LBH_ENOMEM. */
int lbh_exact_space_choose(lbh_exact_space *s, int metric, int d, int64_t n, const float *x);
void lbh_exact_space_free(lbh_exact_space *s);

/* Row x[d] in the space, to[d], and a bound of its norm. False, and zeros, where it does not fit. */
bool lbh_exact_space_row(const lbh_exact_space *s, const float *x, float *to, double *norm);
bool lbh_exact_space_query(const lbh_exact_space *s, const float *q, float *to, double *norm);

#endif
