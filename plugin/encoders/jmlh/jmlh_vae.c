/* jmlh_vae.c: the unsupervised ablation of just-maximising-likelihood hashing (Shen, Qin, Chen, Liu,
 * Zhu & Shen, ICCV workshops 2019, "JMLH-VAE"): the classifier gives way to a decoder that rebuilds
 * the data from the bits, so that the whole is a variational auto-encoder with a binary code.
 *
 *   J = E_q ||u - decoder(h)||^2 / 2 + lambda KL(q || fair coins),   u = (x - mean) scale
 *
 * Encoder and decoder have one layer of rectified units each (the paper's "two-layer MLPs"); options
 * change that. The decoder is not kept: only codes are wanted. */
#include "jmlh_net.h"
#include "jmlh_train.h"

enum {
    OPT_DECODER1 = JMLH_OPTIONS,
    OPT_STEPS,
    OPT_BATCH,
    OPT_LR,
    OPT_SCHEDULE,
    OPT_LAMBDA,
    OPT_ESTIMATOR,
    OPT_NOISE,
    OPT_DECAY,
    OPT_SCALE,
    OPT_CENTRE,
};

static const lbh_param params[] = {
    JMLH_HIDDEN_PARAMS(1024),
    [OPT_DECODER1] = {"decoder1", 1024, 0, JMLH_MAX_HIDDEN, 1, NULL,
                      "hidden units of the decoder; 0: a linear decoder"},
    [OPT_STEPS] = {"steps", 5000, 1, 1e9, 1, NULL, "gradient steps"},
    [OPT_BATCH] = {"batch", 256, 1, 1e6, 1, NULL, "rows a step"},
    [OPT_LR] = {"lr", 1e-3, 1e-8, 10, 0, NULL, "step size of Adam"},
    [OPT_SCHEDULE] = {"schedule", 1, 0, 1, 1, "constant|cosine", "course of the step size"},
    [OPT_LAMBDA] = {"lambda", 0.1, 0, 1e6, 0, NULL, "weight of KL(q || fair coins), per bit"},
    [OPT_ESTIMATOR] = {"estimator", 0, 0, 1, 1, "biased|straight_through",
                       "gradient through the neurons: derivative (eq. 6), or passed on"},
    [OPT_NOISE] = {"noise", 1, 0, 1, 1, "none|uniform", "neurons thresholded at 1/2 or at random"},
    [OPT_DECAY] = {"decay", 0, 0, 1e6, 0, NULL, "decoupled weight decay of the encoder's hidden layer"},
    [OPT_SCALE] = {"scale", 0, 0, 1e30, 0, NULL,
                   "factor on the rows while training; 0: root mean square entry 1"},
    [OPT_CENTRE] = {"centre", 1, 0, 1, 1, NULL, "1: take off the mean while training"},
    {0},
};

static const lbh_preset presets[] = {
    /* Encoder and decoder of two layers on the features as they are; what the text has no numbers of is
     * as in preset=paper of jmlh, hidden layers of 1024 as in the author's later programs. */
    {"paper", "hidden1=1024,hidden2=0,hidden3=0,decoder1=1024,noise=uniform,estimator=biased,lambda=0.1,"
              "lr=0.0001,schedule=constant,batch=256,steps=20000,decay=0,scale=1,centre=0"},
    {0},
};

static int train(lbh_encoder *self, lbh_training *t)
{
    const double *o = self->value;
    const int hidden[] = {(int)o[OPT_DECODER1]};
    jmlh_setup setup = {.cfg = {.loss = JMLH_SQUARES,
                                .estimator = o[OPT_ESTIMATOR] != 0 ? JMLH_STRAIGHT : JMLH_BIASED,
                                .lambda = (float)o[OPT_LAMBDA]},
                        .encoder = jmlh_encoder(self),
                        .head = lbh_mlp_shape(self->nbits, 1, hidden, self->d),
                        .steps = (int64_t)o[OPT_STEPS],
                        .batch = (int64_t)o[OPT_BATCH],
                        .head_rate = o[OPT_LR],
                        .decay = o[OPT_DECAY],
                        .cosine = o[OPT_SCHEDULE] != 0,
                        .noise = o[OPT_NOISE] != 0,
                        .scale = o[OPT_SCALE],
                        .uncentred = o[OPT_CENTRE] == 0};
    for (int l = 0; l < setup.encoder.nlayers; l++)
        setup.encoder_rate[l] = o[OPT_LR];
    lbh_mlp encoder, decoder;
    LBH_TRY(jmlh_learn(self, t, &setup, &encoder, &decoder));
    lbh_mlp own = jmlh_encoder(self); /* a resumed training has allocated the tensors anew */
    lbh_mlp_copy(&encoder, &own);
    return LBH_OK;
}

const lbh_method lbh_method_jmlh_vae = {
    .name = "jmlh-vae",
    .summary = "the unsupervised ablation of jmlh: an auto-encoder with a binary code",
    .cite = "Shen, Qin, Chen, Liu, Zhu & Shen, Embarrassingly simple binary representation "
            "learning, ICCV workshops 2019",
    .state_size = sizeof(jmlh_net),
    .params = params,
    .presets = presets,
    .train = train,
    .visit = jmlh_visit,
    .linear = jmlh_linear,
    .is_linear = jmlh_is_linear,
    .project = jmlh_project,
    .prepare = jmlh_prepare,
    .release = jmlh_release,
};
