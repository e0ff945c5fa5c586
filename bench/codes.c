/* codes.c: see codes.h. */
#include "codes.h"

#include <stdlib.h>

int codes_check(const vectors *v, size_t code_size)
{
    if (v->made || v->type != VEC_U8)
        return fail("'%s' holds no codes: they are bytes, in .bvecs, .u8bin or .npy", v->name);
    if (code_size && (size_t)v->d != code_size)
        return fail("'%s' has codes of %d bytes, the model makes codes of %zu", v->name, v->d,
                    code_size);
    return EXIT_OK;
}

int codes_read(const vectors *v, int bit_order, int64_t first, int64_t count, float *wide,
               uint8_t *codes)
{
    int rc = vectors_floats(v, first, count, wide);
    for (int64_t i = 0; rc == EXIT_OK && i < count * v->d; i++)
        codes[i] = (uint8_t)wide[i];
    if (rc == EXIT_OK && bit_order == BITS_MSB)
        lbh_codes_reverse_bits(count, (size_t)v->d, codes);
    return rc;
}

int codes_read_all(const vectors *v, int bit_order, uint8_t **codes)
{
    enum { BLOCK = 4096 };
    float *wide = cli_alloc((int64_t)BLOCK * v->d, sizeof *wide);
    uint8_t *all = cli_alloc(v->n, (size_t)v->d);
    int rc = wide && all ? EXIT_OK : EXIT_RUNTIME;
    for (int64_t i = 0; i < v->n && rc == EXIT_OK; i += BLOCK)
        rc = codes_read(v, bit_order, i, v->n - i < BLOCK ? v->n - i : BLOCK, wide,
                        all + (size_t)i * (size_t)v->d);
    free(wide);
    if (rc)
        free(all);
    else
        *codes = all;
    return rc;
}
