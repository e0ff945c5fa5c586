/* fuzz_hdf5.c: sets of HDF5 files. libhdf5 is not ours: the reader tries it in a child process first,
 * whose crashes must become errors here. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const part[] = {":train", ":neighbors", ":train:codes"};
    unsigned kind = fuzz_choice(&data, &size, 3);
    fuzz_vectors(".hdf5", part[kind], data, size);
    return 0;
}
