/* watch.h: how a long call lets its caller see how far it is, and end it. Per thread: the callback of
 * lbh_on_progress() (lbh.h), asked at most every 50 ms, and not at all by calls that are shorter. */
#ifndef LBH_CORE_WATCH_H
#define LBH_CORE_WATCH_H

#include "lbh.h"

#include <stdbool.h>
#include <stdio.h>

/* A call begins: `what` it does, in so many steps. What is begun within another call leaves that one's
 * name and steps alone. Ends with lbh_watch_end(rc), which returns rc; LBH_ECANCELLED for an error after the caller
 * has asked to stop, since what was left undone may look like damage, or like a lack of memory. The two
 * are exported for c_api/ only, as are the next ones. */
LBH_API void lbh_watch_begin(const char *what, int64_t steps);
LBH_API int lbh_watch_end(int rc);

/* `step` steps are done. LBH_ECANCELLED, with the error set, if the caller wants to stop. */
LBH_API int lbh_watch_step(int64_t step);

/* The same between two steps. */
LBH_API int lbh_watch_check(void);

/* The same inside a parallel region, for each piece of the work: whether to leave it undone. The caller's
 * thread asks, and tells the others by *stop, which they share. lbh_watch_check() afterwards makes an
 * error of it. */
bool lbh_watch_stopped(bool *stop);
LBH_API bool lbh_watch_poll(void);

/* memcpy of what may be gigabytes. LBH_ECANCELLED as lbh_watch_check(). */
LBH_API int lbh_watch_copy(void *to, const void *from, size_t size);

/* fwrite of what may be gigabytes; returns how many bytes it wrote. Fewer: the stream has an error, or the
 * caller has asked to stop, as lbh_watch_check() says then. */
LBH_API size_t lbh_watch_write(FILE *stream, const void *data, size_t size);

/* method/training_progress.c: whether the caller has asked to stop before. From now on, or no longer (on: false), only
 * lbh_watch_report() asks, until the outermost call ends: what is left undone would be part of what is saved. */
bool lbh_watch_hold(bool on);

/* method/training_progress.c: what the polls until the next one tell, and whether the callback asks to stop. now: ask
 * even if 50 ms are not over. */
bool lbh_watch_report(const char *what, int64_t step, int64_t steps, double loss, bool now);

#endif
