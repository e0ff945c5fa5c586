/* test_near_stage.c: the last stage of training, on neighbours: recall against sorting,
 * gradients against central differences in double precision, and what it does to SGH's codes. */
#include "support.h"

#include "found.h"
#include "near_stage.h"
#include "training_run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Recall against sorting -------------------------------------------------------- */

typedef struct ranked {
    double distance;
    int64_t id;
} ranked;

static int compare_ranked(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->distance != y->distance)
        return x->distance < y->distance ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

static double square_distance(int d, const float *x, const float *y)
{
    double sum = 0;
    for (int j = 0; j < d; j++)
        sum += ((double)x[j] - (double)y[j]) * ((double)x[j] - (double)y[j]);
    return sum;
}

Test(near_stage, found_are_those_that_sorting_puts_among_the_first_100)
{
    enum { ITEMS = 700, BITS = 16, OWN = 33, TOP = 6 };
    uint8_t *codes = test_codes(ITEMS, BITS / 8, 9);
    uint16_t distance[ITEMS];
    ranked r[ITEMS];
    int n = 0, found = 0;
    for (int i = 0; i < ITEMS; i++)
        if (i != OWN)
            r[n++] = (ranked){test_hamming(codes + 2 * i, codes + 2 * OWN, 2), i};
    qsort(r, (size_t)n, sizeof *r, compare_ranked);
    const int64_t top[TOP] = {r[0].id, r[98].id, r[99].id, r[100].id, r[101].id, r[500].id};
    for (int i = 0; i < TOP; i++)
        found += lbh_found_within_100(ITEMS, BITS, codes, codes + 2 * OWN, OWN, 1, top + i, distance);
    cr_assert_eq(found, 3);
    cr_assert_eq(lbh_found_within_100(ITEMS, BITS, codes, codes + 2 * OWN, OWN, TOP, top, distance), 3);
    free(codes);
}

/* ---- Batches ------------------------------------------------------------------------------- */

Test(near_stage, batches_hold_rows_with_their_neighbours_and_no_held_out_ones)
{
    enum { ROWS = 2000, DIM = 4 };
    struct lbh_run run = {0};
    lbh_training t = {.run = &run};
    float *X = test_mixture(ROWS, DIM, 3, NULL);
    lbh_near_rows r = {.d = DIM, .seed = 5};
    int64_t ids[512], again[512];
    cr_assert_eq(lbh_near_find(&t, &r, ROWS, X), LBH_OK);
    cr_assert_eq(r.m, ROWS);
    cr_assert_eq(r.learned, ROWS - ROWS / 10);
    for (int i = 0; i < ROWS; i += 111) {
        ranked *by = calloc((size_t)r.learned, sizeof *by);
        int n = 0;
        for (int j = 0; j < r.learned; j++)
            if (j != i)
                by[n++] = (ranked){square_distance(DIM, r.X + i * DIM, r.X + j * DIM), j};
        qsort(by, (size_t)n, sizeof *by, compare_ranked);
        for (int k = 0; k < r.k; k++)
            cr_assert_eq(r.list[i * r.k + k], by[k].id, "row %d, place %d", i, k);
        cr_assert(fabs((double)r.square[i] / by[9].distance - 1) < 1e-5);
        free(by);
    }
    int B = lbh_near_draw(&r, 3, ids), near = 0;
    cr_assert(B > 300 && B <= 512, "%d rows", B);
    cr_assert_eq(lbh_near_draw(&r, 3, again), B);
    cr_assert_eq(memcmp(ids, again, (size_t)B * sizeof *ids), 0);
    for (int i = 0; i < B; i++) {
        cr_assert(i == 0 || ids[i] > ids[i - 1]);
        cr_assert(ids[i] < r.learned);
        for (int j = 0; j < B; j++)
            if (j != i && square_distance(DIM, r.X + ids[i] * DIM, r.X + ids[j] * DIM) <=
                              (double)r.square[ids[i]] * 1.0001) {
                near++;
                break;
            }
    }
    cr_assert(near > B / 2, "%d of %d rows have one of their ten nearest in the batch", near, B);
    cr_assert_neq(lbh_near_draw(&r, 4, again) == B && memcmp(ids, again, sizeof ids) == 0, 1);
    free(X);
    lbh_arena_clear(&run.arena);
}

Test(near_stage, too_few_rows_have_no_lists)
{
    struct lbh_run run = {0};
    lbh_training t = {.run = &run};
    float X[63 * 2] = {0};
    lbh_near_rows r = {.d = 2};
    cr_assert_eq(lbh_near_find(&t, &r, 63, X), LBH_OK);
    cr_assert_eq(r.m, 0);
}

/* ---- Gradients ----------------------------------------------------------------------------- */

enum { B = 7, R = 4, L = 5 };

typedef struct bench {
    struct lbh_run run;
    lbh_training t;
    lbh_near_stage s;
    double W[L * R], b[L]; /* the parameters again, where differences do not drown in rounding */
} bench;

static void prepare(bench *w)
{
    *w = (bench){0};
    w->t.run = &w->run;
    lbh_near_stage *s = &w->s;
    s->L = L;
    s->beta = 1.7;
    s->sharpness = 3;
    s->near.d = R;
    s->W = lbh_scratch_f(&w->t, L, R);
    s->b = lbh_scratch_f(&w->t, 1, L);
    s->gW = lbh_scratch_f(&w->t, L, R);
    s->gb = lbh_scratch_f(&w->t, 1, L);
    s->near.X = lbh_scratch_f(&w->t, 2 * B, R);
    s->near.square = lbh_scratch_f(&w->t, 1, 2 * B);
    cr_assert_eq(lbh_near_take_batch(&w->t, &s->near, L, &s->batch), LBH_OK);
    for (int i = 0; i < L * R; i++)
        w->W[i] = s->W[i] = (float)test_normal(11, (uint64_t)i);
    for (int i = 0; i < L; i++)
        w->b[i] = s->b[i] = (float)(0.3 * test_normal(12, (uint64_t)i));
    for (int i = 0; i < 2 * B * R; i++)
        s->near.X[i] = (float)test_normal(13, (uint64_t)i);
    for (int i = 0; i < 2 * B; i++)
        s->near.square[i] = (float)(2 + test_uniform(14, (uint64_t)i));
    for (int i = 0; i < B; i++)
        s->batch.ids[i] = 2 * i + i % 2;
}

/* The loss as the header has it. */
static double loss_of(const bench *w)
{
    const lbh_near_stage *s = &w->s;
    double T[B][L], total = 0;
    for (int i = 0; i < B; i++)
        for (int k = 0; k < L; k++) {
            double z = w->b[k];
            for (int j = 0; j < R; j++)
                z += w->W[k * R + j] * (double)s->near.X[s->batch.ids[i] * R + j];
            T[i][k] = tanh(z);
        }
    for (int i = 0; i < B; i++) {
        double p[B], q[B], sum_p = 0, sum_q = 0;
        const float *x = s->near.X + s->batch.ids[i] * R;
        for (int j = 0; j < B; j++) {
            double dot = 0;
            for (int k = 0; k < L; k++)
                dot += T[i][k] * T[j][k];
            p[j] = j == i ? 0 : exp(-s->sharpness / (double)s->near.square[s->batch.ids[i]] *
                                    square_distance(R, x, s->near.X + s->batch.ids[j] * R));
            q[j] = j == i ? 0 : exp(s->beta / sqrt(L) * dot);
            sum_p += p[j];
            sum_q += q[j];
        }
        for (int j = 0; j < B; j++)
            if (j != i && p[j] > 0)
                total += p[j] / sum_p * log(p[j] / sum_p / (q[j] / sum_q)) / B;
    }
    return total;
}

static void check_derivatives(bench *w, const char *name, int count, double *theta, const float *g)
{
    for (int i = 0; i < count; i++) {
        const double h = 1e-4, middle = theta[i];
        theta[i] = middle + h;
        double above = loss_of(w);
        theta[i] = middle - h;
        double below = loss_of(w);
        theta[i] = middle;
        double wanted = (above - below) / (2 * h);
        cr_assert(fabs(wanted - (double)g[i]) < 1e-4 * (0.1 + fabs(wanted)), "%s[%d]: %g, not %g",
                  name, i, (double)g[i], wanted);
    }
}

Test(near_stage, gradients_are_central_differences)
{
    bench w;
    prepare(&w);
    double loss = lbh_near_gradients(&w.s, B);
    cr_assert(fabs(loss - loss_of(&w)) < 1e-5 * (1 + loss), "%g, not %g", loss, loss_of(&w));
    check_derivatives(&w, "W", L * R, w.W, w.s.gW);
    check_derivatives(&w, "b", L, w.b, w.s.gb);
    lbh_arena_clear(&w.run.arena);
}

/* ---- SGH with it --------------------------------------------------------------------------- */

enum { TRAIN = 3000, TEST = 300, DIMENSION = 24, BITS = 32 };

#define OK(call) cr_assert_eq((call), LBH_OK, "%s", lbh_last_error())

/* Codes of all rows by SGH, trained on the first TRAIN of them. */
static uint8_t *sgh_codes_of(const float *x, const char *options)
{
    lbh_encoder *enc;
    uint8_t *codes = calloc(TRAIN + TEST, BITS / 8);
    OK(lbh_encoder_new(&enc, "sgh", DIMENSION, BITS));
    OK(lbh_encoder_set(enc, "steps=400,batch=100"));
    OK(lbh_encoder_set(enc, options));
    OK(lbh_encoder_train(enc, TRAIN, x));
    OK(lbh_encoder_encode(enc, TRAIN + TEST, x, codes));
    lbh_encoder_free(enc);
    return codes;
}

/* Of the ten nearest of each of the last TEST rows, how many are among the first 100 by codes. */
static int found(const float *x, const uint8_t *codes)
{
    int sum = 0;
    uint16_t distance[TRAIN];
    ranked *r = calloc(TRAIN, sizeof *r);
    for (int q = TRAIN; q < TRAIN + TEST; q++) {
        int64_t top[LBH_NEAR];
        for (int i = 0; i < TRAIN; i++)
            r[i] = (ranked){square_distance(DIMENSION, x + q * DIMENSION, x + i * DIMENSION), i};
        qsort(r, TRAIN, sizeof *r, compare_ranked);
        for (int k = 0; k < LBH_NEAR; k++)
            top[k] = r[k].id;
        sum += lbh_found_within_100(TRAIN, BITS, codes, codes + q * (BITS / 8), -1, LBH_NEAR, top,
                                    distance);
    }
    free(r);
    return sum;
}

Test(near_stage, new_rows_find_more_of_their_neighbours_by_sgh)
{
    float *x = test_mixture(TRAIN + TEST, DIMENSION, 21, NULL);
    uint8_t *without = sgh_codes_of(x, "near_steps=0"), *with = sgh_codes_of(x, "near_steps=200");
    int before = found(x, without), after = found(x, with);
    cr_assert(after > before + before / 50, "%d, and %d with the stage", before, after);
    free(x);
    free(without);
    free(with);
}

/* Steps that ruin the codes: held-out rows see it. */
Test(near_stage, worse_codes_are_dropped_for_those_of_the_start)
{
    float *x = test_mixture(TRAIN + TEST, DIMENSION, 21, NULL);
    uint8_t *without = sgh_codes_of(x, "near_steps=0");
    uint8_t *with = sgh_codes_of(x, "near_steps=5,near_lr=10");
    cr_assert_eq(memcmp(with, without, (size_t)(TRAIN + TEST) * (BITS / 8)), 0);
    free(x);
    free(without);
    free(with);
}

/* Few rows: nothing is learned beyond the start, and the model says so. */
Test(near_stage, few_rows_leave_the_codes_of_the_start)
{
    enum { FEW = 15 * (DIMENSION < BITS ? DIMENSION : BITS) };
    float *x = test_mixture(FEW, DIMENSION, 21, NULL);
    static const char *const options[] = {"steps=400", "steps=400,near_steps=0", "steps=400,few_rows=15"};
    uint8_t codes[3][FEW * BITS / 8];
    for (int i = 0; i < 3; i++) {
        lbh_encoder *enc;
        OK(lbh_encoder_new(&enc, "sgh", DIMENSION, BITS));
        OK(lbh_encoder_set(enc, options[i]));
        OK(lbh_encoder_train(enc, FEW, x));
        OK(lbh_encoder_encode(enc, FEW, x, codes[i]));
        const char *note = lbh_encoder_note(enc, "few_rows");
        cr_assert_eq(note && strstr(note, "360 training rows are too few to learn 32 bits") != NULL,
                     i == 0, "%s: %s", options[i], note);
        lbh_encoder_free(enc);
    }
    cr_assert_neq(memcmp(codes[0], codes[2], sizeof codes[0]), 0);
    free(x);
}

/* ... which are those that ITQ learns from the same rows; SiGAH's as well, in no time. */
Test(near_stage, few_rows_get_the_codes_of_itq)
{
    enum { FEW = 60 };
    static const char *const method[] = {"itq", "sgh", "sigah"};
    float *x = test_mixture(FEW, DIMENSION, 21, NULL);
    uint8_t codes[3][FEW * BITS / 8];
    for (int i = 0; i < 3; i++) {
        lbh_encoder *enc;
        OK(lbh_encoder_new(&enc, method[i], DIMENSION, BITS));
        OK(lbh_encoder_train(enc, FEW, x));
        OK(lbh_encoder_encode(enc, FEW, x, codes[i]));
        cr_assert_eq(lbh_encoder_note(enc, "few_rows") != NULL, i > 0, "%s", method[i]);
        int other = test_hamming(codes[0], codes[i], sizeof codes[i]);
        cr_assert_leq(other, FEW * BITS / 200, "%s: %d bits of %d differ", method[i], other, FEW * BITS);
        lbh_encoder_free(enc);
    }
    free(x);
}

static int note_steps(void *ctx, const char *what, int64_t step, int64_t steps, double loss)
{
    (void)what, (void)step, (void)loss;
    *(int64_t *)ctx = steps;
    return 0;
}

/* The stage's own number of steps, behind 30: two, or six where codes are neither short nor long. */
Test(near_stage, its_steps_go_by_the_number_of_bits)
{
    static const int bits[] = {64, 65, 192, 193}, total[] = {32, 36, 36, 32};
    float *x = test_mixture(TRAIN, DIMENSION, 21, NULL);
    for (int i = 0; i < 4; i++) {
        int64_t steps = 0;
        lbh_encoder *enc;
        OK(lbh_encoder_new(&enc, "sgh", DIMENSION, bits[i]));
        OK(lbh_encoder_set(enc, "steps=30"));
        lbh_encoder_on_progress(enc, note_steps, &steps);
        OK(lbh_encoder_train(enc, TRAIN, x));
        cr_assert_eq(steps, total[i], "%d bits: %d steps", bits[i], (int)steps);
        lbh_encoder_free(enc);
    }
    free(x);
}
