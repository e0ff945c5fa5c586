/* alloc_pipeline.c: the calls of lbh_pipeline.h. */
#include "alloc_world.h"

#define CALL(name, expression)                                                                     \
    static int name(world *w, const char *with)                                                    \
    {                                                                                              \
        (void)with;                                                                                \
        return expression;                                                                         \
    }

enum { RADIUS = 5, HALF = N / 2 };

static const char flat[] = "itq16(iterations=2),BFlat,RFlat",
                  bytes8[] = "IDMap2,itq16(iterations=2),BIVF2,RSQ8",
                  plain[] = "sgh16(steps=3,batch=16,alternations=2),BHNSW8";

static void nothing(world *w, const char *with)
{
    (void)w, (void)with;
}

static void fresh(world *w, const char *factory)
{
    world_need(lbh_pipeline_new(&w->pipe, D, factory, LBH_METRIC_L2), factory);
}

static void half(world *w, const char *factory)
{
    fresh(w, factory);
    world_need(lbh_pipeline_train(w->pipe, N, rows), factory);
    world_need(lbh_pipeline_add(w->pipe, HALF, rows), factory);
}

static void saved(world *w, const char *factory)
{
    w->pipe_file = world_path("set.lbhp");
    half(w, factory);
    world_need(lbh_pipeline_save(w->pipe, w->pipe_file), w->pipe_file);
}

static void saved_other(world *w, const char *factory)
{
    saved(w, flat);
    lbh_pipeline_free(w->pipe);
    w->pipe = NULL;
    half(w, factory);
}

static void saved_alone(world *w, const char *factory)
{
    saved(w, factory);
    lbh_pipeline_free(w->pipe);
    w->pipe = NULL;
}

CALL(new_pipeline, lbh_pipeline_new(&w->pipe, D, with, LBH_METRIC_L2))
CALL(train, lbh_pipeline_train(w->pipe, N, rows))
CALL(add, lbh_pipeline_add(w->pipe, HALF, rows + HALF * D))
CALL(add_ids, lbh_pipeline_add_with_ids(w->pipe, HALF, rows + HALF * D, some_ids))
CALL(remove_ids, lbh_pipeline_remove_ids(w->pipe, 5, (const int64_t[]){3, 5, 7, 11, 13}, NULL))
CALL(search, lbh_pipeline_search(w->pipe, NQ, rows, K, w->f, w->i64))
CALL(range, lbh_pipeline_range_search(&w->range, w->pipe, NQ, rows, RADIUS))
CALL(reconstruct, lbh_pipeline_reconstruct(w->pipe, 17, w->f))
CALL(set, lbh_pipeline_set(w->pipe, with))
CALL(save, lbh_pipeline_save(w->pipe, w->pipe_file))
CALL(load, lbh_pipeline_load(&w->pipe, w->pipe_file))
CALL(verify, lbh_pipeline_verify(w->pipe_file))

const scenario pipeline_scenarios[] = {
    {"lbh_pipeline_new, RFlat", nothing, NULL, new_pipeline, flat},
    {"lbh_pipeline_new, RSQ8", nothing, NULL, new_pipeline, bytes8, .faiss_leaks = true},
    {"lbh_pipeline_train, RFlat", fresh, flat, train, NULL},
    {"lbh_pipeline_train, RSQ8", fresh, bytes8, train, NULL},
    {"lbh_pipeline_train, BHNSW", fresh, plain, train, NULL},
    {"lbh_pipeline_add, RFlat", half, flat, add, NULL},
    {"lbh_pipeline_add, RSQ8", half, bytes8, add, NULL},
    {"lbh_pipeline_add, BHNSW", half, plain, add, NULL},
    {"lbh_pipeline_add_with_ids", half, bytes8, add_ids, NULL},
    {"lbh_pipeline_remove_ids, RFlat", half, flat, remove_ids, NULL},
    {"lbh_pipeline_remove_ids, RSQ8", half, bytes8, remove_ids, NULL},
    {"lbh_pipeline_search, RFlat", half, flat, search, NULL},
    {"lbh_pipeline_search, RSQ8", half, bytes8, search, NULL},
    {"lbh_pipeline_search, BHNSW", half, plain, search, NULL},
    {"lbh_pipeline_range_search", half, flat, range, NULL},
    {"lbh_pipeline_reconstruct, RSQ8", half, bytes8, reconstruct, NULL},
    {"lbh_pipeline_reconstruct, decoder", half, plain, reconstruct, NULL},
    {"lbh_pipeline_set", half, bytes8, set, "nprobe=2,k_factor=3,rescore=decoder"},
    {"lbh_pipeline_save, RFlat", saved_other, flat, save, NULL},
    {"lbh_pipeline_save, RSQ8", saved_other, bytes8, save, NULL},
    {"lbh_pipeline_load, RFlat", saved_alone, flat, load, NULL, .faiss_leaks = true},
    {"lbh_pipeline_load, RSQ8", saved_alone, bytes8, load, NULL, .faiss_leaks = true},
    {"lbh_pipeline_verify", saved_alone, bytes8, verify, NULL},
    {NULL, NULL, NULL, NULL, NULL, false, false},
};
