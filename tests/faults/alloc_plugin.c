/* alloc_plugin.c: the calls of lbh.h. */
#include "alloc_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALL(name, expression)                                                                     \
    static int name(world *w, const char *with)                                                    \
    {                                                                                              \
        (void)w, (void)with;                                                                       \
        return expression;                                                                         \
    }

static void nothing(world *w, const char *with)
{
    (void)w, (void)with;
}

static void noted(world *w, const char *method)
{
    world_encoder(w, method);
    world_need(lbh_encoder_set_note(w->enc, "note", "the old one"), "a note");
}

static void saved(world *w, const char *method)
{
    w->file = world_path("m.lbh");
    world_encoder(w, method);
    world_need(lbh_encoder_set_note(w->enc, "note", "in the file"), "a note");
    world_need(lbh_encoder_save(w->enc, w->file), w->file);
}

/* A file is there; what is saved over it is another model. */
static void saved_other(world *w, const char *method)
{
    saved(w, "lsh");
    lbh_encoder_free(w->enc);
    w->enc = NULL;
    world_encoder(w, method);
}

static void saved_alone(world *w, const char *method)
{
    saved(w, method);
    lbh_encoder_free(w->enc);
    w->enc = NULL;
}

CALL(new_encoder, lbh_encoder_new(&w->enc, with, D, NBITS))
CALL(set, lbh_encoder_set(w->enc, with))
CALL(checkpoint, lbh_encoder_checkpoint(w->enc, "/tmp/some/path.ckpt", 1))
CALL(note, lbh_encoder_set_note(w->enc, "note", "the new one"))
CALL(another_note, lbh_encoder_set_note(w->enc, "note2", "another one"))
CALL(train, lbh_encoder_train(w->enc, N, rows))
CALL(train_rows, world_train(w->enc))
CALL(encode, lbh_encoder_encode(w->enc, N, rows, w->u8))
CALL(encode_queries, lbh_encoder_encode_queries(w->enc, N, rows, w->u8))
CALL(encode_u8, lbh_encoder_encode_u8(w->enc, N, bytes, D, w->u8))
CALL(encode_queries_u8, lbh_encoder_encode_queries_u8(w->enc, N, bytes, D, w->u8))
CALL(encode_refined, lbh_encoder_encode_refined(w->enc, N, rows, 5, w->u8))
CALL(project, lbh_encoder_project(w->enc, N, rows, w->f))
CALL(project_queries, lbh_encoder_project_queries(w->enc, N, rows, w->f))
CALL(linear, lbh_encoder_linear(w->enc, w->f, w->f + 2000))
CALL(linear_queries, lbh_encoder_linear_queries(w->enc, w->f, w->f + 2000, w->i32))
CALL(decoder, lbh_encoder_decoder(w->enc, w->f, w->f + 2000))
CALL(decode, lbh_encoder_decode(w->enc, N, codes, w->f))
CALL(class_scores, lbh_encoder_class_scores(w->enc, N, codes, w->f))
CALL(classify, lbh_encoder_classify(w->enc, N, codes, w->i64))
CALL(search_l2,
     lbh_encoder_search_decoded(w->enc, LBH_METRIC_L2, N, codes, NQ, rows, K, w->f, w->i64))
CALL(search_ip,
     lbh_encoder_search_decoded(w->enc, LBH_METRIC_IP, N, codes, NQ, rows, K, w->f, w->i64))
CALL(save, lbh_encoder_save(w->enc, w->file))
CALL(load, lbh_encoder_load(&w->enc, w->file))
CALL(reverse_bits, (memcpy(w->u8, codes, sizeof codes), lbh_codes_reverse_bits(N, CODE, w->u8)))

/* The bytes of the model lie in the outputs, which are part of the answers. */
static void in_memory(world *w, const char *method)
{
    saved_alone(w, method);
    FILE *f = fopen(w->file, "rb");
    w->i64[0] = f ? (int64_t)fread(w->f, 1, sizeof w->f, f) : 0;
    world_need(f && w->i64[0] > 0 && w->i64[0] < (int64_t)sizeof w->f ? 0 : 1, w->file);
    fclose(f);
    w->file = NULL;
}

CALL(load_memory, lbh_encoder_load_memory(&w->enc, w->f, (size_t)w->i64[0]))

static void with_rescorer(world *w, const char *mode)
{
    static lbh_rows view;
    view = lbh_rows_from_matrix(N, D, rows);
    int number = atoi(mode);
    world_encoder(w, "itq");
    world_need(lbh_rescorer_new(&w->rescorer, w->enc, number, LBH_METRIC_L2,
                                number == LBH_RESCORE_FLOAT ? &view : NULL),
               "a rescorer");
}

CALL(new_rescorer, lbh_rescorer_new(&w->rescorer, w->enc, atoi(with), LBH_METRIC_L2, NULL))

CALL(search_both, lbh_rescorer_search(w->rescorer, N, codes, NQ, rows, 60, 40, K, w->f, w->i64))

/* All rows are candidates of all queries. */
static int rank(world *w, const char *with)
{
    static uint8_t candidate[NQ * N * CODE];
    static int64_t ids[NQ * N];
    (void)with;
    for (int q = 0; q < NQ; q++)
        for (int i = 0; i < N; i++)
            ids[q * N + i] = i;
    for (int q = 0; q < NQ; q++)
        memcpy(candidate + q * N * CODE, codes, sizeof codes);
    return lbh_rescorer_rank(w->rescorer, NQ, rows, N, candidate, ids, 40, K, w->f, w->i64);
}

const scenario plugin_scenarios[] = {
    {"lbh_encoder_new", nothing, NULL, new_encoder, "sgh"},
    {"lbh_encoder_set", world_fresh_encoder, "sgh", set, "steps=7,preset=paper,seed=3"},
    {"lbh_encoder_checkpoint", world_fresh_encoder, "sgh", checkpoint, NULL},
    {"lbh_encoder_set_note", noted, "lsh", note, NULL},
    {"lbh_encoder_set_note, a second", noted, "lsh", another_note, NULL},
    {"lbh_encoder_train", world_fresh_encoder, "itq", train, NULL},
    {"lbh_encoder_train_rows", world_fresh_encoder, "itq-cca", train_rows, NULL},
    {"lbh_encoder_encode", world_encoder, "itq", encode, NULL},
    {"lbh_encoder_encode, searched", world_encoder, "qolsh", encode, NULL},
    {"lbh_encoder_encode_queries", world_encoder, "qolsh", encode_queries, NULL},
    {"lbh_encoder_encode_u8", world_encoder, "itq", encode_u8, NULL},
    {"lbh_encoder_encode_u8, searched", world_encoder, "qolsh", encode_u8, NULL},
    {"lbh_encoder_encode_queries_u8", world_encoder, "qolsh", encode_queries_u8, NULL},
    {"lbh_encoder_encode_refined", world_encoder, "sgh", encode_refined, NULL},
    {"lbh_encoder_project", world_encoder, "itq", project, NULL},
    {"lbh_encoder_project, no linear map", world_encoder, "jmlh", project, NULL},
    {"lbh_encoder_project_queries", world_encoder, "sph", project_queries, NULL},
    {"lbh_encoder_linear", world_encoder, "sgh", linear, NULL},
    {"lbh_encoder_linear_queries", world_encoder, "sgh", linear_queries, NULL},
    {"lbh_encoder_decoder", world_encoder, "sgh", decoder, NULL},
    {"lbh_encoder_decode", world_encoder, "sgh", decode, NULL},
    {"lbh_encoder_class_scores", world_encoder, "jmlh", class_scores, NULL},
    {"lbh_encoder_classify", world_encoder, "jmlh", classify, NULL},
    {"lbh_encoder_search_decoded", world_encoder, "sgh", search_l2, NULL},
    {"lbh_encoder_search_decoded, inner product", world_encoder, "itq", search_ip, NULL},
    {"lbh_encoder_save", saved_other, "sgh", save, NULL},
    {"lbh_encoder_load", saved_alone, "sgh", load, NULL},
    {"lbh_encoder_load_memory", in_memory, "sgh", load_memory, NULL},
    {"lbh_codes_reverse_bits", nothing, NULL, reverse_bits, NULL},
    {"lbh_rescorer_new, margin", world_encoder, "itq", new_rescorer, "1"},
    {"lbh_rescorer_new, decoder", world_encoder, "itq", new_rescorer, "2"},
    {"lbh_rescorer_rank, margin", with_rescorer, "1", rank, NULL},
    {"lbh_rescorer_rank, decoder", with_rescorer, "2", rank, NULL},
    {"lbh_rescorer_rank, float", with_rescorer, "3", rank, NULL},
    {"lbh_rescorer_search, margin", with_rescorer, "1", search_both, NULL},
    {"lbh_rescorer_search, decoder", with_rescorer, "2", search_both, NULL},
    {"lbh_rescorer_search, float", with_rescorer, "3", search_both, NULL},
    {NULL, NULL, NULL, NULL, NULL, false, false},
};

/* ---- Every method -------------------------------------------------------------------------- */

/* What is special about a method is in its options; `with` is the method here. */
const scenario method_scenarios[] = {
    {"train", world_fresh_encoder, NULL, train_rows, NULL},
    {"encode", world_encoder, NULL, encode, NULL},
    {"encode_queries", world_encoder, NULL, encode_queries, NULL},
    {"project", world_encoder, NULL, project, NULL},
    {"save", saved_other, NULL, save, NULL},
    {"load", saved_alone, NULL, load, NULL},
    {NULL, NULL, NULL, NULL, NULL, false, false},
};
