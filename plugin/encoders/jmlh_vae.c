/* jmlh_vae.c: the unsupervised ablation of just-maximising-likelihood hashing (Shen, Qin, Chen, Liu,
 * Zhu & Shen, ICCV workshops 2019, "JMLH-VAE"): the classifier gives way to a decoder that rebuilds
 * the data from the bits, so that the whole is a variational auto-encoder with a binary code.
 *
 *   J = E_q ||u - decoder(h)||^2 / 2 + lambda KL(q || fair coins),   u = (x - mean) scale
 *
 * Encoder and decoder are networks with one layer of rectified units each (the paper's "two-layer
 * MLPs"), or linear where the option is 0. The decoder is not kept: only codes are wanted. */
#include "encoders/jmlh_train.h"

#include <string.h>

enum {
    OPT_HIDDEN1,
    OPT_DECODER1,
    OPT_STEPS,
    OPT_BATCH,
    OPT_LR,
    OPT_SCHEDULE,
    OPT_LAMBDA,
    OPT_ESTIMATOR,
    OPT_NOISE,
    OPT_DECAY,
    OPT_SCALE,
};

enum { MAX_HIDDEN = 8192 };

static const lbh_param params[] = {
    [OPT_HIDDEN1] = {"hidden1", 1024, 0, MAX_HIDDEN, 1, NULL,
                     "hidden units of the encoder; 0: a linear encoder"},
    [OPT_DECODER1] = {"decoder1", 1024, 0, MAX_HIDDEN, 1, NULL,
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
    {0},
};

typedef struct vae {
    float *W[LBH_MLP_MAX], *b[LBH_MLP_MAX]; /* the encoder, in the data's units */
    lbh_mlp_packed packed;
} vae;

static lbh_mlp encoder_of(const lbh_encoder *self)
{
    const vae *s = self->state;
    const int hidden[] = {(int)self->value[OPT_HIDDEN1]};
    lbh_mlp m = lbh_mlp_shape(self->d, 1, hidden, self->nbits);
    memcpy(m.W, s->W, sizeof m.W);
    memcpy(m.b, s->b, sizeof m.b);
    return m;
}

static int visit(lbh_encoder *self, lbh_visitor *v)
{
    static const char *const names[2][2] = {{"W1", "b1"}, {"W2", "b2"}};
    vae *s = self->state;
    lbh_mlp m = encoder_of(self);
    for (int l = 0; l < m.nlayers; l++) {
        LBH_TRY(v->tensor(v, names[l][0], &s->W[l], m.size[l + 1], m.size[l]));
        LBH_TRY(v->tensor(v, names[l][1], &s->b[l], 1, m.size[l + 1]));
    }
    return LBH_OK;
}

static int train(lbh_encoder *self, lbh_training *t)
{
    const double *o = self->value;
    const int hidden[] = {(int)o[OPT_DECODER1]};
    jmlh_setup setup = {.cfg = {.loss = JMLH_SQUARES,
                                .estimator = o[OPT_ESTIMATOR] != 0 ? JMLH_STRAIGHT : JMLH_BIASED,
                                .lambda = (float)o[OPT_LAMBDA]},
                        .encoder = encoder_of(self),
                        .head = lbh_mlp_shape(self->nbits, 1, hidden, self->d),
                        .steps = (int64_t)o[OPT_STEPS],
                        .batch = (int64_t)o[OPT_BATCH],
                        .lr = o[OPT_LR],
                        .decay = o[OPT_DECAY],
                        .cosine = o[OPT_SCHEDULE] != 0,
                        .noise = o[OPT_NOISE] != 0,
                        .scale = o[OPT_SCALE]};
    lbh_mlp encoder, decoder;
    LBH_TRY(jmlh_learn(self, t, &setup, &encoder, &decoder));
    lbh_mlp own = encoder_of(self); /* a resumed training has allocated the tensors anew */
    lbh_mlp_copy(&encoder, &own);
    return LBH_OK;
}

static bool is_linear(const lbh_encoder *self)
{
    return encoder_of(self).nlayers == 1;
}

static int linear(const lbh_encoder *self, lbh_role role, float *A, float *b)
{
    (void)role;
    const vae *s = self->state;
    memcpy(A, s->W[0], (size_t)self->nbits * (size_t)self->d * sizeof *A);
    memcpy(b, s->b[0], (size_t)self->nbits * sizeof *b);
    return LBH_OK;
}

static int prepare(lbh_encoder *self)
{
    vae *s = self->state;
    lbh_mlp m = encoder_of(self);
    return is_linear(self) ? LBH_OK : lbh_mlp_pack(&s->packed, &m);
}

static void release(lbh_encoder *self)
{
    vae *s = self->state;
    lbh_mlp_unpack(&s->packed);
}

static int project(const lbh_encoder *self, lbh_role role, int64_t n, const float *x, float *z)
{
    (void)role;
    const vae *s = self->state;
    return lbh_mlp_apply(&s->packed, n, x, z);
}

const lbh_method lbh_method_jmlh_vae = {
    .name = "jmlh-vae",
    .summary = "the unsupervised ablation of jmlh: an auto-encoder with a binary code",
    .cite = "Shen, Qin, Chen, Liu, Zhu & Shen, Embarrassingly simple binary representation "
            "learning, ICCV workshops 2019",
    .state_size = sizeof(vae),
    .params = params,
    .train = train,
    .visit = visit,
    .linear = linear,
    .is_linear = is_linear,
    .project = project,
    .prepare = prepare,
    .release = release,
};
