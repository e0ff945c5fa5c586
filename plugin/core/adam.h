/* adam.h: Adam (Kingma & Ba, ICLR 2015) as TensorFlow has it: epsilon is added to the uncorrected
 * sqrt(v). */
#ifndef LBH_CORE_ADAM_H
#define LBH_CORE_ADAM_H

#include <stdint.h>

typedef struct lbh_adam {
    float beta1, beta2, epsilon;
} lbh_adam;

/* lr sqrt(1 - beta2^t) / (1 - beta1^t), t = 1, 2, ... */
float lbh_adam_rate(const lbh_adam *a, double lr, int64_t t);

/* m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2;  theta -= rate m / (sqrt v + eps) */
void lbh_adam_step(const lbh_adam *a, float rate, int64_t n, const float *g, float *m, float *v,
                   float *theta);

#endif
