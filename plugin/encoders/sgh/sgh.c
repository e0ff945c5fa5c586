/* sgh.c: stochastic generative hashing (Dai, Guo, Kumar, He & Song, ICML 2017): codes from which the
 * data can be rebuilt. A linear encoder W, b and a linear decoder U, c are learned together by
 * stochastic gradients through binary neurons; sgh_step.h has the objective, sgh_space.c the space
 * that training works in.
 *
 * What the defaults change against the paper, each an option: principal components and one scale
 * found from the data; a start from ITQ; codes in {-1,+1}; a step size that falls to 0; and noise
 * that is wider than U(0,1) for longer codes, xi ~ 1/2 + noise U(-1/2, 1/2): a neuron then keeps a
 * chance of (noise - 1) / (2 noise) to flip however sure it is, which spreads what is learned over
 * the bits. A last stage, which the paper has not, goes by the neighbours of rows (near_stage.h).
 * README.md in encoders/ has the measurements. */
#include "sgh.h"

#include "linear.h"
#include "blas.h"
#include "rng.h"
#include "sgh_map.h"
#include "sgh_rank.h"
#include "sgh_tables.h"

#include <math.h>
#include <string.h>

enum { SCHEDULE_CONSTANT, SCHEDULE_COSINE };
enum { STREAM_BATCH = 16, STREAM_NOISE };

static const lbh_param params[] = {
    [SGH_OPT_STEPS] = {"steps", 15000, 1, 1e9, 1, NULL, "gradient steps"},
    [SGH_OPT_BATCH] = {"batch", 500, 1, 1e6, 1, NULL, "rows a step, drawn with replacement"},
    [SGH_OPT_LR] = {"lr", 0.01, 1e-8, 10, 0, NULL, "step size of Adam"},
    [SGH_OPT_SCHEDULE] = {"schedule", SCHEDULE_COSINE, 0, 1, 1, "constant|cosine",
                          "course of the step size"},
    [SGH_OPT_ESTIMATOR] = {"estimator", SGH_BIASED, 0, 1, 1, "biased|unbiased",
                           "gradient through the neurons: derivative (eq. 10), difference (eq. 7)"},
    [SGH_OPT_NOISE] = {"noise", -1, -1, 10, 0, NULL,
                       "width of the neurons' noise: 0 none (the published program), 1 the paper; "
                       "-1: 1 + 0.12 log2(nbits / 16), at least 1"},
    [SGH_OPT_OBJECTIVE] = {"objective", SGH_PAPER, 0, 1, 1, "paper|official",
                           "description length, or what the published program minimises"},
    [SGH_OPT_CODING] = {"coding", SGH_CODING_PM1, 0, 1, 1, "01|pm1", "codes in {0,1} or {-1,+1}"},
    [SGH_OPT_DECODER] = {"decoder", SGH_SHIFTED, 0, 2, 1, "basic|shifted|scaled",
                         "x^ = hU, hU + c, or (hU) o |s| + c (needs pca=0)"},
    [SGH_OPT_KL] = {"kl", 0, 0, 1e6, 0, NULL, "weight of KL(q || prior), objective=paper"},
    [SGH_OPT_ALPHA] = {"alpha", 1e-3, 0, 1e6, 0, NULL,
                       "weight of the code entropy, objective=official"},
    [SGH_OPT_DECAY_U] = {"decay_u", 0, 0, 1e6, 0, NULL, "L2 decay of the decoder, on batch sums"},
    [SGH_OPT_DECAY_W] = {"decay_w", 0, 0, 1e6, 0, NULL, "L2 decay of the encoder, on batch sums"},
    [SGH_OPT_LEARN_PRIOR] = {"learn_prior", 0, 0, 1, 1, NULL, "1: learn beta, the prior's log-odds"},
    [SGH_OPT_RHO] = {"rho", 1, 1e-6, 1e6, 0, NULL, "noise of the decoder, in the training space"},
    [SGH_OPT_LEARN_RHO] = {"learn_rho", 0, 0, 1, 1, NULL, "1: learn rho, starting from the option"},
    [SGH_OPT_INIT] = {"init", SGH_INIT_ITQ, 0, 1, 1, "random|itq", "where encoder and decoder start"},
    [SGH_OPT_SLOPE] = {"slope", 2, 1e-3, 1e3, 0, NULL, "init=itq: standard deviation of the logits"},
    [SGH_OPT_PCA] = {"pca", 256, 0, 65536, 1, NULL,
                     "train in that many principal components, 2 nbits at least; 0: in all "
                     "dimensions as they are"},
    [SGH_OPT_CENTRE] = {"centre", 1, 0, 1, 1, NULL, "pca=0: take off the mean while training"},
    [SGH_OPT_SCALE] = {"scale", 0, 0, 1e30, 0, NULL,
                       "factor on the rows while training; 0: found from the data"},
    [SGH_OPT_REFIT] = {"refit", 1, 0, 1, 1, NULL,
                       "1: at the end, the least-squares decoder of the codes without noise"},
    [SGH_OPT_SCORE] = {"score", SGH_SCORE_HAMMING, 0, 2, 1, "hamming|decoder|both",
                       "what ranks the items: distance to the query's code, the decoder, or the one "
                       "and then the other"},
    [SGH_OPT_REFINE] = {"refine", 200, 0, 1e6, 1, NULL,
                        "where items' codes are searched for: flips without gain before giving up"},
    [SGH_OPT_ALTERNATIONS] = {"alternations", 40, 1, 1e6, 1, NULL,
                              "rounds of searched codes and decoder (score=decoder or metric=ip)"},
    [SGH_OPT_ALONG] = {"along", -1, -1, 1e6, 0, NULL,
                       "metric=ip: weight of the error along the item itself; -1: 2 for "
                       "score=decoder, 0.5 for score=hamming"},
    [SGH_OPT_MIPS] = {"mips", SGH_MIPS_AUTO, 0, 2, 1, "auto|linear|searched",
                      "metric=ip, score=hamming: how; auto: linear or searched, by held-out rows"},
    [SGH_OPT_LATENT_SCALE] = {"latent_scale", 0, 0, 1, 1, NULL,
                              "1: a latent factor on each bit's template takes up each row's scale"},
    [SGH_OPT_SCALE_PENALTY] = {"scale_penalty", 0.3, 0, 1e6, 0, NULL,
                               "latent_scale=1: weight of the factors' distance from 1"},
    [SGH_OPT_PAIRS] = {"pairs", SGH_PAIRS_NONE, 0, 3, 1, "none|neighbours|labels|knn",
                       "rows that ought to have near codes: given, of one label, or found"},
    [SGH_OPT_PAIRS_K] = {"pairs_k", 10, 1, 1000, 1, NULL, "pairs=knn: neighbours a row"},
    [SGH_OPT_LAMBDA_PAIRS] = {"lambda_pairs", 30, 0, 1e6, 0, NULL, "weight of the pairs"},
    [SGH_OPT_EARLY_STOP] = {"early_stop", 0, 0, 1e6, 1, NULL,
                            "end after so many checks (one in 250 steps) of the error on held-out "
                            "rows without gain; 0: never"},
    [SGH_OPT_NEAR_STEPS] = {"near_steps", -1, -1, 1e9, 1, NULL,
                            "metric=l2, refit=1: steps of a last stage that gives rows the "
                            "neighbours that they have in the data; -1: steps / 15, with 65 to 192 "
                            "bits steps / 5; 0: none"},
    [SGH_OPT_NEAR_LR] = {"near_lr", 0.003, 1e-8, 10, 0, NULL, "its step size"},
    [SGH_OPT_NEAR_BETA] = {"near_beta", 2, 1e-3, 1e3, 0, NULL,
                           "its slope of the codes' similarities exp(beta t.t' / sqrt(nbits))"},
    [SGH_OPT_NEAR_SHARPNESS] = {"near_sharpness", 10, 1e-3, 1e4, 0, NULL,
                                "its fall of the rows' similarities over the distance of the tenth "
                                "neighbour"},
    [SGH_OPT_FEW_ROWS] = {"few_rows", 16, 0, 1e6, 0, NULL,
                          "init=itq and a last stage: with fewer rows a bit, or a dimension if they "
                          "are fewer, the codes stay those of ITQ; 0: never"},
    [SGH_OPT_KEEP] = {"keep", 8, 0, 1e6, 0, NULL,
                      "score=both: how much an item's bits are held to the signs that score=hamming "
                      "gives it"},
    {0},
};

static const lbh_preset presets[] = {
    {"official", "objective=official,noise=0,estimator=biased,decoder=scaled,coding=01,alpha=0.001,"
                 "decay_u=0.001,decay_w=0,steps=5000,batch=500,lr=0.01,schedule=constant,"
                 "init=random,pca=0,centre=0,refit=0,near_steps=0,few_rows=0,rebuild=linear"},
    /* rho starts at the scaled rows' root mean square; the unbiased estimator loses its bits here */
    {"paper", "objective=paper,noise=1,estimator=biased,decoder=basic,coding=01,kl=1,"
              "learn_prior=1,rho=0.33,learn_rho=1,steps=5000,batch=500,lr=0.01,schedule=constant,"
              "init=random,pca=0,centre=0,refit=0,near_steps=0,few_rows=0,rebuild=linear"},
    {0},
};

static const lbh_retired retired[] = {
    {"mips", 3, "mips=augmented (one more coordinate that makes all lengths alike), which found less "
                "than the searched codes"},
    {0},
};

static int choice(const lbh_encoder *self, int option)
{
    return (int)self->value[option];
}

/* True if the options leave nothing but the linear encoder of the paper. */
static bool is_linear(const lbh_encoder *self)
{
    return !sgh_inner_products(self) && choice(self, SGH_OPT_SCORE) == SGH_SCORE_HAMMING;
}

static int visit(lbh_encoder *self, lbh_visitor *v)
{
    sgh_model *s = self->state;
    LBH_TRY(v->tensor(v, "W", &s->W, self->nbits, self->d));
    LBH_TRY(v->tensor(v, "b", &s->b, 1, self->nbits));
    LBH_TRY(v->tensor(v, "U", &s->U, self->nbits, self->d));
    LBH_TRY(v->tensor(v, "c", &s->c, 1, self->d));
    if (is_linear(self))
        return LBH_OK;
    return v->tensor(v, "search", &s->search, 1, 4);
}

static int check(const lbh_encoder *self)
{
    if (choice(self, SGH_OPT_DECODER) == SGH_SCALED && self->value[SGH_OPT_PCA] != 0)
        return lbh_error(LBH_EINVAL, "sgh: decoder=scaled needs pca=0: its scales belong to the "
                                     "data's own dimensions");
    if (self->value[SGH_OPT_NOISE] < 0 && self->value[SGH_OPT_NOISE] != -1)
        return lbh_error(LBH_EINVAL, "sgh: noise (%g) must be -1 or at least 0",
                         self->value[SGH_OPT_NOISE]);
    return sgh_extend_check(self);
}

/* ---- Training ------------------------------------------------------------------------------ */

static sgh_config configure(const lbh_encoder *self)
{
    return (sgh_config){.d = sgh_space_dimension(self),
                        .nbits = self->nbits,
                        .decoder = (sgh_decoder)choice(self, SGH_OPT_DECODER),
                        .estimator = (sgh_estimator)choice(self, SGH_OPT_ESTIMATOR),
                        .objective = (sgh_objective)choice(self, SGH_OPT_OBJECTIVE),
                        .coding = (sgh_coding)choice(self, SGH_OPT_CODING),
                        .kl = (float)self->value[SGH_OPT_KL],
                        .alpha = (float)self->value[SGH_OPT_ALPHA],
                        .decay_u = (float)self->value[SGH_OPT_DECAY_U],
                        .decay_w = (float)self->value[SGH_OPT_DECAY_W]};
}

static float noise_width(const lbh_encoder *self)
{
    double noise = self->value[SGH_OPT_NOISE];
    if (noise >= 0)
        return (float)noise;
    return (float)(1 + 0.12 * fmax(0, log2(self->nbits / 16.0)));
}

static int take_params(const lbh_encoder *self, lbh_training *t, sgh_run *r)
{
    static const char *const names[SGH_NPARAMS] = {"W", "b", "U", "s", "c", "beta", "log_rho"};
    int64_t d = r->cfg.d, L = self->nbits;
    const int64_t size[SGH_NPARAMS] = {L * d, L, L * d, d, d, L, 1};
    const bool paper = r->cfg.objective == SGH_PAPER;
    lbh_learned *k = r->learned;
    for (int i = 0; i < SGH_NPARAMS; i++)
        LBH_TRY(lbh_learned_take(t, names[i], 1, size[i], &k[i]));
    k[3].fixed = r->cfg.decoder != SGH_SCALED;
    k[4].fixed = r->cfg.decoder == SGH_BASIC;
    k[5].fixed = !paper || self->value[SGH_OPT_LEARN_PRIOR] == 0;
    k[6].fixed = !paper || self->value[SGH_OPT_LEARN_RHO] == 0;
    r->p = (sgh_params){k[0].theta, k[1].theta, k[2].theta, k[3].theta,
                        k[4].theta, k[5].theta, k[6].theta};
    r->g = (sgh_params){k[0].grad, k[1].grad, k[2].grad, k[3].grad, k[4].grad,
                        k[5].fixed ? NULL : k[5].grad, k[6].fixed ? NULL : k[6].grad};
    return LBH_OK;
}

static int take_batch(lbh_training *t, sgh_run *r)
{
    int64_t B = r->B, d = r->cfg.d, L = r->cfg.nbits;
    r->batch = (sgh_batch){.A = lbh_scratch_f(t, B, L),
                           .P = lbh_scratch_f(t, B, L),
                           .H = lbh_scratch_f(t, B, L),
                           .G = lbh_scratch_f(t, B, L),
                           .T = lbh_scratch_f(t, B, d),
                           .sums = lbh_scratch_f(t, 1, L + d)};
    r->X = lbh_scratch_f(t, B, d);
    r->ids = lbh_scratch(t, B, sizeof *r->ids);
    if (r->noise_width > 0)
        r->noise = lbh_scratch_f(t, B, L);
    const sgh_batch *w = &r->batch;
    bool ok = w->A && w->P && w->H && w->G && w->T && w->sums && r->X && r->ids;
    return ok && (r->noise || r->noise_width <= 0) ? LBH_OK : LBH_ENOMEM;
}

/* Which rows, and the neurons' noise. */
static void draw_batch(sgh_run *r, int64_t step)
{
    lbh_time before = lbh_clock(LBH_TIME_DATA);
    const int64_t *rows = sgh_extend_draw(r, step);
    for (int i = 0; i < r->B; i++) {
        int64_t row = rows ? rows[i]
                           : lbh_rng_below(r->seed, STREAM_BATCH, (uint64_t)(step * r->B + i), r->n);
        r->ids[i] = sgh_early_row(r, row);
    }
    lbh_clock(before);
    if (!r->noise)
        return;
    int64_t count = (int64_t)r->B * r->cfg.nbits; /* a step's numbers start at a multiple of 4 */
    lbh_rng_uniform(r->seed, STREAM_NOISE, (uint64_t)(step * ((count + 3) / 4 * 4)), count,
                    r->noise);
    if (r->noise_width != 1)
        for (int64_t i = 0; i < count; i++)
            r->noise[i] = 0.5f + r->noise_width * (r->noise[i] - 0.5f);
}

static double rate(const lbh_encoder *self, int64_t step, int64_t steps)
{
    double lr = self->value[SGH_OPT_LR];
    return choice(self, SGH_OPT_SCHEDULE) == SCHEDULE_COSINE ? lr * lbh_cosine(step, steps) : lr;
}

static int optimise(lbh_encoder *self, lbh_training *t, sgh_run *r, int64_t step)
{
    const lbh_adam adam = {0.9f, 0.999f, 1e-8f};
    int64_t steps = (int64_t)self->value[SGH_OPT_STEPS];
    lbh_time before = lbh_clock(LBH_TIME_PASSES);
    for (; step < steps && !t->stop && !sgh_early_over(r); step++) {
        double rec;
        draw_batch(r, step);
        lbh_gather_product(r->B, r->cfg.nbits, r->cfg.d, r->rows, r->ids, r->X, r->p.W, r->batch.A);
        sgh_gradients_of_logits(&r->cfg, &r->p, r->B, r->X, r->noise, &r->batch, &r->g, &rec);
        float lr = lbh_adam_rate(&adam, rate(self, step, steps), step + 1);
        lbh_learned_step(&adam, lr, r->learned, SGH_NPARAMS);
        sgh_extend_step(r, &adam, lr);
        r->done = step + 1;
        sgh_early_check(r, r->done, steps);
        LBH_TRY(lbh_report(t, r->done, r->total, rec / r->B));
    }
    sgh_early_finish(r);
    lbh_clock(before);
    return LBH_OK;
}

static int train_linear(lbh_encoder *self, lbh_training *t, sgh_run *r)
{
    int64_t step;
    bool too_few;
    LBH_TRY(sgh_stage_too_few(self, r, &too_few));
    LBH_TRY(sgh_start(self, t, r, too_few));
    LBH_TRY(sgh_extend(self, t, r));
    LBH_TRY(sgh_early_start(self, t, r));
    LBH_TRY(sgh_stage_take(self, t, r));
    LBH_TRY(lbh_resume(t, &step));
    r->done = step;
    if (!too_few && step <= (int64_t)self->value[SGH_OPT_STEPS])
        LBH_TRY(optimise(self, t, r, step));
    if (!too_few)
        LBH_TRY(sgh_stage_run(t, r, step));
    LBH_TRY(sgh_extend_finish(self, t, r));
    if (self->value[SGH_OPT_REFIT] != 0)
        LBH_TRY(sgh_refit_decoder(t, r));
    sgh_leave_space(r, self->state);
    return LBH_OK;
}

/* Packed signs of the values of M t + offset for rows of the space. */
static int pack_rows(lbh_training *t, const sgh_run *r, int64_t n, const float *T, const float *M,
                     const float *offset, uint8_t **codes)
{
    int L = r->cfg.nbits;
    lbh_panels *panels;
    *codes = lbh_scratch(t, n, (size_t)(L + 7) / 8);
    if (!*codes)
        return LBH_ENOMEM;
    LBH_TRY(lbh_panels_new(&panels, L, r->cfg.d, M, offset));
    lbh_panels_encode(panels, n, T, *codes);
    lbh_panels_free(panels);
    return LBH_OK;
}

/* Recall of the held-out queries: by the searched codes, and by the linear encoder. */
static int judge(lbh_training *t, sgh_run *r, const sgh_codes *k, const sgh_ranking *q,
                 double *searched, double *linear)
{
    int d = k->d, L = k->L;
    float *T = lbh_scratch_f(t, q->nheld + 1, d);
    uint8_t *items = lbh_scratch(t, k->n, (size_t)(L + 7) / 8), *queries, *all;
    if (!T || !items)
        return LBH_ENOMEM;
    lbh_pack_bits(k->n, L, k->B, items);
    sgh_unit_rows(r, k, 0, q->nheld, q->held_row, T);
    LBH_TRY(pack_rows(t, r, q->nheld, T, k->W, k->c, &queries));
    LBH_TRY(sgh_ranking_recall(t, q, k->n, L, items, queries, searched));
    LBH_TRY(pack_rows(t, r, k->n, r->rows, r->p.W, r->p.b, &all));
    for (int64_t i = 0; i < q->nheld; i++)
        memcpy(queries + i * ((L + 7) / 8), all + q->held_row[i] * ((L + 7) / 8),
               (size_t)(L + 7) / 8);
    return sgh_ranking_recall(t, q, k->n, L, all, queries, linear);
}

/* Inner product, ranked by Hamming distance: where norms differ much, searched items' codes and
 * queries' codes of their own find far more than one linear map; where they do not, less. Both are
 * learned, and held-out training rows decide. */
static int train_ip_hamming(lbh_encoder *self, lbh_training *t, sgh_run *r)
{
    sgh_codes k;
    sgh_ranking q;
    double searched = 1, linear = 0;
    int how = choice(self, SGH_OPT_MIPS);
    if (how != SGH_MIPS_SEARCHED)
        LBH_TRY(train_linear(self, t, r));
    if (how == SGH_MIPS_LINEAR)
        return LBH_OK;
    LBH_TRY(sgh_map_train(self, t, r, SGH_MAP_IP_HAMMING, &k, &q));
    if (how == SGH_MIPS_AUTO)
        LBH_TRY(judge(t, r, &k, &q, &searched, &linear));
    if (searched >= linear)
        sgh_map_leave_space(r, &k, self->state);
    return LBH_OK;
}

/* Whether codes for inner products are to be searched for: not where all rows are of one length and
 * the choice is ours, for then the nearest rows are the answers. */
static bool searches_for_ip(const lbh_encoder *self, const sgh_run *r)
{
    const float same = 1.01f;
    float least = INFINITY, most = 0;
    for (int64_t i = 0; i < r->n; i++) {
        least = fminf(least, r->norm[i]);
        most = fmaxf(most, r->norm[i]);
    }
    int how = choice(self, SGH_OPT_MIPS);
    return how == SGH_MIPS_SEARCHED || (how == SGH_MIPS_AUTO && most > same * least);
}

static int train(lbh_encoder *self, lbh_training *t)
{
    sgh_run r = {.cfg = configure(self),
                 .d = self->d,
                 .B = (int)self->value[SGH_OPT_BATCH],
                 .noise_width = noise_width(self),
                 .seed = (uint64_t)self->common[LBH_OPT_SEED]};
    bool ip = sgh_inner_products(self);
    bool decoder_score = choice(self, SGH_OPT_SCORE) == SGH_SCORE_DECODER;
    bool both = choice(self, SGH_OPT_SCORE) == SGH_SCORE_BOTH;
    int64_t rounds = (int64_t)self->value[SGH_OPT_ALTERNATIONS] + 4;
    LBH_TRY(sgh_near_check(self, t));
    LBH_TRY(take_params(self, t, &r));
    LBH_TRY(take_batch(t, &r));
    LBH_TRY(sgh_enter_space(self, t, &r));
    bool searched = decoder_score || (ip && !both && searches_for_ip(self, &r));
    bool by_distance = !ip || (!searched && choice(self, SGH_OPT_MIPS) == SGH_MIPS_AUTO);
    r.stage.steps = by_distance ? sgh_stage_steps(self) : 0;
    r.total = (decoder_score ? 0 : (int64_t)self->value[SGH_OPT_STEPS] + r.stage.steps) +
              (searched || both ? rounds * SGH_MAP_TICK : 0);
    if (both) {
        sgh_codes k = {.n = r.n < SGH_MAP_ROWS ? r.n : SGH_MAP_ROWS,
                       .L = r.cfg.nbits,
                       .d = r.cfg.d,
                       .mode = SGH_TABLES};
        LBH_TRY(train_linear(self, t, &r));
        LBH_TRY(sgh_take_codes(t, &r, &k));
        LBH_TRY(sgh_tables_both(self, t, &r, &k));
    } else if (decoder_score) {
        sgh_codes k;
        bool tables = sgh_tables_wanted(self, r.n);
        sgh_mode mode = tables ? SGH_TABLES : ip ? SGH_MAP_IP_DECODER : SGH_MAP_L2;
        LBH_TRY(sgh_map_train(self, t, &r, mode, &k, NULL));
        sgh_map_leave_space(&r, &k, self->state);
    } else if (searched)
        LBH_TRY(train_ip_hamming(self, t, &r));
    else
        LBH_TRY(train_linear(self, t, &r));
    return r.done < r.total || searched || both ? lbh_report(t, r.total, r.total, 0) : LBH_OK;
}

/* ---- The rest of the contract -------------------------------------------------------------- */

static int linear(const lbh_encoder *self, lbh_role role, float *A, float *b)
{
    (void)role;
    const sgh_model *s = self->state;
    memcpy(A, s->W, (size_t)self->nbits * (size_t)self->d * sizeof *A);
    memcpy(b, s->b, (size_t)self->nbits * sizeof *b);
    return LBH_OK;
}

/* See query_values() in sgh_encode.c. */
static int linear_queries(const lbh_encoder *self, float *A, float *b, int *unit)
{
    sgh_mode mode = sgh_model_mode(self->state);
    *unit = sgh_is_ip(mode);
    return linear(self, LBH_QUERY, A, b);
}

/* By the trained model: a training for inner products may end in either. */
static bool is_one_map(const lbh_encoder *self)
{
    return sgh_model_mode(self->state) == SGH_LINEAR;
}

static bool asymmetric(const lbh_encoder *self)
{
    return !is_one_map(self);
}

static int decoder(const lbh_encoder *self, float *U, float *c)
{
    const sgh_model *s = self->state;
    memcpy(U, s->U, (size_t)self->nbits * (size_t)self->d * sizeof *U);
    memcpy(c, s->c, (size_t)self->d * sizeof *c);
    return LBH_OK;
}

const lbh_method lbh_method_sgh = {
    .name = "sgh",
    .summary = "stochastic generative hashing: codes from which the data can be rebuilt",
    .cite = "Dai, Guo, Kumar, He & Song, Stochastic generative hashing, ICML 2017",
    .state_size = sizeof(sgh_model),
    .params = params,
    .presets = presets,
    .retired = retired,
    .check = check,
    .train = train,
    .visit = visit,
    .linear = linear,
    .linear_queries = linear_queries,
    .is_linear = is_one_map,
    .project = sgh_project,
    .asymmetric = asymmetric,
    .search = sgh_search,
    .prepare = sgh_prepare,
    .release = sgh_release,
    .decoder = decoder,
};
