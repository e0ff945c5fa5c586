/* bench_model.h: the trained model of a group, ours or FAISS's, and the codes of its base. */
#ifndef LBH_BENCH_MODEL_H
#define LBH_BENCH_MODEL_H

#include "bench_rival.h"
#include "bench_worker.h"
#include "lbh_faiss.h"

typedef struct bench_model {
    lbh_encoder *enc;     /* ours, or NULL */
    FaissIndex *floats;   /* FAISS's; filled with the base unless it is asked for codes */
    rival_recipe recipe;
    uint8_t *codes;       /* of the base; NULL: floats is what is searched */
    uint8_t *sample;      /* of the sample of queries */
    size_t code_size;     /* bytes a vector */
    int nbits;            /* of the codes */
    cJSON *facts;         /* what all lines of the model say: train_s, curve, ... */
} bench_model;

/* Trains the model of the job's group, or loads it from DIR/models, and encodes the base. */
int model_open(bench_model *m, const worker_job *job, const bench_data *d);
void model_close(bench_model *m);

#endif
