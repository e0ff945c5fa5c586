/* vectors_read.c: rows of opened files as numbers. See vectors.h. */
#define _DEFAULT_SOURCE /* madvise */
#define _POSIX_C_SOURCE 200809L
#include "vectors.h"

#include "synthetic.h"

#include <math.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const unsigned char *row_at(const vectors *v, int64_t row)
{
    return v->offset ? (const unsigned char *)v->map + v->offset[v->first + row]
                     : v->data + (size_t)row * v->stride;
}

int vectors_check_row(const vectors *v, int64_t row)
{
    if (!v->prefixed)
        return LBH_OK;
    int32_t d = (int32_t)load_u32(v->data + (size_t)row * v->stride - 4);
    if (d == v->d)
        return LBH_OK;
    return fail("'%s': row %lld has dimension %d, the first row %d; the file is damaged", v->name,
                (long long)(v->first + row), d, v->d);
}

static void convert(const vectors *v, const unsigned char *p, float *x)
{
    int d = v->d;
    switch (v->type) {
    case VEC_F32:
        memcpy(x, p, (size_t)d * 4);
        break;
    case VEC_F64:
        for (int j = 0; j < d; j++) {
            double y;
            memcpy(&y, p + 8 * (size_t)j, 8);
            x[j] = (float)y;
        }
        break;
    case VEC_U8:
        for (int j = 0; j < d; j++)
            x[j] = p[j];
        break;
    case VEC_I8:
        for (int j = 0; j < d; j++)
            x[j] = (float)(signed char)p[j];
        break;
    case VEC_I32:
        for (int j = 0; j < d; j++)
            x[j] = (float)(int32_t)load_u32(p + 4 * (size_t)j);
        break;
    case VEC_I64:
        for (int j = 0; j < d; j++) {
            int64_t y;
            memcpy(&y, p + 8 * (size_t)j, 8);
            x[j] = (float)y;
        }
        break;
    }
}

/* Whether one of n numbers is a NaN or an infinity: those have the highest exponent. */
static bool any_nonfinite(int n, const float *x)
{
    uint32_t highest = 0;
    for (int j = 0; j < n; j++) {
        uint32_t bits;
        memcpy(&bits, x + j, sizeof bits);
        bits &= 0x7fffffffU;
        highest = bits > highest ? bits : highest;
    }
    return highest >= 0x7f800000U;
}

/* Length 1; a row of zeros stays. */
static void make_unit(int d, float *x)
{
    double squares = 0;
    for (int j = 0; j < d; j++)
        squares += (double)x[j] * (double)x[j];
    double factor = squares > 0 ? 1 / sqrt(squares) : 1;
    for (int j = 0; j < d; j++)
        x[j] = (float)((double)x[j] * factor);
}

static bool prefix_fits(const vectors *v, int64_t row)
{
    return !v->prefixed || (int32_t)load_u32(v->data + (size_t)row * v->stride - 4) == v->d;
}

static bool read_any(const vectors *v, int64_t row, float *x);

static bool read_as_is(const vectors *v, int64_t row, float *x)
{
    if (v->pick) {
        row = v->pick[row];
        bool second = row >= v->part[0]->n;
        return read_any(v->part[second], row - (second ? v->part[0]->n : 0), x);
    }
    if (v->made) {
        synthetic_row(v->made, v->first + row, x);
        return true;
    }
    if (!prefix_fits(v, row))
        return false;
    convert(v, row_at(v, row), x);
    if ((v->type == VEC_F32 || v->type == VEC_F64) && any_nonfinite(v->d, x))
        return false;
    return true;
}

/* Reads a row; false if it is damaged or not finite. Raises no error: many threads do it. */
static bool read_any(const vectors *v, int64_t row, float *x)
{
    if (!read_as_is(v, row, x))
        return false;
    if (v->unit)
        make_unit(v->d, x);
    return true;
}

/* Raises the error of a row that read_any refused. */
static int refuse(const vectors *v, int64_t row)
{
    if (v->pick) {
        row = v->pick[row];
        bool second = row >= v->part[0]->n;
        return refuse(v->part[second], row - (second ? v->part[0]->n : 0));
    }
    int rc = vectors_check_row(v, row);
    return rc ? rc
              : fail("'%s': row %lld holds a NaN or an infinity", v->name,
                     (long long)(v->first + row));
}

/* Rows ids[i], or first + i if there are no ids. */
static int read_many(const vectors *v, int64_t count, int64_t first, const int64_t *ids, float *x)
{
    int64_t bad = INT64_MAX;
#pragma omp parallel for schedule(static) if (count > 64) reduction(min : bad)
    for (int64_t i = 0; i < count; i++)
        if (!read_any(v, ids ? ids[i] : first + i, x + (size_t)i * (size_t)v->d) && i < bad)
            bad = i;
    return bad == INT64_MAX ? LBH_OK : refuse(v, ids ? ids[bad] : first + bad);
}

int vectors_floats(const vectors *v, int64_t first, int64_t count, float *x)
{
    return read_many(v, count, first, NULL, x);
}

int64_t *rows_evenly(int64_t n, int64_t count)
{
    int64_t *row = cli_alloc(count, sizeof *row);
    for (int64_t i = 0; row && i < count; i++)
        row[i] = (int64_t)((double)i * (double)n / (double)count);
    return row;
}

int vectors_gather(const vectors *v, int64_t count, const int64_t *ids, float *x)
{
    return read_many(v, count, 0, ids, x);
}

const float *vectors_mapped_floats(const vectors *v, int64_t row)
{
    bool as_is = v->data && !v->unit && v->type == VEC_F32 && v->stride == (size_t)v->d * sizeof(float) &&
                 (uintptr_t)v->data % sizeof(float) == 0;
    return as_is ? (const float *)(const void *)v->data + row * v->d : NULL;
}

const uint8_t *vectors_mapped_bytes(const vectors *v, int64_t row)
{
    return v->data && !v->unit && v->type == VEC_U8 ? v->data + (size_t)row * v->stride : NULL;
}

int vectors_check_rows(const vectors *v, int64_t first, int64_t count)
{
    int64_t bad = INT64_MAX;
    if (!v->prefixed)
        return LBH_OK;
#pragma omp parallel for schedule(static) reduction(min : bad)
    for (int64_t i = first; i < first + count; i++)
        if (!prefix_fits(v, i) && i < bad)
            bad = i;
    return bad == INT64_MAX ? LBH_OK : vectors_check_row(v, bad);
}

void vectors_ahead(const vectors *v, int64_t first, int64_t count)
{
    if (!v->data || v->owned || first >= v->n)
        return;
    count = count < v->n - first ? count : v->n - first;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t from = (uintptr_t)(v->data + (size_t)first * v->stride) / page * page;
    uintptr_t to = (uintptr_t)(v->data + (size_t)(first + count) * v->stride);
    to = to < (uintptr_t)v->map + v->map_size ? to : (uintptr_t)v->map + v->map_size;
    posix_madvise((void *)from, to - from, POSIX_MADV_WILLNEED); /* a hint: failure costs nothing */
}

void vectors_behind(const vectors *v, int64_t first, int64_t count)
{
    if (!v->data || v->owned || !v->lies || v->offset)
        return;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t from = (uintptr_t)(v->data + (size_t)first * v->stride) / page * page;
    uintptr_t to = (uintptr_t)(v->data + (size_t)(first + count) * v->stride) / page * page;
    if (to > from)
        madvise((void *)from, to - from, MADV_DONTNEED); /* a hint, as above */
}

static int pull(const lbh_rows *self, int64_t count, const int64_t *ids, float *x)
{
    return cli_interrupted() ? fail_cancelled() : vectors_gather(self->ctx, count, ids, x);
}

lbh_rows vectors_rows(const vectors *v)
{
    return (lbh_rows){.n = v->n, .d = v->d, .read = pull, .ctx = v};
}

bool vectors_is_int(const vectors *v)
{
    return !v->made && !v->unit && v->type != VEC_F32 && v->type != VEC_F64;
}

int64_t vectors_int(const vectors *v, int64_t row, int column)
{
    const unsigned char *p = row_at(v, row) + (size_t)column * vec_type_size(v->type);
    int64_t wide;
    switch (v->type) {
    case VEC_U8:
        return *p;
    case VEC_I8:
        return (signed char)*p;
    case VEC_I32:
        return (int32_t)load_u32(p);
    default:
        memcpy(&wide, p, 8);
        return wide;
    }
}

double vectors_number(const vectors *v, int64_t row, int column)
{
    const unsigned char *p = row_at(v, row) + (size_t)column * vec_type_size(v->type);
    float narrow;
    double wide;
    if (v->type == VEC_F64) {
        memcpy(&wide, p, sizeof wide);
        return wide;
    }
    if (v->type != VEC_F32)
        return (double)vectors_int(v, row, column);
    memcpy(&narrow, p, sizeof narrow);
    return (double)narrow;
}
