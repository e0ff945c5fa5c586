/* sigah_step.h: the networks of sparsity-induced generative adversarial hashing (Liu,
 * arXiv:2306.06928), their losses and gradients for one batch. Apart from the training loop so that
 * tests can hold every gradient against central differences.
 *
 * Notation: rows x of d values, L bits, m sparse features, k hidden units; f the activation.
 *
 *   hash layer     Z = X W^T + b,  T = tanh(Z);   the code is [Z >= 0]
 *   generator      S = f(T Wg + bg)
 *   measurement    X^ = S A                       A Gaussian and fixed, or the identity, or learned
 *   discriminator  AE(y) = lrelu(y We + be) Wd + bd,  energy D(y) = ||y - AE(y)||^2 unit
 *
 *   rec = 1/n sum w ||x - x^||^2 unit    sp = 1/n sum ||s||_1 / m
 *   gr  = see graph_term.h, on H        adv = 1/n sum D(x^)
 *   generator and hash layer minimise    rec + sparsity sp + graph gr + adversarial adv
 *   the discriminator minimises          1/n sum D(x) + max(0, margin - D(x^))      (x^ constant)
 *
 * unit is 1 / E||x||^2, so that rec, the energies and the margin are shares of the data's variance
 * and no weight depends on the scale or the dimension. w is a weight of the row: 1 in the paper.
 *
 * The generator sees H. In the paper H = T; with noise H = sign(T + noise), and the derivative by H
 * is passed on as that by T: for noise uniform in -1 .. 1 the stochastic neuron of SGH. */
#ifndef LBH_ENCODERS_SIGAH_STEP_H
#define LBH_ENCODERS_SIGAH_STEP_H

#include <stdbool.h>
#include <stdint.h>

typedef enum {
    SIGAH_LEAKY_RELU,
    SIGAH_RELU,
    SIGAH_TANH,
    SIGAH_SIGMOID,
    SIGAH_SWISH,
    SIGAH_LINEAR,
} sigah_activation;

typedef enum { SIGAH_GAUSSIAN, SIGAH_LEARNED, SIGAH_IDENTITY } sigah_measurement;

/* Parameters: one array of pointers for values, gradients and moments alike. */
enum {
    SIGAH_W,  /* L x d */
    SIGAH_B,  /* L */
    SIGAH_WG, /* L x m */
    SIGAH_BG, /* m */
    SIGAH_A,  /* m x d */
    SIGAH_WE, /* d x k */
    SIGAH_BE, /* k */
    SIGAH_WD, /* k x d */
    SIGAH_BD, /* d */
    SIGAH_NPARAMS,
    SIGAH_NGENERATOR = SIGAH_WE, /* hash layer and generator stand before the discriminator */
};

typedef struct sigah_config {
    int d, nbits, m, k;
    sigah_activation activation;
    sigah_measurement measurement;
    float leak; /* slope of the leaky ReLU below 0 */
    float unit;
    float sparsity, graph, adversarial, margin; /* weights; adversarial = 0: no discriminator */
    struct lbh_graph *near;                     /* NULL if graph is 0 */
} sigah_config;

/* Scratch of a batch of B rows. */
typedef struct sigah_batch {
    float *T;      /* B x L: tanh of the hash layer */
    float *bits;   /* B x L: sign(T + noise) */
    float *H;      /* what the generator sees: T or bits, set by sigah_forward */
    float *S, *dS; /* B x m: sparse features; derivative of f, then the loss's by f's input */
    float *Y;      /* B x d: X^ */
    float *R;      /* B x d: derivatives by X^ */
    float *E, *dE; /* B x k */
    float *O;      /* B x d: y - AE(y) */
    float *dT;     /* B x L */
    float *G;      /* B x m */
    double *row;   /* B: sums of rows */

    const float *weight; /* B: w, or NULL = 1, set by the caller */
} sigah_batch;

typedef struct sigah_losses {
    double rec, sparsity, graph, real, synthetic; /* as above; real, synthetic: mean D */
    double error;                                 /* rec with w = 1 */
    double hinge;                                 /* mean of max(0, margin - D(x^)) */
} sigah_losses;

/* The generator: S[B * m] = f(H Wg + bg), and f' there into dS. */
void sigah_features(const sigah_config *cfg, int B, const float *H, const float *Wg, const float *bg,
                    float *S, float *dS);

/* Fills w->T, bits, S, dS, Y from rows X[B * d]. noise: B x L numbers, or NULL. */
void sigah_forward(const sigah_config *cfg, float *const *p, int B, const float *X,
                   const float *noise, sigah_batch *w);

/* Gradients of We, be, Wd, bd at the X^ of the last sigah_forward; losses real, synthetic, hinge.*/
void sigah_discriminator(const sigah_config *cfg, float *const *p, int B, const float *X,
                         const sigah_batch *w, float *const *g, sigah_losses *losses);

/* Gradients of W, b, Wg, bg (and A if it is learned) at the last sigah_forward; losses rec,
 * error, sparsity, graph and, with a discriminator, synthetic. Overwrites what sigah_forward
 * left. */
void sigah_generator(const sigah_config *cfg, float *const *p, int B, const float *X,
                     const sigah_batch *w, float *const *g, sigah_losses *losses);

#endif
