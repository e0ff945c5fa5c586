/* golden.h: what the maker of the golden files and their reader agree on. Nothing here may change once
 * files of a released version are in the tree. */
#ifndef LBH_GOLDEN_H
#define LBH_GOLDEN_H

#include "support.h"

#include <stdlib.h>

/* Rows that every golden model has encoded, and as many queries. */
enum { GOLDEN_ROWS = 64 };

/* GOLDEN_ROWS rows of d floats, multiples of 2^-8 in -4 .. 4: the same bits on every machine. Queries
 * have another seed. The caller frees. */
static inline float *golden_rows(int d, int queries)
{
    float *x = malloc(sizeof *x * GOLDEN_ROWS * (size_t)d);
    for (int i = 0; i < GOLDEN_ROWS * d; i++)
        x[i] = (float)(int)(2048 * test_uniform(queries ? 4242 : 4241, (uint64_t)i) - 1024) / 256;
    return x;
}

/* Number i of the list: INDEX_FILE names a file, its method, d, nbits, number of classes and digest
 * in each line. FILE.lbh is the model; FILE.codes holds the codes of the rows, those of the queries
 * and, if there are classes, a byte with the class of each row. */
#define GOLDEN_INDEX "index.txt"
#define GOLDEN_LINE "%31s %31s %d %d %d %16llx"

/* Multi-index hashes: MIH_CODES codes, test_codes(.., seed 5), without and with ids 3 i + 1. */
enum { MIH_CODES = 40, MIH_CODE_SIZE = 4, MIH_SUBSTRINGS = 2 };

/* And longer ones, whose tables name the places of codes, without ids. */
enum { MIH_LONG_SIZE = 12, MIH_LONG_SUBSTRINGS = 4 };

#endif
