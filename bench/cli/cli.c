/* cli.c: errors, signals, memory and time for the command. See cli.h. */
#define _POSIX_C_SOURCE 200809L
#include "cli.h"

#include "lbh.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static char error_text[2048];

static void set_error(const char *format, va_list args)
{
    /* Through a buffer of its own: an argument may be the old text. */
    char text[sizeof error_text];
    vsnprintf(text, sizeof text, format, args);
    memcpy(error_text, text, sizeof text);
}

int(fail)(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    set_error(format, args);
    va_end(args);
    return EXIT_RUNTIME;
}

int(fail_usage)(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    set_error(format, args);
    va_end(args);
    return EXIT_USAGE;
}

int(fail_errno)(const char *what, const char *path)
{
    return fail("cannot %s '%s': %s", what, path, strerror(errno));
}

int(fail_memory)(void)
{
    return fail("out of memory");
}

int(fail_cancelled)(void)
{
    fail("interrupted; nothing was written");
    return EXIT_CANCELLED;
}

int fail_library(int library_code)
{
    if (library_code == LBH_OK)
        return EXIT_OK;
    if (library_code == LBH_ECANCELLED || cli_interrupted())
        return fail_cancelled();
    if (!*error_text)
        fail("%s", *lbh_last_error() ? lbh_last_error() : "the library gave no reason");
    return EXIT_RUNTIME;
}

const char *cli_error(void)
{
    return error_text;
}

void cli_clear_error(void)
{
    *error_text = '\0';
}

/* ---- Signals ------------------------------------------------------------------------------- */

enum { MAX_GUARDED = 4, MAX_GUARDED_PATH = 4096 };
static volatile sig_atomic_t interrupted;
static char guarded[MAX_GUARDED][MAX_GUARDED_PATH];
static volatile sig_atomic_t guarded_used[MAX_GUARDED];

static void on_stop(int signal_number)
{
    (void)signal_number;
    if (!interrupted) {
        interrupted = 1;
        return;
    }
    for (int i = 0; i < MAX_GUARDED; i++)
        if (guarded_used[i])
            unlink(guarded[i]);
    _exit(EXIT_CANCELLED);
}

/* A mapped input that somebody cuts short while we read it. */
static void on_bus_error(int signal_number)
{
    (void)signal_number;
    static const char text[] = "lbh: an input file could not be read (was it cut short while "
                               "being read, or is the disk failing?)\n";
    ssize_t ignored = write(STDERR_FILENO, text, sizeof text - 1);
    (void)ignored;
    for (int i = 0; i < MAX_GUARDED; i++)
        if (guarded_used[i])
            unlink(guarded[i]);
    _exit(EXIT_RUNTIME);
}

void cli_catch_signals(void)
{
    struct sigaction stop = {.sa_handler = on_stop, .sa_flags = SA_RESTART};
    sigemptyset(&stop.sa_mask);
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        struct sigaction old;
        /* nohup and background jobs of a script start us with the signal ignored: leave it. */
        if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            sigaction(signals[i], &stop, NULL);
    }
    struct sigaction bus = {.sa_handler = on_bus_error};
    sigemptyset(&bus.sa_mask);
    sigaction(SIGBUS, &bus, NULL);
    /* A file size limit is to be an error of write(), like a full disk. */
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigemptyset(&ignore.sa_mask);
    sigaction(SIGXFSZ, &ignore, NULL);
}

bool cli_interrupted(void)
{
    return interrupted != 0;
}

void cli_guard(const char *path)
{
    for (int i = 0; i < MAX_GUARDED; i++)
        if (!guarded_used[i] && strlen(path) < MAX_GUARDED_PATH) {
            strcpy(guarded[i], path);
            guarded_used[i] = 1;
            return;
        }
}

void cli_unguard(const char *path)
{
    for (int i = 0; i < MAX_GUARDED; i++)
        if (guarded_used[i] && strcmp(guarded[i], path) == 0) {
            guarded_used[i] = 0;
            return;
        }
}

/* ---- Memory and time ----------------------------------------------------------------------- */

void *cli_alloc(int64_t count, size_t size)
{
    void *p = NULL;
    if (count >= 0 && (uint64_t)count <= SIZE_MAX / 2 / (size ? size : 1))
        p = malloc((size_t)count * size + 1);
    if (!p)
        fail("out of memory (%.0f MB wanted)", (double)count * (double)size / 1e6);
    return p;
}

double cli_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
