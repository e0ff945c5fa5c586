/* sgh_extend.c: the extensions of SGH (sgh_scale.h, sgh_pairs.h) in a training: memory, what they
 * start from, and their part of a step. */
#include "blas.h"
#include "rng.h"
#include "sgh.h"
#include "sgh_pairs.h"
#include "sgh_scale.h"

#include <math.h>

enum { STREAM_LATENT = 96, CHECK_ROWS = 1000, CHECK_ROWS_LEAST = 100 };

static const float START_TAU = 0.1f;

int sgh_extend_check(const lbh_encoder *self)
{
    bool latent = self->value[SGH_OPT_LATENT_SCALE] != 0;
    bool pairs = self->value[SGH_OPT_PAIRS] != SGH_PAIRS_NONE;
    const char *what = latent ? "latent_scale=1" : "pairs";
    bool linear = !sgh_inner_products(self) ||
                  self->value[SGH_OPT_MIPS] == SGH_MIPS_LINEAR;
    if (!latent && !pairs)
        return LBH_OK;
    if (self->value[SGH_OPT_SCORE] != SGH_SCORE_HAMMING)
        return lbh_error(LBH_EINVAL, "sgh: %s needs score=hamming: searched codes are made from "
                                     "the decoder alone", what);
    if (!linear)
        return lbh_error(LBH_EINVAL, "sgh: %s needs metric=l2, or mips=linear: searched codes are "
                                     "made from the decoder alone", what);
    if (latent && self->value[SGH_OPT_OBJECTIVE] != SGH_PAPER)
        return lbh_error(LBH_EINVAL, "sgh: latent_scale=1 needs objective=paper");
    if (self->value[SGH_OPT_EARLY_STOP] != 0)
        return lbh_error(LBH_EINVAL, "sgh: %s needs early_stop=0: the error on held-out rows is "
                                     "that of the basic model", what);
    double batch = self->value[SGH_OPT_BATCH];
    if (pairs && (batch < 2 || batch > SGH_PAIRS_MAX_BATCH))
        return lbh_error(LBH_EINVAL, "sgh: batch (%g) must be 2 to %d with pairs", batch,
                         SGH_PAIRS_MAX_BATCH);
    return LBH_OK;
}

/* ---- Latent scale -------------------------------------------------------------------------- */

static int take_latent(const lbh_encoder *self, lbh_training *t, sgh_run *r)
{
    int64_t L = r->cfg.nbits, d = r->cfg.d, B = r->B;
    sgh_scale *s = lbh_scratch(t, 1, sizeof *s);
    if (!s)
        return LBH_ENOMEM;
    lbh_learned *p = s->learned;
    LBH_TRY(lbh_learned_take(t, "Wz", 1, L * d, &p[0]));
    LBH_TRY(lbh_learned_take(t, "bz", 1, L, &p[1]));
    LBH_TRY(lbh_learned_take(t, "tz", 1, L, &p[2]));
    s->W = p[0].theta, s->b = p[1].theta, s->t = p[2].theta;
    s->gW = p[0].grad, s->gb = p[1].grad, s->gt = p[2].grad;
    s->penalty = (float)self->value[SGH_OPT_SCALE_PENALTY];
    for (int k = 0; k < L; k++) {
        s->b[k] = 1;
        s->t[k] = logf(START_TAU);
    }
    s->eps = lbh_scratch_f(t, B, L);
    s->Z = lbh_scratch_f(t, B, L);
    s->M = lbh_scratch_f(t, B, L);
    s->D = lbh_scratch_f(t, B, L);
    r->cfg.latent = s;
    return s->eps && s->Z && s->M && s->D ? LBH_OK : LBH_ENOMEM;
}

/* ---- Pairs --------------------------------------------------------------------------------- */

static int64_t longest_list(const sgh_pairs *p)
{
    int64_t longest = 1;
    for (int64_t i = 0; i < p->n; i++)
        if (p->start[i + 1] - p->start[i] > longest)
            longest = p->start[i + 1] - p->start[i];
    return longest;
}

static int take_pairs(const lbh_encoder *self, lbh_training *t, sgh_run *r)
{
    int64_t B = r->B, L = r->cfg.nbits;
    sgh_pairs *p = lbh_scratch(t, 1, sizeof *p);
    if (!p)
        return LBH_ENOMEM;
    p->weight = (float)self->value[SGH_OPT_LAMBDA_PAIRS];
    LBH_TRY(sgh_near_find(self, t, r, p));
    int64_t holders = B * (p->member ? longest_list(p) : 1);
    p->mid = lbh_scratch_f(t, 2, L + 1);
    p->half = lbh_scratch_f(t, 1, L + 1);
    p->loss = lbh_scratch(t, 2 * (L + 1), sizeof *p->loss);
    p->row = lbh_scratch(t, B, sizeof *p->row);
    p->relation = lbh_scratch_f(t, B, B);
    p->F = lbh_scratch_f(t, B, L);
    p->S = lbh_scratch_f(t, B, B);
    p->row_loss = lbh_scratch(t, B, sizeof *p->row_loss);
    p->head = lbh_scratch(t, p->nkeys, sizeof *p->head);
    p->next = lbh_scratch(t, holders, sizeof *p->next);
    p->holder = lbh_scratch(t, holders, sizeof *p->holder);
    if (!p->mid || !p->half || !p->loss || !p->row || !p->relation || !p->F || !p->S ||
        !p->row_loss || !p->head || !p->next || !p->holder)
        return LBH_ENOMEM;
    sgh_pairs_tables(p, (int)L, r->cfg.estimator);
    r->cfg.pairs = p;
    return LBH_OK;
}

/* ---- In a training ------------------------------------------------------------------------- */

int sgh_extend(const lbh_encoder *self, lbh_training *t, sgh_run *r)
{
    if (self->value[SGH_OPT_LATENT_SCALE] != 0)
        LBH_TRY(take_latent(self, t, r));
    if (self->value[SGH_OPT_PAIRS] != SGH_PAIRS_NONE)
        LBH_TRY(take_pairs(self, t, r));
    return LBH_OK;
}

const int64_t *sgh_extend_draw(const sgh_run *r, int64_t step)
{
    const sgh_scale *s = r->cfg.latent;
    int L = r->cfg.nbits;
    if (s) {
#pragma omp parallel for schedule(static)
        for (int i = 0; i < r->B; i++) { /* every row of every batch has a stream of its own */
            uint64_t row = (uint64_t)(step * r->B + i);
            lbh_rng_normal(r->seed, STREAM_LATENT + (row << 8), L, s->eps + (int64_t)i * L);
        }
    }
    if (!r->cfg.pairs)
        return NULL;
    sgh_pairs_draw(r->cfg.pairs, r->seed, step, r->B);
    return r->cfg.pairs->row;
}

void sgh_extend_step(const sgh_run *r, const lbh_adam *adam, float rate)
{
    if (r->cfg.latent)
        lbh_learned_step(adam, rate, r->cfg.latent->learned, SGH_SCALE_BLOCKS);
}

/* A penalty that is too weak lets the latents carry the data, and the bits stand still. */
int sgh_extend_finish(const lbh_encoder *self, lbh_training *t, const sgh_run *r)
{
    int m = r->n < CHECK_ROWS ? (int)r->n : CHECK_ROWS, L = r->cfg.nbits, constant = 0;
    double variance = 0;
    for (int j = 0; j < r->cfg.d; j++)
        variance += (double)r->variance[j];
    if (!r->cfg.latent || m < CHECK_ROWS_LEAST || !(variance > 0))
        return LBH_OK;
    float *A = lbh_scratch_f(t, m, L);
    if (!A)
        return LBH_ENOMEM;
    lbh_gemm_nt(m, L, r->cfg.d, 1, r->rows, r->p.W, 0, A);
    for (int k = 0; k < L; k++) {
        int on = 0;
        for (int64_t i = 0; i < m; i++)
            on += A[i * L + k] + r->p.b[k] >= 0;
        constant += on == 0 || on == m;
    }
    if (2 * constant <= L)
        return LBH_OK;
    return lbh_error(LBH_ENUMERIC, "sgh: latent_scale=1: %d of the %d bits are the same for all "
                                   "rows; a stronger scale_penalty than %g helps",
                     constant, L, self->value[SGH_OPT_SCALE_PENALTY]);
}
