/* fuzz_bigann.c: files .fbin .u8bin .ibin .i8bin (two numbers, then the rows), whole and in part. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const extension[] = {".fbin", ".u8bin", ".ibin", ".i8bin"};
    unsigned kind = fuzz_choice(&data, &size, 8);
    fuzz_vectors(extension[kind / 2], kind % 2 ? "@1:" : "", data, size);
    return 0;
}
