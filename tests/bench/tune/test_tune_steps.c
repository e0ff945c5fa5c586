/* test_tune_steps.c: the order of trials: successive halving, its budget, and that a run which was
 * stopped anywhere goes on as it would have; specifications of all trials are such as bench reads. */
#include "support.h"

#include "bench_spec.h"
#include "lbh.h"
#include "tune_steps.h"

#include <string.h>

enum { N = 20, MOST = 200 };

/* A made-up world: candidate i has the value i / 100 in every round, and takes its number of seconds. */
static tune_done outcome(const tune_step *s)
{
    static const double effort[] = {1, 5, 3};
    double seconds = effort[s->round] * (1 + s->candidate % 3);
    return (tune_done){s->candidate, s->round, seconds, s->candidate == 7 ? -2 : .01 * s->candidate,
                       s->candidate == 8 ? 0 : seconds};
}

static int run(const tune_space *space, bool sweep, double budget, tune_done *done, int n)
{
    tune_step next;
    while (tune_next(space, sweep, done, n, budget, &next)) {
        cr_assert_lt(n, MOST);
        done[n++] = outcome(&next);
    }
    return n;
}

static double spent(const tune_done *done, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += done[i].seconds;
    return sum;
}

Test(tune_steps, rounds_keep_the_better_part)
{
    tune_space space = {.n = N};
    tune_done done[MOST];
    int n = run(&space, true, 1e9, done, 0), count[3] = {0};
    for (int i = 0; i < n; i++)
        count[done[i].round]++;
    cr_assert_eq(count[0], N);
    cr_assert_eq(count[1], 5); /* a quarter of the 19 that did not fail */
    cr_assert_eq(count[2], 2);
    for (int i = 0; i < n; i++) {
        if (done[i].round == 1)
            cr_assert_geq(done[i].candidate, N - 5);
        if (done[i].round == 2)
            cr_assert_geq(done[i].candidate, N - 2);
        cr_assert(i == 0 || done[i].round >= done[i - 1].round);
    }
    cr_assert_eq(done[n - 2].candidate, N - 1); /* the best goes first */
    n = run(&space, false, 1e9, done, 0);
    cr_assert_eq(done[n - 1].round, 1);
}

Test(tune_steps, a_run_that_was_stopped_anywhere_goes_on_as_it_would_have)
{
    tune_space space = {.n = N};
    for (double budget = 1; budget < 400; budget *= 1.7) {
        tune_done whole[MOST], part[MOST];
        int n = run(&space, true, budget, whole, 0);
        for (int stop = 0; stop <= n; stop++) {
            memcpy(part, whole, (size_t)stop * sizeof *part);
            cr_assert_eq(run(&space, true, budget, part, stop), n);
            for (int i = 0; i < n; i++)
                cr_assert(part[i].candidate == whole[i].candidate && part[i].round == whole[i].round);
        }
    }
}

Test(tune_steps, the_budget_is_kept_but_for_the_last_trial)
{
    tune_space space = {.n = N};
    for (double budget = 1; budget < 400; budget *= 1.3) {
        tune_done done[MOST];
        int n = run(&space, true, budget, done, 0);
        cr_assert_geq(n, 1);
        cr_assert(n == 1 || spent(done, n - 1) < budget);
    }
}

Test(tune_steps, later_rounds_are_reached_where_the_first_takes_too_long)
{
    tune_space space = {.n = N};
    tune_done done[MOST];
    for (double budget = 130; budget < 400; budget += 10) {
        int n = run(&space, true, budget, done, 0), last = 0, first = 0;
        for (int i = 0; i < n; i++) {
            last = done[i].round > last ? done[i].round : last;
            first += done[i].round == 0;
        }
        cr_assert_eq(last, 2, "%g s", budget);
        cr_assert_eq(first, N);
    }
}

/* What did not train does not take longer: it fits where one that did would not. */
/* One dear candidate does not take what the next round needs; the first has no other limit than the whole. */
Test(tune_steps, a_trial_may_take_what_its_round_has)
{
    tune_space space = {.n = 3};
    tune_step next;
    tune_done done[] = {{0, 0, 10, .9, 10}};
    cr_assert(tune_next(&space, false, done, 0, 60, &next));
    cr_assert_float_eq(next.seconds, 60, 1e-9);
    cr_assert(tune_next(&space, false, done, 1, 60, &next));
    cr_assert_float_eq(next.seconds, 20, 1e-9);
}

Test(tune_steps, training_alone_grows)
{
    tune_space space = {.n = 2};
    tune_step next;
    tune_done done[] = {{0, 0, 10, .9, 2}, {1, 0, 10, .8, 10}};
    cr_assert(tune_next(&space, false, done, 2, 37, &next)); /* 10 + 3 x 2 within 17 */
    cr_assert_eq(next.candidate, 0);
    cr_assert_eq(next.round, 1);
    cr_assert_float_eq(next.seconds, 17, 1e-9);
    done[0].train = 3;
    cr_assert_not(tune_next(&space, false, done, 2, 37, &next));
}

Test(tune_steps, nothing_is_tried_twice_and_failures_not_again)
{
    tune_space space = {.n = N};
    tune_done done[MOST];
    int n = run(&space, true, 1e9, done, 0);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < i; j++)
            cr_assert(done[i].candidate != done[j].candidate || done[i].round != done[j].round);
    for (int i = 0; i < n; i++)
        cr_assert(done[i].candidate != 7 || done[i].round == 0);
}

/* ---- The space ----------------------------------------------------------------------------- */

Test(tune_space, every_trial_is_a_specification)
{
    const tune_ask asks[] = {{.n = 60000, .d = 784, .k = 10, .at = 100, .bytes = 8},
                             {.n = 200, .d = 5, .k = 1, .at = 1, .recall = .9},
                             {.n = 100000, .d = 200, .k = 10, .at = 10, .metric = LBH_METRIC_IP, .seconds = 1e-3},
                             {.n = 1000000, .d = 384, .k = 10, .at = 1000, .metric = LBH_METRIC_COSINE, .bytes = 64}};
    for (size_t i = 0; i < sizeof asks / sizeof *asks; i++) {
        tune_space space;
        cr_assert_eq(tune_space_make(&space, &asks[i], NULL, NULL), LBH_OK);
        for (int c = 0; c < space.n; c++)
            for (int round = 0; round <= TUNE_SWEEP; round++) {
                char text[8192] = "[data x]\nbase = synthetic:\n";
                size_t used = strlen(text);
                bench_spec *spec = NULL;
                tune_trial_text(text + used, sizeof text - used, &asks[i], &space.candidate[c], round);
                cr_assert_eq(bench_spec_parse(&spec, "trial", text, strlen(text)), LBH_OK, "%s\n%s", lbh_last_error(),
                             text);
                cr_assert_eq(spec->nmethods, 1);
                cr_assert_eq(spec->what.at.value[0], asks[i].at);
                bench_spec_free(spec);
            }
    }
}

Test(tune_space, bounds_leave_out_what_cannot_keep_them)
{
    tune_space space;
    char text[8192];
    tune_ask ask = {.n = 10000, .d = 128, .k = 10, .at = 10, .bytes = 8};
    cr_assert_eq(tune_space_make(&space, &ask, NULL, NULL), LBH_OK);
    for (int i = 0; i < space.n; i++) {
        cr_assert_leq(space.candidate[i].nbits, 64);
        tune_trial_text(text, sizeof text, &ask, &space.candidate[i], 1);
        cr_assert_null(strstr(text, "float:"), "%s", text);
    }
    tune_trial_text(text, sizeof text, &ask, &space.candidate[1], 0); /* tables before Hamming distance */
    cr_assert(strstr(text, "score=decoder") && strstr(text, "decoder:all"), "%s", text);
    ask.recall = .5; /* speed counts: Hamming distance first */
    cr_assert_eq(tune_space_make(&space, &ask, NULL, NULL), LBH_OK);
    tune_trial_text(text, sizeof text, &ask, &space.candidate[0], 0);
    cr_assert(strstr(text, "hamming"), "%s", text);
    ask.recall = 0;
    ask.bytes = 8 + 4 * 128;
    cr_assert_eq(tune_space_make(&space, &ask, "sgh", "64"), LBH_OK);
    tune_trial_text(text, sizeof text, &ask, &space.candidate[0], 1);
    cr_assert(strstr(text, "float:"));
    ask.bytes = .5;
    cr_assert_eq(tune_space_make(&space, &ask, NULL, NULL), CLI_EUSAGE);
    ask.bytes = 8;
    cr_assert_eq(tune_space_make(&space, &ask, "sgh,nothing", NULL), CLI_EUSAGE);
    cr_assert_eq(tune_space_make(&space, &ask, "sgh,", NULL), CLI_EUSAGE);
    cr_assert_eq(tune_space_make(&space, &ask, NULL, "12"), CLI_EUSAGE);
    cr_assert_eq(tune_space_make(&space, &ask, NULL, "64,,8"), CLI_EUSAGE);
    cr_assert_eq(tune_space_make(&space, &ask, "itq", "64,32"), LBH_OK);
    cr_assert_eq(space.n, 2);
}
