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

scale_file scale_file_of(const scale *s, const char *name)
{
    scale_file file;
    snprintf(file.path, sizeof file.path, "%s/%s", s->a->dir, name); /* scale_enter() sees to the room */
    return file;
}

int scale_open(const scale *s, const char *name, int flags, scale_file *file, int *fd)
{
    *file = scale_file_of(s, name);
    *fd = open(file->path, flags | O_CLOEXEC, 0666);
    return *fd < 0 ? fail_errno("open", file->path) : LBH_OK;
}

bool scale_has(const scale *s, const char *name)
{
    return access(scale_file_of(s, name).path, F_OK) == 0;
}

int scale_whole(const scale *s, const char *name)
{
    char part[64];
    snprintf(part, sizeof part, "%s.part", name);
    scale_file from = scale_file_of(s, part), to = scale_file_of(s, name);
    if (rename(from.path, to.path) && !(errno == ENOENT && access(to.path, F_OK) == 0))
        return fail_errno("write", to.path);
    return LBH_OK;
}

int scale_remove(const scale *s, const char *name)
{
    scale_file file = scale_file_of(s, name);
    return unlink(file.path) && errno != ENOENT ? fail_errno("remove", file.path) : LBH_OK;
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
    return LBH_OK;
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
    return LBH_OK;
}

/* ---- The directory -------------------------------------------------------------------------- */

/* Says in which line two texts differ first. */
static int compare(const char *dir, const char *old, const char *text)
{
    if (strcmp(old, text) == 0)
        return LBH_OK;
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
        return outfile_put(path, text, strlen(text));
    if (fd < 0)
        return fail_errno("open", path);
    char *old = cli_alloc(MOST, 1);
    ssize_t size = old ? read(fd, old, MOST) : 0;
    int rc = !old ? LBH_ENOMEM : size < 0 ? fail_errno("read", path) : LBH_OK;
    if (rc == LBH_OK) {
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
    if (strlen(dir) + 64 > sizeof(scale_file))
        return fail_usage("scale: '%.40s...' is too long a path", dir);
    if (mkdir(dir, 0777) && errno != EEXIST)
        return fail_errno("make the directory", dir);
    *lock = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*lock < 0)
        return fail_errno("open", dir);
    if (flock(*lock, LOCK_EX | LOCK_NB))
        return errno == EWOULDBLOCK ? fail("'%s': another process is at work there", dir)
                                    : fail_errno("lock", dir);
    return check_settings(s, scale_file_of(s, "settings.txt").path, text);
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
    int rc = !record ? LBH_ENOMEM : fstat(log->fd, &st) ? fail_errno("read", log->file.path) : LBH_OK;
    int64_t size = (int64_t)record_size(log), have = rc == LBH_OK ? (int64_t)st.st_size / size : 0;
    for (bool sound = true; rc == LBH_OK && sound && log->records < have;) {
        rc = scale_read(log->fd, log->file.path, record, (size_t)size, log->records * size);
        sound = rc == LBH_OK && (uint64_t)record[log->words + HASH] == hash_of(log, record);
        if (sound)
            count(log, record);
    }
    free(record);
    return rc;
}

int scale_log_open(scale_log *log, const scale *s, const char *name, int64_t words)
{
    *log = (scale_log){.fd = -1, .words = words};
    log->sum = calloc((size_t)words, sizeof *log->sum);
    log->last = calloc((size_t)words, sizeof *log->last);
    int rc = log->sum && log->last ? LBH_OK : fail_memory();
    if (rc == LBH_OK)
        rc = scale_open(s, name, O_RDWR | O_CREAT, &log->file, &log->fd);
    if (rc == LBH_OK)
        rc = read_records(log);
    if (rc)
        scale_log_close(log);
    return rc;
}

int scale_log_add(scale_log *log, const int64_t *record, scale_time since)
{
    int64_t *all = cli_alloc(log->words + EXTRA, sizeof *all);
    if (!all)
        return LBH_ENOMEM;
    memcpy(all, record, (size_t)log->words * sizeof *all);
    scale_time now = scale_now();
    all[log->words + CLOCK] = (int64_t)(1e6 * (now.seconds - since.seconds));
    all[log->words + CPU] = (int64_t)(1e6 * (now.cpu - since.cpu));
    all[log->words + HASH] = (int64_t)hash_of(log, all);
    int rc = scale_write(log->fd, log->file.path, all, record_size(log),
                         log->records * (int64_t)record_size(log));
    if (rc == LBH_OK && fdatasync(log->fd))
        rc = fail_errno("write", log->file.path);
    if (rc == LBH_OK)
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
    *log = (scale_log){.fd = -1};
}
