/* test_padded.c: codes whose bits are no multiple of 8 in every kind of index: the zero bits that fill
 * the last byte change no distance and no answer. The oracle counts differing signs of the
 * projections and never sees a byte. */
#include "cases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N = 500, NQ = 20, D = 12, K = 30 };

typedef struct world {
    int nbits;
    lbh_encoder *enc;
    float *x, *q;
    int32_t distance[NQ * N]; /* by signs */
} world;

static void open_world(world *w, int nbits)
{
    float *z = malloc(sizeof(float) * (size_t)((N + NQ) * nbits)), *zq = z + N * nbits;
    w->nbits = nbits;
    w->x = test_mixture(N, D, 1, NULL);
    w->q = test_mixture(NQ, D, 2, NULL);
    cr_ok(lbh_encoder_new(&w->enc, "lsh", D, nbits));
    cr_ok(lbh_encoder_train(w->enc, N, w->x));
    cr_ok(lbh_encoder_project(w->enc, N, w->x, z));
    cr_ok(lbh_encoder_project(w->enc, NQ, w->q, zq));
    for (int q = 0; q < NQ; q++)
        for (int i = 0; i < N; i++) {
            w->distance[q * N + i] = 0;
            for (int b = 0; b < nbits; b++)
                w->distance[q * N + i] += (z[i * nbits + b] >= 0) != (zq[q * nbits + b] >= 0);
        }
    free(z);
}

static void close_world(world *w)
{
    lbh_encoder_free(w->enc);
    free(w->x);
    free(w->q);
}

static int by_value(const void *a, const void *b)
{
    return *(const int32_t *)a - *(const int32_t *)b;
}

/* All answers have their true distance; with `all`, they are the nearest ones. */
static void check_search(const world *w, const FaissIndexBinary *index, const char *what, int all)
{
    int32_t d[NQ * K], best[N];
    int64_t l[NQ * K];
    cr_ok(lbh_index_search(index, w->enc, NQ, w->q, K, d, l));
    for (int q = 0; q < NQ; q++) {
        memcpy(best, w->distance + q * N, sizeof best);
        qsort(best, N, sizeof *best, by_value);
        for (int j = 0; j < K; j++) {
            int at = q * K + j;
            if (all)
                cr_assert_eq(d[at], best[j], "%s, %d bits", what, w->nbits);
            if (l[at] >= 0)
                cr_assert_eq(d[at], w->distance[q * N + l[at]], "%s, %d bits", what, w->nbits);
        }
    }
}

static void check_range(const world *w, const FaissIndexBinary *index, const char *what)
{
    enum { RADIUS = 3 };
    lbh_range_result *r;
    cr_ok(lbh_index_range_search(&r, index, w->enc, NQ, w->q, RADIUS));
    for (int q = 0; q < NQ; q++) {
        int64_t inside = 0;
        for (int i = 0; i < N; i++)
            inside += w->distance[q * N + i] < RADIUS;
        cr_assert_eq(r->lims[q + 1] - r->lims[q], inside, "%s, %d bits", what, w->nbits);
        for (int64_t i = r->lims[q]; i < r->lims[q + 1]; i++)
            cr_assert_eq(r->distances[i], w->distance[q * N + r->labels[i]], "%s", what);
    }
    lbh_range_result_free(r);
}

static void check_kind(const world *w, const char *factory, const char *thorough, int has_range)
{
    FaissIndexBinary *index = NULL;
    cr_ok(lbh_index_build(&index, w->enc, factory, N, w->x));
    cr_assert_eq(lbh_index_code_size(index), (size_t)(w->nbits + 7) / 8);
    check_search(w, index, factory, 0);
    if (thorough) {
        cr_ok(lbh_index_set(index, thorough));
        check_search(w, index, factory, 1);
        if (has_range)
            check_range(w, index, factory);
    }
    lbh_index_free(index);
}

Test(c_api_padded, every_kind_of_index)
{
    static const int sizes[] = {1, 4, 6, 10, 12, 13, 0};
    for (const int *nbits = sizes; *nbits; nbits++) {
        world w;
        char factory[48], thorough[32];
        open_world(&w, *nbits);
        check_kind(&w, "BFlat", "", 1);
        check_kind(&w, "BIVF4", "nprobe=4", 1);
        check_kind(&w, "BIVF4_HNSW4", "nprobe=4,quantizer_efSearch=16", 1);
        check_kind(&w, "BHNSW8", NULL, 0);
        check_kind(&w, "IDMap,BFlat", "", 1);
        check_kind(&w, "IDMap2,BIVF4", "nprobe=4", 1);
        check_kind(&w, "IDMap2,BHNSW8", NULL, 0);
        /* hashes of some bits, of all bits, and of all bits with the padding */
        int bits[] = {(*nbits + 1) / 2, *nbits, (*nbits + 7) / 8 * 8};
        for (int i = 0; i < 3; i++) {
            snprintf(thorough, sizeof thorough, "nflip=%d", bits[i]);
            snprintf(factory, sizeof factory, "BHash%d", bits[i]);
            check_kind(&w, factory, thorough, 1);
            snprintf(factory, sizeof factory, "IDMap,BHash%d", bits[i]);
            check_kind(&w, factory, thorough, 1);
        }
        /* two hashes of the padded length: the second holds the padding */
        int half = (*nbits + 7) / 8 * 4;
        snprintf(thorough, sizeof thorough, "nflip=%d", half);
        snprintf(factory, sizeof factory, "BHash2x%d", half);
        check_kind(&w, factory, thorough, 1);
        snprintf(factory, sizeof factory, "BHash2x%d,IDMap2", half);
        check_kind(&w, factory, thorough, 1);
        close_world(&w);
    }
}

Test(c_api_padded, hashes_longer_than_the_padded_code_are_refused)
{
    world w;
    FaissIndexBinary *index = NULL;
    open_world(&w, 6);
    cr_fails(lbh_index_build(&index, w.enc, "BHash9", N, w.x), LBH_EINVAL, "codes of 8 bits");
    cr_fails(lbh_index_build(&index, w.enc, "BHash2x5", N, w.x), LBH_EINVAL, "codes of 8 bits");
    close_world(&w);
}
