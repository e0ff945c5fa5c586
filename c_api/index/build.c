/* build.c: making, training and filling binary indexes. */
#include "index_parts.h"

#include "faiss_gap_life.h"

#include <stdlib.h>
#include <string.h>

int lbh_index_new(FaissIndexBinary **index, size_t code_size, const char *factory)
{
    if (!index)
        return lbh_error(LBH_EINVAL, "index: nowhere to put the new index");
    lbh_factory f;
    LBH_TRY(lbh_factory_parse(&f, factory, code_size));
    FaissIndexBinary *made = NULL;
    LBH_TRY(lbh_gap_new(&made, (int)(8 * code_size), f.base, f.idmap));
    *index = made;
    return LBH_OK;
}

void lbh_index_free(FaissIndexBinary *index)
{
    if (index)
        faiss_IndexBinary_free(index);
}

int64_t lbh_sample_place(int64_t i, int64_t m, int64_t n)
{
    uint64_t h = ((uint64_t)i + 1) * 0x9E3779B97F4A7C15u; /* a step of splitmix64 */
    h = (h ^ (h >> 30)) * 0xBF58476D1CE4E5B9u;
    double place = ((double)i + (double)(h >> 11) * 0x1p-53) / (double)m;
    int64_t row = (int64_t)(place * (double)n);
    return row < n ? row : n - 1;
}

/* FAISS's k-means uses 256 rows a list at most, but turns all that it is given into floats first,
 * 32 times the size of the codes. Hands it a sample of that size. */
static int train_ivf(FaissIndexBinary *index, int64_t nlist, int64_t n, size_t code_size,
                     const uint8_t *codes)
{
    int64_t m = 256 * nlist;
    if (n <= m)
        return lbh_gap_train(index, n, codes);
    uint8_t *sample = lbh_alloc_rows(m, code_size, 0);
    if (!sample)
        return LBH_ENOMEM;
    for (int64_t i = 0; i < m; i++)
        memcpy(sample + (size_t)i * code_size,
               codes + (size_t)lbh_sample_place(i, m, n) * code_size, code_size);
    int rc = lbh_gap_train(index, m, sample);
    free(sample);
    return rc;
}

static int train(FaissIndexBinary *index, const char *factory, int64_t n, size_t code_size,
                 const uint8_t *codes)
{
    lbh_index_info info = lbh_gap_info(index);
    if (info.kind != LBH_KIND_IVF)
        return LBH_OK; /* the others have nothing to learn */
    if (n < info.nlist)
        return lbh_error(LBH_EINVAL, "%s: needs at least %lld rows to train on, got %lld", factory,
                         (long long)info.nlist, (long long)n);
    return train_ivf(index, info.nlist, n, code_size, codes);
}

int lbh_index_train_codes(FaissIndexBinary *index, size_t code_size, int64_t n,
                          const uint8_t *codes)
{
    LBH_TRY(lbh_check_codes(index, code_size, n, codes));
    return train(index, lbh_index_kind(index), n, code_size, codes);
}

/* Ids first, first + 1, ...; the caller frees. */
static int64_t *count_up(int64_t first, int64_t n)
{
    int64_t *ids = lbh_alloc_rows(n, sizeof *ids, 0);
    for (int64_t i = 0; ids && i < n; i++)
        ids[i] = first + i;
    return ids;
}

bool lbh_keeps_ids(const lbh_index_info *info)
{
    return info->idmap || info->kind == LBH_KIND_IVF || info->kind == LBH_KIND_HASH;
}

/* The first of n ids for rows that were given none: ntotal, or behind the greatest id where that
 * lies higher, as after a removal; never one that lives. */
static int first_free(const FaissIndexBinary *index, int64_t n, int64_t *first)
{
    int64_t least, greatest;
    *first = faiss_IndexBinary_ntotal(index);
    LBH_TRY(lbh_gap_id_range(index, &least, &greatest));
    if (greatest > INT64_MAX - n)
        return lbh_error(LBH_EINVAL, "index: there are no %lld ids above %lld left", (long long)n,
                         (long long)greatest);
    if (greatest >= *first)
        *first = greatest + 1;
    return LBH_OK;
}

static int check_ids(const FaissIndexBinary *index, const lbh_index_info *info, int64_t n,
                     const int64_t *ids)
{
    if (!ids)
        return LBH_OK;
    if (!lbh_keeps_ids(info))
        return lbh_error(LBH_EFAISS, "%s takes no ids; make it under IDMap, as \"IDMap,%s\"",
                         lbh_index_kind(index), info->kind == LBH_KIND_FLAT ? "BFlat" : "...");
    for (int64_t i = 0; i < n; i++)
        if (ids[i] < 0)
            return lbh_error(LBH_EINVAL, "index: id %lld of row %lld is negative",
                             (long long)ids[i], (long long)i);
    return LBH_OK;
}

/* Everything is checked and guarded: codes may be handed to FAISS. */
static int add_checked(FaissIndexBinary *index, int64_t n, const uint8_t *codes, const int64_t *ids)
{
    lbh_index_info info = lbh_gap_info(index);
    int64_t total = faiss_IndexBinary_ntotal(index);
    LBH_TRY(lbh_check_changeable(index));
    LBH_TRY(check_ids(index, &info, n, ids));
    if (!faiss_IndexBinary_is_trained(index))
        return lbh_error(LBH_ESTATE, "%s: train the index before adding to it (lbh_index_build)",
                         lbh_index_kind(index));
    if (info.kind == LBH_KIND_HNSW && n > INT32_MAX - total)
        return lbh_error(LBH_EINVAL, "BHNSW: holds %d codes at most", INT32_MAX);
    if (n == 0)
        return LBH_OK;
    int64_t *own_ids = NULL, first = total;
    if (lbh_keeps_ids(&info) && !ids)
        LBH_TRY(first_free(index, n, &first));
    if (!ids && (info.idmap || first != total)) {
        ids = own_ids = count_up(first, n);
        if (!ids)
            return LBH_ENOMEM;
    }
    int rc = lbh_gap_add(index, n, codes, ids);
    free(own_ids);
    return rc;
}

int lbh_index_add_codes(FaissIndexBinary *index, size_t code_size, int64_t n, const uint8_t *codes,
                        const int64_t *ids)
{
    LBH_TRY(lbh_check_codes(index, code_size, n, codes));
    const uint8_t *use;
    uint8_t *copy;
    LBH_TRY(lbh_guard_codes(&use, &copy, index, n, code_size, codes));
    int rc = add_checked(index, n, use, ids);
    free(copy);
    return rc;
}

int lbh_index_add(FaissIndexBinary *index, const lbh_encoder *enc, int64_t n, const float *x,
                  const int64_t *ids)
{
    LBH_TRY(lbh_check_encoder_fits(index, enc, n, x));
    uint8_t *codes;
    LBH_TRY(lbh_encode_padded(&codes, enc, lbh_encoder_encode, n, x));
    int rc = add_checked(index, n, codes, ids);
    free(codes);
    return rc;
}

int lbh_index_build_codes(FaissIndexBinary **index, size_t code_size, const char *factory,
                          int64_t n, const uint8_t *codes)
{
    if (!index)
        return lbh_error(LBH_EINVAL, "index: nowhere to put the new index");
    LBH_TRY(lbh_check_rows("index", n, codes));
    FaissIndexBinary *made = NULL;
    LBH_TRY(lbh_index_new(&made, code_size, factory));
    int rc = lbh_check_codes(made, code_size, n, codes);
    if (rc == LBH_OK)
        rc = train(made, factory, n, code_size, codes);
    if (rc == LBH_OK)
        rc = lbh_index_add_codes(made, code_size, n, codes, NULL);
    if (rc != LBH_OK) {
        lbh_index_free(made);
        return rc;
    }
    *index = made;
    return LBH_OK;
}

int lbh_index_build(FaissIndexBinary **index, const lbh_encoder *enc, const char *factory,
                    int64_t n, const float *x)
{
    LBH_TRY(lbh_check_encoder(enc));
    LBH_TRY(lbh_check_rows("index", n, x));
    /* Encoding can take long: refuse what cannot work before it. */
    lbh_factory f;
    LBH_TRY(lbh_factory_parse(&f, factory, lbh_encoder_code_size(enc)));
    uint8_t *codes;
    LBH_TRY(lbh_encode_padded(&codes, enc, lbh_encoder_encode, n, x));
    int rc = lbh_index_build_codes(index, lbh_encoder_code_size(enc), factory, n, codes);
    free(codes);
    return rc;
}
