/* labels_text.c: class labels from LIBSVM and CSV files. See labels_text.h. */
#define _POSIX_C_SOURCE 200809L
#include "labels_text.h"

#include "map_file.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

typedef enum { TEXT_NONE, TEXT_LIBSVM, TEXT_CSV, TEXT_TSV } text_format;

static text_format format_of(const char *path)
{
    static const char *const extension[] = {".libsvm", ".svm", ".txt", ".csv", ".tsv"};
    static const text_format format[] = {TEXT_LIBSVM, TEXT_LIBSVM, TEXT_LIBSVM, TEXT_CSV, TEXT_TSV};
    const char *dot = strrchr(path, '.');
    for (int i = 0; dot && i < 5; i++)
        if (strcmp(dot, extension[i]) == 0)
            return format[i];
    return TEXT_NONE;
}

bool is_label_text(const char *spec)
{
    char *path = strdup(spec);
    if (!path)
        return false;
    split_range(path);
    bool text = format_of(path) != TEXT_NONE;
    free(path);
    return text;
}

/* What the rows first .. n-1 of a file are made of. */
typedef struct survey {
    int64_t first;    /* 1 behind a header, else 0 */
    int64_t whole, names;
    bool matrix;      /* 0/1, a column a class */
    bool binary;      /* -1 and +1 are classes */
} survey;

static int refuse(const cells *c, int64_t row, const char *word, const char *why)
{
    return fail("'%s': line %lld: label '%.60s' %s", c->path, (long long)c->line[row], word, why);
}

/* Is row 0 a header: names only, above whole numbers only? */
static bool has_header(const cells *c)
{
    int64_t value, whole = 0;
    if (c->labels || c->n < 2)
        return false;
    for (int64_t i = 0; i < c->words; i++) {
        word_kind kind = word_of(cell(c, i), &value);
        bool head = i < c->start[1];
        if (head ? kind != WORD_NAME : kind != WORD_WHOLE && kind != WORD_EMPTY)
            return false;
        whole += kind == WORD_WHOLE;
    }
    return whole > 0;
}

static bool is_matrix(const cells *c, int64_t first)
{
    int64_t width = c->start[first + 1] - c->start[first], value;
    if (c->labels || c->pieces || width < 2)
        return false;
    for (int64_t i = first; i < c->n; i++)
        if (c->start[i + 1] - c->start[i] != width)
            return false;
    for (int64_t i = c->start[first]; i < c->words; i++)
        if (word_of(cell(c, i), &value) != WORD_WHOLE || (value != 0 && value != 1))
            return false;
    return true;
}

static int look(survey *s, const cells *c, bool csv)
{
    *s = (survey){.first = csv && has_header(c), .binary = !csv};
    s->matrix = csv && is_matrix(c, s->first);
    for (int64_t row = s->first; row < c->n; row++) {
        s->binary &= c->start[row + 1] - c->start[row] < 2;
        for (int64_t i = c->start[row]; i < c->start[row + 1]; i++) {
            int64_t value;
            word_kind kind = word_of(cell(c, i), &value);
            if (kind == WORD_NUMBER)
                return refuse(c, row, cell(c, i), "is a number but not a whole one; a label is a "
                                                  "class number or a name");
            s->whole += kind == WORD_WHOLE;
            s->names += kind == WORD_NAME;
            s->binary &= kind == WORD_WHOLE && (value == 1 || value == -1);
        }
    }
    return EXIT_OK;
}

/* ---- Names --------------------------------------------------------------------------------- */

static bool is_label(const char *text)
{
    int64_t value;
    word_kind kind = word_of(text, &value);
    return kind == WORD_NAME || (kind == WORD_WHOLE && value != -1);
}

/* The names of all classes of the file: those of the header of a matrix, or all words. */
static int collect_names(labels *l, const cells *c, const survey *s)
{
    int64_t from = s->matrix ? 0 : c->start[s->first], to = s->matrix ? c->start[1] : c->words;
    int64_t count = 0, width = c->start[s->first + 1] - c->start[s->first];
    if (s->matrix && to != width)
        return fail("'%s': %lld names in the header of %lld columns", c->path, (long long)to,
                    (long long)width);
    const char **texts = cli_alloc(to - from, sizeof *texts);
    if (!texts)
        return EXIT_RUNTIME;
    for (int64_t i = from; i < to; i++)
        if (s->matrix || is_label(cell(c, i)))
            texts[count++] = cell(c, i);
    int rc = labels_set_names(l, texts, count);
    free(texts);
    if (rc == EXIT_OK && s->matrix && l->nnames < to - from)
        rc = fail("'%s': two columns of its header have the same name", c->path);
    return rc;
}

/* ---- Rows ---------------------------------------------------------------------------------- */

/* The class that a word of a row says; *any: whether it says one. */
static int read_word(const labels *l, const cells *c, const survey *s, int64_t row, int64_t i,
                     int64_t *class, bool *any)
{
    const char *text = cell(c, i);
    int64_t value = 0, column = i - c->start[row];
    word_kind kind = word_of(text, &value);
    if (s->matrix) {
        *any = value == 1;
        *class = l->name && *any ? labels_find_name(l, cell(c, column)) : column;
    } else if (l->name) {
        *any = is_label(text);
        *class = *any ? labels_find_name(l, text) : -1;
    } else {
        *any = kind == WORD_WHOLE && (s->binary || value != -1);
        *class = value;
        if (*any && value < -1)
            return refuse(c, row, text, "is below -1; classes are 0, 1, 2 ... or -1 for none");
    }
    return EXIT_OK;
}

static int read_rows(labels *l, const cells *c, const survey *s, int64_t from, int64_t to)
{
    int rc = labels_alloc(l, to - from, c->start[to] - c->start[from]);
    for (int64_t row = from, at = 0; row < to && rc == EXIT_OK; row++) {
        int64_t count = 0;
        for (int64_t i = c->start[row]; i < c->start[row + 1] && rc == EXIT_OK; i++) {
            bool any = false;
            rc = read_word(l, c, s, row, i, &l->item[at + count], &any);
            count += any;
        }
        at += sort_unique(l->item + at, count);
        l->start[row - from + 1] = at;
    }
    return rc;
}

static int interpret(labels *l, const cells *c, bool csv, char *range)
{
    survey s;
    int64_t from = 0, to = c->n;
    int rc = look(&s, c, csv);
    if (rc)
        return rc;
    to -= s.first;
    if (to < 1)
        return fail("'%s' holds no rows", c->path);
    if (range)
        rc = parse_range(range, c->path, to, &from, &to);
    if (rc == EXIT_OK && (s.matrix ? s.first > 0 : s.names > 0))
        rc = collect_names(l, c, &s);
    return rc ? rc : read_rows(l, c, &s, from + s.first, to + s.first);
}

int labels_open_text(labels *l, const char *spec)
{
    char *path = strdup(spec), *range = path ? split_range(path) : NULL;
    void *map = NULL;
    size_t size = 0;
    int rc = path ? map_file(path, true, &map, &size) : fail_memory();
    cells c = {.path = path};
    const char *data = map;
    size_t bom = size >= 3 && memcmp(data, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    text_format format = path ? format_of(path) : TEXT_NONE;
    if (rc == EXIT_OK && memchr(data, '\0', size))
        rc = fail("'%s' is no text: it holds a byte 0", path);
    if (rc == EXIT_OK)
        rc = format == TEXT_LIBSVM ? cells_read_libsvm(&c, data + bom, size - bom)
                                   : cells_read_csv(&c, data + bom, size - bom,
                                                    format == TEXT_TSV ? '\t' : ',');
    if (rc == EXIT_OK)
        rc = interpret(l, &c, format != TEXT_LIBSVM, range);
    cells_free(&c);
    if (map)
        munmap(map, size);
    free(path);
    return rc;
}
