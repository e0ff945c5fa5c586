/* file_check.h: PRIVATE. Whether FAISS can read a file without crashing. */
#ifndef LBH_FILE_CHECK_H
#define LBH_FILE_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reads the structure of a FAISS binary index file of `size` bytes as FAISS would, and
 * refuses what FAISS would crash on. LBH_EFORMAT says what is wrong; `path` is for the message.
 * *whole: no part was of a kind that only FAISS can read. */
int lbh_file_check(const char *path, const uint8_t *data, size_t size, bool *whole);

#endif
