/* recall_row.c: see recall_row.h. */
#include "recall_row.h"

#include "bench_measure.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const int recall_k[RECALLS] = {1, 10, 10, 10}, recall_n[RECALLS] = {1, 10, 100, 1000};

int recall_row_measure(recall_row *row, const bench_engine *e, const float *x)
{
    const bench_data *d = e->data;
    int64_t rows = d->base.n - (d->own ? 1 : 0), k = rows < ANSWERS ? rows : ANSWERS;
    int64_t *ids = cli_alloc(d->query.n * k, sizeof *ids);
    *row = (recall_row){0};
    int rc = ids ? measure_search(e, d->query.n, x, d->own, k, ids, &row->seconds) : LBH_ENOMEM;
    for (int i = 0; rc == LBH_OK && i < RECALLS; i++)
        row->recall[i] =
            d->near.ids ? recall_at(&d->near, ids, k, recall_k[i], recall_n[i]) : NAN;
    free(ids);
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
