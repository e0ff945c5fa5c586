/* bench_draw.h: rows that are drawn from the base, which is then the others; at random, by split_seed.
 */
#ifndef LBH_BENCH_DRAW_H
#define LBH_BENCH_DRAW_H

#include "bench_data.h"

/* *n: the N of a value WORD:N of a key; 0 if it is none. CLI_EUSAGE if the number is bad. */
int bench_drawn(const spec_data *spec, const char *key, const char *word, const char *text, int64_t *n);

/* Queries; labels go with their rows. */
int bench_draw_queries(bench_data *d, int64_t count);

/* Rows to learn from, after the queries are there: rows of the base that these are change their
 * numbers. */
int bench_draw_train(bench_data *d, int64_t count);

#endif
