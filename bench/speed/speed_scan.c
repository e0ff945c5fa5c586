/* speed_scan.c: exhaustive Hamming search against FAISS's IndexBinaryFlat, in both of its modes. */
#include "encode.h"
#include "encoder_make.h"
#include "inputs.h"
#include "output.h"
#include "progress.h"
#include "lbh_scan.h"
#include "speed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 100, MANY = 1000 };

typedef struct scan {
    int64_t n, nq, k;
    size_t code_size;
    bool huge_pages;
    uint8_t *codes, *queries;
    int32_t *distances;
    int64_t *labels;
    FaissIndexBinary *index;
} scan;

static int run_ours(void *ctx)
{
    const scan *s = ctx;
    return lbh_hamming_search(s->nq, s->queries, s->n, s->codes, s->code_size, s->k,
                              s->distances, s->labels);
}

static int run_faiss(const scan *s, const char *mode)
{
    int rc = lbh_index_set(s->index, mode);
    if (!rc)
        rc = lbh_index_search_codes(s->index, s->code_size, s->nq, s->queries, s->k, s->distances,
                                    s->labels);
    return rc;
}

static int run_heap(void *ctx)
{
    return run_faiss(ctx, "use_heap=1");
}

static int run_counting(void *ctx)
{
    return run_faiss(ctx, "use_heap=0");
}

/* Evenly distributed bits: no kernel gains or loses by their values. */
static void random_bytes(size_t n, uint64_t seed, uint8_t *out)
{
    uint64_t x = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    for (size_t i = 0; i < n; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        out[i] = (uint8_t)(x >> 32);
    }
}

static int open_scan(scan *s, int64_t n, int nbits)
{
    *s = (scan){.n = n, .code_size = (size_t)nbits / 8};
    s->codes = speed_codes(n, s->code_size, false);
    s->queries = cli_alloc(BATCH, s->code_size);
    s->distances = cli_alloc(BATCH * MANY, sizeof *s->distances);
    s->labels = cli_alloc(BATCH * MANY, sizeof *s->labels);
    if (!s->codes || !s->queries || !s->distances || !s->labels)
        return LBH_ENOMEM;
    random_bytes((size_t)n * s->code_size, 1, s->codes);
    random_bytes(BATCH * s->code_size, 2, s->queries);
    return lbh_index_build_codes(&s->index, s->code_size, "BFlat", n, s->codes);
}

/* The same codes in huge pages; those of FAISS, which copies them, stay where they are. */
static int move_to_huge_pages(scan *s)
{
    uint8_t *moved = speed_codes(s->n, s->code_size, true);
    if (!moved)
        return LBH_ENOMEM;
    memcpy(moved, s->codes, (size_t)s->n * s->code_size);
    free(s->codes);
    s->codes = moved;
    s->huge_pages = true;
    return LBH_OK;
}

static void close_scan(scan *s)
{
    lbh_index_free(s->index);
    free(s->codes);
    free(s->queries);
    free(s->distances);
    free(s->labels);
}

static int time_scan(const speed_options *o, scan *s, int64_t nq, int64_t k, int threads)
{
    char name[96];
    s->nq = nq;
    s->k = k;
    limit_memory memory = {.data = s->codes, .bytes = (size_t)s->n * s->code_size};
    limit_popcount popcounts = {(double)s->n * (double)nq * (double)s->code_size / 8};
    snprintf(name, sizeof name, "scan: %.3g codes of %zu bits, %lld %s, k=%lld%s", (double)s->n,
             8 * s->code_size, (long long)nq, nq == 1 ? "query" : "queries", (long long)k,
             s->huge_pages ? ", huge pages" : "");
    return speed_run(o, &(speed_case){
        .name = name, .unit = "code and query", .work = (double)s->n * (double)nq,
        .ours = {"lbh_hamming_search", run_ours, s, threads},
        .rival = {{"FAISS, heap", run_heap, s, threads},
                  {"FAISS, counting", run_counting, s, threads}},
        .limit = {{"reading memory", limit_read, &memory, threads},
                  {"xor, popcount", limit_count, &popcounts, threads}}});
}

/* The same search of ours in two ways: how much dearer, or how much faster. */
static int time_own(const speed_options *o, scan *s, const char *name, int64_t nq, int64_t k,
                    int threads, int64_t k0, int threads0, const char *name0)
{
    scan other = *s;
    s->nq = other.nq = nq;
    s->k = k;
    other.k = k0;
    return speed_run(o, &(speed_case){
        .name = name, .unit = "code and query", .work = (double)s->n * (double)nq,
        .ours = {"lbh_hamming_search", run_ours, s, threads},
        .rival = {{name0, run_ours, &other, threads0}}});
}

/* All cases of one length, with t threads. */
static int time_length(const speed_options *o, scan *s, int t)
{
    bool shortest = s->code_size == sizeof(uint64_t);
    LBH_TRY(time_scan(o, s, BATCH, 10, t));
    LBH_TRY(time_scan(o, s, 1, 10, t));
    if (shortest)
        LBH_TRY(time_scan(o, s, BATCH, MANY, t));
    if (shortest)
        LBH_TRY(time_own(o, s, "scan: 64 bits, 100 queries, k=1000 against k=10", BATCH, MANY, t, 10, t,
                         "ours, k=10"));
    if (t > 1)
        LBH_TRY(time_own(o, s, "scan: 1 query, all threads against one", 1, 10, t, 10, 1,
                         "ours, 1 thread"));
    return LBH_OK;
}

int speed_scan(const speed_options *o)
{
    static const struct {
        int nbits, share; /* of o->n codes */
    } lengths[] = {{64, 1}, {100, 2}, {128, 1}, {256, 10}, {512, 10}, {1024, 20}};
    int rc = LBH_OK;
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0] && rc == LBH_OK; i++) {
        scan s;
        int64_t n = (o->n + lengths[i].share - 1) / lengths[i].share;
        rc = open_scan(&s, n, (lengths[i].nbits + 7) / 8 * 8);
        for (int t = 1; t <= o->threads && rc == LBH_OK; t = speed_next_threads(o, t))
            rc = time_length(o, &s, t);
        if (rc == LBH_OK)
            rc = move_to_huge_pages(&s);
        for (int t = 1; t <= o->threads && rc == LBH_OK; t = speed_next_threads(o, t))
            rc = time_scan(o, &s, 1, 10, t);
        close_scan(&s);
    }
    return rc;
}
