/* bench_terms.h: what is measured, as texts and numbers: a data set, a method, what ranks, and which
 * numbers are wanted. A specification says it, or a command line, or a worker's job. */
#ifndef LBH_BENCH_TERMS_H
#define LBH_BENCH_TERMS_H

#include "cli.h"

enum { SPEC_LIST = 64 };

typedef struct spec_numbers {
    int count;
    int64_t value[SPEC_LIST];
} spec_numbers;

typedef struct spec_texts {
    int count;
    const char *text[SPEC_LIST];
} spec_texts;

/* What ranks the items. */
enum { RANK_HAMMING, RANK_MARGIN, RANK_DECODER, RANK_FLOAT, RANK_SQ8, RANK_NONE };
typedef struct spec_rescore {
    int mode;
    int64_t depth; /* candidates that are scored; 0: as many as there are answers; -1: all */
} spec_rescore;

/* What cells share, in [bench], and what [method] may say anew (count 0: as [bench] has it). */
typedef struct spec_sweep {
    spec_numbers nbits, seeds;
    spec_texts index, search, rescore;
} spec_sweep;

enum { BENCH_L2, BENCH_IP, BENCH_COSINE, BENCH_LABEL }; /* but for the last as LBH_METRIC_* */
extern const char *const bench_metrics[]; /* "l2" "ip" "cosine" "label", NULL */

typedef struct spec_data {
    const char *name, *base, *queries, *query_ids, *labels, *query_labels, *train, *train_labels,
        *split;
    int64_t limit, sample, split_seed, max_queries; /* 0: no limit */
    int64_t codes; /* rows whose codes are kept for a map; 0: none */
    int metric, height, width;
} spec_data;

typedef struct spec_method {
    const char *id, *method, *label; /* label: what tables call it */
    const char *options;             /* "a=1,b=2", or "" */
    int64_t refine;
    spec_texts data;
    spec_sweep sweep;
} spec_method;

/* The numbers that are wanted. */
typedef struct spec_measures {
    spec_numbers k, at; /* recall of the true k among the first `at` answers */
    int64_t map_k;      /* true neighbours that count in full rankings; 0: none are made */
    int64_t map_at;     /* R of mAP@R; 0: not wanted */
    int64_t map_queries; /* at most so many queries in full rankings; 0: all */
    int64_t answers, repeats; /* of the timed search */
} spec_measures;

#endif
