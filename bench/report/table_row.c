/* table_row.c: see table_row.h. */
#define _GNU_SOURCE
#include "table_row.h"

#include "bench_measure.h"
#include "result_lines.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What makes two lines one row. */
bool same_row(const cJSON *a, const cJSON *b)
{
    static const char *const names[] = {"data",    "metric", "label", "method", "options",
                                        "index",   "search", "rescore"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(result_text(a, names[i]), result_text(b, names[i])) != 0)
            return false;
    static const char *const numbers[] = {"nbits", "n", "d", "nq", "map_k", "code_bytes",
                                          "threads"};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        double x = result_number(a, numbers[i]), y = result_number(b, numbers[i]);
        if (x != y && !(isnan(x) && isnan(y)))
            return false;
    }
    return true;
}

/* Of {"at": [..], "value": [..]} the value at n, or NaN. */
static double at_rank(const cJSON *curve, int64_t n)
{
    const cJSON *at = cJSON_GetObjectItem(curve, "at"), *value = cJSON_GetObjectItem(curve, "value");
    for (int i = 0; i < cJSON_GetArraySize(at); i++)
        if (cJSON_GetArrayItem(at, i)->valuedouble == (double)n && cJSON_GetArrayItem(value, i))
            return cJSON_GetArrayItem(value, i)->valuedouble;
    return NAN;
}

double recall_of(const cJSON *line, int64_t k, int64_t n)
{
    const cJSON *list = cJSON_GetObjectItem(line, "recall"), *one;
    double found = NAN;
    cJSON_ArrayForEach(one, list)
        if (result_number(one, "k") == (double)k && isnan(found))
            found = at_rank(one, n);
    return found;
}

/* What `what` of a published table names: recallK@N, map, map@R, precision@N, mse, train_s, qps. */
static double value_of(const cJSON *line, const char *what)
{
    long long k, n;
    int end = 0;
    bool by_label = result_is(line, "metric", "label");
    if (sscanf(what, "recall%lld@%lld%n", &k, &n, &end) == 2 && !what[end])
        return recall_of(line, k, n);
    if (sscanf(what, "precision@%lld%n", &n, &end) == 1 && !what[end])
        return at_rank(cJSON_GetObjectItem(line, "precision"), n);
    if (sscanf(what, "map@%lld%n", &n, &end) == 1 && !what[end]) {
        const cJSON *cut = cJSON_GetObjectItem(line, "map_at");
        if (result_number(cut, "r") == (double)n)
            return result_number(cut, "skip");
        return !by_label && result_number(line, "map_k") == (double)n ? result_number(line, "map")
                                                                    : NAN;
    }
    if (strcmp(what, "map") == 0)
        return result_number(line, by_label ? "label_map" : "map");
    if (strcmp(what, "mse") == 0)
        return result_number(cJSON_GetObjectItem(line, "reconstruction"), "mse");
    return result_number(line, what);
}

table_value table_row_value(const table_row *r, const char *what)
{
    double x[TABLE_SEEDS];
    table_value v = {.median = NAN, .least = NAN, .greatest = NAN};
    for (int i = 0; i < r->lines; i++) {
        x[v.n] = value_of(r->line[i], what);
        v.n += !isnan(x[v.n]);
    }
    v.median = median_of(x, v.n);
    if (v.n) {
        v.least = x[0]; /* sorted now */
        v.greatest = x[v.n - 1];
    }
    return v;
}

void table_cell(char *cell, size_t room, const table_value *v, const char *format)
{
    int len = 0;
    if (!v->n) {
        snprintf(cell, room, "-");
        return;
    }
    len = snprintf(cell, room, format, v->median);
    if (v->least == v->greatest || len >= (int)room - 2)
        return;
    len += snprintf(cell + len, room - (size_t)len, " [");
    len += snprintf(cell + len, room - (size_t)len, format, v->least);
    if (len < (int)room - 3)
        len += snprintf(cell + len, room - (size_t)len, "..");
    if (len < (int)room - 3)
        len += snprintf(cell + len, room - (size_t)len, format, v->greatest);
    if (len < (int)room - 2)
        snprintf(cell + len, room - (size_t)len, "]");
}
