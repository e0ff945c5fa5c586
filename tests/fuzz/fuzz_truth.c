/* fuzz_truth.c: true neighbours, lists of neighbours and row numbers, for a base of 100 rows. */
#include "fuzz.h"

#include "labels.h"
#include "truth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const extension[] = {".ivecs", ".ibin", ".npy", ".bin"};
    enum { BASE = 100 };
    unsigned kind = fuzz_choice(&data, &size, 4), own_rows = fuzz_choice(&data, &size, 2);
    char name[] = "rows";
    const char *path = fuzz_file(extension[kind], data, size);
    vectors v, base = {.n = BASE, .d = 2, .name = name}, query = {.name = name};
    if (vectors_open(&v, path) != LBH_OK)
        return 0;
    query.n = v.n;
    vectors_close(&v);
    int64_t *own = NULL;
    if (own_rows && query.n < 1 << 20)
        own = calloc((size_t)query.n, sizeof *own);
    truth t;
    if (truth_read(&t, path, &base, &query, own, 10) == LBH_OK) {
        FUZZ_CHECK(t.nq == query.n && t.k >= 1 && t.k <= 10);
        for (int64_t i = 0; i < t.nq * t.k; i++) /* rows of the base, and -1 behind the last */
            FUZZ_CHECK(i % t.k < truth_known(&t, i / t.k, t.k)
                           ? t.ids[i] >= 0 && t.ids[i] < BASE
                           : t.ids[i] == -1);
    }
    truth_free(&t);
    free(own);
    labels near;
    if (neighbours_open(&near, path, &query) == LBH_OK)
        for (int64_t i = 0; i < near.start[near.n]; i++)
            FUZZ_CHECK(near.item[i] >= 0 && near.item[i] < query.n);
    labels_close(&near);
    int64_t *ids;
    if (read_row_ids(path, query.n, BASE, &ids) == LBH_OK)
        for (int64_t i = 0; i < query.n; i++)
            FUZZ_CHECK(ids[i] >= 0 && ids[i] < BASE);
    free(ids);
    return 0;
}
