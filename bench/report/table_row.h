/* table_row.h: lines of results that differ in their seeds alone, and their numbers. */
#ifndef LBH_TABLE_ROW_H
#define LBH_TABLE_ROW_H

#include <cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TABLE_SEEDS = 64 };

typedef struct table_row {
    int lines, place;
    const cJSON *line[TABLE_SEEDS];
} table_row;

/* Of the lines that have it; n = 0: none. */
typedef struct table_value {
    int n;
    double median, least, greatest;
} table_value;

/* Whether two lines are of one row: the rule of tables and of pages. */
bool same_row(const cJSON *a, const cJSON *b);

/* recallK@N, map (of metric = label: label_map), map@R, precision@N, mse, or a number of the line.
 */
table_value table_row_value(const table_row *r, const char *what);

/* recall K@N of a line, or NaN. */
double recall_of(const cJSON *line, int64_t k, int64_t n);

/* "0.71 [0.70..0.72]" */
void table_cell(char *cell, size_t room, const table_value *v, const char *format);

#endif
