/* encoder_make.c: an encoder as a command line or a specification names it. */
#include "encoder_make.h"

#include "cli.h"
#include "progress.h"

#include <string.h>

bool method_has(const char *method, const char *option)
{
    lbh_param p;
    for (int i = 0; lbh_method_param(&p, method, i) == LBH_OK; i++)
        if (strcmp(p.name, option) == 0)
            return true;
    return false;
}

int encoder_make(lbh_encoder **enc, const char *method, int d, int nbits, int metric,
                 const char *assignments, int64_t seed)
{
    *enc = NULL;
    int rc = lbh_encoder_new(enc, method, d, nbits);
    if (rc == LBH_OK)
        rc = lbh_encoder_set_value(*enc, "metric", metric);
    if (rc == LBH_OK && assignments)
        rc = lbh_encoder_set(*enc, assignments);
    if (rc == LBH_OK && seed >= 0)
        rc = lbh_encoder_set_value(*enc, "seed", (double)seed);
    if (rc == LBH_OK) {
        lbh_encoder_on_progress(*enc, progress_training, NULL);
        return LBH_OK;
    }
    lbh_encoder_free(*enc);
    *enc = NULL;
    return cli_usage(rc);
}
