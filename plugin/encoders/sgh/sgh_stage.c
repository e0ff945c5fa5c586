/* sgh_stage.c: the stage of near_stage.h behind SGH's own training. Codes from which the rows can be
 * rebuilt are where it starts: it learns less by heart from there than from ITQ, and ends higher. */
#include "few_rows.h"
#include "sgh.h"

/* Nothing is asked for that codes of ITQ are no answer to. */
static bool is_plain(const double *o)
{
    return o[SGH_OPT_PAIRS] == SGH_PAIRS_NONE && o[SGH_OPT_LATENT_SCALE] == 0 &&
           o[SGH_OPT_SCORE] != SGH_SCORE_DECODER && o[SGH_OPT_REFIT] != 0;
}

/* Longer codes have more to tell apart, and gain by three times the steps; the longest learn by
 * heart. */
int64_t sgh_stage_steps(const lbh_encoder *self)
{
    bool longer = self->nbits > 64 && self->nbits <= 192;
    const double *o = self->value;
    int64_t steps = (int64_t)o[SGH_OPT_NEAR_STEPS];
    if (!is_plain(o))
        return 0;
    return steps >= 0 ? steps : (int64_t)o[SGH_OPT_STEPS] / (longer ? 5 : 15);
}

int sgh_stage_take(const lbh_encoder *self, lbh_training *t, sgh_run *r)
{
    r->stage = (lbh_near_stage){.steps = r->stage.steps,
                                .done = (int64_t)self->value[SGH_OPT_STEPS],
                                .total = r->total,
                                .lr = self->value[SGH_OPT_NEAR_LR],
                                .beta = self->value[SGH_OPT_NEAR_BETA],
                                .sharpness = self->value[SGH_OPT_NEAR_SHARPNESS],
                                .L = r->cfg.nbits,
                                .W = r->p.W,
                                .b = r->p.b};
    return r->stage.steps > 0 ? lbh_near_take(t, &r->stage, r->cfg.d) : LBH_OK;
}

int sgh_stage_run(lbh_training *t, sgh_run *r, int64_t step)
{
    lbh_near_stage *s = &r->stage;
    if (s->steps == 0)
        return LBH_OK;
    LBH_TRY(lbh_near_run(t, s, r->n, r->cfg.d, r->rows, r->seed, step > s->done ? step - s->done : 0));
    r->done = t->stop || s->near.m == 0 ? s->done : s->done + s->steps;
    return LBH_OK;
}

int sgh_stage_too_few(lbh_encoder *self, const sgh_run *r, bool *too_few)
{
    const double *o = self->value;
    bool may_be = is_plain(o) && r->stage.steps > 0 && (int)o[SGH_OPT_INIT] == SGH_INIT_ITQ;
    return lbh_too_few_rows(self, r->n, may_be ? o[SGH_OPT_FEW_ROWS] : 0, too_few);
}
