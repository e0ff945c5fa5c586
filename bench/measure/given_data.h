/* given_data.h: base, queries, training rows and what is relevant, as the options of a command name
 * them (`lbh bench` has its sets from a specification: bench_data.h). */
#ifndef LBH_GIVEN_DATA_H
#define LBH_GIVEN_DATA_H

#include "bench_data.h"

typedef struct given_data {
    const char *command; /* for messages */
    const char *base, *query, *query_ids, *train, *labels, *base_labels, *query_labels, *split, *truth;
    int metric;          /* BENCH_* */
    bool wants_labels;   /* of base and queries, whatever the metric */
    bool learns;         /* from --train, else the base, with --labels */
    int64_t map_k;       /* true neighbours that count */
    spec_data set;       /* what the data are of; filled in */
} given_data;

/* Opens the rows, or splits them; the labels that are wanted; finds or reads the true neighbours. `g`
 * and `d` stay where they are while the data are used; bench_data_close(d) in any case. */
int given_open_rows(bench_data *d, given_data *g);
int given_open_relevance(bench_data *d, const given_data *g);

#endif
