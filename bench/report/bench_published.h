/* bench_published.h: rows of results beside numbers that were printed elsewhere. */
#ifndef LBH_BENCH_PUBLISHED_H
#define LBH_BENCH_PUBLISHED_H

#include <cJSON.h>
#include <stddef.h>

enum { TABLE_SEEDS = 64 };

/* Lines that differ in their seeds alone. */
typedef struct table_row {
    int lines, place;
    const cJSON *line[TABLE_SEEDS];
} table_row;

/* Of the lines that have it; n = 0: none. */
typedef struct table_value {
    int n;
    double median, least, greatest;
} table_value;

/* recallK@N, map (of metric = label: label_map), map@R, precision@N, mse, or a number of the line.
 */
table_value table_row_value(const table_row *r, const char *what);

/* "0.71 [0.70..0.72]" */
void table_cell(char *cell, size_t room, const table_value *v, const char *format);

/* Prints a table for each [published] section of DIR/spec.ini: what was measured, what was
 * printed. */
int published_print(const char *dir, int n, const table_row *row);

#endif
