/* bench_rival.h: FAISS's own methods as `lbh bench` names them, at so many bits a vector. */
#ifndef LBH_BENCH_RIVAL_H
#define LBH_BENCH_RIVAL_H

#include "cli.h"

#define BENCH_RIVALS "faiss-lsh faiss-itq pq opq pqfs lsq rq rabitq sq flat"

/* Whether it is a registered method, or one of BENCH_RIVALS. */
bool bench_method_known(const char *name);
bool bench_is_rival(const char *name);

/* Options of a rival: "", or "max_train=N": it learns from N rows at even distances (0: from all),
 * for those whose training takes minutes. EXIT_USAGE for others. */
int bench_rival_options(int64_t *max_train, const char *name, const char *options);

/* What FAISS makes it from. */
typedef struct rival_recipe {
    char factory[256];
    bool hamming;        /* codes compared by Hamming distance */
    int64_t nbits;       /* bits a vector that it takes, which may be fewer than asked for */
} rival_recipe;

/* EXIT_RUNTIME if there is no such index at that many bits. */
int bench_rival_recipe(rival_recipe *out, const char *name, int d, int64_t nbits);

#endif
