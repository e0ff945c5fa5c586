/* progress.c: one line on a terminal, redrawn at most ten times a second. See progress.h. */
#define _POSIX_C_SOURCE 200809L
#include "progress.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool shown, dirty;
static char current[64];
static double began, drawn;
static int64_t first; /* done when the job was first seen: a training may go on half-way */

void progress_init(int quiet)
{
    shown = !quiet && isatty(STDERR_FILENO);
}

static void wipe(void)
{
    if (dirty)
        fputs("\r\033[K", stderr);
    dirty = false;
}

void progress_clear(void)
{
    wipe();
    *current = '\0';
}

static void put(const char *before, const char *format, va_list args, const char *after)
{
    wipe();
    fputs(before, stderr);
    vfprintf(stderr, format, args);
    fputs(after, stderr);
    fflush(stderr);
}

void progress_line(const char *format, ...)
{
    if (!shown)
        return;
    va_list args;
    va_start(args, format);
    put("", format, args, "");
    va_end(args);
    dirty = true;
}

void progress_note(const char *format, ...)
{
    if (!shown)
        return;
    va_list args;
    progress_clear();
    va_start(args, format);
    put("", format, args, "\n");
    va_end(args);
}

void progress_say(const char *format, ...)
{
    va_list args;
    progress_clear();
    va_start(args, format);
    put("lbh: ", format, args, "\n");
    va_end(args);
}

void progress_left(char text[32], double seconds)
{
    *text = '\0';
    if (seconds >= 0)
        snprintf(text, 32, seconds < 100 ? "%.0f s left" : "%.0f min left",
                 seconds < 100 ? seconds : seconds / 60);
}

static void draw(const char *what, int64_t done, int64_t total, double loss)
{
    if (!shown)
        return;
    double now = cli_now();
    if (strncmp(current, what, sizeof current - 1) != 0) {
        snprintf(current, sizeof current, "%s", what);
        began = now;
        drawn = 0;
        first = done;
    }
    if (now - drawn < 0.1 && done < total)
        return;
    drawn = now;
    char text[64] = "", left[32] = "";
    if (!isnan(loss))
        snprintf(text, sizeof text, "  loss %.6g", loss);
    double fresh = (double)(done - first);
    if (fresh > 0 && now - began > 1)
        progress_left(left, (now - began) * (double)(total - done) / fresh);
    progress_line("%s  %.0f %%%s%s%s", what, total > 0 ? 100.0 * (double)done / (double)total : 100.0, text,
                  *left ? "  " : "", left);
    if (done >= total)
        progress_clear();
}

int progress_tick(const char *what, int64_t done, int64_t total)
{
    if (cli_interrupted())
        return fail_cancelled();
    draw(what, done, total, NAN);
    return LBH_OK;
}

int progress_training(void *ctx, const char *method, int64_t step, int64_t steps, double loss)
{
    (void)ctx;
    char what[64];
    snprintf(what, sizeof what, "train %s", method);
    draw(what, step, steps, loss);
    return cli_interrupted();
}
