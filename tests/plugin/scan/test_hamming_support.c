/* test_hamming_support.c: see test_hamming.h. */
#define _POSIX_C_SOURCE 200809L
#include "test_hamming.h"

#include "cpu.h"

#include <stdlib.h>
#include <string.h>

void use_kernels(const char *isa)
{
    setenv("LBH_ISA", isa, 1);
    lbh_cpu_choose_again();
    if (strcmp(lbh_isa(), isa) != 0)
        cr_skip_test("this CPU does not run the %s kernels", isa);
    if (strcmp(isa, "avx512") == 0 && !lbh_cpu_has_vpopcnt())
        cr_skip_test("this CPU has no AVX512_VPOPCNTDQ");
}

uint8_t *equal_codes(int64_t n, size_t code_size)
{
    uint8_t *codes = malloc(n * code_size + 1);
    memset(codes, 0x5a, n * code_size);
    return codes;
}

uint8_t *clustered_codes(int64_t n, size_t code_size, uint64_t seed)
{
    uint8_t *codes = equal_codes(n, code_size);
    for (int64_t i = 0; i < n; i++) {
        double u = test_uniform(seed, i);
        codes[i * code_size + (size_t)(u * code_size)] ^= 1 << (int)(u * 1000003) % 8;
    }
    return codes;
}

lbh_code_list whole(int64_t n, const uint8_t *codes)
{
    return (lbh_code_list){n, codes, NULL};
}

/* ---- The naive search ---------------------------------------------------------------------- */

typedef struct pair {
    int32_t distance;
    int64_t id;
} pair;

static int compare(const void *a, const void *b)
{
    const pair *p = a, *q = b;
    if (p->distance != q->distance)
        return p->distance < q->distance ? -1 : 1;
    return (p->id > q->id) - (p->id < q->id);
}

/* All codes that a query meets, sorted. The caller frees. */
static pair *naive(const uint8_t *query, size_t code_size, int64_t nprobe, const int64_t *which,
                   const lbh_code_list *lists, int64_t *count)
{
    static const int64_t only = 0;
    pair *all = NULL;
    *count = 0;
    if (!which) {
        nprobe = 1;
        which = &only;
    }
    for (int64_t p = 0; p < nprobe; p++) {
        if (which[p] < 0)
            continue;
        const lbh_code_list *l = &lists[which[p]];
        all = realloc(all, (*count + l->n + 1) * sizeof *all);
        for (int64_t i = 0; i < l->n; i++)
            all[(*count)++] = (pair){test_hamming(query, l->codes + i * code_size, code_size),
                                     l->ids ? l->ids[i] : i};
    }
    if (all)
        qsort(all, *count, sizeof *all, compare);
    return all;
}

void check_search(int64_t nq, const uint8_t *queries, size_t code_size, int64_t nprobe,
                  const int64_t *which, int64_t nlists, const lbh_code_list *lists, int64_t k)
{
    int32_t *distances = malloc(nq * k * sizeof *distances + 1);
    int64_t *labels = malloc(nq * k * sizeof *labels + 1);
    if (which)
        OK(lbh_hamming_search_lists(nq, queries, code_size, nprobe, which, nlists, lists, k,
                                    distances, labels));
    else
        OK(lbh_hamming_search(nq, queries, lists->n, lists->codes, code_size, k, distances,
                              labels));
    for (int64_t q = 0; q < nq; q++) {
        int64_t count;
        pair *all = naive(queries + q * code_size, code_size, nprobe,
                          which ? which + q * nprobe : NULL, lists, &count);
        for (int64_t j = 0; j < k; j++) {
            int32_t d = j < count ? all[j].distance : INT32_MAX;
            int64_t id = j < count ? all[j].id : -1, at = q * k + j;
            if (distances[at] != d || labels[at] != id)
                cr_assert_fail("%zu bytes, n %ld, k %ld, query %ld of %ld, rank %ld: %d %ld, not "
                               "%d %ld", code_size, (long)count, (long)k, (long)q, (long)nq,
                               (long)j, distances[at], (long)labels[at], d, (long)id);
        }
        free(all);
    }
    free(distances), free(labels);
}

void check_range(int64_t nq, const uint8_t *queries, size_t code_size, int64_t nprobe,
                 const int64_t *which, int64_t nlists, const lbh_code_list *lists, int32_t radius)
{
    lbh_range_result *r = NULL;
    if (which)
        OK(lbh_hamming_range_lists(&r, nq, queries, code_size, nprobe, which, nlists, lists,
                                   radius));
    else
        OK(lbh_hamming_range(&r, nq, queries, lists->n, lists->codes, code_size, radius));
    cr_assert_eq(r->n, nq);
    cr_assert_eq(r->lims[0], 0);
    for (int64_t q = 0; q < nq; q++) {
        int64_t count, expected = 0;
        pair *all = naive(queries + q * code_size, code_size, nprobe,
                          which ? which + q * nprobe : NULL, lists, &count);
        while (expected < count && all[expected].distance < radius)
            expected++;
        cr_assert_eq(r->lims[q + 1] - r->lims[q], expected, "%zu bytes, radius %d: %ld, not %ld",
                     code_size, radius, (long)(r->lims[q + 1] - r->lims[q]), (long)expected);
        for (int64_t j = 0; j < expected; j++)
            if (r->distances[r->lims[q] + j] != all[j].distance ||
                r->labels[r->lims[q] + j] != all[j].id)
                cr_assert_fail("%zu bytes, radius %d, query %ld, answer %ld", code_size, radius,
                               (long)q, (long)j);
        free(all);
    }
    lbh_range_result_free(r);
}

void check_random(int64_t nq, int64_t n, size_t code_size, int64_t k)
{
    uint8_t *codes = test_codes(n, code_size, n + code_size);
    uint8_t *queries = test_codes(nq, code_size, 1000 + nq);
    lbh_code_list all = whole(n, codes);
    check_search(nq, queries, code_size, 1, NULL, 1, &all, k);
    free(codes), free(queries);
}
