/* decoded_lists.c: every code that a search visits, in BFlat or in the lists of BIVF, ranked by the
 * decoder: lbh_index_search_rescored with k_factor 0. */
#include "pipeline.h"

#include "faiss_gap_codes.h"
#include "index_parts.h"

#include <stdbool.h>
#include <stdlib.h>

/* The lists that some query visits; the others are empty here. */
typedef struct visited {
    const FaissIndexBinary *index, *inner;
    int64_t n, nprobe, *probe, *size;
    const uint8_t **codes;
    const int64_t **ids;  /* as stored; */
    int64_t **own;        /* those of an IDMap or that a filter leaves, -1 for the others; or NULL */
    lbh_filter_fn filter; /* or NULL */
    const void *ctx;
} visited;

static void visited_free(visited *v)
{
    for (int64_t i = 0; v->size && v->codes && v->ids && v->own && i < v->n; i++) {
        if (v->codes[i])
            lbh_gap_release_list(v->inner, i, v->codes[i], v->own[i] ? NULL : v->ids[i]);
        free(v->own[i]);
    }
    free(v->probe);
    free(v->size);
    free(v->codes);
    free(v->ids);
    free(v->own);
}

/* The lists of each query, from the coarse quantizer, as FAISS chooses them: up to nprobe, and no
 * further one once max_codes have been seen. */
static int find_lists(visited *v, const lbh_index_info *info, size_t code_size, int64_t nq,
                      const uint8_t *queries)
{
    int64_t probes = nq * v->nprobe, most = lbh_gap_get(info->inner, LBH_PARAM_MAX_CODES);
    int32_t *distances = lbh_alloc_rows(probes, sizeof *distances, 0);
    int rc = distances ? LBH_OK : LBH_ENOMEM;
    if (!rc)
        rc = lbh_index_search_codes(info->quantizer, code_size, nq, queries, v->nprobe, distances,
                                    v->probe);
    free(distances);
    for (int64_t q = 0; q < nq && most > 0 && !rc; q++)
        for (int64_t i = q * v->nprobe, seen = 0; i < (q + 1) * v->nprobe; i++) {
            int64_t size = 0;
            const uint8_t *codes = NULL;
            const int64_t *ids = NULL;
            if (v->probe[i] < 0 || seen >= most) {
                v->probe[i] = -1;
                continue;
            }
            LBH_TRY(lbh_gap_list(v->inner, v->probe[i], &size, &codes, &ids));
            lbh_gap_release_list(v->inner, v->probe[i], codes, ids);
            seen += size;
        }
    return rc;
}

/* Ids of a list as the caller knows them; -1 where the filter says no. */
static int own_ids(visited *v, int64_t list, bool mapped)
{
    int64_t size = v->size[list], *ids = lbh_alloc_rows(size, sizeof *ids, 0);
    if (!ids)
        return LBH_ENOMEM;
    for (int64_t i = 0; i < size; i++)
        ids[i] = v->ids[list] ? v->ids[list][i] : i;
    if (mapped)
        lbh_gap_map_ids(v->index, size, ids);
    for (int64_t i = 0; v->filter && i < size; i++)
        ids[i] = v->filter(v->ctx, ids[i]) ? ids[i] : -1;
    v->own[list] = ids;
    return LBH_OK;
}

static int read_lists(visited *v, int64_t nq, bool mapped)
{
    for (int64_t i = 0; i < nq * v->nprobe; i++) {
        int64_t list = v->probe[i];
        if (list < 0 || v->codes[list])
            continue;
        LBH_TRY(lbh_gap_list(v->inner, list, &v->size[list], &v->codes[list], &v->ids[list]));
        if (!mapped && !v->filter && v->ids[list])
            continue;
        LBH_TRY(own_ids(v, list, mapped));
        if (v->ids[list])
            lbh_gap_release_list(v->inner, list, NULL, v->ids[list]);
        v->ids[list] = v->own[list];
    }
    return LBH_OK;
}

static int visited_new(visited *v, const lbh_index_info *info, int64_t nq)
{
    bool ivf = info->kind == LBH_KIND_IVF;
    v->n = ivf ? info->nlist : 1;
    v->nprobe = ivf ? lbh_gap_get(info->inner, LBH_PARAM_NPROBE) : 1;
    v->nprobe = v->nprobe < v->n ? v->nprobe : v->n;
    v->probe = lbh_alloc_rows(nq * v->nprobe, sizeof *v->probe, 0);
    v->size = calloc((size_t)v->n, sizeof *v->size);
    v->codes = calloc((size_t)v->n, sizeof *v->codes);
    v->ids = calloc((size_t)v->n, sizeof *v->ids);
    v->own = calloc((size_t)v->n, sizeof *v->own);
    if (!v->probe || !v->size || !v->codes || !v->ids || !v->own)
        return lbh_error(LBH_ENOMEM, "search: out of memory for the lists");
    for (int64_t i = 0; i < nq * v->nprobe; i++)
        v->probe[i] = 0;
    return LBH_OK;
}

static int rank_lists(visited *v, const lbh_index_info *info, const lbh_rescorer *r, int64_t nq,
                      const float *x, int64_t k, float *distances, int64_t *labels)
{
    const lbh_encoder *enc = lbh_rescorer_encoder(r);
    if (info->kind == LBH_KIND_IVF) {
        uint8_t *queries = NULL;
        LBH_TRY(lbh_encode_padded(&queries, enc, lbh_encoder_encode_queries, nq, x));
        int rc = find_lists(v, info, lbh_index_code_size(v->index), nq, queries);
        free(queries);
        LBH_TRY(rc);
    }
    bool plain = info->kind == LBH_KIND_FLAT && !info->idmap && !v->filter;
    if (plain)
        LBH_TRY(lbh_gap_list(v->inner, 0, v->size, v->codes, v->ids));
    else
        LBH_TRY(read_lists(v, nq, info->idmap > 0));
    const lbh_code_lists lists = {v->n, v->size, v->codes, plain ? NULL : v->ids};
    return lbh_rescorer_search_lists(r, &lists, nq, x, v->nprobe, v->probe, k, distances, labels);
}

int lbh_search_visited(const FaissIndexBinary *index, const lbh_rescorer *r, lbh_filter_fn filter,
                       const void *ctx, int64_t nq, const float *x, int64_t k, float *distances,
                       int64_t *labels)
{
    lbh_index_info info = lbh_gap_info(index);
    if (lbh_rescorer_mode(r) != LBH_RESCORE_DECODER)
        return lbh_error(LBH_EINVAL, "search: k_factor 0, all codes that a search visits, is for "
                         "rescoring by the decoder");
    if (info.kind != LBH_KIND_FLAT && info.kind != LBH_KIND_IVF)
        return lbh_error(LBH_EINVAL, "search: k_factor 0, all codes that a search visits, is for BFlat "
                         "and BIVF, not for %s", lbh_index_kind(index));
    visited v = {.index = index, .inner = info.inner, .filter = filter, .ctx = ctx};
    int rc = visited_new(&v, &info, nq);
    if (!rc)
        rc = rank_lists(&v, &info, r, nq, x, k, distances, labels);
    visited_free(&v);
    return rc;
}
