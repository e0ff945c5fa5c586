/* sigah.c: sparsity-induced generative adversarial hashing (Liu, arXiv:2306.06928): codes from
 * which a generator rebuilds the rows by way of sparse features and a fixed random measurement of
 * them, while a discriminator judges what it rebuilds. sigah_step.h has networks and objective.
 * Hash layer and codes are linear: generator and discriminator are dropped after training.
 *
 * The authors published no program, and the text that is public lost its formulas and numbers, so
 * that sums and weights are ours. What differs from it by default, each an option:
 *   - principal components, and one scale found from the data; a start from ITQ;
 *   - noisy bits in place of tanh, whose values a sign does not keep;
 *   - errors and noise relative to the length of the row;
 *   - learned thresholds: those at the mean have no place for a row's length;
 *   - a graph term that repels as well as it attracts (graph_term.h);
 *   - a step size that falls to 0.
 * preset=paper goes back on all of it. README.md in this directory has the
 * measurements.
 *
 * The decoder of the model is linear, by least squares on the final codes: scores from it need no
 * network at search time. */
#include "sigah.h"

#include <string.h>

static const lbh_param params[] = {
    [SIGAH_OPT_STEPS] = {"steps", 5000, 1, 1e9, 1, NULL, "gradient steps"},
    [SIGAH_OPT_BATCH] = {"batch", 512, 1, 8192, 1, NULL, "rows a step, drawn with replacement"},
    [SIGAH_OPT_LR] = {"lr", 0.01, 1e-8, 10, 0, NULL,
                      "step size of hash layer and generator (Adam)"},
    [SIGAH_OPT_LR_D] = {"lr_d", 0.001, 1e-8, 10, 0, NULL, "step size of the discriminator (Adam)"},
    [SIGAH_OPT_SCHEDULE] = {"schedule", 1, 0, 1, 1, "constant|cosine", "course of the step size"},
    [SIGAH_OPT_WARMUP] = {"warmup", 0.1, 0, 1, 0, NULL,
                          "share of the steps in which the hash layer's step size grows from 0"},
    [SIGAH_OPT_DECAY] = {"decay", 0, 0, 1e6, 0, NULL, "L2 decay of the weight matrices"},
    [SIGAH_OPT_M_SCALE] = {"m_scale", 2, 1e-3, 64, 0, NULL,
                           "sparse features, in multiples of the training space's dimension"},
    [SIGAH_OPT_ACTIVATION] = {"activation", SIGAH_LEAKY_RELU, 0, 5, 1,
                              "leaky_relu|relu|tanh|sigmoid|swish|linear", "of the generator"},
    [SIGAH_OPT_LEAK] = {"leak", 0.2, 0, 1, 0, NULL, "leaky_relu: slope below 0"},
    [SIGAH_OPT_MEASUREMENT] = {"measurement", SIGAH_GAUSSIAN, 0, 2, 1, "gaussian|learned|identity",
                               "the matrix behind the features: random and fixed; learned; none"},
    [SIGAH_OPT_SPARSITY] = {"sparsity", 1e-3, 0, 1e6, 0, NULL,
                            "weight of the mean absolute feature (lambda 1)"},
    [SIGAH_OPT_GRAPH] = {"graph", 0.2, 0, 1e6, 0, NULL,
                         "weight of the in-batch graph regulariser (lambda 2); 0: none"},
    [SIGAH_OPT_GRAPH_LOSS] = {"graph_loss", LBH_GRAPH_EMBEDDING, 0, 1, 1, "embedding|laplacian",
                              "codes reproduce the similarities, or near rows attract (the paper)"},
    [SIGAH_OPT_SIGMA] = {"sigma", 0.1, 1e-4, 1e4, 0, NULL,
                         "laplacian: width of the similarities, times the median squared distance"},
    [SIGAH_OPT_NEIGHBOURS] = {"neighbours", 0.02, 1e-4, 1, 0, NULL,
                              "embedding: effective neighbours of a row, as a share of the batch"},
    [SIGAH_OPT_BETA] = {"beta", 0, 0, 1e3, 0, NULL,
                        "embedding: slope of the codes' similarities exp(beta t.t' / nbits); 0: "
                        "fitted to the codes as they are learned"},
    [SIGAH_OPT_ADVERSARIAL] =
        {"adversarial", 0.1, 0, 1e6, 0, NULL,
         "weight of the synthetic rows' energy (lambda 3); 0: no discriminator"},
    [SIGAH_OPT_MARGIN] = {"margin", 0.1, 0, 1e6, 0, NULL,
                          "energy up to which the discriminator pushes synthetic rows, times the "
                          "data's variance"},
    [SIGAH_OPT_HIDDEN] = {"hidden", 0.5, 1e-3, 16, 0, NULL,
                          "hidden units of the discriminator, in multiples of the dimension"},
    [SIGAH_OPT_NOISE] =
        {"noise", -1, -1, 10, 0, NULL,
         "0: the generator sees tanh (the paper); else bits with uniform noise that "
         "wide before the sign; -1: 1 + 0.06 log2(nbits / 16), at least 1"},
    [SIGAH_OPT_RELATIVE] = {"relative", 1, 0, 1, 1, NULL,
                            "1: errors and noise relative to each row's length; 0: alike for all"},
    [SIGAH_OPT_LENGTHS] = {"lengths", 1, 0, 4, 0, NULL,
                           "embedding: rows count as their length to that power; 0: alike"},
    [SIGAH_OPT_INIT] = {"init", SIGAH_INIT_ITQ, 0, 1, 1, "itq|random",
                        "where the hash layer starts"},
    [SIGAH_OPT_SLOPE] = {"slope", 2, 1e-3, 1e3, 0, NULL,
                         "standard deviation of the hash layer's values at the start"},
    [SIGAH_OPT_ORTHOGONAL] = {"orthogonal", 0, 0, 1, 1, NULL,
                              "1: keep the hash layer's rows orthogonal and of length slope"},
    [SIGAH_OPT_BIAS] = {"bias", 1, 0, 1, 1, NULL, "1: learn thresholds; 0: those at the mean"},
    [SIGAH_OPT_PCA] = {"pca", 256, 1, 65536, 1, NULL,
                       "train in that many principal components, 2 nbits at least"},
    [SIGAH_OPT_SPARSITY_OF] = {"sparsity_of", SIGAH_OF_MEAN, 0, 1, 1, "mean|sum",
                               "what sparsity weighs: a row's mean absolute feature, or the sum of "
                               "them (the paper; rows with a mean square length of 1)"},
    [SIGAH_OPT_FEW_ROWS] = {"few_rows", 16, 0, 1e6, 0, NULL,
                            "init=itq, no rebuild=generator: with fewer rows a bit, or a dimension if "
                            "they are fewer, the codes stay those of ITQ; 0: never"},
    {0},
};

#define PLAIN "sparsity=0,graph=0,adversarial=0"

static const lbh_preset presets[] = {
    /* The text's system, as far as it can be known: random Gaussian start, tanh, no thresholds, all
     * dimensions (m = 2 d), lambda 1 on the sum of the features, Adam at a constant step, weight decay.
     * Kept otherwise: the axes are principal components (a rotation, which a Gaussian measurement does
     * not notice), the mean is taken off, one scalar makes E||x||^2 = 1, and the in-batch graph has the
     * width `sigma`, as the text has no numbers. */
    {"paper", "init=random,slope=1,warmup=0,noise=0,relative=0,lengths=0,bias=0,orthogonal=0,pca=65536,"
              "m_scale=2,activation=leaky_relu,measurement=gaussian,graph_loss=laplacian,sigma=1,"
              "graph=0.01,sparsity=0.001,sparsity_of=sum,adversarial=0.1,margin=0.5,"
              "schedule=constant,lr=0.001,lr_d=0.001,decay=0.0001,batch=256"},
    {"relu", "activation=relu"},
    {"tanh", "activation=tanh"},
    {"sigmoid", "activation=sigmoid"},
    {"swish", "activation=swish"},
    {"no-adversarial", "adversarial=0"},
    {"no-graph", "graph=0"},
    {"no-sparsity", "sparsity=0"},
    {"narrow", "m_scale=0.5"},
    {"wide", "m_scale=4"},
    {"small-margin", "margin=0.02"},
    {"large-margin", "margin=2"},
    {"strong-adversarial", "adversarial=1"},
    {"strong-graph", "graph=1"},
    {"strong-sparsity", "sparsity=0.1"},
    {"ae3", "measurement=identity,activation=linear," PLAIN}, /* d-L-d */
    {"ae4", "measurement=learned,activation=relu," PLAIN},    /* d-L-m-d */
    {0},
};

static int check(const lbh_encoder *self)
{
    double noise = self->value[SIGAH_OPT_NOISE];
    if (noise < 0 && noise != -1)
        return lbh_error(LBH_EINVAL, "sigah: noise (%g) must be -1 or at least 0", noise);
    return LBH_OK;
}

static int visit(lbh_encoder *self, lbh_visitor *v)
{
    sigah_model *s = self->state;
    LBH_TRY(v->tensor(v, "W", &s->W, self->nbits, self->d));
    LBH_TRY(v->tensor(v, "b", &s->b, 1, self->nbits));
    LBH_TRY(v->tensor(v, "U", &s->U, self->nbits, self->d));
    LBH_TRY(v->tensor(v, "c", &s->c, 1, self->d));
    if (!sigah_keeps_generator(self))
        return LBH_OK;
    int m = sigah_configure(self).m;
    LBH_TRY(v->tensor(v, "Wg", &s->Wg, self->nbits, m));
    LBH_TRY(v->tensor(v, "bg", &s->bg, 1, m));
    LBH_TRY(v->tensor(v, "A", &s->A, m, self->d));
    return v->tensor(v, "mean", &s->mean, 1, self->d);
}

static int linear(const lbh_encoder *self, lbh_role role, float *A, float *b)
{
    (void)role;
    const sigah_model *s = self->state;
    memcpy(A, s->W, (size_t)self->nbits * (size_t)self->d * sizeof *A);
    memcpy(b, s->b, (size_t)self->nbits * sizeof *b);
    return LBH_OK;
}

static int decoder(const lbh_encoder *self, float *U, float *c)
{
    const sigah_model *s = self->state;
    memcpy(U, s->U, (size_t)self->nbits * (size_t)self->d * sizeof *U);
    memcpy(c, s->c, (size_t)self->d * sizeof *c);
    return LBH_OK;
}

const lbh_method lbh_method_sigah = {
    .name = "sigah",
    .summary = "sparse generative adversarial hashing: linear codes trained to rebuild and to rank",
    .cite = "Liu, Sparse-inductive generative adversarial hashing for nearest neighbor search, "
            "arXiv:2306.06928, 2023",
    .state_size = sizeof(sigah_model),
    .params = params,
    .presets = presets,
    .check = check,
    .train = sigah_train,
    .visit = visit,
    .linear = linear,
    .decoder = decoder,
    .rebuild = sigah_rebuild,
};
