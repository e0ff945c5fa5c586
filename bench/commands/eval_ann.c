/* eval_ann.c: --ann-benchmarks of `lbh eval`. See eval_report.h. */
#include "eval_report.h"

#include <stdio.h>

int eval_export(const ann_args *a, bench_engine *e, const rescore_args *how, const char *factory,
                const char *set)
{
    static const char *const modes[] = {"none", "margin", "decoder", "float"};
    char rescore[96] = "", parameters[512];
    const bench_model *m = e->model;
    int mode = rescore_for(how, m->enc).mode;
    if (mode)
        snprintf(rescore, sizeof rescore, ",rescore=%s,k_factor=%g", modes[mode], how->k_factor);
    snprintf(parameters, sizeof parameters, "%d,%s%s%s%s", m->nbits, factory, set ? "," : "",
             set ? set : "", rescore);
    ann_run run = {.engine = e, .method = lbh_encoder_method(m->enc), .parameters = parameters,
                   .bytes = (double)m->code_size, .build_seconds = m->encode_s + e->build_s};
    if (mode == LBH_RESCORE_FLOAT)
        run.bytes += (double)e->data->base.d * sizeof(float);
    LBH_TRY(engine_rank(e, (spec_rescore){mode, 0},
                    (lbh_shortlist){how->k_factor, how->margin_factor}));
    return ann_export(a, &run);
}
