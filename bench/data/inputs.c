/* inputs.c: the files that a command line names beside the base: queries and labels. */
#include "inputs.h"

#include "synthetic.h"

#include <stdlib.h>

int query_check(const char *query, const char *base, const char *command_name)
{
    char *made = query ? NULL : synthetic_part(base, "query");
    int rc = query || made ? LBH_OK
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
        return LBH_OK;
    int rc = labels_open(l, spec ? spec : rows->name);
    if (rc == LBH_OK)
        rc = labels_fit(l, spec ? spec : rows->name, rows);
    if (rc)
        labels_close(l);
    return rc;
}
