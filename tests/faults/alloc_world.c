/* alloc_world.c: see alloc_world.h. */
#define _POSIX_C_SOURCE 200809L
#include "alloc_world.h"

#include "support.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

float rows[N * D];
int64_t label[N], label_start[N + 1], some_ids[N];
uint8_t bytes[N * D], codes[N * CODE];

static char directory[] = "/tmp/lbh-alloc-XXXXXX";

void world_need(int rc, const char *what)
{
    if (rc == 0)
        return;
    fprintf(stderr, "cannot prepare %s: %s\n", what, lbh_last_error());
    exit(1);
}

void world_data(void)
{
    float *x = test_mixture(N, D, 3, label);
    uint8_t *c = test_codes(N, CODE, 5);
    memcpy(rows, x, sizeof rows);
    memcpy(codes, c, sizeof codes);
    for (int i = 0; i < N * D; i++)
        bytes[i] = (uint8_t)(8 * test_uniform(9, (uint64_t)i));
    for (int i = 0; i <= N; i++)
        label_start[i] = i;
    for (int i = 0; i < N; i++)
        some_ids[i] = 1000 + 3 * i;
    free(x), free(c);
    world_need(mkdtemp(directory) ? 0 : 1, directory);
}

const char *world_path(const char *name)
{
    static char path[4][256];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(path[turn], sizeof path[turn], "%s/%s", directory, name);
    return path[turn];
}

/* Files in the directory; with `remove`, none are left. */
static int count_files(bool remove_them)
{
    int count = 0;
    DIR *dir = opendir(directory);
    for (struct dirent *e; dir && (e = readdir(dir)) != NULL;) {
        if (e->d_name[0] == '.')
            continue;
        count++;
        if (remove_them)
            unlink(world_path(e->d_name));
    }
    if (dir)
        closedir(dir);
    return count;
}

void world_remove_files(void)
{
    count_files(true);
    rmdir(directory);
}

/* ---- Encoders ------------------------------------------------------------------------------ */

void world_fresh_encoder(world *w, const char *method)
{
    lbh_param p;
    world_need(lbh_encoder_new(&w->enc, method, D, NBITS), method);
    for (int i = 0; lbh_method_param(&p, method, i) == LBH_OK; i++) {
        static const struct {
            const char *name;
            double value;
        } small[] = {{"steps", 3},    {"batch", 16},     {"hidden1", 8}, {"decoder1", 8},
                     {"anchors", 20}, {"iterations", 2}, {"paired", 40}, {"alternations", 2},
                     {"ascent", 3},   {"sweeps", 2}};
        for (size_t j = 0; j < sizeof small / sizeof *small; j++)
            if (strcmp(p.name, small[j].name) == 0)
                world_need(lbh_encoder_set_value(w->enc, p.name, small[j].value), p.name);
    }
}

int world_train(lbh_encoder *enc)
{
    lbh_rows view = lbh_rows_from_matrix(N, D, rows);
    lbh_lists lists = {N, 10, label_start, label};
    return lbh_encoder_train_rows(enc, &view, &lists, NULL);
}

/* Training every time would take its time: models are kept as files in memory. */
static struct {
    char method[64];
    unsigned char *data;
    size_t size;
} kept[64];

void world_forget_models(void)
{
    for (int i = 0; i < 64; i++)
        free(kept[i].data);
}

void world_encoder(world *w, const char *method)
{
    int i = 0;
    while (i < 63 && kept[i].data && strcmp(kept[i].method, method) != 0)
        i++;
    if (!kept[i].data) {
        const char *path = world_path("kept.lbh");
        world_fresh_encoder(w, method);
        world_need(world_train(w->enc), method);
        world_need(lbh_encoder_save(w->enc, path), path);
        kept[i].data = test_slurp(path, &kept[i].size);
        snprintf(kept[i].method, sizeof kept[i].method, "%s", method);
        lbh_encoder_free(w->enc);
        w->enc = NULL;
        unlink(path);
    }
    world_need(lbh_encoder_load_memory(&w->enc, kept[i].data, kept[i].size), method);
}

/* ---- Life and answers ---------------------------------------------------------------------- */

void world_clear_outputs(world *w)
{
    lbh_range_result_free(w->range);
    w->range = NULL;
    memset(w->f, 0, sizeof w->f);
    memset(w->i32, 0, sizeof w->i32);
    memset(w->i64, 0, sizeof w->i64);
    memset(w->u8, 0, sizeof w->u8);
}

void world_free(world *w)
{
    lbh_range_result_free(w->range);
    lbh_rescorer_free(w->rescorer);
    lbh_encoder_free(w->enc);
    lbh_mih_free(w->mih);
    lbh_index_free(w->index);
    lbh_index_free(w->other);
    lbh_float_index_free(w->floats);
    lbh_pipeline_free(w->pipe);
    count_files(true);
    free(w);
}

static void mix(uint64_t *h, const void *data, size_t size)
{
    const unsigned char *p = data;
    for (size_t i = 0; i < size; i++)
        *h = (*h ^ p[i]) * 0x100000001b3u;
}

static void mix_number(uint64_t *h, int64_t number)
{
    mix(h, &number, sizeof number);
}

static void ask_encoder(uint64_t *h, const lbh_encoder *enc)
{
    uint8_t out[N * CODE] = {0};
    mix_number(h, lbh_encoder_is_trained(enc));
    mix_number(h, (int64_t)lbh_encoder_digest(enc));
    if (lbh_encoder_is_trained(enc))
        mix_number(h, lbh_encoder_encode(enc, N, rows, out));
    if (lbh_encoder_note(enc, "note"))
        mix(h, lbh_encoder_note(enc, "note"), strlen(lbh_encoder_note(enc, "note")));
    lbh_param p;
    for (int i = 0; lbh_method_param(&p, lbh_encoder_method(enc), i) == LBH_OK; i++) {
        double value = 0;
        lbh_encoder_get_value(enc, p.name, &value);
        mix(h, &value, sizeof value);
    }
    mix(h, out, sizeof out);
}

static void ask_index(uint64_t *h, const FaissIndexBinary *index)
{
    int32_t distances[NQ * K] = {0};
    int64_t labels[NQ * K] = {0};
    mix_number(h, lbh_index_ntotal(index));
    mix_number(h, lbh_index_search_codes(index, CODE, NQ, codes, K, distances, labels));
    mix(h, distances, sizeof distances);
    mix(h, labels, sizeof labels);
}

static void ask_pipeline(uint64_t *h, const lbh_pipeline *pipe)
{
    float distances[NQ * K] = {0};
    int64_t labels[NQ * K] = {0};
    mix_number(h, lbh_pipeline_is_trained(pipe));
    mix_number(h, lbh_pipeline_ntotal(pipe));
    mix_number(h, lbh_pipeline_search(pipe, NQ, rows, K, distances, labels));
    mix(h, distances, sizeof distances);
    mix(h, labels, sizeof labels);
}

static void ask_others(uint64_t *h, const world *w)
{
    int32_t distances[NQ * K] = {0};
    int64_t labels[NQ * K] = {0};
    if (w->mih) {
        mix_number(h, lbh_mih_ntotal(w->mih));
        mix_number(h, lbh_mih_search(w->mih, NQ, codes, K, distances, labels, NULL));
    }
    if (w->floats) {
        float scores[NQ * K] = {0};
        mix_number(h, lbh_float_index_search(w->floats, NQ, rows, K, scores, labels));
        mix(h, scores, sizeof scores);
    }
    mix(h, distances, sizeof distances);
    mix(h, labels, sizeof labels);
}

static void ask_files(uint64_t *h, const world *w)
{
    if (w->file) {
        size_t size = 0;
        unsigned char *data = test_slurp(w->file, &size);
        if (data)
            mix(h, data, size);
        free(data);
        mix_number(h, count_files(false)); /* no temporary is left */
    }
    if (w->pipe_file && access(w->pipe_file, F_OK) == 0) {
        lbh_pipeline *pipe = NULL;
        mix_number(h, lbh_pipeline_verify(w->pipe_file));
        mix_number(h, lbh_pipeline_load(&pipe, w->pipe_file));
        if (pipe)
            ask_pipeline(h, pipe);
        lbh_pipeline_free(pipe);
    }
}

uint64_t world_answer(world *w, bool outputs)
{
    uint64_t h = 0xcbf29ce484222325u;
    if (w->enc)
        ask_encoder(&h, w->enc);
    if (w->index)
        ask_index(&h, w->index);
    if (w->other)
        mix_number(&h, lbh_index_ntotal(w->other));
    if (w->pipe)
        ask_pipeline(&h, w->pipe);
    ask_others(&h, w);
    ask_files(&h, w);
    if (outputs) {
        mix(&h, w->f, sizeof w->f);
        mix(&h, w->i32, sizeof w->i32);
        mix(&h, w->i64, sizeof w->i64);
        mix(&h, w->u8, sizeof w->u8);
        if (w->range) {
            mix(&h, w->range->lims, sizeof *w->range->lims * (size_t)(w->range->n + 1));
            mix(&h, w->range->labels, sizeof(int64_t) * (size_t)w->range->lims[w->range->n]);
        }
    }
    return h;
}
