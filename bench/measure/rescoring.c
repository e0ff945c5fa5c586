/* rescoring.c: see rescoring.h. */
#include "rescoring.h"

#include "metrics.h"
#include "progress.h"

#include <stdlib.h>

typedef struct job {
    const lbh_pipeline *pipeline; /* or NULL: the parts */
    const FaissIndexBinary *index;
    const lbh_encoder *enc;
    lbh_rescorer *rescorer; /* NULL: plain */
    lbh_shortlist shortlist;
    int64_t want;
} job;

int rescore_check(const rescore_args *how)
{
    bool all = how->k_factor <= 0;
    if (all ? how->mode == LBH_RESCORE_DECODER : how->k_factor >= 1)
        return LBH_OK;
    return fail_usage("--k-factor (%g) must be at least 1, or 0 with --rescore decoder", how->k_factor);
}

rescore_args rescore_for(const rescore_args *how, const lbh_encoder *enc)
{
    rescore_args known = *how;
    if (how->mode == RESCORE_AUTO)
        known.mode = lbh_encoder_best_rescore(enc);
    return known;
}

/* Plain answers as floats; missing ones as the library has them elsewhere. */
static int search_plain(const job *j, int64_t n, const float *x, float *distances, int64_t *ids)
{
    int32_t *hamming = cli_alloc(n * j->want, sizeof *hamming);
    if (!hamming)
        return LBH_ENOMEM;
    int rc = lbh_index_search(j->index, j->enc, n, x, j->want, hamming, ids);
    for (int64_t i = 0; i < n * j->want && !rc; i++)
        distances[i] = (float)hamming[i];
    free(hamming);
    return rc;
}

static int search_block(const job *j, int64_t n, const float *x, float *distances, int64_t *ids)
{
    if (j->pipeline)
        return lbh_pipeline_search(j->pipeline, n, x, j->want, distances, ids);
    if (!j->rescorer)
        return search_plain(j, n, x, distances, ids);
    return lbh_index_search_rescored(j->index, j->rescorer, j->shortlist, n, x, j->want,
                                     distances, ids);
}

static int search_blocks(const job *j, const vectors *query, float *distances, int64_t *ids,
                         double *seconds)
{
    enum { QUERY_BLOCK = 1024 };
    float *x = cli_alloc(QUERY_BLOCK, (size_t)query->d * sizeof *x);
    int rc = x ? LBH_OK : LBH_ENOMEM;
    for (int64_t q = 0; q < query->n && rc == LBH_OK; q += QUERY_BLOCK) {
        int64_t count = query->n - q < QUERY_BLOCK ? query->n - q : QUERY_BLOCK;
        rc = progress_tick("search", q, query->n);
        if (rc == LBH_OK)
            rc = vectors_floats(query, q, count, x);
        double began = cli_now();
        if (rc == LBH_OK)
            rc = search_block(j, count, x, distances + q * j->want, ids + q * j->want);
        *seconds += cli_now() - began;
    }
    progress_clear();
    free(x);
    return rc;
}

/* All answers in new memory, without own rows; the caller frees them. */
static int answer_all(const job *j, const vectors *query, int64_t k, const int64_t *own,
                      float **distances, int64_t **ids, double *seconds)
{
    *seconds = 0;
    *distances = cli_alloc(query->n * j->want, sizeof **distances);
    *ids = cli_alloc(query->n * j->want, sizeof **ids);
    int rc = *distances && *ids ? LBH_OK : LBH_ENOMEM;
    if (rc == LBH_OK)
        rc = search_blocks(j, query, *distances, *ids, seconds);
    if (rc == LBH_OK && own)
        drop_own(query->n, k, own, *ids, *distances);
    if (rc) {
        free(*distances);
        free(*ids);
        *distances = NULL;
        *ids = NULL;
    }
    return rc;
}

int rescored_search(const FaissIndexBinary *index, const lbh_encoder *enc, const vectors *query,
                    const rescore_args *how, int mode, int metric, const vectors *base, int64_t k,
                    const int64_t *own, float **distances, int64_t **ids, double *seconds)
{
    job j = {.index = index, .enc = enc, .want = own ? k + 1 : k,
             .shortlist = {how->k_factor, how->margin_factor}};
    lbh_rows rows = {0};
    if (base)
        rows = vectors_rows(base);
    *seconds = 0;
    *distances = NULL;
    *ids = NULL;
    if (mode)
        LBH_TRY(lbh_rescorer_new(&j.rescorer, enc, mode, metric, base ? &rows : NULL));
    int rc = answer_all(&j, query, k, own, distances, ids, seconds);
    lbh_rescorer_free(j.rescorer);
    return rc;
}

int pipeline_search(const lbh_pipeline *pipeline, const vectors *query, int64_t k, const int64_t *own,
                    float **distances, int64_t **ids, double *seconds)
{
    job j = {.pipeline = pipeline, .want = own ? k + 1 : k};
    return answer_all(&j, query, k, own, distances, ids, seconds);
}
