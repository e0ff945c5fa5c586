/* bench_spec.h: the file that says what `lbh bench` measures, read into memory.
 *
 * An INI file; '#' and ';' begin comments at the start of a line or behind a blank; lists are
 * separated by blanks and may go on in the next line, if that is indented.
 *
 *   [bench]            what holds for all: k at map_k map_at answers nbits seeds repeats threads
 *                      time_limit memory_limit rescore index search
 *   [data NAME]        base queries query_ids labels query_labels train train_labels split
 *                      split_seed limit sample metric image codes
 *   [method ID]        ID = METHOD or METHOD:TEXT; options refine data label, and nbits seeds index
 *                      search rescore in place of those of [bench]
 *   [published TEXT]   source nbits what, and "DATA LABEL" = numbers in the order of nbits ("-":
 *                      none)
 *
 * Every error names the file, the line, the key and what is allowed. */
#ifndef LBH_BENCH_SPEC_H
#define LBH_BENCH_SPEC_H

#include "bench_terms.h"

enum { SPEC_DATA = 32, SPEC_METHODS = 128, SPEC_PUBLISHED = 32, SPEC_ROWS = 128 };

/* "hamming", "none", "margin", "decoder" (":R" or ":all" behind them), "float:R". False if it is
 * none of them. */
bool spec_rescore_parse(const char *text, spec_rescore *out);

typedef struct spec_row {
    const char *data, *label;
    int count;
    double value[SPEC_LIST]; /* NaN: none */
} spec_row;

typedef struct spec_published {
    const char *title, *source, *what;
    spec_numbers nbits;
    int rows;
    spec_row *row;
} spec_published;

typedef struct bench_spec {
    spec_measures what;
    int64_t threads;
    double time_limit, memory_limit; /* seconds, MB */
    spec_sweep sweep;
    int ndata, nmethods, npublished;
    spec_data data[SPEC_DATA];
    spec_method method[SPEC_METHODS];
    spec_published published[SPEC_PUBLISHED];
    char **owned; /* every text above */
    int nowned;
} bench_spec;

/* Parses size bytes of text, which may be anything; `name` is for messages. CLI_EUSAGE with the
 * error raised for a bad text. The caller frees *spec. */
int bench_spec_parse(bench_spec **spec, const char *name, const char *text, size_t size);
void bench_spec_free(bench_spec *spec);

/* The text of a specification's file, in new memory; NULL with the error raised. */
char *bench_spec_text(const char *path);

/* DIR/spec.ini, which `lbh bench` leaves beside its results; *spec is NULL where there is none. */
int bench_spec_of(bench_spec **spec, const char *dir);

/* Cuts it down to a quick look: at most 10,000 rows, 1,000 queries, one seed, one repeat, at most
 * 64 bits, and as few steps of training as still make sense. */
int bench_spec_quick(bench_spec *spec);

/* The sweep of a method: its own lists, else those of [bench]. */
spec_sweep bench_sweep(const bench_spec *spec, const spec_method *m);

#endif
