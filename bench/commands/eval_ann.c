/* eval_ann.c: --ann-benchmarks of `lbh eval`. See eval_labels.h. */
#include "eval_labels.h"

#include <stdio.h>

int eval_export(const ann_args *a, ann_run *run, ann_codes *codes, const char *factory,
                const char *set)
{
    static const char *const modes[] = {"none", "margin", "decoder", "float"};
    char rescore[96] = "", parameters[512];
    const rescore_args *how = &codes->rescore;
    lbh_rows rows = vectors_rows(run->base);
    if (how->mode)
        snprintf(rescore, sizeof rescore, ",rescore=%s,k_factor=%g", modes[how->mode],
                 how->k_factor);
    snprintf(parameters, sizeof parameters, "%d,%s%s%s%s", lbh_encoder_nbits(codes->enc), factory,
             set ? "," : "", set ? set : "", rescore);
    run->answer = ann_codes_answer;
    run->ctx = codes;
    run->method = lbh_encoder_method(codes->enc);
    run->parameters = parameters;
    run->bytes = (double)lbh_encoder_code_size(codes->enc);
    if (how->mode == LBH_RESCORE_FLOAT)
        run->bytes += (double)run->base->d * sizeof(float);
    int rc = ann_codes_open(codes, &rows, run->metric);
    if (rc == EXIT_OK)
        rc = ann_export(a, run);
    ann_codes_close(codes);
    return rc;
}
