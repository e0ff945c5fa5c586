/* read_text.c: rows as text, with blanks or tabs between the cells, in one of two forms:
 *   word vectors   a word and d numbers a line, of word2vec and fastText, whose first line is "n d", and
 *                  of GloVe, which has no first line. The word may have blanks in it: the numbers are the
 *                  last d cells, and d is what the first line says, or what most lines have.
 *   a matrix       d numbers a line and no word, as numpy.savetxt writes it: where there is no first line
 *                  "n d" and every line is as long as the first and begins with a number.
 * Whatever may be both is refused. A byte order mark and empty lines at the end are passed over. */
#define _POSIX_C_SOURCE 200809L
#include "readers.h"

#include <stdlib.h>
#include <string.h>

typedef struct line {
    const char *begin, *end;
} line;

typedef struct text {
    vectors *v;
    const char *limit;
    int64_t n;     /* lines that are rows */
    line *row;     /* n */
    int64_t *cells; /* n */
    bool header, words;
    int64_t said; /* by the header */
} text;

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* ---- Cells ---------------------------------------------------------------------------------- */

static int64_t cells_of(line l)
{
    int64_t count = 0;
    for (const char *p = l.begin; p < l.end;) {
        while (p < l.end && blank(*p))
            p++;
        count += p < l.end;
        while (p < l.end && !blank(*p))
            p++;
    }
    return count;
}

/* The first cell of *l, which is then cut off. */
static line first_cell(line *l)
{
    while (l->begin < l->end && blank(*l->begin))
        l->begin++;
    line cell = {l->begin, l->begin};
    while (cell.end < l->end && !blank(*cell.end))
        cell.end++;
    l->begin = cell.end;
    return cell;
}

/* The last cell of *l, which is then cut off; false if there is none. */
static bool last_cell(line *l, line *cell)
{
    cell->end = l->end;
    while (l->end > l->begin && !blank(l->end[-1]))
        l->end--;
    cell->begin = l->end;
    while (l->end > l->begin && blank(l->end[-1]))
        l->end--;
    return cell->begin < cell->end;
}

/* Decimal numbers, NaN and infinity; not what else strtof takes. */
static bool number_of(line cell, float *x)
{
    char copy[64], *end;
    size_t length = (size_t)(cell.end - cell.begin);
    if (length == 0 || length >= sizeof copy || memchr(cell.begin, 'x', length) ||
        memchr(cell.begin, 'X', length))
        return false;
    memcpy(copy, cell.begin, length);
    copy[length] = '\0';
    *x = strtof(copy, &end);
    return end == copy + length; /* which may hold a zero byte */
}

/* Digits alone may be a number that stands for a word. */
static bool is_digits(line cell)
{
    const char *p = cell.begin;
    while (p < cell.end && *p >= '0' && *p <= '9')
        p++;
    return p == cell.end && p > cell.begin;
}

/* What digits alone, fewer than 19, say. The file may end with them: there is no zero byte. */
static int64_t whole_of(line cell)
{
    int64_t value = 0;
    for (const char *p = cell.begin; p < cell.end; p++)
        value = 10 * value + (*p - '0');
    return value;
}

/* A number, and no word: "nan" and "inf" are words too. */
static bool is_number(line cell)
{
    float x;
    const char *p = cell.begin;
    while (p < cell.end && strchr("+-.0123456789eE", *p))
        p++;
    return p == cell.end && number_of(cell, &x);
}

/* ---- Lines ---------------------------------------------------------------------------------- */

/* The line from p on, without blanks at its end. */
static line line_at(const char *p, const char *limit, const char **next)
{
    const char *end = memchr(p, '\n', (size_t)(limit - p));
    *next = end ? end + 1 : limit;
    end = end ? end : limit;
    while (end > p && blank(end[-1]))
        end--;
    return (line){p, end};
}

/* "n d" of word2vec. */
static bool is_header(line l, int64_t *n, int64_t *d)
{
    int64_t *to[2] = {n, d};
    for (int i = 0; i < 2; i++) {
        line cell = first_cell(&l);
        if (!is_digits(cell) || cell.end - cell.begin > 12)
            return false;
        *to[i] = whole_of(cell);
    }
    return cells_of(l) == 0;
}

static int find_lines(text *t, const char *p)
{
    int64_t count = 0;
    const char *next, *at = p;
    for (; at < t->limit; count++)
        line_at(at, t->limit, &at);
    t->row = cli_alloc(count, sizeof *t->row);
    t->cells = cli_alloc(count, sizeof *t->cells);
    if (!t->row || !t->cells)
        return LBH_ENOMEM;
    for (at = p; at < t->limit; at = next)
        t->row[t->n++] = line_at(at, t->limit, &next);
    while (t->n > 0 && t->row[t->n - 1].begin == t->row[t->n - 1].end)
        t->n--;
    int64_t bad = INT64_MAX;
#pragma omp parallel for schedule(static) reduction(min : bad) if (t->n > 256)
    for (int64_t i = 0; i < t->n; i++) {
        t->cells[i] = cells_of(t->row[i]);
        bool torn = memchr(t->row[i].begin, '\r', (size_t)(t->row[i].end - t->row[i].begin)) != NULL;
        if (torn && i < bad)
            bad = i;
    }
    return bad == INT64_MAX ? LBH_OK
                            : fail("'%s': line %lld has a carriage return in it; lines end with a "
                                   "newline", t->v->name, (long long)bad + 1);
}

/* ---- What the file is ------------------------------------------------------------------------ */

/* The number of cells that most rows have, the larger of two; 0 without memory. */
static int64_t usual_cells(const text *t)
{
    int64_t *sorted = cli_alloc(t->n, sizeof *sorted), best = 0, most = 0;
    if (!sorted)
        return 0;
    memcpy(sorted, t->cells, (size_t)t->n * sizeof *sorted);
    qsort(sorted, (size_t)t->n, sizeof *sorted, compare_ids);
    for (int64_t i = 0, run = 0; i < t->n; i++) {
        run = i && sorted[i] == sorted[i - 1] ? run + 1 : 1;
        if (run >= most) {
            most = run;
            best = sorted[i];
        }
    }
    free(sorted);
    return best;
}

typedef struct columns {
    bool numbers;      /* every row begins with a number, and has as many cells as the first */
    bool first_digits; /* all first cells are digits alone; */
    bool all_digits;   /* all cells are */
    bool rising;       /* the first cells are 0, 1, 2 ... from wherever on */
} columns;

static columns look_at_columns(const text *t)
{
    columns c = {true, true, true, true};
    int64_t before = -1;
    for (int64_t i = 0; i < t->n && c.numbers; i++) {
        line l = t->row[i], cell = first_cell(&l);
        c.numbers = t->cells[i] == t->cells[0] && is_number(cell);
        bool digits = is_digits(cell) && cell.end - cell.begin < 18;
        int64_t value = digits ? whole_of(cell) : -1;
        c.first_digits &= digits;
        c.rising &= digits && (i == 0 || value == before + 1);
        before = value;
        while (c.all_digits && cells_of(l) > 0)
            c.all_digits = is_digits(first_cell(&l));
    }
    return c;
}

/* Words or none, and the dimension. */
static int settle(text *t, int64_t *d)
{
    t->words = true;
    if (t->header && t->n != t->said)
        return fail("'%s' is cut off or damaged: its first line says %lld words, and %lld lines "
                    "follow", t->v->name, (long long)t->said, (long long)t->n);
    if (t->header)
        return LBH_OK;
    columns c = look_at_columns(t);
    if (c.numbers && t->cells[0] > 1 && c.first_digits && (!c.all_digits || (c.rising && t->n > 1)))
        return fail("'%s': lines begin with whole numbers, which may be words or the first column; say "
                    "which by a first line \"%lld %lld\", for words, or save a matrix as .npy",
                    t->v->name, (long long)t->n, (long long)t->cells[0] - 1);
    t->words = !c.numbers;
    int64_t usual = t->words ? usual_cells(t) : t->cells[0];
    *d = usual - t->words;
    return usual ? LBH_OK : LBH_ENOMEM;
}

/* Refuses a row that is too short, or that is longer by numbers: then not the word has blanks. */
static int check_row(const text *t, int64_t i, int64_t d)
{
    int64_t extra = t->cells[i] - t->words - d;
    line l = t->row[i];
    bool named = extra == 0 || !t->words;
    if (extra < 0)
        return fail("'%s': row %lld is not a word and %lld numbers", t->v->name, (long long)i,
                    (long long)d);
    if (t->words)
        first_cell(&l);
    for (int64_t j = 0; j < extra && !named; j++)
        named = !is_number(first_cell(&l));
    return named ? LBH_OK
                 : fail("'%s': row %lld has %lld numbers, %s", t->v->name, (long long)i,
                        (long long)(d + extra), t->header ? "not as many as the first line says"
                                                          : "others have fewer");
}

/* ---- Rows ----------------------------------------------------------------------------------- */

/* Numbers of one line, from behind; false if one is none. */
static bool read_line(line l, int d, float *x)
{
    line cell;
    for (int j = d - 1; j >= 0; j--)
        if (!last_cell(&l, &cell) || !number_of(cell, x + j))
            return false;
    return true;
}

static int read_lines(const text *t)
{
    vectors *v = t->v;
    v->owned = cli_alloc(v->n, v->stride);
    v->data = v->owned;
    if (!v->owned)
        return LBH_ENOMEM;
    float *x = v->owned;
    int64_t bad = INT64_MAX, d = v->d;
#pragma omp parallel for schedule(static) reduction(min : bad) if (t->n > 256)
    for (int64_t i = 0; i < v->n; i++)
        if (!read_line(t->row[i], v->d, x + i * d) && i < bad)
            bad = i;
    return bad == INT64_MAX ? LBH_OK
                            : fail("'%s': row %lld is not a word and %d numbers, with blanks between "
                                   "them", v->name, (long long)bad, v->d);
}

static int read_text(text *t)
{
    const char *p = t->v->map, *next;
    int64_t d = 0;
    t->limit = p + t->v->map_size;
    if (t->v->map_size >= 3 && memcmp(p, "\xEF\xBB\xBF", 3) == 0)
        p += 3;
    if (memchr(p, '\0', (size_t)(t->limit - p)))
        return fail("'%s' is no text: it holds a byte 0", t->v->name);
    line head = p < t->limit ? line_at(p, t->limit, &next) : (line){p, p};
    t->header = p < t->limit && is_header(head, &t->said, &d);
    int rc = find_lines(t, t->header ? next : p);
    if (rc == LBH_OK && (t->n || t->header))
        rc = settle(t, &d);
    if (rc || t->n == 0)
        return rc;
    rc = reader_check_d(t->v->name, d);
    for (int64_t i = 0; i < t->n && rc == LBH_OK; i++)
        rc = check_row(t, i, d);
    t->v->n = t->n;
    t->v->d = (int)d;
    t->v->type = VEC_F32;
    t->v->stride = (size_t)d * sizeof(float);
    return rc ? rc : read_lines(t);
}

int read_text_vectors(vectors *v, const char *path, const char *part)
{
    if (part)
        return fail_usage("'%s': word vectors have no parts", v->name);
    int rc = reader_map(v, path, true);
    text t = {.v = v};
    if (rc == LBH_OK)
        rc = read_text(&t);
    free(t.row);
    free(t.cells);
    return rc;
}
