/* code_file.h: files of codes: bytes in .bvecs, .u8bin or .npy. */
#ifndef LBH_CODES_H
#define LBH_CODES_H

#include "vectors.h"

/* Bits of a byte in a file: least significant first, as FAISS has them, or most significant first,
 * as numpy.packbits, pgvector, Vespa and sentence-transformers have them. */
enum { BITS_LSB, BITS_MSB };
#define BIT_ORDERS "lsb|msb"

/* Refuses a file that cannot hold codes, of code_size bytes unless that is 0. */
int codes_check(const vectors *v, size_t code_size);

/* Reads rows of a file that codes_check let pass into codes[count * v->d], least significant bit
 * first. */
int codes_read(const vectors *v, int bit_order, int64_t first, int64_t count, uint8_t *codes);

/* Reads all rows into new memory; the caller frees *codes. */
int codes_read_all(const vectors *v, int bit_order, uint8_t **codes);

#endif
