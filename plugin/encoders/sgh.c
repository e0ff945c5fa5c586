/* sgh.c: stochastic generative hashing (Dai, Guo, Kumar, He & Song, ICML 2017): codes from which the
 * data can be rebuilt. A linear encoder W, b and a linear decoder U, c are learned together by
 * stochastic gradients through binary neurons; see sgh_step.h for the objective.
 *
 * Training works on (x - mean) * scale, one scalar for the whole set, found from the data: it keeps
 * the order of distances and of inner products, and puts the logits where the neurons learn. The
 * learned tensors are folded back to the data's own units at the end. */
#include "core/adam.h"
#include "core/linalg.h"
#include "core/rng.h"
#include "encoders/itq.h"
#include "encoders/sgh_step.h"
#include "method.h"

#include <math.h>
#include <string.h>

enum {
    OPT_STEPS,
    OPT_BATCH,
    OPT_LR,
    OPT_SCHEDULE,
    OPT_ESTIMATOR,
    OPT_NOISE,
    OPT_OBJECTIVE,
    OPT_CODING,
    OPT_DECODER,
    OPT_KL,
    OPT_ALPHA,
    OPT_DECAY_U,
    OPT_DECAY_W,
    OPT_LEARN_PRIOR,
    OPT_RHO,
    OPT_LEARN_RHO,
    OPT_INIT,
    OPT_CENTRE,
    OPT_SCALE,
};

enum { SCHEDULE_CONSTANT, SCHEDULE_COSINE };
enum { NOISE_NONE, NOISE_UNIFORM };
enum { INIT_RANDOM, INIT_ITQ };

static const lbh_param params[] = {
    [OPT_STEPS] = {"steps", 15000, 1, 1e9, 1, NULL, "gradient steps"},
    [OPT_BATCH] = {"batch", 500, 1, 1e6, 1, NULL, "rows a step, drawn with replacement"},
    [OPT_LR] = {"lr", 0.01, 1e-8, 10, 0, NULL, "step size of Adam"},
    [OPT_SCHEDULE] = {"schedule", SCHEDULE_COSINE, 0, 1, 1, "constant|cosine",
                      "course of the step size"},
    [OPT_ESTIMATOR] = {"estimator", SGH_BIASED, 0, 1, 1, "biased|unbiased",
                       "gradient through the neurons: derivative (eq. 10) or difference (eq. 7)"},
    [OPT_NOISE] = {"noise", NOISE_UNIFORM, 0, 1, 1, "none|uniform",
                   "neurons thresholded at 1/2 (the published program) or at random (the paper)"},
    [OPT_OBJECTIVE] = {"objective", SGH_PAPER, 0, 1, 1, "paper|official",
                       "description length, or what the published program minimises"},
    [OPT_CODING] = {"coding", SGH_CODING_01, 0, 1, 1, "01|pm1", "codes in {0,1} or {-1,+1}"},
    [OPT_DECODER] = {"decoder", SGH_SHIFTED, 0, 2, 1, "basic|shifted|scaled",
                     "x^ = hU, hU + c, or (hU) o |s| + c"},
    [OPT_KL] = {"kl", 1e-3, 0, 1e6, 0, NULL, "weight of KL(q || prior), objective=paper"},
    [OPT_ALPHA] = {"alpha", 1e-3, 0, 1e6, 0, NULL, "weight of the code entropy, objective=official"},
    [OPT_DECAY_U] = {"decay_u", 0, 0, 1e6, 0, NULL, "L2 decay of the decoder, on the batch's sum"},
    [OPT_DECAY_W] = {"decay_w", 0, 0, 1e6, 0, NULL, "L2 decay of the encoder, on the batch's sum"},
    [OPT_LEARN_PRIOR] = {"learn_prior", 0, 0, 1, 1, NULL, "1: learn beta, the prior's log-odds"},
    [OPT_RHO] = {"rho", 1, 1e-6, 1e6, 0, NULL, "noise of the decoder, in scaled units"},
    [OPT_LEARN_RHO] = {"learn_rho", 0, 0, 1, 1, NULL, "1: learn rho, starting from the option"},
    [OPT_INIT] = {"init", INIT_RANDOM, 0, 1, 1, "random|itq", "where the encoder starts"},
    [OPT_CENTRE] = {"centre", 1, 0, 1, 1, NULL, "1: train on rows less their mean"},
    [OPT_SCALE] = {"scale", 0, 0, 1e30, 0, NULL,
                   "factor on the rows while training; 0: root mean square entry 0.33"},
    {0},
};

static const lbh_preset presets[] = {
    {"official", "objective=official,noise=none,estimator=biased,decoder=scaled,coding=01,"
                 "alpha=0.001,decay_u=0.001,decay_w=0,steps=5000,batch=500,lr=0.01,"
                 "schedule=constant,init=random,centre=0"},
    {"paper", "objective=paper,noise=uniform,estimator=unbiased,decoder=basic,coding=01,kl=1,"
              "learn_prior=1,learn_rho=1,steps=5000,batch=500,lr=0.01,schedule=constant,"
              "init=random,centre=0"},
    {0},
};

/* Rows are sampled for statistics and for the start. */
enum { STATISTICS_ROWS = 100000, STREAM_BATCH = 16, STREAM_NOISE, STREAM_W, STREAM_B, STREAM_U };

static const double TARGET_RMS = 0.33; /* that of MNIST's pixels in [0,1] */

typedef struct sgh {
    float *W, *b, *U, *c; /* in the data's units, codes {0,1} */
} sgh;

static int visit(lbh_encoder *self, lbh_visitor *v)
{
    sgh *s = self->state;
    LBH_TRY(v->tensor(v, "W", &s->W, self->nbits, self->d));
    LBH_TRY(v->tensor(v, "b", &s->b, 1, self->nbits));
    LBH_TRY(v->tensor(v, "U", &s->U, self->nbits, self->d));
    return v->tensor(v, "c", &s->c, 1, self->d);
}

static int choice(const lbh_encoder *self, int option)
{
    return (int)self->value[option];
}

/* ---- Training ------------------------------------------------------------------------------ */

enum { NPARAMS = 7 };

/* One training: configuration, parameters with their gradients and moments, the batch. */
typedef struct run {
    sgh_config cfg;
    sgh_params p, g;
    float *theta[NPARAMS], *grad[NPARAMS], *m[NPARAMS], *v[NPARAMS];
    int64_t size[NPARAMS];
    bool learned[NPARAMS];
    sgh_batch batch;
    int B;
    float *X, *noise, *mean;
    int64_t *ids;
    float scale;
    uint64_t seed;
} run;

static sgh_config configure(const lbh_encoder *self)
{
    return (sgh_config){.d = self->d,
                        .nbits = self->nbits,
                        .decoder = (sgh_decoder)choice(self, OPT_DECODER),
                        .estimator = (sgh_estimator)choice(self, OPT_ESTIMATOR),
                        .objective = (sgh_objective)choice(self, OPT_OBJECTIVE),
                        .coding = (sgh_coding)choice(self, OPT_CODING),
                        .kl = (float)self->value[OPT_KL],
                        .alpha = (float)self->value[OPT_ALPHA],
                        .decay_u = (float)self->value[OPT_DECAY_U],
                        .decay_w = (float)self->value[OPT_DECAY_W]};
}

static int take_params(const lbh_encoder *self, lbh_training *t, run *r)
{
    static const char *const names[NPARAMS][4] = {
        {"W", "W.m", "W.v", "W.g"}, {"b", "b.m", "b.v", "b.g"},
        {"U", "U.m", "U.v", "U.g"}, {"s", "s.m", "s.v", "s.g"},
        {"c", "c.m", "c.v", "c.g"}, {"beta", "beta.m", "beta.v", "beta.g"},
        {"log_rho", "log_rho.m", "log_rho.v", "log_rho.g"}};
    int64_t d = self->d, L = self->nbits;
    const int64_t size[NPARAMS] = {L * d, L, L * d, d, d, L, 1};
    const bool paper = r->cfg.objective == SGH_PAPER;
    const bool learned[NPARAMS] = {true,
                                   true,
                                   true,
                                   r->cfg.decoder == SGH_SCALED,
                                   r->cfg.decoder != SGH_BASIC,
                                   paper && self->value[OPT_LEARN_PRIOR] != 0,
                                   paper && self->value[OPT_LEARN_RHO] != 0};
    for (int i = 0; i < NPARAMS; i++) {
        r->size[i] = size[i];
        r->learned[i] = learned[i];
        r->theta[i] = lbh_state_f(t, names[i][0], 1, size[i]);
        r->m[i] = lbh_state_f(t, names[i][1], 1, size[i]);
        r->v[i] = lbh_state_f(t, names[i][2], 1, size[i]);
        r->grad[i] = lbh_scratch_f(t, 1, size[i]);
        if (!r->theta[i] || !r->m[i] || !r->v[i] || !r->grad[i])
            return LBH_ENOMEM;
    }
    r->p = (sgh_params){r->theta[0], r->theta[1], r->theta[2], r->theta[3],
                        r->theta[4], r->theta[5], r->theta[6]};
    r->g = (sgh_params){r->grad[0], r->grad[1],
                        r->grad[2], r->grad[3],
                        r->grad[4], learned[5] ? r->grad[5] : NULL,
                        learned[6] ? r->grad[6] : NULL};
    return LBH_OK;
}

static int take_batch(const lbh_encoder *self, lbh_training *t, run *r)
{
    int64_t B = r->B, d = self->d, L = self->nbits;
    r->batch = (sgh_batch){.A = lbh_scratch_f(t, B, L),
                           .P = lbh_scratch_f(t, B, L),
                           .H = lbh_scratch_f(t, B, L),
                           .G = lbh_scratch_f(t, B, L),
                           .T = lbh_scratch_f(t, B, d),
                           .sums = lbh_scratch_f(t, 1, L + d)};
    r->X = lbh_scratch_f(t, B, d);
    r->ids = lbh_scratch(t, B, sizeof *r->ids);
    r->mean = lbh_scratch_f(t, 1, d);
    r->noise = choice(self, OPT_NOISE) == NOISE_UNIFORM ? lbh_scratch_f(t, B, L) : NULL;
    const sgh_batch *w = &r->batch;
    bool ok = w->A && w->P && w->H && w->G && w->T && w->sums && r->X && r->ids && r->mean;
    return ok && (r->noise || choice(self, OPT_NOISE) == NOISE_NONE) ? LBH_OK : LBH_ENOMEM;
}

/* Mean and scale from the sample S[m * d], which becomes (S - mean) * scale; *variance[d] of it. */
static void look_at_data(const lbh_encoder *self, run *r, int64_t m, float *S, float *variance)
{
    int d = self->d;
    bool centre = self->value[OPT_CENTRE] != 0;
    double total = 0;
    lbh_centre(m, d, S, r->mean);
    for (int j = 0; j < d; j++) {
        double sum = 0;
        for (int64_t i = 0; i < m; i++)
            sum += (double)S[i * d + j] * (double)S[i * d + j];
        variance[j] = (float)(sum / (double)m);
        total += sum / (double)m + (centre ? 0 : (double)r->mean[j] * (double)r->mean[j]);
    }
    double rms = sqrt(total / d), scale = self->value[OPT_SCALE];
    r->scale = (float)(scale > 0 ? scale : rms > 0 ? TARGET_RMS / rms : 1);
    for (int j = 0; j < d; j++) {
        variance[j] *= r->scale * r->scale;
        r->p.c[j] = centre ? 0 : r->mean[j] * r->scale;
        r->mean[j] = centre ? r->mean[j] : 0;
    }
    for (int64_t i = 0; i < m * d; i++)
        S[i] *= r->scale;
}

/* The published program's start: W ~ N(0, 1/d), b ~ N(0, 1), U ~ N(0, 1/L), s = the variances. */
static void start_random(const lbh_encoder *self, run *r, const float *variance)
{
    int64_t d = self->d, L = self->nbits;
    lbh_rng_normal(r->seed, STREAM_W, L * d, r->p.W);
    lbh_rng_normal(r->seed, STREAM_B, L, r->p.b);
    lbh_rng_normal(r->seed, STREAM_U, L * d, r->p.U);
    for (int64_t i = 0; i < L * d; i++) {
        r->p.W[i] /= sqrtf((float)d);
        r->p.U[i] /= sqrtf((float)L);
    }
    for (int j = 0; j < d; j++)
        r->p.s[j] = fmaxf(variance[j], 1e-7f);
}

static int start(lbh_encoder *self, lbh_training *t, run *r)
{
    int64_t m;
    float *S, *variance = lbh_scratch_f(t, 1, self->d);
    if (!variance)
        return LBH_ENOMEM;
    LBH_TRY(lbh_sample_rows(t, STATISTICS_ROWS, &m, &S));
    look_at_data(self, r, m, S, variance);
    start_random(self, r, variance);
    r->p.log_rho[0] = (float)log(self->value[OPT_RHO]);
    if (choice(self, OPT_INIT) == INIT_ITQ)
        LBH_TRY(lbh_itq_learn(t, m, self->d, S, self->nbits, 20, r->seed, 0, r->p.W));
    return LBH_OK;
}

static int pull_batch(lbh_training *t, run *r, int64_t step)
{
    int d = r->cfg.d;
    for (int i = 0; i < r->B; i++)
        r->ids[i] = lbh_rng_below(r->seed, STREAM_BATCH, (uint64_t)(step * r->B + i), t->n);
    LBH_TRY(lbh_pull(t, r->B, r->ids, r->X));
#pragma omp parallel for schedule(static)
    for (int i = 0; i < r->B; i++)
        for (int j = 0; j < d; j++)
            r->X[(int64_t)i * d + j] = (r->X[(int64_t)i * d + j] - r->mean[j]) * r->scale;
    int64_t count = (int64_t)r->B * r->cfg.nbits;
    if (r->noise) /* each step's numbers start at a multiple of 4 */
        lbh_rng_uniform(r->seed, STREAM_NOISE, (uint64_t)(step * ((count + 3) / 4 * 4)), count,
                        r->noise);
    return LBH_OK;
}

static double rate(const lbh_encoder *self, int64_t step, int64_t steps)
{
    const double pi = 3.141592653589793;
    double lr = self->value[OPT_LR];
    if (choice(self, OPT_SCHEDULE) == SCHEDULE_COSINE)
        lr *= 0.5 * (1 + cos(pi * (double)step / (double)steps));
    return lr;
}

static int optimise(lbh_encoder *self, lbh_training *t, run *r, int64_t step)
{
    const lbh_adam adam = {0.9f, 0.999f, 1e-8f};
    int64_t steps = (int64_t)self->value[OPT_STEPS];
    for (; step < steps && !t->stop; step++) {
        double rec;
        LBH_TRY(pull_batch(t, r, step));
        sgh_gradients(&r->cfg, &r->p, r->B, r->X, r->noise, &r->batch, &r->g, &rec);
        float lr = lbh_adam_rate(&adam, rate(self, step, steps), step + 1);
        for (int i = 0; i < NPARAMS; i++)
            if (r->learned[i])
                lbh_adam_step(&adam, lr, r->size[i], r->grad[i], r->m[i], r->v[i], r->theta[i]);
        LBH_TRY(lbh_report(t, step + 1, steps, rec / r->B));
    }
    return LBH_OK;
}

/* From scaled rows and codes {lo, 1} to the data's units and codes {0, 1}:
 * a = W ((x - mean) scale) + b;  x^ = ((h U) o |s| + c) / scale + mean, h = lo + (1 - lo) bit. */
static void fold(lbh_encoder *self, const run *r)
{
    sgh *s = self->state;
    int d = self->d, L = self->nbits;
    float lo = r->cfg.coding == SGH_CODING_PM1 ? -1.0f : 0.0f;
    bool basic = r->cfg.decoder == SGH_BASIC, scaled = r->cfg.decoder == SGH_SCALED;
    for (int j = 0; j < d; j++)
        s->c[j] = (basic ? 0 : r->p.c[j]) / r->scale + r->mean[j];
    for (int k = 0; k < L; k++) {
        double shift = 0;
        for (int j = 0; j < d; j++) {
            int64_t i = (int64_t)k * d + j;
            float u = r->p.U[i] * (scaled ? fabsf(r->p.s[j]) : 1.0f) / r->scale;
            s->W[i] = r->p.W[i] * r->scale;
            shift += (double)s->W[i] * (double)r->mean[j];
            s->c[j] += lo * u;
            s->U[i] = (1 - lo) * u;
        }
        s->b[k] = (float)((double)r->p.b[k] - shift);
    }
}

static int train(lbh_encoder *self, lbh_training *t)
{
    run r = {.cfg = configure(self),
             .B = (int)self->value[OPT_BATCH],
             .seed = (uint64_t)self->common[LBH_OPT_SEED]};
    int64_t step;
    LBH_TRY(take_params(self, t, &r));
    LBH_TRY(take_batch(self, t, &r));
    LBH_TRY(start(self, t, &r)); /* also before a resume: mean and scale are found anew, alike */
    LBH_TRY(lbh_resume(t, &step));
    LBH_TRY(optimise(self, t, &r, step));
    fold(self, &r);
    return LBH_OK;
}

/* ---- The rest of the contract -------------------------------------------------------------- */

static int linear(const lbh_encoder *self, lbh_role role, float *A, float *b)
{
    (void)role;
    const sgh *s = self->state;
    memcpy(A, s->W, (size_t)self->nbits * (size_t)self->d * sizeof *A);
    memcpy(b, s->b, (size_t)self->nbits * sizeof *b);
    return LBH_OK;
}

static int decoder(const lbh_encoder *self, float *U, float *c)
{
    const sgh *s = self->state;
    memcpy(U, s->U, (size_t)self->nbits * (size_t)self->d * sizeof *U);
    memcpy(c, s->c, (size_t)self->d * sizeof *c);
    return LBH_OK;
}

const lbh_method lbh_method_sgh = {
    .name = "sgh",
    .summary = "stochastic generative hashing: codes from which the data can be rebuilt",
    .cite = "Dai, Guo, Kumar, He & Song, Stochastic generative hashing, ICML 2017",
    .state_size = sizeof(sgh),
    .params = params,
    .presets = presets,
    .train = train,
    .visit = visit,
    .linear = linear,
    .decoder = decoder,
};
