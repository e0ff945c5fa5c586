/* jmlh_train.c: see jmlh_train.h. Rows are taken in a new random order in each epoch, less their mean
 * (unless it is to stay) and times one scalar, which keeps the geometry of the data and puts the units where they learn.
 * Every random number is a function of the seed and the step, so a training can be cut and resumed.
 *
 * Beyond the paper: step sizes by layer, a cosine schedule, decoupled weight decay (Loshchilov &
 * Hutter, ICLR 2019), dropout (Srivastava et al., JMLR 2014) and mixup (Zhang et al., ICLR 2018),
 * which know nothing of what the data are and keep small training sets from being learned by heart. */
#include "jmlh_train.h"

#include "cpu.h"
#include "learned.h"
#include "linalg.h"
#include "rng.h"

#include <math.h>
#include <string.h>

enum { STATISTICS_ROWS = 20000, STATE_COLUMNS = 1024 };

enum {
    STREAM_NOISE = 16,
    STREAM_DROP_IN,
    STREAM_DROP, /* + layer */
    STREAM_MIX = STREAM_DROP + LBH_MLP_MAX,
    STREAM_ENCODER, /* + layer */
    STREAM_HEAD = STREAM_ENCODER + LBH_MLP_MAX,
    STREAM_EPOCH = 1 << 20, /* + epoch */
};

typedef struct run {
    const jmlh_setup *s;
    int B, d, L, K;
    int64_t n; /* rows to learn from */
    const lbh_lists *labels;
    uint64_t seed;
    lbh_mlp encoder, head, genc, ghead;
    lbh_learned learned; /* of both networks */
    jmlh_batch w;
    float *X, *Y, *noise, *uniform, *mean, scale;
    int64_t *ids, *order, epoch;
} run;

static int take_params(lbh_training *t, run *r)
{
    int64_t ne = lbh_mlp_size(&r->encoder), rows;
    lbh_learned *p = &r->learned;
    rows = (ne + lbh_mlp_size(&r->head) + STATE_COLUMNS - 1) / STATE_COLUMNS;
    LBH_TRY(lbh_learned_bind(t, "m", "v", rows, STATE_COLUMNS,
                             lbh_state_f(t, "theta", rows, STATE_COLUMNS), p));
    p->size = ne + lbh_mlp_size(&r->head);
    lbh_mlp_bind(&r->encoder, p->theta);
    lbh_mlp_bind(&r->head, p->theta + ne);
    lbh_mlp_bind(&r->genc, p->grad);
    lbh_mlp_bind(&r->ghead, p->grad + ne);
    return LBH_OK;
}

/* Scratch of a network; hidden layers get room for dropout if drop > 0. */
static int take_layers(lbh_training *t, const lbh_mlp *m, int B, double drop, lbh_mlp_batch *w)
{
    w->drop = (float)drop;
    for (int l = 0; l < m->nlayers; l++) {
        w->Y[l] = lbh_scratch_f(t, B, m->size[l + 1]);
        w->D[l] = lbh_scratch_f(t, B, m->size[l + 1]);
        bool drops = drop > 0 && l < m->nlayers - 1;
        w->uniform[l] = drops ? lbh_scratch_f(t, B, m->size[l + 1]) : NULL;
        if (!w->Y[l] || !w->D[l] || (drops && !w->uniform[l]))
            return LBH_ENOMEM;
    }
    return LBH_OK;
}

static int take_batch(lbh_training *t, run *r)
{
    int64_t B = r->B, d = r->d, L = r->L, K = r->K;
    bool exact = r->s->cfg.estimator == JMLH_EXACT;
    LBH_TRY(take_layers(t, &r->encoder, r->B, r->s->drop, &r->w.encoder));
    LBH_TRY(take_layers(t, &r->head, r->B, 0, &r->w.head));
    r->w.P = lbh_scratch_f(t, B, L);
    r->w.H = lbh_scratch_f(t, B, L);
    r->w.G = lbh_scratch_f(t, B, L);
    r->w.Vt = lbh_scratch_f(t, exact ? L : 0, K);
    r->w.other = lbh_scratch_f(t, exact ? B : 0, K);
    r->w.loss = lbh_scratch(t, B, sizeof *r->w.loss);
    r->X = lbh_scratch_f(t, B, d);
    r->Y = lbh_scratch_f(t, B, K);
    r->noise = lbh_scratch_f(t, B, L);
    r->uniform = lbh_scratch_f(t, r->s->drop_in > 0 ? B : 0, d);
    r->mean = lbh_scratch_f(t, 1, d);
    r->ids = lbh_scratch(t, B, sizeof *r->ids);
    r->order = lbh_scratch(t, r->n, sizeof *r->order);
    bool ok = r->w.P && r->w.H && r->w.G && r->w.Vt && r->w.other && r->w.loss && r->X && r->Y &&
              r->noise && r->uniform && r->mean && r->ids && r->order;
    return ok ? LBH_OK : LBH_ENOMEM;
}

/* Mean and scale of (a sample of) the rows that are learned from. */
static int look_at_data(lbh_training *t, run *r)
{
    int64_t m, *ids;
    float *S;
    double total = 0;
    if (r->s->labelled)
        LBH_TRY(lbh_sample_labelled(t, r->s->labelled, STATISTICS_ROWS, &m, &ids, &S));
    else
        LBH_TRY(lbh_sample_rows(t, STATISTICS_ROWS, &m, &S));
    if (!r->s->uncentred)
        lbh_centre(m, r->d, S, r->mean);
    for (int64_t i = 0; i < m * r->d; i++)
        total += (double)S[i] * (double)S[i];
    double rms = sqrt(total / (double)m / r->d), scale = r->s->scale;
    r->scale = (float)(scale > 0 ? scale : rms > 0 ? fmin(1 / rms, 1e30) : 1);
    return LBH_OK;
}

/* Ids of the batch: positions step * B .. of the concatenated epochs. */
static int choose_rows(run *r, int64_t step)
{
    int64_t n = r->n;
    for (int i = 0; i < r->B; i++) {
        int64_t at = step * r->B + i, epoch = at / n;
        if (epoch != r->epoch) {
            LBH_TRY(lbh_rng_sample(r->seed, STREAM_EPOCH + (uint64_t)epoch, n, n, r->order));
            r->epoch = epoch;
        }
        int64_t row = r->order[at % n];
        r->ids[i] = r->s->labelled ? r->s->labelled->rows[row] : row;
    }
    return LBH_OK;
}

LBH_CLONES
static void standardise(int d, const float *restrict mean, float scale, float *restrict x)
{
    for (int j = 0; j < d; j++)
        x[j] = (x[j] - mean[j]) * scale;
}

/* 0/1 per label; under softmax the labels of a row share 1. */
static void set_targets(run *r)
{
    const lbh_lists *labels = r->labels;
    if (!r->s->labelled) {
        memcpy(r->Y, r->X, (size_t)r->B * (size_t)r->d * sizeof *r->Y);
        return;
    }
    memset(r->Y, 0, (size_t)r->B * (size_t)r->K * sizeof *r->Y);
    for (int i = 0; i < r->B; i++) {
        int64_t first = labels->start[r->ids[i]], end = labels->start[r->ids[i] + 1];
        float share = r->s->cfg.loss == JMLH_SOFTMAX ? 1.0f / (float)(end - first) : 1.0f;
        for (int64_t j = first; j < end; j++) {
            float *y = &r->Y[(ptrdiff_t)i * r->K + labels->item[j]];
            *y = share < 1 ? *y + share : 1; /* a label given twice counts once under sigmoid */
        }
    }
}

/* a and b move towards each other by that share of their distance. */
LBH_CLONES
static void blend(int n, float share, float *restrict a, float *restrict b)
{
    for (int i = 0; i < n; i++) {
        float gap = share * (b[i] - a[i]);
        a[i] += gap;
        b[i] -= gap;
    }
}

/* Rows 2i and 2i+1 are blended into each other, and so are their targets. */
static void mix(run *r, int64_t step)
{
    ptrdiff_t d = r->d, K = r->K;
#pragma omp parallel for schedule(static)
    for (int i = 0; i < r->B / 2; i++) {
        float u;
        lbh_rng_uniform(r->seed, STREAM_MIX, 4 * (uint64_t)(step * r->B + i), 1, &u);
        float share = 0.5f * (float)r->s->mixup * u;
        blend(r->d, share, r->X + 2 * i * d, r->X + (2 * i + 1) * d);
        blend(r->K, share, r->Y + 2 * i * K, r->Y + (2 * i + 1) * K);
    }
}

/* count numbers of a stream for this step; each step's start at a multiple of 4 */
static void draw(const run *r, uint64_t stream, int64_t step, int64_t count, float *out)
{
    lbh_rng_uniform(r->seed, stream, (uint64_t)(step * ((count + 3) / 4 * 4)), count, out);
}

static int make_batch(lbh_training *t, run *r, int64_t step)
{
    int64_t size = (int64_t)r->B * r->d;
    LBH_TRY(choose_rows(r, step));
    LBH_TRY(lbh_pull(t, r->B, r->ids, r->X));
#pragma omp parallel for schedule(static)
    for (int i = 0; i < r->B; i++)
        standardise(r->d, r->mean, r->scale, r->X + (ptrdiff_t)i * r->d);
    set_targets(r);
    if (r->s->mixup > 0)
        mix(r, step);
    if (r->s->drop_in > 0) {
        float drop = (float)r->s->drop_in;
        draw(r, STREAM_DROP_IN, step, size, r->uniform);
#pragma omp parallel for schedule(static)
        for (int64_t i = 0; i < size; i++)
            r->X[i] = r->uniform[i] < drop ? 0 : r->X[i] / (1 - drop);
    }
    if (r->s->noise)
        draw(r, STREAM_NOISE, step, (int64_t)r->B * r->L, r->noise);
    for (int l = 0; l < r->encoder.nlayers; l++)
        if (r->w.encoder.uniform[l])
            draw(r, STREAM_DROP + (uint64_t)l, step, (int64_t)r->B * r->encoder.size[l + 1],
                 r->w.encoder.uniform[l]);
    return LBH_OK;
}

static void decay_weights(int64_t n, float keep, float *W)
{
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i++)
        W[i] *= keep;
}

/* One step of Adam; each layer has a step size of its own, times `course`. Hidden layers decay: KL
 * holds the logits, and the head needs none. */
static void update(run *r, int64_t step, double course)
{
    const lbh_adam adam = {0.9f, 0.999f, 1e-7f}; /* Keras, as in the published program */
    const lbh_mlp *m = &r->encoder;
    const lbh_learned *p = &r->learned;
    int64_t at = 0;
    for (int l = 0; l <= m->nlayers; l++) {
        bool head = l == m->nlayers;
        int64_t weights = head ? 0 : (int64_t)m->size[l + 1] * m->size[l];
        int64_t count = head ? p->size - at : weights + m->size[l + 1];
        double rate = course * (head ? r->s->head_rate : r->s->encoder_rate[l]);
        if (l < m->nlayers - 1 && r->s->decay > 0)
            decay_weights(weights, (float)fmax(0, 1 - rate * r->s->decay), p->theta + at);
        const lbh_learned layer = {p->theta + at, p->grad + at, p->m + at, p->v + at, count, false};
        lbh_learned_step(&adam, lbh_adam_rate(&adam, rate, step + 1), &layer, 1);
        at += count;
    }
}

static int optimise(lbh_training *t, run *r, int64_t step)
{
    int64_t steps = r->s->steps;
    for (; step < steps && !t->stop; step++) {
        double course = r->s->cosine ? lbh_cosine(step, steps) : 1;
        LBH_TRY(make_batch(t, r, step));
        double loss = jmlh_gradients(&r->s->cfg, &r->encoder, &r->head, r->B, r->X, r->Y,
                                     r->s->noise ? r->noise : NULL, &r->w, &r->genc, &r->ghead);
        update(r, step, course);
        LBH_TRY(lbh_report(t, step + 1, steps, loss));
    }
    return LBH_OK;
}

int jmlh_learn(lbh_encoder *self, lbh_training *t, const jmlh_setup *setup, lbh_mlp *encoder,
               lbh_mlp *head)
{
    run r = {.s = setup,
             .n = setup->labelled ? setup->labelled->n : t->n,
             .labels = t->labels,
             .B = (int)setup->batch,
             .d = self->d,
             .L = self->nbits,
             .K = setup->head.size[setup->head.nlayers],
             .seed = (uint64_t)self->common[LBH_OPT_SEED],
             .encoder = setup->encoder,
             .head = setup->head,
             .genc = setup->encoder,
             .ghead = setup->head,
             .epoch = -1};
    int64_t step;
    LBH_TRY(take_params(t, &r));
    LBH_TRY(take_batch(t, &r));
    LBH_TRY(look_at_data(t, &r)); /* also before a resume: mean and scale are found anew, alike */
    lbh_mlp_start(&r.encoder, r.seed, STREAM_ENCODER);
    lbh_mlp_start(&r.head, r.seed, STREAM_HEAD);
    LBH_TRY(lbh_resume(t, &step));
    LBH_TRY(optimise(t, &r, step));
    lbh_mlp_fold_input(&r.encoder, r.mean, r.scale);
    *encoder = r.encoder;
    *head = r.head;
    return LBH_OK;
}
