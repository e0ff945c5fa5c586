/* lbh.h: learned binary hashing. Train an encoder, turn float vectors into short binary codes.
 *
 * An ENCODER maps a vector x of d floats to a code of nbits bits such that near vectors get codes
 * at a small Hamming distance. It is made by a METHOD ("lsh", "itq", "sgh", ...), is configured by
 * named options, is trained once, and may then be used by any number of threads and saved.
 *
 *     lbh_encoder *enc = NULL;
 *     if (lbh_encoder_new(&enc, "sgh", 128, 64) ||              // 128 floats in, 64 bits out
 *         lbh_encoder_set(enc, "steps=5000,seed=7") ||          // optional: defaults are good
 *         lbh_encoder_train(enc, n, x) ||                       // x: n x 128 floats, row-major
 *         lbh_encoder_encode(enc, n, x, codes) ||               // codes: n x 8 bytes
 *         lbh_encoder_save(enc, "my.lbh"))
 *         fprintf(stderr, "%s\n", lbh_last_error());
 *     lbh_encoder_free(enc);
 *
 * Conventions (those of FAISS):
 *   - out-handle first; every `int` function returns LBH_OK (0) or a negative code below, and
 *     leaves its outputs and the encoder as they were when it fails; lbh_last_error() says why.
 *   - matrices are row-major; rows are counted by int64_t, dimensions and bits by int.
 *   - codes: bit j of a row is bit (j % 8) of byte (j / 8), least significant first. Bit j is 1 iff
 *     z_j >= 0, where z = lbh_encoder_project(x). When nbits is no multiple of 8 the last byte is
 *     padded with zero bits.
 *   - thread-safety: functions that take a `const lbh_encoder *` may run at the same time on the
 *     same encoder. Others need the encoder for themselves. The error text is per thread.
 *   - OMP_NUM_THREADS above 4096 counts as not set, for the thread that loads the library.
 *   - fork: a forked child may use the library and all it has, with threads of its own. (Who forks from
 *     within a parallel region of OpenMP has one thread in the child.)
 *   - a NaN or an infinity in any input is refused with LBH_EINVAL.
 *   - a seed gives the same model, bit for bit, and codes do not depend on the number of threads,
 *     on the block size, or on the instruction set that the CPU offers. Training calls BLAS: its
 *     models are the same for the same BLAS library and the same CPU.
 */
#ifndef LBH_H
#define LBH_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define LBH_API __attribute__((visibility("default")))
#else
#define LBH_API
#endif

#define LBH_VERSION "0.1.0"

/* Error codes; never renumbered. */
enum {
    LBH_OK = 0,
    LBH_EINVAL = -1,     /* an argument, an option or the data are wrong */
    LBH_ENOMEM = -2,     /* out of memory */
    LBH_EIO = -3,        /* the system could not read or write a file */
    LBH_EFORMAT = -4,    /* a file is damaged or not what it should be */
    LBH_ESTATE = -5,     /* the call does not fit the state (an untrained encoder, say) */
    LBH_ENUMERIC = -6,   /* training diverged or collapsed */
    LBH_ECANCELLED = -7, /* the progress callback asked to stop */
    LBH_EFAISS = -8      /* FAISS refused; its own words are part of the message */
};

/* The text of the last error of this thread; "" if there was none. Owned by the library, valid
 * until the next failing call of this thread. */
LBH_API const char *lbh_last_error(void);

/* ---- Long calls ---------------------------------------------------------------------------- */

/* Called now and then. `step` of `steps` are done of what is called `what` ("sgh", "encode", "add",
 * "search", ...; steps 0: unknown). In training `loss` is what the method minimises, per row; else 0.
 * Return 0 to go on; anything else ends the call with LBH_ECANCELLED. */
typedef int (*lbh_progress_fn)(void *ctx, const char *what, int64_t step, int64_t steps,
                               double loss);

/* Sets what all calls of this thread that take long (training, encoding, adding, searching, in this
 * library and in lbh_faiss.h) ask about every 50 ms, and once more when they end; NULL: nothing. Calls
 * that are shorter do not ask. It is called in this thread, between pieces of the work, and may use the
 * library. A call that was ended has left objects as they were before it, and outputs with nothing of use.
 * What LAPACK, FAISS or the disk do in one go is not interrupted: decompositions of more than 2,000
 * dimensions, adding to an HNSW that holds codes already, saving. */
LBH_API void lbh_on_progress(lbh_progress_fn fn, void *ctx);

/* Threads that calls of this thread use at most (1 to 65536; LBH_EINVAL): OpenMP's number of threads of
 * the calling thread, at first that of the processors or OMP_NUM_THREADS. Small work takes fewer. */
LBH_API int lbh_set_num_threads(int threads);
LBH_API int lbh_num_threads(void);

/* Frees what functions of these headers hand out as bytes; NULL is fine. */
LBH_API void lbh_free(void *data);

/* Version of the library that is linked (LBH_VERSION is that of the header). */
LBH_API const char *lbh_version(void);

/* ---- Methods and their options ------------------------------------------------------------- */

/* Number of registered methods. */
LBH_API int lbh_method_count(void);

/* Name of method i, 0 <= i < lbh_method_count(); NULL outside. */
LBH_API const char *lbh_method_name(int i);

/* One line on what a method does, and the paper that it comes from; NULL if there is no such
 * method. */
LBH_API const char *lbh_method_summary(const char *method);
LBH_API const char *lbh_method_cite(const char *method);

/* 1 if the method cannot train without labels, else 0 (also for an unknown method). */
LBH_API int lbh_method_needs_labels(const char *method);

/* One option of a method. */
typedef struct lbh_param {
    const char *name;    /* as in "name=value" */
    double value;        /* the default */
    double min, max;     /* inclusive bounds */
    int integer;         /* 1: whole numbers only */
    const char *choices; /* NULL, or the names of the values 0, 1, 2 ... as "biased|unbiased" */
    const char *doc;     /* one line */
} lbh_param;

/* Describes option i of a method, i = 0, 1, ... Common options (seed, ...) come first.
 * LBH_EINVAL past the last one or for an unknown method. The strings are static. */
LBH_API int lbh_method_param(lbh_param *param, const char *method, int i);

/* Describes preset i of a method: a named set of options, as "steps=5000,noise=0". `lbh_encoder_set
 * (enc, "preset=NAME")` applies it. LBH_EINVAL past the last one. The strings are static. */
LBH_API int lbh_method_preset(const char **name, const char **assignments, const char *method,
                              int i);

/* ---- Encoders ------------------------------------------------------------------------------ */

typedef struct lbh_encoder lbh_encoder;

/* Makes an untrained encoder for vectors of d floats (1 <= d <= 65536) and codes of nbits bits
 * (1 <= nbits <= 4096). The caller owns it. LBH_EINVAL, LBH_ENOMEM. */
LBH_API int lbh_encoder_new(lbh_encoder **enc, const char *method, int d, int nbits);

/* Frees an encoder; NULL is fine. */
LBH_API void lbh_encoder_free(lbh_encoder *enc);

/* Sets options from text: "name=value,name=value". A value is a number or one of the option's
 * choices; "preset=NAME" stands for the options of that preset. All or none are set.
 * LBH_EINVAL names the option, the value and the bounds; LBH_ESTATE once trained. */
LBH_API int lbh_encoder_set(lbh_encoder *enc, const char *assignments);

/* Sets / reads one option by name. LBH_EINVAL, LBH_ESTATE as above. */
LBH_API int lbh_encoder_set_value(lbh_encoder *enc, const char *name, double value);
LBH_API int lbh_encoder_get_value(const lbh_encoder *enc, const char *name, double *value);

/* Called by the training of this encoder about every 50 ms, always at its last step; `what` is the
 * method's name. It may be there beside lbh_on_progress(). */
LBH_API void lbh_encoder_on_progress(lbh_encoder *enc, lbh_progress_fn fn, void *ctx);

/* Keeps the state of training in a file: written every `seconds` (and when the progress callback
 * cancels), whole or not at all. If the file is there when training starts and is of the same
 * method, options, seed and data, training goes on from it, and ends with the bit-identical model.
 * lbh_encoder_save removes it once the finished model is safe. path is copied; NULL turns this off. LBH_ENOMEM. */
LBH_API int lbh_encoder_checkpoint(lbh_encoder *enc, const char *path, double seconds);

/* Training rows that are pulled when they are needed, so that they need not fit in memory. */
typedef struct lbh_rows lbh_rows;
struct lbh_rows {
    int64_t n; /* number of rows */
    int d;     /* floats a row */
    /* Writes row ids[i] to x + i * d for i = 0 .. count-1 (0 <= ids[i] < n; any order, repeats
     * allowed). Returns LBH_OK or an error code. Called by one thread at a time. */
    int (*read)(const lbh_rows *self, int64_t count, const int64_t *ids, float *x);
    const void *ctx; /* for `read` */
};

/* A view of a matrix in memory (not copied, not owned) as rows. */
LBH_API lbh_rows lbh_rows_from_matrix(int64_t n, int d, const float *x);

/* A list of small integers for each row, e.g. the class labels of each row: those of row i are
 * item[start[i]] .. item[start[i+1] - 1]. An empty list means "not labelled". */
typedef struct lbh_lists {
    int64_t n;            /* rows */
    int64_t nitems;       /* items are 0 .. nitems-1 (number of classes, or of rows) */
    const int64_t *start; /* n + 1 offsets, start[0] = 0, not falling */
    const int64_t *item;  /* start[n] items */
} lbh_lists;

/* What an array of labels is. */
enum {
    LBH_LABELS_ANY,     /* what its numbers show */
    LBH_LABELS_CLASSES, /* one column: the class of each row, -1 for none */
    LBH_LABELS_SIGNS,   /* one column of -1 and +1, both there: the classes 0 and 1 */
    LBH_LABELS_MATRIX,  /* 0 and 1, or -1 and 1, and nothing else: a column a class, 1 where a row has it */
    LBH_LABELS_LISTS    /* the classes of each row, none twice, and then -1 up to its end */
};

/* Reads an array x[n * columns] of whole numbers as the labels of n rows, by the rule above: the first
 * form that fits. *form is LBH_LABELS_ANY, or LBH_LABELS_LISTS where the caller knows that they are
 * lists; on return it is what they are. can_pad: 0 for unsigned types, whose -1 would be another number:
 * they have no lists. start[n + 1] and item[n * columns] become what lbh_lists has, items rising within
 * a row; `item` may be x itself. LBH_EINVAL names the row that fits no form, or the column of lists that
 * has another number in every row, as ids do; LBH_ENOMEM. */
LBH_API int lbh_labels_read(int64_t n, int64_t columns, const int64_t *x, int can_pad, int *form,
                            int64_t *start, int64_t *item);

/* Trains on n rows x[n * d]. With the option held_out=-1 some of 1000 or more rows are held
 * out: what the codes give on them goes into the notes held_out, recall_hamming, recall_margin, recall_decoder (share of the
 * 10 nearest among the first 100) and best_ranking; notes damped, zero_rows, few_rows, few_codes and
 * dead_bits say what was found wrong with rows and codes, whatever the option. Reads x during the call only. LBH_EINVAL (data),
 * LBH_ESTATE (trained before), LBH_ENOMEM, LBH_ENUMERIC, LBH_ECANCELLED; after an error the encoder is untrained. */
LBH_API int lbh_encoder_train(lbh_encoder *enc, int64_t n, const float *x);

/* The same from pulled rows. labels: class lists of the rows, or NULL; neighbours: for each row the
 * ids of rows that ought to be near, or NULL (methods that have no use for them ignore them). */
LBH_API int lbh_encoder_train_rows(lbh_encoder *enc, const lbh_rows *rows, const lbh_lists *labels,
                                   const lbh_lists *neighbours);

/* A note is a line of text that the user keeps with a model, in its file; the library gives it no
 * meaning. `lbh train` notes what its classes are called. name: 1 to 31 of a-z, 0-9 and _; value: at
 * most LBH_MAX_NOTE bytes without line breaks, copied; NULL removes the note. At most LBH_MAX_NOTES
 * of them. LBH_EINVAL, LBH_ENOMEM. */
enum { LBH_MAX_NOTE = 1 << 26, LBH_MAX_NOTES = 1000 };
LBH_API int lbh_encoder_set_note(lbh_encoder *enc, const char *name, const char *value);

/* The value of a note, owned by the encoder and valid until that note is set again; NULL if there
 * is none. */
LBH_API const char *lbh_encoder_note(const lbh_encoder *enc, const char *name);

/* Where the time of the training that made this encoder went: name and seconds of part i = 0, 1, ...
 * ("gemm", "passes", "noise", "optimiser", "data", "other"); their sum is the whole. All 0 for an
 * encoder from a file. LBH_EINVAL past the last part. The names are static. */
LBH_API int lbh_encoder_train_time(const lbh_encoder *enc, int i, const char **name,
                                   double *seconds);

/* Properties. */
LBH_API const char *lbh_encoder_method(const lbh_encoder *enc);
LBH_API int lbh_encoder_d(const lbh_encoder *enc);
LBH_API int lbh_encoder_nbits(const lbh_encoder *enc);
LBH_API size_t lbh_encoder_code_size(const lbh_encoder *enc); /* bytes a code: (nbits + 7) / 8 */
LBH_API int lbh_encoder_is_trained(const lbh_encoder *enc);
LBH_API int64_t lbh_encoder_n_train(const lbh_encoder *enc); /* rows it was trained on */
LBH_API uint64_t lbh_encoder_digest(const lbh_encoder *enc); /* hash of all learned numbers */

/* Encodes n database rows x[n * d] into codes[n * code_size]. LBH_EINVAL names the first row that
 * holds a NaN or an infinity; codes are unspecified after an error. LBH_ESTATE if untrained. */
LBH_API int lbh_encoder_encode(const lbh_encoder *enc, int64_t n, const float *x, uint8_t *codes);

/* Encodes n queries. The same as lbh_encoder_encode unless the encoder treats queries otherwise:
 * one trained for inner products (a query's length carries no information, an item's does), or one
 * whose database codes are searched for rather than computed by one product. */
LBH_API int lbh_encoder_encode_queries(const lbh_encoder *enc, int64_t n, const float *x,
                                       uint8_t *codes);

/* The same from whole numbers 0 .. 255 (.bvecs, .u8bin), without a copy as floats: row i is
 * x[i * stride] .. x[i * stride + d - 1]; stride >= d bytes (d + 4 for the rows of a .bvecs file). The
 * codes are those of the same numbers as floats. LBH_EINVAL (stride), LBH_ESTATE, LBH_ENOMEM. */
LBH_API int lbh_encoder_encode_u8(const lbh_encoder *enc, int64_t n, const uint8_t *x,
                                  int64_t stride, uint8_t *codes);
LBH_API int lbh_encoder_encode_queries_u8(const lbh_encoder *enc, int64_t n, const uint8_t *x,
                                          int64_t stride, uint8_t *codes);

/* Encodes n database rows and then improves each code, by flips of single bits until `iterations` of
 * them in a row gained nothing (0: until no flip gains), towards the code from which the decoder rebuilds the row best (the most probable code under the
 * generative model, argmin_h ||x - x^(h)||^2; tabu search over the quadratic form of the decoder's
 * Gram matrix). By tables whole bytes change, and a change of two bytes at random counts as 50 flips.
 * Pays where items are scored by the decoder. LBH_EINVAL if there is no decoder. */
LBH_API int lbh_encoder_encode_refined(const lbh_encoder *enc, int64_t n, const float *x,
                                       int iterations, uint8_t *codes);

/* Real values before the threshold: z[n * nbits]; bit j is z_j >= 0. */
LBH_API int lbh_encoder_project(const lbh_encoder *enc, int64_t n, const float *x, float *z);
/* The same of queries, where they are encoded otherwise (lbh_encoder_encode_queries). */
LBH_API int lbh_encoder_project_queries(const lbh_encoder *enc, int64_t n, const float *x,
                                        float *z);

/* The encoder as one linear map, bits = [A x + b >= 0]: A[nbits * d] (one row a bit), b[nbits].
 * LBH_EINVAL if it is no linear encoder, or one of rows of unit length (metric=cosine: see below). */
LBH_API int lbh_encoder_linear(const lbh_encoder *enc, float *A, float *b);

/* 1 if queries are encoded otherwise than items (lbh_encoder_encode_queries), else 0. */
LBH_API int lbh_encoder_is_asymmetric(const lbh_encoder *enc);

/* The map of queries alone, which may be linear where that of items is not: the bits of
 * lbh_encoder_encode_queries are [A q + b >= 0], or with *unit = 1 [A q / ||q|| + b >= 0] (but for
 * q = 0). LBH_EINVAL if there is no such map. */
LBH_API int lbh_encoder_linear_queries(const lbh_encoder *enc, float *A, float *b, int *unit);

/* The linear decoder of an encoder that can rebuild its data: x^ = sum over the set bits k of U_k, + c.
 * Where there are byte tables (below), they are what vectors are rebuilt and scored by.
 * U[nbits * d] (one row a bit), c[d]. LBH_EINVAL if it has none. */
LBH_API int lbh_encoder_decoder(const lbh_encoder *enc, float *U, float *c);

/* 1 if the encoder rebuilds vectors by tables, 256 vectors for each byte of the code, with
 * x^ = sum over the bytes of their vectors; 0 if its decoder is linear in the bits, or if it has none.
 * Which of them is learned is up to the option `rebuild`. */
LBH_API int lbh_encoder_has_tables(const lbh_encoder *enc);

/* The decoder as an additive quantizer of 8-bit codebooks: x^ = sum over the bytes m of the code of
 * books[(m * 256 + b_m) * d ..]; books[code_size * 256 * d], the caller's. A linear decoder is written
 * out as such tables. LBH_EINVAL if there is no decoder. */
LBH_API int lbh_encoder_codebooks(const lbh_encoder *enc, float *books);

/* Rebuilds n vectors x[n * d] from their codes, by the tables or the linear decoder. */
LBH_API int lbh_encoder_decode(const lbh_encoder *enc, int64_t n, const uint8_t *codes, float *x);

/* Turns the bits of each byte of codes[n * code_size] round, in place: from least significant first
 * (this library, FAISS) to most significant first (numpy.packbits, pgvector, Vespa,
 * sentence-transformers), or back. Hamming distances need the same order on both sides; the first
 * bits, which hash indexes use, differ. LBH_EINVAL. */
LBH_API int lbh_codes_reverse_bits(int64_t n, size_t code_size, uint8_t *codes);

/* ---- Encoders learned elsewhere ------------------------------------------------------------ */

/* The method of such encoders; not among those of lbh_method_name(), since it cannot be trained. */
#define LBH_METHOD_LAYERS "layers"

enum { LBH_MAX_LAYERS = 4 };

/* A network: y_0 = x, y_{l+1} = relu(W[l] y_l + b[l]), no relu after the last layer, whose outputs >= 0
 * are the bits. One layer is a linear map, bits = [W x + b >= 0]. */
typedef struct lbh_layers {
    int nlayers;                     /* 1 .. LBH_MAX_LAYERS */
    int metric;                      /* LBH_METRIC_*; cosine: rows are brought to unit length first */
    int width[LBH_MAX_LAYERS + 1];   /* d, those of the hidden layers (1 .. 8192), nbits */
    const float *W[LBH_MAX_LAYERS];  /* width[l + 1] x width[l] */
    const float *b[LBH_MAX_LAYERS];  /* width[l + 1] */
    const float *U;                  /* a decoder as lbh_encoder_decoder() has it, or NULL */
    const float *c;                  /* the decoder's other part */
} lbh_layers;

/* Makes a trained encoder of a copy of these numbers: for codes by FAISS's ITQ, PCA or a network of one's
 * own. The caller owns it. LBH_EINVAL (sizes, a NaN or an infinity), LBH_ENOMEM. */
LBH_API int lbh_encoder_from_layers(lbh_encoder **enc, const lbh_layers *layers);

/* ---- Classification ------------------------------------------------------------------------ */

/* Number of classes of the classifier that a supervised method learned with its codes; 0 if the
 * encoder has none. *multi, if not NULL: 1 if rows have several labels each. */
LBH_API int lbh_encoder_nclasses(const lbh_encoder *enc, int *multi);

/* scores[n * nclasses] of n codes: log-odds of each class if there are several labels a row, else
 * scores whose highest is the class. LBH_EINVAL if there is no classifier. */
LBH_API int lbh_encoder_class_scores(const lbh_encoder *enc, int64_t n, const uint8_t *codes,
                                     float *scores);

/* label[n]: the class of highest score of each of n codes, the lowest one of equals. */
LBH_API int lbh_encoder_classify(const lbh_encoder *enc, int64_t n, const uint8_t *codes,
                                 int64_t *label);

/* What "near" means to a search: squared Euclidean distance, inner product, or the cosine of the
 * angle, for rows and queries of any length; the cosine with a row of zeros is 0. */
enum { LBH_METRIC_L2 = 0, LBH_METRIC_IP = 1, LBH_METRIC_COSINE = 2 };

/* Exhaustive search by the decoder's own score, from the codes alone and with real-valued queries:
 * ||q - x^||^2 (LBH_METRIC_L2, rising), q . x^ (LBH_METRIC_IP, falling) or q . x^ / (||q|| ||x^||)
 * (LBH_METRIC_COSINE, falling; 0 for q = 0), x^ the vector rebuilt from codes[n * code_size] (paper, Proposition 10 for inner products). Finds the k best for each of nq
 * queries q[nq * d]: distances[nq * k], labels[nq * k] (rows of codes; equal scores by rising id;
 * missing answers -1). LBH_EINVAL if the encoder has no decoder. */
LBH_API int lbh_encoder_search_decoded(const lbh_encoder *enc, int metric, int64_t n,
                                       const uint8_t *codes, int64_t nq, const float *q, int64_t k,
                                       float *distances, int64_t *labels);

/* ---- Rescoring ----------------------------------------------------------------------------- */

/* A shortlist found by Hamming distance, ranked again by scores that know more than a distance of
 * codes does. Of a query q with the projection z (lbh_encoder_project_queries), an item scores
 *
 *   LBH_RESCORE_MARGIN   sum of |z_j| over the bits j that differ from the query's code: a bit that
 *                        the query decided narrowly counts little. Any encoder; rising. No byte more
 *                        an item
 *   LBH_RESCORE_DECODER  ||q - x^||^2 (L2, rising), q . x^ (inner product, falling) or
 *                        q . x^ / (||q|| ||x^||) (cosine, falling), x^ the vector that the decoder
 *                        rebuilds from the item's code. No byte more an item
 *   LBH_RESCORE_FLOAT    the same of the item's stored vector x */
enum { LBH_RESCORE_NONE = 0, LBH_RESCORE_MARGIN, LBH_RESCORE_DECODER, LBH_RESCORE_FLOAT };

typedef struct lbh_rescorer lbh_rescorer;

/* Which of margins, the decoder and neither ranked best the rows that training held out
 * (LBH_RESCORE_*; note "best_ranking"); LBH_RESCORE_MARGIN for a model that has no such note. */
LBH_API int lbh_encoder_best_rescore(const lbh_encoder *enc);

/* Prepares rescoring by a trained encoder, which must outlive the rescorer. metric: LBH_METRIC_*.
 * rows: LBH_RESCORE_FLOAT's vectors, row i that of the item with id i; the view is copied, what it
 * points to must live on, and its `read` must bear calls from several threads at once. NULL for the
 * other modes. A rescorer may be used by any number of threads. LBH_EINVAL (no decoder, rows of
 * another dimension), LBH_ESTATE, LBH_ENOMEM. */
LBH_API int lbh_rescorer_new(lbh_rescorer **r, const lbh_encoder *enc, int mode, int metric,
                             const lbh_rows *rows);
LBH_API void lbh_rescorer_free(lbh_rescorer *r);
LBH_API int lbh_rescorer_mode(const lbh_rescorer *r);
LBH_API const lbh_encoder *lbh_rescorer_encoder(const lbh_rescorer *r);

/* Ranks m candidates for each of nq queries q[nq * d]: codes[nq * m * code_size], ids[nq * m] (below
 * 0: no candidate there). The k best go to distances[nq * k] and labels[nq * k], equal scores by
 * rising id; missing answers are label -1 at FLT_MAX (inner products: -FLT_MAX). With
 * LBH_RESCORE_FLOAT the vectors of the `keep` (at least k) best candidates by margin are read, or of
 * all where codes is NULL; the other modes score all and do not look at `keep`. LBH_EINVAL,
 * LBH_ENOMEM, and what `read` returns. */
LBH_API int lbh_rescorer_rank(const lbh_rescorer *r, int64_t nq, const float *q, int64_t m,
                              const uint8_t *codes, const int64_t *ids, int64_t keep, int64_t k,
                              float *distances, int64_t *labels);

/* Both stages: of n codes[n * code_size], whose ids are 0, 1, ..., the m (at least 1) nearest to each query by
 * Hamming distance, equal ones by rising id, are ranked as by lbh_rescorer_rank, with the same results;
 * but candidates are ranked where they are found, unsorted. codes NULL is for n = 0. */
LBH_API int lbh_rescorer_search(const lbh_rescorer *r, int64_t n, const uint8_t *codes, int64_t nq,
                                const float *q, int64_t m, int64_t keep, int64_t k,
                                float *distances, int64_t *labels);

/* Codes in n lists, as an inverted file has them: list i has size[i] codes with ids (below 0: not to
 * be found). ids NULL: there is one list, all queries visit it, and its ids are 0, 1, ... */
typedef struct lbh_code_lists {
    int64_t n;                   /* lists */
    const int64_t *size;         /* n numbers of codes */
    const uint8_t *const *codes; /* of list i: size[i] * code_size bytes */
    const int64_t *const *ids;   /* of list i: size[i] ids; or NULL */
} lbh_code_lists;

/* Ranks by the decoder all codes of the lists that each of nq queries q[nq * d] visits, whatever their
 * Hamming distance: probe[nq * nprobe], none of a query twice (below 0: none). Results as of
 * lbh_rescorer_rank. LBH_EINVAL (also for a rescorer of another mode), LBH_ENOMEM. */
LBH_API int lbh_rescorer_search_lists(const lbh_rescorer *r, const lbh_code_lists *lists, int64_t nq,
                                      const float *q, int64_t nprobe, const int64_t *probe, int64_t k,
                                      float *distances, int64_t *labels);

/* ---- Model files --------------------------------------------------------------------------- */

/* Writes a trained encoder: to a temporary file beside `path`, synced, then renamed, so that `path`
 * always holds a whole model, the old or the new. LBH_ESTATE, LBH_EIO, LBH_ENOMEM. */
LBH_API int lbh_encoder_save(const lbh_encoder *enc, const char *path);

/* The same into memory: *size bytes, which lbh_free frees. A checkpoint stays. LBH_ESTATE, LBH_ENOMEM. */
LBH_API int lbh_encoder_save_memory(const lbh_encoder *enc, void **data, size_t *size);

/* Reads a model file. The file need not be trusted: sizes, bounds and checksum are verified.
 * The caller owns the encoder. LBH_EIO, LBH_EFORMAT, LBH_ENOMEM. */
LBH_API int lbh_encoder_load(lbh_encoder **enc, const char *path);

/* The same from `size` bytes in memory. */
LBH_API int lbh_encoder_load_memory(lbh_encoder **enc, const void *data, size_t size);

#ifdef __cplusplus
}
#endif
#endif
