/* hdf5_file.h: the little of HDF5 that the readers and writers of ann-benchmarks' files share. Only
 * for files that are compiled where HDF5 is there (LBH_HAVE_HDF5). */
#ifndef LBH_HDF5_FILE_H
#define LBH_HDF5_FILE_H

#include <hdf5.h>
#include <stdbool.h>
#include <stddef.h>

/* Keeps HDF5 from printing its own errors; call before anything else. */
void hdf5_quiet(void);

/* A text attribute of the root group, of either kind of string, cut at `size` - 1 bytes; false if
 * it is absent or no text. */
bool hdf5_text(hid_t file, const char *name, char *text, size_t size);

#endif
