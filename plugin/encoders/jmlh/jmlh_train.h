/* jmlh_train.h: the training loop of just-maximising-likelihood hashing, shared by the methods that
 * differ in their head: a classifier (jmlh.c) or a decoder (jmlh_vae.c). */
#ifndef LBH_ENCODERS_JMLH_TRAIN_H
#define LBH_ENCODERS_JMLH_TRAIN_H

#include "jmlh_step.h"
#include "supervised.h"

typedef struct jmlh_setup {
    jmlh_config cfg;
    lbh_mlp encoder, head;    /* shapes */
    int64_t steps, batch;
    double encoder_rate[LBH_MLP_MAX], head_rate; /* Adam's step sizes, by layer */
    bool cosine;              /* they fall to 0 along half a cosine */
    double decay;             /* decoupled weight decay of hidden layers (AdamW) */
    bool noise;               /* xi ~ U(0,1) rather than 1/2 */
    double drop_in, drop;     /* dropout of inputs and of hidden units */
    double mixup;             /* largest share of a second row in a training row, times 2 */
    double scale;             /* factor on the rows; 0: root mean square entry 1 */
    bool uncentred;           /* the mean stays in the rows */
    const lbh_labelled *labelled; /* learn these rows' labels; NULL: learn to rebuild all rows */
} jmlh_setup;

/* *encoder and *head are what was learned, in scratch memory of t; the encoder takes rows in the
 * data's own units, the head of JMLH_SQUARES gives them standardised. */
int jmlh_learn(lbh_encoder *self, lbh_training *t, const jmlh_setup *setup, lbh_mlp *encoder,
               lbh_mlp *head);

#endif
