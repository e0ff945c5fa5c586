/* near_stage.h: a last stage of training for linear codes: rows get the neighbours that they have in
 * the data. Stochastic neighbour embedding (Hinton & Roweis, NIPS 2002) into the corners of a cube:
 *
 *   t = tanh(W x + b),   loss = mean over rows i of a batch of KL(p_i || q_i),   j != i
 *   p_ij ~ exp(-sharpness |x_i - x_j|^2 / r_i^2),   q_ij ~ exp(beta / sqrt(L) t_i . t_j)
 *
 * r_i is the distance of the tenth nearest row; on corners q falls with the Hamming distance. A batch
 * from anywhere holds no neighbours worth the name: here it is made of groups, an anchor, some of its
 * ten nearest rows and some of those that follow, and all rows of all groups are ranked against each
 * other. A small beta leaves no way to be sure of a neighbour but values near +-1, so that nothing
 * else has to drive them there.
 *
 * Who is near whom is known of training rows only, and many bits can learn it by heart. Hence small
 * steps from codes that are good already, and held-out rows at the end: codes that do not find more
 * of their neighbours than those of the start are dropped for it. */
#ifndef LBH_ENCODERS_NEAR_STAGE_H
#define LBH_ENCODERS_NEAR_STAGE_H

#include "learned.h"
#include "near_rows.h"

typedef struct lbh_near_stage {
    int64_t steps, done; /* done: what the caller counts for progress before the first step */
    int64_t total;       /* of the caller's progress */
    double lr, beta, sharpness;
    int L;
    float *W, *b; /* L x d, L: the caller's, part of its checkpoints */

    /* The stage's own. */
    float *W0, *b0;                 /* the codes that it starts from */
    lbh_learned trained[2];         /* W, b */
    float *gW, *gb;                 /* their gradients */
    lbh_near_rows near;
    lbh_near_batch batch;
    double learned, first;          /* recall 10@100 of the held-out rows, by W and by W0 */
} lbh_near_stage;

/* Takes what checkpoints hold. Before lbh_resume(). d: of the rows. */
int lbh_near_take(lbh_training *t, lbh_near_stage *s, int d);

/* Runs the stage from its step `step` on over rows[n * d]. Too few rows to learn neighbours from:
 * nothing happens. */
int lbh_near_run(lbh_training *t, lbh_near_stage *s, int64_t n, int d, const float *rows,
                 uint64_t seed, int64_t step);

/* The loss of the B rows batch->ids, its gradients into gW and gb. */
double lbh_near_gradients(lbh_near_stage *s, int B);

#endif
