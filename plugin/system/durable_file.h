/* durable_file.h: files that are written whole or not at all: a temporary file in the same directory, synced
 * and renamed over the target. A target that is no regular file (a pipe, a device) is written
 * directly. Exported for c_api/ and bench/ too, so that all writers of the project do the same. */
#ifndef LBH_CORE_FILE_H
#define LBH_CORE_FILE_H

#include "lbh.h"

#include <stdio.h>

typedef struct lbh_file {
    FILE *stream;    /* write here */
    char *target;    /* the path given, links resolved */
    char *temporary; /* NULL when written directly */
} lbh_file;

/* Opens for writing. LBH_EIO names the path and the system's reason; LBH_ENOMEM. */
LBH_API int lbh_file_create(lbh_file *file, const char *path);

/* Whether lbh_file_create could: makes the temporary file and removes it, so that what a file system
 * refuses (a name that is too long, no space, no permission) shows before hours of work. */
LBH_API int lbh_file_try(const char *path);

/* Flushes, syncs, closes and puts the file in place. On error (a full disk shows here or in the
 * stream's own calls, whose errors are remembered and reported here) the old content stays. */
LBH_API int lbh_file_commit(lbh_file *file);

/* Gives up: closes and removes the temporary file. Fine after a failed create or commit. */
LBH_API void lbh_file_discard(lbh_file *file);

/* The same without a file: what is written to `stream` becomes bytes that the caller frees (lbh_free). */
typedef struct lbh_memory {
    FILE *stream;
    char *data;
    size_t size, room; /* bytes written, and that `data` has place for */
} lbh_memory;

/* *memory stays where it is until lbh_memory_commit(): the stream writes there. */
LBH_API int lbh_memory_create(lbh_memory *memory);

/* Hands out the bytes, unless rc, the error so far, is one, or a write failed (LBH_ENOMEM): then they are
 * freed. Returns the error. */
LBH_API int lbh_memory_commit(lbh_memory *memory, int rc, void **data, size_t *size);

#endif
