/* test_labels.c: class labels in all their forms. */
#include "support.h"

#include "labels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *ivecs(const char *name, int n, int d, const int32_t *x)
{
    char data[1024];
    size_t size = 0;
    for (int i = 0; i < n; i++) {
        memcpy(data + size, &d, 4);
        memcpy(data + size + 4, x + i * d, 4 * (size_t)d);
        size += 4 + 4 * (size_t)d;
    }
    const char *path = test_tmp(name);
    test_spit(path, data, size);
    return path;
}

static void expect(const labels *l, int64_t row, int count, const int64_t *items)
{
    cr_assert_eq(l->start[row + 1] - l->start[row], count);
    for (int i = 0; i < count; i++)
        cr_assert_eq(l->item[l->start[row] + i], items[i]);
}

Test(labels, one_column_sparse_numbers_and_unlabelled_rows)
{
    labels l;
    cr_assert_eq(labels_open(&l, ivecs("a.ivecs", 4, 1, (int32_t[]){700, -1, 3, 700})), LBH_OK);
    cr_assert_eq(labels_dense(&l, NULL), LBH_OK);
    cr_assert_eq(l.classes, 2);
    expect(&l, 0, 1, (int64_t[]){1});
    expect(&l, 1, 0, NULL);
    expect(&l, 2, 1, (int64_t[]){0});
    labels_close(&l);
}

Test(labels, padded_lists_are_sorted)
{
    labels l;
    cr_assert_eq(labels_open(&l, ivecs("b.ivecs", 3, 3, (int32_t[]){5, 2, -1, -1, -1, -1, 9, -1, -1})),
                 LBH_OK);
    expect(&l, 0, 2, (int64_t[]){2, 5});
    expect(&l, 1, 0, NULL);
    expect(&l, 2, 1, (int64_t[]){9});
    labels_close(&l);
}

/* What is no list and no matrix is refused, whatever the kind of file. */
Test(labels, what_does_not_look_like_lists_is_refused)
{
    static const struct {
        int32_t x[6];
        const char *says;
    } cases[] = {{{5, 2, 5, 1, 2, 3}, "row 0 has class 5 twice"},
                 {{1, 2, 3, 4, -1, 5}, "row 1 has 5 behind -1"},
                 {{1, 0, 0, 0, 2, 0}, "class 0 twice"},
                 {{-1, 1, 0, 1, -1, 0}, "behind -1"},
                 {{1, 2, -2, 1, 2, -1}, "-2 behind -1"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        labels l;
        cr_assert_eq(labels_open(&l, ivecs("b.ivecs", 2, 3, cases[i].x)), LBH_EFORMAT, "%zu", i);
        cr_assert(strstr(lbh_last_error(), cases[i].says), "%s", lbh_last_error());
    }
}

/* The same labels as a matrix of 0 and 1 and of -1 and 1; all of the file says what it is. */
Test(labels, matrices_are_known_by_their_numbers)
{
    static const int32_t forms[2][9] = {{0, 1, 1, 1, 0, 0, 0, 0, 0}, {-1, 1, 1, 1, -1, -1, -1, -1, -1}};
    for (int f = 0; f < 2; f++) {
        labels l;
        char spec[512];
        const char *path = ivecs("m.ivecs", 3, 3, forms[f]);
        cr_assert_eq(labels_open(&l, path), LBH_OK, "%s", lbh_last_error());
        expect(&l, 0, 2, (int64_t[]){1, 2});
        expect(&l, 1, 1, (int64_t[]){0});
        expect(&l, 2, 0, NULL);
        labels_close(&l);
        snprintf(spec, sizeof spec, "%s@1:3", path); /* {1, -1, -1} alone could be a list */
        cr_assert_eq(labels_open(&l, spec), LBH_OK, "%s", lbh_last_error());
        cr_assert_eq(l.n, 2);
        expect(&l, 0, 1, (int64_t[]){0});
        expect(&l, 1, 0, NULL);
        labels_close(&l);
    }
}

Test(labels, a_column_of_signs_has_two_classes)
{
    labels l;
    cr_assert_eq(labels_open(&l, ivecs("s.ivecs", 3, 1, (int32_t[]){1, -1, 1})), LBH_OK);
    expect(&l, 0, 1, (int64_t[]){1});
    expect(&l, 1, 1, (int64_t[]){-1});
    labels_close(&l);
    cr_assert_eq(labels_open(&l, ivecs("s.ivecs", 3, 1, (int32_t[]){1, -1, 0})), LBH_OK);
    expect(&l, 1, 0, NULL);
    labels_close(&l);
}

Test(labels, a_column_of_ids_is_refused)
{
    enum { N = 12 };
    int32_t x[2 * N];
    labels l;
    for (int i = 0; i < N; i++) {
        x[2 * i] = 1000 + 7 * i;
        x[2 * i + 1] = i % 3;
    }
    cr_assert_eq(labels_open(&l, ivecs("i.ivecs", N, 2, x)), LBH_EFORMAT);
    cr_assert(strstr(lbh_last_error(), "column 0 has another number in every row"), "%s", lbh_last_error());
    x[2 * 5] = 1000; /* a class that comes again */
    cr_assert_eq(labels_open(&l, ivecs("i.ivecs", N, 2, x)), LBH_OK, "%s", lbh_last_error());
    labels_close(&l);
}

Test(labels, a_zero_one_matrix)
{
    labels l;
    unsigned char data[] = {2, 0, 0, 0, 3, 0, 0, 0, 0, 1, 1, 0, 0, 0};
    const char *path = test_tmp("c.u8bin");
    test_spit(path, data, sizeof data);
    cr_assert_eq(labels_open(&l, path), LBH_OK);
    expect(&l, 0, 2, (int64_t[]){1, 2});
    expect(&l, 1, 0, NULL);
    labels_close(&l);
    data[8] = 7;
    test_spit(path, data, sizeof data);
    cr_assert_eq(labels_open(&l, path), LBH_EFORMAT);
}

Test(labels, two_sets_share_their_numbers)
{
    labels a, b;
    cr_assert_eq(labels_open(&a, ivecs("d.ivecs", 2, 1, (int32_t[]){30, 10})), LBH_OK);
    cr_assert_eq(labels_open(&b, ivecs("e.ivecs", 2, 1, (int32_t[]){20, 30})), LBH_OK);
    cr_assert_eq(labels_dense(&a, &b), LBH_OK);
    cr_assert_eq(a.item[0], b.item[1]);
    cr_assert_eq(a.classes, 3);
    labels_close(&a);
    labels_close(&b);
}

Test(labels, negative_classes_and_fractions_are_refused)
{
    labels l;
    cr_assert_eq(labels_open(&l, ivecs("f.ivecs", 1, 1, (int32_t[]){-2})), LBH_EFORMAT);
    int32_t one = 1;
    float x[2];
    memcpy(&x[0], &one, 4);
    x[1] = 3;
    const char *path = test_tmp("g.fvecs");
    test_spit(path, x, sizeof x);
    cr_assert_eq(labels_open(&l, path), LBH_OK); /* as scikit-learn has them */
    expect(&l, 0, 1, (int64_t[]){3});
    labels_close(&l);
    x[1] = 0.5F;
    test_spit(path, x, sizeof x);
    cr_assert_eq(labels_open(&l, path), LBH_EFORMAT);
    cr_assert(strstr(lbh_last_error(), "row 0 holds 0.5"), "%s", lbh_last_error());
}

Test(labels, row_numbers_are_checked)
{
    int64_t *ids;
    const char *path = ivecs("h.ivecs", 3, 1, (int32_t[]){4, 0, 2});
    cr_assert_eq(read_row_ids(path, 3, 5, &ids), LBH_OK);
    cr_assert_eq(ids[0], 4);
    free(ids);
    cr_assert_eq(read_row_ids(path, 3, 4, &ids), LBH_EFORMAT);
    cr_assert_eq(read_row_ids(path, 2, 5, &ids), LBH_EFORMAT);
}
