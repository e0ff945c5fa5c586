/* scale.h: from vectors to answers in one directory, for more rows than memory holds.
 *
 *     DIR/settings.txt   what the run is; another run is refused there
 *     DIR/model.lbh      the encoder, trained on a sample
 *     DIR/lists.faiss    BIVF: its lists, trained on a sample of codes; no codes
 *     DIR/codes.npy      n x code_size bytes, and nothing else: BFlat scans them where they lie
 *     DIR/index.faiss    BIVF: the index, as FAISS writes it
 *     DIR/index.mih      MIH
 *     DIR/encoded.log, built.log, scanned   how far it is
 *     DIR/ids.npy, distances.npy            the answers
 *
 * What is under way is called NAME.part. Encoding and building go from shard to shard; a line of the log
 * follows the bytes of its shard to the disk, so that after kill -9 only the last shard is done again,
 * with the same bytes: rows, codes and places in lists are functions of the row. */
#ifndef LBH_SCALE_H
#define LBH_SCALE_H

#include "encode.h"

#include <cJSON.h>

enum { SCALE_FLAT, SCALE_IVF, SCALE_MIH };

typedef struct scale_args {
    const char *base, *query, *model, *method, *index, *dir;
    char *set;
    int metric;
    int64_t nbits, seed, train_rows, shard_rows, k, nprobe, check;
} scale_args;

typedef struct scale {
    const scale_args *a;
    vectors base, query;
    int64_t n;
    int kind;                /* SCALE_* */
    int lock;                /* of the directory */
    lbh_encoder *enc;        /* from the beginning if it was given, else from scale_model() on */
    size_t code_size;
    FaissIndexBinary *lists; /* BIVF: trained, without codes */
    int64_t nlist;           /* 0 but for BIVF */
    int64_t *sizes;          /* nlist: codes of each list, when all are encoded */
    cJSON *doc;              /* what is reported */
} scale;

/* scale_plan.c: what the run will take, in bytes and (but for training) in seconds, by short measurements
 * on this machine; refuses what disk or memory have no room for. */
int scale_plan(scale *s, cJSON *plan);

/* scale_model.c: the encoder and the lists: trained, or as they lie in the directory. */
int scale_model(scale *s);

/* scale_encode.c, scale_build.c, scale_search.c: the rest, each from where it was left. */
int scale_encode(scale *s);
int scale_build(scale *s);
int scale_search(scale *s);

/* scale_encode.c: bytes of the number of a list in lists.part. */
size_t scale_list_width(int64_t nlist);

#endif
