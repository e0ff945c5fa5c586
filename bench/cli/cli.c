/* cli.c: errors, signals, memory, time and orders for the command. See cli.h. */
#define _GNU_SOURCE
#include "cli.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* ---- The end ------------------------------------------------------------------------------- */

enum { STOPPED = 130 };

static char kept[2048] = "nothing was written";

int cli_usage(int code)
{
    return code == LBH_EINVAL ? CLI_EUSAGE : code;
}

bool cli_stopped(int code)
{
    return code == LBH_ECANCELLED || (code != LBH_OK && cli_interrupted());
}

int cli_kept(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(kept, sizeof kept, format, args);
    va_end(args);
    return LBH_ECANCELLED;
}

int cli_exit(int code)
{
    if (code == LBH_OK)
        return 0;
    if (cli_stopped(code)) {
        fprintf(stderr, "lbh: interrupted; %s\n", kept);
        return STOPPED;
    }
    fprintf(stderr, "lbh: %s\n", *lbh_last_error() ? lbh_last_error() : "the library gave no reason");
    return code == CLI_EUSAGE ? 2 : 1;
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
    _exit(STOPPED);
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
    _exit(1);
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
        lbh_error(LBH_ENOMEM, "out of memory (%.0f MB wanted)", (double)count * (double)size / 1e6);
    return p;
}

int cli_memory_file(const char *text)
{
    size_t left = strlen(text);
    int fd = memfd_create("lbh", MFD_CLOEXEC);
    while (fd >= 0 && left > 0) {
        ssize_t put = write(fd, text, left);
        if (put < 0 && errno != EINTR)
            break;
        text += put > 0 ? put : 0;
        left -= put > 0 ? (size_t)put : 0;
    }
    if (fd >= 0 && left == 0 && lseek(fd, 0, SEEK_SET) == 0)
        return fd;
    fail_errno("make", "a file in memory");
    if (fd >= 0)
        close(fd);
    return -1;
}

double cli_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- Orders -------------------------------------------------------------------------------- */

int compare_ids(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}
