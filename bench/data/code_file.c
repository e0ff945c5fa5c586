/* codes.c: see codes.h. */
#include "code_file.h"

#include <stdlib.h>
#include <string.h>

int codes_check(const vectors *v, size_t code_size)
{
    if (!vectors_mapped_bytes(v, 0))
        return fail("'%s' holds no codes: they are bytes, in .bvecs, .u8bin or .npy", v->name);
    if (code_size && (size_t)v->d != code_size)
        return fail("'%s' has codes of %d bytes, the model makes codes of %zu", v->name, v->d,
                    code_size);
    return EXIT_OK;
}

int codes_read(const vectors *v, int bit_order, int64_t first, int64_t count, uint8_t *codes)
{
    int rc = vectors_check_rows(v, first, count);
    if (rc)
        return rc;
    const uint8_t *row = vectors_mapped_bytes(v, first);
    for (int64_t i = 0; i < count; i++)
        memcpy(codes + (size_t)i * (size_t)v->d, row + (size_t)i * v->stride, (size_t)v->d);
    if (bit_order == BITS_MSB)
        lbh_codes_reverse_bits(count, (size_t)v->d, codes);
    return EXIT_OK;
}

int codes_read_all(const vectors *v, int bit_order, uint8_t **codes)
{
    uint8_t *all = cli_alloc(v->n, (size_t)v->d);
    int rc = all ? codes_read(v, bit_order, 0, v->n, all) : EXIT_RUNTIME;
    if (rc)
        free(all);
    else
        *codes = all;
    return rc;
}
