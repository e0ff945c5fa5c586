/* array_out.c: writes codes, ids and distances in the formats that vectors.c reads. See outfile.h.
 */
#include "npy.h"
#include "outfile.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Which formats a kind may have, as bits 1 << vec_format. */
static unsigned formats_of(array_kind kind)
{
    static const unsigned formats[] = {
        [ARRAY_CODES] = 1u << VEC_BVECS | 1u << VEC_U8BIN | 1u << VEC_NPY,
        [ARRAY_IDS] = 1u << VEC_IVECS | 1u << VEC_IBIN | 1u << VEC_NPY,
        [ARRAY_INTS] = 1u << VEC_IVECS | 1u << VEC_IBIN | 1u << VEC_NPY | 1u << VEC_FVECS |
                       1u << VEC_FBIN,
        [ARRAY_FLOATS] = 1u << VEC_FVECS | 1u << VEC_FBIN | 1u << VEC_NPY,
    };
    return formats[kind];
}

static bool format_of(const char *path, vec_format *format)
{
    char name[16];
    const char *colon = strchr(path, ':');
    if (!is_stdout(path))
        return vec_format_of(path, format);
    snprintf(name, sizeof name, "-.%.*s", colon ? (int)(colon - path) : 3, colon ? path : "npy");
    return vec_format_of(name, format);
}

int array_check(const char *path, array_kind kind)
{
    static const char *const names[] = {"codes are written as .bvecs, .u8bin or .npy",
                                        "ids are written as .ivecs, .ibin or .npy",
                                        "distances are written as .ivecs .ibin .fvecs .fbin .npy",
                                        "floats are written as .fvecs, .fbin or .npy"};
    vec_format format;
    if (format_of(path, &format) && (formats_of(kind) >> format & 1))
        return LBH_OK;
    return fail_usage("'%s': %s; choose one of these extensions", path, names[kind]);
}

static size_t item_size(array_kind kind)
{
    static const size_t size[] = {1, sizeof(int64_t), sizeof(int32_t), sizeof(float)};
    return size[kind];
}

static void store_u32(unsigned char *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (unsigned char)(v >> 8 * i);
}

int array_open(array_out *out, const char *path, array_kind kind, int64_t n, int64_t d)
{
    static const vec_type npy_type[] = {VEC_U8, VEC_I64, VEC_I32, VEC_F32};
    *out = (array_out){.kind = kind, .d = d, .path = path};
    LBH_TRY(array_check(path, kind));
    format_of(path, &out->format);
    if (out->format >= VEC_FBIN && out->format != VEC_NPY && n > UINT32_MAX)
        return fail("'%s': the format has no room for %lld rows; write .npy", path, (long long)n);
    int rc = outfile_open(&out->file, path);
    if (rc)
        return rc;
    if (out->format == VEC_NPY) {
        char header[128];
        rc = outfile_write(out->file, header, npy_header(header, npy_type[kind], n, d));
    } else if (out->format >= VEC_FBIN) {
        unsigned char header[8];
        store_u32(header, (uint32_t)n);
        store_u32(header + 4, (uint32_t)d);
        rc = outfile_write(out->file, header, 8);
    }
    return rc ? array_close(out, rc) : LBH_OK;
}

/* ids as int32: the width of .ivecs and .ibin. */
static int write_narrow_ids(array_out *out, const int64_t *row)
{
    for (int64_t j = 0; j < out->d; j++) {
        if (row[j] > INT32_MAX || row[j] < INT32_MIN)
            return fail("'%s': id %lld does not fit 32 bits; write .npy", out->path,
                        (long long)row[j]);
        unsigned char narrow[4];
        store_u32(narrow, (uint32_t)(int32_t)row[j]);
        LBH_TRY(outfile_write(out->file, narrow, 4));
    }
    return LBH_OK;
}

/* Integer distances as float; a missing answer is infinitely far. */
static int write_float_ints(array_out *out, const int32_t *row)
{
    int rc = LBH_OK;
    for (int64_t j = 0; j < out->d && rc == LBH_OK; j++) {
        float x = row[j] == INT32_MAX ? INFINITY : (float)row[j];
        rc = outfile_write(out->file, &x, 4);
    }
    return rc;
}

int array_write(array_out *out, int64_t count, const void *rows)
{
    size_t row_size = (size_t)out->d * item_size(out->kind);
    unsigned char dimension[4];
    store_u32(dimension, (uint32_t)out->d);
    int rc = LBH_OK;
    for (int64_t i = 0; i < count && rc == LBH_OK; i++) {
        const char *row = (const char *)rows + (size_t)i * row_size;
        if (out->format <= VEC_IVECS)
            rc = outfile_write(out->file, dimension, 4);
        if (rc)
            break;
        if (out->kind == ARRAY_IDS && out->format != VEC_NPY)
            rc = write_narrow_ids(out, (const void *)row);
        else if (out->kind == ARRAY_INTS && (out->format == VEC_FVECS || out->format == VEC_FBIN))
            rc = write_float_ints(out, (const void *)row);
        else
            rc = outfile_write(out->file, row, row_size);
    }
    return rc;
}

int array_close(array_out *out, int rc)
{
    return outfile_close(out->file, rc == LBH_OK && cli_interrupted() ? fail_cancelled() : rc);
}

int array_put(const char *path, array_kind kind, int64_t n, int64_t d, const void *rows)
{
    array_out out;
    LBH_TRY(array_open(&out, path, kind, n, d));
    return array_close(&out, array_write(&out, n, rows));
}
