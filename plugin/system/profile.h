/* profile.h: where the time of a training goes. Each thread has a clock that runs on one account at
 * a time, so what it has charged adds up to the time that has passed. Products, random numbers and
 * optimisers charge themselves; a method says when its element-wise passes begin. About 50 ns a
 * switch. */
#ifndef LBH_CORE_PROFILE_H
#define LBH_CORE_PROFILE_H

typedef enum {
    LBH_TIME_OTHER, /* before and after the steps: decompositions, statistics */
    LBH_TIME_GEMM,
    LBH_TIME_PASSES, /* element-wise passes of a step */
    LBH_TIME_NOISE,
    LBH_TIME_OPTIMISER,
    LBH_TIME_DATA, /* pulling rows, gathering batches */
    LBH_TIME_PARTS
} lbh_time;

/* Charges the time since the last call to the account that was running, lets that of `part` run,
 * and returns the one that was running, to go back to it. */
lbh_time lbh_clock(lbh_time part);

/* Sets all accounts of this thread to 0 seconds and lets LBH_TIME_OTHER run. */
void lbh_clock_reset(void);

/* Seconds on each account of this thread, up to now. */
void lbh_clock_read(double seconds[LBH_TIME_PARTS]);

double lbh_now(void); /* seconds of the monotonic clock */

#endif
