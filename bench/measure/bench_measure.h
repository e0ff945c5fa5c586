/* bench_measure.h: the numbers of `lbh bench`: of answers (one cell), of codes (all cells of a
 * model that rank by Hamming distance) and of decoders. */
#ifndef LBH_BENCH_MEASURE_H
#define LBH_BENCH_MEASURE_H

#include "bench_data.h"
#include "bench_engine.h"
#include "float_rank.h"

#include <cJSON.h>

/* All queries as floats, x[nq * d]; the caller frees. */
int bench_query_floats(const bench_data *d, float **x);

/* k answers of n queries x without their own rows (own may be NULL), ids[n * k], -1 = none; adds the
 * time of the search alone to *seconds. */
int measure_search(const bench_engine *e, int64_t n, const float *x, const int64_t *own, int64_t k,
                   int64_t *ids, double *seconds);

/* The engine's float scores, for the sample of queries. */
ranker engine_ranker(const bench_engine *e);

/* Adds "recall", "precision", "search_s", "qps", "latency_ms", "answers", "repeats". */
int measure_answers(cJSON *o, const spec_measures *s, const bench_engine *e, const float *x);

/* Adds "map", "map_k", "map_at", "label_map", "radius2", "pr", "map_queries" of full Hamming
 * rankings, from the codes of the base and of the sample. */
int measure_codes(cJSON *o, const bench_data *d, const spec_measures *s, int nbits, size_t code_size,
                  const uint8_t *base, const uint8_t *sample);

/* The same of full rankings by float scores, as far as they can be had. */
int measure_floats(cJSON *o, const spec_measures *s, const bench_engine *e);

/* Adds "codes": balance, correlation, entropy. */
int measure_bits(cJSON *o, int64_t n, int nbits, size_t code_size, const uint8_t *codes);

/* Adds "reconstruction", where there is a decoder. */
int measure_decoder(cJSON *o, const lbh_encoder *enc, const vectors *v, const uint8_t *codes);

/* Adds a number unless it is NaN or infinite: fields that do not apply are absent. */
void add_number(cJSON *o, const char *name, double value);

/* To seven digits, so that lines are short. */
double short_number(double value);

/* The median of x[n], which it sorts; the mean of the middle two for even n. NaN for n = 0. */
double median_of(double *x, int n);

/* The percentile of rising x[n], n > 0, by the nearest rank: the least number that at least `share`
 * (0 to 1) of all do not exceed. */
double nearest_rank(const double *x, int n, double share);

#endif
