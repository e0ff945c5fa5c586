/* pipeline.h: PRIVATE. What the files of a pipeline share. */
#ifndef LBH_PIPELINE_PRIVATE_H
#define LBH_PIPELINE_PRIVATE_H

#include "lbh_pipeline.h"

#include "index_parts.h"
#include "vector_store.h"

enum { LBH_MAX_FACTORY = 1024 };

/* A parsed factory string. */
typedef struct lbh_pipeline_spec {
    char text[LBH_MAX_FACTORY]; /* as given */
    const char *method;         /* of the registry */
    int nbits;
    char options[LBH_MAX_FACTORY]; /* "" or "name=value,..." */
    char index[LBH_MAX_FACTORY];   /* for lbh_index_new */
    int store;                     /* 0, LBH_STORE_FLOAT or LBH_STORE_BYTE */
} lbh_pipeline_spec;

struct lbh_pipeline {
    lbh_pipeline_spec spec;
    int d, metric;
    lbh_encoder *enc;
    bool borrowed;          /* enc is the caller's */
    bool mapped;            /* the index's codes are to stay in their file */
    struct lbh_lock *lock;  /* of the index's parameters: see pipeline_lock.c */
    FaissIndexBinary *index;
    lbh_store *store; /* or NULL */
    int rescore;      /* LBH_RESCORE_* */
    lbh_shortlist shortlist;
    lbh_rescorer *rescorer; /* once trained, unless LBH_RESCORE_NONE */
    int64_t next_id;        /* above every id that was ever used */
};

/* pipeline.c: a pipeline without encoder, index and store. */
int lbh_pipeline_start(lbh_pipeline **p, int d, const char *factory, int metric);

/* pipeline_lock.c: NULL with the error set if there is no memory / NULL is fine / takes it together with
 * others or alone; LBH_ESTATE if this thread would wait for itself. */
struct lbh_lock *lbh_lock_new(void);
void lbh_lock_free(struct lbh_lock *lock);
int lbh_lock_take(struct lbh_lock *lock, bool alone);
void lbh_lock_release(struct lbh_lock *lock);

/* pipeline.c: LBH_EINVAL without a pipeline or rows / LBH_ESTATE before training. */
int lbh_pipeline_check(const lbh_pipeline *p, int64_t n, const void *x);
int lbh_pipeline_check_trained(const lbh_pipeline *p, int64_t n, const void *x);

/* pipeline_factory.c: LBH_EINVAL says which part is wrong. */
int lbh_pipeline_parse(lbh_pipeline_spec *spec, const char *factory);
/* "IDMap,", "IDMap2," or "" at the front of *text, which moves past it. */
const char *lbh_pipeline_parse_idmap(const char **text);

/* pipeline.c: the rescorer of a mode; NULL for LBH_RESCORE_NONE or before training. */
int lbh_pipeline_rescorer(lbh_rescorer **rescorer, const lbh_pipeline *p, int rescore);

/* pipeline_params.c: the run-time parameters of the pipeline itself as text for lbh_pipeline_set. */
void lbh_pipeline_params(const lbh_pipeline *p, char text[128]);

/* Parameters that are parsed and not set yet. */
typedef struct lbh_pipeline_settings {
    int rescore;
    lbh_shortlist shortlist;
    char index[512]; /* what is left for lbh_index_set */
} lbh_pipeline_settings;
int lbh_pipeline_parse_settings(lbh_pipeline_settings *s, const lbh_pipeline *p,
                                const char *assignments);

/* rescored.c: lbh_index_search_rescored among the ids that a filter lets pass; NULL: all. */
int lbh_search_rescored_allowed(const FaissIndexBinary *index, const lbh_rescorer *rescorer,
                                lbh_shortlist shortlist, lbh_filter_fn filter, const void *ctx,
                                int64_t n, const float *x, int64_t k, float *distances,
                                int64_t *labels);

/* decoded_lists.c: the same with k_factor 0; nq > 0, and all else is checked. LBH_EINVAL for other
 * rescorers than those by the decoder, and kinds other than BFlat and BIVF. */
int lbh_search_visited(const FaissIndexBinary *index, const lbh_rescorer *r, lbh_filter_fn filter,
                       const void *ctx, int64_t nq, const float *x, int64_t k, float *distances,
                       int64_t *labels);

/* pipeline_members.c: one generation of files, and the text that binds them. */
enum { LBH_MEMBERS = 5, LBH_MANIFEST_MAX = 8192 };

typedef struct lbh_member {
    uint64_t size, digest; /* XXH3-64 */
    int present;
} lbh_member;

typedef struct lbh_manifest {
    char factory[LBH_MAX_FACTORY], parameters[128];
    int metric, d;
    int64_t ntotal, next_id, generation;
    lbh_member member[LBH_MEMBERS];
} lbh_manifest;

enum { LBH_MEMBER_ENCODER, LBH_MEMBER_INDEX, LBH_MEMBER_VECTORS, LBH_MEMBER_SCALE, LBH_MEMBER_IDS };

/* Path of a member, or with LBH_MEMBERS of the text before it gets its name; the caller frees. */
char *lbh_member_path(const char *path, int64_t generation, int member);

int lbh_manifest_write(const lbh_manifest *m, FILE *stream);

/* Reads and checks the text. LBH_EFORMAT if it is none of ours. */
int lbh_manifest_read(lbh_manifest *m, const char *path);

/* The same from its bytes; path is for messages. */
int lbh_manifest_parse(lbh_manifest *m, const void *data, size_t size, const char *path);

/* pipeline_file.c: whether there is such a member; writes it / takes its bytes, and leaves *keep true if
 * these are to stay mapped. path: of the member's file, NULL for bytes in memory. */
bool lbh_pipeline_has_member(const lbh_pipeline *p, int member);
int lbh_pipeline_take_member(lbh_pipeline *p, const lbh_manifest *m, int member, const char *path,
                             const void *data, size_t size, bool *keep);
/* A pipeline as the manifest has it, and checks of it once it has its members. */
int lbh_pipeline_from_manifest(lbh_pipeline **p, const lbh_manifest *m, const char *path);
int lbh_pipeline_check_parts(lbh_pipeline *p, const lbh_manifest *m, const char *path);

/* A file mapped read-only; size 0 is an error. */
int lbh_map_file(const void **data, size_t *size, const char *path);

/* Size and digest (digest.h) of a file that is there. */
int lbh_member_measure(lbh_member *m, const char *path);

/* Generations in the directory: the highest one of any member's name; removes all members but those
 * of `keep` (and their temporary files). */
int64_t lbh_members_highest(const char *path);
void lbh_members_clean(const char *path, int64_t keep);

#endif
