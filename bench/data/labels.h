/* labels.h: class labels of rows: one class a row, or several, or none.
 *
 *   .ivecs .ibin .bvecs .u8bin .npy ...   whole numbers, also as floats; lbh.h says by which rule they
 *                                         are classes, a matrix of 0 and 1 or of -1 and 1, or lists
 *   .csv .tsv .libsvm .svm .txt           text, see labels_text.h
 *   synthetic:...                         the cluster of each row
 * Class numbers need not be dense; text files may have names instead of numbers.
 */
#ifndef LBH_LABELS_H
#define LBH_LABELS_H

#include "vectors.h"

#include <cJSON.h>

typedef struct labels {
    int64_t n;
    int64_t *start; /* n + 1 */
    int64_t *item;  /* start[n], rising within a row */
    int64_t loose;  /* rows at the end that are empty lines: no labels, or no rows */
    /* Classes by name: item i is called name[i], names[nnames] rise by bytes. Else name is NULL. */
    int64_t nnames;
    char **name;
    /* After labels_dense: items are 0 .. classes-1, and number[i] is what item i was (NULL where
     * classes have names). */
    int64_t classes;
    int64_t *number;
} labels;

/* CLI_EUSAGE for a bad specification, LBH_EFORMAT for a bad file; *l is then closed. */
int labels_open(labels *l, const char *spec);
void labels_close(labels *l);

/* Room for labels of n rows with `room` items in all. */
int labels_alloc(labels *l, int64_t n, int64_t room);

/* Turns l->item, an array of l->n rows, into lists in place by the rule of lbh_labels_read. */
int labels_by_rule(labels *l, const char *name, int64_t columns, bool can_pad, int *form);

/* Renumbers the classes that occur in either set (b may be NULL) as 0, 1, 2 ..., in the order of
 * their numbers, or of their names by bytes. A number that meets names is the name of its digits.
 * May be called again, with another set: numbers and names are kept. */
int labels_dense(labels *a, labels *b);

/* The labels of rows ids[count] of a set, as opened or dense. */
int labels_pick(labels *out, const labels *from, int64_t count, const int64_t *ids);

/* Refuses labels whose number is not that of the rows; loose ones may be too many. */
int labels_fit(labels *l, const char *spec, const vectors *rows);

/* After labels_dense: refuses sets without a common class, whose measures would all be empty. */
int labels_meet(const labels *base, const labels *query);

/* The labels as the library wants them. Valid while *l is. */
lbh_lists labels_lists(const labels *l);

/* After labels_dense: what class c is called, in `text` where it is a number. */
enum { CLASS_TEXT = 24 };
const char *class_name(const labels *l, int64_t c, char text[CLASS_TEXT]);

/* The names of all classes as a JSON array of strings; NULL: no memory. */
cJSON *class_names(const labels *l);

/* For readers: gives the classes the names texts[count], which are sorted by bytes (in place), each
 * kept once; then finds one. */
int labels_set_names(labels *l, const char **texts, int64_t count);
int64_t labels_find_name(const labels *l, const char *text);

/* Sorts, drops repeats, returns how many are left. */
int64_t sort_unique(int64_t *x, int64_t n);

/* For each of `rows` the rows that ought to be near it: integers, -1 = no more, in their order.
 * Each must be a row; a row's own number is dropped. classes = rows. */
int neighbours_open(labels *l, const char *spec, const vectors *rows);

/* Ids of rows, one a query: a file of one integer column, each in [0, limit). The caller frees. */
int read_row_ids(const char *spec, int64_t count, int64_t limit, int64_t **ids);

#endif
