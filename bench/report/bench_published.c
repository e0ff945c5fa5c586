/* bench_published.c: see bench_published.h. */
#define _GNU_SOURCE
#include "bench_published.h"

#include "bench_spec.h"
#include "output.h"
#include "result_lines.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The row of a data set and label at so many bits; of several the one by Hamming distance alone. */
static const table_row *find(int n, const table_row *row, const spec_row *p, int64_t nbits)
{
    const table_row *found = NULL;
    for (int i = 0; i < n; i++) {
        const cJSON *line = row[i].line[0];
        bool ours = result_is(line, "data", p->data) && result_is(line, "label", p->label) &&
                    result_number(line, "nbits") == (double)nbits;
        if (ours && (!found || result_is(line, "rescore", "hamming")))
            found = &row[i];
    }
    return found;
}

static void add_row(sheet *s, const spec_published *p, const spec_row *r, int n, const table_row *row)
{
    sheet_cell(s, "%s %s", r->data, r->label);
    for (int b = 0; b < p->nbits.count; b++) {
        const table_row *mine = find(n, row, r, p->nbits.value[b]);
        char measured[64] = "-", printed[24] = "-";
        if (mine) {
            table_value v = table_row_value(mine, p->what);
            table_cell(measured, sizeof measured, &v, "%.3g");
        }
        if (b < r->count && !isnan(r->value[b]))
            snprintf(printed, sizeof printed, "%.3g", r->value[b]);
        sheet_cell(s, "%s (%s)", measured, printed);
    }
}

static int print_one(const spec_published *p, int n, const table_row *row)
{
    const char *heads[SPEC_LIST + 1] = {p->what};
    char bits[SPEC_LIST][32];
    for (int b = 0; b < p->nbits.count; b++) {
        snprintf(bits[b], sizeof bits[b], "%lld bits", (long long)p->nbits.value[b]);
        heads[b + 1] = bits[b];
    }
    sheet *s = sheet_new(p->nbits.count + 1, heads);
    for (int i = 0; i < p->rows; i++)
        add_row(s, p, &p->row[i], n, row);
    printf("%s%s%s: measured here (published)\n\n", p->title, *p->title ? ", " : "", p->source);
    LBH_TRY(sheet_print(s));
    printf("\n");
    return LBH_OK;
}

int published_print(const char *dir, int n, const table_row *row)
{
    bench_spec *spec;
    int rc = LBH_OK;
    if (bench_spec_of(&spec, dir)) /* one that cannot be read has no published numbers */
        spec = NULL;
    for (int i = 0; spec && i < spec->npublished && rc == LBH_OK; i++)
        if (spec->published[i].rows)
            rc = print_one(&spec->published[i], n, row);
    bench_spec_free(spec);
    return rc;
}
