/* mih.h: PRIVATE. The memory of a multi-index hash: one image, the same in memory and in a file.
 *
 *   header (64 bytes)
 *   codes       n x code_size bytes, in the ORDER of table 0: by their prefix in it, those of one prefix as
 *               memcmp has them, equal ones by rising row
 *   rows        n x row_bits, packed: the row of each code, which is its place by rising id
 *   ids         n x int64 by row, if the index has ids
 *   dirs        m x (2^prefix_bits + 1) x dir_bits, packed: entries dir[h] .. dir[h + 1] - 1 of table t
 *               have prefix h
 *   entries     (m - 1) x `distinct` x (word_bits + place_bits), packed, for the tables behind the first
 *
 * An entry of table 0 is a code itself. One of another table stands for all codes that are equal, which lie
 * side by side. It begins with a WORD, the bits of the code that follow the prefix (behind the last bit, the
 * first). If that is all the rest of the code, prefix and word lead to it through table 0 (place_bits = 0);
 * else the place of the first of the codes follows.
 *
 * Behind each section there are zeros, 8 at least, up to a multiple of 64. Every size and place follows from
 * the five numbers in the header, so that a file has no pointers that could be wrong. What dirs, rows and
 * entries hold is checked when it is used. */
#ifndef LBH_SCAN_MIH_H
#define LBH_SCAN_MIH_H

#include "lbh_mih.h"
#include "packed.h"

#include <stdatomic.h>
#include <stdbool.h>

enum { LBH_MIH_VERSION = 2, LBH_MIH_MAX_CODE_SIZE = 1024, LBH_MIH_MAX_BITS = 32 };

typedef struct lbh_mih_header {
    char magic[4]; /* "LBHT" */
    uint32_t version;
    uint64_t file_size, n;
    uint32_t code_size, substrings, has_ids, zero;
    uint64_t body_sum; /* XXH3 of all that follows the header; 0 in memory */
    uint64_t distinct; /* codes that differ (version 1: 0) */
    uint64_t header_sum; /* XXH3 of all that precedes it */
} lbh_mih_header;

/* One substring, whose prefix is bits begin .. begin + prefix_bits - 1 of the code. */
typedef struct lbh_mih_table {
    int begin;
    int64_t count; /* of entries */
    uint8_t *dir, *entries; /* table 0: its entries are the codes */
} lbh_mih_table;

struct lbh_mih {
    uint8_t *image;
    size_t size;
    bool is_file;
    size_t code_size;
    int64_t n, distinct;
    int m, prefix_bits, dir_bits, word_bits, place_bits, row_bits;
    uint8_t *codes, *rows;
    int64_t *ids;
    lbh_mih_table *table;         /* m */
    _Atomic(uint8_t *) by_row; /* for lbh_mih_codes: a copy of the codes, or NULL */
};

/* mih_image.c: LBH_EINVAL names the number that is out of its bounds. */
int lbh_mih_check_shape(size_t code_size, int64_t n, int64_t m);

/* An index of the shape that the five numbers give. image: where it lies (nothing is read from it
 * here), or NULL for zeroed memory. Free it with lbh_mih_free, which unmaps the image.
 * LBH_EINVAL, LBH_ENOMEM. */
int lbh_mih_new(lbh_mih **mih, size_t code_size, int64_t n, int64_t distinct, int m, bool has_ids,
                uint8_t *image);

/* Bits of a prefix, from the shape alone. */
int lbh_mih_prefix_bits(size_t code_size, int64_t n, int m);

/* Writes the codes by row to to[n * code_size]. LBH_EFORMAT */
int lbh_mih_copy_by_row(const lbh_mih *mih, uint8_t *to);

/* mih_file.c: what header_sum and body_sum must be. The body may be gigabytes to be read from a disk.
 * LBH_ECANCELLED */
uint64_t lbh_mih_header_sum(const lbh_mih_header *h);
int lbh_mih_body_sum(const uint8_t *image, size_t size, uint64_t *sum);

/* `width` bits (at most 64) of a code from bit `begin` on, modulo its length. */
uint64_t lbh_mih_word(const uint8_t *code, size_t code_size, int begin, int width);

/* Bits begin .. begin + bits - 1 (at most 32) of a code. */
static inline uint32_t lbh_mih_bits(const uint8_t *code, size_t code_size, int begin, int bits)
{
    /* 8 bytes hold them all: those from their first byte on, or the code's last. */
    size_t start = (size_t)begin / 8;
    uint64_t word = 0;
    if (code_size < sizeof word) {
        memcpy(&word, code, code_size);
        start = 0;
    } else {
        start = start > code_size - sizeof word ? code_size - sizeof word : start;
        memcpy(&word, code + start, sizeof word);
    }
    return (uint32_t)(word >> ((size_t)begin - 8 * start) & ((UINT64_C(1) << bits) - 1));
}

static inline uint32_t lbh_mih_prefix(const lbh_mih *mih, int t, const uint8_t *code)
{
    return lbh_mih_bits(code, mih->code_size, mih->table[t].begin, mih->prefix_bits);
}

/* dir[prefix] of a table. */
static inline uint32_t lbh_mih_dir(const lbh_mih *mih, const lbh_mih_table *table, uint64_t prefix)
{
    return (uint32_t)lbh_packed(table->dir, prefix * (uint64_t)mih->dir_bits, mih->dir_bits);
}

/* The row of the code at a place; in a damaged file it may be n and above. */
static inline uint32_t lbh_mih_row(const lbh_mih *mih, uint64_t place)
{
    return (uint32_t)lbh_packed(mih->rows, place * (uint64_t)mih->row_bits, mih->row_bits);
}

#endif
