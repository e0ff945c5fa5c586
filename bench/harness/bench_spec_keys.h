/* bench_spec_keys.h: keys and values of a specification; bench_spec.c has the rest. */
#ifndef LBH_BENCH_SPEC_KEYS_H
#define LBH_BENCH_SPEC_KEYS_H

#include "bench_spec.h"

enum { SECTION_NONE, SECTION_BENCH, SECTION_DATA, SECTION_METHOD, SECTION_PUBLISHED };

/* Where the parser is. */
typedef struct spec_reader {
    const char *name, *at, *end; /* the text that is left */
    int line;
    bool indented; /* the line goes on with the value of the last key */
    int rc;
    bench_spec *spec;
    bool had_bench;
    int section;
    void *target;   /* of the section */
    char key[64];   /* the last one */
    bool seen[32];  /* keys of the section */
} spec_reader;

/* "NAME:LINE: ..."; returns CLI_EUSAGE. */
int spec_fail(const spec_reader *r, const char *format, ...) CLI_PRINTF(2, 3);

/* A copy that the specification owns; NULL: no memory. */
const char *spec_keep(spec_reader *r, const char *text);

/* Takes over one key with its value. */
int spec_pair(spec_reader *r, const char *name, const char *value);

#endif
