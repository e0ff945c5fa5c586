/* sigah_train.c: the alternating updates: per batch one step of the discriminator, then one of
 * generator and hash layer against it. What a step needs besides the parameters is a function of
 * seed and step, so that a checkpoint holds parameters and moments only. */
#include "blas.h"
#include "few_rows.h"
#include "rng.h"
#include "sigah.h"

#include <math.h>
#include <string.h>

enum { SCHEDULE_CONSTANT, SCHEDULE_COSINE };
enum { STREAM_BATCH = 16, STREAM_NOISE };

static const double FIRST_BETA = 10; /* where the fitted one starts */

/* Of E||x||^2: what a row's error is relative to, at least; as what it counts, at most. */
static const float LEAST_SHARE = 0.05f, MOST_SHARE = 4;

/* ---- Memory -------------------------------------------------------------------------------- */

static bool is_learned(const lbh_encoder *self, const sigah_config *cfg, int i)
{
    if (i == SIGAH_B)
        return self->value[SIGAH_OPT_BIAS] != 0;
    if (i == SIGAH_A)
        return cfg->measurement == SIGAH_LEARNED;
    return i < SIGAH_NGENERATOR || cfg->adversarial > 0;
}

static int take_params(const lbh_encoder *self, lbh_training *t, sigah_run *r)
{
    static const char *const names[SIGAH_NPARAMS] = {"W",  "b",  "Wg", "bg", "A",
                                                     "We", "be", "Wd", "bd"};
    int64_t d = r->cfg.d, L = r->cfg.nbits, m = r->cfg.m, k = r->cfg.k;
    const int64_t size[SIGAH_NPARAMS] = {L * d, L, L * m, m, m * d, d * k, k, k * d, d};
    for (int i = 0; i < SIGAH_NPARAMS; i++) {
        lbh_learned *p = &r->learned[i];
        bool used = i == SIGAH_B || (i == SIGAH_A && r->cfg.measurement != SIGAH_IDENTITY);
        if (is_learned(self, &r->cfg, i))
            LBH_TRY(lbh_learned_take(t, names[i], 1, size[i], p));
        else {
            *p = (lbh_learned){.fixed = true, .size = used ? size[i] : 0};
            p->theta = lbh_scratch_f(t, 1, p->size);
            p->grad = lbh_scratch_f(t, 1, p->size);
            if (!p->theta || !p->grad)
                return LBH_ENOMEM;
        }
        r->p[i] = p->theta;
        r->g[i] = p->grad;
    }
    return LBH_OK;
}

static int take_batch(lbh_training *t, sigah_run *r)
{
    int64_t B = r->B, d = r->cfg.d, L = r->cfg.nbits, m = r->cfg.m, k = r->cfg.k;
    r->batch = (sigah_batch){.T = lbh_scratch_f(t, B, L),
                             .bits = lbh_scratch_f(t, B, L),
                             .dT = lbh_scratch_f(t, B, L),
                             .S = lbh_scratch_f(t, B, m),
                             .dS = lbh_scratch_f(t, B, m),
                             .G = lbh_scratch_f(t, B, m),
                             .Y = lbh_scratch_f(t, B, d),
                             .R = lbh_scratch_f(t, B, d),
                             .O = lbh_scratch_f(t, B, d),
                             .E = lbh_scratch_f(t, B, k),
                             .dE = lbh_scratch_f(t, B, k),
                             .row = lbh_scratch(t, B, sizeof(double))};
    const sigah_batch *w = &r->batch;
    r->X = lbh_scratch_f(t, B, d);
    r->share = lbh_scratch_f(t, 1, B);
    r->weight = lbh_scratch_f(t, 1, B);
    r->near_weight = lbh_scratch_f(t, 1, B);
    bool ok = w->T && w->bits && w->dT && w->S && w->dS && w->G && w->Y && w->R && w->O && w->E &&
              w->dE && w->row && r->X && r->share && r->weight && r->near_weight;
    if (r->noise_width > 0)
        ok = (r->noise = lbh_scratch_f(t, B, L)) && ok;
    return ok ? LBH_OK : LBH_ENOMEM;
}

static int take_graph(const lbh_encoder *self, lbh_training *t, sigah_run *r)
{
    const double *o = self->value;
    int64_t B = r->B;
    float median;
    if (r->cfg.graph <= 0)
        return LBH_OK;
    LBH_TRY(sigah_median_distance(t, r, &median));
    r->near = (lbh_graph){.loss = (lbh_graph_loss)o[SIGAH_OPT_GRAPH_LOSS],
                            .sigma = (float)o[SIGAH_OPT_SIGMA] * (median > 0 ? median : 1),
                            .neighbours = (float)o[SIGAH_OPT_NEIGHBOURS],
                            .beta = (float)(o[SIGAH_OPT_BETA] / self->nbits),
                            .D = lbh_scratch_f(t, B, B),
                            .K = lbh_scratch_f(t, B, B),
                            .norm = lbh_scratch_f(t, 1, B),
                            .row = lbh_scratch(t, B, sizeof(double)),
                            .slope = lbh_scratch(t, B, sizeof(double)),
                            .bend = lbh_scratch(t, B, sizeof(double))};
    r->cfg.near = &r->near;
    const lbh_graph *g = &r->near;
    bool ok = g->D && g->K && g->norm && g->row && g->slope && g->bend;
    if (o[SIGAH_OPT_BETA] == 0 && g->loss == LBH_GRAPH_EMBEDDING) {
        ok = (r->beta = lbh_state_f(t, "beta", 1, 1)) && ok;
        if (r->beta)
            r->beta[0] = (float)(FIRST_BETA / self->nbits);
    }
    return ok ? LBH_OK : LBH_ENOMEM;
}

static int take_orthogonal(const lbh_encoder *self, lbh_training *t, sigah_run *r)
{
    int side = r->cfg.nbits < r->cfg.d ? r->cfg.nbits : r->cfg.d;
    if (self->value[SIGAH_OPT_ORTHOGONAL] == 0)
        return LBH_OK;
    r->gram = lbh_scratch_f(t, side, side);
    r->product = lbh_scratch_f(t, r->cfg.nbits, r->cfg.d);
    return r->gram && r->product ? LBH_OK : LBH_ENOMEM;
}

/* ---- Steps --------------------------------------------------------------------------------- */

static void draw_noise(sigah_run *r, int64_t step, bool relative)
{
    int64_t L = r->cfg.nbits, count = r->B * L; /* a step's numbers start at a multiple of 4 */
    lbh_rng_uniform(r->seed, STREAM_NOISE, (uint64_t)(step * ((count + 3) / 4 * 4)), count,
                    r->noise);
    for (int64_t i = 0; i < count; i++) {
        float share = relative ? fminf(1, r->share[i / L]) : 1;
        r->noise[i] = r->noise_width * sqrtf(share) * (2 * r->noise[i] - 1);
    }
}

/* v of the graph term: powers of the rows' lengths, of mean 1. */
static void weigh_rows(sigah_run *r, double power)
{
    double sum = 0;
    for (int i = 0; i < r->B; i++) {
        double share = fmin(fmax((double)r->share[i], (double)LEAST_SHARE), (double)MOST_SHARE);
        r->near_weight[i] = (float)pow(share, power / 2);
        sum += (double)r->near_weight[i];
    }
    for (int i = 0; i < r->B; i++)
        r->near_weight[i] *= (float)(r->B / sum);
    r->near.weight = r->near_weight;
}

/* relative: short rows, with small errors and small values of the hash layer, count like long
 * ones.*/
static void draw_batch(sigah_run *r, int64_t step, bool relative, double power)
{
    int d = r->cfg.d;
#pragma omp parallel for schedule(static)
    for (int i = 0; i < r->B; i++) {
        int64_t row = lbh_rng_below(r->seed, STREAM_BATCH, (uint64_t)(step * r->B + i), r->n);
        float *x = r->X + (int64_t)i * d, sum = 0;
        memcpy(x, r->rows + row * d, (size_t)d * sizeof *x);
        for (int j = 0; j < d; j++)
            sum += x[j] * x[j];
        r->share[i] = sum * r->cfg.unit;
        r->weight[i] = 1 / fmaxf(r->share[i], LEAST_SHARE);
    }
    r->batch.weight = relative ? r->weight : NULL;
    if (power > 0)
        weigh_rows(r, power);
    if (r->noise)
        draw_noise(r, step, relative);
}

/* One step of Newton's iteration towards c times the nearest matrix with orthonormal rows (columns,
 * if there are more bits than dimensions): W <- (3 I - W W^T / c^2) W / 2. */
static void orthogonalise(const sigah_run *r, float c)
{
    int d = r->cfg.d, L = r->cfg.nbits;
    float *W = r->p[SIGAH_W];
    memcpy(r->product, W, (size_t)L * (size_t)d * sizeof *W);
    if (L <= d) {
        lbh_gemm_nt(L, L, d, 1 / (c * c), W, W, 0, r->gram);
        lbh_gemm_nn(L, d, L, -0.5f, r->gram, r->product, 1.5f, W);
    } else {
        float wide = c * sqrtf((float)L / (float)d);
        lbh_gemm_tn(d, d, L, 1 / (wide * wide), W, W, 0, r->gram);
        lbh_gemm_nn(L, d, d, -0.5f, r->product, r->gram, 1.5f, W);
    }
}

/* Adam on the parameters first .. last - 1, with weight decay on the matrices. */
static void update(const lbh_encoder *self, sigah_run *r, int first, int last, int64_t step,
                   double rate)
{
    const lbh_adam adam = {0.9f, 0.999f, 1e-8f};
    float decay = (float)self->value[SIGAH_OPT_DECAY];
    for (int i = first; i < last; i++) {
        bool matrix = i != SIGAH_B && i != SIGAH_BG && i != SIGAH_BE && i != SIGAH_BD;
        if (decay > 0 && matrix && !r->learned[i].fixed)
            for (int64_t j = 0; j < r->learned[i].size; j++)
                r->g[i][j] += decay * r->p[i][j];
    }
    lbh_learned_step(&adam, lbh_adam_rate(&adam, rate, step + 1), r->learned + first, last - first);
}

/* Share of the step size at a step; the hash layer waits for the generator. */
static double course(const lbh_encoder *self, int64_t step, int64_t steps, bool hash)
{
    double at = (double)step / (double)steps, warmup = self->value[SIGAH_OPT_WARMUP];
    double share = hash && at < warmup ? at / warmup : 1;
    if ((int)self->value[SIGAH_OPT_SCHEDULE] == SCHEDULE_COSINE)
        share *= lbh_cosine(step, steps);
    return share;
}

static void one_step(const lbh_encoder *self, sigah_run *r, int64_t step, int64_t steps,
                     sigah_losses *losses)
{
    const double *o = self->value;
    *losses = (sigah_losses){0};
    draw_batch(r, step, o[SIGAH_OPT_RELATIVE] != 0, o[SIGAH_OPT_LENGTHS]);
    sigah_forward(&r->cfg, r->p, r->B, r->X, r->noise, &r->batch);
    if (r->cfg.adversarial > 0) {
        sigah_discriminator(&r->cfg, r->p, r->B, r->X, &r->batch, r->g, losses);
        update(self, r, SIGAH_NGENERATOR, SIGAH_NPARAMS, step,
               o[SIGAH_OPT_LR_D] * course(self, step, steps, false));
    }
    if (r->beta)
        r->near.beta = r->beta[0];
    sigah_generator(&r->cfg, r->p, r->B, r->X, &r->batch, r->g, losses);
    if (r->beta)
        r->beta[0] = lbh_graph_better_beta(&r->near, r->B, r->cfg.nbits);
    update(self, r, SIGAH_W, SIGAH_WG, step, o[SIGAH_OPT_LR] * course(self, step, steps, true));
    update(self, r, SIGAH_WG, SIGAH_NGENERATOR, step,
           o[SIGAH_OPT_LR] * course(self, step, steps, false));
    if (r->gram)
        orthogonalise(r, (float)o[SIGAH_OPT_SLOPE]);
}

static double weighted(const sigah_config *cfg, const sigah_losses *l)
{
    return l->rec + (double)cfg->sparsity * l->sparsity + (double)cfg->graph * l->graph +
           (double)cfg->adversarial * l->synthetic;
}

/* Whether there are too few rows to learn from, and what is asked for is codes. */
static int too_few_rows(lbh_encoder *self, const sigah_run *r, bool *too_few)
{
    bool may_be = (int)self->value[SIGAH_OPT_INIT] == SIGAH_INIT_ITQ && !sigah_keeps_generator(self);
    return lbh_too_few_rows(self, r->n, may_be ? self->value[SIGAH_OPT_FEW_ROWS] : 0, too_few);
}

int sigah_train(lbh_encoder *self, lbh_training *t)
{
    sigah_run r = {.cfg = sigah_configure(self),
                   .d = self->d,
                   .B = (int)self->value[SIGAH_OPT_BATCH],
                   .seed = (uint64_t)self->common[LBH_OPT_SEED],
                   .noise_width = (float)self->value[SIGAH_OPT_NOISE]};
    int64_t steps = (int64_t)self->value[SIGAH_OPT_STEPS], step;
    sigah_losses losses = {0};
    bool too_few;
    if (r.noise_width < 0)
        r.noise_width = (float)(1 + 0.06 * fmax(0, log2(self->nbits / 16.0)));
    LBH_TRY(take_params(self, t, &r));
    LBH_TRY(take_batch(t, &r));
    LBH_TRY(take_orthogonal(self, t, &r));
    LBH_TRY(sigah_enter_space(self, t, &r));
    if ((int)self->value[SIGAH_OPT_SPARSITY_OF] == SIGAH_OF_SUM) /* of rows with E||x||^2 = 1 */
        r.cfg.sparsity *= (float)r.cfg.m * sqrtf(r.cfg.unit);
    LBH_TRY(take_graph(self, t, &r));
    LBH_TRY(too_few_rows(self, &r, &too_few));
    LBH_TRY(sigah_start(self, t, &r, too_few));
    LBH_TRY(sigah_watch_start(t, &r));
    LBH_TRY(lbh_resume(t, &step));
    while (!too_few && step < steps && !t->stop) {
        one_step(self, &r, step, steps, &losses);
        step++;
        LBH_TRY(sigah_watch_step(self, t, &r, step, steps, &losses));
        LBH_TRY(lbh_report(t, step, steps, weighted(&r.cfg, &losses)));
    }
    LBH_TRY(sigah_leave_space(t, &r, self->state));
    if (sigah_keeps_generator(self))
        sigah_keep_generator(&r, self->state);
    return step < steps ? lbh_report(t, steps, steps, weighted(&r.cfg, &losses)) : LBH_OK;
}
