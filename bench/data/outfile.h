/* outfile.h: output files that appear whole or not at all, and the array formats written to them. */
#ifndef LBH_OUTFILE_H
#define LBH_OUTFILE_H

#include "vectors.h"

typedef struct outfile outfile;

/* Checks, before hours of work, that `path` can be written. Devices and pipes pass unless
 * `regular`. */
int outfile_check(const char *path, bool regular);

/* Whether a path stands for standard output: "-", "/dev/stdout", or one of them behind "KIND:". */
bool is_stdout(const char *path);

/* Opens a temporary file beside `path`; a device, a pipe or standard output is written directly, and
 * after the latter reports go to standard error. */
int outfile_open(outfile **file, const char *path);
int outfile_write(outfile *file, const void *data, size_t size);
/* Ends a file and frees: if rc is LBH_OK it is synced and renamed to `path`, else the temporary file is
 * removed. Returns rc, or what became of it. */
int outfile_close(outfile *file, int rc);
/* A whole file. */
int outfile_put(const char *path, const void *data, size_t size);

/* What an array to be written holds; the format comes from the extension of the path, for standard
 * output from KIND in "KIND:-", .npy for "-":
 *   ARRAY_CODES   uint8_t:  .bvecs .u8bin .npy
 *   ARRAY_IDS     int64_t:  .ivecs .ibin (int32) .npy (int64)
 *   ARRAY_INTS    int32_t:  .ivecs .ibin .npy (int32), .fvecs .fbin (float32)
 *   ARRAY_FLOATS  float:    .fvecs .fbin .npy */
typedef enum { ARRAY_CODES, ARRAY_IDS, ARRAY_INTS, ARRAY_FLOATS } array_kind;

typedef struct array_out {
    outfile *file;
    array_kind kind;
    vec_format format;
    int64_t d;
    const char *path;
} array_out;

/* CLI_EUSAGE if the extension does not fit the kind. */
int array_check(const char *path, array_kind kind);
/* Writes the header of an n x d array. */
int array_open(array_out *out, const char *path, array_kind kind, int64_t n, int64_t d);
/* Appends rows; `rows` has the type of the kind. */
int array_write(array_out *out, int64_t count, const void *rows);
/* As outfile_close; after Ctrl-C there is no file. */
int array_close(array_out *out, int rc);
/* A whole n x d array. */
int array_put(const char *path, array_kind kind, int64_t n, int64_t d, const void *rows);

#endif
