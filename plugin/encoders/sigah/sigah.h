/* sigah.h: one training of sparsity-induced generative adversarial hashing, shared by sigah.c
 * (options, the rest of the contract), sigah_train.c (the loop), sigah_space.c (the space that
 * training works in, where it starts, the way back) and sigah_watch.c (whether it goes well). */
#ifndef LBH_ENCODERS_SIGAH_H
#define LBH_ENCODERS_SIGAH_H

#include "learned.h"
#include "graph_term.h"
#include "sigah_step.h"
#include "method.h"

enum sigah_option {
    SIGAH_OPT_STEPS,
    SIGAH_OPT_BATCH,
    SIGAH_OPT_LR,
    SIGAH_OPT_LR_D,
    SIGAH_OPT_SCHEDULE,
    SIGAH_OPT_WARMUP,
    SIGAH_OPT_DECAY,
    SIGAH_OPT_M_SCALE,
    SIGAH_OPT_ACTIVATION,
    SIGAH_OPT_LEAK,
    SIGAH_OPT_MEASUREMENT,
    SIGAH_OPT_SPARSITY,
    SIGAH_OPT_GRAPH,
    SIGAH_OPT_GRAPH_LOSS,
    SIGAH_OPT_SIGMA,
    SIGAH_OPT_NEIGHBOURS,
    SIGAH_OPT_BETA,
    SIGAH_OPT_ADVERSARIAL,
    SIGAH_OPT_MARGIN,
    SIGAH_OPT_HIDDEN,
    SIGAH_OPT_NOISE,
    SIGAH_OPT_RELATIVE,
    SIGAH_OPT_LENGTHS,
    SIGAH_OPT_INIT,
    SIGAH_OPT_SLOPE,
    SIGAH_OPT_ORTHOGONAL,
    SIGAH_OPT_BIAS,
    SIGAH_OPT_PCA,
    SIGAH_OPT_SPARSITY_OF,
    SIGAH_OPT_FEW_ROWS,
};

enum { SIGAH_INIT_ITQ, SIGAH_INIT_RANDOM };
enum { SIGAH_OF_MEAN, SIGAH_OF_SUM };

/* The learned tensors, in the data's units: bits = [W x + b >= 0], x^ = bits U + c. */
typedef struct sigah_model {
    float *W, *b, *U, *c;
    /* rebuild=generator: x^ = f(h Wg + bg) A + mean, h = 2 bits - 1 */
    float *Wg, *bg, *A, *mean; /* L x m, m, m x d, d */
} sigah_model;

/* What the codes are like; sigah_watch.c has the definitions. */
typedef struct sigah_health {
    double effective, strength;
    int constant; /* bits that are the same for over 99 % of the rows */
} sigah_health;

typedef struct sigah_watch {
    int n;        /* rows of the sample */
    float *X;     /* n x r */
    float *Z, *C; /* n x L: hash layer, then bits; L x L */
    double *mean; /* L */
    sigah_health at_start;
} sigah_watch;

typedef struct sigah_run {
    sigah_config cfg; /* cfg.d is the dimension r of the training space */
    int d;            /* of the data */
    uint64_t seed;

    /* The training space: t = (x - mean) V^T scale, V[r * d]. */
    float *mean, *V, *variance; /* d, r x d, r (in the space) */
    float scale;
    int64_t n;   /* training rows that are kept */
    float *rows; /* n x r: in the space */

    lbh_learned learned[SIGAH_NPARAMS];
    float *p[SIGAH_NPARAMS], *g[SIGAH_NPARAMS]; /* theta and grad of each */

    lbh_graph near;
    sigah_batch batch;
    int B;
    float *X, *noise, *share, *weight; /* of a batch: noise NULL without any; ||x||^2 unit; w */
    float *near_weight;                /* v of the graph term */
    float noise_width;
    float *beta; /* the fitted slope of the graph term, part of a checkpoint; NULL: it is given */
    float *gram, *product; /* orthogonal: min(L, r) squared, L x r; else NULL */

    sigah_watch watch;
} sigah_run;

/* sigah_train.c: the whole training. */
int sigah_train(lbh_encoder *self, lbh_training *t);

/* sigah_rebuild.c: whether the model keeps its generator; puts it into the model, in the data's units;
 * rebuilds rows by it. */
bool sigah_keeps_generator(const lbh_encoder *self);
void sigah_keep_generator(const sigah_run *r, sigah_model *model);
int sigah_rebuild(const lbh_encoder *self, int64_t n, const uint8_t *codes, float *x);

/* sigah_space.c: finds the training space and brings the rows into it; sets the
 * parameters that training starts from; the median of ||x_i - x_j||^2 over rows of the space; folds
 * the hash layer, and the least-squares decoder of its codes, into the model. */
sigah_config sigah_configure(const lbh_encoder *self); /* shapes and weights, by the options */
int sigah_enter_space(const lbh_encoder *self, lbh_training *t, sigah_run *r);
int sigah_start(const lbh_encoder *self, lbh_training *t, sigah_run *r, bool as_itq);
int sigah_median_distance(lbh_training *t, const sigah_run *r, float *median);
int sigah_leave_space(lbh_training *t, const sigah_run *r, sigah_model *model);

/* sigah_watch.c: notes what the codes are like at the start; looks at a step's losses and, now and
 * then, at the codes. LBH_ENUMERIC with what is wrong and what to do. */
int sigah_watch_start(lbh_training *t, sigah_run *r);
int sigah_watch_step(const lbh_encoder *self, lbh_training *t, sigah_run *r, int64_t step,
                     int64_t steps, const sigah_losses *losses);

#endif
