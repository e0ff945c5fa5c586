/* read_idx.c: the idx files of MNIST and its relatives. Big-endian:
 *   0, 0, type, axes, then a uint32 length for each axis, then the numbers, last axis fastest.
 * Rows are the first axis; the others together are the dimension. Bytes are used where they lie in
 * the mapped file; other types are turned round into memory. */
#include "readers.h"

#include <string.h>

enum { MAX_AXES = 8, MAX_HEADER = 4 + 4 * MAX_AXES };

static uint32_t big_u32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | (uint32_t)p[3];
}

static int parse_type(vectors *v, int code)
{
    static const struct {
        int code;
        vec_type type;
    } known[] = {{0x08, VEC_U8}, {0x09, VEC_I8}, {0x0c, VEC_I32}, {0x0d, VEC_F32}, {0x0e, VEC_F64}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].code == code) {
            v->type = known[i].type;
            return LBH_OK;
        }
    return fail("'%s': idx data type 0x%02x; uint8, int8, int32, float32 and float64 are "
                "understood", v->name, (unsigned)code);
}

/* Reads a header from the first `size` bytes; *offset is its length, *bytes that of the numbers. */
static int parse_header(vectors *v, const unsigned char *p, size_t size, size_t *offset,
                        size_t *bytes)
{
    if (size < 8 || p[0] || p[1])
        return fail("'%s' is not an idx file: it does not begin with two zero bytes", v->name);
    int axes = p[3];
    LBH_TRY(parse_type(v, p[2]));
    *offset = 4 + 4 * (size_t)axes;
    if (axes < 1 || axes > MAX_AXES || *offset > size)
        return fail("'%s' is no idx file, or cut off: its header speaks of %d axes", v->name, axes);
    int64_t d = 1;
    v->n = big_u32(p + 4);
    for (int i = 1; i < axes && d <= VEC_MAX_D; i++)
        d *= big_u32(p + 4 + 4 * i);
    int rc = reader_check_d(v->name, d);
    v->d = (int)d;
    v->column = axes == 1;
    v->stride = (size_t)d * vec_type_size(v->type);
    if (rc == LBH_OK && !reader_bytes(v->n, d, vec_type_size(v->type), bytes))
        rc = fail("'%s': its header says %lld rows of %d numbers, which no memory can hold",
                  v->name, (long long)v->n, v->d);
    return rc;
}

static void turn_round(unsigned char *p, size_t bytes, size_t size)
{
    for (size_t i = 0; i < bytes; i += size)
        for (size_t a = i, b = i + size - 1; a < b; a++, b--) {
            unsigned char t = p[a];
            p[a] = p[b];
            p[b] = t;
        }
}

static int use_mapped(vectors *v)
{
    const unsigned char *p = v->map;
    size_t offset = 0, bytes = 0;
    LBH_TRY(parse_header(v, p, v->map_size, &offset, &bytes));
    if (bytes != v->map_size - offset)
        return fail("'%s' is cut off or damaged: its header says %lld rows of %d numbers, and %zu "
                    "bytes follow", v->name, (long long)v->n, v->d, v->map_size - offset);
    v->data = p + offset;
    size_t size = vec_type_size(v->type);
    if (size > 1 && bytes) {
        v->owned = cli_alloc((int64_t)bytes, 1);
        if (!v->owned)
            return LBH_ENOMEM;
        memcpy(v->owned, v->data, bytes);
        turn_round(v->owned, bytes, size);
        v->data = v->owned;
    }
    return LBH_OK;
}

int read_idx(vectors *v, const char *path, const char *part)
{
    if (part)
        return fail_usage("'%s': an idx file has no parts", v->name);
    int rc = reader_map(v, path, true);
    return rc ? rc : use_mapped(v);
}
