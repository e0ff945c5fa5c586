/* learned.c: see learned.h. */
#include "learned.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

int lbh_learned_bind(lbh_training *t, const char *m, const char *v, int64_t rows, int64_t cols,
                     float *theta, lbh_learned *p)
{
    *p = (lbh_learned){.theta = theta, .size = rows * cols};
    p->m = lbh_state_f(t, m, rows, cols);
    p->v = lbh_state_f(t, v, rows, cols);
    p->grad = lbh_scratch_f(t, rows, cols);
    return theta && p->m && p->v && p->grad ? LBH_OK : LBH_ENOMEM;
}

/* "NAME.m", which lives as long as the training. */
static const char *moment_name(lbh_training *t, const char *name, const char *end)
{
    size_t size = strlen(name) + 3;
    char *text = lbh_scratch(t, (int64_t)size, 1);
    if (text)
        snprintf(text, size, "%s%s", name, end);
    return text;
}

int lbh_learned_take(lbh_training *t, const char *name, int64_t rows, int64_t cols, lbh_learned *p)
{
    const char *m = moment_name(t, name, ".m"), *v = moment_name(t, name, ".v");
    float *theta = m && v ? lbh_state_f(t, name, rows, cols) : NULL;
    return theta ? lbh_learned_bind(t, m, v, rows, cols, theta, p) : LBH_ENOMEM;
}

void lbh_learned_step(const lbh_adam *adam, float rate, const lbh_learned *p, int count)
{
    for (int i = 0; i < count; i++)
        if (!p[i].fixed)
            lbh_adam_step(adam, rate, p[i].size, p[i].grad, p[i].m, p[i].v, p[i].theta);
}

double lbh_cosine(int64_t step, int64_t steps)
{
    const double pi = 3.141592653589793;
    return 0.5 * (1 + cos(pi * (double)step / (double)steps));
}
