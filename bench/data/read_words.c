/* read_words.c: word2vec's binary vectors: text "n d\n", then n times a word, a blank, d float32, and
 * mostly a newline. Words may have blanks in them ("New York", as gensim writes it), and nothing says
 * which blank ends a word. Where a word can end in several ways, what follows tells them apart: a wrong
 * end shifts the numbers, which are then wild, and the next word begins with bytes of numbers. Where it
 * does not, the file is refused. */
#include "readers.h"

#include <math.h>
#include <string.h>

typedef struct file {
    const unsigned char *p;
    size_t size, row; /* bytes of a row's numbers */
    int64_t n;
    int d;
} file;

/* Bytes that no word has: word2vec ends words there. */
static bool is_control(unsigned char c)
{
    return c < 0x20 || c == 0x7f;
}

/* Where the next word begins: behind the numbers that begin at `at`, and the newline, if there is one. */
static size_t next_of(const file *f, size_t at)
{
    at += f->row;
    if (at + 1 < f->size && f->p[at] == '\r' && f->p[at + 1] == '\n')
        return at + 2;
    return at + (at < f->size && f->p[at] == '\n');
}

/* The first blank from `at` on, with no control character before it; the size of the file if there is
 * none that numbers may follow. */
static size_t blank_from(const file *f, size_t at)
{
    while (at < f->size && f->p[at] != ' ' && !is_control(f->p[at]))
        at++;
    bool fits = at < f->size && f->p[at] == ' ' && f->size - at - 1 >= f->row;
    return fits ? at : f->size;
}

/* Numbers as trained vectors have them, but for one in 16: shifted by bytes, most would be next to 0 or
 * enormous. */
static bool are_tame(const file *f, size_t at)
{
    int wild = 0;
    for (int j = 0; j < f->d; j++) {
        float x;
        memcpy(&x, f->p + at + 4 * (size_t)j, 4);
        wild += !(fabsf(x) < 1e6F) || (x != 0 && fabsf(x) < 1e-6F);
    }
    return wild <= f->d / 16;
}

/* UTF-8, of which word2vec may have cut the last character short. */
static bool is_utf8(const unsigned char *p, const unsigned char *end)
{
    while (p < end) {
        int more = *p < 0x80 ? 0 : *p < 0xc2 ? -1 : *p < 0xe0 ? 1 : *p < 0xf0 ? 2 : *p < 0xf5 ? 3 : -1;
        if (more < 0)
            return false;
        for (p++; more > 0 && p < end; more--, p++)
            if ((*p & 0xc0) != 0x80)
                return false;
    }
    return true;
}

/* How much speaks for word i, which begins at `begin`, ending at the blank at `blank`. */
static int evidence(const file *f, int64_t i, size_t begin, size_t blank)
{
    size_t next = next_of(f, blank + 1), end = blank_from(f, next);
    bool follows = i + 1 == f->n ? next == f->size : end < f->size;
    bool text = is_utf8(f->p + begin, f->p + blank) &&
                (i + 1 == f->n || is_utf8(f->p + next, f->p + end));
    return 4 * follows + 2 * are_tame(f, blank + 1) + text;
}

/* The blank that ends word i; the size of the file if none can, *unclear if several can. */
static size_t end_of_word(const file *f, int64_t i, size_t begin, bool *unclear)
{
    size_t first = blank_from(f, begin), best = first;
    size_t other = first < f->size ? blank_from(f, first + 1) : f->size;
    *unclear = false;
    if (other == f->size)
        return first;
    int most = evidence(f, i, begin, first);
    /* What lies behind a row for which all speaks is another row. */
    size_t limit = most >= 6 ? next_of(f, first + 1) : f->size;
    for (; other < limit; other = blank_from(f, other + 1)) {
        int e = evidence(f, i, begin, other);
        *unclear = e > most ? false : *unclear || e == most;
        best = e > most ? other : best;
        most = e > most ? e : most;
        limit = e >= 6 && limit == f->size ? next_of(f, other + 1) : limit;
    }
    return best;
}

int read_words(vectors *v, size_t at, int64_t n, int64_t d)
{
    int rc = reader_check_d(v->name, d);
    file f = {v->map, v->map_size, 4 * (size_t)d, n, (int)d};
    if (rc)
        return rc;
    /* Each row has a blank at least: more than these cannot be there. */
    if (n < 1 || (uint64_t)n > (f.size - at) / (f.row + 1))
        return fail("'%s' is cut off or damaged: its first line says %lld words of %lld numbers, "
                    "and %zu bytes follow", v->name, (long long)n, (long long)d, f.size - at);
    v->n = n;
    v->d = f.d;
    v->type = VEC_F32;
    v->offset = cli_alloc(n, sizeof *v->offset);
    if (!v->offset)
        return LBH_ENOMEM;
    for (int64_t i = 0; i < n; i++) {
        bool unclear;
        size_t blank = end_of_word(&f, i, at, &unclear);
        if (blank == f.size)
            return fail("'%s' is cut off or damaged: word %lld of %lld is not whole", v->name,
                        (long long)i + 1, (long long)n);
        if (unclear)
            return fail("'%s': word %lld, '%.*s ...', may end at more than one blank, and the numbers "
                        "do not tell at which; write the vectors as text, or words without blanks",
                        v->name, (long long)i + 1, (int)(blank - at > 40 ? 40 : blank - at), f.p + at);
        v->offset[i] = blank + 1;
        at = next_of(&f, blank + 1);
    }
    if (at < f.size)
        return fail("'%s' is longer than its first line says (%lld words of %d numbers)", v->name,
                    (long long)n, v->d);
    return LBH_OK;
}
