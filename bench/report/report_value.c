/* report_value.c: numbers of a cell by name, and their spread over seeds. See report_data.h. */
#define _POSIX_C_SOURCE 200809L
#include "report_data.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const scoring_name[SCORINGS] = {"codes as they are", "margin", "decoder",
                                            "float vectors", "other"};

int scoring_of(const char *rescore)
{
    static const char *const modes[] = {"hamming", "margin", "decoder", "float", "none"};
    size_t len = strcspn(rescore, ":"); /* behind it the number of candidates */
    for (int i = 0; i < 5; i++)
        if (strlen(modes[i]) == len && strncmp(rescore, modes[i], len) == 0)
            return i % 4;
    return len == 0 ? 0 : 4;
}

bool value_less_is_better(const char *path)
{
    static const char *const less[] = {"reconstruction.mse", "reconstruction.relative", "train_s",
                                       "encode_s", "build_s", "codes.correlation"};
    for (size_t i = 0; i < sizeof less / sizeof *less; i++)
        if (strcmp(path, less[i]) == 0)
            return true;
    return false;
}

/* value[i] for the i with at[i] = n. */
static double value_at(const cJSON *curve, double n)
{
    const cJSON *at = cJSON_GetObjectItemCaseSensitive(curve, "at");
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(curve, "value");
    if (!cJSON_IsArray(at) || !cJSON_IsArray(value))
        return NAN;
    const cJSON *v = value->child;
    for (const cJSON *a = at->child; a && v; a = a->next, v = v->next)
        if (cJSON_IsNumber(a) && a->valuedouble == n)
            return cJSON_IsNumber(v) && isfinite(v->valuedouble) ? v->valuedouble : NAN;
    return NAN;
}

double cell_value(const cJSON *cell, const char *path)
{
    int k, n;
    if (sscanf(path, "recall.%d@%d", &k, &n) == 2) {
        const cJSON *list = cJSON_GetObjectItemCaseSensitive(cell, "recall"), *curve;
        cJSON_ArrayForEach(curve, list) if (result_number(curve, "k") == k)
            return value_at(curve, n);
        return NAN;
    }
    if (sscanf(path, "precision@%d", &n) == 1)
        return value_at(cJSON_GetObjectItemCaseSensitive(cell, "precision"), n);
    for (const char *dot; (dot = strchr(path, '.')) != NULL; path = dot + 1) {
        char name[64];
        snprintf(name, sizeof name, "%.*s", (int)(dot - path), path);
        cell = cJSON_GetObjectItemCaseSensitive(cell, name);
    }
    return result_number(cell, path);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

spread spread_of(int n, double *values)
{
    if (n == 0)
        return (spread){0, NAN, NAN, NAN};
    qsort(values, (size_t)n, sizeof *values, by_value);
    double median = n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
    return (spread){n, median, values[0], values[n - 1]};
}

spread result_value(const data_result *r, const char *path)
{
    double local[16], *values = r->n <= 16 ? local : malloc((size_t)r->n * sizeof *values);
    int n = 0;
    for (int i = 0; values && i < r->n; i++) {
        double v = cell_value(r->cell[i], path);
        if (isfinite(v))
            values[n++] = v;
    }
    spread s = values ? spread_of(n, values) : spread_of(0, NULL);
    if (values != local)
        free(values);
    return s;
}

const char *report_recall_path(const report_data *r)
{
    static char path[48];
    snprintf(path, sizeof path, "recall.%d@%d", r->k, r->at);
    return path;
}

const char *report_main_path(const report_data *r, int set)
{
    return strcmp(r->set[set].metric, "label") == 0 ? "label_map" : report_recall_path(r);
}

/* The K of mAP@K, if all results that have one agree. */
static int map_depth(const report_data *r)
{
    double k = 0;
    for (int i = 0; i < r->nresults; i++) {
        double one = cell_value(r->result[i].cell[0], "map_k");
        if (one > 0 && k > 0 && one != k)
            return 0;
        k = one > 0 ? one : k;
    }
    return k < 1e9 ? (int)k : 0;
}

void path_name(const report_data *r, const char *path, char name[64])
{
    static const struct {
        const char *path, *name;
    } known[] = {{"label_map", "mAP of labels"},
                 {"radius2.precision", "precision, Hamming radius 2"},
                 {"reconstruction.mse", "squared rebuilding error"},
                 {"reconstruction.relative", "rebuilding error / variance"},
                 {"train_s", "seconds of training"},
                 {"codes.balance", "balance of the bits"},
                 {"codes.correlation", "correlation of bits"},
                 {"codes.entropy", "entropy of the codes, bits"},
                 {"map", "mAP of neighbours"}};
    if (strncmp(path, "recall.", 7) == 0)
        snprintf(name, 64, "recall %.50s", path + 7);
    else
        snprintf(name, 64, "%.60s", path);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(path, known[i].path) == 0)
            snprintf(name, 64, "%s", known[i].name);
    if (strcmp(path, "map") == 0 && map_depth(r) > 0)
        snprintf(name, 64, "mAP of the %d nearest", map_depth(r));
}

char *result_settings(const data_result *r)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    if (r->ceiling)
        fputs("whole vectors", out);
    else
        fprintf(out, "%d bits", r->nbits);
    if (*r->index)
        fprintf(out, ", %s", r->index);
    if (*r->search)
        fprintf(out, " %s", r->search);
    if (scoring_of(r->rescore) != 0)
        fprintf(out, ", %s", r->rescore);
    if (*r->options)
        fprintf(out, ", %s", r->options);
    return fclose(out) == 0 ? text : NULL;
}

bool result_in(const data_result *one, int set, int nbits)
{
    return one->set == set && (nbits < 0 || one->ceiling || one->nbits == nbits);
}

const data_result *report_best(const report_data *r, int set, int nbits, int method, int scoring,
                               const char *path)
{
    const data_result *best = NULL;
    double most = -INFINITY, sign = value_less_is_better(path) ? -1 : 1;
    for (int i = 0; i < r->nresults; i++) {
        const data_result *one = &r->result[i];
        if (!result_in(one, set, nbits) || one->method != method ||
            (scoring >= 0 && scoring_of(one->rescore) != scoring))
            continue;
        spread s = result_value(one, path);
        if (s.n > 0 && (!best || sign * s.median > most)) {
            most = sign * s.median;
            best = one;
        }
    }
    return best;
}
