/* fuzz.h: what the fuzz targets share.
 *
 * A target is one reader: a file NAME.c with one function from bytes to nothing, which must return
 * whatever the bytes are. It is compiled twice: on libFuzzer (scripts/fuzz.sh), and, under the name
 * fuzz_NAME, into fuzz_replay, which needs no libFuzzer and runs files that are there.
 *
 * Many readers take a path. Their files lie in a directory in memory; nothing is synced. Where a
 * checksum guards the rest of a file, the target sets it right, so that what is behind it is
 * reached. What a reader accepts is used afterwards, and must keep what the header promises:
 * FUZZ_CHECK aborts where it does not. */
#ifndef LBH_FUZZ_H
#define LBH_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_CHECK(condition)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition);          \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* The path of a file with these bytes whose name ends with `extension`; the next call with the same
 * extension overwrites it. */
const char *fuzz_file(const char *extension, const uint8_t *data, size_t size);

/* The bytes as text that ends at the first zero byte; the caller frees. */
char *fuzz_text(const uint8_t *data, size_t size);

/* Takes the first byte off, to choose among `count` things with; 0 if there is none. */
unsigned fuzz_choice(const uint8_t **data, size_t *size, unsigned count);

/* A copy of the bytes as a model or checkpoint whose sizes, magic number and checksum are right (the
 * text ends with the last line before the first zero byte); as it is if its last byte is odd. The
 * caller frees. */
uint8_t *fuzz_document(const uint8_t *data, size_t size);

/* fuzz_vectors.c: opens the bytes as a file of vectors, reads all rows by every function there is,
 * and closes it. spec: what follows the path, as ":labels", or "". */
void fuzz_vectors(const char *extension, const char *spec, const uint8_t *data, size_t size);

#endif
