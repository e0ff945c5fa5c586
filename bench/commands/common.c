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

int common_end(cJSON *doc, int json, int rc)
{
    if (rc == EXIT_OK)
        return report_print(doc, json);
    cJSON_Delete(doc);
    return rc;
}
