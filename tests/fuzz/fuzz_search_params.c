/* fuzz_search_params.c: search parameters of every kind of index, and of a pipeline. */
#include "fuzz.h"

#include "pipeline.h"

#include <string.h>

enum { CODE_SIZE = 4, ROWS = 8 };

static const char *const kinds[] = {"BFlat", "BIVF2", "IDMap2,BIVF2_HNSW4", "BHNSW4", "BHash6",
                                    "IDMap,BHash2x8"};
enum { KINDS = sizeof kinds / sizeof *kinds };

static FaissIndexBinary *make(const char *kind)
{
    FaissIndexBinary *index = NULL;
    uint8_t codes[CODE_SIZE * ROWS];
    for (size_t i = 0; i < sizeof codes; i++)
        codes[i] = (uint8_t)(89 * i);
    if (lbh_index_build_codes(&index, CODE_SIZE, kind, ROWS, codes) != LBH_OK)
        abort();
    return index;
}

static lbh_pipeline *make_pipeline(void)
{
    lbh_pipeline *p = NULL;
    float x[8 * ROWS];
    for (int i = 0; i < 8 * ROWS; i++)
        x[i] = (float)(i * i % 17);
    if (lbh_pipeline_new(&p, 8, "lsh8,BIVF2,RSQ8", LBH_METRIC_L2) != LBH_OK ||
        lbh_pipeline_train(p, ROWS, x) != LBH_OK || lbh_pipeline_add(p, ROWS, x) != LBH_OK)
        abort();
    return p;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static FaissIndexBinary *index[KINDS];
    static lbh_pipeline *pipeline;
    unsigned kind = fuzz_choice(&data, &size, KINDS + 1);
    char *text = fuzz_text(data, size);
    if (kind == KINDS) {
        pipeline = pipeline ? pipeline : make_pipeline();
        if (lbh_pipeline_set(pipeline, text) == LBH_OK)
            FUZZ_CHECK(lbh_pipeline_rescore(pipeline) <= LBH_RESCORE_FLOAT);
    } else {
        index[kind] = index[kind] ? index[kind] : make(kinds[kind]);
        (void)lbh_index_set(index[kind], text);
    }
    free(text);
    return 0;
}
