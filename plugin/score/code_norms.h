/* code_norms.h: squared lengths of the vectors that codes stand for. A code is so many symbols, of 4 bits or of 8,
 * each of which names a row of a table; its vector is their sum. */
#ifndef LBH_SCORE_CODE_NORMS_H
#define LBH_SCORE_CODE_NORMS_H

#include <stdint.h>

typedef struct lbh_code_norms {
    int nbytes, symbols, bits; /* of a code; of a symbol */
    int blocks;   /* of LBH_NORM_BLOCK columns: zeros fill the last one */
    float shrink; /* what LBH_NORM_BLOCK columns give, times this, is no more than the norm as it is computed */
    float *table; /* [blocks][symbols][2^bits][LBH_NORM_BLOCK] */
} lbh_code_norms;

enum { LBH_NORM_BLOCK = 32 };

/* Vectors of tables T[nbytes * 256 * columns], shift[columns] (NULL: 0) added to them. LBH_ENOMEM: there is
 * nothing to clear. */
int lbh_code_norms_of_bytes(lbh_code_norms *s, int nbytes, int columns, const float *T,
                            const float *shift);

/* Vectors that are the sum over the bits of +-U_k / 2 (U[nbits * d]). */
int lbh_code_norms_of_bits(lbh_code_norms *s, int nbits, int d, const float *U, const float *shift);

void lbh_code_norms_clear(lbh_code_norms *s);

/* norm[n] of codes[n * nbytes], on one thread: the same bits whatever the instruction set. */
void lbh_code_norms_fill(const lbh_code_norms *s, int64_t n, const uint8_t *codes, float *norm);

/* bound[n]: none is above the norm that lbh_code_norms_fill computes. Squares of the first LBH_NORM_BLOCK columns,
 * where principal components have most of their length. */
void lbh_code_norms_bound(const lbh_code_norms *s, int64_t n, const uint8_t *codes, float *bound);

/* The norm of one code; or, where (sum + norm) + offset is above the bar, any number for which it is, too. */
float lbh_code_norm_below(const lbh_code_norms *s, const uint8_t *code, float sum, float offset, float bar);

#endif
