/* sigah_watch.c: adversarial training can fail without a sign in the loss. What is looked at:
 *
 *   every step      reconstruction error and energies, all shares of the data's variance: one that
 *                   is not finite, or ten times the variance, has diverged. Of the batch's variance
 *                   if that is larger: where lengths differ a lot a single row can exceed the rest
 *   now and then    the codes of a sample of rows without noise. With C the covariance of the bits,
 *                   effective = (tr C)^2 / ||C||^2 is the number of equally used, uncorrelated bits
 *                   that would be as good: L at best, 1 if all are one bit, 0 if codes are the
 * same. strength = mean of tanh(z)^2: 0 if the relaxed codes are all the same. Below a quarter,
 * below a hundredth of what training started with, the codes have collapsed; with 1 - strength near
 * 0, tanh lets no gradient through.
 *
 * The sample and the start depend on seed and data alone: nothing of it goes into a checkpoint. */
#include "blas.h"
#include "rng.h"
#include "sigah.h"

#include <math.h>
#include <string.h>

enum { SAMPLE = 1000, EVERY = 100, SETTLED = 50 };
enum { STREAM_WATCH = 48 };

static const double DIVERGED = 10, COLLAPSED = 0.25, FADED = 0.01, LEAST_GRADIENT = 1e-3;

static sigah_health look(sigah_run *r)
{
    sigah_watch *w = &r->watch;
    int L = r->cfg.nbits, n = w->n;
    double strength = 0, trace = 0, square = 0;
    sigah_health h = {0};
    lbh_gemm_nt(n, L, r->cfg.d, 1, w->X, r->p[SIGAH_W], 0, w->Z);
    memset(w->mean, 0, (size_t)L * sizeof *w->mean);
    for (int i = 0; i < n; i++)
        for (int k = 0; k < L; k++) {
            float *z = &w->Z[(ptrdiff_t)i * L + k];
            double t = tanh((double)(*z + r->p[SIGAH_B][k]));
            strength += t * t;
            *z = t >= 0 ? 1.0f : -1.0f;
            w->mean[k] += (double)*z / n;
        }
    lbh_gemm_tn(L, L, n, 1.0f / (float)n, w->Z, w->Z, 0, w->C);
    for (int k = 0; k < L; k++)
        for (int l = 0; l < L; l++) {
            double c = (double)w->C[(ptrdiff_t)k * L + l] - w->mean[k] * w->mean[l];
            square += c * c;
            trace += k == l ? c : 0;
        }
    for (int k = 0; k < L; k++)
        h.constant += fabs(w->mean[k]) > 0.98;
    h.strength = strength / ((double)n * L);
    h.effective = square > 1e-6 ? trace * trace / square : 0;
    return h;
}

int sigah_watch_start(lbh_training *t, sigah_run *r)
{
    sigah_watch *w = &r->watch;
    int d = r->cfg.d, L = r->cfg.nbits;
    w->n = r->n < SAMPLE ? (int)r->n : SAMPLE;
    w->X = lbh_scratch_f(t, w->n, d);
    w->Z = lbh_scratch_f(t, w->n, L);
    w->C = lbh_scratch_f(t, L, L);
    w->mean = lbh_scratch(t, L, sizeof *w->mean);
    if (!w->X || !w->Z || !w->C || !w->mean)
        return LBH_ENOMEM;
    for (int i = 0; i < w->n; i++) {
        int64_t row = lbh_rng_below(r->seed, STREAM_WATCH, (uint64_t)i, r->n);
        memcpy(w->X + (ptrdiff_t)i * d, r->rows + row * d, (size_t)d * sizeof *w->X);
    }
    w->at_start = look(r);
    return LBH_OK;
}

/* The caller's progress gets the step at which it went wrong, at once. */
static int raise_at(lbh_training *t, int64_t step, int64_t steps, const sigah_losses *l)
{
    t->stop = true;
    return lbh_report(t, step, steps, l->rec);
}

static bool diverged(const sigah_run *r, const sigah_losses *l)
{
    double batch = 0;
    for (int i = 0; i < r->B; i++)
        batch += (double)r->share[i] / r->B;
    double most = DIVERGED * fmax(1, batch);
    return !(l->error <= most && l->real <= most && l->synthetic <= most); /* also NaN */
}

int sigah_watch_step(const lbh_encoder *self, lbh_training *t, sigah_run *r, int64_t step,
                     int64_t steps, const sigah_losses *l)
{
    bool finite = isfinite(l->rec + l->sparsity + l->graph + l->real + l->synthetic);
    if (!finite || (step > SETTLED && diverged(r, l))) {
        LBH_TRY(raise_at(t, step, steps, l));
        return lbh_error(LBH_ENUMERIC,
                         "sigah: training diverges at step %lld: reconstruction error %.3g, energy "
                         "of real data %.3g, of synthetic data %.3g (times the data's variance); "
                         "lower lr (%g), lr_d (%g) or margin (%g)",
                         (long long)step, l->error, l->real, l->synthetic,
                         self->value[SIGAH_OPT_LR], self->value[SIGAH_OPT_LR_D],
                         self->value[SIGAH_OPT_MARGIN]);
    }
    if (step % EVERY != 0 && step < steps && !t->stop)
        return LBH_OK;
    sigah_health h = look(r), start = r->watch.at_start;
    if (h.effective < COLLAPSED * start.effective || h.strength < FADED * start.strength) {
        LBH_TRY(raise_at(t, step, steps, l));
        return lbh_error(LBH_ENUMERIC,
                         "sigah: the codes collapsed at step %lld: %d of %d bits are constant, all "
                         "are worth %.1f uncorrelated ones (%.1f at the start), tanh^2 is %.2g on "
                         "average (%.2g); lower graph (%g), lr (%g), sparsity (%g) or adversarial "
                         "(%g)",
                         (long long)step, h.constant, r->cfg.nbits, h.effective, start.effective,
                         h.strength, start.strength, self->value[SIGAH_OPT_GRAPH],
                         self->value[SIGAH_OPT_LR], self->value[SIGAH_OPT_SPARSITY],
                         self->value[SIGAH_OPT_ADVERSARIAL]);
    }
    if (1 - h.strength < LEAST_GRADIENT) {
        LBH_TRY(raise_at(t, step, steps, l));
        return lbh_error(LBH_ENUMERIC,
                         "sigah: the hash layer is saturated at step %lld: tanh passes on %.2g of "
                         "a gradient; lower slope (%g) or lr (%g)",
                         (long long)step, 1 - h.strength, self->value[SIGAH_OPT_SLOPE],
                         self->value[SIGAH_OPT_LR]);
    }
    return LBH_OK;
}
