/* alloc_scan.c: the calls of lbh_scan.h, lbh_mih.h and lbh_exact.h. */
#include "alloc_world.h"

#include "lbh_exact.h"

#include <string.h>

#define CALL(name, expression)                                                                     \
    static int name(world *w, const char *with)                                                    \
    {                                                                                              \
        (void)with;                                                                                \
        return expression;                                                                         \
    }

enum { RADIUS = 5, LISTS = 4 };

static void nothing(world *w, const char *with)
{
    (void)w, (void)with;
}

static void with_mih(world *w, const char *with)
{
    const int64_t *ids = with ? some_ids : NULL;
    world_need(lbh_mih_build(&w->mih, CODE, N, codes, ids, 2), "a multi-index hash");
}

static void with_half(world *w, const char *with)
{
    world_need(lbh_mih_build(&w->mih, CODE, N / 2, codes, with ? some_ids : NULL, 2), "half of it");
}

static void saved(world *w, const char *with)
{
    with_half(w, NULL);
    w->file = world_path("m.mih");
    world_need(lbh_mih_save(w->mih, w->file), w->file);
    lbh_mih_free(w->mih);
    w->mih = NULL;
    if (with)
        with_mih(w, NULL);
}

static void loaded(world *w, const char *with)
{
    saved(w, with);
    world_need(lbh_mih_load(&w->mih, w->file), w->file);
}

static const lbh_code_list *lists(void)
{
    static lbh_code_list list[LISTS];
    for (int i = 0; i < LISTS; i++)
        list[i] = (lbh_code_list){N / LISTS, codes + i * (N / LISTS) * CODE, NULL};
    return list;
}

static const int64_t which[NQ * 2] = {0, 1, 2, 3, 1, 2, -1, 3, 0, 0, 1, 3, 2, 1, 3, 0};

CALL(search, lbh_hamming_search(NQ, codes, N, codes, CODE, K, w->i32, w->i64))
CALL(search_one, lbh_hamming_search(1, codes, N, codes, CODE, K, w->i32, w->i64))
CALL(range, lbh_hamming_range(&w->range, NQ, codes, N, codes, CODE, RADIUS))
CALL(search_lists,
     lbh_hamming_search_lists(NQ, codes, CODE, 2, which, LISTS, lists(), K, w->i32, w->i64))
CALL(range_lists,
     lbh_hamming_range_lists(&w->range, NQ, codes, CODE, 2, which, LISTS, lists(), RADIUS))
CALL(build, lbh_mih_build(&w->mih, CODE, N, codes, NULL, 0))
CALL(build_ids, lbh_mih_build(&w->mih, CODE, N, codes, some_ids, 2))
CALL(add, lbh_mih_add(w->mih, N / 2, codes + N / 2 * CODE, NULL))
CALL(add_ids, lbh_mih_add(w->mih, N / 2, codes + N / 2 * CODE, some_ids + N / 2))
CALL(mih_search, lbh_mih_search(w->mih, NQ, codes, K, w->i32, w->i64, NULL))
CALL(mih_range, lbh_mih_range(&w->range, w->mih, NQ, codes, RADIUS, NULL))
CALL(mih_save, lbh_mih_save(w->mih, w->file))
CALL(mih_load, lbh_mih_load(&w->mih, w->file))
CALL(mih_verify, lbh_mih_verify(w->mih))

static int read_rows(const lbh_rows *self, int64_t count, const int64_t *ids, float *x)
{
    for (int64_t i = 0; i < count; i++)
        memcpy(x + i * D, (const float *)self->ctx + ids[i] * D, D * sizeof *x);
    return LBH_OK;
}

static const lbh_rows *held(void)
{
    static lbh_rows base;
    base = lbh_rows_from_matrix(N, D, rows);
    return &base;
}

static const lbh_rows *read_each(void)
{
    static lbh_rows base;
    base = (lbh_rows){N, D, read_rows, rows};
    return &base;
}

/* All rows, each once, in another order. */
static const int64_t *shuffled(void)
{
    static int64_t ids[N];
    for (int i = 0; i < N; i++)
        ids[i] = 7 * i % N;
    return ids;
}

CALL(exact, lbh_exact_search(held(), LBH_METRIC_L2, NQ, rows, NULL, K, NULL, w->i64))
CALL(exact_one, lbh_exact_search(held(), LBH_METRIC_L2, 1, rows, NULL, K, NULL, w->i64))
CALL(exact_read, lbh_exact_search(read_each(), LBH_METRIC_COSINE, NQ, rows, NULL, K, NULL, w->i64))
CALL(exact_rank, lbh_exact_rank(held(), LBH_METRIC_IP, 4, rows, N / 4, shuffled(), K, NULL, w->i64))

const scenario scan_scenarios[] = {
    {"lbh_exact_search", nothing, NULL, exact, NULL},
    {"lbh_exact_search, one query", nothing, NULL, exact_one, NULL},
    {"lbh_exact_search, rows that are read", nothing, NULL, exact_read, NULL},
    {"lbh_exact_rank", nothing, NULL, exact_rank, NULL},
    {"lbh_hamming_search", nothing, NULL, search, NULL},
    {"lbh_hamming_search, one query", nothing, NULL, search_one, NULL},
    {"lbh_hamming_range", nothing, NULL, range, NULL},
    {"lbh_hamming_search_lists", nothing, NULL, search_lists, NULL},
    {"lbh_hamming_range_lists", nothing, NULL, range_lists, NULL},
    {"lbh_mih_build", nothing, NULL, build, NULL},
    {"lbh_mih_build, with ids", nothing, NULL, build_ids, NULL},
    {"lbh_mih_add", with_half, NULL, add, NULL},
    {"lbh_mih_add, with ids", with_half, "ids", add_ids, NULL},
    {"lbh_mih_search", with_mih, NULL, mih_search, NULL},
    {"lbh_mih_search, with ids", with_mih, "ids", mih_search, NULL},
    {"lbh_mih_range", with_mih, NULL, mih_range, NULL},
    {"lbh_mih_save", saved, "other", mih_save, NULL},
    {"lbh_mih_load", saved, NULL, mih_load, NULL},
    {"lbh_mih_verify", loaded, NULL, mih_verify, NULL},
    {NULL, NULL, NULL, NULL, NULL, false, false},
};
