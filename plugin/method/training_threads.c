/* training_threads.c: see training_threads.h.
 *
 * Steps of one training take about the same time, so that a few with one thread beside a few with all
 * say which is faster here and now. The trial is repeated, at most every REST times as long as it
 * took, for cores become busy and free again. */
#include "training_threads.h"

static const double WINDOW = 0.01; /* seconds that are timed, or one step */
static const double REST = 20, LEAST_REST = 0.5;
static const double MARGIN = 0.95; /* what is not faster by so much is noise */

static void start(lbh_pace *p, bool one, bool other)
{
    p->unsettled = one != p->one;
    p->one = one;
    p->other = other;
    p->seconds = 0;
    p->steps = 0;
}

int lbh_pace_step(lbh_pace *p, double now)
{
    if (p->most < 2)
        return p->most;
    double took = now - p->resumed;
    if (p->begun && now >= p->until && !(p->unsettled && took < WINDOW)) {
        p->seconds += took;
        p->steps++;
    }
    p->begun = true;
    p->unsettled = false;
    if (p->steps && p->seconds >= WINDOW) {
        p->mean[p->other] = p->seconds / (double)p->steps;
        if (!p->other) {
            start(p, !p->one, true);
        } else {
            double trial = p->seconds > LEAST_REST / REST ? p->seconds : LEAST_REST / REST;
            start(p, p->mean[1] < MARGIN * p->mean[0] ? p->one : !p->one, false);
            p->until = now + REST * trial;
        }
    }
    return p->one ? 1 : p->most;
}

void lbh_pace_resume(lbh_pace *p, double now)
{
    p->resumed = now;
}
