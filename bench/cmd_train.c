/* cmd_train.c: `lbh train`: learns a model from rows, and labels where the method uses them. */
#include "common.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct train_args {
    common common;
    const char *method, *base, *labels, *output, *checkpoint;
    char *set;
    int64_t nbits, seed;
} train_args;

static int train_rows(const train_args *a, lbh_encoder *enc, const vectors *base, const labels *l)
{
    lbh_rows rows = vectors_rows(base);
    lbh_lists lists = labels_lists(l);
    int rc = LBH_OK;
    if (a->checkpoint)
        rc = lbh_encoder_checkpoint(enc, a->checkpoint, 60);
    if (rc == LBH_OK)
        rc = lbh_encoder_train_rows(enc, &rows, l->start ? &lists : NULL, NULL);
    progress_clear();
    return rc ? fail_library(rc) : EXIT_OK;
}

static int save(const train_args *a, const lbh_encoder *enc, double seconds)
{
    if (cli_interrupted())
        return fail_cancelled();
    int rc = lbh_encoder_save(enc, a->output);
    if (rc)
        return fail_library(rc);
    char digest[32];
    snprintf(digest, sizeof digest, "%016llx", (unsigned long long)lbh_encoder_digest(enc));
    cJSON *doc = report_new("train");
    report_text(doc, "model", a->output);
    report_text(doc, "method", lbh_encoder_method(enc));
    report_number(doc, "d", lbh_encoder_d(enc));
    report_number(doc, "nbits", lbh_encoder_nbits(enc));
    report_number(doc, "n_train", (double)lbh_encoder_n_train(enc));
    report_text(doc, "digest", digest);
    report_seconds(doc, "train_seconds", seconds);
    return report_print(doc, a->common.json);
}

/* Labels only where they were given, or where the method cannot do without. */
static int open_labels(const train_args *a, const vectors *base, labels *l)
{
    bool have = false;
    if (!a->labels && !lbh_method_needs_labels(a->method))
        return EXIT_OK;
    int rc = row_labels_open(l, a->labels, base, &have);
    if (rc == EXIT_OK && !have)
        rc = fail_usage("train: method %s needs --labels", a->method);
    return rc == EXIT_OK ? labels_dense(l, NULL) : rc;
}

static int train(const train_args *a)
{
    vectors base;
    labels l = {0};
    lbh_encoder *enc = NULL;
    int rc = outfile_check(a->output, true);
    if (rc == EXIT_OK)
        rc = vectors_open(&base, a->base);
    if (rc)
        return rc;
    rc = encoder_make(&enc, a->method, base.d, (int)a->nbits, a->set, a->seed);
    if (rc == EXIT_OK)
        rc = open_labels(a, &base, &l);
    double began = cli_now();
    if (rc == EXIT_OK)
        rc = train_rows(a, enc, &base, &l);
    if (rc == EXIT_OK)
        rc = save(a, enc, cli_now() - began);
    lbh_encoder_free(enc);
    labels_close(&l);
    vectors_close(&base);
    return rc;
}

static int run(const command *self, int argc, char **argv)
{
    train_args a = {.seed = -1};
    const option_def defs[] = {
        {OPT_TEXT, 'm', "method", "NAME", &a.method, 0, 0, "method, see 'lbh methods'", 1},
        {OPT_INT, 'b', "nbits", "N", &a.nbits, 1, 4096, "bits a code", 1},
        {OPT_TEXT, 0, "base", "FILE", &a.base, 0, 0, "rows to learn from", 1},
        {OPT_TEXT, 0, "labels", "FILE", &a.labels, 0, 0, "class labels of the rows", 0},
        {OPT_JOIN, 's', "set", "NAME=VALUE", &a.set, 0, 0, "option of the method; may repeat", 0},
        {OPT_INT, 0, "seed", "N", &a.seed, 0, (int64_t)1 << 53, "the option 'seed'", 0},
        {OPT_TEXT, 'o', "output", "MODEL", &a.output, 0, 0, "file to write", 1},
        {OPT_TEXT, 0, "checkpoint", "FILE", &a.checkpoint, 0, 0,
         "state of training, to go on after a stop", 0},
        OPTIONS_COMMON(&a.common.json, &a.common.threads, &a.common.quiet),
        OPTIONS_LAST,
    };
    int rc = options_parse(self, defs, argc, argv, NULL);
    if (rc == EXIT_OK) {
        common_begin(&a.common);
        rc = train(&a);
    }
    free(a.set);
    return rc;
}

const command command_train = {
    "train", "Learn a model from a file of vectors",
    "--method NAME --nbits N --base FILE -o MODEL [OPTIONS]",
    "FILE: .fvecs .bvecs .fbin .u8bin .npy, FILE@FROM:TO for a part of its rows, or\n"
    "synthetic:n=100000,d=128,clusters=100,decay=0.5,seed=1 for the built-in data set.\n"
    "Labels: one column of class numbers, .ivecs padded with -1, or a 0/1 matrix.\n",
    run};
