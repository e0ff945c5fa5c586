/* common.c: what the subcommands share. See common.h. */
#define _POSIX_C_SOURCE 200809L
#include "common.h"


#include <omp.h>

void common_begin(const common *c)
{
    if (c->threads > 0)
        omp_set_num_threads((int)c->threads);
    progress_init(c->quiet);
}

void report_notes(cJSON *doc, const lbh_encoder *enc)
{
    static const char *const names[] = {"damped",         "zero_rows",     "few_rows",
                                        "held_out",       "recall_hamming", "recall_margin",
                                        "recall_decoder", "best_ranking",  "few_codes",
                                        "dead_bits"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (lbh_encoder_note(enc, names[i]))
            report_text(doc, names[i], lbh_encoder_note(enc, names[i]));
}

int common_end(cJSON *doc, int json, int rc)
{
    if (rc == LBH_OK)
        return report_print(doc, json);
    cJSON_Delete(doc);
    return rc;
}
