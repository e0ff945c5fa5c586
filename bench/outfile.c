/* outfile.c: output files that appear whole or not at all. See outfile.h. */
#define _GNU_SOURCE
#include "outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUFFER = 1 << 20 };

struct outfile {
    char *path;      /* where the file is to appear; symbolic links followed */
    char *temporary; /* NULL when writing to a device or a pipe */
    int fd;
    size_t used;
    char buffer[BUFFER];
};

/* The file that a symbolic link stands for, so that the link stays a link. */
static char *resolve(const char *path)
{
    char *real = realpath(path, NULL);
    return real ? real : strdup(path);
}

static char *directory_of(const char *path)
{
    char *copy = strdup(path);
    char *dir = copy ? strdup(dirname(copy)) : NULL;
    free(copy);
    return dir;
}

int outfile_check(const char *path, bool regular)
{
    struct stat st;
    if (stat(path, &st) == 0) {
        if (S_ISDIR(st.st_mode))
            return fail("cannot write '%s': it is a directory", path);
        if (!S_ISREG(st.st_mode))
            return regular ? fail("cannot write '%s': it is not a regular file", path) : EXIT_OK;
    }
    char *real = resolve(path), *dir = real ? directory_of(real) : NULL;
    int rc = EXIT_OK;
    if (!dir)
        rc = fail_memory();
    else if (access(dir, W_OK | X_OK) != 0)
        rc = fail_errno("write", path);
    free(dir);
    free(real);
    return rc;
}

static int open_temporary(outfile *f)
{
    if (asprintf(&f->temporary, "%s.XXXXXX", f->path) < 0) {
        f->temporary = NULL;
        return fail_memory();
    }
    f->fd = mkostemp(f->temporary, O_CLOEXEC);
    if (f->fd < 0) {
        free(f->temporary);
        f->temporary = NULL;
        return fail_errno("write", f->path);
    }
    cli_guard(f->temporary);
    mode_t mask = umask(0);
    umask(mask);
    if (fchmod(f->fd, 0666 & ~mask) != 0)
        return fail_errno("write", f->path);
    return EXIT_OK;
}

int outfile_open(outfile **file, const char *path)
{
    *file = NULL;
    outfile *f = malloc(sizeof *f);
    if (!f)
        return fail_memory();
    f->path = resolve(path);
    f->temporary = NULL;
    f->fd = -1;
    f->used = 0;
    struct stat st;
    int rc = EXIT_OK;
    if (!f->path)
        rc = fail_memory();
    else if (stat(f->path, &st) == 0 && S_ISDIR(st.st_mode))
        rc = fail("cannot write '%s': it is a directory", path);
    else if (stat(f->path, &st) == 0 && !S_ISREG(st.st_mode)) {
        f->fd = open(f->path, O_WRONLY | O_CLOEXEC);
        if (f->fd < 0)
            rc = fail_errno("write", path);
    } else
        rc = open_temporary(f);
    if (rc)
        outfile_abort(f);
    else
        *file = f;
    return rc;
}

static int write_all(outfile *f, const char *p, size_t size)
{
    while (size) {
        ssize_t done = write(f->fd, p, size);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return fail_errno("write", f->path);
        p += done;
        size -= (size_t)done;
    }
    return EXIT_OK;
}

static int flush(outfile *f)
{
    size_t used = f->used;
    f->used = 0;
    return write_all(f, f->buffer, used);
}

int outfile_write(outfile *f, const void *data, size_t size)
{
    if (size > BUFFER - f->used) {
        int rc = flush(f);
        if (rc)
            return rc;
    }
    if (size >= BUFFER)
        return write_all(f, data, size);
    memcpy(f->buffer + f->used, data, size);
    f->used += size;
    return EXIT_OK;
}

/* Makes the new name itself survive a power cut. Some file systems cannot; that is no error. */
static void sync_directory(const char *path)
{
    char *dir = directory_of(path);
    int fd = dir ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    free(dir);
}

int outfile_commit(outfile *f)
{
    int rc = flush(f);
    if (rc == EXIT_OK && f->temporary && fsync(f->fd) != 0)
        rc = fail_errno("write", f->path);
    if (rc == EXIT_OK) {
        int fd = f->fd;
        f->fd = -1;
        if (close(fd) != 0)
            rc = fail_errno("write", f->path);
    }
    if (rc == EXIT_OK && f->temporary) {
        if (rename(f->temporary, f->path) != 0)
            rc = fail_errno("write", f->path);
        else {
            cli_unguard(f->temporary);
            free(f->temporary);
            f->temporary = NULL;
            sync_directory(f->path);
        }
    }
    outfile_abort(f);
    return rc;
}

void outfile_abort(outfile *f)
{
    if (!f)
        return;
    if (f->fd >= 0)
        close(f->fd);
    if (f->temporary) {
        unlink(f->temporary);
        cli_unguard(f->temporary);
    }
    free(f->temporary);
    free(f->path);
    free(f);
}
