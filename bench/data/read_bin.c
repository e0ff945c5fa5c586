/* read_bin.c: files called .bin: ground truth of big-ann-benchmarks, CIFAR-10 and CIFAR-100
 * batches, word2vec's binary vectors. Which one a .bin is shows in its bytes:
 *   ground truth  uint32 n, uint32 k, n * k int32 ids, n * k float32 distances, and nothing more
 *   of a range    uint32 n, uint32 total, n uint32 counts, total int32 ids, total float32 distances; as
 *                 lists, nearest first, with -1 behind shorter ones (.rangeres is this and no other)
 *   word2vec      text "n d\n", then n times a word, a blank, d float32, and mostly a newline
 *   CIFAR-10      rows of a label below 10 and 3072 pixels, without a header
 *   CIFAR-100     rows of a coarse label below 20, a fine one below 100, and 3072 pixels */
#include "readers.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { PIXELS = 3072 };

static bool is_part(const char *part, const char *name)
{
    return part && strcmp(part, name) == 0;
}

/* ---- Ground truth -------------------------------------------------------------------------- */

static bool is_truth(const vectors *v, int64_t *n, int64_t *k)
{
    const unsigned char *p = v->map;
    size_t bytes;
    if (v->map_size < 8)
        return false;
    *n = load_u32(p);
    *k = load_u32(p + 4);
    return *n && *k && reader_bytes(*n, *k, 8, &bytes) && bytes == v->map_size - 8;
}

/* Answers of a range search; the longest list. */
static bool is_range_truth(const vectors *v, int64_t *longest)
{
    const unsigned char *p = v->map;
    if (v->map_size < 8)
        return false;
    uint64_t n = load_u32(p), total = load_u32(p + 4), sum = 0;
    if (!n || v->map_size != 8 + 4 * n + 8 * total)
        return false;
    *longest = 0;
    for (uint64_t i = 0; i < n; i++) {
        uint32_t count = load_u32(p + 8 + 4 * i);
        sum += count;
        *longest = count > *longest ? count : *longest;
    }
    return sum == total;
}

static int open_truth(vectors *v, int64_t n, int64_t k, const char *part)
{
    if (part && !is_part(part, "ids") && !is_part(part, "distances"))
        return fail_usage("'%s': ground truth has the parts ids and distances", v->name);
    LBH_TRY(reader_check_d(v->name, k));
    bool distances = is_part(part, "distances");
    v->answers = !part;
    v->n = n;
    v->d = (int)k;
    v->type = distances ? VEC_F32 : VEC_I32;
    v->stride = 4 * (size_t)k;
    v->data = (const unsigned char *)v->map + 8 + (distances ? (size_t)n * v->stride : 0);
    return LBH_OK;
}

typedef struct found {
    float distance;
    int32_t id;
} found;

static int by_distance(const void *a, const void *b)
{
    const found *x = a, *y = b;
    return x->distance != y->distance ? (x->distance > y->distance) - (x->distance < y->distance)
                                      : (x->id > y->id) - (x->id < y->id);
}

/* FAISS, which makes these answers, gives them in no order. */
static void take_range(vectors *v, found *list)
{
    const unsigned char *counts = (const unsigned char *)v->map + 8, *id = counts + 4 * (size_t)v->n,
                        *distance = id + 4 * (size_t)load_u32(counts - 4);
    int32_t *row = v->owned;
    for (int64_t q = 0; q < v->n; q++, row += v->d) {
        uint32_t count = load_u32(counts + 4 * q);
        for (uint32_t i = 0; i < count; i++, id += 4, distance += 4) {
            list[i].id = (int32_t)load_u32(id);
            memcpy(&list[i].distance, distance, sizeof(float));
        }
        qsort(list, count, sizeof *list, by_distance);
        for (int64_t i = 0; i < v->d; i++)
            row[i] = i < count ? list[i].id : -1;
    }
}

static int open_range(vectors *v, int64_t longest, const char *part)
{
    if (part && !is_part(part, "ids"))
        return fail_usage("'%s': the answers of a range search have the part ids", v->name);
    if (longest == 0)
        return fail("'%s': a range search that found nothing at all", v->name);
    LBH_TRY(reader_check_d(v->name, longest));
    v->n = load_u32(v->map);
    v->d = (int)longest;
    v->type = VEC_I32;
    v->stride = 4 * (size_t)longest;
    v->owned = cli_alloc(v->n, v->stride);
    found *list = cli_alloc(longest, sizeof *list);
    if (v->owned && list)
        take_range(v, list);
    v->data = v->owned;
    free(list);
    return list && v->owned ? LBH_OK : LBH_ENOMEM;
}

int read_rangeres(vectors *v, const char *path, const char *part)
{
    int64_t longest;
    LBH_TRY(reader_map(v, path, false));
    if (!is_range_truth(v, &longest))
        return fail("'%s' (%zu bytes) is cut off, damaged or no file of the answers of a range search",
                    v->name, v->map_size);
    return open_range(v, longest, part);
}

/* ---- CIFAR --------------------------------------------------------------------------------- */

/* Rows of `prefix` labels, each below its limit. */
static bool is_cifar(const vectors *v, size_t prefix, const int *limit)
{
    const unsigned char *p = v->map;
    size_t stride = prefix + PIXELS;
    if (v->map_size % stride)
        return false;
    for (size_t i = 0; i < v->map_size; i += stride)
        for (size_t j = 0; j < prefix; j++)
            if (p[i + j] >= limit[j])
                return false;
    return true;
}

static int open_cifar(vectors *v, size_t prefix, const char *part)
{
    bool images = !part || is_part(part, "images"), coarse = is_part(part, "coarse");
    if (!images && !is_part(part, "labels") && !(coarse && prefix == 2))
        return fail_usage("'%s': a CIFAR batch has the parts images and labels%s", v->name,
                          prefix == 2 ? ", and coarse, the labels of the 20 groups" : "");
    v->type = VEC_U8;
    v->stride = prefix + PIXELS;
    v->n = (int64_t)(v->map_size / v->stride);
    v->d = images ? PIXELS : 1;
    v->data = (const unsigned char *)v->map + (images ? prefix : coarse ? 0 : prefix - 1);
    return LBH_OK;
}

/* ---- word2vec ------------------------------------------------------------------------------ */

/* Reads "n d" and the end of the line; the bytes that it takes, or 0 if the file begins otherwise. */
static size_t parse_counts(const vectors *v, int64_t *n, int64_t *d)
{
    const unsigned char *p = v->map;
    int64_t count[2] = {0, 0};
    size_t at = 0;
    for (int i = 0; i < 2; i++) {
        size_t start = at;
        for (; at < v->map_size && at - start < 12 && isdigit(p[at]); at++)
            count[i] = 10 * count[i] + (p[at] - '0');
        if (at == start || at == v->map_size || (i == 0 && p[at++] != ' '))
            return 0;
    }
    while (at < v->map_size && (p[at] == ' ' || p[at] == '\r'))
        at++;
    if (at == v->map_size || p[at++] != '\n')
        return 0;
    *n = count[0];
    *d = count[1];
    return at;
}

/* -------------------------------------------------------------------------------------------- */

int read_bin(vectors *v, const char *path, const char *part)
{
    static const int cifar10[] = {10}, cifar100[] = {20, 100};
    int64_t n = 0, d = 0, longest;
    LBH_TRY(reader_map(v, path, false));
    if (is_truth(v, &n, &d))
        return open_truth(v, n, d, part);
    size_t at = parse_counts(v, &n, &d);
    if (at && part)
        return fail_usage("'%s': word vectors have no parts", v->name);
    if (at)
        return read_words(v, at, n, d);
    if (is_cifar(v, 1, cifar10))
        return open_cifar(v, 1, part);
    if (is_cifar(v, 2, cifar100))
        return open_cifar(v, 2, part);
    if (is_range_truth(v, &longest))
        return open_range(v, longest, part);
    return fail("'%s' (%zu bytes) is cut off, damaged or none of the .bin files that are "
                "understood: word2vec, CIFAR-10 and CIFAR-100 batches, ground truth of "
                "big-ann-benchmarks",
                v->name, v->map_size);
}
