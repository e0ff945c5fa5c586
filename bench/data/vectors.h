/* vectors.h: rows of numbers from files (mapped, read-only) or from the built-in data set.
 *
 * A specification is  FILE  or  FILE@FROM:TO  (rows FROM .. TO-1; either may be left out), or
 * synthetic:n=..,d=..,... (see synthetic.h). The extension of FILE, in upper or lower case, says what
 * it is, or KIND:FILE does, as "fvecs:/dev/fd/63"; any may be gzipped (NAME.gz), and FILE may be a
 * pipe, or "-" for standard input (.npy, .idx and HDF5 show in their first bytes).
 *   .fvecs .bvecs .ivecs   a row = int32 dimension, then float32 / uint8 / int32
 *   .fbin .u8bin .i8bin .ibin  uint32 rows, uint32 dimension, then float32 / uint8 / int8 / int32. An
 *                          .ibin may be followed by float32 distances of the same shape (ground truth).
 *                          Subsets of big-ann-benchmarks: NAME.u8bin.crop_nb_10000000, or FILE@FROM:TO of
 *                          a file whose end is missing.
 *   .npy                   numbers of 16 to 64 bits, bytes and booleans, in any order (npy.h)
 * all but .npy little-endian; and in other people's formats:
 *   -ubyte -int .idx       MNIST and relatives (idx)
 *   .bin                   told apart by their bytes: CIFAR-10 and CIFAR-100 batches (FILE or
 *                          FILE:images, FILE:labels, FILE:coarse; batches may be joined with cat);
 *                          word2vec's binary vectors; ground truth of big-ann-benchmarks (FILE or
 *                          FILE:ids, FILE:distances), also that of range searches, as lists with -1 behind
 *                          the shorter ones (also .rangeres)
 *   .txt .vec              word vectors as text, of word2vec, fastText or GloVe, and numpy.savetxt's
 *                          matrices: read_text.c
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
    bool products;             /* a set of ann-benchmarks whose neighbours are by inner product */
    bool column;               /* the file has one axis: d = 1 */
    bool is_unsigned;          /* the file's numbers are: then no -1 pads its lists */
    bool answers;              /* the file has lists of neighbours and their distances, and no vectors */
    bool bits;                 /* a Hamming set of ann-benchmarks: numbers are 0 and 1 */
    void *owned;               /* or NULL: memory that `data` lies in, instead of the file */
    void *map;
    size_t map_size;
    bool ranged;     /* rows FROM .. TO are wanted: what lies behind them may be missing */
    bool lies;       /* the map is the file as it lies there, which can be read again */
    synthetic *made; /* or the built-in data set; rows are made when they are read */
    /* or a view: row i is row pick[i] of part[0] with part[1] (may be NULL) behind it */
    const struct vectors *part[2];
    int64_t *pick;
} vectors;

/* Opens a specification. CLI_EUSAGE for a bad one, LBH_EFORMAT for a bad file; *v is then closed.
 * vectors_open refuses a file of one axis, which may be a row or a column, and ground truth; numbers_open,
 * for labels and ids, takes both. */
int vectors_open(vectors *v, const char *spec);
int numbers_open(vectors *v, const char *spec);
void vectors_close(vectors *v);

/* Whether a specification names a pipe, a device or standard input, which can be read once only. */
bool vectors_come_once(const char *spec);
/* Refuses neighbours by distance of a set that is made for inner products. */
int vectors_fit_metric(const vectors *v, int metric);

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

/* These rows have been read and are not needed soon: they do not count as this process's memory any more,
 * however large the file is. They can be read again. */
void vectors_behind(const vectors *v, int64_t first, int64_t count);

/* The rows as the library pulls them. Valid while *v is. */
lbh_rows vectors_rows(const vectors *v);

/* Number `column` of a row of an integer file. The row must have been checked by vectors_check_row.
 */
int64_t vectors_int(const vectors *v, int64_t row, int column);
bool vectors_is_int(const vectors *v);
/* The same of a file of any numbers, as it is in the file. */
double vectors_number(const vectors *v, int64_t row, int column);
int vectors_check_row(const vectors *v, int64_t row);

/* Splits "FILE@FROM:TO": cuts spec at the '@' and returns what follows it, or NULL. A '@' that is
 * not followed by digits and a colon is part of the name. */
char *split_range(char *spec);
/* Rows *from .. *to - 1 that "FROM:TO" (it is cut up) stands for, of n. */
int parse_range(char *range, const char *name, int64_t n, int64_t *from, int64_t *to);

#endif
