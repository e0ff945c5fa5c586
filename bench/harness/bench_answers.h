/* bench_answers.h: what codes look like to people, as lines of results: pictures of answers, and codes
 * with their labels, of which the report makes a map. */
#ifndef LBH_BENCH_ANSWERS_H
#define LBH_BENCH_ANSWERS_H

#include "bench_model.h"

enum { ANSWERED_QUERIES = 5, ANSWERS_SHOWN = 10 };

/* Some queries at even distances, each with the first ten of the ranking by (Hamming distance, row) as
 * pictures, and which of them share a label with it. NULL with the error raised. */
cJSON *answers_line(const bench_data *d, const spec_method *m, const bench_model *model,
                    int64_t nbits, int64_t seed);

/* Codes of d->spec->codes rows of the base at even distances, and the first label of each (-1: none). */
cJSON *codes_line(const bench_data *d, const spec_method *m, const bench_model *model,
                  int64_t nbits, int64_t seed);

#endif
