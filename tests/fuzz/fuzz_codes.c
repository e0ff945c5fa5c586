/* fuzz_codes.c: files of codes, in both orders of bits. */
#include "fuzz.h"

#include "code_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const extension[] = {".u8bin", ".bvecs", ".npy"};
    unsigned kind = fuzz_choice(&data, &size, 6);
    vectors v;
    if (vectors_open(&v, fuzz_file(extension[kind / 2], data, size)) != LBH_OK)
        return 0;
    uint8_t *codes = NULL;
    if (codes_check(&v, 0) == LBH_OK && v.n * v.d < 1 << 20 &&
        codes_read_all(&v, kind % 2 ? BITS_MSB : BITS_LSB, &codes) == LBH_OK)
        free(codes);
    vectors_close(&v);
    return 0;
}
