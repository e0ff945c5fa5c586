/* split.h: queries, base and training rows out of one labelled set, as the protocols of supervised
 * hashing have them: `--split queries-per-class=100,train-per-class=500,seed=1`.
 *
 *   queries-per-class=Q   Q rows of each class are the queries; the base is all other rows. The set
 *                         that is split is --base, with --query behind it if that is given. Without
 *                         this key --query stays what it is, and --base is split.
 *   train-per-class=T     the training rows are T rows of each class from the base; without this
 *                         key, the base
 *   classes=C             only the C classes with the most rows count (of equal ones those that
 *                         come first); rows with none of them are left out of everything
 *   seed=S                0 if not given
 *
 * A row is taken once, for one class, whatever other labels it has: with several labels a row,
 * classes take their turn from the rarest to the most frequent (equal ones in their order), each
 * from its rows that are not taken yet, in one random order of all rows that the seed gives. A class
 * with too few rows is an error. Rows without labels stay in the base. The same set, text and seed
 * give the same split. */
#ifndef LBH_SPLIT_H
#define LBH_SPLIT_H

#include "labels.h"

typedef struct split_plan {
    int64_t queries, train, classes, seed; /* 0: the key is not given */
} split_plan;

/* CLI_EUSAGE for a text that is not understood. */
int split_parse(split_plan *plan, const char *text);

/* Row numbers, rising. */
typedef struct split_rows {
    int64_t nquery, nbase, ntrain;
    int64_t *query, *base, *train;
} split_rows;

/* Splits the rows of `pool`, which has been through labels_dense(). With plan->classes it drops the
 * labels of all other classes. */
int split_make(split_rows *rows, const split_plan *plan, labels *pool);
void split_free(split_rows *rows);

/* Rows (or classes) with what they are sorted by; by_rank is for qsort, equal keys by id. */
typedef struct ranked {
    uint64_t key;
    int64_t id;
} ranked;
int by_rank(const void *a, const void *b);

/* The parts as rows and labels. The struct must stay where it is while they are used. */
typedef struct split_data {
    vectors file[2];
    vectors base, query, train; /* query.n = 0: there is none */
    labels base_labels, query_labels, train_labels;
    int64_t pool; /* rows that were split */
    int64_t nquery, nbase, ntrain, unlabelled; /* rows of the parts; base rows without a label */
    char text[160]; /* the plan, and what it was applied to, for notes in models */
} split_data;

/* Opens the files and splits them. base_labels may be NULL for a synthetic base; query and its
 * labels may be NULL. `command_name` is for messages. */
int split_open(split_data *d, const split_plan *plan, const char *command_name, const char *base,
               const char *base_labels, const char *query, const char *query_labels);
void split_close(split_data *d);

/* Takes over what was split as the rows and labels of a command, which closes them. */
void split_move(split_data *d, vectors *base, labels *base_labels, vectors *query,
                labels *query_labels);

void split_move_train(split_data *d, vectors *train, labels *train_labels);

/* Adds the member "split" with the plan and the sizes. */
void split_report(cJSON *doc, const split_plan *plan, const split_data *d);

#endif
