/* profile.c: see profile.h. */
#define _POSIX_C_SOURCE 200809L
#include "profile.h"

#include <string.h>
#include <time.h>

static _Thread_local struct {
    lbh_time running;
    double since; /* seconds of the monotonic clock */
    double seconds[LBH_TIME_PARTS];
} accounts;

double lbh_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

lbh_time lbh_clock(lbh_time part)
{
    lbh_time before = accounts.running;
    double time = lbh_now();
    accounts.seconds[before] += time - accounts.since;
    accounts.since = time;
    accounts.running = part;
    return before;
}

void lbh_clock_reset(void)
{
    memset(&accounts, 0, sizeof accounts);
    accounts.since = lbh_now();
}

void lbh_clock_read(double seconds[LBH_TIME_PARTS])
{
    lbh_clock(accounts.running);
    memcpy(seconds, accounts.seconds, sizeof accounts.seconds);
}
