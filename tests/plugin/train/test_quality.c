/* test_quality.c: rows that training holds out, and what is noted of a model's codes. */
#include "support.h"

#include "held_out.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OK(call) cr_assert_eq((call), LBH_OK, "%s", lbh_last_error())

/* ---- Held-out rows ------------------------------------------------------------------------- */

/* Rows of 0 .. n-1, labels of i % 3 a row, neighbours i + 1 and i + 2. */
static void check_split(int n, int count)
{
    float x[64], got[64];
    int64_t start[65] = {0}, label[128], near_start[65] = {0}, near[128], ids[64], kept[64], at[64];
    int64_t nl = 0, nn = 0, m = 0;
    for (int i = 0; i < n; i++) {
        x[i] = (float)i;
        for (int j = 0; j < i % 3; j++)
            label[nl++] = (i + j) % 5;
        start[i + 1] = nl;
        for (int j = 1; j <= 2 && i + j < n; j++)
            near[nn++] = i + j;
        near_start[i + 1] = nn;
        at[i] = -1;
    }
    for (int i = 0; i < n; i++) /* by hand */
        if (count == 0 || i % (n / count) != 0 || i / (n / count) >= count) {
            at[i] = m;
            kept[m++] = i;
        }
    lbh_rows rows = lbh_rows_from_matrix(n, 1, x);
    lbh_lists labels = {n, 5, start, label}, neighbours = {n, n, near_start, near};
    lbh_held_out h;
    OK(lbh_hold_out(&h, &rows, count, &labels, &neighbours));
    cr_assert_eq(m, n - count);
    cr_assert_eq(h.kept.n, m);
    for (int64_t i = 0; i < m; i++)
        ids[i] = m - 1 - i;
    OK(h.kept.read(&h.kept, m, ids, got));
    for (int64_t i = 0, l = 0, k = 0; i < m; i++) {
        cr_assert_eq(got[m - 1 - i], kept[i], "%d of %d, row %d", count, n, (int)i);
        cr_assert_eq(h.labels.start[i], l);
        cr_assert_eq(h.neighbours.start[i], k);
        for (int64_t j = start[kept[i]]; j < start[kept[i] + 1]; j++)
            cr_assert_eq(h.labels.item[l++], label[j]);
        for (int64_t j = near_start[kept[i]]; j < near_start[kept[i] + 1]; j++)
            if (at[near[j]] >= 0)
                cr_assert_eq(h.neighbours.item[k++], at[near[j]]);
        cr_assert_eq(h.labels.start[i + 1], l);
        cr_assert_eq(h.neighbours.start[i + 1], k);
    }
    lbh_held_out_free(&h);
}

Test(quality, rows_are_held_out_with_labels_and_neighbours)
{
    for (int n = 1; n <= 40; n++)
        for (int count = 0; count <= n / 2; count++)
            check_split(n, count);
}

/* ---- Notes --------------------------------------------------------------------------------- */

enum { N = 1500, D = 16, HELD = 75, STRIDE = 20, NBITS = 24 };

static lbh_encoder *trained(const char *method, const char *options, int64_t n, const float *x)
{
    lbh_encoder *enc = NULL;
    OK(lbh_encoder_new(&enc, method, D, NBITS));
    OK(lbh_encoder_set_value(enc, "held_out", -1));
    OK(lbh_encoder_set(enc, options));
    OK(lbh_encoder_train(enc, n, x));
    return enc;
}

Test(quality, training_does_not_see_them)
{
    float *x = test_mixture(N, D, 3, NULL);
    lbh_encoder *a = trained("itq", "", N, x);
    for (int i = 0; i < HELD; i++)
        for (int j = 0; j < D; j++)
            x[i * STRIDE * D + j] = (float)test_normal(1, (uint64_t)(i * D + j));
    lbh_encoder *b = trained("itq", "", N, x);
    lbh_encoder *all = trained("itq", "held_out=0", N, x);
    cr_assert_eq(lbh_encoder_digest(a), lbh_encoder_digest(b));
    cr_assert_neq(lbh_encoder_digest(a), lbh_encoder_digest(all));
    cr_assert_eq(lbh_encoder_n_train(a), N);
    lbh_encoder_free(a), lbh_encoder_free(b), lbh_encoder_free(all);
    free(x);
}

typedef struct scored {
    double score;
    int id;
} scored;

static int compare(const void *a, const void *b)
{
    const scored *x = a, *y = b;
    return x->score != y->score ? (x->score > y->score) - (x->score < y->score) : x->id - y->id;
}

/* Kept rows that are searched: 500 of 1425, at even distances. */
enum { M = 500 };

static double naive_recall(const lbh_encoder *enc, const float *x, int by_margin)
{
    static scored near[M], found[M];
    int hits = 0, row[M];
    for (int i = 0; i < M; i++) {
        int k = (int)((double)i * (N - HELD) / M);
        row[i] = k + k / (STRIDE - 1) + 1;
    }
    for (int q = 0; q < HELD; q++) {
        const float *v = x + q * STRIDE * D;
        uint8_t query[NBITS / 8], code[NBITS / 8];
        float z[NBITS];
        OK(lbh_encoder_encode_queries(enc, 1, v, query));
        OK(lbh_encoder_project_queries(enc, 1, v, z));
        for (int i = 0; i < M; i++) {
            near[i] = found[i] = (scored){0, i};
            for (int j = 0; j < D; j++)
                near[i].score += pow((double)v[j] - (double)x[row[i] * D + j], 2);
            OK(lbh_encoder_encode(enc, 1, x + row[i] * D, code));
            for (int j = 0; j < NBITS; j++)
                if ((code[j / 8] ^ query[j / 8]) >> (j % 8) & 1)
                    found[i].score += by_margin ? fabs((double)z[j]) : 1;
        }
        qsort(near, M, sizeof *near, compare);
        qsort(found, M, sizeof *found, compare);
        for (int i = 0; i < 10; i++)
            for (int j = 0; j < 100; j++)
                hits += near[i].id == found[j].id;
    }
    return hits / (10.0 * HELD);
}

static double number(const lbh_encoder *enc, const char *note)
{
    const char *text = lbh_encoder_note(enc, note);
    cr_assert(text, "%s is missing", note);
    return atof(text);
}

Test(quality, notes_say_what_the_codes_give)
{
    float *x = test_mixture(N, D, 3, NULL);
    lbh_encoder *enc = trained("itq", "", N, x), *copy;
    cr_assert_str_eq(lbh_encoder_note(enc, "held_out"),
                     "75 rows that training did not see, among 500 that it saw");
    cr_assert_float_eq(number(enc, "recall_hamming"), naive_recall(enc, x, 0), 1e-4);
    cr_assert_float_eq(number(enc, "recall_margin"), naive_recall(enc, x, 1), 2e-3);
    cr_assert(number(enc, "recall_decoder") > 0.5);
    cr_assert_str_eq(lbh_encoder_note(enc, "best_ranking"), "decoder");
    cr_assert_eq(lbh_encoder_best_rescore(enc), LBH_RESCORE_DECODER);
    OK(lbh_encoder_save(enc, test_tmp("q.lbh")));
    OK(lbh_encoder_load(&copy, test_tmp("q.lbh")));
    cr_assert_eq(lbh_encoder_best_rescore(copy), LBH_RESCORE_DECODER);
    cr_assert_str_eq(lbh_encoder_note(copy, "recall_margin"), lbh_encoder_note(enc, "recall_margin"));
    OK(lbh_encoder_set_note(copy, "best_ranking", "none"));
    cr_assert_eq(lbh_encoder_best_rescore(copy), LBH_RESCORE_NONE);
    OK(lbh_encoder_set_note(copy, "best_ranking", NULL));
    cr_assert_eq(lbh_encoder_best_rescore(copy), LBH_RESCORE_MARGIN);
    lbh_encoder_free(copy), lbh_encoder_free(enc);
    static const char *const metrics[] = {"metric=ip", "metric=cosine"};
    for (int i = 0; i < 2; i++) {
        enc = trained("itq", metrics[i], N, x);
        cr_assert(number(enc, "recall_decoder") > 0.5);
        lbh_encoder_free(enc);
    }
    enc = trained("lsh", "", N, x); /* without a decoder */
    cr_assert_null(lbh_encoder_note(enc, "recall_decoder"));
    cr_assert_str_eq(lbh_encoder_note(enc, "best_ranking"), "margin");
    lbh_encoder_free(enc);
    free(x);
}

Test(quality, few_rows_are_all_learned_from)
{
    float *x = test_mixture(N, D, 3, NULL);
    lbh_encoder *few = trained("itq", "", 999, x), *none = trained("itq", "held_out=0", N, x);
    lbh_encoder *own = trained("itq", "held_out=10", 200, x);
    cr_assert_null(lbh_encoder_note(few, "held_out"));
    cr_assert_null(lbh_encoder_note(none, "held_out"));
    cr_assert_str_eq(lbh_encoder_note(own, "held_out"),
                     "10 rows that training did not see, among 190 that it saw");
    lbh_encoder_free(few), lbh_encoder_free(none), lbh_encoder_free(own);
    free(x);
}

Test(quality, few_codes_and_dead_bits_are_said)
{
    float *x = test_mixture(N, D, 3, NULL);
    lbh_encoder *good = trained("itq", "", N, x);
    cr_assert_null(lbh_encoder_note(good, "few_codes"));
    cr_assert_null(lbh_encoder_note(good, "dead_bits"));
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < D; j++)
            x[(101 + i * 200) * D + j] *= 1e5f;
    lbh_encoder *bad = trained("sgh", "steps=100,robust=0", N, x);
    int codes = 0, rows = 0, dead = 0;
    cr_assert(lbh_encoder_note(bad, "few_codes") && lbh_encoder_note(bad, "dead_bits"));
    cr_assert_eq(sscanf(lbh_encoder_note(bad, "few_codes"),
                        "%d different codes for %d different rows", &codes, &rows), 2);
    cr_assert_eq(sscanf(lbh_encoder_note(bad, "dead_bits"), "%d of 24 bits are the same", &dead), 1);
    cr_assert(codes < 100 && rows > 1000 && dead > 10, "%d codes, %d rows, %d bits", codes, rows, dead);
    lbh_encoder_free(good), lbh_encoder_free(bad);
    for (int i = 0; i < N; i++) /* few codes for few rows are no fault */
        for (int j = 0; j < D; j++)
            x[i * D + j] = (float)test_normal(7, (uint64_t)(i % 8 * D + j));
    good = trained("itq", "", N, x);
    cr_assert_null(lbh_encoder_note(good, "few_codes"));
    lbh_encoder_free(good);
    free(x);
}

Test(quality, errors_name_the_callers_rows)
{
    float *x = test_mixture(N, D, 3, NULL);
    static const int row[] = {57, 60, 1499}; /* the second is held out */
    for (int i = 0; i < 3; i++) {
        lbh_encoder *enc = NULL;
        char text[64];
        float keep = x[row[i] * D];
        snprintf(text, sizeof text, "training row %d ", row[i]);
        x[row[i] * D] = NAN;
        OK(lbh_encoder_new(&enc, "itq", D, NBITS));
        OK(lbh_encoder_set_value(enc, "held_out", -1));
        cr_assert_eq(lbh_encoder_train(enc, N, x), LBH_EINVAL);
        cr_assert(strstr(lbh_last_error(), text), "%s", lbh_last_error());
        x[row[i] * D] = keep;
        lbh_encoder_free(enc);
    }
    free(x);
}
