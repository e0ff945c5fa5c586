/* sgh_early.c: early stopping of SGH by the error on held-out rows: up to 2,000 rows spread over the
 * set are kept from the batches; every 250 steps the mean squared error of their reconstruction from
 * codes without noise is taken, and the best parameters are kept. All of it is part of checkpoints. */
#include "blas.h"
#include "sgh.h"

#include <string.h>

enum { CHECK_EVERY = 250, MAX_HELD = 2000 };

int sgh_early_start(const lbh_encoder *self, lbh_training *t, sgh_run *r)
{
    sgh_early *e = &r->early;
    e->patience = (int)self->value[SGH_OPT_EARLY_STOP];
    if (e->patience == 0)
        return LBH_OK;
    int64_t held = r->n / 10 < MAX_HELD ? r->n / 10 : MAX_HELD, d = r->cfg.d, L = r->cfg.nbits;
    if (held == 0)
        return lbh_error(LBH_EINVAL, "sgh: early_stop needs at least 10 training rows, not %lld",
                         (long long)r->n);
    static const char *const names[] = {"best.W", "best.b", "best.U", "best.s", "best.c"};
    for (int i = 0; i < SGH_EARLY_PARAMS; i++)
        if ((e->best[i] = lbh_state_f(t, names[i], 1, r->learned[i].size)) == NULL)
            return LBH_ENOMEM;
    e->stride = r->n / held;
    e->held = (int)held;
    e->progress = lbh_state_f(t, "early", 1, 2);
    e->T = lbh_scratch_f(t, held, d);
    e->H = lbh_scratch_f(t, held, L);
    e->R = lbh_scratch_f(t, held, d);
    if (!e->progress || !e->T || !e->H || !e->R)
        return LBH_ENOMEM;
    for (int64_t i = 0; i < held; i++)
        memcpy(e->T + i * d, r->rows + i * e->stride * d, (size_t)d * sizeof *e->T);
    return LBH_OK;
}

int64_t sgh_early_row(const sgh_run *r, int64_t row)
{
    const sgh_early *e = &r->early;
    bool held = e->patience > 0 && row % e->stride == 0 && row / e->stride < e->held;
    return !held ? row : row + 1 < r->n && e->stride > 1 ? row + 1 : r->n - 1;
}

/* Mean squared error of the held-out rows. */
static float held_error(const sgh_run *r)
{
    const sgh_early *e = &r->early;
    int d = r->cfg.d, L = r->cfg.nbits;
    float lo = r->cfg.coding == SGH_CODING_PM1 ? -1.0f : 0.0f;
    double sum = 0;
    lbh_gemm_nt(e->held, L, d, 1, e->T, r->p.W, 0, e->H);
    for (int64_t i = 0; i < (int64_t)e->held * L; i++)
        e->H[i] = e->H[i] + r->p.b[i % L] >= 0 ? 1.0f : lo;
    lbh_gemm_nn(e->held, d, L, 1, e->H, r->p.U, 0, e->R);
    for (int64_t i = 0; i < (int64_t)e->held * d; i++) {
        float s = r->p.s[i % d], scale = r->cfg.decoder != SGH_SCALED ? 1 : s < 0 ? -s : s;
        float shift = r->cfg.decoder == SGH_BASIC ? 0 : r->p.c[i % d];
        double error = (double)(e->R[i] * scale + shift - e->T[i]);
        sum += error * error;
    }
    return (float)(sum / e->held);
}

bool sgh_early_over(const sgh_run *r)
{
    return r->early.patience > 0 && r->early.progress[1] >= (float)r->early.patience;
}

void sgh_early_check(sgh_run *r, int64_t step, int64_t steps)
{
    sgh_early *e = &r->early;
    if (e->patience == 0 || (step % CHECK_EVERY != 0 && step < steps))
        return;
    float error = held_error(r), *least = &e->progress[0], *since = &e->progress[1];
    bool better = *least == 0 || error < *least; /* 0: nothing checked yet */
    *since = better ? 0 : *since + 1;
    if (better) {
        *least = error;
        for (int i = 0; i < SGH_EARLY_PARAMS; i++)
            memcpy(e->best[i], r->learned[i].theta, (size_t)r->learned[i].size * sizeof(float));
    }
}

void sgh_early_finish(sgh_run *r)
{
    if (r->early.patience > 0 && r->early.progress[0] > 0)
        for (int i = 0; i < SGH_EARLY_PARAMS; i++)
            memcpy(r->learned[i].theta, r->early.best[i],
                   (size_t)r->learned[i].size * sizeof(float));
}
