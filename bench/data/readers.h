/* readers.h: files of vectors in other people's formats. See vectors.h for the formats themselves;
 * the readers themselves are in read_*.c.
 *
 * A reader fills n, d, type and what says where the rows are: `data` and `stride`, or `offset`, of
 * the mapped file or of `owned` memory. It trusts no number of the file: each is checked against
 * the length of the file before anything is allocated or read. */
#ifndef LBH_READERS_H
#define LBH_READERS_H

#include "map_file.h"
#include "npy.h"

/* Opens `path` ("FILE" or "FILE:PART"; it may be cut up); CLI_EUSAGE if the kind is unknown. On
 * error the caller closes *v. */
int reader_open(vectors *v, char *path);

/* The single readers. The path is that of the file, `part` what follows the colon, or NULL. */
int read_fvecs(vectors *v, const char *path, const char *part);
int read_bvecs(vectors *v, const char *path, const char *part);
int read_ivecs(vectors *v, const char *path, const char *part);
int read_fbin(vectors *v, const char *path, const char *part);
int read_u8bin(vectors *v, const char *path, const char *part);
int read_ibin(vectors *v, const char *path, const char *part);
int read_npy(vectors *v, const char *path, const char *part);
int read_npz(vectors *v, const char *path, const char *part);
int read_idx(vectors *v, const char *path, const char *part);
int read_bin(vectors *v, const char *path, const char *part);
int read_rangeres(vectors *v, const char *path, const char *part);
int read_i8bin(vectors *v, const char *path, const char *part);
int read_text_vectors(vectors *v, const char *path, const char *part);
int read_hdf5(vectors *v, const char *path, const char *part);

/* read_words.c: word2vec's binary vectors, whose rows begin at byte `at` of the mapped file. */
int read_words(vectors *v, size_t at, int64_t n, int64_t d);

/* map_file, unless the bytes are there already: those of a stream whose kind was looked for. */
int reader_map(vectors *v, const char *path, bool packed_shows);
/* Refuses a file that has not n x d numbers of `item` bytes from `offset` on, and nothing more. */
int reader_check_size(const vectors *v, size_t offset, size_t item);
/* Refuses a dimension that is none. */
int reader_check_d(const char *name, int64_t d);
/* n * d * size as bytes; false if it does not fit. */
bool reader_bytes(int64_t n, int64_t d, size_t size, size_t *bytes);

#endif
