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

/* MIN_BITS also sees to it that the rest of a code of 64 bits is a number of LBH_PACKED_MOST bits. */
enum { ALIGN = 64, SPARE = 8, MIN_BITS = 8, WORD_BITS = 56 };

int lbh_mih_check_shape(size_t code_size, int64_t n, int64_t m)
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
        return lbh_error(LBH_EINVAL, "mih: substrings (%lld) of %d bits must be within %d..%d",
                         (long long)m, nbits, least, nbits);
    return LBH_OK;
}

/* A lookup waits twice for memory, for the directory and for the entries, however few those are, and a
 * shorter prefix has fewer values within r flips: there need not be one for every code. With 15 / 4 codes
 * and more to a prefix, an index of 64 bits a code takes 24 bytes a code. Where a candidate's code has to
 * be looked at, which is a third time, fewer candidates are better. */
int lbh_mih_prefix_bits(size_t code_size, int64_t n, int m)
{
    int bits = MIN_BITS, most = 8 * (int)code_size / m;
    double codes = code_size <= 8 ? 15. / 4 : 1;
    while (codes * (double)(INT64_C(2) << bits) <= (double)n)
        bits++;
    return bits < most ? bits : most;
}

static void set_shape(lbh_mih *mih)
{
    int nbits = 8 * (int)mih->code_size;
    mih->prefix_bits = lbh_mih_prefix_bits(mih->code_size, mih->n, mih->m);
    mih->row_bits = lbh_packed_width((uint64_t)mih->n);
    mih->dir_bits = lbh_packed_width((uint64_t)mih->n + 1);
    int rest = nbits - mih->prefix_bits;
    bool whole = nbits <= 64 && rest <= LBH_PACKED_MOST;
    mih->word_bits = whole || rest < WORD_BITS ? rest : WORD_BITS;
    mih->place_bits = whole ? 0 : mih->row_bits;
    for (int t = 0; t < mih->m; t++) {
        mih->table[t].begin = (int)((int64_t)nbits * t / mih->m);
        mih->table[t].count = t ? mih->distinct : mih->n;
    }
}

/* A section of the image; NULL if it is empty. Moves *at behind it. */
static void *section(uint8_t *image, size_t *at, size_t size)
{
    void *start = image && size ? image + *at : NULL;
    if (size)
        *at += (size + SPARE + ALIGN - 1) / ALIGN * ALIGN;
    return start;
}

static size_t packed_size(int64_t count, int bits)
{
    return ((size_t)count * (size_t)bits + 7) / 8;
}

/* Places all sections (nowhere, if image is NULL); returns the size of the image. */
static size_t lay_out(lbh_mih *mih, bool has_ids, uint8_t *image)
{
    size_t at = sizeof(lbh_mih_header), n = (size_t)mih->n;
    mih->codes = section(image, &at, n * mih->code_size);
    mih->rows = section(image, &at, packed_size(mih->n, mih->row_bits));
    mih->ids = section(image, &at, has_ids ? n * sizeof *mih->ids : 0);
    for (int t = 0; t < mih->m; t++)
        mih->table[t].dir =
            section(image, &at, packed_size((INT64_C(1) << mih->prefix_bits) + 1, mih->dir_bits));
    mih->table[0].entries = mih->codes;
    for (int t = 1; t < mih->m; t++)
        mih->table[t].entries = section(
            image, &at, packed_size(mih->distinct, mih->word_bits + mih->place_bits));
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

int lbh_mih_new(lbh_mih **out, size_t code_size, int64_t n, int64_t distinct, int m, bool has_ids,
                uint8_t *image)
{
    LBH_TRY(lbh_mih_check_shape(code_size, n, m));
    if (distinct < (n > 0) || distinct > n)
        return lbh_error(LBH_EINVAL, "mih: %lld distinct codes of %lld", (long long)distinct,
                         (long long)n);
    lbh_mih *mih = calloc(1, sizeof *mih);
    if (mih)
        mih->table = calloc((size_t)m, sizeof *mih->table);
    if (!mih || !mih->table) {
        free(mih);
        return lbh_error(LBH_ENOMEM, "mih: out of memory");
    }
    mih->code_size = code_size;
    mih->n = n;
    mih->distinct = distinct;
    mih->m = m;
    set_shape(mih);
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
    free(mih->by_row);
    free(mih->table);
    free(mih);
}

uint64_t lbh_mih_word(const uint8_t *code, size_t code_size, int begin, int width)
{
    uint64_t word = 0;
    const int nbits = 8 * (int)code_size;
    for (int done = 0, take; done < width; done += take) {
        int from = (begin + done) % nbits, left = width - done;
        take = nbits - from < left ? nbits - from : left;
        take = take < LBH_MIH_MAX_BITS ? take : LBH_MIH_MAX_BITS;
        word |= (uint64_t)lbh_mih_bits(code, code_size, from, take) << done;
    }
    return word;
}

/* ---- Looking at it ------------------------------------------------------------------------- */

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

int lbh_mih_copy_by_row(const lbh_mih *mih, uint8_t *to)
{
    for (int64_t i = 0; i < mih->n; i++) {
        uint32_t row = lbh_mih_row(mih, (uint64_t)i);
        if (row >= mih->n)
            return lbh_error(LBH_EFORMAT, "mih: damaged index: row %u of %lld", row,
                             (long long)mih->n);
        memcpy(to + row * mih->code_size, mih->codes + (size_t)i * mih->code_size, mih->code_size);
    }
    return LBH_OK;
}

const uint8_t *lbh_mih_codes(const lbh_mih *mih)
{
    if (!mih || mih->n == 0)
        return NULL;
    _Atomic(uint8_t *) *by_row = &((lbh_mih *)mih)->by_row; /* the caller may share the index */
    uint8_t *copy = atomic_load(by_row), *none = NULL;
    if (copy)
        return copy;
    copy = calloc((size_t)mih->n, mih->code_size);
    if (!copy) {
        lbh_error(LBH_ENOMEM, "mih: no memory for a copy of %lld codes", (long long)mih->n);
        return NULL;
    }
    if (lbh_mih_copy_by_row(mih, copy) != LBH_OK) {
        free(copy);
        return NULL;
    }
    if (atomic_compare_exchange_strong(by_row, &none, copy))
        return copy;
    free(copy); /* another thread was first */
    return none;
}

const int64_t *lbh_mih_ids(const lbh_mih *mih)
{
    return mih ? mih->ids : NULL;
}
