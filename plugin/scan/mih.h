/* mih.h: PRIVATE. The memory of a multi-index hash: one image, the same in memory and in a file.
 *
 *   header (64 bytes)
 *   codes     n x code_size bytes, by rising id
 *   ids       n x int64, if the index has ids
 *   for each substring:
 *     dir     2^dir_bits + 1 x uint32: entries dir[h] .. dir[h + 1] - 1 have prefix h
 *     words   n x uint64: of each entry's code 8 bytes, see lbh_mih_table.word_byte
 *     rows    n x uint32: its row in codes
 *     keys    n x uint32: its substring, if dir_bits < bits; entries of one prefix rise in it
 *
 * Each section starts at a multiple of 64 bytes. Every size and place follows from the four numbers
 * in the header, so that a file has no pointers that could be wrong. What dir and rows hold is
 * checked when it is used. */
#ifndef LBH_SCAN_MIH_H
#define LBH_SCAN_MIH_H

#include "lbh_mih.h"

#include <stdbool.h>

enum { LBH_MIH_VERSION = 1, LBH_MIH_MAX_CODE_SIZE = 1024, LBH_MIH_MAX_BITS = 32 };

typedef struct lbh_mih_header {
    char magic[4]; /* "LBHT" */
    uint32_t version;
    uint64_t file_size, n;
    uint32_t code_size, substrings, has_ids, zero;
    uint64_t body_sum; /* XXH3 of all that follows the header; 0 in memory */
    uint64_t unused;
    uint64_t header_sum; /* XXH3 of all that precedes it */
} lbh_mih_header;

/* One substring: bits begin .. begin + bits - 1 of the code. */
typedef struct lbh_mih_table {
    int begin, bits, dir_bits;
    int word_byte; /* words hold bytes word_byte .. +7 of the code (modulo its size); whole codes of
                      up to 8 bytes, longer ones from behind the substring */
    bool disjoint; /* substring and word have no bit in common */
    uint32_t *dir;
    uint64_t *words;
    uint32_t *rows;
    uint32_t *keys; /* NULL if dir_bits == bits */
} lbh_mih_table;

struct lbh_mih {
    uint8_t *image;
    size_t size;
    bool is_file;
    size_t code_size;
    int64_t n;
    int m;
    uint8_t *codes;
    int64_t *ids;
    lbh_mih_table *table; /* m */
};

/* mih_image.c: an index of the shape that the four numbers give. image: where it lies (nothing is
 * read from it here), or NULL for zeroed memory. Free it with lbh_mih_free, which unmaps the image.
 * LBH_EINVAL names the number that is out of its bounds; LBH_ENOMEM. */
int lbh_mih_new(lbh_mih **mih, size_t code_size, int64_t n, int m, bool has_ids, uint8_t *image);

/* mih_file.c: what header_sum must be. */
uint64_t lbh_mih_header_sum(const lbh_mih_header *h);

/* Bits begin .. begin + bits - 1 (at most 32) of a code. */
uint32_t lbh_mih_bits(const uint8_t *code, size_t code_size, int begin, int bits);

/* The 8 bytes of a code from byte `at` on, modulo its size; shorter codes are padded with zeros. */
uint64_t lbh_mih_word(const uint8_t *code, size_t code_size, int at);

#endif
