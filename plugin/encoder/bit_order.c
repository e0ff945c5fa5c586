/* bit_order.c: codes of this library and of FAISS have bit j in bit (j % 8) of byte j / 8, least
 * significant first; numpy.packbits, pgvector, Vespa and sentence-transformers count from the most
 * significant. Bytes are in the same order, pad bits are the last ones in both. */
#include "lbh.h"

#include "error.h"

/* Swaps halves, pairs, neighbours. */
static uint8_t reversed(uint8_t byte)
{
    unsigned v = byte;
    v = (v & 0xF0u) >> 4 | (v & 0x0Fu) << 4;
    v = (v & 0xCCu) >> 2 | (v & 0x33u) << 2;
    v = (v & 0xAAu) >> 1 | (v & 0x55u) << 1;
    return (uint8_t)v;
}

int lbh_codes_reverse_bits(int64_t n, size_t code_size, uint8_t *codes)
{
    if (n < 0 || (n > 0 && code_size > 0 && !codes))
        return lbh_error(LBH_EINVAL, "lbh_codes_reverse_bits: NULL codes or n (%lld) below 0",
                         (long long)n);
    size_t size = (size_t)n * code_size;
    for (size_t i = 0; i < size; i++)
        codes[i] = reversed(codes[i]);
    return LBH_OK;
}
