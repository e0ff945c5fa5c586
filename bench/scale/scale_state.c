/* scale_state.c: see scale_state.h. */
#define _GNU_SOURCE
#include "scale_state.h"

#include "outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <xxhash.h>

char *scale_path(const scale *s, const char *name)
{
    char *path = NULL;
    if (asprintf(&path, "%s/%s", s->a->dir, name) >= 0)
        return path;
    fail_memory();
    return NULL;
}

bool scale_has(const scale *s, const char *name)
{
    char *path = scale_path(s, name);
    bool has = path && access(path, F_OK) == 0;
    free(path);
    return has;
}

int scale_whole(const scale *s, const char *name)
{
    char *path = scale_path(s, name), *part = NULL;
    int rc = path && asprintf(&part, "%s.part", path) >= 0 ? EXIT_OK : fail_memory();
    if (rc == EXIT_OK && rename(part, path) && !(errno == ENOENT && access(path, F_OK) == 0))
        rc = fail_errno("write", path);
    free(part);
    free(path);
    return rc;
}

int scale_remove(const scale *s, const char *name)
{
    char *path = scale_path(s, name);
    int rc = path ? EXIT_OK : EXIT_RUNTIME;
    if (rc == EXIT_OK && unlink(path) && errno != ENOENT)
        rc = fail_errno("remove", path);
    free(path);
    return rc;
}

int scale_write(int fd, const char *path, const void *data, size_t size, int64_t at)
{
    for (const char *p = data; size > 0;) {
        ssize_t done = pwrite(fd, p, size, (off_t)at);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return fail_errno("write", path);
        p += done;
        at += done;
        size -= (size_t)done;
    }
    return EXIT_OK;
}

int scale_read(int fd, const char *path, void *data, size_t size, int64_t at)
{
    for (char *p = data; size > 0;) {
        ssize_t done = pread(fd, p, size, (off_t)at);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return fail_errno("read", path);
        if (done == 0)
            return fail("'%s' is cut off", path);
        p += done;
        at += done;
        size -= (size_t)done;
    }
    return EXIT_OK;
}

/* ---- The directory -------------------------------------------------------------------------- */

static int write_settings(const char *path, const char *text)
{
    outfile *out;
    TRY(outfile_open(&out, path));
    int rc = outfile_write(out, text, strlen(text));
    if (rc == EXIT_OK)
        return outfile_commit(out);
    outfile_abort(out);
    return rc;
}

/* Says in which line two texts differ first. */
static int compare(const char *dir, const char *old, const char *text)
{
    if (strcmp(old, text) == 0)
        return EXIT_OK;
    size_t line = 0;
    for (size_t i = 0; old[i] && old[i] == text[i]; i++)
        line = old[i] == '\n' ? i + 1 : line;
    return fail("'%s' is the directory of another run: it has '%.*s', and now it is '%.*s'; choose another "
                "directory, or remove this one", dir, (int)strcspn(old + line, "\n"), old + line,
                (int)strcspn(text + line, "\n"), text + line);
}

static int check_settings(const scale *s, const char *path, const char *text)
{
    enum { MOST = 1 << 16 };
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return write_settings(path, text);
    if (fd < 0)
        return fail_errno("open", path);
    char *old = cli_alloc(MOST, 1);
    ssize_t size = old ? read(fd, old, MOST) : 0;
    int rc = !old ? EXIT_RUNTIME : size < 0 ? fail_errno("read", path) : EXIT_OK;
    if (rc == EXIT_OK) {
        old[size] = '\0';
        rc = compare(s->a->dir, old, text);
    }
    free(old);
    close(fd);
    return rc;
}

int scale_enter(const scale *s, const char *text, int *lock)
{
    const char *dir = s->a->dir;
    if (mkdir(dir, 0777) && errno != EEXIST)
        return fail_errno("make the directory", dir);
    *lock = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*lock < 0)
        return fail_errno("open", dir);
    if (flock(*lock, LOCK_EX | LOCK_NB))
        return errno == EWOULDBLOCK ? fail("'%s': another process is at work there", dir)
                                    : fail_errno("lock", dir);
    char *path = scale_path(s, "settings.txt");
    int rc = path ? check_settings(s, path, text) : EXIT_RUNTIME;
    free(path);
    return rc;
}

/* ---- Logs ------------------------------------------------------------------------------------ */

/* In the file: words numbers, microseconds of the clock and of the processors, and the hash of what
 * stands before it. */
enum { CLOCK, CPU, HASH, EXTRA };

static size_t record_size(const scale_log *log)
{
    return ((size_t)log->words + EXTRA) * sizeof(int64_t);
}

scale_time scale_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (scale_time){cli_now(), (double)t.tv_sec + 1e-9 * (double)t.tv_nsec};
}

static void count(scale_log *log, const int64_t *record)
{
    for (int64_t i = 0; i < log->words; i++)
        log->sum[i] += record[i];
    memcpy(log->last, record, (size_t)log->words * sizeof *record);
    log->rows += record[0];
    log->seconds += 1e-6 * (double)record[log->words + CLOCK];
    log->cpu += 1e-6 * (double)record[log->words + CPU];
    log->records++;
}

static uint64_t hash_of(const scale_log *log, const int64_t *record)
{
    return XXH64(record, record_size(log) - sizeof(uint64_t), (uint64_t)log->records);
}

static int read_records(scale_log *log)
{
    struct stat st;
    int64_t *record = cli_alloc(log->words + EXTRA, sizeof *record);
    int rc = !record ? EXIT_RUNTIME : fstat(log->fd, &st) ? fail_errno("read", log->path) : EXIT_OK;
    int64_t size = (int64_t)record_size(log), have = rc == EXIT_OK ? (int64_t)st.st_size / size : 0;
    for (bool sound = true; rc == EXIT_OK && sound && log->records < have;) {
        rc = scale_read(log->fd, log->path, record, (size_t)size, log->records * size);
        sound = rc == EXIT_OK && (uint64_t)record[log->words + HASH] == hash_of(log, record);
        if (sound)
            count(log, record);
    }
    free(record);
    return rc;
}

int scale_log_open(scale_log *log, const scale *s, const char *name, int64_t words)
{
    *log = (scale_log){.fd = -1, .words = words, .path = scale_path(s, name)};
    if (!log->path)
        return EXIT_RUNTIME;
    log->sum = calloc((size_t)words, sizeof *log->sum);
    log->last = calloc((size_t)words, sizeof *log->last);
    int rc = log->sum && log->last ? EXIT_OK : fail_memory();
    if (rc == EXIT_OK) {
        log->fd = open(log->path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        rc = log->fd < 0 ? fail_errno("open", log->path) : read_records(log);
    }
    if (rc)
        scale_log_close(log);
    return rc;
}

int scale_log_add(scale_log *log, const int64_t *record, scale_time since)
{
    int64_t *all = cli_alloc(log->words + EXTRA, sizeof *all);
    if (!all)
        return EXIT_RUNTIME;
    memcpy(all, record, (size_t)log->words * sizeof *all);
    scale_time now = scale_now();
    all[log->words + CLOCK] = (int64_t)(1e6 * (now.seconds - since.seconds));
    all[log->words + CPU] = (int64_t)(1e6 * (now.cpu - since.cpu));
    all[log->words + HASH] = (int64_t)hash_of(log, all);
    int rc = scale_write(log->fd, log->path, all, record_size(log),
                         log->records * (int64_t)record_size(log));
    if (rc == EXIT_OK && fdatasync(log->fd))
        rc = fail_errno("write", log->path);
    if (rc == EXIT_OK)
        count(log, all);
    free(all);
    return rc;
}

void scale_log_close(scale_log *log)
{
    if (log->fd >= 0)
        close(log->fd);
    free(log->sum);
    free(log->last);
    free(log->path);
    *log = (scale_log){.fd = -1};
}
