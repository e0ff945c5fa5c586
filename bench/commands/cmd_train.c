/* cmd_train.c: `lbh train`: learns a model from rows, and labels where the method uses them. */
#define _POSIX_C_SOURCE 200809L
#include "common.h"
#include "split.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct train_args {
    common common;
    const char *method, *base, *labels, *neighbours, *output, *checkpoint, *split, *query,
        *query_labels;
    char *set;
    int metric, profile;
    int64_t nbits, seed;
    double time_limit, checkpoint_every;
} train_args;

/* What there is to learn from. */
typedef struct lesson {
    vectors base;
    labels labels, neighbours;
    split_plan plan;
    split_data split;
} lesson;

static bool checkpoint_exists(const train_args *a)
{
    return a->checkpoint && access(a->checkpoint, F_OK) == 0;
}

static int train_rows(const train_args *a, lbh_encoder *enc, const lesson *l)
{
    lbh_rows rows = vectors_rows(&l->base);
    lbh_lists lists = labels_lists(&l->labels), near = labels_lists(&l->neighbours);
    int rc = LBH_OK;
    if (checkpoint_exists(a))
        progress_note("going on from %s", a->checkpoint);
    if (a->checkpoint)
        rc = lbh_encoder_checkpoint(enc, a->checkpoint, a->checkpoint_every);
    if (rc == LBH_OK)
        rc = lbh_encoder_train_rows(enc, &rows, lists.start ? &lists : NULL,
                                    near.start ? &near : NULL);
    progress_clear();
    return cli_stopped(rc) && checkpoint_exists(a)
               ? cli_kept("the state of training is kept in '%s': the same command goes on from it",
                          a->checkpoint)
               : rc;
}

/* {"gemm": {"seconds": .., "share": ..}, ...}: what the time went into. */
static void report_profile(cJSON *doc, const lbh_encoder *enc)
{
    cJSON *parts = cJSON_AddObjectToObject(doc, "profile");
    const char *name;
    double seconds, total = 0;
    for (int i = 0; lbh_encoder_train_time(enc, i, &name, &seconds) == LBH_OK; i++)
        total += seconds;
    for (int i = 0; lbh_encoder_train_time(enc, i, &name, &seconds) == LBH_OK; i++) {
        cJSON *part = cJSON_AddObjectToObject(parts, name);
        report_seconds(part, "seconds", seconds);
        report_number(part, "share", total > 0 ? seconds / total : 0);
    }
}

/* Notes what the classes of the classifier are called, and which rows the model has not seen. */
static int take_notes(const lesson *l, lbh_encoder *enc)
{
    int rc = LBH_OK;
    if (l->split.pool)
        rc = lbh_encoder_set_note(enc, "split", l->split.text);
    if (rc || lbh_encoder_nclasses(enc, NULL) == 0)
        return rc;
    cJSON *names = class_names(&l->labels);
    char *text = names ? cJSON_PrintUnformatted(names) : NULL;
    cJSON_Delete(names);
    if (!text)
        return fail_memory();
    rc = lbh_encoder_set_note(enc, "classes", text);
    cJSON_free(text);
    return rc;
}

/* A Ctrl-C that comes after the last step does not throw the model away. */
static int save(const train_args *a, const lesson *l, lbh_encoder *enc, double seconds)
{
    LBH_TRY(take_notes(l, enc));
    LBH_TRY(lbh_encoder_save(enc, a->output));
    char digest[32];
    snprintf(digest, sizeof digest, "%016llx", (unsigned long long)lbh_encoder_digest(enc));
    cJSON *doc = report_new("train");
    report_text(doc, "model", a->output);
    report_text(doc, "method", lbh_encoder_method(enc));
    report_number(doc, "d", lbh_encoder_d(enc));
    report_number(doc, "nbits", lbh_encoder_nbits(enc));
    report_number(doc, "n_train", (double)lbh_encoder_n_train(enc));
    report_text(doc, "digest", digest);
    if (a->split)
        split_report(doc, &l->plan, &l->split);
    report_notes(doc, enc);
    report_seconds(doc, "train_seconds", seconds);
    if (a->profile)
        report_profile(doc, enc);
    return report_print(doc, a->common.json);
}

/* Labels only where they were given, or where the method cannot do without. */
static int open_labels(const train_args *a, lesson *l)
{
    bool have = false;
    if (a->split)
        return labels_dense(&l->labels, NULL);
    if (!a->labels && !lbh_method_needs_labels(a->method))
        return LBH_OK;
    int rc = row_labels_open(&l->labels, a->labels, &l->base, &have);
    if (rc == LBH_OK && !have)
        rc = fail_usage("train: method %s needs --labels", a->method);
    return rc == LBH_OK ? labels_dense(&l->labels, NULL) : rc;
}

/* The training rows and their labels: the base, or what --split makes of it. */
static int open_lesson(const train_args *a, lesson *l)
{
    if (!a->split)
        return vectors_open(&l->base, a->base);
    int rc = split_parse(&l->plan, a->split);
    if (rc == LBH_OK && a->neighbours)
        rc = fail_usage("train: --neighbours are of the whole base and do not go with --split");
    if (rc == LBH_OK)
        rc = split_open(&l->split, &l->plan, "train", a->base, a->labels,
                        l->plan.queries ? a->query : NULL, a->query_labels);
    if (rc == LBH_OK)
        split_move_train(&l->split, &l->base, &l->labels);
    return rc;
}

/* Who gives neighbours wants them used: that is an option, and --set comes after it. */
static int make(const train_args *a, int d, lbh_encoder **enc)
{
    static const char pairs[] = "pairs=neighbours";
    bool use = a->neighbours && method_has(a->method, "pairs");
    size_t room = sizeof pairs + 1 + (a->set ? strlen(a->set) : 0);
    char *set = cli_alloc((int64_t)room, 1);
    if (!set)
        return LBH_ENOMEM;
    snprintf(set, room, "%s%s%s", use ? pairs : "", use && a->set ? "," : "", a->set ? a->set : "");
    int rc = encoder_make(enc, a->method, d, (int)a->nbits, a->metric,
                          *set ? set : NULL, a->seed);
    free(set);
    if (rc == LBH_OK && !(a->set && strstr(a->set, "held_out=")))
        rc = lbh_encoder_set_value(*enc, "held_out", -1);
    if (rc == LBH_OK && a->time_limit > 0)
        rc = lbh_encoder_set_value(*enc, "time_limit", a->time_limit);
    return rc;
}

static int train(const train_args *a)
{
    lesson l = {0};
    lbh_encoder *enc = NULL;
    LBH_TRY(outfile_check(a->output, true));
    if (a->checkpoint)
        LBH_TRY(outfile_check(a->checkpoint, true));
    LBH_TRY(open_lesson(a, &l));
    int rc = make(a, l.base.d, &enc);
    if (rc == LBH_OK)
        rc = open_labels(a, &l);
    if (rc == LBH_OK && a->neighbours)
        rc = neighbours_open(&l.neighbours, a->neighbours, &l.base);
    double began = cli_now();
    if (rc == LBH_OK)
        rc = train_rows(a, enc, &l);
    if (rc == LBH_OK)
        rc = save(a, &l, enc, cli_now() - began);
    lbh_encoder_free(enc);
    labels_close(&l.labels);
    labels_close(&l.neighbours);
    vectors_close(&l.base);
    split_close(&l.split);
    return rc;
}

static int run(const command *self, int argc, char **argv)
{
    train_args a = {.seed = -1, .checkpoint_every = 60};
    const option_def defs[] = {
        {OPT_TEXT, 'm', "method", "NAME", &a.method, 0, 0, "method, see 'lbh methods'", 1},
        {OPT_INT, 'b', "nbits", "N", &a.nbits, 1, 4096, "bits a code", 1},
        {OPT_TEXT, 0, "base", "FILE", &a.base, 0, 0, "rows to learn from", 1},
        {OPT_TEXT, 0, "labels", "FILE", &a.labels, 0, 0, "class labels of the rows", 0},
        {OPT_TEXT, 0, "split", "PLAN", &a.split, 0, 0,
         "learn from a part of the rows: queries-per-class=N,train-per-class=N,seed=N", 0},
        {OPT_TEXT, 0, "query", "FILE", &a.query, 0, 0,
         "with --split: rows behind the base, split with it", 0},
        {OPT_TEXT, 0, "query-labels", "FILE", &a.query_labels, 0, 0, "their labels", 0},
        {OPT_TEXT, 0, "neighbours", "FILE", &a.neighbours, 0, 0,
         "rows that ought to be near each row; sets pairs=neighbours where there is that option", 0},
        {OPT_CHOICE, 0, "metric", "l2|ip|cosine", &a.metric, 0, 0,
         "what neighbours are: the option 'metric' (l2)", 0},
        {OPT_JOIN, 's', "set", "NAME=VALUE", &a.set, 0, 0, "option of the method; may repeat", 0},
        {OPT_INT, 0, "seed", "N", &a.seed, 0, (int64_t)1 << 53, "the option 'seed'", 0},
        {OPT_TEXT, 'o', "output", "MODEL", &a.output, 0, 0, "file to write", 1},
        {OPT_TEXT, 0, "checkpoint", "FILE", &a.checkpoint, 0, 0,
         "keeps the state of training, to go on after a stop", 0},
        {OPT_NUMBER, 0, "checkpoint-every", "S", &a.checkpoint_every, 0, 1000000000,
         "seconds between two states (60)", 0},
        {OPT_NUMBER, 0, "time-limit", "S", &a.time_limit, 0, 1000000000,
         "finish with what there is after S seconds (no limit)", 0},
        {OPT_FLAG, 0, "profile", 0, &a.profile, 0, 0,
         "print what the time went into: products, passes, noise, optimiser, data", 0},
        OPTIONS_COMMON(&a.common.json, &a.common.threads, &a.common.quiet),
        OPTIONS_LAST,
    };
    int rc = options_parse(self, defs, argc, argv, NULL);
    if (rc == LBH_OK && !a.split && (a.query || a.query_labels))
        rc = fail_usage("train: --query and --query-labels go with --split");
    if (rc == LBH_OK) {
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
    "Labels: one column of class numbers, lists padded with -1, a 0/1 matrix, or text: LIBSVM\n"
    "(.libsvm .svm .txt) or .csv .tsv, with class names if wanted; see 'man lbh'.\n"
    "--split learns from N rows of each class that are not among the queries; without\n"
    "train-per-class, from all rows that are not queries. lbh eval --split makes the same parts.\n"
    "Neighbours: .ivecs, .ibin or .npy, row numbers padded with -1, one list a row of the base.\n"
    "After Ctrl-C or a crash the same command with --checkpoint goes on where it was, and ends with\n"
    "the same model, bit for bit, as if it had not been stopped.\n",
    run};
