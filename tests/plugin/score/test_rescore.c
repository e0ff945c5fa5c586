/* test_rescore.c: lbh_rescorer_rank against the formulas in double precision. */
#include "lbh.h"
#include "support.h"

#include <float.h>
#include <math.h>
#include <omp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { N = 600, NQ = 7, K = 9 };

typedef struct set {
    int d, nbits;
    size_t code_size;
    lbh_encoder *enc;
    float *x, *q, *decoded;
    uint8_t *codes;       /* of the N rows */
    float *z;             /* of the queries */
    int64_t m;            /* candidates a query */
    int64_t *ids;         /* NQ x m */
    uint8_t *candidates;  /* NQ x m codes */
} set;

/* m candidates a query: rows in a scrambled order, every ninth one missing. */
static void choose_candidates(set *s, int64_t m)
{
    s->m = m;
    s->ids = malloc(sizeof *s->ids * NQ * (size_t)m);
    s->candidates = malloc(NQ * (size_t)m * s->code_size);
    for (int64_t i = 0; i < NQ * m; i++) {
        int64_t row = (i % m * 7919 + i / m * 31) % N; /* 7919: prime to N, so no row twice */
        s->ids[i] = i % 9 == 4 ? -1 : row;
        memcpy(s->candidates + (size_t)i * s->code_size, s->codes + (size_t)row * s->code_size,
               s->code_size);
    }
}

static set make(const char *method, int d, int nbits, int64_t m)
{
    set s = {.d = d, .nbits = nbits};
    s.x = test_mixture(N, d, 3, NULL);
    s.q = test_mixture(NQ, d, 4, NULL);
    cr_assert_eq(lbh_encoder_new(&s.enc, method, d, nbits), LBH_OK);
    cr_assert_eq(lbh_encoder_train(s.enc, N, s.x), LBH_OK, "%s", lbh_last_error());
    s.code_size = lbh_encoder_code_size(s.enc);
    s.codes = malloc(N * s.code_size);
    s.z = malloc(sizeof(float) * NQ * (size_t)nbits);
    s.decoded = malloc(sizeof(float) * N * (size_t)d);
    lbh_encoder_encode(s.enc, N, s.x, s.codes);
    lbh_encoder_project_queries(s.enc, NQ, s.q, s.z);
    if (strcmp(method, "lsh") != 0)
        cr_assert_eq(lbh_encoder_decode(s.enc, N, s.codes, s.decoded), LBH_OK);
    choose_candidates(&s, m);
    return s;
}

static void drop(set *s)
{
    lbh_encoder_free(s->enc);
    free(s->x);
    free(s->q);
    free(s->z);
    free(s->codes);
    free(s->decoded);
    free(s->ids);
    free(s->candidates);
}

/* Smaller is better. */
static double score(const set *s, int mode, int metric, int64_t q, int64_t row)
{
    double sum = 0;
    const uint8_t *code = s->codes + (size_t)row * s->code_size;
    if (mode == LBH_RESCORE_MARGIN) {
        for (int j = 0; j < s->nbits; j++) {
            float z = s->z[q * s->nbits + j];
            if ((z >= 0) != (code[j / 8] >> (j % 8) & 1))
                sum += fabs((double)z);
        }
        return sum;
    }
    const float *v = (mode == LBH_RESCORE_DECODER ? s->decoded : s->x) + row * s->d;
    for (int j = 0; j < s->d; j++) {
        double a = s->q[q * s->d + j], b = v[j];
        sum += metric == LBH_METRIC_L2 ? (a - b) * (a - b) : -a * b;
    }
    return sum;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Each answer has the oracle's score, and the scores are the k best ones. */
static void check_answers(const set *s, int mode, int metric, const float *distances,
                          const int64_t *labels)
{
    double *best = malloc(sizeof *best * (size_t)s->m);
    bool falling = metric == LBH_METRIC_IP && mode != LBH_RESCORE_MARGIN;
    for (int64_t q = 0; q < NQ; q++) {
        int64_t count = 0;
        for (int64_t i = q * s->m; i < (q + 1) * s->m; i++)
            if (s->ids[i] >= 0)
                best[count++] = score(s, mode, metric, q, s->ids[i]);
        qsort(best, (size_t)count, sizeof *best, compare_doubles);
        for (int64_t j = 0; j < K; j++) {
            int64_t label = labels[q * K + j];
            double got = falling ? -distances[q * K + j] : distances[q * K + j];
            double tolerance = 1e-4 * (fabs(best[0]) + fabs(best[count - 1]));
            if (j >= count) {
                cr_assert_eq(label, -1);
                continue;
            }
            cr_assert(label >= 0);
            cr_assert_float_eq(got, score(s, mode, metric, q, label), tolerance);
            cr_assert_float_eq(got, best[j], tolerance, "query %d, place %d: %g, not %g", (int)q,
                               (int)j, got, best[j]);
        }
    }
    free(best);
}

static void check_mode(const char *method, int d, int nbits, int mode, int metric)
{
    static const int64_t sizes[] = {4, 64, 500};
    for (int i = 0; i < 3; i++) {
        set s = make(method, d, nbits, sizes[i]);
        lbh_rows rows = lbh_rows_from_matrix(N, d, s.x);
        lbh_rescorer *r = NULL;
        float distances[NQ * K];
        int64_t labels[NQ * K];
        cr_assert_eq(lbh_rescorer_new(&r, s.enc, mode, metric, &rows), LBH_OK, "%s",
                     lbh_last_error());
        cr_assert_eq(lbh_rescorer_rank(r, NQ, s.q, s.m, s.candidates, s.ids, s.m, K, distances,
                                       labels), LBH_OK, "%s", lbh_last_error());
        check_answers(&s, mode, metric, distances, labels);
        lbh_rescorer_free(r);
        drop(&s);
    }
}

Test(rescore, margins)
{
    check_mode("lsh", 24, 64, LBH_RESCORE_MARGIN, LBH_METRIC_L2);
    check_mode("itq", 24, 20, LBH_RESCORE_MARGIN, LBH_METRIC_IP);
}

/* Fewer bits than dimensions (reduced norms), as many, and no whole bytes. */
Test(rescore, decoder)
{
    for (int metric = LBH_METRIC_L2; metric <= LBH_METRIC_IP; metric++) {
        check_mode("itq", 40, 16, LBH_RESCORE_DECODER, metric);
        check_mode("itq", 20, 20, LBH_RESCORE_DECODER, metric);
        check_mode("itq", 33, 12, LBH_RESCORE_DECODER, metric);
    }
}

Test(rescore, vectors)
{
    check_mode("lsh", 24, 32, LBH_RESCORE_FLOAT, LBH_METRIC_L2);
    check_mode("lsh", 7, 8, LBH_RESCORE_FLOAT, LBH_METRIC_IP);
    check_mode("lsh", 16, 8, LBH_RESCORE_FLOAT, LBH_METRIC_L2);
}

/* A decoder whose rows are linearly dependent: its Gram matrix has no full rank. */
Test(rescore, decoder_without_full_rank)
{
    enum { D = 30, BITS = 16 };
    float *x = test_mixture(N, 4, 3, NULL), *wide = calloc(N * D, sizeof *wide);
    for (int i = 0; i < N * 4; i++)
        wide[i / 4 * D + i % 4] = x[i];
    lbh_encoder *enc = NULL;
    lbh_rescorer *r = NULL;
    uint8_t *codes = malloc(N * 2);
    int64_t ids[N], a[K], b[K];
    float got[K], want[K];
    for (int i = 0; i < N; i++)
        ids[i] = i;
    cr_assert_eq(lbh_encoder_new(&enc, "itq", D, BITS), LBH_OK);
    cr_assert_eq(lbh_encoder_train(enc, N, wide), LBH_OK, "%s", lbh_last_error());
    cr_assert_eq(lbh_encoder_encode(enc, N, wide, codes), LBH_OK);
    cr_assert_eq(lbh_rescorer_new(&r, enc, LBH_RESCORE_DECODER, LBH_METRIC_L2, NULL), LBH_OK);
    cr_assert_eq(lbh_rescorer_rank(r, 1, wide, N, codes, ids, 0, K, got, a), LBH_OK);
    cr_assert_eq(lbh_encoder_search_decoded(enc, LBH_METRIC_L2, N, codes, 1, wide, K, want, b),
                 LBH_OK);
    for (int i = 0; i < K; i++)
        cr_assert_float_eq(got[i], want[i], 1e-3 * (1 + want[K - 1]));
    lbh_rescorer_free(r);
    lbh_encoder_free(enc);
    free(codes);
    free(x);
    free(wide);
}

/* With all items as candidates the answers are those of the exhaustive search. */
Test(rescore, agrees_with_exhaustive_search)
{
    set s = make("itq", 16, 16, 10);
    int64_t *ids = malloc(sizeof *ids * NQ * N), labels[NQ * K], expected[NQ * K];
    uint8_t *codes = malloc(NQ * N * s.code_size);
    float distances[NQ * K], wanted[NQ * K];
    for (int64_t i = 0; i < NQ * N; i++)
        ids[i] = N - 1 - i % N;
    for (int64_t i = 0; i < NQ * N; i++)
        memcpy(codes + (size_t)i * s.code_size, s.codes + (size_t)ids[i] * s.code_size,
               s.code_size);
    for (int metric = LBH_METRIC_L2; metric <= LBH_METRIC_IP; metric++) {
        lbh_rescorer *r = NULL;
        cr_assert_eq(lbh_rescorer_new(&r, s.enc, LBH_RESCORE_DECODER, metric, NULL), LBH_OK);
        cr_assert_eq(lbh_rescorer_rank(r, NQ, s.q, N, codes, ids, 0, K, distances, labels), LBH_OK);
        cr_assert_eq(lbh_encoder_search_decoded(s.enc, metric, N, s.codes, NQ, s.q, K, wanted,
                                                expected), LBH_OK);
        /* d = nbits: the same tables and norms */
        cr_assert_arr_eq(labels, expected, sizeof labels);
        cr_assert_arr_eq(distances, wanted, sizeof distances);
        lbh_rescorer_free(r);
    }
    free(ids);
    free(codes);
    drop(&s);
}

/* Equal scores come by id, whatever the order of the candidates. */
Test(rescore, ties_by_id)
{
    set s = make("itq", 16, 16, 10);
    int64_t ids[300], labels[K];
    float distances[K], first = 0;
    uint8_t *codes = malloc(300 * s.code_size);
    for (int i = 0; i < 300; i++) {
        ids[i] = INT64_C(1) << 40 | (i * 77 + 5) % 300; /* all with one code; ids beyond 32 bits */
        memcpy(codes + (size_t)i * s.code_size, s.codes, s.code_size);
    }
    for (int mode = LBH_RESCORE_MARGIN; mode <= LBH_RESCORE_DECODER; mode++) {
        lbh_rescorer *r = NULL;
        cr_assert_eq(lbh_rescorer_new(&r, s.enc, mode, LBH_METRIC_L2, NULL), LBH_OK);
        cr_assert_eq(lbh_rescorer_rank(r, 1, s.q, 300, codes, ids, 0, K, distances, labels),
                     LBH_OK);
        first = distances[0];
        for (int i = 0; i < K; i++) {
            cr_assert_eq(labels[i], INT64_C(1) << 40 | i);
            cr_assert_eq(distances[i], first);
        }
        lbh_rescorer_free(r);
    }
    free(codes);
    drop(&s);
}

static atomic_long rows_read;

static int count_and_read(const lbh_rows *self, int64_t count, const int64_t *ids, float *x)
{
    atomic_fetch_add(&rows_read, count);
    const float *all = self->ctx;
    for (int64_t i = 0; i < count; i++)
        memcpy(x + i * self->d, all + ids[i] * self->d, sizeof *x * (size_t)self->d);
    return LBH_OK;
}

static int compare_ids(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* The vectors of the best `keep` candidates by margin are read, and no others. */
Test(rescore, reads_what_margins_choose)
{
    enum { KEEP = 40 };
    set s = make("lsh", 24, 64, 300);
    lbh_rows rows = {N, s.d, count_and_read, s.x};
    lbh_rescorer *vectors = NULL, *margins = NULL;
    float distances[NQ * KEEP];
    int64_t got[NQ * KEEP], want[NQ * KEEP];
    cr_assert_eq(lbh_rescorer_new(&vectors, s.enc, LBH_RESCORE_FLOAT, LBH_METRIC_L2, &rows),
                 LBH_OK);
    cr_assert_eq(lbh_rescorer_new(&margins, s.enc, LBH_RESCORE_MARGIN, LBH_METRIC_L2, NULL),
                 LBH_OK);
    rows_read = 0;
    cr_assert_eq(lbh_rescorer_rank(vectors, NQ, s.q, s.m, s.candidates, s.ids, KEEP, KEEP,
                                   distances, got), LBH_OK);
    cr_assert_eq(rows_read, NQ * KEEP);
    for (int64_t q = 0; q < NQ; q++)
        for (int i = 1; i < KEEP; i++)
            cr_assert(distances[q * KEEP + i - 1] <= distances[q * KEEP + i]);
    cr_assert_eq(lbh_rescorer_rank(margins, NQ, s.q, s.m, s.candidates, s.ids, 0, KEEP, distances,
                                   want), LBH_OK);
    for (int64_t q = 0; q < NQ; q++) { /* the same sets */
        qsort(got + q * KEEP, KEEP, sizeof *got, compare_ids);
        qsort(want + q * KEEP, KEEP, sizeof *want, compare_ids);
    }
    cr_assert_arr_eq(got, want, sizeof got);
    rows_read = 0; /* without codes there is nothing to choose by */
    cr_assert_eq(lbh_rescorer_rank(vectors, NQ, s.q, s.m, NULL, s.ids, KEEP, KEEP, distances, got),
                 LBH_OK);
    int64_t present = 0;
    for (int64_t i = 0; i < NQ * s.m; i++)
        present += s.ids[i] >= 0;
    cr_assert_eq(rows_read, present);
    lbh_rescorer_free(vectors);
    lbh_rescorer_free(margins);
    drop(&s);
}

Test(rescore, threads_do_not_matter)
{
    set s = make("itq", 24, 24, 500);
    float one[NQ * K], many[NQ * K];
    int64_t a[NQ * K], b[NQ * K];
    lbh_rescorer *r = NULL;
    cr_assert_eq(lbh_rescorer_new(&r, s.enc, LBH_RESCORE_DECODER, LBH_METRIC_L2, NULL), LBH_OK);
    omp_set_num_threads(1);
    cr_assert_eq(lbh_rescorer_rank(r, NQ, s.q, s.m, s.candidates, s.ids, 0, K, one, a), LBH_OK);
    omp_set_num_threads(4);
    cr_assert_eq(lbh_rescorer_rank(r, NQ, s.q, s.m, s.candidates, s.ids, 0, K, many, b), LBH_OK);
    cr_assert_arr_eq(one, many, sizeof one);
    cr_assert_arr_eq(a, b, sizeof a);
    lbh_rescorer_free(r);
    drop(&s);
}

static int fail_to_read(const lbh_rows *self, int64_t count, const int64_t *ids, float *x)
{
    (void)self, (void)count, (void)ids, (void)x;
    return LBH_EIO;
}

#define REFUSED(code, call, words)                                                                 \
    do {                                                                                           \
        cr_assert_eq((call), (code), "%s", lbh_last_error());                                      \
        cr_assert(strstr(lbh_last_error(), words), "\"%s\" lacks \"%s\"", lbh_last_error(), words);\
    } while (0)

Test(rescore, errors)
{
    set s = make("lsh", 24, 16, 20);
    lbh_encoder *raw = NULL;
    lbh_rescorer *r = NULL;
    lbh_rows rows = lbh_rows_from_matrix(N, 24, s.x), few = lbh_rows_from_matrix(3, 24, s.x),
             narrow = lbh_rows_from_matrix(N, 12, s.x), broken = {N, 24, fail_to_read, NULL};
    float distances[NQ * K];
    int64_t labels[NQ * K];
    lbh_encoder_new(&raw, "lsh", 24, 16);
    REFUSED(LBH_EINVAL, lbh_rescorer_new(NULL, s.enc, 1, 0, NULL), "NULL");
    REFUSED(LBH_EINVAL, lbh_rescorer_new(&r, s.enc, 4, 0, NULL), "mode (4)");
    REFUSED(LBH_EINVAL, lbh_rescorer_new(&r, s.enc, 0, 0, NULL), "mode (0)");
    REFUSED(LBH_EINVAL, lbh_rescorer_new(&r, s.enc, 1, 5, NULL), "metric (5)");
    REFUSED(LBH_ESTATE, lbh_rescorer_new(&r, raw, 1, 0, NULL), "not trained");
    REFUSED(LBH_EINVAL, lbh_rescorer_new(&r, s.enc, LBH_RESCORE_DECODER, 0, NULL), "no decoder");
    REFUSED(LBH_EINVAL, lbh_rescorer_new(&r, s.enc, LBH_RESCORE_FLOAT, 0, NULL), "rows");
    REFUSED(LBH_EINVAL, lbh_rescorer_new(&r, s.enc, LBH_RESCORE_FLOAT, 0, &narrow), "12 floats");
    cr_assert_null(r);
    cr_assert_eq(lbh_rescorer_new(&r, s.enc, LBH_RESCORE_MARGIN, 0, NULL), LBH_OK);
#define RANK(m, codes, k)                                                                          \
    lbh_rescorer_rank(r, NQ, s.q, m, codes, s.ids, 0, k, distances, labels)
    REFUSED(LBH_EINVAL, RANK(20, s.candidates, 0), "k (0)");
    REFUSED(LBH_EINVAL, RANK(-1, s.candidates, K), "m (-1)");
    REFUSED(LBH_EINVAL, RANK(20, NULL, K), "needs the codes");
    s.q[25] = NAN;
    REFUSED(LBH_EINVAL, RANK(20, s.candidates, K), "query 1");
    s.q[25] = 0;
    cr_assert_eq(RANK(0, s.candidates, K), LBH_OK); /* no candidates: no answers */
    for (int i = 0; i < NQ * K; i++)
        cr_assert(labels[i] == -1 && distances[i] == FLT_MAX);
    cr_assert_eq(lbh_rescorer_rank(r, 0, NULL, 20, NULL, NULL, 0, K, NULL, NULL), LBH_OK);
    lbh_rescorer_free(r);
    cr_assert_eq(lbh_rescorer_new(&r, s.enc, LBH_RESCORE_FLOAT, 0, &few), LBH_OK);
    REFUSED(LBH_EINVAL, RANK(20, s.candidates, K), "3 stored vectors");
    lbh_rescorer_free(r);
    cr_assert_eq(lbh_rescorer_new(&r, s.enc, LBH_RESCORE_FLOAT, 0, &broken), LBH_OK);
    cr_assert_eq(RANK(20, s.candidates, K), LBH_EIO);
    lbh_rescorer_free(r);
    cr_assert_eq(lbh_rescorer_new(&r, s.enc, LBH_RESCORE_FLOAT, 0, &rows), LBH_OK);
    cr_assert_eq(RANK(20, s.candidates, K), LBH_OK);
    lbh_rescorer_free(r);
    lbh_rescorer_free(NULL);
    lbh_encoder_free(raw);
    drop(&s);
}
