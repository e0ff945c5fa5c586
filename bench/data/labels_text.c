/* labels_text.c: class labels from LIBSVM and CSV files. See labels_text.h. */
#define _POSIX_C_SOURCE 200809L
#include "labels_text.h"

#include "map_file.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>

typedef enum { TEXT_NONE, TEXT_LIBSVM, TEXT_CSV, TEXT_TSV } text_format;

static const struct {
    const char *extension;
    text_format format;
} formats[] = {{".libsvm", TEXT_LIBSVM}, {".svm", TEXT_LIBSVM}, {".txt", TEXT_LIBSVM},
               {".csv", TEXT_CSV},       {".tsv", TEXT_TSV}};
enum { FORMATS = sizeof formats / sizeof *formats };

static text_format by_extension(const char *path)
{
    for (int i = 0; i < FORMATS; i++)
        if (ends_in(path, formats[i].extension, true))
            return formats[i].format;
    return TEXT_NONE;
}

/* "KIND:FILE" or "FILE" or, of a table, "FILE:COLUMN": cuts up `text`. */
static text_format format_of(char *text, char **path, char **column)
{
    *path = text;
    *column = NULL;
    for (int i = 0; i < FORMATS; i++) {
        const char *kind = formats[i].extension + 1;
        size_t length = strlen(kind);
        if (strncasecmp(text, kind, length) == 0 && text[length] == ':') {
            *path = text + length + 1;
            return formats[i].format;
        }
    }
    text_format format = by_extension(text);
    for (char *colon = strchr(text, ':'); colon && !format; colon = strchr(colon + 1, ':')) {
        *colon = '\0';
        format = by_extension(text);
        if (format == TEXT_CSV || format == TEXT_TSV) {
            *column = colon + 1;
            return format;
        }
        format = TEXT_NONE;
        *colon = ':';
    }
    return format;
}

bool is_label_text(const char *spec)
{
    char *text = strdup(spec), *path, *column;
    if (!text)
        return false;
    split_range(text);
    bool is = format_of(text, &path, &column) != TEXT_NONE;
    free(text);
    return is;
}

/* What the rows first .. n-1 of a file are made of. */
typedef struct survey {
    int64_t first;    /* 1 behind a header, else 0 */
    int64_t width;    /* words a row; 0: not all have the same number, or a cell had several */
    int64_t whole, names, empty, plus, minus;
    int64_t missing;  /* names that stand for a value that is not there */
    bool matrix;      /* 0/1 or -1/1, a column a class */
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

/* How pandas, R, SQL and Python call what is not there. */
static bool is_missing(const char *word)
{
    static const char *const words[] = {"nan", "na", "<na>", "null", "none", "nat"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasecmp(word, words[i]) == 0)
            return true;
    return false;
}

static int count_words(survey *s, const cells *c)
{
    s->width = c->labels || c->pieces ? 0 : c->start[s->first + 1] - c->start[s->first];
    s->binary = true;
    int64_t last = 0;
    for (int64_t row = s->first; row < c->n; row++) {
        int64_t words = c->start[row + 1] - c->start[row];
        s->width = words == s->width ? words : 0;
        s->binary &= words < 2;
        for (int64_t i = c->start[row]; i < c->start[row + 1]; i++) {
            int64_t value = 0;
            word_kind kind = word_of(cell(c, i), &value);
            if (kind == WORD_NUMBER)
                return refuse(c, row, cell(c, i), "is a number but not a whole one; a label is a "
                                                  "class number or a name");
            s->whole += kind == WORD_WHOLE;
            s->names += kind == WORD_NAME;
            s->missing += kind == WORD_NAME && is_missing(cell(c, i));
            last = kind == WORD_NAME ? i : last;
            s->empty += kind == WORD_EMPTY;
            s->plus += kind == WORD_WHOLE && value == 1;
            s->minus += kind == WORD_WHOLE && value == -1;
        }
    }
    if (s->whole && s->missing && s->missing == s->names) /* else they may be names as others are */
        return fail("'%s': the label '%s' among numbers: leave the cell empty, or write -1, where a row has "
                    "none", c->path, cell(c, last));
    s->binary &= !s->names && s->whole == s->plus + s->minus;
    return LBH_OK;
}

/* ---- Tables: rows of equally many cells ------------------------------------------------------ */

/* The numbers of all rows by the one rule for arrays of labels. Empty cells, which stand for no class
 * wherever they are, leave lists only. */
static int apply_rule(survey *s, const cells *c)
{
    labels l = {0};
    int form = s->empty ? LBH_LABELS_LISTS : LBH_LABELS_ANY;
    int rc = labels_alloc(&l, c->n - s->first, (c->n - s->first) * s->width);
    for (int64_t row = s->first; row < c->n && rc == LBH_OK; row++) {
        int64_t *at = l.item + (row - s->first) * s->width, count = 0, value = 0;
        for (int64_t i = c->start[row]; i < c->start[row + 1]; i++)
            if (word_of(cell(c, i), &value) == WORD_WHOLE)
                at[count++] = value;
        while (count < s->width)
            at[count++] = -1;
    }
    if (rc == LBH_OK)
        rc = labels_by_rule(&l, c->path, s->width, true, &form);
    s->matrix = form == LBH_LABELS_MATRIX;
    labels_close(&l);
    return rc;
}

/* As lbh_labels_read does with numbers: a column with another word in every row, beside one in which
 * words come again, holds ids. */
static int refuse_ids(const survey *s, const cells *c)
{
    enum { FEW = 8 };
    int64_t rows = c->n - s->first, id = -1;
    bool classes = false;
    if (rows < FEW)
        return LBH_OK;
    const char **word = cli_alloc(rows, sizeof *word);
    if (!word)
        return LBH_ENOMEM;
    for (int64_t j = 0; j < s->width; j++) {
        int64_t filled = 0, different = 0;
        for (int64_t row = s->first; row < c->n; row++)
            if (*cell(c, c->start[row] + j))
                word[filled++] = cell(c, c->start[row] + j);
        qsort(word, (size_t)filled, sizeof *word, compare_texts);
        for (int64_t i = 0; i < filled; i++)
            different += i == 0 || strcmp(word[i], word[i - 1]) != 0;
        if (filled >= rows - 1 && different == filled)
            id = j;
        else if (2 * filled > rows && different < filled)
            classes = true;
    }
    free(word);
    return id < 0 || !classes
               ? LBH_OK
               : fail("'%s': column %lld has another word in every row, as ids do; give the columns names "
                      "in a first line, and that of the labels the name 'label'", c->path,
                      (long long)id + 1);
}

static int look_at_table(survey *s, const cells *c, bool csv)
{
    int rc = LBH_OK;
    if (s->width < 2)
        return LBH_OK;
    if (!csv) { /* lists as such, unless they can be nothing but a matrix */
        int64_t zeros = 0, value = 0;
        for (int64_t i = c->start[s->first]; i < c->words; i++)
            zeros += word_of(cell(c, i), &value) == WORD_WHOLE && value == 0;
        s->matrix = s->plus + zeros == c->words || (s->plus && s->plus + s->minus == c->words);
        return LBH_OK;
    }
    rc = s->names ? LBH_OK : apply_rule(s, c);
    if (rc || s->matrix)
        return rc;
    if (s->first)
        return fail("'%s': which of its %lld columns, '%.40s', '%.40s' ..., holds the labels? Give it the "
                    "name 'label', or say %s:NAME", c->path, (long long)s->width, cell(c, 0), cell(c, 1),
                    c->path);
    return refuse_ids(s, c);
}

static int look(survey *s, const cells *c, bool csv)
{
    *s = (survey){.first = csv && has_header(c)};
    int rc = count_words(s, c);
    if (csv) /* LIBSVM has binary sets of one sign too */
        s->binary &= s->plus && s->minus;
    return rc ? rc : look_at_table(s, c, csv);
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
        return LBH_ENOMEM;
    for (int64_t i = from; i < to; i++)
        if (s->matrix || is_label(cell(c, i)))
            texts[count++] = cell(c, i);
    int rc = labels_set_names(l, texts, count);
    free(texts);
    if (rc == LBH_OK && s->matrix && l->nnames < to - from)
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
    return LBH_OK;
}

static int read_rows(labels *l, const cells *c, const survey *s, int64_t from, int64_t to)
{
    int rc = labels_alloc(l, to - from, c->start[to] - c->start[from]);
    for (int64_t row = from, at = 0; row < to && rc == LBH_OK; row++) {
        int64_t count = 0;
        for (int64_t i = c->start[row]; i < c->start[row + 1] && rc == LBH_OK; i++) {
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
    if (rc == LBH_OK && (s.matrix ? s.first > 0 : s.names > 0))
        rc = collect_names(l, c, &s);
    if (rc == LBH_OK)
        rc = read_rows(l, c, &s, from + s.first, to + s.first);
    l->loose = range ? 0 : c->loose;
    return rc;
}

int labels_open_text(labels *l, const char *spec)
{
    char *text = strdup(spec), *range = text ? split_range(text) : NULL, *path = text, *column = NULL;
    void *map = NULL;
    size_t size = 0;
    text_format format = text ? format_of(text, &path, &column) : TEXT_NONE;
    int rc = text ? map_file(path, true, &map, &size, NULL) : fail_memory();
    cells c = {.path = path, .column = column};
    const char *data = map;
    size_t bom = size >= 3 && memcmp(data, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    if (rc == LBH_OK && memchr(data, '\0', size))
        rc = fail("'%s' is no text: it holds a byte 0", path);
    if (rc == LBH_OK)
        rc = format == TEXT_LIBSVM ? cells_read_libsvm(&c, data + bom, size - bom)
                                   : cells_read_csv(&c, data + bom, size - bom,
                                                    format == TEXT_TSV ? '\t' : ',');
    if (rc == LBH_OK && c.n == 0)
        rc = fail("'%s' holds no rows", path);
    if (rc == LBH_OK)
        rc = interpret(l, &c, format != TEXT_LIBSVM, range);
    cells_free(&c);
    if (map)
        munmap(map, size);
    free(text);
    return rc;
}
