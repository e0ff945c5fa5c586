/* sgh_step.h: the objective of stochastic generative hashing and its gradients, for one batch.
 * Apart from the training loop so that tests can hold it against enumeration of all codes.
 *
 * Notation (Dai, Guo, Kumar, He & Song, ICML 2017): L bits, codes h with entries lo or hi ({0,1} or
 * {-1,+1}), step = hi - lo.
 *
 *   encoder   A = X W^T + b,  P = sigma(A),  h = hi if P > xi else lo,  xi ~ U(0,1) or 1/2
 *   decoder   x^ = (h U) o |s| + c              (s = 1 and c = 0 for the basic one)
 *   paper     F = ||x - x^||^2 / (2 rho^2) + d log rho + kl * KL(q || p)
 *             KL = sum_k p a - softplus(a) - beta (p hi + (1-p) lo) + log partition(beta)
 *   official  J = ||x - x^||^2 / 2 + alpha CE + decay / 2 (||U||^2 + ||W||^2),
 *             CE = softplus(a) - [h = hi] a
 *             (the published program; its CE has the opposite sign of the paper's log q)
 */
#ifndef LBH_ENCODERS_SGH_STEP_H
#define LBH_ENCODERS_SGH_STEP_H

#include <stdbool.h>
#include <stdint.h>

typedef enum { SGH_BASIC, SGH_SHIFTED, SGH_SCALED } sgh_decoder;
typedef enum { SGH_BIASED, SGH_UNBIASED } sgh_estimator;
typedef enum { SGH_PAPER, SGH_OFFICIAL } sgh_objective;
typedef enum { SGH_CODING_01, SGH_CODING_PM1 } sgh_coding;

typedef struct sgh_config {
    int d, nbits;
    sgh_decoder decoder;
    sgh_estimator estimator;
    sgh_objective objective;
    sgh_coding coding;
    float kl;              /* weight of KL (paper) */
    float alpha;           /* weight of CE (official) */
    float decay_u, decay_w; /* L2 decay, on the batch's sum */

    /* Extensions, with their parameters and scratch; NULL where they are off. */
    struct sgh_scale *latent; /* sgh_scale.h */
    struct sgh_pairs *pairs;  /* sgh_pairs.h */
} sgh_config;

/* Parameters, and gradients of the same shapes (summed over the batch). */
typedef struct sgh_params {
    float *W;       /* nbits x d */
    float *b;       /* nbits */
    float *U;       /* nbits x d */
    float *s;       /* d, unused unless SGH_SCALED */
    float *c;       /* d, unused if SGH_BASIC */
    float *beta;    /* nbits: log-odds of the prior */
    float *log_rho; /* 1 */
} sgh_params;

/* Scratch of a batch of at most B rows. */
typedef struct sgh_batch {
    float *A;     /* B x nbits: logits */
    float *P;     /* B x nbits: sigma(A) */
    float *H;     /* B x nbits: codes */
    float *G;     /* B x nbits: d(loss)/d(code), then d(loss)/d(logit) */
    float *T;     /* B x d: h U, then the residual times |s| */
    float *sums;  /* nbits + d: squared norms of the templates; partial sums */
} sgh_batch;

/* Loss of rows X[B * d] and its gradients. noise: xi[B * nbits], NULL = 1/2 throughout. The gradient
 * of b, s, c, beta, log_rho is left out where the pointer in `g` is NULL. *rec is the sum over the
 * batch of ||x - x^||^2 / 2. */
void sgh_gradients(const sgh_config *cfg, const sgh_params *p, int B, const float *X,
                   const float *noise, const sgh_batch *scratch, const sgh_params *g, double *rec);

/* The same where scratch->A holds X W^T already. */
void sgh_gradients_of_logits(const sgh_config *cfg, const sgh_params *p, int B, const float *X,
                             const float *noise, const sgh_batch *scratch, const sgh_params *g,
                             double *rec);

/* The whole loss, summed over the batch, at the codes and logits left in scratch by sgh_gradients. */
double sgh_loss(const sgh_config *cfg, const sgh_params *p, int B, const sgh_batch *scratch,
                double rec);

#endif
