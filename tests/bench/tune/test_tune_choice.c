/* test_tune_choice.c: what `lbh tune` chooses, against the definitions by enumeration. */
#include "support.h"

#include "tune_choice.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { POINTS = 12, TRIES = 4000 };

static uint32_t state = 7;
static int below(int n)
{
    state = state * 1664525u + 1013904223u;
    return (int)((state >> 8) % (uint32_t)n);
}

/* Few different values, so that ties of every kind come up. */
static int random_points(tune_point *p)
{
    int n = 1 + below(POINTS);
    for (int i = 0; i < n; i++) {
        p[i] = (tune_point){.recall = .9 + .0005 * below(40), .qps = 1000 * (1 + .05 * below(10)),
                            .bytes = 4 << below(4), .nbits = 32};
        snprintf(p[i].method, sizeof p[i].method, "m%d", below(3));
    }
    return n;
}

static int at_least(const tune_point *a, const tune_point *b)
{
    return a->recall >= b->recall && a->qps >= b->qps && a->bytes <= b->bytes;
}

/* A point is on the front if each that is at least as good in all three is its equal and comes later. */
Test(tune_choice, the_front_is_what_no_other_beats)
{
    tune_point p[POINTS];
    for (int t = 0; t < TRIES; t++) {
        int front[POINTS], n = random_points(p), count = tune_front(p, n, front), expected = 0;
        for (int i = 0; i < n; i++) {
            int on = 1, found = 0;
            for (int j = 0; j < n; j++)
                if (j != i && at_least(&p[j], &p[i]) && (!at_least(&p[i], &p[j]) || j < i))
                    on = 0;
            for (int j = 0; j < count; j++)
                found += front[j] == i;
            cr_assert_eq(found, on);
            expected += on;
        }
        cr_assert_eq(count, expected);
        for (int i = 1; i < count; i++)
            cr_assert(p[front[i - 1]].recall > p[front[i]].recall ||
                      (p[front[i - 1]].recall == p[front[i]].recall &&
                       p[front[i - 1]].qps >= p[front[i]].qps));
    }
}

static int holds(const tune_ask *a, const tune_point *p)
{
    return (a->bytes == 0 || p->bytes <= a->bytes) && (a->seconds == 0 || 1 / p->qps <= a->seconds);
}

Test(tune_choice, the_choice_keeps_the_bounds_and_is_the_best_within_them)
{
    tune_point p[POINTS];
    for (int t = 0; t < TRIES; t++) {
        tune_ask a = {.k = 10, .at = 10, .recall = below(2) ? .9 + .0005 * below(45) : 0,
                      .bytes = below(2) ? 4 << below(4) : 0,
                      .seconds = below(2) ? 1e-3 / (1 + .05 * (below(12) + .5)) : 0};
        int n = random_points(p), best = tune_best(&a, p, n), any = 0, reached = 0;
        double most_recall = 0, most_qps = 0, least_bytes = INFINITY;
        for (int i = 0; i < n; i++)
            if (holds(&a, &p[i])) {
                any = 1;
                most_recall = fmax(most_recall, p[i].recall);
                if (a.recall > 0 && p[i].recall >= a.recall) {
                    reached = 1;
                    most_qps = fmax(most_qps, p[i].qps);
                }
            }
        cr_assert_eq(best >= 0, any);
        if (!any)
            continue;
        const tune_point *b = &p[best];
        cr_assert(holds(&a, b));
        cr_assert(reached ? b->recall >= a.recall && b->qps >= .9 * most_qps
                          : b->recall >= most_recall - .002 - 1e-12);
        for (int i = 0; i < n; i++)
            if (holds(&a, &p[i]) &&
                (reached ? p[i].recall >= a.recall && p[i].qps >= .9 * most_qps
                         : p[i].recall >= most_recall - .002))
                least_bytes = fmin(least_bytes, p[i].bytes);
        cr_assert_eq(b->bytes, least_bytes);
        cr_assert_eq(tune_best(&a, p, n), best);
    }
}

Test(tune_choice, ties_go_to_the_first)
{
    tune_ask a = {.k = 10, .at = 10};
    tune_point p[3] = {{.recall = .9, .qps = 10, .bytes = 8},
                       {.recall = .9, .qps = 10, .bytes = 8},
                       {.recall = .9, .qps = 10, .bytes = 8}};
    int front[3];
    cr_assert_eq(tune_best(&a, p, 3), 0);
    cr_assert_eq(tune_front(p, 3, front), 1);
    cr_assert_eq(front[0], 0);
    a.recall = .5;
    cr_assert_eq(tune_best(&a, p, 3), 0);
    a.bytes = 4;
    cr_assert_eq(tune_best(&a, p, 3), -1);
    cr_assert_eq(tune_best(&a, p, 0), -1);
}

Test(tune_choice, values_order_trials_by_what_is_asked)
{
    tune_ask high = {.k = 10, .at = 10}, fast = {.k = 10, .at = 10, .recall = .9},
             small = {.k = 10, .at = 10, .bytes = 8};
    tune_point slow = {.recall = .99, .qps = 100, .bytes = 16},
               quick = {.recall = .91, .qps = 1000, .bytes = 8},
               poor = {.recall = .5, .qps = 9000, .bytes = 8};
    cr_assert_gt(tune_value(&high, &slow, 0), tune_value(&high, &quick, 0));
    cr_assert_gt(tune_value(&high, &quick, 0), tune_value(&high, &poor, 0));
    cr_assert_gt(tune_value(&fast, &quick, 0), tune_value(&fast, &slow, 0));
    cr_assert_gt(tune_value(&fast, &slow, 0), tune_value(&fast, &poor, 0));
    cr_assert_eq(tune_value(&small, &slow, 0), -1);
    poor.recall = .86; /* within the slack of a round of little training */
    cr_assert_lt(tune_value(&fast, &poor, 0), 1);
    cr_assert_gt(tune_value(&fast, &poor, .05), tune_value(&fast, &quick, .05));
}

Test(tune_choice, the_sentence_names_the_choice_its_bounds_and_the_next_method)
{
    tune_ask a = {.k = 10, .at = 100, .bytes = 8};
    tune_point p[3] = {{.method = "sgh", .options = "score=decoder", .index = "BFlat", .rescore = "decoder:all",
                        .nbits = 64, .recall = .996, .qps = 5000, .bytes = 8},
                       {.method = "sgh", .rescore = "hamming", .nbits = 64, .recall = .99, .qps = 9e5, .bytes = 8},
                       {.method = "opq", .rescore = "none", .nbits = 64, .recall = .95, .qps = 900, .bytes = 8,
                        .faiss = true}};
    char text[2000];
    tune_reason(text, sizeof text, &a, p, 3, tune_best(&a, p, 3));
    const char *parts[] = {"Take sgh, 64 bits, score=decoder, ranked by the decoder: ", "of 3 ways",
                           "highest recall 10@100", "within 8 bytes an item", "(0.9960, 5000",
                           "another method is opq of FAISS, 64 bits"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        cr_assert(strstr(text, parts[i]), "'%s' is not in: %s", parts[i], text);
    a = (tune_ask){.k = 10, .at = 100, .recall = .999};
    tune_reason(text, sizeof text, &a, p, 3, tune_best(&a, p, 3));
    cr_assert(strstr(text, "none of 3 ways that were measured reaches"));
    char small[20];
    tune_reason(small, sizeof small, &a, p, 3, 0);
    cr_assert_eq(strlen(small), sizeof small - 1);
}
