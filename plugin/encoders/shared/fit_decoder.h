/* fit_decoder.h: the best linear decoder of a finished linear encoder. */
#ifndef LBH_ENCODERS_FIT_DECODER_H
#define LBH_ENCODERS_FIT_DECODER_H

#include "method.h"

/* U[L * d], c[d] = argmin sum ||t - h U - c||^2 over rows T[n * d], by normal equations with a ridge
 * of 1e-6 n; h_k is 1 where w_k . t + b_k >= 0, else lo. W[L * d], b[L]. LBH_ENOMEM, LBH_ENUMERIC. */
int lbh_fit_decoder(lbh_training *t, int64_t n, int d, const float *T, int L, const float *W,
                    const float *b, float lo, float *U, float *c);

#endif
