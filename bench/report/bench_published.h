/* bench_published.h: rows of results beside numbers that were printed elsewhere. */
#ifndef LBH_BENCH_PUBLISHED_H
#define LBH_BENCH_PUBLISHED_H

#include "table_row.h"

/* Prints a table for each [published] section of DIR/spec.ini: what was measured, what was
 * printed. */
int published_print(const char *dir, int n, const table_row *row);

#endif
