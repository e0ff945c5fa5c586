/* labels_text.h: class labels from text files. FILE@FROM:TO takes rows; csv:FILE says what a pipe has.
 *
 * .libsvm .svm .txt: one row a line, "LABELS index:value index:value ...". LABELS is one class, or
 *   several with commas and without blanks between them; a line that begins with a blank or with a
 *   feature, and an empty line, is a row without label. Features are ignored and may be missing;
 *   '#' begins a comment. A first line of three whole numbers is a header (rows, features,
 *   classes), and rows must be as many as it says. Where +1 and -1 are all the labels there are and
 *   no row has two, both are classes; else -1 means none, as everywhere. Where every row has as many
 *   labels, two or more, and all are 0 and 1, or -1 and 1, they are a matrix, as below.
 *
 * .csv .tsv: one row a line, cells between commas (tabs), in double quotes if need be. Where the
 *   first line has a cell "label", "labels", "class", "classes", "target" or "category" (in any
 *   case), it is a header, the columns of these names hold the classes, and the others are ignored;
 *   FILE:NAME takes the column of that name. Where it has not, all cells are classes; the first line is
 *   then a header if none of its cells is a number and all cells below are, and several columns below
 *   it that are no matrix are refused. A cell may hold several classes with '|' between them; an
 *   empty one, or -1, is none. Rows of whole numbers that are equally long are what lbh_labels_read
 *   (lbh.h) takes them for: a matrix of 0 and 1, or of -1 and 1, whose classes have the names that a
 *   header gives them, or the numbers of the columns; or lists of classes. A column in which every row
 *   has another word, as ids have, is refused beside one of classes.
 *
 * Labels that all are whole numbers are class numbers ("3", "+3" and "3.0" are the same), else all
 * are names. Other numbers, as 0.5, are refused. Empty lines at the end count as rows without label
 * only where there are rows for them.
 */
#ifndef LBH_LABELS_TEXT_H
#define LBH_LABELS_TEXT_H

#include "labels.h"

bool is_label_text(const char *spec);
int labels_open_text(labels *l, const char *spec);

/* labels_cells.c: the words of such a file, row by row. Row i has words start[i] .. start[i+1]-1; it
 * begins on line[i] of the file, counted from 1. */
typedef struct cells {
    const char *path, *column; /* the column of labels that is wanted, or NULL */
    int64_t n, words;
    int64_t loose;  /* rows at the end that are empty lines */
    int64_t *start; /* n + 1 */
    int64_t *line;  /* n */
    size_t *word;   /* words; see cell() */
    char *pool;
    size_t start_room, line_room, word_room, pool_size, pool_room;
    bool pieces;  /* some cell was split at '|' */
    bool labels;  /* a header named the columns of labels; it is not among the rows */
} cells;

/* Zero *c but for the path; free it also after an error. LIBSVM: the words are the labels. CSV: all
 * cells, or those of the columns of labels. */
int cells_read_libsvm(cells *c, const char *data, size_t size);
int cells_read_csv(cells *c, const char *data, size_t size, char separator);
const char *cell(const cells *c, int64_t word);
void cells_free(cells *c);

/* What a word says: a whole number (in *value), another number, or a name. */
typedef enum { WORD_EMPTY, WORD_WHOLE, WORD_NUMBER, WORD_NAME } word_kind;
word_kind word_of(const char *text, int64_t *value);

#endif
