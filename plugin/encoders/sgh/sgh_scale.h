/* sgh_scale.h: the translation- and scale-invariant extension of SGH (paper, supplement E.1): a
 * real latent z in R^L per row takes up how strongly each bit's template is present, so that the
 * codes need not.
 *
 *   x^ = ((h o z) U) o |s| + c        c stands for the paper's alpha
 *   q(z|x) = N(mu, diag tau^2),  mu = X W_z^T + b_z,  tau = exp(t)
 *   z = mu + tau o eps,  eps ~ N(0, 1)
 *   F = ||x - x^||^2 / (2 rho^2) + kl (KL of h - sum t) + penalty / 2 sum (z - 1)^2 + ...
 *
 * The paper leaves q(z|x) and the prior of z open. W_z = 0, b_z = 1 at the start: training begins
 * as the basic model. -sum t is the entropy of q(z|x) and counts as much as that of q(h|x) does, by
 * `kl`. The penalty must not be weak: with constant bits and a large U the z alone, L real numbers,
 * would rebuild the data better than any bits. How strong it has to be depends on the data and on L
 * (fewer bits need more, and codes {0,1} more than {-1,+1}); training only stays away from that
 * optimum because it starts far from it. README.md has measurements.
 *
 * Gradients, R = (x^ - x) o |s|, G = R U^T, mid = (lo + hi) / 2, nu_k the squared norms of the
 * templates; per 1/rho^2, and `step` = hi - lo times the bit gradient goes to the logit:
 *   dz = G o h,  dU = (h o z)^T R,  dW_z = dz^T X,  db_z = sum dz,  dt = tau sum (dz o eps) - kl B
 *   bits, biased G o z, unbiased G o z + (mid - h) o z^2 o nu
 */
#ifndef LBH_ENCODERS_SGH_SCALE_H
#define LBH_ENCODERS_SGH_SCALE_H

#include "learned.h"
#include "sgh_step.h"

enum { SGH_SCALE_BLOCKS = 3 };

typedef struct sgh_scale {
    float penalty;
    float *W, *b, *t;          /* nbits x d, nbits, nbits */
    float *gW, *gb, *gt;       /* gradients, summed over the batch */
    float *eps;                /* B x nbits, filled by the caller */
    float *Z, *M, *D;          /* B x nbits: z, h o z, d(loss)/dz */
    lbh_learned learned[SGH_SCALE_BLOCKS]; /* W, b, t */
} sgh_scale;

/* Z and M for rows X[B * d] and codes H[B * nbits]. */
void sgh_scale_codes(const sgh_config *cfg, const sgh_scale *s, int B, const float *X,
                     const float *H);

/* G comes as R U^T and goes as d(reconstruction)/d(code) times rho^2; nu: NULL for the biased
 * estimator. Fills gW, gb, gt. */
void sgh_scale_gradients(const sgh_config *cfg, const sgh_scale *s, int B, const float *X,
                         const float *H, float inv_rho2, const float *nu, float *G);

/* What the extension adds to the loss of the batch, besides what it does to x^. */
double sgh_scale_loss(const sgh_config *cfg, const sgh_scale *s, int B);

#endif
