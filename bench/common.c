/* common.c: what the subcommands share. See common.h. */
#define _POSIX_C_SOURCE 200809L
#include "common.h"

#include "synthetic.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const int recall_k[RECALLS] = {1, 10, 10, 10}, recall_n[RECALLS] = {1, 10, 100, 1000};

void common_begin(const common *c)
{
    if (c->threads > 0)
        omp_set_num_threads((int)c->threads);
    progress_init(c->quiet);
}

/* Options that the library refuses are the user's words: a usage error. */
static int refused(int code)
{
    int rc = fail_library(code);
    return code == LBH_EINVAL ? EXIT_USAGE : rc;
}

bool method_has(const char *method, const char *option)
{
    lbh_param p;
    for (int i = 0; lbh_method_param(&p, method, i) == LBH_OK; i++)
        if (strcmp(p.name, option) == 0)
            return true;
    return false;
}

int encoder_make(lbh_encoder **enc, const char *method, int d, int nbits, bool ip,
                 const char *assignments, int64_t seed)
{
    *enc = NULL;
    int rc = lbh_encoder_new(enc, method, d, nbits);
    if (rc == LBH_OK && ip && method_has(method, "metric"))
        rc = lbh_encoder_set(*enc, "metric=ip");
    if (rc == LBH_OK && assignments)
        rc = lbh_encoder_set(*enc, assignments);
    if (rc == LBH_OK && seed >= 0)
        rc = lbh_encoder_set_value(*enc, "seed", (double)seed);
    if (rc == LBH_OK) {
        lbh_encoder_on_progress(*enc, progress_training, NULL);
        return EXIT_OK;
    }
    rc = refused(rc);
    lbh_encoder_free(*enc);
    *enc = NULL;
    return rc;
}

int query_check(const char *query, const char *base, const char *command_name)
{
    char *made = query ? NULL : synthetic_part(base, "query");
    int rc = query || made ? EXIT_OK
                           : fail_usage("%s: option --query is missing (try 'lbh %s --help')",
                                        command_name, command_name);
    free(made);
    return rc;
}

int query_open(vectors *v, const char *query, const char *base)
{
    char *made = query ? NULL : synthetic_part(base, "query");
    int rc = query || made ? vectors_open(v, query ? query : made) : fail_memory();
    free(made);
    return rc;
}

int row_labels_open(labels *l, const char *spec, const vectors *rows, bool *have)
{
    *l = (labels){0};
    *have = spec || rows->made;
    if (!*have)
        return EXIT_OK;
    int rc = labels_open(l, spec ? spec : rows->name);
    if (rc == EXIT_OK)
        rc = labels_fit(l, spec ? spec : rows->name, rows);
    if (rc)
        labels_close(l);
    return rc;
}

void report_recall(cJSON *doc, const double recall[RECALLS])
{
    cJSON *object = cJSON_AddObjectToObject(doc, "recall");
    for (int i = 0; i < RECALLS; i++) {
        char name[32];
        snprintf(name, sizeof name, "%d@%d", recall_k[i], recall_n[i]);
        report_number(object, name, recall[i]);
    }
}

int common_end(cJSON *doc, int json, int rc)
{
    if (rc == EXIT_OK)
        return report_print(doc, json);
    cJSON_Delete(doc);
    return rc;
}
