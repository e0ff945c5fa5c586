/* test_training_threads.c: the number of threads of a training's steps, on made-up clocks: it is the one
 * that is faster, follows the machine, and finding out takes little time. */
#include "training_threads.h"

#include <criterion/criterion.h>

typedef struct clock_of {
    lbh_pace pace;
    double now, wasted; /* seconds; what steps took beyond the faster way */
    long steps, of_one;
} clock_of;

/* Steps of `all` or `one` seconds, by the number of threads, until `seconds` have passed. */
static void steps(clock_of *c, double seconds, double all, double one)
{
    double end = c->now + seconds, best = all < one ? all : one;
    c->steps = c->of_one = 0;
    c->wasted = 0;
    while (c->now < end) {
        int threads = lbh_pace_step(&c->pace, c->now);
        cr_assert(threads == 1 || threads == c->pace.most);
        c->now += best / 10; /* a callback, or a checkpoint */
        lbh_pace_resume(&c->pace, c->now);
        double took = threads == 1 ? one : all;
        c->now += took;
        c->wasted += took - best;
        c->steps++;
        c->of_one += threads == 1;
    }
}

static clock_of begin(int most)
{
    /* Ten seconds of preparation are not a step. */
    return (clock_of){.pace = {.most = most, .resumed = 0}, .now = 10};
}

Test(training_threads, the_faster_number_is_taken)
{
    static const double length[] = {0.0001, 0.004, 0.3};
    for (int i = 0; i < 3; i++) {
        double unit = length[i], time = unit < 0.1 ? 10 : 100;
        clock_of c = begin(2);
        steps(&c, time, unit, 1.8 * unit); /* quiet cores */
        cr_expect_lt((double)c.of_one, 0.06 * (double)c.steps, "%ld of %ld", c.of_one, c.steps);
        cr_expect_lt(c.wasted, 0.06 * time, "%g s", c.wasted);
        c = begin(2);
        steps(&c, time, 3 * unit, unit); /* busy ones */
        cr_expect_gt((double)c.of_one, 0.9 * (double)c.steps, "%ld of %ld", c.of_one, c.steps);
        cr_expect_lt(c.wasted, 0.12 * time, "%g s", c.wasted);
    }
}

Test(training_threads, follows_the_machine)
{
    clock_of c = begin(4);
    steps(&c, 5, 0.002, 0.006);
    cr_expect_lt((double)c.of_one, 0.06 * (double)c.steps);
    steps(&c, 5, 0.02, 0.006);
    steps(&c, 5, 0.02, 0.006);
    cr_expect_gt((double)c.of_one, 0.85 * (double)c.steps, "%ld of %ld", c.of_one, c.steps);
    steps(&c, 5, 0.002, 0.006);
    steps(&c, 5, 0.002, 0.006);
    cr_expect_lt((double)c.of_one, 0.06 * (double)c.steps, "%ld of %ld", c.of_one, c.steps);
}

Test(training_threads, equal_times_keep_what_is)
{
    clock_of c = begin(2);
    steps(&c, 5, 0.005, 0.005);
    cr_expect_lt((double)c.of_one, 0.06 * (double)c.steps, "%ld of %ld", c.of_one, c.steps);
}

Test(training_threads, one_thread_stays_one)
{
    clock_of c = begin(1);
    steps(&c, 1, 0.001, 0.001);
    cr_expect_eq(c.of_one, c.steps);
    cr_expect_eq(c.pace.steps, 0);
}
