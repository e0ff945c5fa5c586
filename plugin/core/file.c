/* file.c: see file.h. */
#define _XOPEN_SOURCE 700
#include "core/file.h"

#include "core/error.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail(lbh_file *file, const char *path, int error)
{
    int rc = lbh_error(LBH_EIO, "cannot write %s: %s", path, strerror(error ? error : EIO));
    lbh_file_discard(file);
    return rc;
}

/* The permissions a new file would get from open(). */
static mode_t default_mode(void)
{
    mode_t mask = umask(0);
    umask(mask);
    return 0666 & ~mask;
}

static int open_temporary(lbh_file *file, mode_t mode)
{
    size_t length = strlen(file->target) + sizeof ".XXXXXX";
    file->temporary = malloc(length);
    if (!file->temporary)
        return -1;
    snprintf(file->temporary, length, "%s.XXXXXX", file->target);
    int fd = mkstemp(file->temporary);
    if (fd < 0) {
        free(file->temporary);
        file->temporary = NULL;
        return -1;
    }
    if (fchmod(fd, mode)) { /* some file systems have no modes: what mkstemp gave will do */
    }
    return fd;
}

int lbh_file_create(lbh_file *file, const char *path)
{
    *file = (lbh_file){0};
    struct stat st;
    int exists = stat(path, &st) == 0;
    if (exists && S_ISDIR(st.st_mode))
        return fail(file, path, EISDIR);
    if (exists && S_ISREG(st.st_mode) && access(path, W_OK))
        return fail(file, path, errno);
    file->target = exists ? realpath(path, NULL) : strdup(path);
    if (!file->target)
        return fail(file, path, errno);
    int fd = exists && !S_ISREG(st.st_mode)
                 ? open(path, O_WRONLY)
                 : open_temporary(file, exists ? st.st_mode & 07777 : default_mode());
    if (fd < 0)
        return fail(file, path, errno);
    file->stream = fdopen(fd, "wb");
    if (!file->stream) {
        int error = errno;
        close(fd);
        return fail(file, path, error);
    }
    return LBH_OK;
}

/* A rename is lasting once the directory is synced. */
static void sync_directory(const char *path)
{
    char *copy = strdup(path);
    int fd = copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY) : -1;
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    free(copy);
}

int lbh_file_commit(lbh_file *file)
{
    errno = 0;
    int bad = fflush(file->stream) || ferror(file->stream);
    int error = errno ? errno : ENOSPC; /* an earlier failed write left no errno: most often this */
    if (!bad && file->temporary && fsync(fileno(file->stream))) {
        bad = 1;
        error = errno;
    }
    if (fclose(file->stream) && !bad) {
        bad = 1;
        error = errno;
    }
    file->stream = NULL;
    if (!bad && file->temporary && rename(file->temporary, file->target)) {
        bad = 1;
        error = errno;
    }
    if (bad)
        return fail(file, file->target, error);
    if (file->temporary)
        sync_directory(file->target);
    free(file->temporary);
    file->temporary = NULL;
    lbh_file_discard(file);
    return LBH_OK;
}

void lbh_file_discard(lbh_file *file)
{
    if (file->stream)
        fclose(file->stream);
    if (file->temporary)
        unlink(file->temporary);
    free(file->temporary);
    free(file->target);
    *file = (lbh_file){0};
}
