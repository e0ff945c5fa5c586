/* read_arrays.c: plain arrays, .fvecs .fbin and their relatives, and NumPy's .npy. See vectors.h. */
#include "readers.h"

#include <string.h>

static int map_whole(vectors *v, const char *path, const char *part)
{
    return part ? fail_usage("'%s': such a file has no parts", v->name)
                : reader_map(v, path, false);
}

static int open_vecs(vectors *v, const char *path, const char *part, vec_type type)
{
    int rc = map_whole(v, path, part);
    const unsigned char *p = v->map;
    v->type = type;
    if (rc == LBH_OK && v->map_size < 4)
        rc = fail("'%s' is cut off: %zu bytes are no row", v->name, v->map_size);
    if (rc == LBH_OK)
        rc = reader_check_d(v->name, (int32_t)load_u32(p));
    if (rc)
        return rc;
    v->d = (int)load_u32(p);
    v->stride = 4 + (size_t)v->d * vec_type_size(v->type);
    if (v->map_size % v->stride)
        return fail("'%s' is cut off or damaged: %zu bytes are not a whole number of rows of %zu "
                    "bytes (dimension %d)", v->name, v->map_size, v->stride, v->d);
    v->n = (int64_t)(v->map_size / v->stride);
    v->data = p + 4;
    v->prefixed = true;
    return LBH_OK;
}

int read_fvecs(vectors *v, const char *path, const char *part)
{
    return open_vecs(v, path, part, VEC_F32);
}

int read_bvecs(vectors *v, const char *path, const char *part)
{
    return open_vecs(v, path, part, VEC_U8);
}

int read_ivecs(vectors *v, const char *path, const char *part)
{
    return open_vecs(v, path, part, VEC_I32);
}

static int open_bin(vectors *v, const char *path, const char *part, vec_type type)
{
    int rc = map_whole(v, path, part);
    const unsigned char *p = v->map;
    v->type = type;
    if (rc == LBH_OK && v->map_size < 8)
        rc = fail("'%s' is cut off: the header has 8 bytes, the file %zu", v->name, v->map_size);
    if (rc)
        return rc;
    v->n = load_u32(p);
    LBH_TRY(reader_check_d(v->name, load_u32(p + 4)));
    v->d = (int)load_u32(p + 4);
    v->stride = (size_t)v->d * vec_type_size(v->type);
    v->data = p + 8;
    size_t bytes, have = v->map_size - 8;
    if (type == VEC_I32 && reader_bytes(v->n, v->d, 8, &bytes) && bytes == have) {
        v->answers = true; /* ground truth: as many float32 distances follow */
        return LBH_OK;
    }
    if (v->ranged && have / v->stride > 0 && (int64_t)(have / v->stride) < v->n) {
        v->n = (int64_t)(have / v->stride); /* the first part of a large file: the rows that are there */
        return LBH_OK;
    }
    return reader_check_size(v, 8, vec_type_size(type));
}

int read_fbin(vectors *v, const char *path, const char *part)
{
    return open_bin(v, path, part, VEC_F32);
}

int read_u8bin(vectors *v, const char *path, const char *part)
{
    return open_bin(v, path, part, VEC_U8);
}

int read_i8bin(vectors *v, const char *path, const char *part)
{
    return open_bin(v, path, part, VEC_I8);
}

int read_ibin(vectors *v, const char *path, const char *part)
{
    return open_bin(v, path, part, VEC_I32);
}

int read_npy(vectors *v, const char *path, const char *part)
{
    npy_array a = {0};
    if (part)
        return fail_usage("'%s': such a file has no parts", v->name);
    LBH_TRY(reader_map(v, path, true));
    LBH_TRY(npy_parse(v->map, v->map_size, v->name, &a));
    if (a.n > 0)
        LBH_TRY(reader_check_d(v->name, a.d));
    v->n = a.n;
    v->d = (int)a.d;
    v->column = a.axes == 1;
    v->is_unsigned = a.kind == 'u' || a.kind == 'b';
    v->type = a.type;
    v->stride = (size_t)v->d * vec_type_size(v->type);
    v->data = (const unsigned char *)v->map + a.offset;
    int rc = reader_check_size(v, a.offset, a.size);
    return rc == LBH_OK && !a.ready ? npy_convert(v, &a) : rc;
}

int read_npz(vectors *v, const char *path, const char *part)
{
    (void)path, (void)part;
    return fail("'%s': an .npz holds several arrays; numpy.save the one that is wanted as .npy",
                v->name);
}
