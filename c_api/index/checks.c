/* checks.c: what every entry point asks first, and the guards around FAISS's habits. */
#include "index_parts.h"

#include <stdlib.h>
#include <string.h>

int lbh_check_rows(const char *what, int64_t n, const void *rows)
{
    if (n < 0)
        return lbh_error(LBH_EINVAL, "%s: the number of rows (%lld) is negative", what,
                         (long long)n);
    if (n > 0 && !rows)
        return lbh_error(LBH_EINVAL, "%s: no data given", what);
    return LBH_OK;
}

int lbh_check_codes(const FaissIndexBinary *index, size_t code_size, int64_t n, const void *codes)
{
    if (!index)
        return lbh_error(LBH_EINVAL, "index: no index given");
    LBH_TRY(lbh_check_rows("index", n, codes));
    size_t own = lbh_index_code_size(index);
    if (own != code_size)
        return lbh_error(LBH_EINVAL, "index: it holds codes of %zu bytes (%zu bits), not %zu", own,
                         8 * own, code_size);
    if (n > 0 && (uint64_t)n > SIZE_MAX / 2 / code_size)
        return lbh_error(LBH_EINVAL, "index: %lld rows are beyond all memory", (long long)n);
    return LBH_OK;
}

int lbh_check_encoder(const lbh_encoder *enc)
{
    if (!enc)
        return lbh_error(LBH_EINVAL, "index: no encoder given");
    if (!lbh_encoder_is_trained(enc))
        return lbh_error(LBH_ESTATE, "%s: the encoder is not trained", lbh_encoder_method(enc));
    return LBH_OK;
}

int lbh_check_encoder_fits(const FaissIndexBinary *index, const lbh_encoder *enc, int64_t n,
                           const void *x)
{
    LBH_TRY(lbh_check_encoder(enc));
    return lbh_check_codes(index, lbh_encoder_code_size(enc), n, x);
}

void *lbh_alloc_rows(int64_t a, size_t b, size_t extra)
{
    void *p = NULL;
    if (b == 0 || (uint64_t)a <= (SIZE_MAX / 2 - extra) / b)
        p = malloc((size_t)a * b + extra + 1);
    if (!p)
        lbh_error(LBH_ENOMEM, "index: no memory for %lld rows of %zu bytes", (long long)a, b);
    return p;
}

int lbh_encode_padded(uint8_t **codes, const lbh_encoder *enc, lbh_encode_fn encode, int64_t n,
                      const float *x)
{
    size_t code_size = lbh_encoder_code_size(enc);
    uint8_t *made = lbh_alloc_rows(n, code_size, LBH_CODE_PAD);
    if (!made)
        return LBH_ENOMEM;
    int rc = n ? encode(enc, n, x, made) : LBH_OK;
    if (rc != LBH_OK) {
        free(made);
        return rc;
    }
    memset(made + (size_t)n * code_size, 0, LBH_CODE_PAD);
    *codes = made;
    return LBH_OK;
}

int lbh_guard_codes(const uint8_t **use, uint8_t **copy, const FaissIndexBinary *index, int64_t n,
                    size_t code_size, const uint8_t *codes)
{
    *use = codes;
    *copy = NULL;
    lbh_kind kind = lbh_gap_info(index).kind;
    if (n == 0 || (kind != LBH_KIND_HASH && kind != LBH_KIND_MULTIHASH) ||
        (kind == LBH_KIND_HASH && code_size >= LBH_CODE_PAD))
        return LBH_OK;
    size_t bytes = (size_t)n * code_size;
    uint8_t *padded = lbh_alloc_rows(n, code_size, LBH_CODE_PAD);
    if (!padded)
        return LBH_ENOMEM;
    memcpy(padded, codes, bytes);
    memset(padded + bytes, 0, LBH_CODE_PAD);
    *use = *copy = padded;
    return LBH_OK;
}
