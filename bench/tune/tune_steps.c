/* tune_steps.c: see tune_steps.h. */
#include "tune_steps.h"

/* The part of the budget that is spent when a round ends, without and with a sweep behind the last, and
 * how much longer a round's trials train than those of the one before. */
static const double spent_after[2][TUNE_ROUNDS + 1] = {{.5, 1, 1}, {.45, .75, 1}};
static const double longer[] = {1, 4, .5};

static const tune_done *find(const tune_done *done, int n, int candidate, int round)
{
    for (int i = 0; i < n; i++)
        if (done[i].candidate == candidate && done[i].round == round)
            return &done[i];
    return NULL;
}

/* How many candidates the rounds after the first keep, of so many. */
static int kept_of(int round, int of)
{
    int keep = round == TUNE_SWEEP ? 2 : (of + 3) / 4 > 3 ? (of + 3) / 4 : 3;
    return keep < of ? keep : of;
}

/* The candidates of a round, best first: those of the round before that did best there. Returns their
 * number. */
static int survivors(const tune_space *space, const tune_done *done, int n, int round, int *list)
{
    int count = 0;
    for (int i = 0; i < space->n; i++) {
        const tune_done *d = round ? find(done, n, i, round - 1) : NULL;
        if (round && (!d || d->value < -1))
            continue;
        int at = count++;
        for (; round && at > 0 && d->value > find(done, n, list[at - 1], round - 1)->value; at--)
            list[at] = list[at - 1];
        list[at] = i;
    }
    return round ? kept_of(round, count) : count;
}

static bool begun(const tune_done *done, int n, int round)
{
    for (int i = 0; i < n; i++)
        if (done[i].round == round)
            return true;
    return false;
}

/* Seconds that a trial of the round is likely to take: rows are read, encoded and searched as before. */
static double expected(const tune_done *before, int round)
{
    return before->seconds + (longer[round] - 1) * before->train;
}

/* The first of the round's candidates that was not tried and, by the round before, has the time. */
static bool next_of_round(const tune_space *space, const tune_done *done, int n, int round, double left,
                          tune_step *next)
{
    int list[TUNE_MAX], count = survivors(space, done, n, round, list);
    for (int i = 0; i < count; i++) {
        const tune_done *before = round ? find(done, n, list[i], round - 1) : NULL;
        if (find(done, n, list[i], round) || (before && expected(before, round) > left))
            continue;
        *next = (tune_step){list[i], round, left};
        return true;
    }
    return false;
}

bool tune_next(const tune_space *space, bool sweep, const tune_done *done, int n, double budget,
               tune_step *next)
{
    double spent = 0;
    int reached = 0;
    for (int i = 0; i < n; i++) {
        spent += done[i].seconds;
        reached = done[i].round > reached ? done[i].round : reached;
    }
    if (n > 0 && spent >= budget)
        return false;
    for (int round = reached; round < TUNE_ROUNDS + sweep; round++) {
        double end = begun(done, n, round) ? spent_after[sweep][round] * budget : budget;
        if ((n == 0 || spent < end) && next_of_round(space, done, n, round, end - spent, next))
            return true;
    }
    return false;
}
