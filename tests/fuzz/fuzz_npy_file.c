/* fuzz_npy_file.c: the arrays of a pipeline, whose shape is known before the file is looked at. */
#include "fuzz.h"

#include "npy_file.h"

#include "lbh.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const type[] = {"<f4", "<i8", "|u1"};
    unsigned kind = fuzz_choice(&data, &size, 3), n = fuzz_choice(&data, &size, 64);
    unsigned d = fuzz_choice(&data, &size, 16);
    const void *numbers = NULL;
    if (lbh_npy_data(&numbers, data, size, type[kind], n, (int)d) != LBH_OK)
        return 0;
    size_t bytes = (size_t)n * (d ? d : 1) * (size_t)(type[kind][2] - '0');
    FUZZ_CHECK((const uint8_t *)numbers + bytes == data + size);
    return 0;
}
