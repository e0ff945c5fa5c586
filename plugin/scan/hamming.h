/* hamming.h: how the parts of the Hamming search fit together.
 *
 * A KERNEL (hamming_scalar.c, _avx2.c, _avx512.c, _neon.c) compares every code of a run with every
 * query of a block, and reports the codes that are nearer than the query's BAR. A COLLECTOR
 * (hamming_collect.c) keeps what may still be an answer of one query, and lowers the bar. hamming.c
 * cuts the work into blocks and slices and runs them.
 *
 * Almost all codes fail at the bar, so a kernel takes the smallest of up to 32 distances and makes
 * one comparison for all of them. Which codes a kernel reports above those that are near enough
 * changes nothing: the collector looks again. So every kernel gives the same answers. */
#ifndef LBH_SCAN_HAMMING_H
#define LBH_SCAN_HAMMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- Collectors ---------------------------------------------------------------------------- */

/* An answer's id is read from its list at the end, when few answers are left: each such reading
 * waits for memory. */
typedef struct lbh_answer {
    union {
        int64_t id;
        const int64_t *where; /* if `elsewhere` */
    };
    int32_t distance;
    bool elsewhere;
} lbh_answer;

static inline int64_t lbh_answer_id(const lbh_answer *a)
{
    return a->elsewhere ? *a->where : a->id;
}

/* The k best answers so far of one query, or all below a radius (k = 0).
 *
 * histogram[t] counts the answers at distance t < limit, `below` is their sum. It is kept below k
 * by lowering `limit`: as soon as k answers lie below the limit, none at the limit is needed any
 * more. So, once k answers were seen, `limit` is the distance of the k-th best. */
typedef struct lbh_collector {
    int64_t k;
    bool ordered;         /* ids rise from call to call: of equal distances the first ones win */
    bool failed;          /* there was no memory for an answer */
    int32_t limit;        /* an answer at a larger distance is none; k = 0: end - 1 */
    int64_t bar;          /* a code is of interest if its distance is below it */
    int64_t tie;          /* a code at the limit is of interest if its id is below it */
    int64_t below;
    int64_t *histogram;   /* [bits of a code + 2]; k = 0: NULL */
    int64_t count, room;  /* k > 0: room > k, or as many as there can be codes */
    lbh_answer *answer;   /* [room]; k = 0: grows, freed by lbh_collector_free */
} lbh_collector;

/* Starts a search, among the codes at a distance < `end`, for the k best (k > 0; histogram and
 * answer[room] are there; end <= nbits + 1) or for all (k = 0). */
void lbh_collector_start(lbh_collector *c, int64_t k, bool ordered, int64_t nbits, int32_t end);

/* Promises that k codes at most at the distance `most` will come; before any has. */
void lbh_collector_expect(lbh_collector *c, int32_t most);

/* Takes a code at a distance below c->bar. */
void lbh_collector_add(lbh_collector *c, const lbh_answer *answer);

/* Drops all but the k best from answer[]; where c->ordered, ids rise in it. Ends the search. */
void lbh_collector_settle(lbh_collector *c);

/* Writes the best by (distance, id) to distances[k], labels[k], k >= c->k; missing ones are
 * INT32_MAX, -1. Ends the search. */
void lbh_collector_write(lbh_collector *c, int32_t *distances, int64_t *labels, int64_t k);

/* Writes all answers of `count` collectors (k = 0) that lie `stride` apart, by (distance, id);
 * start[nbits + 2] is scratch. */
void lbh_collectors_write_all(const lbh_collector *c, int64_t count, int64_t stride, int64_t nbits,
                              int64_t *start, int32_t *distances, int64_t *labels);

/* ---- Kernels ------------------------------------------------------------------------------- */

enum { LBH_SCAN_TILE_BYTES = 1 << 15, LBH_SCAN_TILE_STEP = 32, LBH_SCAN_FIRST = 1024,
       LBH_SCAN_FEW = 4, /* queries: fewer wait for memory, and do not repay transposing codes */
       LBH_SCAN_AHEAD = 12 << 10 /* a quarter of the first cache: measured, from 1 to 128 kB */ };

/* A block of queries against runs of codes. */
typedef struct lbh_scan {
    size_t code_size;
    int64_t words;             /* of 8 bytes in a query: code_size rounded up */
    int64_t nq;
    uint64_t *query;           /* nq x words, zeros after code_size bytes */
    int64_t *bar;              /* nq, each the bar of its collector */
    lbh_collector **collector; /* nq */
    const int64_t *ids;        /* of the run's codes, or NULL: first, first + 1, ... */
    int64_t first;
    const uint8_t *rows;       /* or NULL; packed: what to call first, first + 1, ... */
    int row_bits;
    const uint8_t *next;       /* codes of the run after this one, to be asked for early; or NULL */
    size_t ahead;              /* how many bytes ahead to ask for codes; 0: leave it to the hardware */
    int64_t tile_codes;        /* a multiple of LBH_SCAN_TILE_STEP */
    uint64_t *tile;            /* words x tile_codes, where kernels need it */
    uint8_t *tables, *columns; /* for lbh_scan_by_nibbles, or NULL */
    uint8_t *passed;           /* [nq + 16] and ... */
    int32_t *hit;              /* [nq + 16], for kernels that put reports off */
} lbh_scan;

/* Compares n codes with all queries. */
typedef void (*lbh_scan_fn)(lbh_scan *s, int64_t n, const uint8_t *codes);

/* Scans up to LBH_SCAN_FIRST of the first of n codes for the k best, for collectors that have none
 * yet; returns how many it took, 0 if that does not pay. */
typedef int64_t (*lbh_scan_first_fn)(lbh_scan *s, int64_t n, const uint8_t *codes, int64_t k);

/* Kernels of one instruction set, by the size of a code in bytes. */
typedef struct lbh_scan_kernels {
    lbh_scan_fn bytes4, bytes8, bytes16, bytes32, bytes64, bytes128, any;
    lbh_scan_first_fn first; /* or NULL: the kernels scan the first codes like all others */
    size_t untiled;          /* codes of at most so many bytes are scanned without s->tile */
    bool by_nibbles;         /* many queries go to lbh_scan_by_nibbles */
} lbh_scan_kernels;

/* NULL where the library was built for another architecture. */
const lbh_scan_kernels *lbh_scan_kernels_scalar(void);
const lbh_scan_kernels *lbh_scan_kernels_avx2(void);
const lbh_scan_kernels *lbh_scan_kernels_avx512(void);
const lbh_scan_kernels *lbh_scan_kernels_neon(void);

/* The kernel for this CPU (system/cpu.h) and this size. */
lbh_scan_fn lbh_scan_choose(size_t code_size);
lbh_scan_first_fn lbh_scan_choose_first(void); /* or NULL */
bool lbh_scan_needs_tile(size_t code_size);
bool lbh_scan_needs_tables(size_t code_size);

/* What kernels call. Reports code `at` of the run to query q. */
void lbh_scan_take(lbh_scan *s, int64_t q, int64_t at, int32_t distance);

/* Reports codes at + i of the run, for the bits i of mask, to query q. distance[64] */
void lbh_scan_report(lbh_scan *s, int64_t q, int64_t at, uint64_t mask, const int32_t *distance);

/* A kernel that counts bits by an instruction, a word at a time. The CPU must have AVX2 (then it
 * has POPCNT) or be ARM. Few queries do not repay transposing codes: it is for them, if codes are
 * whole words. */
void lbh_scan_by_words(lbh_scan *s, int64_t n, const uint8_t *codes);

/* A kernel for codes begin .. n-1 of a run and LBH_SCAN_FEW queries or more. The CPU must have AVX2,
 * and s->tables and s->columns be there. */
enum { LBH_SCAN_NIBBLES_SIZE = 256, /* bytes of a code: columns of longer ones leave the caches */
       LBH_SCAN_GROUP = 128,        /* codes: fewer do not repay tables */
       LBH_SCAN_ROUND = 64,         /* queries, or as many as have their tables in ... */
       LBH_SCAN_TABLES_BYTES = 1 << 17 };
void lbh_scan_by_nibbles(lbh_scan *s, int64_t begin, int64_t n, const uint8_t *codes);

/* A kernel for codes of more than 128 bytes. The CPU must have what lbh_cpu_has_vpopcnt() says. */
enum { LBH_SCAN_LONG_SIZE = UINT16_MAX / 8 }; /* longer ones are left to AVX2 */
void lbh_scan_long_avx512(lbh_scan *s, int64_t n, const uint8_t *codes);

int64_t lbh_scan_first_avx512(lbh_scan *s, int64_t n, const uint8_t *codes, int64_t k);
int64_t lbh_scan_first_avx2(lbh_scan *s, int64_t n, const uint8_t *codes, int64_t k);

static inline bool lbh_scan_better_by_words(const lbh_scan *s)
{
    return s->nq < LBH_SCAN_FEW && s->code_size % sizeof(uint64_t) == 0;
}

/* Fills s->tile with n codes (n <= tile_codes), word w of code i at tile[w * tile_codes + i], and
 * with zeros up to a multiple of LBH_SCAN_TILE_STEP. */
void lbh_scan_fill_tile(lbh_scan *s, int64_t n, const uint8_t *codes);

/* The lowest n of 64 bits, 0 <= n. */
static inline uint64_t lbh_scan_lowest(int64_t n)
{
    return n >= 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1;
}

#endif
