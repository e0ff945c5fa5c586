/* graph_term.h: an in-batch graph regulariser, on codes t of L values in [-1, 1] (sigah, neh).
 *
 *   laplacian  gr = 1/n^2 sum_ij S_ij ||t_i - t_j||^2,  S_ij = exp(-||x_i - x_j||^2 / sigma)
 *
 * is the paper's. It can only pull codes together, and what it pulls at is the average pair. The
 * default takes similarities as what the codes ought to reproduce, as stochastic neighbour
 * embedding does (Hinton & Roweis, NIPS 2002):
 *
 *   embedding  gr = 1/n sum_i v_i KL(p_i || q_i),  j != i, every p_i and q_i of sum 1
 *              p_ij ~ exp(-||x_i - x_j||^2 / sigma_i),  q_ij ~ exp(beta t_i . t_j)
 *
 * sigma_i is such that exp(entropy of p_i), the effective number of neighbours, is the same for all
 * rows: dense and thin parts of the data, and rows of any length, have neighbours alike; v_i, of
 * mean 1, says how much each counts. On bits t_i . t_j = L - 2 h_ij, so that q_ij falls with the
 * Hamming distance h_ij: near rows attract, and rows repel that are nearer in code than they are in
 * the data.
 *
 * beta says how much a difference of Hamming distances tells: little where codes are short, or
 * where noise and unseen dimensions hide most of the data's distances. No fixed value serves all
 * data, but the best one in the sense of the same loss, of maximum likelihood, can be followed
 * while the codes are learned: the loss is convex in beta, and its derivatives cost next to
 * nothing. */
#ifndef LBH_ENCODERS_GRAPH_TERM_H
#define LBH_ENCODERS_GRAPH_TERM_H

typedef enum { LBH_GRAPH_EMBEDDING, LBH_GRAPH_LAPLACIAN } lbh_graph_loss;

typedef struct lbh_graph {
    lbh_graph_loss loss;
    float sigma;      /* laplacian: of squared distances, > 0 */
    float neighbours; /* embedding: effective number, as a share of the batch */
    float beta;       /* embedding: of t_i . t_j; the option is that times L */

    const float *weight; /* B: embedding: v, or NULL = 1, set by the caller */
    const float *narrow; /* B: embedding: 1 / sigma_i, or NULL = fitted to `neighbours` */

    /* Scratch of a batch of B rows. */
    float *D, *K; /* B x B: squared distances, then similarities; derivative by t_i . t_j */
    float *norm;  /* B */
    double *row;  /* B */
    double *slope, *bend; /* B: embedding: of the loss by beta, -first and second derivative */
} lbh_graph;

/* Adds weight d(gr)/dT to dT[B * L] for rows X[B * d] with codes T[B * L]; returns gr. A batch of
 * one row has no pairs: 0. */
double lbh_graph_gradients(const lbh_graph *g, int B, int d, int L, float weight,
                             const float *X, const float *T, float *dT);

/* beta after a small step (Newton's, damped: a batch is a sample) towards the one that fits the
 * last call's codes of L bits best, between 1 / L and 100 / L. */
float lbh_graph_better_beta(const lbh_graph *g, int B, int L);

#endif
