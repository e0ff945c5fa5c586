/* bench_draw.h: rows that are drawn from the base, which is then the others; at random, by split_seed.
 */
#ifndef LBH_BENCH_DRAW_H
#define LBH_BENCH_DRAW_H

#include "bench_data.h"

/* N of a value WORD:N of a key; 0 if it is none, -1 with the error raised if the number is bad. */
int64_t bench_drawn(const spec_data *spec, const char *key, const char *word, const char *text);

/* Queries; labels go with their rows. */
int bench_draw_queries(bench_data *d, int64_t count);

/* Rows to learn from, after the queries are there: rows of the base that these are change their
 * numbers. */
int bench_draw_train(bench_data *d, int64_t count);

#endif
