/* test_robust.c: rows far outside that training draws in: every method learns as if they were not
 * there, and says how many there were; data without such rows are left as they are. */
#include "support.h"

#include "lbh.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N = 800, D = 20, NQ = 40, NBITS = 32, NEAR = 10, FIRST = 40 };

#define OK(call) cr_assert_eq((call), LBH_OK, "%s", lbh_last_error())

typedef enum { CLEAN, ONE_LONG, FIVE_VERY_LONG, ONE_COORDINATE, ALL_ALIKE, KINDS } kind;

/* The mixture, some of whose rows (none of the first NQ, which are queries) are spoilt. */
static float *spoilt(kind k, int64_t *label)
{
    float *x = test_mixture(N, D, 3, label);
    static const int count[KINDS] = {0, 1, 5, 1, 8};
    for (int r = 0; r < count[k]; r++) {
        float *row = x + (NQ + 90 * r + 7) * D;
        for (int j = 0; j < D; j++)
            row[j] *= k == ONE_LONG ? 1e3f : k == FIVE_VERY_LONG ? 1e4f : 1;
        if (k == ONE_COORDINATE)
            row[3] = 1e30f;
        for (int j = 0; j < D && k == ALL_ALIKE; j++)
            row[j] = -1e6f;
    }
    return x;
}

static lbh_encoder *trained(const char *method, const char *options, const float *x,
                            const int64_t *label)
{
    lbh_encoder *enc = NULL;
    lbh_param p;
    int64_t start[N + 1];
    for (int i = 0; i <= N; i++)
        start[i] = i;
    lbh_lists labels = {N, 10, start, label};
    lbh_rows rows = lbh_rows_from_matrix(N, D, x);
    OK(lbh_encoder_new(&enc, method, D, NBITS));
    for (int i = 0; lbh_method_param(&p, method, i) == LBH_OK; i++)
        if (strcmp(p.name, "steps") == 0)
            OK(lbh_encoder_set_value(enc, p.name, 60));
    if (*options)
        OK(lbh_encoder_set(enc, options));
    cr_assert_eq(lbh_encoder_train_rows(enc, &rows, &labels, NULL), LBH_OK, "%s: %s", method,
                 lbh_last_error());
    return enc;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Share of the NEAR true neighbours of the first NQ rows that are among the FIRST by Hamming
 * distance, ties counted whole: in the clean data, whatever the encoder has seen. */
static double quality(const lbh_encoder *enc, const float *x)
{
    uint8_t codes[N][NBITS / 8];
    double found = 0;
    OK(lbh_encoder_encode(enc, N, x, codes[0]));
    for (int q = 0; q < NQ; q++) {
        double far[N], sorted[N], hamming[N], order[N];
        for (int i = 0; i < N; i++) {
            far[i] = 0;
            for (int j = 0; j < D; j++)
                far[i] += pow((double)x[q * D + j] - (double)x[i * D + j], 2);
            hamming[i] = test_hamming(codes[q], codes[i], NBITS / 8);
        }
        memcpy(sorted, far, sizeof far);
        memcpy(order, hamming, sizeof order);
        qsort(sorted, N, sizeof *sorted, compare);
        qsort(order, N, sizeof *order, compare);
        for (int i = 0; i < N; i++)
            if (i != q && far[i] <= sorted[NEAR] && hamming[i] <= order[FIRST])
                found += 1.0 / NEAR / NQ;
    }
    return found;
}

static int distinct(const lbh_encoder *enc, const float *x)
{
    uint8_t codes[N][NBITS / 8];
    int count = 0;
    OK(lbh_encoder_encode(enc, N, x, codes[0]));
    for (int i = 0, seen = 0; i < N; i++, count += !seen, seen = 0)
        for (int j = 0; j < i && !seen; j++)
            seen = memcmp(codes[i], codes[j], NBITS / 8) == 0;
    return count;
}

Test(robust, every_method_learns_beside_broken_rows)
{
    int64_t label[N];
    float *clean = spoilt(CLEAN, label);
    for (int m = 0; m < lbh_method_count(); m++) {
        const char *method = lbh_method_name(m);
        lbh_encoder *enc = trained(method, "", clean, label);
        double want = quality(enc, clean);
        int codes = distinct(enc, clean);
        lbh_encoder_free(enc);
        for (kind k = CLEAN + 1; k < KINDS; k++) {
            float *x = spoilt(k, label);
            enc = trained(method, "", x, label);
            double have = quality(enc, clean);
            cr_assert(have > 0.85 * want, "%s: %.3f, and %.3f beside broken rows %d", method, want,
                      have, (int)k);
            cr_assert(distinct(enc, clean) > 0.6 * codes, "%s: too few codes", method);
            lbh_encoder_free(enc);
            free(x);
        }
    }
    free(clean);
}

Test(robust, what_was_damped_is_said_and_kept)
{
    int64_t label[N];
    float *clean = spoilt(CLEAN, label), *x = spoilt(FIVE_VERY_LONG, label);
    for (int m = 0; m < lbh_method_count(); m++) {
        const char *method = lbh_method_name(m), *note;
        lbh_encoder *enc = trained(method, "", clean, label), *copy;
        cr_assert_null(lbh_encoder_note(enc, "damped"));
        lbh_encoder_free(enc);
        enc = trained(method, "", x, label);
        note = lbh_encoder_note(enc, "damped");
        cr_assert(note && strncmp(note, "5 of 800 rows are ", 18) == 0, "%s: %s", method, note);
        cr_assert(strstr(note, "in training they count as at most 4 times as far"), "%s", note);
        OK(lbh_encoder_save(enc, test_tmp("m.lbh")));
        OK(lbh_encoder_load(&copy, test_tmp("m.lbh")));
        cr_assert_str_eq(lbh_encoder_note(copy, "damped"), note);
        lbh_encoder_free(copy);
        lbh_encoder_free(enc);
    }
    lbh_encoder *enc = trained("itq", "robust=0", x, label);
    cr_assert_null(lbh_encoder_note(enc, "damped"));
    lbh_encoder_free(enc);
    free(clean);
    free(x);
}

/* Row lengths that differ by five are no faults. */
Test(robust, ordinary_rows_are_left_alone)
{
    int64_t label[N];
    float *x = spoilt(CLEAN, label);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < D; j++)
            x[i * D + j] *= 0.2f + 0.8f * (float)i / N;
    for (int m = 0; m < lbh_method_count(); m++) {
        const char *method = lbh_method_name(m);
        lbh_encoder *a = trained(method, "", x, label), *b = trained(method, "robust=0", x, label);
        cr_assert_null(lbh_encoder_note(a, "damped"));
        cr_assert_eq(lbh_encoder_digest(a), lbh_encoder_digest(b), "%s", method);
        lbh_encoder_free(a);
        lbh_encoder_free(b);
    }
    free(x);
}

/* What rows count as: rows already drawn in give the same model. Their places by hand: the median of
 * each coordinate, and the third quartile q of the distances from there. Two rows, at 1000 and at about
 * 3 times q; the bound is 2 q, under inner products more. */
static void draw_in(float *x, const int *row, int rows, int keep_long)
{
    double middle[D], column[N], far[N], sorted[N];
    for (int j = 0; j < D; j++) {
        for (int i = 0; i < N; i++)
            column[i] = x[i * D + j];
        qsort(column, N, sizeof *column, compare);
        middle[j] = column[N / 2];
    }
    for (int i = 0; i < N; i++) {
        far[i] = 0;
        for (int j = 0; j < D; j++)
            far[i] += pow((double)x[i * D + j] - middle[j], 2);
        far[i] = sorted[i] = sqrt(far[i]);
    }
    qsort(sorted, N, sizeof *sorted, compare);
    double q = sorted[3 * N / 4], bound = 2 * q;
    if (keep_long)
        bound = fmax(bound, q * pow(q / sorted[N / 2], 4.5 / 0.674 - 1));
    for (int r = 0; r < rows; r++) {
        double f = far[row[r]], to = keep_long ? bound : fmax(q, bound * bound / f);
        cr_assert(f > 2 * q);
        if (f <= bound)
            continue;
        for (int j = 0; j < D; j++) {
            float *v = &x[row[r] * D + j];
            *v = (float)(middle[j] + to / f * ((double)*v - middle[j]));
        }
    }
}

Test(robust, rows_are_drawn_in_straight)
{
    int64_t label[N];
    static const int row[2] = {NQ + 7, NQ + 11};
    for (int ip = 0; ip < 2; ip++) {
        float *x = spoilt(ONE_LONG, label);
        for (int j = 0; j < D; j++)
            x[row[1] * D + j] *= 3;
        char options[80];
        snprintf(options, sizeof options, "robust=2,iterations=0,metric=%s", ip ? "ip" : "l2");
        lbh_encoder *a = trained("itq", options, x, label);
        draw_in(x, row, 2, ip);
        lbh_encoder *b = trained("itq", "robust=0,iterations=0", x, label);
        float *za = malloc(N * NBITS * sizeof *za), *zb = malloc(N * NBITS * sizeof *zb);
        OK(lbh_encoder_project(a, N, x, za));
        OK(lbh_encoder_project(b, N, x, zb));
        for (int i = 0; i < N * NBITS; i++)
            cr_assert_float_eq(za[i], zb[i], 1e-3 * (1 + fabs(zb[i])));
        free(za), free(zb), free(x);
        lbh_encoder_free(a), lbh_encoder_free(b);
    }
}

/* Log-normal lengths under inner products: the long rows are the answers, and none is too long. */
Test(robust, long_tails_are_kept_for_inner_products)
{
    int64_t label[N];
    float *x = spoilt(CLEAN, label);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < D; j++)
            x[i * D + j] *= (float)exp(1.2 * test_normal(5, (uint64_t)i));
    lbh_encoder *a = trained("itq", "metric=ip", x, label), *b = trained("itq", "", x, label);
    cr_assert_null(lbh_encoder_note(a, "damped"));
    cr_assert_not_null(lbh_encoder_note(b, "damped"));
    lbh_encoder_free(a), lbh_encoder_free(b);
    free(x);
}

Test(robust, threads_do_not_matter)
{
    int64_t label[N];
    float *x = spoilt(ALL_ALIKE, label);
    uint64_t digest[2];
    for (int t = 0; t < 2; t++) {
        omp_set_num_threads(1 + 2 * t);
        lbh_encoder *enc = trained("sgh", "", x, label);
        digest[t] = lbh_encoder_digest(enc);
        lbh_encoder_free(enc);
    }
    cr_assert_eq(digest[0], digest[1]);
    free(x);
}
