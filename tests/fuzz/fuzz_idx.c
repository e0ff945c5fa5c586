/* fuzz_idx.c: idx files of MNIST and its relatives; those that begin as gzip does are unpacked. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_vectors(".idx", "", data, size);
    return 0;
}
