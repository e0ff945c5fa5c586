/* filtered.c: searches among some of an index's ids. */
#include "index_parts.h"

#include "watch.h"
#include "faiss_gap_codes.h"

#include <stdlib.h>
#include <string.h>

/* FAISS filters binary indexes in few kinds and late versions only. Here the answers of a plain
 * search are filtered, and queries that lack some are asked for 4 times as many. */
typedef struct filtering {
    const FaissIndexBinary *index;
    size_t code_size;
    int64_t k;
    lbh_filter_fn allows;
    const void *ctx;
    int32_t *distances; /* n x k */
    int64_t *labels;
    uint8_t *codes; /* of the answers, or NULL */
} filtering;

enum { MAX_ANSWERS = 1 << 22 }; /* of one plain search: 50 MB */

/* Copies allowed answers of one query; 1 if it needs no more of them: it has k, or there are none.
 */
static int keep_allowed(const filtering *f, int64_t query, int64_t want, const int32_t *distances,
                        const int64_t *labels, const uint8_t *codes)
{
    int32_t *d = f->distances + query * f->k;
    int64_t *l = f->labels + query * f->k, found = 0;
    for (int64_t j = 0; j < want && labels[j] >= 0 && found < f->k; j++)
        if (f->allows(f->ctx, labels[j])) {
            if (f->codes)
                memcpy(f->codes + (size_t)(query * f->k + found) * f->code_size,
                       codes + (size_t)j * f->code_size, f->code_size);
            d[found] = distances[j];
            l[found++] = labels[j];
        }
    int complete = found == f->k || labels[want - 1] < 0;
    for (; found < f->k; found++) {
        d[found] = INT32_MAX;
        l[found] = -1;
    }
    return complete;
}

/* Asks each of the m queries for `want` answers; the ones that need more stay in queries[0 ..
 * *m-1]. */
static int ask(const filtering *f, const uint8_t *codes, int64_t want, int64_t *queries, int64_t *m)
{
    int64_t block = MAX_ANSWERS / want, left = 0;
    block = block < 1 ? 1 : block > *m ? *m : block;
    uint8_t *some = lbh_alloc_rows(block, f->code_size, LBH_CODE_PAD);
    uint8_t *theirs = f->codes ? lbh_alloc_rows(block * want, f->code_size, 0) : NULL;
    int32_t *distances = lbh_alloc_rows(block * want, sizeof *distances, 0);
    int64_t *labels = lbh_alloc_rows(block * want, sizeof *labels, 0);
    int rc = some && distances && labels && (theirs || !f->codes) ? LBH_OK : LBH_ENOMEM;
    for (int64_t i = 0; i < *m && rc == LBH_OK; i += block) {
        int64_t count = *m - i < block ? *m - i : block;
        for (int64_t j = 0; j < count; j++)
            memcpy(some + (size_t)j * f->code_size, codes + (size_t)queries[i + j] * f->code_size,
                   f->code_size);
        rc = theirs ? lbh_gap_search_codes(f->index, count, some, want, distances, labels, theirs)
                    : lbh_index_search_codes(f->index, f->code_size, count, some, want, distances,
                                             labels);
        for (int64_t j = 0; j < count && !rc && !(rc = lbh_watch_check()); j++)
            if (!keep_allowed(f, queries[i + j], want, distances + j * want, labels + j * want,
                              theirs ? theirs + (size_t)(j * want) * f->code_size : NULL))
                queries[left++] = queries[i + j];
    }
    free(some);
    free(theirs);
    free(distances);
    free(labels);
    *m = left;
    return rc;
}

static int run(filtering *f, int64_t n, const uint8_t *codes)
{
    int64_t total = lbh_index_ntotal(f->index), m = n;
    int64_t *queries = lbh_alloc_rows(n, sizeof *queries, 0);
    if (!queries)
        return LBH_ENOMEM;
    for (int64_t i = 0; i < n; i++)
        queries[i] = i;
    int rc = LBH_OK;
    int64_t want = f->k < total / 2 ? 2 * f->k : total;
    for (want = want < 1 ? 1 : want; m > 0 && rc == LBH_OK;
         want = 4 * want < total ? 4 * want : total) {
        rc = ask(f, codes, want, queries, &m);
        if (want >= total)
            break;
    }
    free(queries);
    return rc;
}

int lbh_search_allowed(const FaissIndexBinary *index, size_t code_size, int64_t n,
                       const uint8_t *codes, int64_t k, lbh_filter_fn filter, const void *ctx,
                       int32_t *distances, int64_t *labels, uint8_t *found)
{
    /* Its checks, with nothing to search. */
    LBH_TRY(lbh_index_search_codes(index, code_size, 0, NULL, k, distances, labels));
    LBH_TRY(lbh_check_codes(index, code_size, n, codes));
    if (n > 0 && (!distances || !labels))
        return lbh_error(LBH_EINVAL, "search: no place for the answers given");
    filtering f = {index, code_size, k, filter, ctx, distances, labels, found};
    if (lbh_index_ntotal(index) == 0)
        f.codes = NULL;
    lbh_watch_begin("search", n);
    return lbh_watch_end(run(&f, n, codes));
}

int lbh_index_search_filtered_codes(const FaissIndexBinary *index, size_t code_size, int64_t n,
                                    const uint8_t *codes, int64_t k, lbh_filter_fn filter,
                                    const void *ctx, int32_t *distances, int64_t *labels)
{
    if (!filter)
        return lbh_error(LBH_EINVAL, "search: no filter given");
    return lbh_search_allowed(index, code_size, n, codes, k, filter, ctx, distances, labels, NULL);
}

int lbh_index_search_filtered(const FaissIndexBinary *index, const lbh_encoder *enc, int64_t n,
                              const float *x, int64_t k, lbh_filter_fn filter, const void *ctx,
                              int32_t *distances, int64_t *labels)
{
    LBH_TRY(lbh_check_encoder_fits(index, enc, n, x));
    uint8_t *codes;
    LBH_TRY(lbh_encode_padded(&codes, enc, lbh_encoder_encode_queries, n, x));
    int rc = lbh_index_search_filtered_codes(index, lbh_encoder_code_size(enc), n, codes, k, filter,
                                             ctx, distances, labels);
    free(codes);
    return rc;
}
