/* sgh.h: one training of stochastic generative hashing, shared by sgh.c (options, optimiser) and
 * sgh_space.c (the space that training works in, where it starts, the way back). */
#ifndef LBH_ENCODERS_SGH_H
#define LBH_ENCODERS_SGH_H

#include "learned.h"
#include "near_stage.h"
#include "sgh_step.h"
#include "method.h"

enum sgh_option {
    SGH_OPT_STEPS,
    SGH_OPT_BATCH,
    SGH_OPT_LR,
    SGH_OPT_SCHEDULE,
    SGH_OPT_ESTIMATOR,
    SGH_OPT_NOISE,
    SGH_OPT_OBJECTIVE,
    SGH_OPT_CODING,
    SGH_OPT_DECODER,
    SGH_OPT_KL,
    SGH_OPT_ALPHA,
    SGH_OPT_DECAY_U,
    SGH_OPT_DECAY_W,
    SGH_OPT_LEARN_PRIOR,
    SGH_OPT_RHO,
    SGH_OPT_LEARN_RHO,
    SGH_OPT_INIT,
    SGH_OPT_SLOPE,
    SGH_OPT_PCA,
    SGH_OPT_CENTRE,
    SGH_OPT_SCALE,
    SGH_OPT_REFIT,
    SGH_OPT_SCORE,
    SGH_OPT_REFINE,
    SGH_OPT_ALTERNATIONS,
    SGH_OPT_ALONG,
    SGH_OPT_MIPS,
    SGH_OPT_LATENT_SCALE,
    SGH_OPT_SCALE_PENALTY,
    SGH_OPT_PAIRS,
    SGH_OPT_PAIRS_K,
    SGH_OPT_LAMBDA_PAIRS,
    SGH_OPT_EARLY_STOP,
    SGH_OPT_NEAR_STEPS,
    SGH_OPT_NEAR_LR,
    SGH_OPT_NEAR_BETA,
    SGH_OPT_NEAR_SHARPNESS,
    SGH_OPT_FEW_ROWS,
    SGH_OPT_KEEP,
};

enum { SGH_INIT_RANDOM, SGH_INIT_ITQ };

enum { SGH_SCORE_HAMMING, SGH_SCORE_DECODER, SGH_SCORE_BOTH };
enum { SGH_PAIRS_NONE, SGH_PAIRS_NEIGHBOURS, SGH_PAIRS_LABELS, SGH_PAIRS_KNN };
enum { SGH_MIPS_AUTO, SGH_MIPS_LINEAR, SGH_MIPS_SEARCHED };

enum {
    SGH_NPARAMS = 7,
    SGH_MAP_ROWS = 100000, /* rows that searched codes are trained on, at most */
    SGH_MAP_TICK = 250,    /* what a round of theirs counts as, in steps of progress */
};

/* How items and queries are encoded; sgh_map.h has the equations. */
typedef enum {
    SGH_LINEAR,
    SGH_MAP_L2,
    SGH_MAP_IP_DECODER,
    SGH_MAP_IP_HAMMING,
    SGH_TABLES = 5, /* sgh_tables.h; files of the past may have 4 */
} sgh_mode;

/* The learned tensors, in the data's units, for codes {0,1}; and what encoding needs besides. */
typedef struct sgh_model {
    float *W, *b, *U, *c;
    float *search; /* 1 x 4: mode, lambda, alpha, 0; all zero for a linear encoder */

    struct lbh_panels *agree, *query; /* p = V (x - m), and W x */
    float *V, *m, *Vm;                /* the decoder for codes {-1,+1}: x^ = m + b V; V m */
    struct lbh_quadratic *form;

    struct lbh_panels *axes; /* SGH_TABLES: those of the tables, what they make of the centre, */
    float *shift;
    struct lbh_table_search *tables; /* and the search */
} sgh_model;

enum { SGH_EARLY_PARAMS = 5 }; /* W, b, U, s, c */

/* Early stopping; patience 0 = off. */
typedef struct sgh_early {
    int patience; /* checks without gain before the end */
    int held;     /* held-out rows: 0, stride, 2 stride ... */
    int64_t stride;
    float *T, *H, *R; /* held x d, held x nbits, held x d */
    float *best[SGH_EARLY_PARAMS], *progress; /* least error so far, checks since */
} sgh_early;

typedef struct sgh_run {
    sgh_config cfg; /* cfg.d is the dimension r of the training space */
    int d;          /* of the data */
    uint64_t seed;

    /* The training space: t = (x - mean) V^T scale, V[r * d]; V = NULL stands for the identity. */
    float *mean, *V, *variance; /* d, r x d, r (variances in the training space) */
    float scale;
    int64_t n;   /* training rows that are kept */
    float *rows; /* n x r: all of them in the training space */
    float *norm; /* n: ||x|| of each */

    int64_t done, total; /* progress */

    lbh_learned learned[SGH_NPARAMS]; /* W, b, U, s, c, beta, log_rho; and by name: */
    sgh_params p, g;

    sgh_early early;
    lbh_near_stage stage; /* steps 0: none */
    sgh_batch batch;
    int B;
    int64_t *ids;     /* rows of a batch */
    float *X, *noise; /* of a batch; noise NULL = thresholds at 1/2 */
    float noise_width;
} sgh_run;

/* Whether rows are learned for inner products. Under the cosine they are not: on rows of unit length
 * the codes for distances rank as well and are made four times as fast. */
static inline bool sgh_inner_products(const lbh_encoder *self)
{
    return (int)self->common[LBH_OPT_METRIC] == LBH_METRIC_IP;
}

/* Dimension of the training space. */
int sgh_space_dimension(const lbh_encoder *self);

/* Looks at the data: finds mean, V, scale, variances, and brings the rows into the space. */
int sgh_enter_space(const lbh_encoder *self, lbh_training *t, sgh_run *r);

/* Sets the parameters that training starts from. */
int sgh_start(const lbh_encoder *self, lbh_training *t, sgh_run *r, bool as_itq);

/* Replaces the decoder by the least-squares one for the codes that the trained encoder gives. */
int sgh_refit_decoder(lbh_training *t, sgh_run *r);

/* Maps parameters of the space back: out[rows * d] = M[rows * r] V, or M itself without PCA. */
void sgh_expand(const sgh_run *r, int rows, const float *M, float *out);

/* Folds the trained parameters into the model, in the data's units. */
void sgh_leave_space(const sgh_run *r, sgh_model *model);

/* sgh_extend.c: the extensions. What options go together; memory and start; the rows of a batch, or
 * NULL where they are drawn as ever, and the latents' noise; their parameters' step; a look at what
 * came out. */
int sgh_extend_check(const lbh_encoder *self);
int sgh_extend(const lbh_encoder *self, lbh_training *t, sgh_run *r);
const int64_t *sgh_extend_draw(const sgh_run *r, int64_t step);
void sgh_extend_step(const sgh_run *r, const lbh_adam *adam, float rate);
int sgh_extend_finish(const lbh_encoder *self, lbh_training *t, const sgh_run *r);

/* sgh_near.c: whether there is what `pairs` asks for; the lists of near rows. */
int sgh_near_check(const lbh_encoder *self, const lbh_training *t);
int sgh_near_find(const lbh_encoder *self, lbh_training *t, const sgh_run *r, struct sgh_pairs *p);

/* sgh_early.c: memory; the row to take where `row` may be held out; a look at the error when one is
 * due; whether training should end; back to the best parameters. */
int sgh_early_start(const lbh_encoder *self, lbh_training *t, sgh_run *r);
int64_t sgh_early_row(const sgh_run *r, int64_t row);
void sgh_early_check(sgh_run *r, int64_t step, int64_t steps);
bool sgh_early_over(const sgh_run *r);
void sgh_early_finish(sgh_run *r);

/* sgh_stage.c: the last stage, on the neighbours of rows: how many steps it has where near rows are
 * the answers, 0 where other options rule it out; its memory; the stage from step `step` of the
 * training on. */
int64_t sgh_stage_steps(const lbh_encoder *self);
int sgh_stage_take(const lbh_encoder *self, lbh_training *t, sgh_run *r);
int sgh_stage_run(lbh_training *t, sgh_run *r, int64_t step);

/* Whether rows are too few to learn more from them than ITQ does; puts it down as a note. */
int sgh_stage_too_few(lbh_encoder *self, const sgh_run *r, bool *too_few);

/* sgh_encode.c: encoding by search, and what it needs prepared. */
sgh_mode sgh_model_mode(const sgh_model *model);
bool sgh_is_ip(sgh_mode mode); /* queries are encoded as q / ||q|| */
int sgh_prepare(lbh_encoder *self);
void sgh_release(lbh_encoder *self);
int sgh_project(const lbh_encoder *self, lbh_role role, int64_t n, const float *x, float *z);
int sgh_search(const lbh_encoder *self, int depth, int64_t n, const float *x, float *z);

#endif
