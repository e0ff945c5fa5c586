/* itq.h: iterative quantization as a step that other encoders start from. */
#ifndef LBH_ENCODERS_ITQ_H
#define LBH_ENCODERS_ITQ_H

#include "method.h"

/* Rotation updates of the method itq, if its option says nothing else. */
enum { LBH_ITQ_ITERATIONS = 50 };

/* ITQ of centred rows X[m * d]: A[nbits * d] with bits = [A x >= 0]. report: 1 to report progress
 * and loss as a training of its own. */
int lbh_itq_learn(lbh_training *t, int64_t m, int d, const float *X, int nbits, int iterations,
                  uint64_t seed, int report, float *A);

#endif
