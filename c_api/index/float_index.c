/* float_index.c: FAISS's own float indexes: exact ground truth ("Flat") and rivals ("PQ8",
 * "ITQ64,LSH"). */
#include "index_parts.h"

#include "lbh_exact.h"

#include <faiss/c_api/IndexFlat_c.h>

#include <ctype.h>
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
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
    if (metric < LBH_METRIC_L2 || metric > LBH_METRIC_COSINE)
        return lbh_error(LBH_EINVAL, "float index: unknown metric %d", metric);
    if (has_zero(factory))
        return lbh_error(LBH_EINVAL, "\"%s\": a number in it is 0", factory);
    FaissIndex *made = NULL;
    char unit[300]; /* FAISS's inner product of unit vectors; its zero vectors stay what they are */
    snprintf(unit, sizeof unit, "L2norm,%s", factory);
    if (metric == LBH_METRIC_COSINE)
        LBH_TRY(lbh_gap_float_new(&made, d, unit, LBH_METRIC_IP));
    else
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

/* FAISS's flat index finds neighbours by |x|^2 + |y|^2 - 2xy in single precision, which loses them in
 * data that lies far from 0 and among very large or small numbers. The vectors are there: the answers
 * are those of lbh_exact_search(). */
static int search_flat(FaissIndexFlat *flat, int64_t n, const float *x, int64_t k, float *distances,
                       int64_t *labels)
{
    float *stored;
    size_t size;
    faiss_IndexFlat_xb(flat, &stored, &size);
    lbh_rows rows = lbh_rows_from_matrix(faiss_Index_ntotal(flat), faiss_Index_d(flat), stored);
    double *exact = lbh_alloc_rows(n, sizeof *exact * (size_t)k, 0);
    if (!exact)
        return LBH_ENOMEM;
    bool falling = faiss_Index_metric_type(flat) == METRIC_INNER_PRODUCT;
    int rc = lbh_exact_search(&rows, falling ? LBH_METRIC_IP : LBH_METRIC_L2, n, x, NULL, k, exact,
                              labels);
    for (int64_t i = 0; i < n * k && !rc; i++)
        distances[i] = labels[i] >= 0 ? (float)exact[i] : falling ? -FLT_MAX : FLT_MAX;
    free(exact);
    return rc;
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
    FaissIndexFlat *flat = faiss_IndexFlat_cast((FaissIndex *)index);
    if (flat)
        return search_flat(flat, n, x, k, distances, labels);
    LBH_TRY(lbh_gap_float_search(index, n, x, k, distances, labels));
    return lbh_sort_float(n, k, distances, labels, falling);
}

int lbh_float_index_set(FaissIndex *index, const char *assignments)
{
    if (!index || !assignments)
        return lbh_error(LBH_EINVAL, "float index: no index, or no search parameters given");
    return *assignments ? lbh_gap_float_set(index, assignments) : LBH_OK;
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
