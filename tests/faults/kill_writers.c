/* kill_writers.c: see kill_writers.h. Each writer has two contents of different size. */
#include "kill_writers.h"

#include "ann_file.h"
#include "lbh_mih.h"
#include "lbh_pipeline.h"
#include "outfile.h"
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { D = 16, BITS = 32, ROWS = 3000 };

static float *x;
static uint8_t *codes;
static lbh_encoder *encoder[2];
static FaissIndexBinary *index_[2];
static lbh_mih *mih[2];
static lbh_pipeline *pipe_[2];

/* Content i has this many rows. */
static int64_t rows_of(int which)
{
    return which ? ROWS : ROWS / 2;
}

static int complain(int rc)
{
    if (rc)
        fprintf(stderr, "%s\n", lbh_last_error());
    return rc;
}

/* ---- What is written ----------------------------------------------------------------------- */

static int make_all(void)
{
    static const char *const factories[2] = {"lsh32,BFlat,RFlat", "lsh32(seed=5),IDMap2,BFlat"};
    if (x)
        return 0;
    x = test_mixture(ROWS, D, 3, NULL);
    codes = test_codes(ROWS, BITS / 8, 5);
    for (int i = 0; i < 2; i++)
        if (lbh_encoder_new(&encoder[i], i ? "itq" : "lsh", D, i ? BITS : 8) ||
            lbh_encoder_train(encoder[i], ROWS, x) ||
            lbh_index_build_codes(&index_[i], BITS / 8, "BFlat", rows_of(i), codes) ||
            lbh_mih_build(&mih[i], BITS / 8, rows_of(i), codes, NULL, 0) ||
            lbh_pipeline_new(&pipe_[i], D, factories[i], LBH_METRIC_L2) ||
            lbh_pipeline_train(pipe_[i], ROWS, x) || lbh_pipeline_add(pipe_[i], rows_of(i), x))
            return 1;
    return 0;
}

static int save_model(const char *path, int which)
{
    return complain(lbh_encoder_save(encoder[which], path));
}

static int save_index(const char *path, int which)
{
    return complain(lbh_index_save(index_[which], path));
}

static int save_mih(const char *path, int which)
{
    return complain(lbh_mih_save(mih[which], path));
}

static int save_export(const char *path, int which)
{
    lbh_rows base = lbh_rows_from_matrix(rows_of(which), D, x);
    return complain(lbh_export_faiss(encoder[1], "faiss-lsh", NULL, &base, path));
}

static int save_pipeline(const char *path, int which)
{
    return complain(lbh_pipeline_save(pipe_[which], path));
}

static int save_codes(const char *path, int which)
{
    array_out out;
    int rc = array_open(&out, path, ARRAY_CODES, rows_of(which), BITS / 8);
    return rc ? rc : array_close(&out, array_write(&out, rows_of(which), codes));
}

static int save_hdf5(const char *path, int which)
{
    ann_file *file = NULL;
    if (ann_create(&file, path))
        return 1;
    ann_text(file, "content", which ? "the second" : "the first");
    ann_set(file, "rows", ANN_F32, rows_of(which), D);
    ann_append(file, rows_of(which), x);
    return ann_close(file, 0);
}

/* ---- What is found ------------------------------------------------------------------------- */

static unsigned char *whole[2];
static size_t whole_size[2];

/* The bytes of both contents, from saves that nobody interrupts. */
static int learn(const char *directory, int (*save)(const char *, int))
{
    char path[320];
    snprintf(path, sizeof path, "%s/whole.npy", directory);
    for (int i = 0; i < 2; i++) {
        free(whole[i]);
        whole[i] = NULL;
        if (make_all() || save(path, i))
            return complain(1);
        whole[i] = test_slurp(path, &whole_size[i]);
    }
    remove(path);
    return whole[0] && whole[1] && whole_size[0] != whole_size[1] ? 0 : 1;
}

static int same_bytes(const char *path)
{
    size_t size = 0;
    unsigned char *data = test_slurp(path, &size);
    int which = -1;
    for (int i = 0; data && i < 2; i++)
        if (size == whole_size[i] && memcmp(data, whole[i], size) == 0)
            which = i;
    free(data);
    return which;
}

#define LEARN(kind)                                                                                \
    static int learn_##kind(const char *directory)                                                 \
    {                                                                                              \
        return learn(directory, save_##kind);                                                      \
    }
LEARN(model)
LEARN(index)
LEARN(mih)
LEARN(export)
LEARN(codes)

static int only_make(const char *directory)
{
    (void)directory;
    return make_all();
}

static int which_pipeline(const char *path)
{
    lbh_pipeline *p = NULL;
    int which = -1;
    if (complain(lbh_pipeline_verify(path)) || complain(lbh_pipeline_load(&p, path)))
        return -1;
    for (int i = 0; i < 2; i++)
        if (strcmp(lbh_pipeline_factory(p), lbh_pipeline_factory(pipe_[i])) == 0 &&
            lbh_pipeline_ntotal(p) == rows_of(i) &&
            lbh_encoder_digest(lbh_pipeline_encoder(p)) ==
                lbh_encoder_digest(lbh_pipeline_encoder(pipe_[i])))
            which = i;
    lbh_pipeline_free(p);
    return which;
}

static int which_hdf5(const char *path)
{
    for (int i = 0; i < 2; i++)
        if (ann_check_shape(path, "rows", rows_of(i), D) == 0)
            return i;
    return -1;
}

const writer writers[] = {
    {"model", "m.lbh", 1, learn_model, save_model, same_bytes},
    {"index", "i.faiss", 1, learn_index, save_index, same_bytes},
    {"codes", "c.npy", 1, learn_codes, save_codes, same_bytes},
    {"mih", "m.mih", 1, learn_mih, save_mih, same_bytes},
    {"export", "e.faiss", 1, learn_export, save_export, same_bytes},
    {"pipeline", "p.lbhp", 4, only_make, save_pipeline, which_pipeline},
    {"hdf5", "r.hdf5", 1, only_make, save_hdf5, which_hdf5},
    {NULL, NULL, 0, NULL, NULL, NULL},
};

/* ---- Training ------------------------------------------------------------------------------ */

int train_once(const char *model, const char *checkpoint)
{
    lbh_encoder *enc = NULL;
    if (make_all())
        return complain(1);
    int rc = lbh_encoder_new(&enc, "sgh", D, BITS);
    if (!rc)
        rc = lbh_encoder_set(enc, "steps=60,batch=32");
    if (!rc)
        rc = lbh_encoder_checkpoint(enc, checkpoint, 0);
    if (!rc)
        rc = lbh_encoder_train(enc, 500, x);
    if (!rc)
        rc = lbh_encoder_save(enc, model);
    lbh_encoder_free(enc);
    return complain(rc);
}

uint64_t digest_of(const char *model)
{
    lbh_encoder *enc = NULL;
    if (complain(lbh_encoder_load(&enc, model)))
        return 0;
    uint64_t digest = lbh_encoder_digest(enc);
    lbh_encoder_free(enc);
    return digest;
}
