/* bench_engine.h: anything that `lbh bench` searches with: our codes, FAISS's codes, FAISS's float
 * indexes, each with or without a second ranking. */
#ifndef LBH_BENCH_ENGINE_H
#define LBH_BENCH_ENGINE_H

#include "bench_spec.h"
#include "encode.h"
#include "lbh_pipeline.h"

typedef struct bench_engine {
    int metric; /* LBH_METRIC_* */
    int64_t n;  /* rows that are searched */
    const vectors *base;
    spec_rescore how;
    /* codes: ours (enc) or FAISS's (floats makes them) */
    const lbh_encoder *enc;
    const uint8_t *codes;
    size_t code_size;
    const FaissIndexBinary *index; /* NULL: floats is what is searched */
    const FaissIndex *floats;
    lbh_rescorer *rescorer; /* of ours, where how.mode asks for it */
} bench_engine;

/* Makes the rescorer that `how` asks for; engine_close frees it. Reads `rows` (which must live on)
 * for float rescoring. */
int engine_open(bench_engine *e, const lbh_rows *rows);
void engine_close(bench_engine *e);

/* The k best of n queries x[n * d], ids[n * k], -1 = none. What is timed. */
int engine_answers(const bench_engine *e, int64_t n, const float *x, int64_t k, int64_t *ids);

/* Whether all codes are ranked by the decoder, with no shortlist. */
bool engine_decodes_all(const bench_engine *e);

#endif
