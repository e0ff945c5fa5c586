/* report_summary.h: what the parts of a report's summary share. */
#ifndef LBH_REPORT_SUMMARY_H
#define LBH_REPORT_SUMMARY_H

#include "report_html.h"

enum { MEASURES = 16, MOST_BITS = 64 };

/* What a data set is compared by: paths of values that it has. */
typedef struct measures {
    int n;
    char path[MEASURES][64];
} measures;
measures measures_of(const report_data *r, int set, const bench_spec *spec);

/* "recall10@100", "map@1000", "mse" of a specification as a path. */
void published_path(const data_set *set, const char *what, char path[64]);

/* Whether codes take more bytes than their bits; whether a result takes no more memory than those:
 * neither larger codes nor float vectors. */
bool larger(const data_result *one);
bool fits(const data_result *one);

typedef struct best {
    const data_result *of; /* NULL: none */
    spread value;
} best;

/* The best that fits, of the learned methods, or of the others but the ceilings. */
best champion(const report_data *r, int set, int nbits, const char *path, bool learned);

/* The tables of methods by bits. */
void put_leagues(FILE *out, const report_data *r, const bench_spec *spec);

#endif
