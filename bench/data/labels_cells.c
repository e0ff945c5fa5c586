/* labels_cells.c: splits LIBSVM and CSV files into rows of words. See labels_text.h. */
#include "labels_text.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- Storage ------------------------------------------------------------------------------- */

/* Makes room for `need` entries of `size` bytes at *p. */
static int grow(void *p, size_t *room, size_t need, size_t size)
{
    void **at = p;
    if (need <= *room)
        return LBH_OK;
    size_t more = 2 * need + 64, bytes;
    void *new = __builtin_mul_overflow(more, size, &bytes) ? NULL : realloc(*at, bytes);
    if (!new)
        return fail_memory();
    *at = new;
    *room = more;
    return LBH_OK;
}

static int put_char(cells *c, char x)
{
    int rc = grow(&c->pool, &c->pool_room, c->pool_size + 1, 1);
    if (rc == LBH_OK)
        c->pool[c->pool_size++] = x;
    return rc;
}

/* Begins a word; its characters follow. */
static int put_word(cells *c)
{
    int rc = grow(&c->word, &c->word_room, (size_t)c->words + 1, sizeof *c->word);
    if (rc == LBH_OK)
        c->word[c->words++] = c->pool_size;
    return rc;
}

static int put_text(cells *c, const char *text, size_t len)
{
    int rc = put_word(c);
    for (size_t i = 0; i < len && rc == LBH_OK; i++)
        rc = put_char(c, text[i]);
    return rc == LBH_OK ? put_char(c, '\0') : rc;
}

/* Begins a row; start[n] is its end once all its words are there. */
static int put_row(cells *c, int64_t line)
{
    LBH_TRY(grow(&c->start, &c->start_room, (size_t)c->n + 2, sizeof *c->start));
    LBH_TRY(grow(&c->line, &c->line_room, (size_t)c->n + 1, sizeof *c->line));
    c->start[c->n] = c->words;
    c->line[c->n++] = line;
    return LBH_OK;
}

static void drop_rows(cells *c)
{
    c->n = c->words = 0;
    c->pool_size = 0;
}

const char *cell(const cells *c, int64_t word)
{
    return c->pool + c->word[word];
}

void cells_free(cells *c)
{
    free(c->start);
    free(c->line);
    free(c->word);
    free(c->pool);
    *c = (cells){0};
}

word_kind word_of(const char *text, int64_t *value)
{
    char *end;
    if (!*text)
        return WORD_EMPTY;
    if (text[strspn(text, "+-.0123456789eE")])
        return WORD_NAME;
    errno = 0;
    *value = strtoll(text, &end, 10);
    if (end != text && !*end && !errno)
        return WORD_WHOLE;
    double x = strtod(text, &end);
    if (end == text || *end || !isfinite(x))
        return WORD_NAME;
    if (x != floor(x) || fabs(x) > 0x1p53)
        return WORD_NUMBER;
    *value = (int64_t)x;
    return WORD_WHOLE;
}

/* ---- LIBSVM -------------------------------------------------------------------------------- */

static bool blank(char x)
{
    return x == ' ' || x == '\t' || x == '\r';
}

static const char *word_end(const char *p, const char *end)
{
    while (p < end && !blank(*p))
        p++;
    return p;
}

static const char *skip_blanks(const char *p, const char *end)
{
    while (p < end && blank(*p))
        p++;
    return p;
}

static int put_label_list(cells *c, const char *p, const char *end)
{
    for (;;) {
        const char *comma = memchr(p, ',', (size_t)(end - p));
        const char *stop = comma ? comma : end;
        if (stop == p)
            return fail("'%s': line %lld: a label is missing beside a comma", c->path,
                        (long long)c->line[c->n - 1]);
        int rc = put_text(c, p, (size_t)(stop - p));
        if (rc || !comma)
            return rc;
        p = comma + 1;
    }
}

/* Three whole numbers and nothing else: the number of rows, or -1. */
static int64_t libsvm_header(const char *p, const char *end)
{
    int64_t first = -1;
    int count = 0;
    for (p = skip_blanks(p, end); p < end; p = skip_blanks(word_end(p, end), end)) {
        char word[24] = "";
        int64_t value;
        size_t len = (size_t)(word_end(p, end) - p);
        if (len < sizeof word)
            memcpy(word, p, len);
        if (word_of(word, &value) != WORD_WHOLE || value < 0)
            return -1;
        first = count++ ? first : value;
    }
    return count == 3 ? first : -1;
}

static int libsvm_row(cells *c, const char *p, const char *end, int64_t line)
{
    int rc = put_row(c, line);
    if (rc)
        return rc;
    const char *stop = word_end(p, end);
    if (stop > p && !memchr(p, ':', (size_t)(stop - p))) {
        rc = put_label_list(c, p, stop);
        p = stop;
    }
    for (p = skip_blanks(p, end); rc == LBH_OK && p < end; p = skip_blanks(stop, end)) {
        stop = word_end(p, end);
        if (!memchr(p, ':', (size_t)(stop - p)))
            rc = fail("'%s': line %lld: '%.*s' is no feature (index:value); several labels stand "
                      "before the features with commas between them", c->path, (long long)line,
                      stop - p > 40 ? 40 : (int)(stop - p), p);
    }
    return rc;
}

int cells_read_libsvm(cells *c, const char *data, size_t size)
{
    const char *end = data + size;
    int64_t line = 0, promised = -1;
    int rc = LBH_OK;
    for (const char *p = data; p < end && rc == LBH_OK;) {
        const char *newline = memchr(p, '\n', (size_t)(end - p)), *stop = newline ? newline : end;
        const char *comment = memchr(p, '#', (size_t)(stop - p));
        line++;
        if (c->n == 0 && promised < 0)
            promised = libsvm_header(p, stop);
        if (comment != p && !(c->n == 0 && promised >= 0 && libsvm_header(p, stop) >= 0))
            rc = libsvm_row(c, p, comment ? comment : stop, line);
        p = newline ? newline + 1 : end;
    }
    if (rc == LBH_OK && promised >= 0 && promised != c->n)
        rc = fail("'%s': its first line says %lld rows, but %lld follow", c->path,
                  (long long)promised, (long long)c->n);
    if (rc == LBH_OK && c->n > 0)
        c->start[c->n] = c->words;
    while (rc == LBH_OK && c->loose < c->n && c->start[c->n - c->loose] == c->start[c->n - 1 - c->loose])
        c->loose++;
    return rc;
}

/* ---- CSV ----------------------------------------------------------------------------------- */

typedef struct csv {
    const char *p, *end;
    char separator;
    int64_t line;
    bool split; /* at '|' */
} csv;

/* Blanks around '|' do not count. */
static int csv_char(cells *c, const csv *s, char x)
{
    size_t begin = c->word[c->words - 1];
    if (s->split && blank(x) && c->pool_size == begin)
        return LBH_OK;
    if (x != '|' || !s->split)
        return put_char(c, x);
    while (c->pool_size > begin && blank(c->pool[c->pool_size - 1]))
        c->pool_size--;
    c->pieces = true;
    int rc = put_char(c, '\0');
    return rc ? rc : put_word(c);
}

static int quoted(cells *c, csv *s)
{
    int64_t opened = s->line;
    for (s->p++; s->p < s->end; s->p++) {
        if (*s->p == '"' && !(s->p + 1 < s->end && s->p[1] == '"')) {
            s->p++;
            while (s->p < s->end && blank(*s->p) && *s->p != s->separator)
                s->p++;
            if (s->p == s->end || *s->p == s->separator || *s->p == '\n')
                return LBH_OK;
            return fail("'%s': line %lld: text follows a closing quote; a quote in a cell is "
                        "written twice", c->path, (long long)s->line);
        }
        s->p += *s->p == '"';
        s->line += *s->p == '\n';
        LBH_TRY(csv_char(c, s, *s->p));
    }
    return fail("'%s': the quote that opens in line %lld is never closed", c->path,
                (long long)opened);
}

static int plain(cells *c, csv *s)
{
    const char *stop = s->p;
    while (stop < s->end && *stop != s->separator && *stop != '\n')
        stop++;
    const char *last = stop;
    while (last > s->p && blank(last[-1]))
        last--;
    int rc = LBH_OK;
    for (; s->p < last && rc == LBH_OK; s->p++)
        rc = csv_char(c, s, *s->p);
    s->p = stop;
    return rc;
}

/* Reads a cell and what ends it; *more: another one follows in this row. */
static int csv_cell(cells *c, csv *s, bool *more)
{
    while (s->p < s->end && blank(*s->p) && *s->p != s->separator)
        s->p++;
    int rc = put_word(c);
    if (rc == LBH_OK)
        rc = s->p < s->end && *s->p == '"' ? quoted(c, s) : plain(c, s);
    if (rc == LBH_OK)
        rc = put_char(c, '\0');
    *more = s->p < s->end && *s->p == s->separator;
    s->p += s->p < s->end;
    return rc;
}

/* One row; keep[columns], if not NULL, says which cells to keep. *columns: how many there are. */
static int csv_row(cells *c, csv *s, const bool *keep, int64_t *columns)
{
    int64_t count = 0;
    int rc = put_row(c, s->line);
    for (bool more = true; more && rc == LBH_OK; count++) {
        int64_t words = c->words;
        size_t pool = c->pool_size;
        rc = csv_cell(c, s, &more);
        if (keep && (count >= *columns || !keep[count])) {
            c->words = words;
            c->pool_size = pool;
        }
    }
    if (rc == LBH_OK && keep && count != *columns)
        rc = fail("'%s': line %lld has %lld cells, the header has %lld", c->path,
                  (long long)s->line, (long long)count, (long long)*columns);
    *columns = count;
    s->line++;
    return rc;
}

static bool names_labels(const cells *c, const char *text)
{
    if (c->column)
        return strcmp(text, c->column) == 0;
    static const char *const words[] = {"label",   "labels", "class",
                                        "classes", "target", "category"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasecmp(text, words[i]) == 0)
            return true;
    return false;
}

/* Reads the first line; if it names columns of labels, *keep says which they are, else *keep is NULL
 * and nothing has been read. */
static int csv_header(cells *c, csv *s, bool **keep, int64_t *columns)
{
    csv start = *s;
    bool any = false;
    *keep = NULL;
    LBH_TRY(csv_row(c, s, NULL, columns));
    *keep = cli_alloc(*columns, sizeof **keep);
    if (!*keep)
        return LBH_ENOMEM;
    for (int64_t i = 0; i < *columns; i++)
        any |= (*keep)[i] = names_labels(c, cell(c, i));
    drop_rows(c);
    if (!any && c->column)
        return fail("'%s': its first line names no column '%s'", c->path, c->column);
    if (!any) {
        free(*keep);
        *keep = NULL;
        *s = start;
    }
    return LBH_OK;
}

/* Whether nothing but empty lines is left. */
static bool only_empty_lines(const csv *s)
{
    const char *p = s->p;
    while (p < s->end && (*p == '\n' || (blank(*p) && *p != s->separator)))
        p++;
    return p == s->end;
}

/* Empty lines at the end: no rows where rows have several cells, else c->loose of them. */
static void drop_empty_end(cells *c)
{
    int64_t rows = c->n;
    bool wide = false;
    for (int64_t i = 0; i < c->n; i++)
        wide |= c->start[i + 1] - c->start[i] > 1;
    while (rows > 0 && c->start[rows] - c->start[rows - 1] == 1 && !*cell(c, c->start[rows - 1]))
        rows--;
    c->loose = wide ? 0 : c->n - rows;
    if (wide) {
        c->words = c->start[rows];
        c->n = rows;
    }
}

/* A file of one column whose every line has the same other separator in it. */
static int check_separator(const cells *c)
{
    static const char others[] = ";\t,";
    for (int k = 0; k < 3; k++) {
        bool all = c->n > 1;
        for (int64_t i = 0; i < c->n && all; i++)
            all = c->start[i + 1] - c->start[i] == 1 && strchr(cell(c, c->start[i]), others[k]);
        if (all)
            return fail("'%s': its cells seem to be separated by %s; .csv has commas, .tsv tabs", c->path,
                        k == 0 ? "semicolons" : k == 1 ? "tabs" : "commas");
    }
    return LBH_OK;
}

int cells_read_csv(cells *c, const char *data, size_t size, char separator)
{
    csv s = {.p = data, .end = data + size, .separator = separator, .line = 1};
    bool *keep;
    int64_t columns;
    int rc = csv_header(c, &s, &keep, &columns);
    s.split = true;
    c->labels = keep != NULL;
    while (rc == LBH_OK && s.p < s.end && !(keep && columns > 1 && only_empty_lines(&s)))
        rc = csv_row(c, &s, keep, &columns);
    free(keep);
    if (rc || c->n == 0)
        return rc;
    c->start[c->n] = c->words;
    if (!c->labels || columns == 1)
        drop_empty_end(c);
    return check_separator(c);
}
