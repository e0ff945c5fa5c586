/* map_file.h: the bytes of an input file, in memory. */
#ifndef LBH_MAP_FILE_H
#define LBH_MAP_FILE_H

#include "cli.h"

/* Maps a non-empty file, read-only; the caller calls munmap(*map, *size). What cannot be mapped is read
 * to the end into memory of the same kind: standard input ("-"), pipes, devices. What gzip has packed
 * is unpacked: files called .gz and, where `packed_shows`, whatever begins as gzip's files do (a file
 * of plain numbers may begin with any bytes). *lies (may be NULL): whether the bytes are those of the file as
 * it lies there, so that the system may forget them and read them again. LBH_EFORMAT with the error
 * raised. */
int map_file(const char *path, bool packed_shows, void **map, size_t *size, bool *lies);

/* Whether a path is standard input; whether map_file's bytes are those of the file as it lies there. */
bool is_stdin(const char *path);
bool lies_there(const char *path);

/* Whether `text` ends in `end`, in upper or lower case, with something before it. A .gz behind it does
 * not count where `or_packed`. */
bool ends_in(const char *text, const char *end, bool or_packed);

#endif
