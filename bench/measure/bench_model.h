/* bench_model.h: the trained model of a group, ours or FAISS's, and the codes of its base. */
#ifndef LBH_BENCH_MODEL_H
#define LBH_BENCH_MODEL_H

#include "bench_data.h"
#include "bench_rival.h"
#include "lbh_faiss.h"

#include <cJSON.h>

/* What is wanted. */
typedef struct model_wish {
    const spec_method *method;
    lbh_encoder **trained;      /* ours, trained already; it becomes the model's. NULL: it is not */
    const rival_recipe *recipe; /* of FAISS's index; NULL: of the method's name */
    int64_t nbits, seed;
    int64_t refine;           /* flips, where the method has a decoder and names no number itself */
    const char *folder, *key; /* where ours is kept, and its name there; NULL: it is not */
    bool again;               /* train it even if it is there */
    void (*phase)(void *ctx); /* called when something is done; NULL: not */
    void *ctx;
} model_wish;

typedef struct bench_model {
    lbh_encoder *enc;     /* ours, or NULL */
    FaissIndex *floats;   /* FAISS's; filled with the base unless it is asked for codes */
    rival_recipe recipe;
    uint8_t *codes;       /* of the base; NULL: floats is what is searched */
    uint8_t *sample;      /* of the sample of queries */
    size_t code_size;     /* bytes a vector */
    int nbits;            /* of the codes */
    double train_s, encode_s;
    cJSON *facts;         /* what all lines of the model say: train_s, curve, ... */
} bench_model;

/* Trains the model, or loads it from its folder, and encodes the base and the sample of queries. */
int model_open(bench_model *m, const model_wish *w, const bench_data *d);
/* Adds to the facts what the codes and their decoder are like. */
int model_describe(bench_model *m, const bench_data *d);
void model_close(bench_model *m);

#endif
