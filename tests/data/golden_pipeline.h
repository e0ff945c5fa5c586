/* golden_pipeline.h: what the maker of the golden pipelines and their reader agree on. */
#ifndef LBH_GOLDEN_PIPELINE_H
#define LBH_GOLDEN_PIPELINE_H

#include "golden.h"

/* Over the rows of golden_rows(), asked with GOLDEN_NQ of its queries. NAME.answers holds the distances
 * (float) and labels (int64) of each: first with the options of the file, then by Hamming distance. */
enum { GOLDEN_D = 8, GOLDEN_NQ = 8, GOLDEN_K = 5 };

static const struct golden_pipeline {
    const char *name, *factory;
    int ids; /* row i has the id 7 i + 2 */
} golden_pipelines[] = {
    {"flat.lbhp", "lsh16,BFlat,RFlat", 0},
    {"ivf.lbhp", "IDMap2,itq8,BIVF2,RSQ8", 1},
    {"hnsw.lbhp", "itq16,BHNSW8", 0},
};

typedef struct golden_answers {
    float distances[2][GOLDEN_NQ * GOLDEN_K];
    int64_t labels[2][GOLDEN_NQ * GOLDEN_K];
} golden_answers;

#endif
