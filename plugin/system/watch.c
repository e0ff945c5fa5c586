/* watch.c: see watch.h. */
#include "watch.h"

#include "error.h"
#include "profile.h"

#include <string.h>

static const double SECONDS = 0.05; /* between two questions */

static _Thread_local struct watch {
    lbh_progress_fn fn;
    void *ctx;
    int depth; /* calls within calls */
    bool asked, stop;
    bool held; /* nobody but lbh_watch_report() asks */
    const char *what;
    int64_t step, steps;
    double loss, time; /* of the last question, or of the beginning */
} watch;

void lbh_on_progress(lbh_progress_fn fn, void *ctx)
{
    watch.fn = fn;
    watch.ctx = ctx;
}

/* The callback may call this library, with a callback of its own: that is another watch. */
static void ask(double time)
{
    struct watch saved = watch;
    watch = (struct watch){0};
    saved.stop = saved.fn(saved.ctx, saved.what, saved.step, saved.steps, saved.loss) != 0;
    saved.time = time;
    saved.asked = true;
    watch = saved;
}

void lbh_watch_begin(const char *what, int64_t steps)
{
    if (watch.depth++ || !watch.fn)
        return;
    watch.what = what;
    watch.step = 0;
    watch.steps = steps;
    watch.loss = 0;
    watch.asked = watch.stop = watch.held = false;
    watch.time = lbh_now();
}

int lbh_watch_end(int rc)
{
    if (watch.depth == 1 && watch.stop && (rc == LBH_EFORMAT || rc == LBH_ENOMEM))
        rc = lbh_watch_check();
    if (--watch.depth)
        return rc;
    if (rc == LBH_OK && watch.fn && watch.asked && watch.step < watch.steps) {
        watch.step = watch.steps;
        ask(0); /* too late to stop */
    }
    watch.stop = watch.held = false;
    return rc;
}

bool lbh_watch_poll(void)
{
    if (!watch.fn || !watch.depth || watch.stop || watch.held)
        return watch.stop;
    double time = lbh_now();
    if (time - watch.time >= SECONDS)
        ask(time);
    return watch.stop;
}

bool lbh_watch_stopped(bool *stop)
{
    bool is;
#pragma omp atomic read
    is = *stop;
    if (is || !lbh_watch_poll())
        return is;
#pragma omp atomic write
    *stop = true;
    return true;
}

int lbh_watch_check(void)
{
    if (!lbh_watch_poll())
        return LBH_OK;
    return lbh_error(LBH_ECANCELLED, "%s: cancelled at %lld of %lld", watch.what,
                     (long long)watch.step, (long long)watch.steps);
}

static size_t part_of(size_t left)
{
    const size_t part = (size_t)1 << 24;
    return left < part ? left : part;
}

int lbh_watch_copy(void *to, const void *from, size_t size)
{
    for (size_t i = 0; i < size; i += part_of(size - i)) {
        LBH_TRY(lbh_watch_check());
        memcpy((char *)to + i, (const char *)from + i, part_of(size - i));
    }
    return LBH_OK;
}

size_t lbh_watch_write(FILE *stream, const void *data, size_t size)
{
    size_t at = 0, wrote = 1;
    while (at < size && wrote && !lbh_watch_poll()) {
        wrote = fwrite((const char *)data + at, 1, part_of(size - at), stream);
        at += wrote;
    }
    return at;
}

int lbh_watch_step(int64_t step)
{
    if (watch.depth == 1)
        watch.step = step;
    return lbh_watch_check();
}

bool lbh_watch_hold(bool on)
{
    watch.held = on;
    return watch.stop;
}

bool lbh_watch_report(const char *what, int64_t step, int64_t steps, double loss, bool at_once)
{
    if (!watch.fn || !watch.depth)
        return false;
    watch.what = what;
    watch.step = step;
    watch.steps = steps;
    watch.loss = loss;
    if (at_once && !watch.stop)
        ask(lbh_now());
    bool held = watch.held;
    watch.held = false;
    bool stop = lbh_watch_poll();
    watch.held = held;
    return stop;
}
