/* hamming_run.c: cuts a Hamming search into tasks, runs them, and puts their answers together.
 *
 * A task is a block of queries against a slice of the codes (of every list). Queries are cut first,
 * since a block reads each code once for all its queries and needs no merging; codes are cut as
 * well when there are too few queries for all threads. Within a block, queries that name the same
 * list share the reading of it. What is cut how changes no answer: those are the k smallest
 * (distance, id), whoever finds them. */
#include "hamming_run.h"

#include "arena.h"
#include "error.h"
#include "threads.h"
#include "topk.h"
#include "watch.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_QUERIES = 128, /* of a block over one array: as many as fit the first cache beside codes */
    MAX_LIST_QUERIES = 8192,
    SMALL = 2048,       /* codes stay in the first caches, and collectors of ... */
    SMALL_QUERIES = 16, /* of a block do as well */
    FEW_QUERIES = 8,   /* a block of fewer waits for memory */
    LIST_ROOM = 4,     /* ties cost a look at their ids when there is no room: times k */
};
static const int64_t MAX_BLOCK_BYTES = 1 << 26;  /* of a block's collectors, about */
static const int64_t MIN_SLICE_BYTES = 1 << 18;  /* of codes times queries: worth a thread */

/* ---- Cutting ------------------------------------------------------------------------------- */

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static void cut(lbh_hamming_task *r)
{
    const lbh_hamming *h = r->h;
    r->threads = lbh_threads_for((double)h->nq * (double)h->most * (double)h->code_size);
    int64_t threads = r->threads;
    r->kept = lbh_smaller(h->k, h->most);
    int64_t times = lbh_hamming_ordered(h) ? 2 : LIST_ROOM;
    r->room = lbh_smaller(larger(r->kept > INT64_MAX / 8 ? r->kept : times * r->kept, r->kept + 64),
                      h->most);
    double bytes = (double)r->room * sizeof *r->answer + (double)r->nbits * sizeof *r->histogram +
                   (double)r->words * 16;
    int64_t fit = h->k ? (int64_t)((double)MAX_BLOCK_BYTES / bytes) : MAX_BLOCK_BYTES / 1024;
    int64_t queries = h->most <= SMALL ? SMALL_QUERIES : MAX_QUERIES;
    queries = h->which ? MAX_LIST_QUERIES : queries;
    int64_t most = larger(lbh_smaller(queries, fit), 1);
    int64_t even = lbh_divide_up(h->nq, threads);
    r->block = lbh_smaller(larger(even, lbh_smaller(FEW_QUERIES, h->nq)), most);
    r->nblocks = lbh_divide_up(h->nq, r->block);
    r->nslices = lbh_divide_up(threads, r->nblocks);
    double work = (double)h->most * (double)h->code_size * (double)r->block;
    r->nslices = lbh_smaller(r->nslices, 1 + (int64_t)(work / (double)MIN_SLICE_BYTES));
    r->keep_all = h->k == 0 || r->nslices > 1;
    r->ncollectors = r->keep_all ? h->nq * r->nslices : r->block * threads;
}

/* ---- Memory -------------------------------------------------------------------------------- */

static int make_collectors(lbh_hamming_task *r)
{
    r->collector = lbh_alloc(r->ncollectors, sizeof *r->collector);
    if (!r->collector)
        return LBH_ENOMEM;
    if (r->h->k == 0)
        return LBH_OK;
    int64_t bins = r->nbits + 2;
    size_t each = (size_t)r->room * sizeof *r->answer;
    if ((uint64_t)r->room > SIZE_MAX / 4 / sizeof *r->answer ||
        (uint64_t)r->ncollectors > SIZE_MAX / 4 / each)
        return lbh_error(LBH_ENOMEM, "Hamming search: out of memory for %lld answers a query",
                         (long long)r->kept);
    r->histogram = lbh_alloc(r->ncollectors, (size_t)bins * sizeof *r->histogram);
    r->answer = malloc((size_t)r->ncollectors * each); /* not touched before it is needed */
    if (!r->answer)
        return lbh_error(LBH_ENOMEM, "Hamming search: out of memory for %lld answers a query",
                         (long long)r->kept);
    for (int64_t i = 0; r->histogram && i < r->ncollectors; i++) {
        r->collector[i].histogram = r->histogram + i * bins;
        r->collector[i].answer = r->answer + i * r->room;
        r->collector[i].room = r->room;
    }
    return r->histogram ? LBH_OK : LBH_ENOMEM;
}

static void free_collectors(lbh_hamming_task *r)
{
    for (int64_t i = 0; r->collector && r->h->k == 0 && i < r->ncollectors; i++)
        free(r->collector[i].answer);
    free(r->collector);
    free(r->histogram);
    free(r->answer);
}

/* A place for `count` elements in the memory from `base` on, *at bytes of which are taken. */
static void *place(char *base, size_t *at, int64_t count, size_t size)
{
    enum { ALIGN = 64 };
    void *begin = base ? base + *at : NULL;
    *at += ((size_t)count * size + ALIGN - 1) / ALIGN * ALIGN;
    return begin;
}

/* Lays out a worker in w->memory (nowhere, if that is NULL yet); returns the size. One piece: the
 * pieces' calls would cost more than a search of a thousand codes. */
static size_t lay_out(lbh_hamming_worker *w, const lbh_hamming_task *r)
{
    lbh_scan *s = &w->scan;
    const size_t row = (size_t)r->words * sizeof(uint64_t);
    const int64_t pairs = r->h->which ? r->block * r->h->nprobe : 0;
    size_t at = 0;
    s->query = place(w->memory, &at, r->block, row);
    s->bar = place(w->memory, &at, r->block, sizeof *s->bar);
    s->collector = place(w->memory, &at, r->block, sizeof *s->collector);
    s->tile = place(w->memory, &at, s->tile_codes, row);
    if (r->block >= LBH_SCAN_FEW && r->h->most > SMALL && lbh_scan_needs_tables(s->code_size)) {
        int64_t queries = lbh_smaller(r->block + r->block % 2, LBH_SCAN_ROUND);
        int64_t bytes = queries * 16 * (int64_t)s->code_size;
        s->columns = place(w->memory, &at, LBH_SCAN_GROUP * r->words, 16);
        s->tables = place(w->memory, &at, lbh_smaller(bytes, LBH_SCAN_TABLES_BYTES), 1);
    }
    s->passed = place(w->memory, &at, r->block + 16, sizeof *s->passed);
    s->hit = place(w->memory, &at, r->block + 16, sizeof *s->hit);
    w->collector = place(w->memory, &at, r->block, sizeof *w->collector);
    w->end = place(w->memory, &at, r->block, sizeof *w->end);
    w->met = place(w->memory, &at, r->block, sizeof *w->met);
    w->sampled = place(w->memory, &at, r->block, sizeof *w->sampled);
    w->query = place(w->memory, &at, r->h->which ? r->block : 0, row);
    w->pair = place(w->memory, &at, pairs, sizeof *w->pair);
    w->pair_scratch = place(w->memory, &at, pairs, sizeof *w->pair);
    return at;
}

static int worker_init(lbh_hamming_worker *w, const lbh_hamming_task *r)
{
    int64_t step = LBH_SCAN_TILE_STEP;
    int64_t fit = LBH_SCAN_TILE_BYTES / (r->words * (int64_t)sizeof(uint64_t)) / step * step;
    int64_t codes = larger(step, lbh_smaller(fit, 8 * step));
    double pairs = (double)r->block * (double)r->h->nprobe;
    w->scan.code_size = r->h->code_size;
    w->scan.words = r->words;
    w->scan.ahead = LBH_SCAN_AHEAD;
    w->scan.rows = r->h->rows;
    w->scan.row_bits = r->h->row_bits;
    w->scan.tile_codes = lbh_scan_needs_tile(r->h->code_size) ? codes : 0;
    if (r->h->which && pairs > (double)(SIZE_MAX / 4 / sizeof *w->pair))
        return lbh_error(LBH_ENOMEM, "Hamming search: out of memory for %lld lists a query",
                         (long long)r->h->nprobe);
    w->memory = lbh_alloc((int64_t)lay_out(w, r), 1);
    lay_out(w, r);
    return w->memory ? LBH_OK : LBH_ENOMEM;
}

static void worker_clear(lbh_hamming_worker *w)
{
    free(w->memory);
}

/* ---- Tasks --------------------------------------------------------------------------------- */

/* The answers of query q, all of which c has seen. */
static void give_answers(const lbh_hamming *h, lbh_collector *c, int64_t q)
{
    if (!h->take) {
        lbh_collector_write(c, h->distances + q * h->k, h->labels + q * h->k, h->k);
        return;
    }
    lbh_collector_settle(c);
    h->take(h->ctx, q, c->count, c->answer);
}

static void run_task(lbh_hamming_task *r, lbh_hamming_worker *w, int64_t task)
{
    const lbh_hamming *h = r->h;
    int64_t slice = task % r->nslices, first = task / r->nslices * r->block;
    int64_t count = lbh_smaller(h->nq - first, r->block);
    lbh_collector *mine = r->collector + (r->keep_all ? slice * h->nq + first
                                                      : omp_get_thread_num() * r->block);
    for (int64_t i = 0; i < count; i++) {
        w->collector[i] = &mine[i];
        lbh_collector_start(&mine[i], r->kept, lbh_hamming_ordered(h), r->nbits,
                            h->k ? (int32_t)r->nbits + 1 : h->radius);
    }
    if (h->which)
        lbh_scan_lists(r, w, first, count, slice);
    else
        lbh_scan_array(r, w, first, count, slice);
    for (int64_t i = 0; i < count && !r->keep_all; i++)
        give_answers(h, &mine[i], first + i);
}

static int run_tasks(lbh_hamming_task *r)
{
    int64_t threads = r->threads, tasks = r->nblocks * r->nslices;
    int rc = LBH_OK;
    threads = lbh_smaller(threads, tasks);
    lbh_hamming_worker *workers = lbh_alloc(threads, sizeof *workers);
    if (!workers)
        return LBH_ENOMEM;
    for (int64_t t = 0; t < threads && rc == LBH_OK; t++)
        rc = worker_init(&workers[t], r);
    if (rc == LBH_OK) {
#pragma omp parallel for schedule(dynamic) num_threads((int)threads) if (threads > 1)
        for (int64_t task = 0; task < tasks; task++)
            if (!lbh_watch_stopped(&r->stop))
                run_task(r, &workers[omp_get_thread_num()], task);
        rc = lbh_watch_check();
    }
    for (int64_t t = 0; t < threads; t++)
        worker_clear(&workers[t]);
    free(workers);
    return rc;
}

/* ---- Putting together ---------------------------------------------------------------------- */

/* The best of all slices: those of slice 0 take in the others', in the order of the codes. */
static void merge_slices(const lbh_hamming_task *r)
{
    const lbh_hamming *h = r->h;
#pragma omp parallel for schedule(dynamic) if (r->nslices * r->kept > 10000)
    for (int64_t q = 0; q < h->nq; q++) {
        lbh_collector *c = r->collector + q;
        for (int64_t slice = 1; slice < r->nslices; slice++) {
            const lbh_collector *other = c + slice * h->nq;
            for (int64_t i = 0; i < other->count; i++)
                if (other->answer[i].distance < c->bar)
                    lbh_collector_add(c, &other->answer[i]);
        }
        give_answers(h, c, q);
    }
}

/* Sizes of the answers to a range search; lims was zeros. */
static int count_range(const lbh_hamming_task *r)
{
    lbh_range_result *result = r->h->result;
    for (int64_t slice = 0; slice < r->nslices; slice++)
        for (int64_t q = 0; q < r->h->nq; q++) {
            const lbh_collector *c = &r->collector[slice * r->h->nq + q];
            if (c->failed)
                return lbh_error(LBH_ENOMEM, "Hamming search: out of memory for the answers of "
                                 "query %lld, %lld so far", (long long)q, (long long)c->count);
            result->lims[q + 1] += c->count;
        }
    for (int64_t q = 0; q < r->h->nq; q++)
        result->lims[q + 1] += result->lims[q];
    return LBH_OK;
}

static int write_range(const lbh_hamming_task *r)
{
    lbh_range_result *result = r->h->result;
    LBH_TRY(count_range(r));
    int64_t nq = r->h->nq, total = result->lims[nq], bins = r->nbits + 2;
    int64_t *start = lbh_alloc(omp_get_max_threads(), (size_t)bins * sizeof *start);
    result->distances = malloc((size_t)total * sizeof *result->distances + 1);
    result->labels = malloc((size_t)total * sizeof *result->labels + 1);
    bool ok = start && result->distances && result->labels, stop = false;
#pragma omp parallel for schedule(dynamic) if (total > 10000)
    for (int64_t q = 0; q < (ok ? nq : 0); q++)
        if (!lbh_watch_stopped(&stop))
            lbh_collectors_write_all(r->collector + q, r->nslices, nq, r->nbits,
                                     start + omp_get_thread_num() * bins,
                                     result->distances + result->lims[q],
                                     result->labels + result->lims[q]);
    free(start);
    if (!ok)
        return lbh_error(LBH_ENOMEM, "Hamming search: out of memory for %lld answers", (long long)total);
    return lbh_watch_check();
}

static int run(const lbh_hamming *h)
{
    lbh_hamming_task r = {.h = h,
             .scan = lbh_scan_choose(h->code_size),
             .first = lbh_scan_choose_first(),
             .nbits = 8 * (int64_t)h->code_size,
             .words = ((int64_t)h->code_size + 7) / 8};
    cut(&r);
    int rc = make_collectors(&r);
    if (rc == LBH_OK)
        rc = run_tasks(&r);
    if (rc == LBH_OK && h->k == 0)
        rc = write_range(&r);
    else if (rc == LBH_OK && r.keep_all)
        merge_slices(&r);
    free_collectors(&r);
    return rc;
}

int lbh_hamming_run(const lbh_hamming *h)
{
    lbh_watch_begin("search", h->nq);
    return lbh_watch_end(run(h));
}
