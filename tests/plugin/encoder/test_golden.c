/* test_golden.c: the files of released versions (tests/data) are read, and mean what they meant. */
#define _POSIX_C_SOURCE 200809L
#include "golden.h"

#include "lbh.h"
#include "lbh_mih.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#define OK(call) cr_assert_eq((call), LBH_OK, "%s", lbh_last_error())

static const char *in(const char *version, const char *name, const char *extension)
{
    static char path[2][1024];
    static int turn;
    turn = !turn;
    snprintf(path[turn], sizeof path[turn], GOLDEN_DIR "/%s/%s%s", version, name, extension);
    return path[turn];
}

/* Calls `check` for each version that has golden files; returns how many there are. */
static int for_all_versions(void (*check)(const char *version))
{
    int count = 0;
    DIR *dir = opendir(GOLDEN_DIR);
    cr_assert(dir, "no directory " GOLDEN_DIR);
    for (struct dirent *e; (e = readdir(dir)) != NULL;)
        if (e->d_name[0] >= '0' && e->d_name[0] <= '9') {
            check(e->d_name);
            count++;
        }
    closedir(dir);
    return count;
}

static void same_codes(const lbh_encoder *enc, const char *version, const char *name)
{
    size_t size = GOLDEN_ROWS * lbh_encoder_code_size(enc), all;
    bool classes = lbh_encoder_nclasses(enc, NULL) > 0;
    unsigned char *expected = test_slurp(in(version, name, ".codes"), &all);
    cr_assert(expected && all == 2 * size + (classes ? GOLDEN_ROWS : 0), "%s/%s", version, name);
    float *x = golden_rows(lbh_encoder_d(enc), 0), *q = golden_rows(lbh_encoder_d(enc), 1);
    uint8_t *codes = malloc(size);
    OK(lbh_encoder_encode_queries(enc, GOLDEN_ROWS, q, codes));
    cr_assert(memcmp(codes, expected + size, size) == 0, "%s/%s: queries", version, name);
    OK(lbh_encoder_encode(enc, GOLDEN_ROWS, x, codes));
    cr_assert(memcmp(codes, expected, size) == 0, "%s/%s: codes", version, name);
    int64_t label[GOLDEN_ROWS];
    if (classes)
        OK(lbh_encoder_classify(enc, GOLDEN_ROWS, codes, label));
    for (int i = 0; classes && i < GOLDEN_ROWS; i++)
        cr_assert_eq(label[i], expected[2 * size + (size_t)i], "%s/%s: class of row %d", version,
                     name, i);
    free(expected), free(x), free(q), free(codes);
}

/* Models of what the library has dropped: they are refused, and told why. */
static bool is_retired(const char *version, const char *name)
{
    lbh_encoder *enc = NULL;
    if (strcmp(name, "sgh-ip-augmented") != 0)
        return false;
    cr_assert_eq(lbh_encoder_load(&enc, in(version, name, ".lbh")), LBH_EFORMAT);
    cr_assert(strstr(lbh_last_error(), "mips=augmented") && strstr(lbh_last_error(), "no longer"),
              "%s", lbh_last_error());
    return true;
}

static void read_models(const char *version)
{
    FILE *index = fopen(in(version, GOLDEN_INDEX, ""), "r");
    cr_assert(index, "tests/data/%s has no " GOLDEN_INDEX, version);
    char name[32], method[32];
    int d, nbits, nclasses, count = 0;
    for (unsigned long long digest;
         fscanf(index, GOLDEN_LINE, name, method, &d, &nbits, &nclasses, &digest) == 6; count++) {
        lbh_encoder *enc = NULL, *again = NULL;
        if (is_retired(version, name))
            continue;
        OK(lbh_encoder_load(&enc, in(version, name, ".lbh")));
        cr_assert_str_eq(lbh_encoder_method(enc), method);
        cr_assert(lbh_encoder_d(enc) == d && lbh_encoder_nbits(enc) == nbits);
        cr_assert_eq(lbh_encoder_nclasses(enc, NULL), nclasses, "%s", name);
        cr_assert_eq(lbh_encoder_digest(enc), digest, "%s/%s: another digest", version, name);
        cr_assert_str_eq(lbh_encoder_note(enc, "golden"), name);
        cr_assert_eq(lbh_encoder_n_train(enc), 300);
        same_codes(enc, version, name);
        /* What this version writes of it is the same model. */
        OK(lbh_encoder_save(enc, test_tmp("again.lbh")));
        OK(lbh_encoder_load(&again, test_tmp("again.lbh")));
        cr_assert_eq(lbh_encoder_digest(again), digest, "%s/%s: saved again", version, name);
        same_codes(again, version, name);
        lbh_encoder_free(enc), lbh_encoder_free(again);
    }
    cr_assert(feof(index) && count > 0, "%s: line %d of " GOLDEN_INDEX, version, count + 1);
    fclose(index);
}

Test(golden, models_of_released_versions_give_the_codes_they_gave)
{
    cr_assert(for_all_versions(read_models) > 0);
}

static void search_mih(const char *version, const char *name, size_t size, int substrings,
                       bool with_ids)
{
    enum { NQ = 6, K = MIH_CODES };
    lbh_mih *mih = NULL;
    uint8_t *codes = test_codes(MIH_CODES, size, 5);
    uint8_t *queries = test_codes(NQ, size, 6);
    int32_t distances[NQ * K], expected_distances[NQ * K];
    int64_t labels[NQ * K], expected_labels[NQ * K];
    test_naive_search(MIH_CODES, codes, NQ, queries, size, K, expected_distances,
                      expected_labels);
    OK(lbh_mih_load(&mih, in(version, name, ".mih")));
    OK(lbh_mih_verify(mih));
    cr_assert(lbh_mih_ntotal(mih) == MIH_CODES && lbh_mih_code_size(mih) == size &&
              lbh_mih_substrings(mih) == substrings);
    OK(lbh_mih_search(mih, NQ, queries, K, distances, labels, NULL));
    for (int i = 0; i < NQ * K; i++) {
        cr_assert_eq(distances[i], expected_distances[i], "%s: place %d", name, i);
        cr_assert_eq(labels[i], with_ids ? 3 * expected_labels[i] + 1 : expected_labels[i]);
    }
    lbh_mih_free(mih);
    free(codes), free(queries);
}

static void read_mihs(const char *version)
{
    if (strcmp(version, "0.1.0") == 0) { /* it has files of version 1 as well */
        search_mih(version, "plain", MIH_CODE_SIZE, MIH_SUBSTRINGS, false);
        search_mih(version, "ids", MIH_CODE_SIZE, MIH_SUBSTRINGS, true);
    }
    search_mih(version, "plain-2", MIH_CODE_SIZE, MIH_SUBSTRINGS, false);
    search_mih(version, "ids-2", MIH_CODE_SIZE, MIH_SUBSTRINGS, true);
    search_mih(version, "long-2", MIH_LONG_SIZE, MIH_LONG_SUBSTRINGS, false);
}

Test(golden, multi_index_hashes_of_released_versions_are_searched)
{
    cr_assert(for_all_versions(read_mihs) > 0);
}
