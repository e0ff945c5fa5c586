/* sgh.h: one training of stochastic generative hashing, shared by sgh.c (options, optimiser) and
 * sgh_space.c (the space that training works in, where it starts, the way back). */
#ifndef LBH_ENCODERS_SGH_H
#define LBH_ENCODERS_SGH_H

#include "encoders/sgh_step.h"
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
};

enum { SGH_INIT_RANDOM, SGH_INIT_ITQ };

enum { SGH_NPARAMS = 7 };

/* The learned tensors, in the data's units, for codes {0,1}. */
typedef struct sgh_model {
    float *W, *b, *U, *c;
} sgh_model;

typedef struct sgh_run {
    sgh_config cfg; /* cfg.d is the dimension r of the training space */
    int d;          /* of the data */
    uint64_t seed;

    /* The training space: t = (x - mean) V^T scale, V[r * d]; V = NULL stands for the identity. */
    float *mean, *V, *variance; /* d, r x d, r (variances in the training space) */
    float scale;
    int64_t n;   /* training rows that are kept */
    float *rows; /* n x r: all of them in the training space */

    /* Parameters by name and as arrays: W, b, U, s, c, beta, log_rho. */
    sgh_params p, g;
    float *theta[SGH_NPARAMS], *grad[SGH_NPARAMS], *m[SGH_NPARAMS], *v[SGH_NPARAMS];
    int64_t size[SGH_NPARAMS];
    bool learned[SGH_NPARAMS];

    sgh_batch batch;
    int B;
    float *X, *noise; /* of a batch; noise NULL = thresholds at 1/2 */
    float noise_width;
} sgh_run;

/* Dimension of the training space. */
int sgh_space_dimension(const lbh_encoder *self);

/* Looks at the data: finds mean, V, scale, variances, and brings the rows into the space. */
int sgh_enter_space(const lbh_encoder *self, lbh_training *t, sgh_run *r);

/* Sets the parameters that training starts from. */
int sgh_start(const lbh_encoder *self, lbh_training *t, sgh_run *r);

/* Replaces the decoder by the least-squares one for the codes that the trained encoder gives. */
int sgh_refit_decoder(lbh_training *t, sgh_run *r);

/* Folds the trained parameters into the model, in the data's units. */
void sgh_leave_space(const sgh_run *r, sgh_model *model);

#endif
