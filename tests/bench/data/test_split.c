/* test_split.c: queries, base and training rows out of labelled sets. */
#include "support.h"

#include "split.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Rows with one class of K (several = 0), or with up to three; every tenth row has none. */
static labels make_labels(int64_t n, int classes, int several)
{
    labels l = {0};
    cr_assert_eq(labels_alloc(&l, n, 3 * n), LBH_OK);
    for (int64_t i = 0, at = 0; i < n; i++) {
        int64_t count = several ? 1 + (int64_t)(3 * test_uniform(2, (uint64_t)i)) : 1;
        if (i % 10 == 9)
            count = 0;
        for (int64_t j = 0; j < count; j++) /* low classes are more frequent */
            l.item[at + j] = (int64_t)(classes * pow(test_uniform(4, (uint64_t)(3 * i + j)), 1.5));
        at += sort_unique(l.item + at, count);
        l.start[i + 1] = at;
    }
    cr_assert_eq(labels_dense(&l, NULL), LBH_OK);
    return l;
}

static bool has(const labels *l, int64_t row, int64_t c)
{
    for (int64_t i = l->start[row]; i < l->start[row + 1]; i++)
        if (l->item[i] == c)
            return true;
    return false;
}

static int64_t count_class(const labels *l, int64_t c, int64_t n, const int64_t *rows)
{
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++)
        count += has(l, rows ? rows[i] : i, c);
    return count;
}

/* How often each row is in a part. The rows of a part rise. */
static void mark(const int64_t *rows, int64_t n, int add, int *seen)
{
    for (int64_t i = 0; i < n; i++) {
        cr_assert(i == 0 || rows[i] > rows[i - 1]);
        seen[rows[i]] += add;
    }
}

enum { N = 3000 };

static void check(const split_plan *plan, const labels *l, const split_rows *r, int several,
                  int64_t classes)
{
    int seen[N] = {0};
    mark(r->query, r->nquery, 1, seen);
    mark(r->base, r->nbase, 2, seen);
    mark(r->train, r->ntrain, 4, seen);
    for (int64_t i = 0; i < N; i++) /* a query, base, or base and training; or dropped */
        cr_assert(seen[i] == 1 || seen[i] == 2 || seen[i] == 6 ||
                      (plan->classes && seen[i] == 0 && l->start[i] == l->start[i + 1]),
                  "row %d is in %d", (int)i, seen[i]);
    cr_assert_eq(r->nquery, plan->queries * classes);
    cr_assert_eq(r->ntrain, plan->train ? plan->train * classes : r->nbase);
    for (int64_t c = 0; c < l->classes; c++) {
        if (count_class(l, c, N, NULL) == 0)
            continue;
        int64_t q = count_class(l, c, r->nquery, r->query);
        int64_t t = count_class(l, c, r->ntrain, r->train);
        cr_assert(several ? q >= plan->queries : q == plan->queries, "class %d", (int)c);
        if (plan->train)
            cr_assert(several ? t >= plan->train : t == plan->train, "class %d", (int)c);
    }
}

Test(split, parts_are_disjoint_and_as_large_as_asked)
{
    static const split_plan plans[] = {{10, 20, 0, 1}, {1, 0, 0, 7}, {0, 15, 0, 0}, {5, 10, 4, 3}};
    for (int several = 0; several < 2; several++)
        for (size_t i = 0; i < sizeof plans / sizeof *plans; i++) {
            labels l = make_labels(N, 8, several);
            split_rows r;
            int64_t classes = plans[i].classes ? plans[i].classes : l.classes;
            cr_assert_eq(l.classes, 8);
            cr_assert_eq(split_make(&r, &plans[i], &l), LBH_OK, "%s", lbh_last_error());
            check(&plans[i], &l, &r, several, classes);
            split_free(&r);
            labels_close(&l);
        }
}

Test(split, is_a_function_of_the_seed)
{
    labels l = make_labels(N, 8, 1);
    split_rows a, b, c;
    split_plan plan = {10, 20, 0, 1};
    cr_assert_eq(split_make(&a, &plan, &l), LBH_OK);
    cr_assert_eq(split_make(&b, &plan, &l), LBH_OK);
    plan.seed = 2;
    cr_assert_eq(split_make(&c, &plan, &l), LBH_OK);
    cr_assert_arr_eq(a.query, b.query, (size_t)a.nquery * sizeof *a.query);
    cr_assert_arr_eq(a.train, b.train, (size_t)a.ntrain * sizeof *a.train);
    cr_assert(memcmp(a.query, c.query, (size_t)a.nquery * sizeof *a.query) != 0);
    /* fewer training rows are the first ones of more; the queries do not change */
    split_rows d;
    plan = (split_plan){10, 5, 0, 1};
    labels single = make_labels(N, 8, 0);
    split_free(&a);
    cr_assert_eq(split_make(&d, &plan, &single), LBH_OK);
    plan.train = 20;
    cr_assert_eq(split_make(&a, &plan, &single), LBH_OK);
    cr_assert_arr_eq(a.query, d.query, (size_t)a.nquery * sizeof *a.query);
    int seen[N] = {0};
    mark(a.train, a.ntrain, 1, seen);
    mark(d.train, d.ntrain, 2, seen);
    for (int i = 0; i < N; i++)
        cr_assert_neq(seen[i], 2);
    split_free(&a), split_free(&b), split_free(&c), split_free(&d);
    labels_close(&l);
    labels_close(&single);
}

/* Every row is as likely as every other: a chi-squared of the choice over 20 groups of rows. */
Test(split, rows_are_chosen_evenly)
{
    double groups[20] = {0}, chi = 0;
    labels l = make_labels(N, 1, 0);
    for (int64_t seed = 0; seed < 40; seed++) {
        split_rows r;
        split_plan plan = {100, 0, 0, seed};
        cr_assert_eq(split_make(&r, &plan, &l), LBH_OK);
        for (int64_t i = 0; i < r.nquery; i++)
            groups[r.query[i] * 20 / N]++;
        split_free(&r);
    }
    for (int g = 0; g < 20; g++)
        chi += (groups[g] - 200) * (groups[g] - 200) / 200;
    cr_assert_lt(chi, 44, "19 degrees of freedom, chi-squared %g: p < 0.001", chi);
    labels_close(&l);
}

Test(split, rare_classes_take_first)
{
    /* class 0: all rows; class 1: rows 0 and 1 only. The rare class must not find them taken. */
    labels l = {0};
    cr_assert_eq(labels_alloc(&l, 10, 12), LBH_OK);
    for (int64_t i = 0, at = 0; i < 10; i++) {
        l.item[at++] = 0;
        if (i < 2)
            l.item[at++] = 1;
        l.start[i + 1] = at;
    }
    labels_dense(&l, NULL);
    for (int64_t seed = 0; seed < 20; seed++) {
        split_rows r;
        split_plan plan = {2, 0, 0, seed};
        cr_assert_eq(split_make(&r, &plan, &l), LBH_OK, "%s", lbh_last_error());
        cr_assert_eq(r.nquery, 4);
        cr_assert(r.query[0] == 0 && r.query[1] == 1);
        split_free(&r);
    }
    labels_close(&l);
}

Test(split, too_few_rows_and_bad_plans_are_refused)
{
    labels l = make_labels(N, 8, 0);
    split_rows r;
    split_plan plan = {1000, 0, 0, 0};
    cr_assert_eq(split_make(&r, &plan, &l), LBH_EFORMAT);
    cr_assert(strstr(lbh_last_error(), "class ") && strstr(lbh_last_error(), "queries-per-class=1000"), "%s",
              lbh_last_error());
    plan = (split_plan){1, 1000, 0, 0};
    cr_assert_eq(split_make(&r, &plan, &l), LBH_EFORMAT);
    cr_assert(strstr(lbh_last_error(), "train-per-class=1000"), "%s", lbh_last_error());
    plan = (split_plan){1, 0, 9, 0};
    cr_assert_eq(split_make(&r, &plan, &l), LBH_EFORMAT);
    cr_assert(strstr(lbh_last_error(), "classes=9") && strstr(lbh_last_error(), "8 classes"));
    labels_close(&l);
    static const char *const bad[] = {"", "seed=1", "queries-per-class", "queries-per-class=0",
                                      "queries-per-class=x", "train-per-class=5,", "train=5",
                                      "queries-per-class=1,queries-per-class =2"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert_eq(split_parse(&plan, bad[i]), CLI_EUSAGE, "%s", bad[i]);
    cr_assert_eq(split_parse(&plan, "seed=5,train-per-class=3,queries-per-class=2,classes=4"),
                 LBH_OK);
    cr_assert(plan.seed == 5 && plan.train == 3 && plan.queries == 2 && plan.classes == 4);
}

/* The rows of the parts are the rows of the files, and so are their labels. */
Test(split, parts_of_two_files)
{
    split_data d;
    split_plan plan = {1, 2, 0, 4};
    static const char base[] = "synthetic:n=200,d=6,clusters=5,queries=100",
                      query[] = "synthetic:n=200,d=6,clusters=5,queries=100,part=query";
    cr_assert_eq(split_open(&d, &plan, "test", base, NULL, query, NULL), LBH_OK, "%s", lbh_last_error());
    cr_assert_eq(d.pool, 300);
    cr_assert_eq(d.query.n + d.base.n, 300);
    vectors file[2];
    float x[6], y[6];
    cr_assert_eq(vectors_open(&file[0], base), LBH_OK);
    cr_assert_eq(vectors_open(&file[1], query), LBH_OK);
    const vectors *part[] = {&d.base, &d.query, &d.train};
    const labels *l[] = {&d.base_labels, &d.query_labels, &d.train_labels};
    labels of[2];
    cr_assert_eq(labels_open(&of[0], base), LBH_OK);
    cr_assert_eq(labels_open(&of[1], query), LBH_OK);
    for (int p = 0; p < 3; p++) {
        cr_assert_eq(l[p]->n, part[p]->n);
        for (int64_t i = 0; i < part[p]->n; i++) {
            int64_t row = part[p]->pick[i], from = row >= 200;
            char text[CLASS_TEXT];
            cr_assert_eq(vectors_floats(part[p], i, 1, x), LBH_OK);
            cr_assert_eq(vectors_floats(&file[from], row - 200 * from, 1, y), LBH_OK);
            cr_assert_arr_eq(x, y, sizeof x);
            cr_assert_eq(vectors_gather(part[p], 1, &i, x), LBH_OK);
            cr_assert_arr_eq(x, y, sizeof x);
            cr_assert_eq(atoll(class_name(l[p], l[p]->item[l[p]->start[i]], text)),
                         of[from].item[row - 200 * from]);
        }
    }
    cr_assert(strstr(d.query.name, ", queries"));
    labels_close(&of[0]), labels_close(&of[1]);
    vectors_close(&file[0]), vectors_close(&file[1]);
    split_close(&d);
}
