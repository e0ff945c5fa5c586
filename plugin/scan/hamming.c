/* hamming.c: see lbh_scan.h. */
#include "lbh_scan.h"

#include "core/arena.h"
#include "core/error.h"

#include <stdlib.h>
#include <string.h>

typedef struct answer {
    int64_t id;
    int32_t distance;
} answer;

static int compare(const void *a, const void *b)
{
    const answer *p = a, *q = b;
    if (p->distance != q->distance)
        return p->distance < q->distance ? -1 : 1;
    return (p->id > q->id) - (p->id < q->id);
}

static int32_t distance_of(const uint8_t *a, const uint8_t *b, size_t code_size)
{
    int sum = 0;
    for (size_t i = 0; i < code_size; i++)
        sum += __builtin_popcount(a[i] ^ b[i]);
    return sum;
}

/* All codes of the lists that a query names, sorted. */
static answer *all_answers(const uint8_t *query, size_t code_size, int64_t nprobe,
                           const int64_t *which, const lbh_code_list *lists, int64_t *count)
{
    *count = 0;
    for (int64_t i = 0; i < nprobe; i++)
        *count += which[i] < 0 ? 0 : lists[which[i]].n;
    answer *all = lbh_alloc(*count, sizeof *all), *a = all;
    for (int64_t i = 0; all && i < nprobe; i++) {
        const lbh_code_list *list = which[i] < 0 ? NULL : &lists[which[i]];
        for (int64_t j = 0; list && j < list->n; j++)
            *a++ = (answer){list->ids ? list->ids[j] : j,
                            distance_of(query, list->codes + (size_t)j * code_size, code_size)};
    }
    if (all)
        qsort(all, (size_t)*count, sizeof *all, compare);
    return all;
}

static int check(int64_t nq, const uint8_t *queries, size_t code_size, int64_t nprobe,
                 const int64_t *which, int64_t nlists, const lbh_code_list *lists)
{
    if (nq < 0 || nprobe < 0 || nlists < 0 || code_size < 1 || code_size > INT32_MAX / 8)
        return lbh_error(LBH_EINVAL, "Hamming search: nq, nprobe, nlists or code_size is wrong");
    if (nq && (!queries || (nprobe && (!which || !lists))))
        return lbh_error(LBH_EINVAL, "Hamming search: NULL argument");
    for (int64_t i = 0; i < nq * nprobe; i++)
        if (which[i] < -1 || which[i] >= nlists)
            return lbh_error(LBH_EINVAL, "Hamming search: list %lld of %lld", (long long)which[i],
                             (long long)nlists);
    return LBH_OK;
}

int lbh_hamming_search_lists(int64_t nq, const uint8_t *queries, size_t code_size, int64_t nprobe,
                             const int64_t *which, int64_t nlists, const lbh_code_list *lists,
                             int64_t k, int32_t *distances, int64_t *labels)
{
    LBH_TRY(check(nq, queries, code_size, nprobe, which, nlists, lists));
    if (k < 1 || (nq && (!distances || !labels)))
        return lbh_error(LBH_EINVAL, "Hamming search: k = %lld", (long long)k);
    for (int64_t q = 0; q < nq; q++) {
        int64_t count;
        answer *a = all_answers(queries + (size_t)q * code_size, code_size, nprobe,
                                which + q * nprobe, lists, &count);
        if (!a)
            return LBH_ENOMEM;
        for (int64_t j = 0; j < k; j++) {
            distances[q * k + j] = j < count ? a[j].distance : INT32_MAX;
            labels[q * k + j] = j < count ? a[j].id : -1;
        }
        free(a);
    }
    return LBH_OK;
}

int lbh_hamming_range_lists(lbh_range_result **result, int64_t nq, const uint8_t *queries,
                            size_t code_size, int64_t nprobe, const int64_t *which, int64_t nlists,
                            const lbh_code_list *lists, int32_t radius)
{
    LBH_TRY(check(nq, queries, code_size, nprobe, which, nlists, lists));
    lbh_range_result *r = calloc(1, sizeof *r);
    int64_t room = 0;
    if (r && (r->lims = lbh_alloc(nq + 1, sizeof *r->lims)))
        r->n = nq;
    for (int64_t q = 0; r && r->lims && q < nq; q++) {
        int64_t count, found = 0, at = r->lims[q];
        answer *a = all_answers(queries + (size_t)q * code_size, code_size, nprobe,
                                which + q * nprobe, lists, &count);
        while (a && found < count && a[found].distance < radius)
            found++;
        r->lims[q + 1] = room = at + found;
        r->distances = realloc(r->distances, (size_t)(room + 1) * sizeof *r->distances);
        r->labels = realloc(r->labels, (size_t)(room + 1) * sizeof *r->labels);
        for (int64_t j = 0; j < found; j++) {
            r->distances[at + j] = a[j].distance;
            r->labels[at + j] = a[j].id;
        }
        free(a);
    }
    *result = r;
    return r ? LBH_OK : lbh_error(LBH_ENOMEM, "Hamming search: out of memory");
}

int lbh_hamming_search(int64_t nq, const uint8_t *queries, int64_t n, const uint8_t *codes,
                       size_t code_size, int64_t k, int32_t *distances, int64_t *labels)
{
    lbh_code_list list = {n, codes, NULL};
    int64_t *which = lbh_alloc(nq > 0 ? nq : 0, sizeof *which);
    int rc = lbh_hamming_search_lists(nq, queries, code_size, 1, which, 1, &list, k, distances,
                                      labels);
    free(which);
    return rc;
}

int lbh_hamming_range(lbh_range_result **result, int64_t nq, const uint8_t *queries, int64_t n,
                      const uint8_t *codes, size_t code_size, int32_t radius)
{
    lbh_code_list list = {n, codes, NULL};
    int64_t *which = lbh_alloc(nq > 0 ? nq : 0, sizeof *which);
    int rc = lbh_hamming_range_lists(result, nq, queries, code_size, 1, which, 1, &list, radius);
    free(which);
    return rc;
}

void lbh_range_result_free(lbh_range_result *result)
{
    if (result) {
        free(result->lims);
        free(result->distances);
        free(result->labels);
        free(result);
    }
}
