/* npy.c: the header of NumPy's .npy files (versions 1 to 3). See vectors.h. */
#include "vectors.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Value of 'key' in the header's Python dictionary: a pointer behind the colon, or NULL. */
static const char *find_key(const char *text, const char *key)
{
    char quoted[32];
    snprintf(quoted, sizeof quoted, "'%s'", key);
    const char *p = strstr(text, quoted);
    if (!p)
        return NULL;
    p += strlen(quoted);
    p += strspn(p, " ");
    if (*p != ':')
        return NULL;
    p++;
    return p + strspn(p, " ");
}

static int parse_type(const char *text, const char *name, vec_type *type)
{
    static const struct {
        const char *descr;
        vec_type type;
    } known[] = {{"f4", VEC_F32}, {"f8", VEC_F64}, {"u1", VEC_U8}, {"i1", VEC_I8},
                 {"b1", VEC_U8},  {"i4", VEC_I32}, {"i8", VEC_I64}};
    if (*text != '\'')
        return fail("'%s': a structured .npy array; one plain matrix is wanted", name);
    char order = text[1];
    if (order == '>')
        return fail("'%s': a big-endian .npy array; save it with x.astype('<f4')", name);
    if (order == '<' || order == '=' || order == '|')
        for (size_t i = 0; i < sizeof known / sizeof *known; i++)
            if (strncmp(text + 2, known[i].descr, 2) == 0 && text[4] == '\'') {
                *type = known[i].type;
                return EXIT_OK;
            }
    return fail("'%s': .npy data type %.*s; float32, float64, uint8, int8, bool, int32 and int64 "
                "are understood", name, (int)strcspn(text, ","), text);
}

static int parse_shape(const char *text, const char *name, int64_t *n, int64_t *d)
{
    int64_t shape[2] = {0, 1};
    int axes = 0;
    const char *p = text;
    if (*p++ != '(')
        return fail("'%s': the .npy header has no shape", name);
    for (p += strspn(p, " "); *p != ')'; p += strspn(p, " ,")) {
        if (!isdigit((unsigned char)*p))
            return fail("'%s': the .npy header has a damaged shape", name);
        char *end;
        unsigned long long v = strtoull(p, &end, 10);
        if (end - p > 18 || axes == 2)
            return fail("'%s': an .npy array of %s; one or two axes are wanted", name,
                        axes == 2 ? "more than two axes" : "impossible size");
        shape[axes++] = (int64_t)v;
        p = end;
    }
    if (axes == 0)
        return fail("'%s': an .npy scalar; a matrix is wanted", name);
    *n = shape[0];
    *d = shape[1];
    return EXIT_OK;
}

static int parse_dictionary(const char *text, const char *name, vec_type *type, int64_t *n,
                            int64_t *d)
{
    const char *descr = find_key(text, "descr"), *order = find_key(text, "fortran_order"),
               *shape = find_key(text, "shape");
    if (!descr || !order || !shape)
        return fail("'%s': the .npy header is damaged", name);
    int rc = parse_type(descr, name, type);
    if (rc == EXIT_OK)
        rc = parse_shape(shape, name, n, d);
    if (rc == EXIT_OK && strncmp(order, "False", 5) != 0 && *n > 1 && *d > 1)
        rc = fail("'%s': an .npy array in Fortran order; save numpy.ascontiguousarray(x)", name);
    return rc;
}

int npy_parse(const unsigned char *data, size_t size, const char *name, vec_type *type, int64_t *n,
              int64_t *d, size_t *offset)
{
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
        return EXIT_RUNTIME;
    memcpy(text, data + start, length);
    text[length] = '\0';
    int rc = parse_dictionary(text, name, type, n, d);
    free(text);
    *offset = start + length;
    return rc;
}

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
