/* fuzz_bin.c: files .bin: CIFAR batches, binary word vectors, ground truth; and their parts. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const part[] = {"", ":images", ":labels", ":coarse", ":ids", ":distances"};
    unsigned kind = fuzz_choice(&data, &size, 6);
    fuzz_vectors(".bin", part[kind], data, size);
    return 0;
}
