/* test_export.c: exported indexes, read back by the FAISS that is linked: the distances of our codes,
 * and the scores of our decoder. tests/bench/test_export.py does the same in stock Python FAISS. */
#include "cases.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = 800, NQ = 20, D = 24, K = 5 };

typedef struct world {
    lbh_encoder *enc;
    float *x, *q;
    lbh_rows rows;
    uint8_t *codes, *query_codes;
} world;

static void open_world(world *w, const char *method, const char *options, int nbits)
{
    w->x = test_mixture(N, D, 1, NULL);
    w->q = test_mixture(NQ, D, 2, NULL);
    w->rows = lbh_rows_from_matrix(N, D, w->x);
    w->enc = NULL;
    cr_ok(lbh_encoder_new(&w->enc, method, D, nbits));
    cr_ok(lbh_encoder_set(w->enc, options));
    cr_ok(lbh_encoder_train(w->enc, N, w->x));
    size_t code_size = lbh_encoder_code_size(w->enc);
    w->codes = malloc(N * code_size);
    w->query_codes = malloc(NQ * code_size);
    cr_ok(lbh_encoder_encode(w->enc, N, w->x, w->codes));
    cr_ok(lbh_encoder_encode_queries(w->enc, NQ, w->q, w->query_codes));
}

static void close_world(world *w)
{
    lbh_encoder_free(w->enc);
    free(w->x);
    free(w->q);
    free(w->codes);
    free(w->query_codes);
}

/* Searches an export and compares with the naive search over our codes. */
static void check_hamming(const world *w, const char *format, const char *options)
{
    size_t code_size = lbh_encoder_code_size(w->enc);
    const char *path = test_tmp("export.faiss");
    FaissIndex *index = NULL;
    float d[NQ * K];
    int64_t l[NQ * K], true_l[NQ * K];
    int32_t true_d[NQ * K];
    cr_ok(lbh_export_faiss(w->enc, format, options, &w->rows, path));
    cr_ok(lbh_float_index_load(&index, path));
    cr_ok(lbh_float_index_search(index, NQ, w->q, K, d, l));
    test_naive_search(N, w->codes, NQ, w->query_codes, code_size, K, true_d, true_l);
    for (int i = 0; i < NQ * K; i++) {
        cr_assert_eq(d[i], (float)true_d[i], "%s %s", format, options);
        cr_assert_eq(test_hamming(w->codes + (size_t)l[i] * code_size,
                                  w->query_codes + (size_t)(i / K) * code_size, code_size),
                     true_d[i]);
    }
    lbh_float_index_free(index);
}

Test(c_api_export, hamming)
{
    static const int nbits[] = {8, 20, 24};
    for (int i = 0; i < 3; i++) {
        world w;
        open_world(&w, "itq", "", nbits[i]);
        check_hamming(&w, "faiss-lsh", NULL);
        check_hamming(&w, "faiss-ivf", "nlist=7,nprobe=7");
        close_world(&w);
    }
}

/* Queries by a map of q / ||q||, items by a search. */
Test(c_api_export, items_and_queries_apart)
{
    static const char *const options[] = {"metric=ip,mips=searched,steps=100,alternations=3",
                                          "score=decoder,alternations=3"};
    for (int i = 0; i < 2; i++) {
        world w;
        open_world(&w, "sgh", options[i], 32);
        check_hamming(&w, "faiss-lsh", "");
        check_hamming(&w, "faiss-ivf", "nlist=4,nprobe=4");
        cr_fails(lbh_export_faiss(w.enc, "faiss-lsh", NULL, NULL, test_tmp("no.faiss")), LBH_EINVAL,
                 "give the base rows");
        close_world(&w);
    }
}

/* The decoder's score, by FAISS's additive quantizer. */
static void check_decoder(const world *w, int metric, const char *options)
{
    const char *path = test_tmp("aq.faiss");
    FaissIndex *index = NULL;
    float d[NQ * K], true_d[NQ * K];
    int64_t l[NQ * K], true_l[NQ * K];
    cr_ok(lbh_export_faiss(w->enc, "faiss-aq", options, &w->rows, path));
    cr_ok(lbh_float_index_load(&index, path));
    cr_ok(lbh_float_index_search(index, NQ, w->q, K, d, l));
    cr_ok(lbh_encoder_search_decoded(w->enc, metric, N, w->codes, NQ, w->q, K, true_d, true_l));
    for (int i = 0; i < NQ * K; i++)
        cr_assert_float_eq(d[i], true_d[i], 1e-3f * fabsf(true_d[i]) + 1e-3f, "%s", options);
    lbh_float_index_free(index);
}

Test(c_api_export, decoder)
{
    static const int nbits[] = {8, 32, 45, 32, 45};
    for (int i = 0; i < 5; i++) {
        world w;
        const char *options = i < 3 ? "steps=100,decoder=linear" : "steps=100,decoder=tables";
        open_world(&w, "sgh", options, nbits[i]);
        check_decoder(&w, LBH_METRIC_L2, "metric=l2,norms=none");
        check_decoder(&w, LBH_METRIC_L2, "metric=l2,norms=float");
        check_decoder(&w, LBH_METRIC_L2, "norms=float,nlist=5,nprobe=5");
        check_decoder(&w, LBH_METRIC_IP, "metric=ip");
        check_decoder(&w, LBH_METRIC_IP, "metric=ip,nlist=5,nprobe=5");
        close_world(&w);
    }
}

/* The norm of a row in one of 256 steps: every row's distance, the largest norm's too, is off by half a
 * step. */
Test(c_api_export, norm_bytes)
{
    static float d[N], true_d[N], by_row[N];
    static int64_t l[N], true_l[N];
    world w;
    open_world(&w, "sgh", "steps=100", 32);
    const char *path = test_tmp("bytes.faiss");
    float *decoded = malloc(sizeof *decoded * N * D), low = INFINITY, high = 0;
    cr_ok(lbh_encoder_decode(w.enc, N, w.codes, decoded));
    for (int i = 0; i < N; i++) {
        float norm = 0;
        for (int t = 0; t < D; t++)
            norm += decoded[i * D + t] * decoded[i * D + t];
        low = fminf(low, norm);
        high = fmaxf(high, norm);
    }
    FaissIndex *index = NULL;
    cr_ok(lbh_export_faiss(w.enc, "faiss-aq", "norms=byte", &w.rows, path));
    cr_ok(lbh_float_index_load(&index, path));
    cr_ok(lbh_float_index_search(index, 1, w.q, N, d, l));
    cr_ok(lbh_encoder_search_decoded(w.enc, LBH_METRIC_L2, N, w.codes, 1, w.q, N, true_d, true_l));
    for (int i = 0; i < N; i++)
        by_row[true_l[i]] = true_d[i];
    for (int i = 0; i < N; i++)
        cr_assert_float_eq(d[i], by_row[l[i]], (high - low) / 512 + 1e-4f * high, "row %d", (int)l[i]);
    lbh_float_index_free(index);
    free(decoded);
    close_world(&w);
}

Test(c_api_export, refusals)
{
    world w;
    const char *path = test_tmp("never.faiss");
    open_world(&w, "lsh", "", 32);
    cr_fails(lbh_export_faiss(NULL, "faiss-lsh", NULL, NULL, path), LBH_EINVAL, "no encoder");
    cr_fails(lbh_export_faiss(w.enc, "faiss-lsh", NULL, NULL, NULL), LBH_EINVAL, "file name");
    cr_fails(lbh_export_faiss(w.enc, NULL, NULL, NULL, path), LBH_EINVAL, "none of");
    cr_fails(lbh_export_faiss(w.enc, "faiss-pq", NULL, NULL, path), LBH_EINVAL, "faiss-pq");
    cr_fails(lbh_export_faiss(w.enc, "faiss-lsh", "nlist=4", NULL, path), LBH_EINVAL, "none");
    cr_fails(lbh_export_faiss(w.enc, "faiss-aq", "norms=some", NULL, path), LBH_EINVAL, "some");
    cr_fails(lbh_export_faiss(w.enc, "faiss-aq", "norms", NULL, path), LBH_EINVAL, "name=value");
    cr_fails(lbh_export_faiss(w.enc, "faiss-aq", NULL, NULL, path), LBH_EINVAL, "decoder");
    cr_fails(lbh_export_faiss(w.enc, "faiss-ivf", NULL, NULL, path), LBH_EINVAL, "give some");
    cr_fails(lbh_export_faiss(w.enc, "faiss-ivf", "nlist=801", &w.rows, path), LBH_EINVAL, "801");
    cr_fails(lbh_export_faiss(w.enc, "faiss-ivf", "nlist=x", &w.rows, path), LBH_EINVAL, "whole");
    cr_fails(lbh_export_faiss(w.enc, "faiss-ivf", "nlist=4,nprobe=5", &w.rows, path), LBH_EINVAL,
             "above nlist");
    cr_fails(lbh_export_faiss(w.enc, "faiss-lsh", NULL, NULL, "/nowhere/x"), LBH_EIO, "/nowhere/x");
    lbh_rows narrow = lbh_rows_from_matrix(N, D - 1, w.x);
    cr_fails(lbh_export_faiss(w.enc, "faiss-lsh", NULL, &narrow, path), LBH_EINVAL, "dimension 23");
    w.x[700 * D] = NAN;
    cr_fails(lbh_export_faiss(w.enc, "faiss-lsh", NULL, &w.rows, path), LBH_EINVAL, "NaN");
    FaissIndex *index = NULL;
    cr_fails(lbh_float_index_load(&index, path), LBH_EIO, "No such file");
    close_world(&w);
}
