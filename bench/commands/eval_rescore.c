/* eval_rescore.c: plain and rescored answers side by side. See eval_report.h. */
#include "bench_measure.h"
#include "eval_report.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const names[] = {"hamming", "margin", "decoder", "float"}; /* LBH_RESCORE_* */
static const int recalls[3][2] = {{1, 1}, {1, 10}, {10, 10}};

/* One ranking. RANK_* begin as LBH_RESCORE_* do. */
static int measure_row(rescore_row *row, bench_engine *e, const float *x, const rescore_args *how,
                       int mode)
{
    const bench_data *d = e->data;
    int64_t *ids = cli_alloc(d->query.n * RESCORE_K, sizeof *ids);
    *row = (rescore_row){.name = names[mode]};
    int rc = ids ? engine_rank(e, (spec_rescore){mode, 0},
                               (lbh_shortlist){how->k_factor, how->margin_factor})
                 : LBH_ENOMEM;
    if (rc == LBH_OK)
        rc = measure_search(e, d->query.n, x, d->own, RESCORE_K, ids, &row->seconds);
    for (int i = 0; rc == LBH_OK && i < 3; i++)
        row->recall[i] = recall_at(&d->near, ids, RESCORE_K, recalls[i][0], recalls[i][1]);
    free(ids);
    return rc;
}

int rescore_measure(rescore_table *table, bench_engine *e, const float *x, const rescore_args *how)
{
    *table = (rescore_table){.queries = e->data->query.n};
    for (int mode = LBH_RESCORE_NONE; mode <= LBH_RESCORE_FLOAT; mode++) {
        bool all = how->mode == RESCORE_ALL;
        if (mode != LBH_RESCORE_NONE && mode != how->mode && !all)
            continue;
        if (mode == LBH_RESCORE_DECODER && all && !has_decoder(e->model->enc))
            continue;
        LBH_TRY(measure_row(&table->row[table->rows++], e, x, how, mode));
    }
    return LBH_OK;
}

void rescore_report(cJSON *doc, const rescore_table *table, const rescore_args *how)
{
    cJSON *object = cJSON_AddObjectToObject(doc, "rescore");
    report_number(object, "k", RESCORE_K);
    report_number(object, "k_factor", how->k_factor);
    report_number(object, "margin_factor", how->margin_factor);
    for (int i = 0; i < table->rows; i++) {
        const rescore_row *row = &table->row[i];
        cJSON *values = cJSON_AddObjectToObject(object, row->name);
        for (int r = 0; r < 3; r++) {
            char name[32];
            snprintf(name, sizeof name, "%d@%d", recalls[r][0], recalls[r][1]);
            report_number(values, name, row->recall[r]);
        }
        report_seconds(values, "search_seconds", row->seconds);
        report_number(values, "queries_per_second", (double)table->queries / row->seconds);
    }
}

int rescore_print(const rescore_table *table)
{
    static const char *const heads[] = {"ranking", "1@1", "1@10", "10@10", "queries/s"};
    sheet *s = sheet_new(5, heads);
    for (const rescore_row *row = table->row; row < table->row + table->rows; row++) {
        sheet_cell(s, "%s", row->name);
        for (int r = 0; r < 3; r++)
            sheet_cell(s, "%.3f", row->recall[r]);
        sheet_cell(s, "%.0f", (double)table->queries / row->seconds);
    }
    printf("\n");
    LBH_TRY(sheet_print(s));
    return report_flush();
}
