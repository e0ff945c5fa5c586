/* fail_io.c: preloaded into a program, makes the Nth call of one function of the C library fail.
 *
 *   FAIL_IO=fsync:2:EIO   the second fsync fails; write:1:short writes half of what it was given
 *   FAIL_IO_COUNTS=FILE   at the end of the process: how often each function was called, in lines
 *
 * Calls on files that are open for writing count, but for the three standard streams. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OPEN, WRITE, PWRITE, FSYNC, RENAME, TRUNCATE, FFLUSH, FCLOSE, CALLS };
static const char *const names[CALLS] = {"open",   "write",     "pwrite", "fsync",
                                         "rename", "ftruncate", "fflush", "fclose"};

static int count[CALLS], which = -1, nth, error; /* error 0: short */

__attribute__((constructor)) static void start(void)
{
    const char *text = getenv("FAIL_IO");
    char name[16] = "", kind[16] = "";
    if (!text || sscanf(text, "%15[a-z]:%d:%15s", name, &nth, kind) != 3)
        return;
    for (int i = 0; i < CALLS; i++)
        if (strcmp(names[i], name) == 0)
            which = i;
    error = strcmp(kind, "ENOSPC") == 0 ? ENOSPC : strcmp(kind, "EIO") == 0 ? EIO : 0;
}

__attribute__((destructor)) static void stop(void)
{
    const char *path = getenv("FAIL_IO_COUNTS");
    int out = -1;
    which = -1;
    if (path)
        out = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    count[OPEN]--; /* that one */
    for (int i = 0; out >= 0 && i < CALLS; i++)
        dprintf(out, "%s %d\n", names[i], count[i]);
    if (out >= 0)
        close(out);
}

static void *next(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

/* The function of the C library behind ours. */
#define REAL(type, name, ...)                                                                      \
    static type (*real)(__VA_ARGS__);                                                              \
    if (!real)                                                                                     \
    *(void **)(void *)&real = next(#name)

/* Counts; true if this call is to fail, with errno set. */
static int fails(int call)
{
    int n = __atomic_add_fetch(&count[call], 1, __ATOMIC_SEQ_CST);
    if (call != which || n != nth)
        return 0;
    errno = error;
    return 1;
}

static int writable(int fd)
{
    int flags = fd > 2 ? fcntl(fd, F_GETFL) : -1;
    return flags >= 0 && (flags & O_ACCMODE) != O_RDONLY;
}

#define OPENER(name)                                                                               \
    __attribute__((visibility("default"))) int name(const char *path, int flags, ...)              \
    {                                                                                              \
        REAL(int, name, const char *, int, ...);                                                   \
        va_list args;                                                                              \
        va_start(args, flags);                                                                     \
        mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;                                  \
        va_end(args);                                                                              \
        if ((flags & O_CREAT) && fails(OPEN))                                                      \
            return -1;                                                                             \
        return real(path, flags, mode);                                                            \
    }
OPENER(open)
OPENER(open64)

__attribute__((visibility("default"))) ssize_t write(int fd, const void *data, size_t size)
{
    REAL(ssize_t, write, int, const void *, size_t);
    if (!writable(fd) || !fails(WRITE))
        return real(fd, data, size);
    return error ? -1 : real(fd, data, size / 2);
}

#define PWRITER(name)                                                                              \
    __attribute__((visibility("default"))) ssize_t name(int fd, const void *data, size_t size,     \
                                                        off_t at)                                  \
    {                                                                                              \
        REAL(ssize_t, name, int, const void *, size_t, off_t);                                     \
        if (!writable(fd) || !fails(PWRITE))                                                       \
            return real(fd, data, size, at);                                                       \
        return error ? -1 : real(fd, data, size / 2, at);                                          \
    }
PWRITER(pwrite)
PWRITER(pwrite64)

#define SYNCER(name)                                                                               \
    __attribute__((visibility("default"))) int name(int fd)                                        \
    {                                                                                              \
        REAL(int, name, int);                                                                      \
        return writable(fd) && fails(FSYNC) ? -1 : real(fd);                                       \
    }
SYNCER(fsync)
SYNCER(fdatasync)

#define CUTTER(name)                                                                               \
    __attribute__((visibility("default"))) int name(int fd, off_t size)                            \
    {                                                                                              \
        REAL(int, name, int, off_t);                                                               \
        return writable(fd) && fails(TRUNCATE) ? -1 : real(fd, size);                              \
    }
CUTTER(ftruncate)
CUTTER(ftruncate64)

__attribute__((visibility("default"))) int rename(const char *from, const char *to)
{
    REAL(int, rename, const char *, const char *);
    return fails(RENAME) ? -1 : real(from, to);
}

__attribute__((visibility("default"))) int fflush(FILE *stream)
{
    REAL(int, fflush, FILE *);
    if (stream && writable(fileno(stream)) && fails(FFLUSH))
        return EOF;
    return real(stream);
}

__attribute__((visibility("default"))) int fclose(FILE *stream)
{
    REAL(int, fclose, FILE *);
    int fail = writable(fileno(stream)) && fails(FCLOSE), rc = real(stream);
    if (fail)
        errno = error;
    return fail ? EOF : rc;
}
