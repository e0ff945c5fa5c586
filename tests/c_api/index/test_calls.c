/* test_calls.c: wrong calls: each gives its code and one line that says what to do, changes nothing, and
 * prints nothing. */
#include "cases.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

Test(c_api_calls, factory_strings)
{
    static const char *const bad[] = {
        "", "BFlat ", " BFlat", "bflat", "Flat", "BFlat,", "BIVF", "BIVF0", "BIVF-1", "BIVF16,PQ8",
        "BIVF16_HNSW", "BIVF16_HNSW0", "BIVF16_HNSW1", "BIVF16_HNSW1025", "BIVF99999999999", "BHNSW1025",
        "BIVF0000000016", "BHash1x58", "BIVF1e3", "BHNSW",
        "BHNSW1", "BHNSW5000", "BHash", "BHash0", "BHash64", "BHash16x", "BHash0x8", "BHash3x0",
        "BHash16x8", "BHash9999x9999", "BHash2x60", "IDMap", "IDMap,", "IDMap3,BFlat",
        "IDMap,IDMap,BFlat", "IDMap,BFlat,IDMap", "BFlat,IDMap3", "IDMap BFlat", "LSH", "%s%n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        FaissIndexBinary *index = NULL;
        cr_assert_eq(lbh_index_new(&index, 8, bad[i]), LBH_EINVAL, "\"%s\" was taken", bad[i]);
        cr_assert_null(index);
        cr_assert(*lbh_last_error() && !strchr(lbh_last_error(), '\n'));
    }
    FaissIndexBinary *index = NULL;
    static const char *const good[] = {"BIVF000000016", "BIVF4_HNSW2", "BIVF4_HNSW1024", "BHNSW2",
                                       "BHNSW1024", "BHash1", "BHash63", "BHash8x8", "BHash1x57"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        cr_ok(lbh_index_new(&index, 8, good[i]));
        lbh_index_free(index);
        index = NULL;
    }
    cr_fails(lbh_index_new(&index, 8, "BHash9x8"), LBH_EINVAL, "64 bits");
    cr_fails(lbh_index_new(&index, 8, "BOvine"), LBH_EINVAL, "BIVF<lists>");
    cr_fails(lbh_index_new(&index, 8, NULL), LBH_EINVAL, "factory");
    cr_fails(lbh_index_new(&index, 0, "BFlat"), LBH_EINVAL, "code size");
    cr_fails(lbh_index_new(&index, SIZE_MAX / 2, "BFlat"), LBH_EINVAL, "code size");
    cr_fails(lbh_index_new(NULL, 8, "BFlat"), LBH_EINVAL, "index");
    char *endless = malloc(100001);
    memset(endless, '9', 100000);
    endless[100000] = 0;
    memcpy(endless, "BIVF", 4);
    cr_assert_eq(lbh_index_new(&index, 8, endless), LBH_EINVAL);
    cr_assert_lt(strlen(lbh_last_error()), 1000);
    free(endless);
}

static int all(const void *ctx, int64_t id)
{
    (void)ctx, (void)id;
    return 1;
}

Test(c_api_calls, nulls_and_sizes)
{
    FaissIndexBinary *index = NULL;
    uint8_t codes[64] = {0};
    int32_t d[8];
    int64_t l[8], ids[8] = {1, 2, -3, 4};
    lbh_range_result *r = NULL;
    cr_ok(lbh_index_new(&index, 8, "IDMap,BFlat"));
    cr_fails(lbh_index_add_codes(NULL, 8, 1, codes, NULL), LBH_EINVAL, "no index");
    cr_fails(lbh_index_add_codes(index, 8, 1, NULL, NULL), LBH_EINVAL, "no data");
    cr_fails(lbh_index_add_codes(index, 8, -1, codes, NULL), LBH_EINVAL, "negative");
    cr_fails(lbh_index_add_codes(index, 4, 1, codes, NULL), LBH_EINVAL, "8 bytes");
    cr_fails(lbh_index_add_codes(index, 8, 4, codes, ids), LBH_EINVAL, "row 2");
    cr_assert_eq(lbh_index_ntotal(index), 0);
    cr_ok(lbh_index_add_codes(index, 8, 2, codes, NULL));
    cr_fails(lbh_index_search_codes(NULL, 8, 1, codes, 1, d, l), LBH_EINVAL, "no index");
    cr_fails(lbh_index_search_codes(index, 8, 1, NULL, 1, d, l), LBH_EINVAL, "no data");
    cr_fails(lbh_index_search_codes(index, 8, 1, codes, 0, d, l), LBH_EINVAL, "k (0)");
    cr_fails(lbh_index_search_codes(index, 8, 1, codes, -5, d, l), LBH_EINVAL, "k (-5)");
    cr_fails(lbh_index_search_codes(index, 8, INT64_MAX, codes, 1, d, l), LBH_EINVAL, "memory");
    cr_fails(lbh_index_search_codes(index, 8, 1, codes, INT64_MAX, d, l), LBH_EINVAL, "k (");
    cr_fails(lbh_index_search_codes(index, 8, 1, codes, 1, NULL, l), LBH_EINVAL, "answers");
    cr_fails(lbh_index_search_codes(index, 8, 1, codes, 1, d, NULL), LBH_EINVAL, "answers");
    cr_fails(lbh_index_search_codes(index, 16, 1, codes, 1, d, l), LBH_EINVAL, "bytes");
    cr_fails(lbh_index_search_filtered_codes(index, 8, 1, codes, 1, NULL, NULL, d, l), LBH_EINVAL, "filter");
    cr_fails(lbh_index_search_filtered_codes(index, 8, 1, codes, 1, all, NULL, NULL, l), LBH_EINVAL,
             "answers");
    cr_fails(lbh_index_search_filtered_codes(index, 8, 1, codes, 1, all, NULL, d, NULL), LBH_EINVAL,
             "answers");
    cr_ok(lbh_index_search_filtered_codes(index, 8, 0, NULL, 1, all, NULL, NULL, NULL));
    cr_fails(lbh_index_range_search_codes(NULL, index, 8, 1, codes, 3), LBH_EINVAL, "result");
    cr_fails(lbh_index_range_search_codes(&r, NULL, 8, 1, codes, 3), LBH_EINVAL, "no index");
    cr_ok(lbh_index_search_codes(index, 8, 0, NULL, 1, NULL, NULL));
    cr_fails(lbh_index_build_codes(NULL, 8, "BFlat", 1, codes), LBH_EINVAL, "index");
    FaissIndexBinary *other = NULL;
    cr_fails(lbh_index_build_codes(&other, 8, "BIVF16", 3, codes), LBH_EINVAL, "at least 16");
    cr_fails(lbh_index_build_codes(&other, 8, "BFlat", 3, NULL), LBH_EINVAL, "no data");
    cr_assert_null(other);
    lbh_index_free(index);
    lbh_index_free(NULL);
    lbh_range_result_free(NULL);
    cr_assert_eq(lbh_index_ntotal(NULL), 0);
    cr_assert_eq(lbh_index_code_size(NULL), 0);
    cr_assert_not_null(lbh_index_kind(NULL));
}

Test(c_api_calls, encoders)
{
    FaissIndexBinary *index = NULL;
    lbh_encoder *enc = NULL;
    float x[64] = {0};
    int32_t d[4];
    int64_t l[4];
    cr_ok(lbh_index_new(&index, 8, "BFlat"));
    cr_fails(lbh_index_build(&index, NULL, "BFlat", 4, x), LBH_EINVAL, "no encoder");
    cr_fails(lbh_index_add(index, NULL, 4, x, NULL), LBH_EINVAL, "no encoder");
    cr_fails(lbh_index_search(index, NULL, 4, x, 1, d, l), LBH_EINVAL, "no encoder");
    cr_ok(lbh_encoder_new(&enc, lbh_method_name(0), 16, 64));
    FaissIndexBinary *other = NULL;
    cr_fails(lbh_index_build(&other, enc, "BFlat", 4, x), LBH_ESTATE, "not trained");
    cr_fails(lbh_index_add(index, enc, 4, x, NULL), LBH_ESTATE, "not trained");
    lbh_encoder_free(enc);
    float *data = test_mixture(300, 16, 1, NULL);
    cr_ok(lbh_encoder_new(&enc, lbh_method_name(0), 16, 12));
    cr_ok(lbh_encoder_train(enc, 300, data));
    cr_fails(lbh_index_add(index, enc, 4, data, NULL), LBH_EINVAL, "8 bytes");
    cr_fails(lbh_index_build(&other, enc, "BHash17", 300, data), LBH_EINVAL, "16 bits");
    cr_fails(lbh_index_build(&other, enc, "BIVF400", 300, data), LBH_EINVAL, "400");
    data[5 * 16 + 3] = 0.0f / 0.0f;
    cr_assert_eq(lbh_index_build(&other, enc, "BFlat", 300, data), LBH_EINVAL);
    cr_assert_null(other);
    lbh_index_free(index);
    lbh_encoder_free(enc);
    free(data);
}

Test(c_api_calls, parameters)
{
    uint8_t *codes = test_codes(400, 8, 1);
    FaissIndexBinary *ivf = NULL, *hnsw = NULL, *hash = NULL, *flat = NULL;
    cr_ok(lbh_index_build_codes(&ivf, 8, "IDMap,BIVF4_HNSW8", 400, codes));
    cr_ok(lbh_index_build_codes(&hnsw, 8, "BHNSW8", 400, codes));
    cr_ok(lbh_index_build_codes(&hash, 8, "BHash5", 400, codes));
    cr_ok(lbh_index_build_codes(&flat, 8, "BFlat", 400, codes));
    cr_fails(lbh_index_set(NULL, "nprobe=1"), LBH_EINVAL, "no index");
    cr_fails(lbh_index_set(ivf, NULL), LBH_EINVAL, "no search parameters");
    cr_ok(lbh_index_set(ivf, ""));
    cr_ok(lbh_index_set(ivf, "nprobe=4,max_codes=0,quantizer_efSearch=9"));
    cr_ok(lbh_index_set(hnsw, "efSearch=1,efConstruction=10"));
    cr_fails(lbh_index_set(ivf, "nprobe"), LBH_EINVAL, "name=value");
    cr_fails(lbh_index_set(ivf, "nprobe="), LBH_EINVAL, "whole number");
    cr_fails(lbh_index_set(ivf, "nprobe=2x"), LBH_EINVAL, "whole number");
    cr_fails(lbh_index_set(ivf, "nprobe=-2"), LBH_EINVAL, "whole number");
    cr_fails(lbh_index_set(ivf, "nprobe=2,,"), LBH_EINVAL, "name=value");
    cr_fails(lbh_index_set(ivf, "nprobe=0"), LBH_EINVAL, "1..4");
    cr_fails(lbh_index_set(ivf, "nprobe=5"), LBH_EINVAL, "1..4");
    cr_fails(lbh_index_set(ivf, "nprobe=99999999999999999999999"), LBH_EINVAL, "whole number");
    cr_fails(lbh_index_set(ivf, "nflip=1"), LBH_EINVAL,
             "nprobe, max_codes, use_heap, quantizer_efSearch, quantizer_efConstruction");
    cr_fails(lbh_index_set(hnsw, "nprobe=1"), LBH_EINVAL, "efSearch");
    cr_fails(lbh_index_set(hnsw, "quantizer_efSearch=1"), LBH_EINVAL, "efSearch");
    cr_fails(lbh_index_set(hash, "nflip=6"), LBH_EINVAL, "0..5");
    cr_fails(lbh_index_set(flat, "nprobe=1"), LBH_EINVAL, "it has use_heap");
    cr_fails(lbh_index_set(flat, "use_heap=2"), LBH_EINVAL, "0..1");
    cr_ok(lbh_index_set(flat, "use_heap=0"));
    lbh_index_free(flat);
    lbh_index_free(hash);
    lbh_index_free(hnsw);

    /* All or none: the good half of a bad line is not applied. */
    enum { K = 400 };
    int32_t d[K];
    int64_t before[K], after[K];
    cr_ok(lbh_index_set(ivf, "nprobe=1"));
    cr_ok(lbh_index_search_codes(ivf, 8, 1, codes, K, d, before));
    cr_fails(lbh_index_set(ivf, "nprobe=4,efSearch=3"), LBH_EINVAL, "efSearch");
    cr_ok(lbh_index_search_codes(ivf, 8, 1, codes, K, d, after));
    cr_assert_arr_eq(before, after, sizeof before);
    lbh_index_free(ivf);
    free(codes);
}

/* FAISS warns on stderr of small training sets and prints exceptions there: neither may show. */
Test(c_api_calls, nothing_is_printed)
{
    const char *path = test_tmp("printed");
    int file = open(path, O_CREAT | O_RDWR, 0600), old_err = dup(2), old_out = dup(1);
    fflush(NULL);
    dup2(file, 2);
    dup2(file, 1);
    FaissIndexBinary *index = NULL, *other = NULL;
    FaissIndex *flat = NULL;
    uint8_t *codes = test_codes(100, 8, 1);
    float *x = test_mixture(300, 8, 1, NULL);
    int32_t d[4];
    int64_t l[4];
    int ok = lbh_index_build_codes(&index, 8, "BIVF64", 100, codes) == LBH_OK;
    lbh_index_build_codes(&other, 8, "BIVF101", 100, codes);
    lbh_index_new(&other, 8, "nonsense");
    lbh_index_set(index, "nprobe=0");
    lbh_index_search_codes(index, 8, 1, codes, -1, d, l);
    lbh_index_load(&other, "/nowhere/at/all");
    lbh_index_save(index, "/nowhere/at/all");
    lbh_index_save(index, "/dev/full");
    lbh_float_index_new(&flat, 8, "nonsense", LBH_METRIC_L2);
    ok = ok && lbh_float_index_new(&flat, 8, "PQ2", LBH_METRIC_L2) == LBH_OK;
    ok = ok && lbh_float_index_train(flat, 300, x) == LBH_OK;
    lbh_float_index_train(flat, 10, x);
    lbh_float_index_free(flat);
    lbh_index_free(index);
    fflush(NULL);
    dup2(old_err, 2);
    dup2(old_out, 1);
    cr_assert(ok, "%s", lbh_last_error());
    cr_assert_eq(lseek(file, 0, SEEK_END), 0, "something was printed, see %s", path);
    close(file);
    free(codes);
    free(x);
}

Test(c_api_calls, version)
{
    int major, minor, patch;
    cr_assert_eq(sscanf(lbh_faiss_version(), "%d.%d.%d", &major, &minor, &patch), 3);
    cr_assert_geq(major * 10000 + minor * 100 + patch, 10703);
}
