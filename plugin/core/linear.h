/* linear.h: z = A x + b for many x, with the threshold and the packing of the bits fused in, so that
 * z is never written to memory when only the code is wanted.
 *
 * A is packed once into panels of 16 outputs. Each z_j is the fused multiply-add chain over
 * k = 0 .. d-1 from 0, then + b_j: one order, whatever the tile, the block, the thread or the
 * instruction set, so codes are the same bit for bit everywhere. */
#ifndef LBH_CORE_LINEAR_H
#define LBH_CORE_LINEAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct lbh_panels lbh_panels;

/* Packs A[nout * d] (row-major, one row an output) and b[nout] (NULL = 0). */
int lbh_panels_new(lbh_panels **panels, int nout, int d, const float *A, const float *b);
void lbh_panels_free(lbh_panels *panels);

/* z[n * nout] = A x + b, one thread. False if a z is not finite: that is so for every x with a NaN
 * or an infinity, and for sums that overflow. */
bool lbh_panels_apply(const lbh_panels *panels, int64_t n, const float *x, float *z);

/* codes[n * (nout + 7) / 8] = packed [A x + b >= 0], one thread. A NaN gives 0. False as above. */
bool lbh_panels_encode(const lbh_panels *panels, int64_t n, const float *x, uint8_t *codes);

/* The same codes from rows of whole numbers 0 .. 255, `stride` bytes from row to row. */
void lbh_panels_encode_u8(const lbh_panels *panels, int64_t n, const uint8_t *x, int64_t stride,
                          uint8_t *codes);

/* Packs [z >= 0] of n rows of nbits floats; pad bits are 0. */
void lbh_pack_bits(int64_t n, int nbits, const float *z, uint8_t *codes);

/* Unpacks codes into h[n * nbits] of 0.0f / 1.0f. */
void lbh_unpack_bits(int64_t n, int nbits, const uint8_t *codes, float *h);

#endif
