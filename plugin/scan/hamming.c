/* hamming.c: see lbh_scan.h. Checks arguments; hamming_run.c does the work. */
#include "lbh_scan.h"

#include "error.h"
#include "hamming_run.h"

#include <stdlib.h>

/* List numbers share 64 bits with query numbers. */
static const int64_t MAX_LISTS = INT64_C(1) << 40;

/* ---- Arguments ----------------------------------------------------------------------------- */

static int check_rows(const char *name, int64_t n, size_t size, const void *rows)
{
    if (n < 0)
        return lbh_error(LBH_EINVAL, "Hamming search: %s: number (%lld) is negative", name,
                         (long long)n);
    if (n && !rows)
        return lbh_error(LBH_EINVAL, "Hamming search: %s is NULL, with %lld rows", name,
                         (long long)n);
    if (size && (uint64_t)n > INT64_MAX / size)
        return lbh_error(LBH_EINVAL, "Hamming search: %s: %lld rows of %zu bytes exceed the "
                         "address space", name, (long long)n, size);
    return LBH_OK;
}

static int check_code_size(size_t code_size)
{
    if (code_size < 1 || code_size > INT32_MAX / 8)
        return lbh_error(LBH_EINVAL, "Hamming search: code_size (%zu) must be 1 .. %d bytes",
                         code_size, INT32_MAX / 8);
    return LBH_OK;
}

static int check_k(int64_t nq, int64_t k, const int32_t *distances, const int64_t *labels)
{
    if (k < 1)
        return lbh_error(LBH_EINVAL, "Hamming search: k (%lld) must be at least 1", (long long)k);
    if ((uint64_t)k > INT64_MAX / sizeof *labels)
        return lbh_error(LBH_EINVAL, "Hamming search: k (%lld) exceeds the address space",
                         (long long)k);
    LBH_TRY(check_rows("distances", nq, (size_t)k * sizeof *distances, distances));
    return check_rows("labels", nq, (size_t)k * sizeof *labels, labels);
}

static int check_array(lbh_hamming *h)
{
    LBH_TRY(check_code_size(h->code_size));
    LBH_TRY(check_rows("queries", h->nq, h->code_size, h->queries));
    LBH_TRY(check_rows("codes", h->n, h->code_size, h->codes));
    h->most = h->n;
    return LBH_OK;
}

/* Codes of the lists that a query names. */
static int count_codes(const lbh_hamming *h, int64_t nlists, int64_t query, int64_t *count)
{
    *count = 0;
    for (int64_t i = query * h->nprobe; i < (query + 1) * h->nprobe; i++) {
        int64_t number = h->which[i];
        if (number < -1 || number >= nlists)
            return lbh_error(LBH_EINVAL, "Hamming search: query %lld names list %lld, but there "
                             "are lists 0 .. %lld (and -1 for none)", (long long)query,
                             (long long)number, (long long)nlists - 1);
        if (number < 0)
            continue;
        const lbh_code_list *list = &h->lists[number];
        LBH_TRY(check_rows("codes of a list", list->n, h->code_size, list->codes));
        if (list->n > INT64_MAX - *count)
            return lbh_error(LBH_EINVAL, "Hamming search: the lists of query %lld have more than "
                             "2^63 - 1 codes", (long long)query);
        *count += list->n;
    }
    return LBH_OK;
}

static int check_lists(lbh_hamming *h, int64_t nlists)
{
    LBH_TRY(check_code_size(h->code_size));
    LBH_TRY(check_rows("queries", h->nq, h->code_size, h->queries));
    LBH_TRY(check_rows("lists", nlists, sizeof *h->lists, h->lists));
    if (nlists > MAX_LISTS)
        return lbh_error(LBH_EINVAL, "Hamming search: nlists (%lld) must be at most %lld",
                         (long long)nlists, (long long)MAX_LISTS);
    if (h->nprobe < 0 || (uint64_t)h->nprobe > INT64_MAX / sizeof *h->which)
        return lbh_error(LBH_EINVAL, "Hamming search: nprobe (%lld) must be at least 0, and fit "
                         "the address space", (long long)h->nprobe);
    LBH_TRY(check_rows("which", h->nprobe ? h->nq : 0, (size_t)h->nprobe * sizeof *h->which,
                       h->which));
    h->most = 0;
    for (int64_t q = 0; q < h->nq; q++) {
        int64_t count;
        LBH_TRY(count_codes(h, nlists, q, &count));
        h->most = count > h->most ? count : h->most;
    }
    return LBH_OK;
}

/* ---- The k nearest ------------------------------------------------------------------------- */

static int search_checked(lbh_hamming *h, int64_t k)
{
    LBH_TRY(check_k(h->nq, k, h->distances, h->labels));
    h->k = k;
    if (h->nq && h->most)
        return lbh_hamming_run(h);
    for (int64_t i = 0; i < h->nq * k; i++) {
        h->distances[i] = INT32_MAX;
        h->labels[i] = -1;
    }
    return LBH_OK;
}

int lbh_hamming_search_array(lbh_hamming *h, int64_t k)
{
    LBH_TRY(check_array(h));
    return search_checked(h, k);
}

int lbh_hamming_search(int64_t nq, const uint8_t *queries, int64_t n, const uint8_t *codes,
                       size_t code_size, int64_t k, int32_t *distances, int64_t *labels)
{
    lbh_hamming h = {.nq = nq, .queries = queries, .code_size = code_size, .n = n, .codes = codes,
                     .distances = distances, .labels = labels};
    return lbh_hamming_search_array(&h, k);
}

int lbh_hamming_candidates(int64_t nq, const uint8_t *queries, int64_t n, const uint8_t *codes,
                           size_t code_size, int64_t k, lbh_candidates_fn take, void *ctx)
{
    lbh_hamming h = {.nq = nq, .queries = queries, .code_size = code_size, .n = n, .codes = codes,
                     .k = k, .take = take, .ctx = ctx};
    LBH_TRY(check_array(&h));
    if (k < 1)
        return lbh_error(LBH_EINVAL, "Hamming search: k (%lld) must be at least 1", (long long)k);
    if (nq && n)
        return lbh_hamming_run(&h);
    for (int64_t q = 0; q < nq; q++)
        take(ctx, q, 0, NULL);
    return LBH_OK;
}

int lbh_hamming_search_lists(int64_t nq, const uint8_t *queries, size_t code_size, int64_t nprobe,
                             const int64_t *which, int64_t nlists, const lbh_code_list *lists,
                             int64_t k, int32_t *distances, int64_t *labels)
{
    lbh_hamming h = {.nq = nq, .queries = queries, .code_size = code_size, .nprobe = nprobe,
                     .which = which, .lists = lists, .distances = distances, .labels = labels};
    LBH_TRY(check_lists(&h, nlists));
    return search_checked(&h, k);
}

/* ---- All below a radius -------------------------------------------------------------------- */

void lbh_range_result_free(lbh_range_result *result)
{
    if (result) {
        free(result->lims);
        free(result->distances);
        free(result->labels);
        free(result);
    }
}

static int range_checked(lbh_range_result **result, lbh_hamming *h, int32_t radius)
{
    if (!result)
        return lbh_error(LBH_EINVAL, "Hamming search: result is NULL");
    if ((uint64_t)h->nq >= SIZE_MAX / sizeof *h->result->lims)
        return lbh_error(LBH_EINVAL, "Hamming search: nq (%lld) exceeds the address space",
                         (long long)h->nq);
    h->radius = radius;
    lbh_range_result *r = calloc(1, sizeof *r);
    if (r) {
        r->n = h->nq;
        r->lims = calloc((size_t)h->nq + 1, sizeof *r->lims);
    }
    if (!r || !r->lims) {
        lbh_range_result_free(r);
        return lbh_error(LBH_ENOMEM, "Hamming search: out of memory for the answers of %lld "
                         "queries", (long long)h->nq);
    }
    h->result = r;
    int rc = h->nq && h->most && radius > 0 ? lbh_hamming_run(h) : LBH_OK;
    if (rc == LBH_OK)
        *result = r;
    else
        lbh_range_result_free(r);
    return rc;
}

int lbh_hamming_range_array(lbh_range_result **result, lbh_hamming *h, int32_t radius)
{
    LBH_TRY(check_array(h));
    return range_checked(result, h, radius);
}

int lbh_hamming_range(lbh_range_result **result, int64_t nq, const uint8_t *queries, int64_t n,
                      const uint8_t *codes, size_t code_size, int32_t radius)
{
    lbh_hamming h = {.nq = nq, .queries = queries, .code_size = code_size, .n = n, .codes = codes};
    return lbh_hamming_range_array(result, &h, radius);
}

int lbh_hamming_range_lists(lbh_range_result **result, int64_t nq, const uint8_t *queries,
                            size_t code_size, int64_t nprobe, const int64_t *which, int64_t nlists,
                            const lbh_code_list *lists, int32_t radius)
{
    lbh_hamming h = {.nq = nq, .queries = queries, .code_size = code_size, .nprobe = nprobe,
                     .which = which, .lists = lists};
    LBH_TRY(check_lists(&h, nlists));
    return range_checked(result, &h, radius);
}
