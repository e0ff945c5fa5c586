/* synthetic.h: the built-in data set, so that every command runs without a download.
 *
 *     synthetic:n=100000,d=128,queries=1000,learn=0,clusters=100,decay=0.5,seed=1,part=base
 *
 * A mixture of Gaussians whose variances fall as (1 + j)^(-2 decay) along hidden directions, each
 * cluster with a spectrum and a weight of its own, rotated and moved off the origin: the shape that
 * descriptors and embeddings have. Row i is a function of (seed, i) alone, so nothing is stored and
 * every thread count gives the same numbers. part: base = rows 0 .. n-1, query = the next `queries`
 * rows, learn = the `learn` rows behind them. The cluster of a row is its label.
 */
#ifndef LBH_SYNTHETIC_H
#define LBH_SYNTHETIC_H

#include "cli.h"

typedef struct synthetic synthetic;

int synthetic_open(synthetic **s, const char *text);
void synthetic_close(synthetic *s);
int64_t synthetic_rows(const synthetic *s);
int synthetic_d(const synthetic *s);
void synthetic_row(const synthetic *s, int64_t row, float *x);
int64_t synthetic_label(const synthetic *s, int64_t row);

/* "synthetic:...,part=PART" from the specification of another part; NULL if `spec` is a file. The
 * caller frees. */
char *synthetic_part(const char *spec, const char *part);

#endif
