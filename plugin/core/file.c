/* file.c: see file.h. */
#define _DEFAULT_SOURCE /* getentropy */
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

enum { SUFFIX = 6, ATTEMPTS = 100 };

static int fail(lbh_file *file, const char *path, int error)
{
    int rc = lbh_error(error == ENOMEM ? LBH_ENOMEM : LBH_EIO, "cannot write %s: %s", path,
                       strerror(error ? error : EIO));
    lbh_file_discard(file);
    return rc;
}

/* Random letters and digits; the bias of the remainder does no harm. */
static int random_suffix(char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    unsigned char random[SUFFIX];
    if (getentropy(random, sizeof random))
        return -1;
    for (int i = 0; i < SUFFIX; i++)
        text[i] = letters[random[i] % (sizeof letters - 1)];
    return 0;
}

/* Opens TARGET.XXXXXX, a name that was free. A new target gets the permissions that open() gives:
 * asking for the umask would change it for a moment, for all threads. */
static int open_temporary(lbh_file *file, const struct stat *old)
{
    size_t length = strlen(file->target), size = length + 1 + SUFFIX + 1;
    int fd = -1;
    char *name = malloc(size);
    if (!name)
        return -1;
    snprintf(name, size, "%s.XXXXXX", file->target);
    for (int i = 0; i < ATTEMPTS && fd < 0; i++) {
        if (random_suffix(name + length + 1))
            break;
        fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, old ? 0600 : 0666);
        if (fd < 0 && errno != EEXIST)
            break;
    }
    if (fd < 0) {
        int error = errno;
        free(name);
        errno = error;
        return -1;
    }
    file->temporary = name;
    if (old && fchmod(fd, old->st_mode & 07777)) { /* some file systems have no modes: 0600 will do */
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
                 ? open(path, O_WRONLY | O_CLOEXEC)
                 : open_temporary(file, exists ? &st : NULL);
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
    int fd = copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
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
