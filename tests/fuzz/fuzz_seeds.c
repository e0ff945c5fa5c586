/* fuzz_seeds.c: fuzz_seeds DIRECTORY: writes, as seeds of the fuzz targets, small files of every kind
 * that the library writes itself: models of all methods, multi-index hashes, binary indexes,
 * manifests. seeds.py makes the rest. */
#define _GNU_SOURCE
#include "checkpoint.h"
#include "lbh_mih.h"
#include "lbh_pipeline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { D = 8, NBITS = 8, ROWS = 64, CLASSES = 4 };

static float x[ROWS * D];
static uint8_t codes[ROWS * 16];
static int64_t ids[ROWS], start[ROWS + 1], item[ROWS];
static const char *directory;

static void check(int rc, const char *what)
{
    if (rc == LBH_OK)
        return;
    fprintf(stderr, "fuzz_seeds: %s: %s\n", what, lbh_last_error());
    exit(1);
}

/* directory/TARGET/NAME */
static const char *path_of(const char *target, const char *name)
{
    static char path[1024];
    snprintf(path, sizeof path, "%s/%s", directory, target);
    mkdir(path, 0777);
    snprintf(path, sizeof path, "%s/%s/%s", directory, target, name);
    return path;
}

static void make_data(void)
{
    for (int i = 0; i < ROWS; i++) {
        start[i] = i;
        item[i] = i % CLASSES;
        ids[i] = 3 * i;
        for (int j = 0; j < D; j++)
            x[i * D + j] = (float)(i * 37 % 101 * (j + 3) % 29) + 8 * (float)(i % CLASSES == j);
    }
    start[ROWS] = ROWS;
    for (size_t i = 0; i < sizeof codes; i++)
        codes[i] = (uint8_t)(i * i % 251);
}

static void model(const char *method, const char *options, const char *name)
{
    lbh_encoder *enc = NULL;
    lbh_rows rows = lbh_rows_from_matrix(ROWS, D, x);
    lbh_lists labels = {ROWS, CLASSES, start, item};
    check(lbh_encoder_new(&enc, method, D, NBITS), method);
    static const char *const few[] = {"steps", "critic_steps", "iterations", "anchors", "epochs"};
    for (size_t i = 0; i < sizeof few / sizeof *few; i++)
        (void)lbh_encoder_set_value(enc, few[i], 8);
    if (*options && lbh_encoder_set(enc, options))
        goto out;
    if (strstr(options, "tables") && lbh_encoder_train_rows(enc, &rows, &labels, NULL))
        goto out; /* a method without a decoder */
    if (!lbh_encoder_is_trained(enc))
        check(lbh_encoder_train_rows(enc, &rows, &labels, NULL), method);
    check(lbh_encoder_set_note(enc, "classes", "[\"a\",\"b\"]"), method);
    check(lbh_encoder_save(enc, path_of("model", name)), name);
out:
    lbh_encoder_free(enc);
}

static void models(void)
{
    for (int i = 0; i < lbh_method_count(); i++) {
        const char *method = lbh_method_name(i);
        char name[64];
        model(method, "", method);
        snprintf(name, sizeof name, "%s-ip", method);
        model(method, "metric=ip", name);
        snprintf(name, sizeof name, "%s-decoder", method);
        model(method, "score=decoder", name);
        snprintf(name, sizeof name, "%s-tables", method);
        model(method, "rebuild=tables", name);
    }
}

static int cancel(void *ctx, const char *method, int64_t step, int64_t steps, double loss)
{
    (void)ctx, (void)method, (void)step, (void)steps, (void)loss;
    return 1;
}

/* What a training leaves that is cancelled at its first report, behind the number of its kind. */
static void checkpoint(unsigned kind)
{
    static training t;
    static char bytes[1 << 18];
    char path[1024];
    check(training_new(&t, kind), training_method[kind]);
    snprintf(path, sizeof path, "%s", path_of("checkpoints", training_method[kind]));
    check(lbh_encoder_checkpoint(t.enc, path, 0), path);
    lbh_encoder_on_progress(t.enc, cancel, NULL);
    (void)lbh_encoder_train_rows(t.enc, &t.rows, &t.labels, NULL);
    lbh_encoder_free(t.enc);
    FILE *in = fopen(path, "rb"), *out = fopen(path_of("checkpoint", training_method[kind]), "wb");
    size_t size = in ? fread(bytes, 1, sizeof bytes, in) : 0;
    if (!size || !out || fputc((int)kind, out) == EOF || fwrite(bytes, 1, size, out) != size ||
        fclose(out) != 0) {
        perror(path);
        exit(1);
    }
    fclose(in);
}

/* Names of options, choices and presets as words of a dictionary. */
static void dictionary(const char *name, const char *before, const char *after)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *out = fopen(path, "w");
    const char *preset, *text;
    lbh_param p;
    for (int i = 0; out && i < lbh_method_count(); i++) {
        const char *method = lbh_method_name(i);
        fprintf(out, "\"%s\"\n", method);
        for (int j = 0; lbh_method_param(&p, method, j) == LBH_OK; j++) {
            fprintf(out, "\"%s%s%s\"\n", before, p.name, after);
            for (const char *c = p.choices; c && *c; c += strcspn(c, "|"), c += *c == '|')
                fprintf(out, "\"%.*s\"\n", (int)strcspn(c, "|"), c);
        }
        for (int j = 0; lbh_method_preset(&preset, &text, method, j) == LBH_OK; j++)
            fprintf(out, "\"preset=%s\"\n", preset);
    }
    if (!out || fclose(out) != 0) {
        perror(path);
        exit(1);
    }
}

static void hash(size_t code_size, const int64_t *labels, int substrings, const char *name)
{
    lbh_mih *mih = NULL;
    check(lbh_mih_build(&mih, code_size, 20, codes, labels, substrings), name);
    check(lbh_mih_save(mih, path_of("mih", name)), name);
    lbh_mih_free(mih);
}

static void indexes(void)
{
    static const char *const kinds[] = {"BFlat", "BIVF4", "BIVF4_HNSW4", "BHNSW4", "BHash6",
                                        "BHash2x5", "IDMap,BHNSW4", "IDMap2,BIVF4", "IDMap,BFlat"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        FaissIndexBinary *index = NULL;
        check(lbh_index_build_codes(&index, 2, kinds[i], ROWS / 2, codes), kinds[i]);
        check(lbh_index_save(index, path_of("faiss_index", kinds[i])), kinds[i]);
        lbh_index_free(index);
    }
}

/* The manifest of a saved pipeline without its last line, which the target adds. */
static void manifest(const char *factory, const char *name)
{
    lbh_pipeline *p = NULL;
    char path[1024], text[8192];
    check(lbh_pipeline_new(&p, D, factory, LBH_METRIC_L2), factory);
    check(lbh_pipeline_train(p, ROWS, x), factory);
    check(lbh_pipeline_add_with_ids(p, ROWS, x, ids), factory);
    snprintf(path, sizeof path, "%s", path_of("pipeline", name));
    check(lbh_pipeline_save(p, path), factory);
    lbh_pipeline_free(p);
    FILE *in = fopen(path, "rb"), *out = fopen(path_of("pipeline_manifest", name), "wb");
    size_t size = in ? fread(text, 1, sizeof text, in) : 0, last = sizeof "end 0123456789abcdef";
    if (size < last || !out || fputc(1, out) == EOF ||
        fwrite(text, 1, size - last, out) != size - last || fclose(out) != 0) {
        perror(path);
        exit(1);
    }
    fclose(in);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: fuzz_seeds DIRECTORY\n");
        return 2;
    }
    directory = argv[1];
    mkdir(directory, 0777);
    make_data();
    models();
    for (unsigned kind = 0; kind < TRAININGS; kind++)
        checkpoint(kind);
    dictionary("encoder_options.dict", "", "=");
    dictionary("model.dict", "option.", " ");
    hash(4, NULL, 0, "short");
    hash(4, ids, 2, "ids");
    hash(16, NULL, 5, "long");
    indexes();
    manifest("IDMap2,lsh8,BFlat", "flat");
    manifest("IDMap2,itq8,BIVF2,RSQ8", "bytes");
    manifest("IDMap,itq8(seed=5),BFlat,RFlat", "floats");
    return 0;
}
