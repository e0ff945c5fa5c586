/* cmd_speed.c: `lbh speed`: ours against FAISS and against the hardware, side by side. */
#include "common.h"
#include "speed.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct speed_args {
    common common;
    speed_options o;
    int64_t repeats;
    char *only;
} speed_args;

static const char *const parts[] = {"limits", "scan", "ivf", "mih", "encode", "train"};
enum { LIMITS, SCAN, IVF, MIH, ENCODE, TRAIN, PARTS };

/* wanted[p]: whether --only names part p; all of them without it. */
static int choose_parts(const char *only, bool wanted[PARTS])
{
    for (int p = 0; p < PARTS; p++)
        wanted[p] = !only;
    while (only && *only) {
        size_t n = strcspn(only, ",");
        int p = 0;
        while (p < PARTS && (strlen(parts[p]) != n || strncmp(parts[p], only, n) != 0))
            p++;
        if (p == PARTS)
            return fail_usage("speed: --only '%.*s': there are limits, scan, ivf, mih, encode, train",
                              (int)n, only);
        wanted[p] = true;
        only += n + (only[n] == ',');
    }
    return LBH_OK;
}

static int run_parts(const speed_options *o, const bool wanted[PARTS])
{
    LBH_TRY(wanted[LIMITS] ? speed_limits(o) : LBH_OK);
    if (wanted[SCAN])
        LBH_TRY(speed_scan(o));
    if (wanted[IVF] || wanted[MIH])
        LBH_TRY(speed_tables(o, wanted[IVF], wanted[MIH]));
    if (wanted[ENCODE])
        LBH_TRY(speed_encode(o));
    if (wanted[TRAIN])
        LBH_TRY(speed_train(o));
    return LBH_OK;
}

static double number(const cJSON *item, const char *name)
{
    return cJSON_GetNumberValue(cJSON_GetObjectItem(item, name));
}

static const char *text(const cJSON *item, const char *name)
{
    return cJSON_GetStringValue(cJSON_GetObjectItem(item, name));
}

/* One Markdown row a case; times in the unit of the case. */
static int print_table(const cJSON *results)
{
    static const char *const heads[] = {"case", "threads", "unit", "ours", "rival", "ratio",
                                        "min..max", "of the limit", "rival / limit"};
    sheet *s = sheet_new(9, heads);
    const cJSON *c;
    cJSON_ArrayForEach(c, results) {
        const cJSON *ratio = cJSON_GetObjectItem(c, "ratio");
        double low = number(ratio, "min"), high = number(ratio, "max");
        sheet_cell(s, "%s", text(c, "name"));
        sheet_number(s, "%.0f", number(c, "threads"));
        sheet_cell(s, "%s", text(c, "unit"));
        sheet_number(s, "%.4g", number(c, "ours"));
        sheet_number(s, "%.4g", number(c, "rival"));
        sheet_number(s, "%.2f", number(ratio, "median"));
        if (isnan(low))
            sheet_cell(s, "-");
        else
            sheet_cell(s, "%.2f..%.2f", low, high);
        sheet_number(s, "%.0f %%", 100 * number(c, "limit_fraction"));
        sheet_cell(s, "%s / %s", text(c, "rival_name"), text(c, "limit_name"));
    }
    LBH_TRY(sheet_print(s));
    return report_flush();
}

/* Takes over the results, as report_print does. */
static int print_results(cJSON *results, int json)
{
    if (json)
        return report_print(results, 1);
    int rc = print_table(results);
    cJSON_Delete(results);
    return rc;
}

static int run(const command *self, int argc, char **argv)
{
    speed_args a = {.o = {.n = 1000000}, .repeats = 5};
    const option_def defs[] = {
        {OPT_JOIN, 0, "only", "PARTS", &a.only, 0, 0, "of limits, scan, ivf, mih, encode, train (all)", 0},
        {OPT_INT, 'n', "codes", "N", &a.o.n, 1000, 1000000000, "codes to search (1000000)", 0},
        {OPT_TEXT, 0, "base", "FILE", &a.o.base, 0, 0,
         "rows whose SGH codes ivf and mih search (a built-in set)", 0},
        {OPT_TEXT, 0, "query", "FILE", &a.o.query, 0, 0, "and their queries", 0},
        {OPT_INT, 0, "repeats", "R", &a.repeats, 1, 100, "rounds a case (5)", 0},
        OPTIONS_COMMON(&a.common.json, &a.common.threads, &a.common.quiet),
        OPTIONS_LAST,
    };
    bool wanted[PARTS];
    int rc = options_parse(self, defs, argc, argv, NULL);
    if (rc == LBH_OK)
        rc = choose_parts(a.only, wanted);
    free(a.only);
    if (rc)
        return rc;
    common_begin(&a.common);
    a.o.repeats = (int)a.repeats;
    a.o.threads = omp_get_max_threads();
    a.o.results = cJSON_CreateArray();
    rc = a.o.results ? run_parts(&a.o, wanted) : fail_memory();
    progress_clear();
    if (rc == LBH_OK)
        return print_results(a.o.results, a.common.json);
    cJSON_Delete(a.o.results);
    return rc;
}

const command command_speed = {
    "speed", "Time ours against FAISS and against the limits of the hardware", "[OPTIONS]",
    "Every case runs ours and its rivals in turn, after a round that does not count; a ratio is the\n"
    "rival's time over ours within a round (the faster rival's), its median, smallest and largest.\n"
    "The limit is reading the bytes in the best of several ways, or counting the bits on registers,\n"
    "whichever takes longer; codes lie in ordinary pages unless a case says that they are huge; for\n"
    "encoding it is sgemm of the same shape, for training the products of its steps by sgemm. Figures\n"
    "for ten million codes: --codes 10000000 (about 4 GB of memory; FAISS's k-means takes minutes).\n",
    run};
