/* scale_scan.c: see scale_scan.h. The codes are visited in steps of rising ids, all queries at once: the k
 * nearest so far and those of the step merge into the k nearest, and that is all there is to keep. */
#define _POSIX_C_SOURCE 200809L
#include "scale_scan.h"

#include "lbh_scan.h"
#include "outfile.h"
#include "progress.h"
#include "scale_state.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xxhash.h>

/* Codes times queries between two looks at whether to stop, and codes at most. */
static const int64_t step_work = INT64_C(8) << 30, step_most = INT64_C(1) << 26;
enum { KEEP_EVERY = 10 }; /* seconds between two states */

/* What stands before distances and ids in DIR/scanned. */
typedef struct state {
    uint64_t queries; /* hash of their codes */
    int64_t nq, k, rows;
    double seconds, cpu;
} state;

int scale_answers_new(scale_answers *r, int64_t nq, int64_t k, const uint8_t *query)
{
    *r = (scale_answers){.nq = nq, .k = k, .query = query};
    r->distances = cli_alloc(nq * k, sizeof *r->distances);
    r->ids = cli_alloc(nq * k, sizeof *r->ids);
    if (!r->distances || !r->ids)
        return LBH_ENOMEM;
    for (int64_t i = 0; i < nq * k; i++) {
        r->distances[i] = INT32_MAX;
        r->ids[i] = -1;
    }
    return LBH_OK;
}

void scale_answers_free(scale_answers *r)
{
    free(r->distances);
    free(r->ids);
    *r = (scale_answers){0};
}

/* The k nearest of two rows of k. Ids of `more` are greater than all of `best`, so that equal distances
 * stay in order. scratch: k of both. */
static void merge(int64_t k, int32_t *best, int64_t *best_id, const int32_t *more,
                  const int64_t *more_id, int32_t *distance, int64_t *id)
{
    for (int64_t i = 0, a = 0, b = 0; i < k; i++) {
        bool first = best[a] <= more[b];
        distance[i] = first ? best[a] : more[b];
        id[i] = first ? best_id[a++] : more_id[b++];
    }
    memcpy(best, distance, (size_t)k * sizeof *best);
    memcpy(best_id, id, (size_t)k * sizeof *best_id);
}

static int scan_step(const scale *s, const vectors *codes, scale_answers *r, scale_answers *step,
                     int64_t first, int64_t count)
{
    int64_t k = r->k;
    LBH_TRY(lbh_hamming_search(r->nq, r->query, count, vectors_mapped_bytes(codes, first), s->code_size, k,
                               step->distances, step->ids));
    for (int64_t i = 0; i < r->nq * k; i++)
        step->ids[i] += step->ids[i] < 0 ? 0 : first;
    for (int64_t q = 0; q < r->nq; q++)
        merge(k, r->distances + q * k, r->ids + q * k, step->distances + q * k, step->ids + q * k,
              step->distances + r->nq * k, step->ids + r->nq * k);
    return LBH_OK;
}

/* ---- What is kept ---------------------------------------------------------------------------- */

static state state_of(const scale *s, const scale_answers *r)
{
    return (state){.queries = XXH64(r->query, (size_t)r->nq * s->code_size, 0), .nq = r->nq, .k = r->k};
}

static int keep(const scale *s, const scale_answers *r, const state *now)
{
    outfile *out = NULL;
    size_t count = (size_t)(r->nq * r->k);
    LBH_TRY(outfile_open(&out, scale_file_of(s, "scanned").path));
    int rc = outfile_write(out, now, sizeof *now);
    if (rc == LBH_OK)
        rc = outfile_write(out, r->distances, count * sizeof *r->distances);
    if (rc == LBH_OK)
        rc = outfile_write(out, r->ids, count * sizeof *r->ids);
    return outfile_close(out, rc);
}

/* Takes up an earlier scan, if it was for these queries. */
static int take_up(const scale *s, scale_answers *r, state *now)
{
    state old;
    size_t count = (size_t)(r->nq * r->k);
    scale_file file = scale_file_of(s, "scanned");
    int fd = open(file.path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return LBH_OK;
    int rc = scale_read(fd, file.path, &old, sizeof old, 0);
    bool same = rc == LBH_OK && old.queries == now->queries && old.nq == now->nq && old.k == now->k &&
                old.rows >= 0 && old.rows <= s->n;
    int64_t at = (int64_t)sizeof old;
    if (same)
        rc = scale_read(fd, file.path, r->distances, count * sizeof *r->distances, at);
    if (same && rc == LBH_OK)
        rc = scale_read(fd, file.path, r->ids, count * sizeof *r->ids,
                        at + (int64_t)(count * sizeof *r->distances));
    if (same && rc == LBH_OK)
        *now = old;
    close(fd);
    return rc;
}

/* --------------------------------------------------------------------------------------------- */

static int scan_rest(const scale *s, const vectors *codes, scale_answers *r, scale_answers *step,
                     state *now)
{
    int64_t rows = step_work / r->nq < 1024 ? 1024 : step_work / r->nq;
    int rc = LBH_OK;
    double kept = cli_now();
    rows = rows < step_most ? rows : step_most;
    while (now->rows < s->n && rc == LBH_OK) {
        scale_time began = scale_now();
        int64_t first = now->rows, count = s->n - first < rows ? s->n - first : rows;
        rc = progress_tick("scan all codes", first, s->n);
        vectors_ahead(codes, first + count, rows);
        if (rc == LBH_OK)
            rc = scan_step(s, codes, r, step, first, count);
        vectors_behind(codes, first, count);
        if (rc == LBH_OK) {
            now->rows += count;
            now->seconds += cli_now() - began.seconds;
            now->cpu += scale_now().cpu - began.cpu;
        }
        if (rc == LBH_OK && (cli_now() - kept > KEEP_EVERY || now->rows == s->n)) {
            rc = keep(s, r, now);
            kept = cli_now();
        }
    }
    progress_clear();
    if (!cli_stopped(rc))
        return rc;
    LBH_TRY(keep(s, r, now));
    return cli_kept("%lld of %lld codes are scanned, which is kept in '%s': the same command goes on from there",
                    (long long)now->rows, (long long)s->n, s->a->dir);
}

int scale_scan(const scale *s, const vectors *codes, scale_answers *r, double *seconds, double *cpu)
{
    scale_answers step = {0};
    state now = state_of(s, r);
    int rc = take_up(s, r, &now);
    if (rc == LBH_OK)
        rc = scale_answers_new(&step, r->nq + 1, r->k, NULL);
    if (rc == LBH_OK)
        rc = scan_rest(s, codes, r, &step, &now);
    scale_answers_free(&step);
    *seconds = now.seconds;
    *cpu = now.cpu;
    return rc;
}
