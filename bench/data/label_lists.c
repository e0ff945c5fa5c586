/* label_lists.c: the memory of labels, and the rule by which an array of numbers is labels. See labels.h. */
#include "labels.h"

#include <stdlib.h>

int labels_alloc(labels *l, int64_t n, int64_t room)
{
    l->n = n;
    l->start = cli_alloc(n + 1, sizeof *l->start);
    l->item = cli_alloc(room, sizeof *l->item);
    if (!l->start || !l->item)
        return LBH_ENOMEM;
    l->start[0] = 0;
    return LBH_OK;
}

void labels_close(labels *l)
{
    for (int64_t i = 0; l->name && i < l->nnames; i++)
        free(l->name[i]);
    free(l->name);
    free(l->number);
    free(l->start);
    free(l->item);
    *l = (labels){0};
}

int labels_by_rule(labels *l, const char *name, int64_t columns, bool can_pad, int *form)
{
    if (lbh_labels_read(l->n, columns, l->item, can_pad, form, l->start, l->item))
        return fail("'%s': %s", name, lbh_last_error());
    for (int64_t i = 0; *form == LBH_LABELS_SIGNS && i < l->start[l->n]; i++)
        l->item[i] = 2 * l->item[i] - 1; /* called as the file calls them */
    return LBH_OK;
}

int64_t sort_unique(int64_t *x, int64_t n)
{
    int64_t kept = 0;
    qsort(x, (size_t)n, sizeof *x, compare_ids);
    for (int64_t i = 0; i < n; i++)
        if (i == 0 || x[i] != x[i - 1])
            x[kept++] = x[i];
    return kept;
}
