/* npy_file.h: PRIVATE. Arrays as .npy files of one exact form: version 1.0, little-endian, C
 * order. */
#ifndef LBH_NPY_FILE_H
#define LBH_NPY_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* type: NumPy's name, "<f4", "<i8" or "|u1". n x d numbers, or n where d is 0. */
void lbh_npy_write_header(FILE *stream, const char *type, int64_t n, int d);

/* Points *data at the numbers of a file of `size` bytes, which must have been written by the above
 * with the same arguments. LBH_EFORMAT. */
int lbh_npy_data(const void **data, const void *file, size_t size, const char *type, int64_t n,
                 int d);

#endif
