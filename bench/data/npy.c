/* npy.c: NumPy's .npy files (versions 1 to 3): what numpy.load makes a matrix of numbers of, in either
 * byte order and either order of axes. See npy.h. */
#include "npy.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- The header ----------------------------------------------------------------------------- */

#define BLANKS " \t\r\n" /* between what Python reads */

/* Value of a key in the header's Python dictionary, in either kind of quotes: a pointer behind the
 * colon, or NULL. */
static const char *find_key(const char *text, const char *key)
{
    for (int q = 0; q < 2; q++) {
        char quoted[32];
        snprintf(quoted, sizeof quoted, "%c%s%c", "'\""[q], key, "'\""[q]);
        const char *p = strstr(text, quoted);
        if (!p)
            continue;
        p += strlen(quoted);
        p += strspn(p, BLANKS);
        if (*p == ':')
            return p + 1 + strspn(p + 1, BLANKS);
    }
    return NULL;
}

/* Why a type that NumPy knows is none of ours. */
static const char *other_type(char kind)
{
    switch (kind) {
    case 'O':
        return "Python objects; numbers are wanted, x.astype('float32')";
    case 'U':
    case 'S':
    case 'a':
        return "text; numbers are wanted, or labels in a .csv";
    case 'c':
        return "complex numbers; real ones are wanted";
    case 'f':
    case 'g':
        return "long doubles, which differ from machine to machine; save x.astype('float64')";
    default:
        return "numbers of 16 to 64 bits, bytes and booleans are understood";
    }
}

static int parse_type(const char *text, const char *name, npy_array *a)
{
    static const struct {
        const char *descr;
        vec_type type; /* in memory */
    } known[] = {{"f2", VEC_F32}, {"f4", VEC_F32}, {"f8", VEC_F64}, {"u1", VEC_U8},
                 {"i1", VEC_I8},  {"b1", VEC_U8},  {"i2", VEC_I32}, {"u2", VEC_I32},
                 {"i4", VEC_I32}, {"u4", VEC_I64}, {"i8", VEC_I64}, {"u8", VEC_I64}};
    text += *text == 'u'; /* u'<f4' of Python 2 */
    char quote = *text;
    if (quote != '\'' && quote != '"')
        return fail("'%s': a structured .npy array; one plain matrix is wanted", name);
    const char *p = text + 1;
    a->big_endian = *p == '>';
    p += *p && strchr("<>=|", *p) ? 1 : 0;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strncmp(p, known[i].descr, 2) == 0 && p[2] == quote) {
            a->type = known[i].type;
            a->kind = p[0];
            a->size = (size_t)(p[1] - '0');
            return LBH_OK;
        }
    return fail("'%s': an .npy array of %.*s: %s", name, (int)strcspn(p, "'\", }"), p,
                other_type(*p));
}

static int parse_shape(const char *text, const char *name, npy_array *a)
{
    int64_t shape[2] = {0, 1};
    const char *p = text;
    if (*p++ != '(')
        return fail("'%s': the .npy header has no shape", name);
    for (p += strspn(p, BLANKS); *p != ')'; p += strspn(p, BLANKS ",")) {
        if (!isdigit((unsigned char)*p))
            return fail("'%s': the .npy header has a damaged shape", name);
        char *end;
        unsigned long long v = strtoull(p, &end, 10);
        if (end - p > 18 || a->axes == 2)
            return fail("'%s': an .npy array of %s; one or two axes are wanted", name,
                        a->axes == 2 ? "more than two axes" : "impossible size");
        shape[a->axes++] = (int64_t)v;
        p = end + (*end == 'L'); /* Python 2 writes 3L */
    }
    if (a->axes == 0)
        return fail("'%s': an .npy scalar; a matrix is wanted", name);
    a->n = shape[0];
    a->d = shape[1];
    return LBH_OK;
}

static int parse_dictionary(const char *text, const char *name, npy_array *a)
{
    const char *descr = find_key(text, "descr"), *order = find_key(text, "fortran_order"),
               *shape = find_key(text, "shape");
    if (!descr || !order || !shape)
        return fail("'%s': the .npy header is damaged", name);
    int rc = parse_type(descr, name, a);
    if (rc == LBH_OK)
        rc = parse_shape(shape, name, a);
    bool columns = strncmp(order, "True", 4) == 0;
    if (rc == LBH_OK && !columns && strncmp(order, "False", 5) != 0)
        return fail("'%s': the .npy header has a damaged order", name);
    a->by_columns = columns && a->n > 1 && a->d > 1;
    a->ready = !a->by_columns && (!a->big_endian || a->size == 1) &&
               a->size == vec_type_size(a->type) && !(a->kind == 'u' && a->size == 8);
    return rc;
}

int npy_parse(const unsigned char *data, size_t size, const char *name, npy_array *a)
{
    *a = (npy_array){0};
    if (size >= 4 && memcmp(data, "PK\x03\x04", 4) == 0)
        return fail("'%s' is an .npz, of several arrays; numpy.save the one that is wanted", name);
    if (size < 12 || memcmp(data, "\x93NUMPY", 6) != 0)
        return fail("'%s' is not an .npy file", name);
    if (data[6] < 1 || data[6] > 3)
        return fail("'%s': unknown version %d of the .npy format", name, data[6]);
    size_t start = data[6] == 1 ? 10 : 12;
    size_t length = (size_t)data[8] | (size_t)data[9] << 8;
    if (data[6] > 1)
        length |= (size_t)data[10] << 16 | (size_t)data[11] << 24;
    if (length > size - start || length > 1 << 20)
        return fail("'%s': the .npy header is cut off", name);
    char *text = cli_alloc((int64_t)length + 1, 1);
    if (!text)
        return LBH_ENOMEM;
    memcpy(text, data + start, length);
    text[length] = '\0';
    int rc = parse_dictionary(text, name, a);
    free(text);
    a->offset = start + length;
    return rc;
}

/* ---- Numbers in another form ---------------------------------------------------------------- */

static uint64_t load_bytes(const unsigned char *p, size_t size, bool big_endian)
{
    uint64_t x = 0;
    for (size_t i = 0; i < size; i++)
        x |= (uint64_t)p[i] << 8 * (big_endian ? size - 1 - i : i);
    return x;
}

/* IEEE half precision: 1, 5 and 10 bits. */
static float half(uint64_t bits)
{
    uint32_t sign = (uint32_t)(bits >> 15 & 1) << 31, exponent = bits >> 10 & 31,
             fraction = bits & 1023, whole;
    float value;
    if (exponent == 0) { /* fraction * 2^-24, which is exact */
        value = (float)fraction * 0x1p-24f;
        return sign ? -value : value;
    }
    whole = sign | (exponent == 31 ? 255u : exponent + 112) << 23 | fraction << 13;
    memcpy(&value, &whole, sizeof value);
    return value;
}

/* One number to `out`; false if no int64 holds it. */
static bool convert(const npy_array *a, const unsigned char *p, unsigned char *out)
{
    uint64_t bits = load_bytes(p, a->size, a->big_endian);
    if (a->kind == 'f' && a->size == 2) {
        float x = half(bits);
        memcpy(out, &x, sizeof x);
        return true;
    }
    if (a->kind == 'i' && a->size == 2)
        bits = (uint64_t)(int64_t)(int16_t)bits;
    uint32_t narrow = (uint32_t)bits;
    if (vec_type_size(a->type) == 4)
        memcpy(out, &narrow, 4);
    else if (vec_type_size(a->type) == 8)
        memcpy(out, &bits, 8);
    else
        *out = (unsigned char)bits;
    return !(a->kind == 'u' && bits > INT64_MAX);
}

int npy_convert(vectors *v, const npy_array *a)
{
    size_t to = vec_type_size(a->type);
    v->owned = cli_alloc(a->n, (size_t)a->d * to);
    if (!v->owned)
        return LBH_ENOMEM;
    const unsigned char *from = v->data;
    int64_t bad = INT64_MAX;
#pragma omp parallel for schedule(static) reduction(min : bad) if (a->n > 256)
    for (int64_t i = 0; i < a->n; i++)
        for (int64_t j = 0; j < a->d; j++) {
            size_t at = (size_t)(a->by_columns ? j * a->n + i : i * a->d + j);
            unsigned char *out = (unsigned char *)v->owned + (size_t)(i * a->d + j) * to;
            if (!convert(a, from + at * a->size, out) && i < bad)
                bad = i;
        }
    v->data = v->owned;
    return bad == INT64_MAX ? LBH_OK
                            : fail("'%s': row %lld holds a number above 2^63 - 1", v->name,
                                   (long long)bad);
}

/* ---- Writing -------------------------------------------------------------------------------- */

size_t npy_header(char header[128], vec_type type, int64_t n, int64_t d)
{
    static const char *const descr[] = {"<f4", "<f8", "|u1", "|i1", "<i4", "<i8"};
    char dictionary[112];
    snprintf(dictionary, sizeof dictionary,
             "{'descr': '%s', 'fortran_order': False, 'shape': (%lld, %lld), }", descr[type],
             (long long)n, (long long)d);
    memcpy(header, "\x93NUMPY\x01\x00\x76\x00", 10); /* 0x76 = 128 - 10 */
    memset(header + 10, ' ', 118);
    memcpy(header + 10, dictionary, strlen(dictionary));
    header[127] = '\n';
    return 128;
}
