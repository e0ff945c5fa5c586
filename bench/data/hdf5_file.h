/* hdf5_file.h: the little of HDF5 that the readers and writers of ann-benchmarks' files share. Only
 * for files that are compiled where HDF5 is there (LBH_HAVE_HDF5). */
#ifndef LBH_HDF5_FILE_H
#define LBH_HDF5_FILE_H

#include <hdf5.h>

/* Keeps HDF5 from printing its own errors; call before anything else. */
void hdf5_quiet(void);

#endif
