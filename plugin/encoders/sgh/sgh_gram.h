/* sgh_gram.h: the decoder's part of a batch's gradients without rebuilding the batch. With codes
 * M[B,L], V = U diag|s| and residuals R = M V + 1 c^T - X (sgh_step.h),
 *
 *   d rec / d code  R V^T = M (V V^T) + 1 (V c)^T - X V^T
 *   d rec / d U     M^T R diag|s|,   M^T R = (M^T M) V + (M^T 1) c^T - M^T X
 *   d rec / d c     1^T R = (1^T M) V + B c^T - 1^T X
 *   d rec / d |s|   diag(U^T M^T R)
 *   rec = sum R^2 / 2 = (<V, M^T R> + c . 1^T R - <X, R>) / 2,  <X, R> = <M^T X, V> + c . 1^T X - |X|^2
 *
 * which takes two products of B x L x d where rebuilding takes three, and no pass over B x d but one
 * that reads X; in exchange four small ones with the L x L matrices V V^T and M^T M. */
#ifndef LBH_ENCODERS_SGH_GRAM_H
#define LBH_ENCODERS_SGH_GRAM_H

#include "sgh_step.h"

/* Whether the small products cost less than what they save. */
bool sgh_gram_pays(const sgh_config *cfg, int B);

/* scratch->G = R V^T. */
void sgh_gram_code(const sgh_config *cfg, const sgh_params *p, int B, const float *X,
                   const float *M, const sgh_batch *scratch);

/* g->U = M^T R diag|s| / rho^2 + decay_u U; g->c and g->s where they are there, without 1 / rho^2.
 * Returns rec. After sgh_gram_code, with scratch->T as that left it. */
double sgh_gram_decoder(const sgh_config *cfg, const sgh_params *p, int B, const float *X,
                        const float *M, float inv_rho2, const sgh_batch *scratch,
                        const sgh_params *g);

#endif
