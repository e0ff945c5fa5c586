/* bench_rival.h: FAISS's own methods as `lbh bench` names them, at so many bits a vector. */
#ifndef LBH_BENCH_RIVAL_H
#define LBH_BENCH_RIVAL_H

#include "cli.h"

#define BENCH_RIVALS "faiss-lsh faiss-itq pq opq pqfs ivfpq ivfopq lsq rq rabitq sq hnsw flat"

/* Whether it is a registered method, or one of BENCH_RIVALS. */
bool bench_method_known(const char *name);
bool bench_is_rival(const char *name);

/* Options of a rival. */
typedef struct rival_options {
    int64_t max_train; /* it learns from so many rows at even distances, 0: from all */
    int64_t dims;      /* opq: the dimensions that its rotation leaves. 0: at most max(256, 4 sub-vectors) */
    int64_t lists;     /* ivfpq, ivfopq: inverted lists. 0: 256 */
} rival_options;

/* "", or "max_train=N,dims=N,lists=N". CLI_EUSAGE for others. */
int bench_rival_options(rival_options *out, const char *name, const char *options);

/* What FAISS makes it from. */
typedef struct rival_recipe {
    char factory[256];
    bool hamming;        /* codes compared by Hamming distance */
    int64_t nbits;       /* bits a vector that it takes, which may be fewer than asked for */
    int links;           /* bytes a vector beside these: ids in lists, links of a graph */
} rival_recipe;

/* own: options, or NULL. LBH_EFORMAT if there is no such index at that many bits. */
int bench_rival_recipe(rival_recipe *out, const char *name, int d, int64_t nbits,
                       const rival_options *own);

/* Whether it searches the vectors themselves, so that there is no number of bits to choose. */
bool bench_rival_is_whole(const char *name);

/* The kind of index by whose names its search parameters go: "BIVF", "BHNSW", or "" for none. */
const char *bench_rival_kind(const char *name);

#endif
