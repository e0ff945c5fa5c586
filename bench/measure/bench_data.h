/* bench_data.h: the data sets of `lbh bench`: found, opened, cut, with their true neighbours. */
#ifndef LBH_BENCH_DATA_H
#define LBH_BENCH_DATA_H

#include "bench_terms.h"
#include "metrics.h"
#include "split.h"

/* Where the parts of a known set lie; texts that are freed with bench_paths_free(). */
typedef struct bench_paths {
    char *base, *queries, *query_ids, *labels, *query_labels, *train;
} bench_paths;

/* Finds the files of a set: those that the specification names, and for a known name those in
 * data_dir/NAME. LBH_EFORMAT, with *missing set, says what is not there and how to get it. */
int bench_paths_find(bench_paths *p, const spec_data *spec, const char *data_dir, bool *missing);
void bench_paths_free(bench_paths *p);

/* Base, queries and training rows of one set. It must stay where it is while it is open. */
typedef struct bench_data {
    const spec_data *spec;
    vectors base, query, train; /* train.n = 0: the base is what is learned from */
    vectors whole, whole_query, whole_train, *cut_home; /* what the parts are cut from, if they are */
    int64_t *own;               /* row of the base that each query is (-1: none), or NULL */
    labels base_labels, query_labels, train_labels; /* start NULL: none */
    split_plan plan;
    split_data split;
    uint64_t digest; /* of all of it; see bench_data_digest */
    /* What full rankings are made of: all queries, or some at even distances. */
    vectors sample;
    int64_t *sample_rows, *sample_own;
    labels sample_labels;
    /* After bench_truth_open: neighbours of all queries, and more of those of the sample. */
    truth near, sample_near;
    relevance near_rel, label_rel;
} bench_data;

int bench_data_open(bench_data *d, const spec_data *spec, const char *data_dir, bool *missing);
void bench_data_close(bench_data *d);

/* Hashes base, queries, training rows, own rows and labels: what the numbers depend on. */
int bench_data_digest(bench_data *d);

/* Chooses the sample of at most `most` queries (0: all) and says what is relevant to them by label.
 */
int bench_sample(bench_data *d, int64_t most);

/* Computes the neighbours that a specification needs and keeps them in DIR/truth, if they are not
 * there; then reads them. Nothing to do for metric = label. */
int bench_truth_make(bench_data *d, const spec_measures *s, const char *dir);
/* The files: neighbours of all queries, and more of those of the sample. New memory, also after an
 * error. */
int bench_truth_paths(const bench_data *d, const spec_measures *s, const char *dir, char **near,
                      char **sample);
int bench_truth_open(bench_data *d, const spec_measures *s, const char *dir);

/* LBH_METRIC_* of the distances. */
int bench_distance(const bench_data *d);

/* What is relevant to the sample under the set's metric. */
const relevance *bench_relevance(const bench_data *d);

/* The training rows: the base or a set of its own. */
const vectors *bench_train_rows(const bench_data *d);
const labels *bench_train_labels(const bench_data *d);

#endif
