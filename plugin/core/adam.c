/* adam.c: see adam.h. */
#include "adam.h"

#include "cpu.h"
#include "profile.h"

#include <math.h>

enum { CHUNK = 4096 };

float lbh_adam_rate(const lbh_adam *a, double lr, int64_t t)
{
    double c1 = 1 - pow((double)a->beta1, (double)t), c2 = 1 - pow((double)a->beta2, (double)t);
    return (float)(lr * sqrt(c2) / c1);
}

LBH_CLONES
static void update(float b1, float b2, float eps, float rate, int64_t n,
                   const float *restrict g, float *restrict m, float *restrict v,
                   float *restrict theta)
{
    for (int64_t i = 0; i < n; i++) {
        m[i] = b1 * m[i] + (1 - b1) * g[i];
        v[i] = b2 * v[i] + (1 - b2) * g[i] * g[i];
        theta[i] -= rate * m[i] / (sqrtf(v[i]) + eps);
    }
}

void lbh_adam_step(const lbh_adam *a, float rate, int64_t n, const float *g, float *m, float *v,
                   float *theta)
{
    lbh_time before = lbh_clock(LBH_TIME_OPTIMISER);
#pragma omp parallel for schedule(static) if (n > 4 * CHUNK)
    for (int64_t i = 0; i < n; i += CHUNK) {
        int64_t count = n - i < CHUNK ? n - i : CHUNK;
        update(a->beta1, a->beta2, a->epsilon, rate, count, g + i, m + i, v + i, theta + i);
    }
    lbh_clock(before);
}
