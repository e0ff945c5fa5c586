/* held_out.h: rows that training does not see: row 0, stride, 2 stride ... of the caller's. The others
 * are numbered anew, and so are labels and neighbours. */
#ifndef LBH_HELD_OUT_H
#define LBH_HELD_OUT_H

#include "lbh.h"

typedef struct lbh_held_out {
    const lbh_rows *source;
    int64_t count, stride;
    float *x; /* count x d: the rows themselves */
    lbh_rows kept;                /* a view: this struct must stay where it is */
    lbh_lists labels, neighbours; /* of the rows that are kept; start NULL: none */
    int64_t *memory[4];
} lbh_held_out;

/* Holds out `count` of the rows (0: none), at most half of them. LBH_ENOMEM, LBH_EINVAL for
 * a NaN or an infinity in one of them, and what reading returns. */
int lbh_hold_out(lbh_held_out *h, const lbh_rows *rows, int64_t count, const lbh_lists *labels,
                 const lbh_lists *neighbours);
void lbh_held_out_free(lbh_held_out *h);

#endif
