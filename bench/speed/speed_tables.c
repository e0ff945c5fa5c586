/* speed_tables.c: search that does not look at every code: inverted files and multi-index hashing,
 * on codes that SGH learned, since random codes have no near neighbours. */
#define _POSIX_C_SOURCE 200809L
#include "encode.h"
#include "encoder_make.h"
#include "inputs.h"
#include "output.h"
#include "progress.h"
#include "lbh_mih.h"
#include "speed.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NBITS = 64, QUERIES = 100, K = 10, MANY = 100 };
enum { TRAIN_ROWS = 100000, NPROBE = 16, LISTS_CODES = 2500 };

typedef struct tables {
    int64_t n, nq, k;
    uint8_t *codes, *queries;
    FaissIndexBinary *stock, *fast; /* the same index, with FAISS's search and with ours */
    lbh_mih *mih;
    int32_t *distances[2]; /* of ours and of the rival, to be compared */
    int64_t *labels;
} tables;

/* ---- Codes --------------------------------------------------------------------------------- */

static int train_encoder(lbh_encoder **enc, const vectors *rows)
{
    vectors sample = *rows;
    sample.n = rows->n < TRAIN_ROWS ? rows->n : TRAIN_ROWS;
    LBH_TRY(encoder_make(enc, "sgh", rows->d, NBITS, LBH_METRIC_L2, "steps=2000", 1));
    lbh_rows view = vectors_rows(&sample);
    lbh_encoder_on_progress(*enc, progress_training, NULL);
    return lbh_encoder_train_rows(*enc, &view, NULL, NULL);
}

static int make_codes(const speed_options *o, tables *t)
{
    char made[96];
    vectors base = {0}, query = {0};
    lbh_encoder *enc = NULL;
    snprintf(made, sizeof made, "synthetic:n=%lld,d=32,queries=%d,clusters=1000", (long long)o->n,
             QUERIES);
    const char *spec = o->base ? o->base : made;
    int rc = query_check(o->query, spec, "speed");
    if (rc == LBH_OK)
        rc = vectors_open(&base, spec);
    if (rc == LBH_OK)
        rc = query_open(&query, o->query, spec);
    if (rc == LBH_OK)
        rc = train_encoder(&enc, &base);
    if (rc == LBH_OK)
        rc = encode_all(enc, &base, ENCODE_BASE, &t->codes);
    if (rc == LBH_OK)
        rc = encode_all(enc, &query, ENCODE_QUERIES, &t->queries);
    t->n = base.n;
    t->nq = query.n < QUERIES ? query.n : QUERIES;
    lbh_encoder_free(enc);
    vectors_close(&base);
    vectors_close(&query);
    return rc;
}

/* ---- Contenders ---------------------------------------------------------------------------- */

static int search_index(const tables *t, FaissIndexBinary *index, int64_t nq, int64_t first,
                        int32_t *distances)
{
    return lbh_index_search_codes(index, NBITS / 8, nq, t->queries + first * (NBITS / 8),
                                  t->k, distances + first * t->k, t->labels + first * t->k);
}

/* All queries at once, and one after the other. */
static int stock_batch(void *ctx)
{
    const tables *t = ctx;
    return search_index(t, t->stock, t->nq, 0, t->distances[1]);
}

static int fast_batch(void *ctx)
{
    const tables *t = ctx;
    return search_index(t, t->fast, t->nq, 0, t->distances[0]);
}

static int one_by_one(const tables *t, FaissIndexBinary *index, int32_t *distances)
{
    int rc = LBH_OK;
    for (int64_t i = 0; i < t->nq && rc == LBH_OK; i++)
        rc = search_index(t, index, 1, i, distances);
    return rc;
}

static int stock_singles(void *ctx)
{
    const tables *t = ctx;
    return one_by_one(t, t->stock, t->distances[1]);
}

static int fast_singles(void *ctx)
{
    const tables *t = ctx;
    return one_by_one(t, t->fast, t->distances[0]);
}

static int mih_singles(void *ctx)
{
    const tables *t = ctx;
    int rc = LBH_OK;
    for (int64_t i = 0; i < t->nq && !rc; i++)
        rc = lbh_mih_search(t->mih, 1, t->queries + i * (NBITS / 8), t->k,
                            t->distances[0] + i * t->k, t->labels + i * t->k, NULL);
    return rc;
}

static int scan_singles(void *ctx)
{
    const tables *t = ctx;
    int rc = LBH_OK;
    for (int64_t i = 0; i < t->nq && !rc; i++)
        rc = lbh_hamming_search(1, t->queries + i * (NBITS / 8), t->n, t->codes, NBITS / 8,
                                t->k, t->distances[1] + i * t->k, t->labels + i * t->k);
    return rc;
}

/* Both of the last runs must have found the same distances. */
static int compare_answers(const tables *t, const char *what)
{
    size_t bytes = (size_t)(t->nq * t->k) * sizeof **t->distances;
    if (memcmp(t->distances[0], t->distances[1], bytes) == 0)
        return LBH_OK;
    return fail("speed: %s: the answers differ from the rival's", what);
}

/* ---- Inverted files ------------------------------------------------------------------------ */

/* About 2,500 codes a list, as FAISS's guidelines have it: 4096 lists for ten million. */
static int build_ivf(const speed_options *o, tables *t, int *nlist)
{
    char factory[32], path[512], name[64];
    const char *dir = getenv("TMPDIR");
    *nlist = 1;
    while (*nlist * (int64_t)LISTS_CODES < t->n && *nlist < 1 << 16)
        *nlist *= 2;
    snprintf(factory, sizeof factory, "BIVF%d", *nlist);
    snprintf(name, sizeof name, "nprobe=%d", NPROBE < *nlist ? NPROBE : *nlist);
    snprintf(path, sizeof path, "%s/lbh-speed-%ld.faiss", dir ? dir : "/tmp", (long)getpid());
    progress_note("speed: building %s (FAISS's k-means) ...", factory);
    omp_set_num_threads(o->threads);
    int rc = lbh_index_build_codes(&t->stock, NBITS / 8, factory, t->n, t->codes);
    cli_guard(path);
    if (!rc)
        rc = lbh_index_save(t->stock, path);
    if (!rc)
        rc = lbh_index_load(&t->fast, path);
    unlink(path);
    cli_unguard(path);
    if (!rc)
        rc = lbh_index_accelerate(&t->fast);
    if (!rc)
        rc = lbh_index_set(t->stock, name);
    if (!rc)
        rc = lbh_index_set(t->fast, name);
    return rc;
}

static int time_ivf_with(const speed_options *o, tables *t, int nlist, bool batch, int threads)
{
    char name[96];
    snprintf(name, sizeof name, "ivf: %.3g codes of %d bits, nlist %d, nprobe %d, k=%d, %s",
             (double)t->n, NBITS, nlist, NPROBE, (int)t->k, batch ? "batch" : "single queries");
    int rc = speed_run(o, &(speed_case){
        .name = name, .unit = "query", .work = (double)t->nq,
        .ours = {"accelerated", batch ? fast_batch : fast_singles, t, threads},
        .rival = {{"FAISS", batch ? stock_batch : stock_singles, t, threads}}});
    return rc ? rc : compare_answers(t, name);
}

static int time_ivf(const speed_options *o, tables *t)
{
    int nlist, rc = build_ivf(o, t, &nlist);
    for (int i = 0; i < 4 && rc == LBH_OK; i++) {
        t->k = i < 2 ? K : MANY;
        rc = time_ivf_with(o, t, nlist, i % 2, 1);
        if (rc == LBH_OK && o->threads > 1)
            rc = time_ivf_with(o, t, nlist, i % 2, o->threads);
    }
    lbh_index_free(t->stock);
    lbh_index_free(t->fast);
    t->stock = t->fast = NULL;
    return rc;
}

/* ---- Multi-index hashing ------------------------------------------------------------------- */

static int time_mih(const speed_options *o, tables *t)
{
    char name[96];
    progress_note("speed: building multi-index hashes ...");
    int rc = lbh_mih_build(&t->mih, NBITS / 8, t->n, t->codes, NULL, 0);
    if (!rc)
        rc = lbh_index_build_codes(&t->stock, NBITS / 8, "BHash4x16", t->n, t->codes);
    if (!rc)
        rc = lbh_index_set(t->stock, "nflip=1");
    if (rc)
        return rc;
    snprintf(name, sizeof name, "mih: %.3g codes of %d bits, single queries, against FAISS",
             (double)t->n, NBITS);
    rc = speed_run(o, &(speed_case){
        .name = name, .unit = "query", .work = (double)t->nq,
        .ours = {"lbh_mih_search", mih_singles, t, 1},
        .rival = {{"FAISS BHash4x16 nflip=1", stock_singles, t, 1}}});
    lbh_index_free(t->stock);
    t->stock = NULL;
    snprintf(name, sizeof name, "mih: %.3g codes of %d bits, single queries, against a scan",
             (double)t->n, NBITS);
    if (rc == LBH_OK)
        rc = speed_run(o, &(speed_case){
            .name = name, .unit = "query", .work = (double)t->nq,
            .ours = {"lbh_mih_search", mih_singles, t, 1},
            .rival = {{"lbh_hamming_search", scan_singles, t, 1}}});
    return rc ? rc : compare_answers(t, name);
}

int speed_tables(const speed_options *o, bool ivf, bool mih)
{
    tables t = {.k = K};
    int rc = make_codes(o, &t);
    for (int i = 0; i < 2 && rc == LBH_OK; i++)
        if (!(t.distances[i] = cli_alloc(t.nq * MANY, sizeof **t.distances)))
            rc = LBH_ENOMEM;
    if (rc == LBH_OK && !(t.labels = cli_alloc(t.nq * MANY, sizeof *t.labels)))
        rc = LBH_ENOMEM;
    if (rc == LBH_OK && mih)
        rc = time_mih(o, &t);
    if (rc == LBH_OK && ivf)
        rc = time_ivf(o, &t);
    lbh_index_free(t.stock);
    lbh_index_free(t.fast);
    lbh_mih_free(t.mih);
    free(t.codes);
    free(t.queries);
    free(t.distances[0]);
    free(t.distances[1]);
    free(t.labels);
    return rc;
}
