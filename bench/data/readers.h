/* readers.h: files of vectors in other people's formats. See vectors.h for the formats themselves;
 * vectors_open() comes here with every file that is no plain array.
 *
 * A reader fills n, d, type and what says where the rows are: `data` and `stride`, or `offset`, of
 * the mapped file or of `owned` memory. It trusts no number of the file: each is checked against
 * the length of the file before anything is allocated or read. */
#ifndef LBH_READERS_H
#define LBH_READERS_H

#include "vectors.h"

/* Opens `path` ("FILE" or "FILE:PART"; it may be cut up); EXIT_USAGE if the kind is unknown. On
 * error the caller closes *v. */
int reader_open(vectors *v, char *path);

/* The single readers. The path is that of the file, `part` what follows the colon, or NULL. */
int read_idx(vectors *v, const char *path, const char *part);
int read_bin(vectors *v, const char *path, const char *part);
int read_i8bin(vectors *v, const char *path, const char *part);
int read_text_vectors(vectors *v, const char *path, const char *part);
int read_hdf5(vectors *v, const char *path, const char *part);

/* Refuses a dimension that is none. */
int reader_check_d(const char *name, int64_t d);
/* n * d * size as bytes; false if it does not fit. */
bool reader_bytes(int64_t n, int64_t d, size_t size, size_t *bytes);

#endif
