/* alloc_faiss.c: the calls of lbh_faiss.h. */
#include "alloc_world.h"

#include <string.h>

#define CALL(name, expression)                                                                     \
    static int name(world *w, const char *with)                                                    \
    {                                                                                              \
        (void)with;                                                                                \
        return expression;                                                                         \
    }

enum { RADIUS = 5, HALF = N / 2 };

static void nothing(world *w, const char *with)
{
    (void)w, (void)with;
}

/* Half of the codes, with ids of one's own where the kind takes them. */
static void half(world *w, const char *factory)
{
    world_need(lbh_index_build_codes(&w->index, CODE, factory, HALF, codes), factory);
}

static void half_with_encoder(world *w, const char *factory)
{
    world_encoder(w, "itq");
    half(w, factory);
}

static void two_halves(world *w, const char *factory)
{
    half(w, factory);
    world_need(lbh_index_build_codes(&w->other, CODE, factory, HALF, codes), factory);
}

static void empty(world *w, const char *factory)
{
    world_need(lbh_index_new(&w->index, CODE, factory), factory);
}

static void encoder(world *w, const char *method)
{
    world_encoder(w, method);
}

/* A file of another index, and the index to be saved over it. */
static void saved(world *w, const char *factory)
{
    w->file = world_path("i.faiss");
    half(w, "BFlat");
    world_need(lbh_index_save(w->index, w->file), w->file);
    lbh_index_free(w->index);
    w->index = NULL;
    half(w, factory);
}

static void saved_alone(world *w, const char *factory)
{
    w->file = world_path("i.faiss");
    half(w, factory);
    world_need(lbh_index_save(w->index, w->file), w->file);
    lbh_index_free(w->index);
    w->index = NULL;
}

static void exported(world *w, const char *method)
{
    w->file = world_path("e.faiss");
    world_encoder(w, method);
    world_need(lbh_encoder_save(w->enc, w->file), "an old file");
}

static void floats(world *w, const char *factory)
{
    world_need(lbh_float_index_new(&w->floats, D, factory, LBH_METRIC_L2) ||
                   lbh_float_index_train(w->floats, N, rows) ||
                   lbh_float_index_add(w->floats, HALF, rows),
               factory);
}

static void floats_saved(world *w, const char *factory)
{
    w->file = world_path("f.faiss");
    floats(w, factory);
    world_need(lbh_float_index_save(w->floats, w->file), w->file);
    lbh_float_index_free(w->floats);
    w->floats = NULL;
}

static void floats_to_save(world *w, const char *factory)
{
    floats_saved(w, "Flat");
    floats(w, factory);
}

static void floats_new(world *w, const char *factory)
{
    world_need(lbh_float_index_new(&w->floats, D, factory, LBH_METRIC_L2), factory);
}

static void rescored(world *w, const char *mode)
{
    (void)mode;
    world_encoder(w, "itq");
    half(w, "IDMap2,BFlat");
    world_need(lbh_rescorer_new(&w->rescorer, w->enc, LBH_RESCORE_MARGIN, LBH_METRIC_L2, NULL),
               "a rescorer");
}

static int even(const void *ctx, int64_t id)
{
    (void)ctx;
    return id % 2 == 0;
}

static int export(world *w, const char *format)
{
    lbh_rows base = lbh_rows_from_matrix(N, D, rows);
    return lbh_export_faiss(w->enc, format, strcmp(format, "faiss-ivf") == 0 ? "nlist=2" : NULL,
                            &base, w->file);
}

CALL(new_index, lbh_index_new(&w->index, CODE, with))
CALL(build, lbh_index_build(&w->index, w->enc, with, N, rows))
CALL(build_codes, lbh_index_build_codes(&w->index, CODE, with, N, codes))
CALL(train_codes, lbh_index_train_codes(w->index, CODE, N, codes))
CALL(add, lbh_index_add(w->index, w->enc, HALF, rows + HALF * D, NULL))
CALL(add_codes, lbh_index_add_codes(w->index, CODE, HALF, codes + HALF * CODE, NULL))
CALL(add_ids, lbh_index_add_codes(w->index, CODE, HALF, codes + HALF * CODE, some_ids))
CALL(search, lbh_index_search(w->index, w->enc, NQ, rows, K, w->i32, w->i64))
CALL(search_codes, lbh_index_search_codes(w->index, CODE, NQ, codes, K, w->i32, w->i64))
CALL(range, lbh_index_range_search(&w->range, w->index, w->enc, NQ, rows, RADIUS))
CALL(range_codes, lbh_index_range_search_codes(&w->range, w->index, CODE, NQ, codes, RADIUS))
CALL(set, lbh_index_set(w->index, with))
CALL(accelerate, lbh_index_accelerate(&w->index))
CALL(remove_ids, lbh_index_remove(w->index, 5, (const int64_t[]){3, 5, 7, 11, 13}, NULL))
CALL(reconstruct, lbh_index_reconstruct(w->index, 17, w->u8))
CALL(reset, lbh_index_reset(w->index))
CALL(merge, lbh_index_merge(w->index, w->other, lbh_index_ntotal(w->index)))
CALL(filtered, lbh_index_search_filtered(w->index, w->enc, NQ, rows, K, even, NULL, w->i32, w->i64))
CALL(filtered_codes, lbh_index_search_filtered_codes(w->index, CODE, NQ, codes, K, even, NULL,
                                                     w->i32, w->i64))
CALL(save, lbh_index_save(w->index, w->file))
CALL(load, lbh_index_load(&w->index, w->file))
CALL(load_mapped, lbh_index_load_mapped(&w->index, w->file))
CALL(float_new, lbh_float_index_new(&w->floats, D, with, LBH_METRIC_L2))
CALL(float_train, lbh_float_index_train(w->floats, N, rows))
CALL(float_add, lbh_float_index_add(w->floats, HALF, rows + HALF * D))
CALL(float_search, lbh_float_index_search(w->floats, NQ, rows, K, w->f, w->i64))
CALL(float_encode, lbh_float_index_encode(w->floats, N, rows, w->u8))
CALL(float_save, lbh_float_index_save(w->floats, w->file))
CALL(float_load, lbh_float_index_load(&w->floats, w->file))
CALL(search_rescored, lbh_index_search_rescored(w->index, w->rescorer, (lbh_shortlist){4, 2}, NQ,
                                                rows, K, w->f, w->i64))

#define KINDS(name, prepare, call, breaks, leaks)                                                  \
    {name ", BFlat", prepare, "BFlat", call, NULL, false, leaks},                                  \
        {name ", BIVF", prepare, "BIVF2", call, NULL, breaks, leaks},                              \
        {name ", BHNSW", prepare, "BHNSW8", call, NULL, breaks, leaks},                            \
        {name ", BHash", prepare, "BHash9", call, NULL, breaks, leaks},                            \
        {name ", BMultiHash", prepare, "BHash2x7", call, NULL, breaks, leaks},                     \
        {name ", IDMap", prepare, "IDMap,BFlat", call, NULL, breaks, leaks},                       \
        {name ", IDMap2", prepare, "IDMap2,BIVF2", call, NULL, breaks, leaks}

const scenario faiss_scenarios[] = {
    {"lbh_index_new, BFlat", nothing, NULL, new_index, "BFlat"},
    {"lbh_index_new, BIVF", nothing, NULL, new_index, "BIVF4_HNSW8", .faiss_leaks = true},
    {"lbh_index_new, BHNSW", nothing, NULL, new_index, "BHNSW8"},
    {"lbh_index_new, BHash", nothing, NULL, new_index, "IDMap,BHash9"},
    {"lbh_index_new, BMultiHash", nothing, NULL, new_index, "BHash2x7,IDMap2", .faiss_leaks = true},
    {"lbh_index_build, BFlat", encoder, "itq", build, "BFlat"},
    {"lbh_index_build, BIVF", encoder, "itq", build, "BIVF2", .faiss_leaks = true},
    {"lbh_index_build_codes, IDMap2", nothing, NULL, build_codes, "IDMap2,BIVF2",
     .faiss_leaks = true},
    {"lbh_index_train_codes", empty, "BIVF2", train_codes, NULL},
    {"lbh_index_add, BFlat", half_with_encoder, "BFlat", add, NULL},
    {"lbh_index_add, BIVF", half_with_encoder, "BIVF2", add, NULL},
    KINDS("lbh_index_add_codes", half, add_codes, false, false),
    {"lbh_index_add_codes, ids", half, "IDMap,BFlat", add_ids, NULL},
    {"lbh_index_search", half_with_encoder, "BFlat", search, NULL},
    KINDS("lbh_index_search_codes", half, search_codes, false, false),
    {"lbh_index_range_search", half_with_encoder, "BFlat", range, NULL},
    {"lbh_index_range_search_codes, BIVF", half, "BIVF2", range_codes, NULL},
    {"lbh_index_range_search_codes, BHash", half, "BHash9", range_codes, NULL},
    {"lbh_index_set", half, "BIVF2", set, "nprobe=2,max_codes=30"},
    {"lbh_index_accelerate, BFlat", half, "BFlat", accelerate, NULL},
    {"lbh_index_accelerate, BIVF", half, "BIVF2", accelerate, NULL},
    {"lbh_index_accelerate, IDMap", half, "IDMap,BFlat", accelerate, NULL},
    {"lbh_index_remove, BFlat", half, "BFlat", remove_ids, NULL},
    {"lbh_index_remove, BIVF", half, "BIVF2", remove_ids, NULL},
    {"lbh_index_remove, IDMap2", half, "IDMap2,BIVF2", remove_ids, NULL},
    {"lbh_index_reconstruct, BFlat", half, "BFlat", reconstruct, NULL},
    {"lbh_index_reconstruct, BIVF", half, "BIVF2", reconstruct, NULL},
    {"lbh_index_reconstruct, BHash", half, "BHash9", reconstruct, NULL},
    {"lbh_index_reset", half, "BIVF2", reset, NULL},
    KINDS("lbh_index_merge", two_halves, merge, true, false),
    {"lbh_index_search_filtered", half_with_encoder, "BFlat", filtered, NULL},
    {"lbh_index_search_filtered_codes", half, "BIVF2", filtered_codes, NULL},
    KINDS("lbh_index_save", saved, save, false, false),
    KINDS("lbh_index_load", saved_alone, load, false, true),
    {"lbh_index_load_mapped", saved_alone, "BIVF2", load_mapped, NULL, .faiss_leaks = true},
    {"lbh_export_faiss, faiss-lsh", exported, "itq", export, "faiss-lsh"},
    {"lbh_export_faiss, faiss-ivf", exported, "itq", export, "faiss-ivf"},
    {"lbh_export_faiss, faiss-aq", exported, "sgh", export, "faiss-aq"},
    {"lbh_float_index_new, Flat", nothing, NULL, float_new, "Flat"},
    {"lbh_float_index_new, ITQ", nothing, NULL, float_new, "ITQ8,LSH", .faiss_leaks = true},
    {"lbh_float_index_new, PQ", nothing, NULL, float_new, "PQ2x4"},
    {"lbh_float_index_train", floats_new, "PCA4,Flat", float_train, NULL, .breaks = true},
    {"lbh_float_index_add", floats, "Flat", float_add, NULL},
    {"lbh_float_index_search", floats, "Flat", float_search, NULL},
    {"lbh_float_index_encode", floats, "PCA4,LSH", float_encode, NULL},
    {"lbh_float_index_save", floats_to_save, "PCA4,Flat", float_save, NULL},
    {"lbh_float_index_load", floats_saved, "PCA4,Flat", float_load, NULL, .faiss_leaks = true},
    {"lbh_index_search_rescored", rescored, NULL, search_rescored, NULL},
    {NULL, NULL, NULL, NULL, NULL, false, false},
};
