/* sgh_augment.h: inner products as cosines, the classical way (Neyshabur & Srebro, ICML 2015; one
 * bound M per norm range as in Yan et al., NeurIPS 2018), offered for comparison with the searched
 * codes of sgh_map.h:
 *
 *   item   [x ; sqrt(M_j^2 - ||x||^2)],  M_j the bound of its norm range
 *   query  [q M / ||q|| ; 0],            M the mean of the bounds
 *
 * All augmented items of a range have the length M_j, so that the nearest by angle has the largest
 * inner product. A linear encoder is trained on the augmented items. */
#ifndef LBH_ENCODERS_SGH_AUGMENT_H
#define LBH_ENCODERS_SGH_AUGMENT_H

#include "sgh.h"

/* Finds the bounds of `nranges` ranges of equally many rows and fills model->ranges; *rows becomes
 * the augmented view of t's rows, of dimension d + 1, valid while t is. */
int sgh_augment_rows(lbh_training *t, int nranges, sgh_model *model, lbh_rows *rows);

/* Splits a linear model of dimension d + 1 into one of dimension d and the weights of the added
 * coordinate. */
void sgh_split_augmented(int d, int nbits, const sgh_model *augmented, sgh_model *model);

/* z for items or queries; model->query is packed. */
void sgh_project_augmented(const lbh_encoder *self, lbh_role role, int64_t n, const float *x,
                           float *z);

#endif
