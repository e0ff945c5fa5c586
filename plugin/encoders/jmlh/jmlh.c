/* jmlh.c: just-maximising-likelihood hashing (Shen, Qin, Chen, Liu, Zhu & Shen, ICCV workshops
 * 2019): codes from which a classifier tells the labels. A network with binary neurons at its end and
 * a linear classifier on the code are learned together; see jmlh_step.h for the objective,
 * jmlh_train.h for the training.
 *
 * The paper's backbone is any matrix of features; the options hidden1 .. hidden3 put layers of
 * rectified units between it and the bits. Rows with several labels make the classifier a set of
 * independent ones (sigmoid); rows without labels are left out of the training. */
#include "jmlh_net.h"
#include "jmlh_train.h"

#include <math.h>
#include <string.h>

enum {
    OPT_STEPS = JMLH_OPTIONS,
    OPT_BATCH,
    OPT_LR,
    OPT_ENCODER_LR,
    OPT_HEAD_LR,
    OPT_SCHEDULE,
    OPT_LAMBDA,
    OPT_ESTIMATOR,
    OPT_NOISE,
    OPT_RELAXATION,
    OPT_PENALTY,
    OPT_HEAD,
    OPT_CLASSES,
    OPT_DECAY,
    OPT_DROP_IN,
    OPT_DROP,
    OPT_MIXUP,
    OPT_SCALE,
    OPT_CENTRE,
};

enum { HEAD_AUTO, HEAD_SOFTMAX, HEAD_SIGMOID };
static const lbh_param params[] = {
    JMLH_HIDDEN_PARAMS(512),
    [OPT_STEPS] = {"steps", 0, 0, 1e9, 1, NULL,
                   "gradient steps; 0: 40 passes over the rows, but 2000 to 20000 steps"},
    [OPT_BATCH] = {"batch", 256, 1, 1e6, 1, NULL, "rows a step"},
    [OPT_LR] = {"lr", 0, 0, 10, 0, NULL,
                "step size of Adam for all layers; 0: encoder_lr and head_lr"},
    [OPT_ENCODER_LR] = {"encoder_lr", 0.2, 1e-8, 100, 0, NULL,
                        "step size of a layer of the encoder, divided by the root of its inputs; beyond "
                        "2000 steps it falls as 2000 / steps"},
    [OPT_HEAD_LR] = {"head_lr", 2e-3, 1e-8, 10, 0, NULL,
                     "step size of the classifier; beyond 2000 steps it falls as 2000 / steps"},
    [OPT_SCHEDULE] = {"schedule", 1, 0, 1, 1, "constant|cosine", "course of the step size"},
    [OPT_LAMBDA] = {"lambda", -1, -1, 1e6, 0, NULL,
                    "weight of KL(q || fair coins), per bit; below 0: 0.02 for up to 12000 rows, in "
                    "proportion to more, at most 0.1"},
    [OPT_ESTIMATOR] = {"estimator", JMLH_BIASED, 0, 2, 1, "biased|exact|straight_through",
                       "gradient through the neurons: derivative (eq. 6), difference, or passed on"},
    [OPT_NOISE] = {"noise", 1, 0, 1, 1, "none|uniform",
                   "neurons thresholded at 1/2 (the published program) or at random (the paper)"},
    [OPT_RELAXATION] = {"relaxation", 0, 0, 1, 1, "none|cont",
                        "cont: train on probabilities instead of bits"},
    [OPT_PENALTY] = {"qr", 0, 0, 1e6, 0, NULL, "weight of the quantisation penalty (p - h)^2"},
    [OPT_HEAD] = {"head", HEAD_AUTO, 0, 2, 1, "auto|softmax|sigmoid",
                  "one label or several a row; auto: as the labels are"},
    [OPT_CLASSES] = {"classes", 0, 0, LBH_MAX_CLASSES, 1, NULL,
                     "number of classes; 0: from the labels"},
    [OPT_DECAY] = {"decay", 1.5, 0, 1e6, 0, NULL,
                   "decoupled weight decay of hidden layers, for 10000 rows: others get it times "
                   "sqrt(10000 / rows), at most 2"},
    [OPT_DROP_IN] = {"drop_in", 0.2, 0, 0.95, 0, NULL, "share of input entries left out of a step"},
    [OPT_DROP] = {"drop", 0, 0, 0.95, 0, NULL, "share of hidden units left out of a step"},
    [OPT_MIXUP] = {"mixup", 0, 0, 1, 0, NULL,
                   "blend pairs of training rows: the smaller share is uniform in 0 .. mixup / 2"},
    [OPT_SCALE] = {"scale", 0, 0, 1e30, 0, NULL,
                   "factor on the rows while training; 0: root mean square entry 1"},
    [OPT_CENTRE] = {"centre", 1, 0, 1, 1, NULL, "1: take off the mean while training"},
    {0},
};

static const lbh_preset presets[] = {
    /* Two layers on the features as they are, xi ~ U(0,1), batches of 256, Adam (section 3 of the
     * paper). Its text lost lambda, step size and length of training: lambda is that of the
     * author's later programs, the step size that of the published program, and the steps are
     * what 5,000 rows take to settle. */
    {"paper", "hidden1=0,hidden2=0,hidden3=0,relaxation=none,noise=uniform,estimator=biased,"
              "lambda=0.1,qr=0,lr=0.0001,schedule=constant,batch=256,steps=20000,decay=0,drop_in=0,"
              "drop=0,mixup=0,scale=1,centre=0"},
    {"full", "relaxation=none,noise=uniform,estimator=biased,lambda=-1,qr=0"},
    {"cont", "relaxation=cont,noise=uniform,estimator=biased,lambda=-1,qr=0"},
    {"qr", "relaxation=none,noise=uniform,estimator=biased,lambda=0,qr=0.1"},
    {"nr", "relaxation=none,noise=uniform,estimator=biased,lambda=0,qr=0"},
    {"code", "hidden1=0,hidden2=0,hidden3=0,relaxation=none,noise=none,estimator=biased,"
             "lambda=0.2,qr=0,lr=0.0001,schedule=constant,batch=400,steps=100000,head=softmax,"
             "decay=0,drop_in=0,drop=0,mixup=0,scale=1,centre=0"},
    {0},
};

typedef struct jmlh {
    jmlh_net encoder;
    float *V, *v; /* the classifier: classes x nbits, classes */
} jmlh;

static int choice(const lbh_encoder *self, int option)
{
    return (int)self->value[option];
}

/* Options that the labels may have decided. */
static int classes(const lbh_encoder *self)
{
    return (int)self->settled[OPT_CLASSES];
}

static bool several_labels(const lbh_encoder *self)
{
    return (int)self->settled[OPT_HEAD] == HEAD_SIGMOID;
}

static lbh_mlp head_of(const lbh_encoder *self)
{
    const jmlh *s = self->state;
    return (lbh_mlp){.nlayers = 1,
                     .size = {self->nbits, classes(self)},
                     .W = {s->V},
                     .b = {s->v}};
}

static int visit(lbh_encoder *self, lbh_visitor *v)
{
    jmlh *s = self->state;
    LBH_TRY(jmlh_visit(self, v));
    LBH_TRY(v->tensor(v, "V", &s->V, classes(self), self->nbits));
    return v->tensor(v, "v", &s->v, 1, classes(self));
}

/* ---- Training ------------------------------------------------------------------------------ */

/* Which rows have labels, and what the labels say about the head: number of classes and kind. */
static int look_at_labels(lbh_encoder *self, lbh_training *t, lbh_labelled *all)
{
    LBH_TRY(lbh_find_labelled(t, choice(self, OPT_CLASSES), all));
    self->settled[OPT_CLASSES] = all->nclasses;
    if (choice(self, OPT_HEAD) == HEAD_AUTO)
        self->settled[OPT_HEAD] = all->several ? HEAD_SIGMOID : HEAD_SOFTMAX;
    return LBH_OK;
}

/* Small sets overfit in long trainings, large ones gain by them. */
static int64_t choose_steps(const lbh_encoder *self, int64_t n)
{
    enum { PASSES = 40, FEWEST = 2000, MOST = 20000 };
    int64_t steps = (int64_t)self->value[OPT_STEPS], batch = (int64_t)self->value[OPT_BATCH];
    if (steps > 0)
        return steps;
    steps = n > (int64_t)MOST * batch ? MOST : PASSES * n / batch;
    return steps < FEWEST ? FEWEST : steps > MOST ? MOST : steps;
}

/* Many rows take long trainings, in which classes fall into several codes unless KL is stronger. */
static float choose_lambda(const lbh_encoder *self, int64_t n)
{
    double lambda = self->value[OPT_LAMBDA];
    return (float)(lambda >= 0 ? lambda : 0.02 * fmin(5, fmax(1, (double)n / 12000)));
}

/* A layer of many inputs moves its outputs further with the same step: by n for n inputs that go
 * together, by sqrt(n) for inputs that do not. The encoder is faster than the classifier, so that
 * rows of a class gather in one code rather than the classifier learn all the codes of a class. Long
 * trainings at that pace tear classes apart again, so the sum of the steps is held. */
static void set_rates(const lbh_encoder *self, jmlh_setup *setup)
{
    enum { FAST_STEPS = 2000 };
    double lr = self->value[OPT_LR];
    double slower = fmin(1, FAST_STEPS / (double)setup->steps);
    double base = self->value[OPT_ENCODER_LR] * slower;
    for (int l = 0; l < setup->encoder.nlayers; l++)
        setup->encoder_rate[l] = lr > 0 ? lr : base / sqrt(setup->encoder.size[l]);
    setup->head_rate = lr > 0 ? lr : self->value[OPT_HEAD_LR] * slower;
}

static int train(lbh_encoder *self, lbh_training *t)
{
    const double *o = self->value;
    lbh_labelled all;
    jmlh_setup setup = {.cfg = {.estimator = (jmlh_estimator)choice(self, OPT_ESTIMATOR),
                                .relaxed = choice(self, OPT_RELAXATION) != 0,
                                .penalty = (float)o[OPT_PENALTY]},
                        .batch = (int64_t)o[OPT_BATCH],
                        .cosine = choice(self, OPT_SCHEDULE) == 1,
                        .noise = choice(self, OPT_NOISE) == 1,
                        .drop_in = o[OPT_DROP_IN],
                        .drop = o[OPT_DROP],
                        .mixup = o[OPT_MIXUP],
                        .scale = o[OPT_SCALE],
                        .uncentred = o[OPT_CENTRE] == 0,
                        .labelled = &all};
    LBH_TRY(look_at_labels(self, t, &all));
    setup.steps = choose_steps(self, all.n);
    setup.decay = o[OPT_DECAY] * fmin(2, sqrt(1e4 / (double)all.n));
    LBH_TRY(lbh_visit_allocate(self)); /* anew: the classifier's size is known now */
    setup.cfg.loss = several_labels(self) ? JMLH_SIGMOID : JMLH_SOFTMAX;
    setup.encoder = jmlh_encoder(self);
    setup.head = head_of(self);
    setup.cfg.lambda = choose_lambda(self, all.n);
    set_rates(self, &setup);
    lbh_mlp encoder, head, own_encoder, own_head;
    LBH_TRY(jmlh_learn(self, t, &setup, &encoder, &head));
    own_encoder = jmlh_encoder(self); /* a resumed training has allocated the tensors anew */
    own_head = head_of(self);
    lbh_mlp_copy(&encoder, &own_encoder);
    lbh_mlp_copy(&head, &own_head);
    return LBH_OK;
}

/* ---- The rest of the contract -------------------------------------------------------------- */

static lbh_classifier classifier(const lbh_encoder *self)
{
    const jmlh *s = self->state;
    return (lbh_classifier){s->V, s->v, classes(self), several_labels(self)};
}

const lbh_method lbh_method_jmlh = {
    .name = "jmlh",
    .summary = "just-maximising-likelihood hashing: codes from which a classifier tells the labels",
    .cite = "Shen, Qin, Chen, Liu, Zhu & Shen, Embarrassingly simple binary representation "
            "learning, ICCV workshops 2019",
    .needs_labels = 1,
    .state_size = sizeof(jmlh),
    .params = params,
    .presets = presets,
    .train = train,
    .visit = visit,
    .linear = jmlh_linear,
    .is_linear = jmlh_is_linear,
    .project = jmlh_project,
    .classifier = classifier,
    .prepare = jmlh_prepare,
    .release = jmlh_release,
};
