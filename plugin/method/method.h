/* method.h: the PRIVATE contract between the rooms encoder/ and encoders/.
 *
 * One method = one file in encoders/ that defines one `const lbh_method`, and one line in
 * encoder/registry.c. Everything else (options, validation, threads, packing, files, progress,
 * cancel, checkpoints) is done once, in method/ and encoder/, for all methods.
 */
#ifndef LBH_METHOD_H
#define LBH_METHOD_H

#include "lbh.h"
#include "arena.h"
#include "byte_tables.h"
#include "error.h"
#include "profile.h"

#include <stdbool.h>

enum { LBH_MAX_D = 65536, LBH_MAX_NBITS = 4096, LBH_MAX_PARAMS = 64 };

/* Options that every method has; a method's own come after them. */
enum {
    LBH_OPT_SEED,
    LBH_OPT_TIME_LIMIT,
    LBH_OPT_ROBUST,
    LBH_OPT_REBUILD,
    LBH_OPT_METRIC,
    LBH_OPT_HELD_OUT,
    LBH_OPT_COMMON
};

/* Choices of LBH_OPT_REBUILD: encoder/tables.c. */
enum { LBH_REBUILD_AUTO, LBH_REBUILD_LINEAR, LBH_REBUILD_TABLES, LBH_REBUILD_GENERATOR };

/* What a vector is: databases and queries are encoded alike unless the method says otherwise. */
typedef enum { LBH_BASE, LBH_QUERY } lbh_role;

typedef struct lbh_method lbh_method;

struct lbh_encoder {
    const lbh_method *method;
    int d, nbits;
    double common[LBH_OPT_COMMON];
    double value[LBH_MAX_PARAMS]; /* the method's options, in the order of method->params */
    /* The same as training has settled them: what the data decide where an option leaves it to
     * them, or a number that the rows allow. Shapes of tensors may depend on these. */
    double settled[LBH_MAX_PARAMS];
    void *state;                  /* method->state_size bytes, zero when new */
    bool trained;
    int64_t n_train;
    lbh_tables tables;            /* the decoder by byte tables; columns 0: there is none */
    struct lbh_panels *linear[2]; /* packed linear map per role, if the method has one */
    lbh_progress_fn progress;
    void *progress_ctx;
    char *checkpoint; /* file, or NULL */
    double checkpoint_seconds;
    double seconds[LBH_TIME_PARTS]; /* of the training, by what they went into */
    char library[16]; /* version of the library that trained it */
    struct lbh_note *notes; /* notes.c; NULL: none */
};

/* Names one learned tensor: a pointer to its data, rows x cols floats. What happens to it
 * (allocate, free, write, read, hash) is the visitor's affair. */
typedef struct lbh_visitor lbh_visitor;
struct lbh_visitor {
    int (*tensor)(lbh_visitor *self, const char *name, float **data, int64_t rows, int64_t cols);
};

/* What train() gets: checked rows, scratch memory, progress, checkpoints. */
typedef struct lbh_training {
    lbh_encoder *enc;
    lbh_rows rows; /* the caller's, as training_view.h lets them be seen; NaN and infinity are refused */
    int64_t n;     /* rows.n */
    const lbh_lists *labels, *neighbours; /* may be NULL */
    bool stop;     /* the time limit is over: finish with what there is */
    struct lbh_run *run; /* training.c's own */
} lbh_training;

/* Pulls rows ids[0..count) into x[count * d]. */
int lbh_pull(lbh_training *t, int64_t count, const int64_t *ids, float *x);

/* Pulls at most max_rows rows (and at most 512 MB of them) into scratch memory X[m * d]: all rows
 * in their order where they are few enough, else a random sample. */
int lbh_sample_rows(lbh_training *t, int64_t max_rows, int64_t *m, float **X);

/* Row ids for a sample of `count` <= t->n rows, rising: all rows, or a random choice. */
int lbh_sample_ids(lbh_training *t, int64_t count, int64_t *ids);

/* Scratch memory of count * size bytes, 64-byte aligned, zeroed; lives until train() returns.
 * NULL with the error set if there is none. */
void *lbh_scratch(lbh_training *t, int64_t count, size_t size);
float *lbh_scratch_f(lbh_training *t, int64_t rows, int64_t cols);

/* The same, and part of every checkpoint under that name (a string constant): optimiser moments,
 * averages, whatever the next step depends on besides the learned tensors. */
float *lbh_state_f(lbh_training *t, const char *name, int64_t rows, int64_t cols);

/* After all lbh_state_f calls: *step is 0, or, with learned and state tensors filled from the
 * checkpoint file, the number of steps done before. LBH_ESTATE if the file is of another run. */
int lbh_resume(lbh_training *t, int64_t *step);

/* Reports that `step` of `steps` are done; writes a checkpoint when one is due. LBH_ECANCELLED when
 * the caller wants to stop. Sets t->stop when the time limit is over. Cheap: call it every step. */
int lbh_report(lbh_training *t, int64_t step, int64_t steps, double loss);

typedef struct lbh_preset {
    const char *name, *assignments;
} lbh_preset;

/* A value of an option that files may hold and this library no longer knows: how it was called, and
 * why it is gone. */
typedef struct lbh_retired {
    const char *option;
    double value;
    const char *why;
} lbh_retired;

/* Scores of the classes: V h + v for a code h of 0/1. Points into the encoder's state. */
typedef struct lbh_classifier {
    const float *V, *v; /* nclasses x nbits, nclasses */
    int nclasses;
    bool multi; /* several labels a row: those with a score >= 0; else the highest score */
} lbh_classifier;

struct lbh_method {
    const char *name;    /* registry key, also in model files */
    const char *summary; /* one line */
    const char *cite;
    int needs_labels;
    size_t state_size;
    const lbh_param *params; /* ends with a NULL name */
    const lbh_preset *presets; /* NULL, or ends with a NULL name */
    const lbh_retired *retired; /* NULL, or ends with a NULL option */

    /* Optional: refuses a combination of d, nbits and options before any work is done. */
    int (*check)(const lbh_encoder *self);

    /* Learns. The tensors that visit() names are allocated (zero) already. */
    int (*train)(lbh_encoder *self, lbh_training *t);

    /* Names all learned tensors; the shapes may depend on d, nbits and settled
     * options only. */
    int (*visit)(lbh_encoder *self, lbh_visitor *v);

    /* EITHER linear: copies out A[nbits*d], b[nbits] with bits = [A x + b >= 0] for that role;
     * encoder.c then packs it and fuses product, threshold and packing,
     * OR project: z[n*nbits] of n checked rows, one thread's share, any n; the result for a row must
     * not depend on n or on its neighbours in the block,
     * OR both, with is_linear to say which of them holds under the options. */
    int (*linear)(const lbh_encoder *self, lbh_role role, float *A, float *b);
    int (*project)(const lbh_encoder *self, lbh_role role, int64_t n, const float *x, float *z);
    bool (*is_linear)(const lbh_encoder *self);

    /* Optional, for methods whose items are not encoded by one linear map but whose queries are:
     * A[nbits*d], b[nbits] with bits = [A q + b >= 0], of q / ||q|| if *unit (0 at the call). */
    int (*linear_queries)(const lbh_encoder *self, float *A, float *b, int *unit);

    /* Optional: true if queries are encoded otherwise than database rows. */
    bool (*asymmetric)(const lbh_encoder *self);

    /* Optional, for methods whose project() searches for items' codes: the same with the search of
     * LBH_BASE ending after so many flips without gain. */
    int (*search)(const lbh_encoder *self, int depth, int64_t n, const float *x, float *z);

    /* Optional: the decoder, U[nbits*d] and c[d]: x^ = sum of U_k over set bits + c. */
    int (*decoder)(const lbh_encoder *self, float *U, float *c);

    /* Optional: x^ of codes by the network that made them what they are, under rebuild=generator. */
    int (*rebuild)(const lbh_encoder *self, int64_t n, const uint8_t *codes, float *x);

    /* Optional: the linear classifier on the code, if the method learns one. */
    lbh_classifier (*classifier)(const lbh_encoder *self);

    /* Optional: builds / drops what project() needs and no file holds (packed layers). Called after
     * train and after load / before free. */
    int (*prepare)(lbh_encoder *self);
    void (*release)(lbh_encoder *self);
};


static inline size_t lbh_code_bytes(const lbh_encoder *enc)
{
    return ((size_t)enc->nbits + 7) / 8;
}

/* visit.c: allocates the tensors that the method learns, zero; frees all; names those of the byte
 * tables, and all. */
int lbh_visit_allocate(lbh_encoder *enc);
void lbh_visit_free(lbh_encoder *enc);
int lbh_visit_tables(lbh_encoder *enc, lbh_visitor *v);
int lbh_visit_all(lbh_encoder *enc, lbh_visitor *v);

/* Whether rows and queries are brought to unit length before anything else. */
bool lbh_is_cosine(const lbh_encoder *enc);

/* options.c: option i of a method, the common ones first; NULL if there are not so many. */
const lbh_param *lbh_param_at(const lbh_method *m, int i);

#endif
