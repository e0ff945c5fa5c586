/* make_golden.c: writes the golden files of a version, once, when it is released.
 *
 *     make_golden DIRECTORY         tests/data/VERSION; it must not hold an index yet
 *
 * A model of every registered method and of some of their forms that have other tensors, small, with
 * the codes that they give for fixed rows; and multi-index hashes. tests/plugin/encoder/test_golden.c reads them
 * for ever. */
#define _POSIX_C_SOURCE 200809L
#include "golden.h"

#include "lbh.h"
#include "lbh_mih.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { N = 300, D = 12, CLASSES = 4 };

/* Forms of methods beyond the defaults, and their numbers of bits. */
static const struct form {
    const char *file, *method, *options;
    int nbits;
} forms[] = {
    {"itq-plain", "itq", "normalize=1,decoder_scale=0", 11},
    {"sgh-ip", "sgh", "metric=ip", 16},
    {"sgh-ip-searched", "sgh", "metric=ip,mips=searched", 16},
    {"sgh-decoder", "sgh", "score=decoder,rebuild=linear", 16},
    {"sgh-tables", "sgh", "rebuild=tables", 16},
    {"sgh-both", "sgh", "score=both,rebuild=tables", 16},
    {"sgh-decoder-tables", "sgh", "score=decoder,rebuild=tables", 11},
    {"itq-tables", "itq", "rebuild=tables", 11},
    {"sgh-latent", "sgh", "latent_scale=1", 16},
    {"sgh-official", "sgh", "preset=official", 9},
    {"sgh-paper", "sgh", "preset=paper", 16},
    {"jmlh-linear", "jmlh", "preset=code", 8},
    {"jmlh-deep", "jmlh", "hidden2=9,hidden3=8", 13},
    {"jmlh-multi", "jmlh", "head=sigmoid", 16},
    {"sigah-paper", "sigah", "preset=paper", 16},
    {"kmh-two", "kmh", "subbits=2", 12},
};

static void die(const char *what)
{
    fprintf(stderr, "make_golden: %s: %s\n", what, lbh_last_error());
    exit(1);
}

/* Options that keep a model small and its training short. */
static void make_small(lbh_encoder *enc, const char *method)
{
    static const struct {
        const char *name;
        double value;
    } small[] = {{"steps", 60},  {"batch", 64},     {"hidden1", 12},    {"decoder1", 12},
                 {"anchors", 20}, {"alternations", 3}};
    lbh_param p;
    for (int i = 0; lbh_method_param(&p, method, i) == LBH_OK; i++)
        for (size_t s = 0; s < sizeof small / sizeof *small; s++)
            if (strcmp(p.name, small[s].name) == 0) {
                double value;
                lbh_encoder_get_value(enc, p.name, &value);
                bool none = value == 0 && strcmp(p.name, "steps") != 0; /* no such layer */
                if (!none && lbh_encoder_set_value(enc, p.name, small[s].value))
                    die(method);
            }
}

static void train(lbh_encoder *enc, bool multi)
{
    int64_t component[N], start[N + 1], label[2 * N];
    float *x = test_mixture(N, D, 9, component);
    lbh_rows rows = lbh_rows_from_matrix(N, D, x);
    for (int64_t i = 0, at = 0; i <= N; i++) {
        start[i] = at;
        if (i < N)
            label[at++] = component[i] % CLASSES;
        if (i < N && multi && i % 2)
            label[at++] = (component[i] + 1) % CLASSES;
    }
    lbh_lists lists = {N, CLASSES, start, label};
    if (lbh_encoder_train_rows(enc, &rows, &lists, NULL))
        die(lbh_encoder_method(enc));
    free(x);
}

static void write_codes(const lbh_encoder *enc, const char *path)
{
    int d = lbh_encoder_d(enc);
    size_t size = GOLDEN_ROWS * lbh_encoder_code_size(enc);
    uint8_t *codes = malloc(2 * size), classes[GOLDEN_ROWS];
    int64_t label[GOLDEN_ROWS];
    float *x = golden_rows(d, 0), *q = golden_rows(d, 1);
    if (lbh_encoder_encode(enc, GOLDEN_ROWS, x, codes) ||
        lbh_encoder_encode_queries(enc, GOLDEN_ROWS, q, codes + size))
        die(path);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(codes, 1, 2 * size, file) != 2 * size)
        die(path);
    if (lbh_encoder_nclasses(enc, NULL)) {
        if (lbh_encoder_classify(enc, GOLDEN_ROWS, codes, label))
            die(path);
        for (int i = 0; i < GOLDEN_ROWS; i++)
            classes[i] = (uint8_t)label[i];
        if (fwrite(classes, 1, sizeof classes, file) != sizeof classes)
            die(path);
    }
    if (fclose(file))
        die(path);
    free(codes), free(x), free(q);
}

static void make_model(FILE *index, const char *name, const char *method, const char *options,
                       int nbits)
{
    lbh_encoder *enc = NULL;
    char path[64];
    if (lbh_encoder_new(&enc, method, D, nbits))
        die(name);
    if (options && lbh_encoder_set(enc, options))
        die(name);
    make_small(enc, method);
    train(enc, options && strstr(options, "sigmoid"));
    if (lbh_encoder_set_note(enc, "golden", name))
        die(name);
    snprintf(path, sizeof path, "%s.lbh", name);
    if (lbh_encoder_save(enc, path))
        die(name);
    snprintf(path, sizeof path, "%s.codes", name);
    write_codes(enc, path);
    fprintf(index, "%s %s %d %d %d %016" PRIx64 "\n", name, method, D, nbits,
            lbh_encoder_nclasses(enc, NULL), lbh_encoder_digest(enc));
    lbh_encoder_free(enc);
}

static void make_mih(const char *path, size_t size, const int64_t *ids, int substrings)
{
    lbh_mih *mih = NULL;
    uint8_t *codes = test_codes(MIH_CODES, size, 5);
    if (lbh_mih_build(&mih, size, MIH_CODES, codes, ids, substrings) ||
        lbh_mih_save(mih, path))
        die(path);
    lbh_mih_free(mih);
    free(codes);
}

int main(int argc, char **argv)
{
    if (argc != 2 || chdir(argv[1])) {
        fprintf(stderr, "usage: make_golden DIRECTORY\n");
        return 2;
    }
    FILE *index = fopen(GOLDEN_INDEX, "wx");
    if (!index) {
        fprintf(stderr, "make_golden: %s/" GOLDEN_INDEX " is there, and stays as it is\n", argv[1]);
        return 1;
    }
    for (int i = 0; i < lbh_method_count(); i++)
        make_model(index, lbh_method_name(i), lbh_method_name(i), NULL, 16);
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        make_model(index, forms[i].file, forms[i].method, forms[i].options, forms[i].nbits);
    int64_t ids[MIH_CODES];
    for (int64_t i = 0; i < MIH_CODES; i++)
        ids[i] = 3 * i + 1;
    make_mih("plain-2.mih", MIH_CODE_SIZE, NULL, MIH_SUBSTRINGS);
    make_mih("ids-2.mih", MIH_CODE_SIZE, ids, MIH_SUBSTRINGS);
    make_mih("long-2.mih", MIH_LONG_SIZE, NULL, MIH_LONG_SUBSTRINGS);
    return fclose(index) ? 1 : 0;
}
