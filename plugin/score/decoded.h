/* decoded.h: scores of packed codes by lookup tables, the inner loop of lbh_encoder_search_decoded.
 *
 * A code is cut into nibbles. A query has, for each nibble, the 16 sums that its four bits can
 * contribute to a score; the score of a code is
 *
 *     max(((t_0 + t_1 + ... ) + norm) + offset, least),   t_b = low_b + high_b for byte b
 *
 * in that order of additions, whatever the instruction set: scores are the same bits everywhere.
 * With AVX-512 a table of 16 floats is one register and a lookup one permutation of it; with AVX2
 * it is two registers; elsewhere pairs of nibbles are made tables of 256 floats first. */
#ifndef LBH_SCAN_DECODED_H
#define LBH_SCAN_DECODED_H

#include <stdint.h>

enum {
    LBH_DECODED_STEP = 64,  /* codes are scored so many at a time */
    LBH_DECODED_BLOCK = 512 /* most codes of a block */
};

/* Codes of a block, transposed: word w of code i (its bytes 4 w ..., the first one lowest) is
 * word[w * stride + i]. */
typedef struct lbh_code_block {
    int nbytes;      /* of a code */
    int64_t n;       /* codes, a multiple of LBH_DECODED_STEP: zeros fill the last ones */
    int64_t stride;
    uint32_t *word;
} lbh_code_block;

/* Fills a block with n codes (n <= stride). */
void lbh_code_block_fill(lbh_code_block *block, int64_t n, const uint8_t *codes);

/* One query's tables. */
typedef struct lbh_score_table {
    float *nibble; /* [2 * nbytes][16] */
    float *byte;   /* [nbytes][256], or NULL where the kernel does not use it */
    float offset, least;
} lbh_score_table;

/* Memory for a table: nibbles and bytes as said, zero. LBH_ENOMEM; free() nibble and byte. */
int lbh_score_table_new(lbh_score_table *table, int nbytes, int nibbles, int bytes);

/* Fills the tables from the weight of each bit: a set bit counts +weight / 2, a clear one
 * -weight / 2. weight[nbytes * 8] */
void lbh_score_table_fill(lbh_score_table *table, int nbytes, const float *weight);

/* score[block->n]; norm[block->n] */
typedef void (*lbh_score_fn)(const lbh_code_block *block, const lbh_score_table *table,
                             const float *norm, float *score);

/* The kernel for this CPU; *byte_tables: whether it wants them. */
lbh_score_fn lbh_choose_score(int *byte_tables);

/* The kernel for tables of bytes whose entries are any numbers: it reads table->byte alone. */
lbh_score_fn lbh_byte_score(void);

#endif
