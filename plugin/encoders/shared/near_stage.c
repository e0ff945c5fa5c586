/* near_stage.c: see near_stage.h. */
#include "near_stage.h"

#include "blas.h"
#include "cpu.h"
#include "vmath.h"

#include <math.h>
#include <string.h>

int lbh_near_take(lbh_training *t, lbh_near_stage *s, int d)
{
    s->W0 = lbh_state_f(t, "near.W0", s->L, d);
    s->b0 = lbh_state_f(t, "near.b0", 1, s->L);
    LBH_TRY(lbh_learned_bind(t, "near.W.m", "near.W.v", s->L, d, s->W, &s->trained[0]));
    LBH_TRY(lbh_learned_bind(t, "near.b.m", "near.b.v", 1, s->L, s->b, &s->trained[1]));
    s->gW = s->trained[0].grad;
    s->gb = s->trained[1].grad;
    return s->W0 && s->b0 ? LBH_OK : LBH_ENOMEM;
}

/* ---- One step ------------------------------------------------------------------------------ */

/* T <- tanh(T + b) */
LBH_CLONES
static void squash(int64_t n, int L, const float *restrict b, float *restrict T)
{
    for (int64_t i = 0; i < n; i++)
        for (int j = 0; j < L; j++)
            T[i * L + j] = 2 * lbh_sigmoid(2 * (T[i * L + j] + b[j])) - 1;
}

/* dT <- d(loss)/d(W x + b), and its sum over the rows. */
LBH_CLONES
static void through_tanh(int64_t n, int L, const float *restrict T, float *restrict dT,
                         float *restrict gb)
{
    memset(gb, 0, (size_t)L * sizeof *gb);
    for (int64_t i = 0; i < n; i++)
        for (int j = 0; j < L; j++) {
            float h = T[i * L + j], g = dT[i * L + j] * (1 - h * h);
            dT[i * L + j] = g;
            gb[j] += g;
        }
}

double lbh_near_gradients(lbh_near_stage *s, int B)
{
    lbh_near_batch *w = &s->batch;
    int d = s->near.d, L = s->L;
    for (int i = 0; i < B; i++)
        w->narrow[i] = (float)s->sharpness / s->near.square[w->ids[i]];
    w->graph.beta = (float)(s->beta / sqrt((double)L));
    lbh_gather_product(B, L, d, s->near.X, w->ids, w->x, s->W, w->T);
    squash(B, L, s->b, w->T);
    memset(w->dT, 0, (size_t)B * (size_t)L * sizeof *w->dT);
    double loss = lbh_graph_gradients(&w->graph, B, d, L, 1, w->x, w->T, w->dT);
    through_tanh(B, L, w->T, w->dT, s->gb);
    lbh_gemm_tn(L, d, B, 1, w->dT, w->x, 0, s->gW);
    return loss;
}

/* ---- The stage ----------------------------------------------------------------------------- */

/* Every bit's values get standard deviation 1 over the rows: where tanh neither is a line nor
 * stands still. Bits keep their signs. */
static void rescale_bits(lbh_near_stage *s)
{
    enum { MOST_ROWS = 4096 };
    const lbh_near_rows *r = &s->near;
    int64_t m = r->m < MOST_ROWS ? r->m : MOST_ROWS;
#pragma omp parallel for schedule(static)
    for (int k = 0; k < s->L; k++) {
        float *w = s->W + (int64_t)k * r->d;
        double sum = 0, square = 0;
        for (int64_t i = 0; i < m; i++) {
            double z = 0;
            for (int j = 0; j < r->d; j++)
                z += (double)w[j] * (double)r->X[i * r->d + j];
            sum += z / (double)m;
            square += z * z / (double)m;
        }
        double variance = square - sum * sum, scale = variance > 1e-20 ? 1 / sqrt(variance) : 1;
        for (int j = 0; j < r->d; j++)
            w[j] = (float)(scale * (double)w[j]);
        s->b[k] = (float)(scale * (double)s->b[k]);
    }
}

static int optimise(lbh_training *t, lbh_near_stage *s, int64_t step)
{
    const lbh_adam adam = {0.9f, 0.999f, 1e-8f};
    for (; step < s->steps && !t->stop; step++) {
        int B = lbh_near_draw(&s->near, step, s->batch.ids);
        double loss = lbh_near_gradients(s, B);
        float rate = lbh_adam_rate(&adam, s->lr * lbh_cosine(step, s->steps), step + 1);
        lbh_learned_step(&adam, rate, s->trained, 2);
        LBH_TRY(lbh_report(t, s->done + step + 1, s->total, loss));
    }
    return LBH_OK;
}

int lbh_near_run(lbh_training *t, lbh_near_stage *s, int64_t n, int d, const float *rows,
                 uint64_t seed, int64_t step)
{
    size_t size = (size_t)s->L * (size_t)d * sizeof *s->W;
    s->near = (lbh_near_rows){.d = d, .seed = seed};
    LBH_TRY(lbh_near_find(t, &s->near, n, rows));
    if (s->near.m == 0 || t->stop)
        return LBH_OK;
    LBH_TRY(lbh_near_take_batch(t, &s->near, s->L, &s->batch));
    if (step == 0) {
        rescale_bits(s);
        memcpy(s->W0, s->W, size);
        memcpy(s->b0, s->b, (size_t)s->L * sizeof *s->b);
    }
    LBH_TRY(optimise(t, s, step));
    LBH_TRY(lbh_near_recall(t, &s->near, s->L, s->W, s->b, &s->learned));
    LBH_TRY(lbh_near_recall(t, &s->near, s->L, s->W0, s->b0, &s->first));
    if (s->learned > s->first)
        return LBH_OK;
    memcpy(s->W, s->W0, size);
    memcpy(s->b, s->b0, (size_t)s->L * sizeof *s->b);
    return LBH_OK;
}
