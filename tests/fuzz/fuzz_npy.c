/* fuzz_npy.c: NumPy files. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_vectors(".npy", "", data, size);
    return 0;
}
