/* jmlh_step.h: the objective of just-maximising-likelihood hashing and its gradients, for one batch.
 * Apart from the training loop so that tests can hold it against enumeration of all codes.
 *
 * Notation (Shen, Qin, Chen, Liu, Zhu & Shen, ICCV workshops 2019): L bits, K outputs.
 *
 *   encoder   A = MLP(X),  P = sigma(A),  h = [P > xi],  xi ~ U(0,1) or 1/2;  relaxed: h = P
 *   head      C = H V^T + v  (or an MLP)
 *   loss      softmax   LSE(C) - sum_c y_c C_c          (one label; y sums to 1)
 *             sigmoid   sum_c softplus(C_c) - y_c C_c   (several labels)
 *             squares   ||C - y||^2 / 2                 (reconstruction)
 *   J = mean over the batch of  loss + lambda KL(q || Bernoulli(1/2)) + penalty sum_k (p_k - h_k)^2
 *       KL = sum_k p a - softplus(a) + log 2
 *
 * Gradient by the logits:  biased    p (1-p) dloss/dh
 *                          exact     p (1-p) (loss at h_k = 1 less loss at h_k = 0)
 *                          straight  dloss/dh
 * and lambda a p (1-p) + 2 penalty (p - h) p (1-p), h being a constant there.
 */
#ifndef LBH_ENCODERS_JMLH_STEP_H
#define LBH_ENCODERS_JMLH_STEP_H

#include "mlp.h"

#include <stdbool.h>

typedef enum { JMLH_SOFTMAX, JMLH_SIGMOID, JMLH_SQUARES } jmlh_loss;
typedef enum { JMLH_BIASED, JMLH_EXACT, JMLH_STRAIGHT } jmlh_estimator;

typedef struct jmlh_config {
    jmlh_loss loss;
    jmlh_estimator estimator; /* JMLH_EXACT: one-layer heads with softmax or sigmoid */
    bool relaxed;             /* no neurons: the head sees P */
    float lambda, penalty;
} jmlh_config;

/* Scratch of a batch of at most B rows. */
typedef struct jmlh_batch {
    lbh_mlp_batch encoder, head;
    float *P, *H, *G; /* B x L: sigma(A), codes, d(loss)/d(code) */
    float *Vt;        /* JMLH_EXACT: L x K, the head transposed */
    float *other;     /* JMLH_EXACT: B x K */
    double *loss;     /* B: the loss of each row */
} jmlh_batch;

/* Gradients of J over rows X[B * d] with targets y[B * K], into those of genc and ghead. noise:
 * xi[B * L], NULL = 1/2 throughout. Returns J. */
double jmlh_gradients(const jmlh_config *cfg, const lbh_mlp *encoder, const lbh_mlp *head, int B,
                      const float *X, const float *y, const float *noise, const jmlh_batch *w,
                      const lbh_mlp *genc, const lbh_mlp *ghead);

#endif
