/* code_file.c: see code_file.h. */
#include "code_file.h"

#include <stdlib.h>
#include <string.h>

/* Bits that were not packed: a byte each. Codes of more than a byte do not have such bytes only, but for a
 * few of them by chance. */
static bool are_loose_bits(const vectors *v)
{
    bool any = false, enough = v->d > 1 && (v->d >= 8 || v->n * v->d >= 64);
    for (int64_t i = 0; i < v->n && enough; i++) {
        const uint8_t *row = vectors_mapped_bytes(v, i);
        for (int j = 0; j < v->d; j++) {
            if (row[j] > 1)
                return false;
            any |= row[j] == 1;
        }
    }
    return any;
}

int codes_check(const vectors *v, size_t code_size)
{
    if (v->type == VEC_I8)
        return fail("'%s' holds int8, which may be bytes or, from sentence-transformers, bytes less 128; "
                    "save x.view(numpy.uint8) of the former, (x.astype(int) + 128).astype(numpy.uint8) of "
                    "the latter", v->name);
    if (!vectors_mapped_bytes(v, 0))
        return fail("'%s' holds no codes: they are unsigned bytes, in .bvecs, .u8bin or .npy", v->name);
    if (are_loose_bits(v))
        return fail("'%s' holds the bytes 0 and 1 only, bits that were not packed; pack them: "
                    "numpy.packbits(x, axis=1, bitorder='little'), or FILE:SET:codes of an HDF5 file",
                    v->name);
    if (code_size && (size_t)v->d != code_size)
        return fail("'%s' has codes of %d bytes, the model makes codes of %zu", v->name, v->d,
                    code_size);
    return LBH_OK;
}

int codes_read(const vectors *v, int bit_order, int64_t first, int64_t count, uint8_t *codes)
{
    LBH_TRY(vectors_check_rows(v, first, count));
    const uint8_t *row = vectors_mapped_bytes(v, first);
    for (int64_t i = 0; i < count; i++)
        memcpy(codes + (size_t)i * (size_t)v->d, row + (size_t)i * v->stride, (size_t)v->d);
    if (bit_order == BITS_MSB)
        lbh_codes_reverse_bits(count, (size_t)v->d, codes);
    return LBH_OK;
}

int codes_read_all(const vectors *v, int bit_order, uint8_t **codes)
{
    uint8_t *all = cli_alloc(v->n, (size_t)v->d);
    int rc = all ? codes_read(v, bit_order, 0, v->n, all) : LBH_ENOMEM;
    if (rc)
        free(all);
    else
        *codes = all;
    return rc;
}
