/* float_index.c: FAISS's own float indexes: exact ground truth ("Flat") and rivals ("PQ8",
 * "ITQ64,LSH"). */
#include "index_parts.h"

#include <ctype.h>
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

static int check_float(const FaissIndex *index, int64_t n, const float *x, bool trained)
{
    if (!index)
        return lbh_error(LBH_EINVAL, "float index: no index given");
    LBH_TRY(lbh_check_rows("float index", n, x));
    if (trained && !faiss_Index_is_trained(index))
        return lbh_error(LBH_ESTATE, "float index: train it first");
    int d = faiss_Index_d(index);
    if (n > 0 && (uint64_t)n > SIZE_MAX / 2 / sizeof *x / (size_t)d)
        return lbh_error(LBH_EINVAL, "float index: %lld rows are beyond all memory", (long long)n);
    for (int64_t i = 0; i < n; i++) {
        int bad = 0; /* no early exit: this form is vectorised */
        for (int j = 0; j < d; j++)
            bad |= !isfinite(x[i * d + j]);
        if (bad)
            return lbh_error(LBH_EINVAL, "float index: row %lld holds a NaN or an infinity",
                             (long long)i);
    }
    return LBH_OK;
}

/* FAISS divides by some of the numbers in a factory string ("PQ0" ends the process). */
static bool has_zero(const char *factory)
{
    for (const char *p = factory; *p; p++) {
        if (!isdigit((unsigned char)*p))
            continue;
        size_t zeros = strspn(p, "0"), digits = strspn(p, "0123456789");
        if (zeros == digits)
            return true;
        p += digits - 1;
    }
    return false;
}

int lbh_float_index_new(FaissIndex **index, int d, const char *factory, int metric)
{
    if (!index)
        return lbh_error(LBH_EINVAL, "float index: nowhere to put the new index");
    if (!factory || !*factory || strlen(factory) > 256)
        return lbh_error(LBH_EINVAL, "float index: no factory string given, or an endless one");
    if (d < 1 || d > 65536)
        return lbh_error(LBH_EINVAL, "float index: the dimension (%d) must be within 1..65536", d);
    if (metric != LBH_METRIC_L2 && metric != LBH_METRIC_IP)
        return lbh_error(LBH_EINVAL, "float index: unknown metric %d", metric);
    if (has_zero(factory))
        return lbh_error(LBH_EINVAL, "\"%s\": a number in it is 0", factory);
    FaissIndex *made = NULL;
    LBH_TRY(lbh_gap_float_new(&made, d, factory, metric));
    *index = made;
    return LBH_OK;
}

int lbh_float_index_train(FaissIndex *index, int64_t n, const float *x)
{
    LBH_TRY(check_float(index, n, x, false));
    return lbh_gap_float_train(index, n, x);
}

int lbh_float_index_add(FaissIndex *index, int64_t n, const float *x)
{
    LBH_TRY(check_float(index, n, x, true));
    return n ? lbh_gap_float_add(index, n, x) : LBH_OK;
}

int lbh_float_index_search(const FaissIndex *index, int64_t n, const float *x, int64_t k,
                           float *distances, int64_t *labels)
{
    LBH_TRY(check_float(index, n, x, true));
    if (k < 1 || k > INT32_MAX || n > INT64_MAX / 16 / k)
        return lbh_error(LBH_EINVAL, "search: k (%lld) is out of range", (long long)k);
    if (n == 0)
        return LBH_OK;
    if (!distances || !labels)
        return lbh_error(LBH_EINVAL, "search: no place for the answers given");
    bool falling = faiss_Index_metric_type(index) == METRIC_INNER_PRODUCT;
    if (faiss_Index_ntotal(index) == 0) { /* FAISS 1.7.3 leaves the answers as they were */
        for (int64_t i = 0; i < n * k; i++) {
            distances[i] = falling ? -FLT_MAX : FLT_MAX;
            labels[i] = -1;
        }
        return LBH_OK;
    }
    LBH_TRY(lbh_gap_float_search(index, n, x, k, distances, labels));
    return lbh_sort_float(n, k, distances, labels, falling);
}

size_t lbh_float_index_code_size(const FaissIndex *index)
{
    return index ? lbh_gap_float_code_size(index) : 0;
}

int lbh_float_index_encode(const FaissIndex *index, int64_t n, const float *x, uint8_t *codes)
{
    LBH_TRY(check_float(index, n, x, true));
    if (n > 0 && !codes)
        return lbh_error(LBH_EINVAL, "float index: no place for the codes given");
    if (lbh_gap_float_code_size(index) == 0)
        return lbh_error(LBH_EFAISS, "float index: this kind of index has no codes of its own");
    return n ? lbh_gap_float_encode(index, n, x, codes) : LBH_OK;
}

void lbh_float_index_free(FaissIndex *index)
{
    if (index)
        faiss_Index_free(index);
}
