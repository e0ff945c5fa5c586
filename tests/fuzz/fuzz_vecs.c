/* fuzz_vecs.c: files .fvecs .bvecs .ivecs (each row with its dimension before it). */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const extension[] = {".fvecs", ".bvecs", ".ivecs"};
    unsigned kind = fuzz_choice(&data, &size, 3);
    fuzz_vectors(extension[kind], "", data, size);
    return 0;
}
