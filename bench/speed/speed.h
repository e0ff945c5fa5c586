/* speed.h: `lbh speed`: times of our code and of its rivals, taken in turn in one process.
 *
 * A case has a contender of ours, up to two rivals and up to two limits of the hardware. Every round
 * runs each of them once, so that whatever else the machine does meets them alike; a ratio is made
 * within a round, against the faster rival of the round, and its median over the rounds is what
 * counts. */
#ifndef LBH_SPEED_H
#define LBH_SPEED_H

#include "output.h"

#include <stdint.h>

enum { SPEED_RIVALS = 2, SPEED_LIMITS = 2 };

/* Does the work once, with so many threads; the exit codes of cli.h. */
typedef int (*speed_fn)(void *ctx);

typedef struct contender {
    const char *name; /* NULL: there is none */
    speed_fn run;
    void *ctx;
    int threads;
} contender;

typedef struct speed_case {
    const char *name;
    double work;      /* units that one run does */
    const char *unit; /* "codes" ...; times are given in nanoseconds a unit */
    contender ours, rival[SPEED_RIVALS];
    contender limit[SPEED_LIMITS]; /* what the hardware needs for the same work, the slower counts */
} speed_case;

typedef struct speed_options {
    int64_t n; /* codes of the large cases */
    int repeats, threads;
    const char *base, *query; /* rows whose codes the tables hold; NULL: made up */
    cJSON *results; /* an array that cases are added to */
} speed_options;

/* Times a case and adds {name, threads, unit, ours, rival, rival_name, ratio {min, median, max},
 * limit_fraction, limit_name} to the results. */
int speed_run(const speed_options *o, const speed_case *c);

/* Notes a number that belongs to the last case. */
void speed_note(const speed_options *o, const char *name, double value);

/* ---- Limits of the hardware ---------------------------------------------------------------- */

/* Reads `bytes` of memory once, in the way that was fastest of several when it was first done. */
typedef struct limit_memory {
    const void *data;
    size_t bytes;
    int way; /* 0: not known yet */
} limit_memory;
int limit_read(void *ctx);

/* `words` times xor and population count of 64 bits, on registers. */
typedef struct limit_popcount {
    double words;
} limit_popcount;
int limit_count(void *ctx);

/* C[m, n] = A[m, k] B[n, k]^T by the BLAS that is linked, in blocks of `block` rows of A. */
typedef struct limit_gemm {
    int64_t m;
    int n, k, block;
    const float *A, *B;
    float *C; /* block x n */
} limit_gemm;
int limit_sgemm(void *ctx);

/* ---- The parts ----------------------------------------------------------------------------- */

/* The number of threads after t: 1, then all of them; beyond o->threads at the end. */
static inline int speed_next_threads(const speed_options *o, int t)
{
    return t < o->threads ? o->threads : t + 1;
}

/* Memory for codes, of n x size bytes, in huge pages or in ordinary ones whatever the machine is set
 * to; for free(). NULL after fail_memory(). */
uint8_t *speed_codes(int64_t n, size_t size, bool huge_pages);

int speed_scan(const speed_options *o);
/* What the hardware can do with o->n codes of 64 bits, by itself. */
int speed_limits(const speed_options *o);
/* Inverted files and multi-index hashing, on the same codes. */
int speed_tables(const speed_options *o, bool ivf, bool mih);
int speed_encode(const speed_options *o);
int speed_train(const speed_options *o);

#endif
