/* read_text.c: word vectors as text: word2vec's and fastText's, whose first line is "n d", and
 * GloVe's, which has no first line. A line is a word and d numbers, with blanks or tabs between
 * them. The word may have blanks in it (GloVe has such): the numbers are the last d cells. */
#define _POSIX_C_SOURCE 200809L
#include "readers.h"

#include <stdlib.h>
#include <string.h>

typedef struct line {
    const char *begin, *end;
} line;

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

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

static bool number_of(line cell, float *x)
{
    char text[64], *end;
    size_t length = (size_t)(cell.end - cell.begin);
    if (length >= sizeof text)
        return false;
    memcpy(text, cell.begin, length);
    text[length] = '\0';
    *x = strtof(text, &end);
    return *end == '\0';
}

/* "n d" of word2vec. */
static bool is_header(line l, int64_t *n, int64_t *d)
{
    line cell, rest = l;
    int64_t *to[2] = {d, n};
    for (int i = 0; i < 2; i++) {
        if (!last_cell(&rest, &cell) || cell.end - cell.begin > 12)
            return false;
        *to[i] = 0;
        for (const char *p = cell.begin; p < cell.end; p++) {
            if (*p < '0' || *p > '9')
                return false;
            *to[i] = 10 * *to[i] + (*p - '0');
        }
    }
    return rest.begin == rest.end;
}

/* Numbers of one line; false if it has not a word and d numbers. */
static bool read_line(line l, int d, float *x)
{
    line cell;
    for (int j = d - 1; j >= 0; j--)
        if (!last_cell(&l, &cell) || cell.begin == l.begin || !number_of(cell, x + j))
            return false;
    return true;
}

static int read_lines(vectors *v, const char *first, const char *limit)
{
    size_t *start = cli_alloc(v->n, sizeof *start);
    if (!start)
        return EXIT_RUNTIME;
    const char *p = first;
    for (int64_t i = 0; i < v->n; i++) {
        start[i] = (size_t)(p - first);
        line_at(p, limit, &p);
    }
    float *x = v->owned;
    int64_t bad = INT64_MAX, d = v->d;
#pragma omp parallel for schedule(static) reduction(min : bad)
    for (int64_t i = 0; i < v->n; i++) {
        const char *next;
        line l = line_at(first + start[i], limit, &next);
        if (!read_line(l, v->d, x + i * d) && i < bad)
            bad = i;
    }
    free(start);
    if (bad == INT64_MAX)
        return EXIT_OK;
    return fail("'%s': row %lld is not a word and %d numbers", v->name, (long long)bad, v->d);
}

/* Rows and dimension; *first is where the rows begin. */
static int survey(vectors *v, const char **first, const char *limit)
{
    const char *p = *first, *next;
    int64_t said = 0, d = 0, lines = 0;
    line l = line_at(p, limit, &next);
    bool header = is_header(l, &said, &d);
    if (header)
        *first = next;
    else
        d = cells_of(l) - 1;
    int rc = reader_check_d(v->name, d);
    if (rc)
        return rc;
    for (p = *first; p < limit; lines++) {
        l = line_at(p, limit, &p);
        /* A number takes two bytes at least: lines that cannot hold d of them end here. */
        if (l.end - l.begin < 2 * d)
            return fail("'%s': row %lld is not a word and %lld numbers", v->name, (long long)lines,
                        (long long)d);
    }
    if (header && lines != said)
        return fail("'%s' is cut off or damaged: its first line says %lld words, and %lld lines "
                    "follow", v->name, (long long)said, (long long)lines);
    v->n = lines;
    v->d = (int)d;
    return EXIT_OK;
}

int read_text_vectors(vectors *v, const char *path, const char *part)
{
    if (part)
        return fail_usage("'%s': word vectors have no parts", v->name);
    int rc = map_file(path, &v->map, &v->map_size);
    if (rc)
        return rc;
    const char *first = v->map, *limit = first + v->map_size;
    rc = survey(v, &first, limit);
    if (rc || v->n == 0)
        return rc;
    v->type = VEC_F32;
    v->stride = (size_t)v->d * sizeof(float);
    v->owned = cli_alloc(v->n, v->stride);
    v->data = v->owned;
    return v->owned ? read_lines(v, first, limit) : EXIT_RUNTIME;
}
