/* bench_table.h: the results in a directory as tables on stdout. */
#ifndef LBH_BENCH_TABLE_H
#define LBH_BENCH_TABLE_H

#include "cli.h"

#include <cJSON.h>

/* Reads DIR/[!.]*.jsonl and DIR/spec.ini; prints one table for each data set, medians over the
 * seeds with [least..greatest], and published numbers beside what was measured. */
int bench_tables_print(const char *dir);

/* The rows as an array of objects: for --json. NULL with the error raised. */
cJSON *bench_tables_json(const char *dir);

#endif
