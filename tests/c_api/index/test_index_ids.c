/* test_index_ids.c: the ids of codes that are added without any, or come by a merge: none that lives, none above
 * 2^63 - 1, and nothing is changed where there is no such id. */
#include "cases.h"

#include <stdlib.h>
#include <string.h>

enum { N = 60, CS = 8 };

static const char *const keeping[] = {"BIVF4", "BHash6", "IDMap,BFlat", "IDMap2,BFlat",
                                      "IDMap,BIVF4", "IDMap2,BHNSW8", "IDMap,BHash4x8"};
enum { KEEPING = sizeof keeping / sizeof *keeping };

/* Codes 0 .. N-1 with ids first, first + step, ... */
static FaissIndexBinary *made(const char *kind, const uint8_t *codes, int64_t first, int64_t step)
{
    FaissIndexBinary *index = NULL;
    int64_t ids[N];
    for (int i = 0; i < N; i++)
        ids[i] = first + i * step;
    cr_ok(lbh_index_new(&index, CS, kind));
    cr_ok(lbh_index_train_codes(index, CS, N, codes));
    cr_ok(lbh_index_add_codes(index, CS, N, codes, ids));
    return index;
}

static void expect_code(const FaissIndexBinary *index, int64_t id, const uint8_t *code)
{
    uint8_t got[CS];
    cr_ok(lbh_index_reconstruct(index, id, got));
    cr_assert_arr_eq(got, code, CS, "id %lld has another code", (long long)id);
}

Test(ids, rows_without_ids_get_none_that_lives)
{
    uint8_t *codes = test_near_codes(N + 2, CS, 6, 1);
    for (int f = 0; f < KEEPING; f++) {
        FaissIndexBinary *index = made(keeping[f], codes, 100, 1); /* ids 100 .. 159, ntotal 60 */
        cr_ok(lbh_index_add_codes(index, CS, 2, codes + (size_t)N * CS, NULL));
        expect_code(index, 160, codes + (size_t)N * CS);
        expect_code(index, 161, codes + (size_t)(N + 1) * CS);
        expect_code(index, 100, codes);
        lbh_index_free(index);
    }
    free(codes);
}

Test(ids, after_a_removal_they_go_on_behind_the_greatest)
{
    static const char *const removing[] = {"BIVF4", "IDMap,BFlat", "IDMap2,BFlat", "IDMap,BIVF4"};
    uint8_t *codes = test_near_codes(N + 1, CS, 6, 2), *last = codes + (size_t)N * CS;
    for (int f = 0; f < 4; f++) {
        FaissIndexBinary *index = made(removing[f], codes, 0, 1);
        int64_t removed, gone[] = {0, 1, 2, 3, 4};
        cr_ok(lbh_index_remove(index, 5, gone, &removed));
        cr_assert_eq(removed, 5);
        cr_ok(lbh_index_add_codes(index, CS, 1, last, NULL));
        expect_code(index, N, last);
        expect_code(index, N - 5, codes + (size_t)(N - 5) * CS); /* ntotal was N - 5 */
        cr_assert_eq(lbh_index_ntotal(index), N - 4);
        lbh_index_free(index);
    }
    free(codes);
}

Test(ids, where_none_are_left_nothing_is_added)
{
    uint8_t *codes = test_near_codes(N, CS, 6, 3);
    for (int f = 0; f < KEEPING; f++) {
        FaissIndexBinary *index = made(keeping[f], codes, INT64_MAX - N, 1); /* up to 2^63 - 2 */
        cr_fails(lbh_index_add_codes(index, CS, 2, codes, NULL), LBH_EINVAL, "no 2 ids above");
        cr_assert_eq(lbh_index_ntotal(index), N);
        cr_ok(lbh_index_add_codes(index, CS, 1, codes, NULL));
        expect_code(index, INT64_MAX, codes);
        lbh_index_free(index);
    }
    free(codes);
}

Test(ids, a_merge_that_would_pass_the_last_id_moves_nothing)
{
    uint8_t *codes = test_near_codes(N, CS, 6, 4);
    for (int f = 0; f < KEEPING; f++) {
        FaissIndexBinary *a = made(keeping[f], codes, 0, 1), *b = made(keeping[f], codes, 1000, 1);
        int64_t most = INT64_MAX - (1000 + N - 1);
        cr_fails(lbh_index_merge(a, b, most + 1), LBH_EINVAL, "beyond 2^63 - 1");
        cr_fails(lbh_index_merge(a, b, INT64_MAX), LBH_EINVAL, "beyond 2^63 - 1");
        cr_assert_eq(lbh_index_ntotal(a), N);
        cr_assert_eq(lbh_index_ntotal(b), N);
        cr_ok(lbh_index_merge(a, b, most));
        expect_code(a, INT64_MAX, codes + (size_t)(N - 1) * CS);
        cr_assert_eq(lbh_index_ntotal(b), 0);
        lbh_index_free(a);
        lbh_index_free(b);
    }
    free(codes);
}

Test(ids, a_merge_brings_no_id_twice)
{
    uint8_t *codes = test_near_codes(N, CS, 6, 5);
    for (int f = 0; f < KEEPING; f++) {
        FaissIndexBinary *a = made(keeping[f], codes, 0, 2), *b = made(keeping[f], codes, 0, 2);
        cr_fails(lbh_index_merge(a, b, 10), LBH_EINVAL, "both indexes have id 10");
        cr_fails(lbh_index_merge(a, b, 2 * N - 2), LBH_EINVAL, "both indexes have id 118");
        cr_assert_eq(lbh_index_ntotal(a), N);
        cr_assert_eq(lbh_index_ntotal(b), N);
        cr_ok(lbh_index_merge(a, b, 1)); /* odd ids between the even ones */
        expect_code(a, 1, codes);
        expect_code(a, 2, codes + CS);
        cr_ok(lbh_index_merge(a, b, INT64_MAX)); /* of nothing */
        lbh_index_free(a);
        lbh_index_free(b);
    }
    free(codes);
}

Test(ids, places_take_no_add_id)
{
    static const char *const counting[] = {"BFlat", "BHNSW8", "BHash4x8"};
    uint8_t *codes = test_near_codes(N, CS, 6, 6);
    for (int f = 0; f < 3; f++) {
        FaissIndexBinary *a = NULL, *b = NULL;
        cr_ok(lbh_index_build_codes(&a, CS, counting[f], N, codes));
        cr_ok(lbh_index_build_codes(&b, CS, counting[f], N, codes));
        cr_fails(lbh_index_merge(a, b, 1000), LBH_EINVAL, "keeps no ids");
        cr_fails(lbh_index_merge(a, b, INT64_MAX), LBH_EINVAL, "keeps no ids");
        cr_assert_eq(lbh_index_ntotal(a), N);
        cr_ok(lbh_index_merge(a, b, N));
        expect_code(a, N + 3, codes + 3 * CS);
        lbh_index_free(a);
        lbh_index_free(b);
    }
    free(codes);
}
