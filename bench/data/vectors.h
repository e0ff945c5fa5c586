/* vectors.h: rows of numbers from files (mapped, read-only) or from the built-in data set.
 *
 * A specification is  FILE  or  FILE@FROM:TO  (rows FROM .. TO-1; either may be left out), or
 * synthetic:n=..,d=..,... (see synthetic.h). The extension of FILE says what it is:
 *   .fvecs .bvecs .ivecs   a row = int32 dimension, then float32 / uint8 / int32
 *   .fbin .u8bin .ibin     uint32 rows, uint32 dimension, then float32 / uint8 / int32. An .ibin
 *                          may be followed by float32 distances of the same shape (ground truth).
 *   .npy                   float32, float64, uint8, int8, bool, int32, int64; C order; 1-d or 2-d
 * all little-endian; and in other people's formats:
 *   .i8bin                 as .u8bin, of int8
 *   -ubyte -int .idx       MNIST and relatives (idx), also gzipped (.gz)
 *   .bin                   told apart by their bytes: CIFAR-10 and CIFAR-100 batches (FILE or
 *                          FILE:images, FILE:labels, FILE:coarse; batches may be joined with cat);
 *                          word2vec's binary vectors; ground truth of big-ann-benchmarks (FILE or
 *                          FILE:ids, FILE:distances)
 *   .txt .vec              word vectors as text, of word2vec, fastText or GloVe
 *   .hdf5 .h5              FILE:NAME, a data set by name; those of ann-benchmarks: read_hdf5.c
 * Sizes are checked against the length of the file when it is opened; the
 * dimension in front of each row, and NaN or infinity, when the row is read.
 */
#ifndef LBH_VECTORS_H
#define LBH_VECTORS_H

#include "cli.h"
#include "lbh.h"

typedef enum { VEC_FVECS, VEC_BVECS, VEC_IVECS, VEC_FBIN, VEC_U8BIN, VEC_IBIN, VEC_NPY } vec_format;
typedef enum { VEC_F32, VEC_F64, VEC_U8, VEC_I8, VEC_I32, VEC_I64 } vec_type;

enum { VEC_MAX_D = 1 << 24 };

typedef struct synthetic synthetic;

typedef struct vectors {
    int64_t n; /* rows of the selection */
    int d;     /* numbers a row */
    vec_type type;
    char *name; /* as given, for messages */
    /* a mapped file */
    int64_t first;             /* row of the file that is row 0 here, for messages */
    const unsigned char *data; /* first number of row 0 */
    size_t stride;             /* bytes from row to row */
    bool prefixed;             /* an int32 dimension stands before each row */
    size_t *offset;            /* or NULL: where each row of the file begins in it */
    bool unit;                 /* rows are brought to length 1 when they are read */
    bool bits;                 /* a Hamming set of ann-benchmarks: numbers are 0 and 1 */
    void *owned;               /* or NULL: memory that `data` lies in, instead of the file */
    void *map;
    size_t map_size;
    synthetic *made; /* or the built-in data set; rows are made when they are read */
    /* or a view: row i is row pick[i] of part[0] with part[1] (may be NULL) behind it */
    const struct vectors *part[2];
    int64_t *pick;
} vectors;

/* Opens a specification. EXIT_USAGE for a bad one, EXIT_RUNTIME for a bad file; *v is then closed. */
int vectors_open(vectors *v, const char *spec);
void vectors_close(vectors *v);

/* Makes a view of `count` rows of `first`, with those of `second` (or NULL) behind them, that
 * messages call "FIRST + SECOND, PART". It keeps `rows` and frees it, also after an error; the two
 * must outlive it. Its rows are floats. */
int vectors_view(vectors *v, const vectors *first, const vectors *second, const char *part,
                 int64_t count, int64_t *rows);

/* Format by extension; false if it is none that we know. */
bool vec_format_of(const char *path, vec_format *format);
size_t vec_type_size(vec_type type);

/* A little-endian number that may lie anywhere. */
static inline uint32_t load_u32(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Rows first .. first+count-1 as float, x[count * d]; refuses NaN and infinity. Safe to call from
 * several threads at once. */
int vectors_floats(const vectors *v, int64_t first, int64_t count, float *x);

/* `count` of the numbers below n, at even distances and ascending, in new memory that the caller
 * frees; NULL without memory. */
int64_t *rows_evenly(int64_t n, int64_t count);

/* Row ids[i] to x + i * d. */
int vectors_gather(const vectors *v, int64_t count, const int64_t *ids, float *x);

/* Rows from `row` on where they lie in the mapped file, unread and unchecked: floats, d from row to
 * row; or bytes, v->stride from row to row, whose prefixes vectors_check_rows checks. NULL if the
 * file has other rows. */
const float *vectors_mapped_floats(const vectors *v, int64_t row);
const uint8_t *vectors_mapped_bytes(const vectors *v, int64_t row);
int vectors_check_rows(const vectors *v, int64_t first, int64_t count);

/* Has the system read these rows from the disk while other work goes on. */
void vectors_ahead(const vectors *v, int64_t first, int64_t count);

/* The rows as the library pulls them. Valid while *v is. */
lbh_rows vectors_rows(const vectors *v);

/* Number `column` of a row of an integer file. The row must have been checked by vectors_check_row.
 */
int64_t vectors_int(const vectors *v, int64_t row, int column);
bool vectors_is_int(const vectors *v);
int vectors_check_row(const vectors *v, int64_t row);

/* For readers of other kinds of files. Maps a regular, non-empty file, read-only. */
int map_file(const char *path, void **map, size_t *size);
/* Splits "FILE@FROM:TO": cuts spec at the '@' and returns what follows it, or NULL. A '@' that is
 * not followed by digits and a colon is part of the name. */
char *split_range(char *spec);
/* Rows *from .. *to - 1 that "FROM:TO" (it is cut up) stands for, of n. */
int parse_range(char *range, const char *name, int64_t n, int64_t *from, int64_t *to);

/* npy.c: the header of an .npy file. Fills type, n, d and the offset of the data. */
int npy_parse(const unsigned char *data, size_t size, const char *name, vec_type *type, int64_t *n,
              int64_t *d, size_t *offset);
/* Writes such a header (a multiple of 64 bytes) to `header`; returns its length. */
size_t npy_header(char header[128], vec_type type, int64_t n, int64_t d);

#endif
