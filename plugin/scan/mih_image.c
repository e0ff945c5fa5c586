/* mih_image.c: the shape of a multi-index hash in memory and in a file; see mih.h. */
#define _DEFAULT_SOURCE
#include "mih.h"

#include "error.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "codes are read as little-endian words here"
#endif

enum { ALIGN = 64, SPARE_BITS = 2, MIN_DIR_BITS = 8 };

static int check_shape(size_t code_size, int64_t n, int m)
{
    if (code_size < 1 || code_size > LBH_MIH_MAX_CODE_SIZE)
        return lbh_error(LBH_EINVAL, "mih: code_size (%zu) must be within 1..%d", code_size,
                         LBH_MIH_MAX_CODE_SIZE);
    if (n < 0 || n >= UINT32_MAX)
        return lbh_error(LBH_EINVAL, "mih: the number of codes (%lld) must be within 0..%u",
                         (long long)n, UINT32_MAX - 1);
    int nbits = 8 * (int)code_size;
    int least = (nbits + LBH_MIH_MAX_BITS - 1) / LBH_MIH_MAX_BITS;
    if (m < least || m > nbits)
        return lbh_error(LBH_EINVAL, "mih: substrings (%d) of %d bits must be within %d..%d", m,
                         nbits, least, nbits);
    return LBH_OK;
}

/* A directory of a few entries a code is as good as one for every value. */
static int directory_bits(int bits, int64_t n)
{
    int log2n = 0;
    while ((INT64_C(1) << log2n) < n)
        log2n++;
    int most = log2n + SPARE_BITS < MIN_DIR_BITS ? MIN_DIR_BITS : log2n + SPARE_BITS;
    return bits < most ? bits : most;
}

static void shape_table(lbh_mih_table *table, const lbh_mih *mih, int t)
{
    int nbits = 8 * (int)mih->code_size;
    table->begin = (int)((int64_t)nbits * t / mih->m);
    table->bits = (int)((int64_t)nbits * (t + 1) / mih->m) - table->begin;
    table->dir_bits = directory_bits(table->bits, mih->n);
    if (mih->code_size > 8) {
        int end = table->begin + table->bits, next = (end + 7) / 8;
        table->word_byte = next % (int)mih->code_size;
        table->disjoint = 8 * next + 64 <= nbits + table->begin;
    }
}

/* A section of the image; NULL if it is empty. Moves *at behind it. */
static void *section(uint8_t *image, size_t *at, size_t count, size_t size)
{
    void *start = image && count ? image + *at : NULL;
    *at += (count * size + ALIGN - 1) / ALIGN * ALIGN;
    return start;
}

/* Places all sections (nowhere, if image is NULL); returns the size of the image. */
static size_t lay_out(lbh_mih *mih, bool has_ids, uint8_t *image)
{
    size_t at = sizeof(lbh_mih_header), n = (size_t)mih->n;
    mih->codes = section(image, &at, n, mih->code_size);
    mih->ids = section(image, &at, has_ids ? n : 0, sizeof *mih->ids);
    for (int t = 0; t < mih->m; t++) {
        lbh_mih_table *table = &mih->table[t];
        table->dir = section(image, &at, ((size_t)1 << table->dir_bits) + 1, sizeof *table->dir);
        table->words = section(image, &at, n, sizeof *table->words);
        table->rows = section(image, &at, n, sizeof *table->rows);
        table->keys =
            section(image, &at, table->dir_bits < table->bits ? n : 0, sizeof *table->keys);
    }
    return at;
}

/* Zeroed memory in large pages where the system has them: a search reads it in random order. */
static uint8_t *take_image(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        lbh_error(LBH_ENOMEM, "mih: no memory for an index of %zu bytes", size);
        return NULL;
    }
#ifdef MADV_HUGEPAGE
    madvise(p, size, MADV_HUGEPAGE);
#endif
    return p;
}

int lbh_mih_new(lbh_mih **out, size_t code_size, int64_t n, int m, bool has_ids, uint8_t *image)
{
    LBH_TRY(check_shape(code_size, n, m));
    lbh_mih *mih = calloc(1, sizeof *mih);
    if (mih)
        mih->table = calloc((size_t)m, sizeof *mih->table);
    if (!mih || !mih->table) {
        free(mih);
        return lbh_error(LBH_ENOMEM, "mih: out of memory");
    }
    mih->code_size = code_size;
    mih->n = n;
    mih->m = m;
    for (int t = 0; t < m; t++)
        shape_table(&mih->table[t], mih, t);
    mih->size = lay_out(mih, has_ids, NULL);
    mih->image = image ? image : take_image(mih->size);
    if (!mih->image) {
        lbh_mih_free(mih);
        return LBH_ENOMEM;
    }
    lay_out(mih, has_ids, mih->image);
    *out = mih;
    return LBH_OK;
}

void lbh_mih_free(lbh_mih *mih)
{
    if (!mih)
        return;
    if (mih->image)
        munmap(mih->image, mih->size);
    free(mih->table);
    free(mih);
}

uint64_t lbh_mih_word(const uint8_t *code, size_t code_size, int at)
{
    uint64_t word = 0;
    size_t start = (size_t)at, tail = code_size - start;
    if (tail >= sizeof word) {
        memcpy(&word, code + start, sizeof word);
    } else {
        memcpy(&word, code + start, tail);
        size_t wrapped = code_size < sizeof word ? 0 : sizeof word - tail;
        memcpy((uint8_t *)&word + tail, code, wrapped);
    }
    return word;
}

uint32_t lbh_mih_bits(const uint8_t *code, size_t code_size, int begin, int bits)
{
    /* 8 bytes hold the whole substring: those from its first byte on, or the code's last. */
    size_t start = (size_t)begin / 8;
    if (code_size >= 8 && start > code_size - 8)
        start = code_size - 8;
    else if (code_size < 8)
        start = 0;
    uint64_t word = lbh_mih_word(code, code_size, (int)start) >> ((size_t)begin - 8 * start);
    return (uint32_t)(word & ((UINT64_C(1) << bits) - 1));
}

int64_t lbh_mih_ntotal(const lbh_mih *mih)
{
    return mih ? mih->n : 0;
}

size_t lbh_mih_code_size(const lbh_mih *mih)
{
    return mih ? mih->code_size : 0;
}

int lbh_mih_substrings(const lbh_mih *mih)
{
    return mih ? mih->m : 0;
}

size_t lbh_mih_bytes(const lbh_mih *mih)
{
    return mih ? mih->size : 0;
}

const uint8_t *lbh_mih_codes(const lbh_mih *mih)
{
    return mih ? mih->codes : NULL;
}

const int64_t *lbh_mih_ids(const lbh_mih *mih)
{
    return mih ? mih->ids : NULL;
}
