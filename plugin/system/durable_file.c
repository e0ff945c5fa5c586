/* durable_file.c: see durable_file.h. */
#define _GNU_SOURCE /* getentropy, fopencookie */
#include "durable_file.h"

#include "error.h"

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

/* Bytes of `target` that may stand in a temporary name of SUFFIX + 1 bytes more: all, but where the file
 * system, or the length of a path, has no room for them, so that every name it takes can be written. */
static size_t kept_of(const char *target)
{
    size_t length = strlen(target), longest = NAME_MAX;
    const char *slash = strrchr(target, '/');
    size_t directory = slash ? (size_t)(slash - target) + 1 : 0;
    char *copy = strdup(target);
    long limit = copy ? pathconf(dirname(copy), _PC_NAME_MAX) : -1;
    free(copy);
    if (limit > SUFFIX + 1)
        longest = (size_t)limit;
    size_t most = directory + longest - (SUFFIX + 1);
    if (most > PATH_MAX - 1 - (SUFFIX + 1))
        most = PATH_MAX - 1 - (SUFFIX + 1);
    if (length <= most)
        return length;
    while (most > directory && (target[most] & 0xC0) == 0x80) /* not in the middle of a character */
        most--;
    return most > directory ? most : directory;
}

/* Opens TARGET.XXXXXX, a name that was free. A new target gets the permissions that open() gives:
 * asking for the umask would change it for a moment, for all threads. */
static int open_temporary(lbh_file *file, const struct stat *old)
{
    size_t length = kept_of(file->target), size = length + 1 + SUFFIX + 1;
    int fd = -1;
    char *name = malloc(size);
    if (!name)
        return -1;
    snprintf(name, size, "%.*s.XXXXXX", (int)length, file->target);
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

/* Opens *fd for what is to be written: a temporary file, or a target that is no regular file. */
static int open_target(lbh_file *file, const char *path, int *fd)
{
    *file = (lbh_file){0};
    struct stat st;
    int exists = stat(path, &st) == 0;
    if (!exists && errno != ENOENT) /* a name that is too long, say: rename would refuse it too late */
        return fail(file, path, errno);
    if (exists && S_ISDIR(st.st_mode))
        return fail(file, path, EISDIR);
    if (exists && S_ISREG(st.st_mode) && access(path, W_OK))
        return fail(file, path, errno);
    file->target = exists ? realpath(path, NULL) : strdup(path);
    if (!file->target)
        return fail(file, path, errno);
    *fd = exists && !S_ISREG(st.st_mode) ? open(path, O_WRONLY | O_CLOEXEC)
                                         : open_temporary(file, exists ? &st : NULL);
    return *fd < 0 ? fail(file, path, errno) : LBH_OK;
}

int lbh_file_create(lbh_file *file, const char *path)
{
    int fd;
    LBH_TRY(open_target(file, path, &fd));
    file->stream = fdopen(fd, "wb");
    if (!file->stream) {
        int error = errno;
        close(fd);
        return fail(file, path, error);
    }
    return LBH_OK;
}

int lbh_file_try(const char *path)
{
    lbh_file file;
    struct stat st;
    int fd;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
        return LBH_OK; /* to open a pipe would be to begin writing */
    LBH_TRY(open_target(&file, path, &fd));
    close(fd);
    lbh_file_discard(&file);
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

/* ---- In memory ----------------------------------------------------------------------------- */

/* Not open_memstream(), which copies all it has each time that it grows: realloc() moves large blocks by
 * their pages. */
static ssize_t append(void *cookie, const char *data, size_t size)
{
    lbh_memory *memory = cookie;
    if (size > memory->room - memory->size) {
        size_t room = memory->size + size;
        room += room / 2;
        char *grown = realloc(memory->data, room);
        if (!grown)
            return 0;
        memory->data = grown;
        memory->room = room;
    }
    memcpy(memory->data + memory->size, data, size);
    memory->size += size;
    return (ssize_t)size;
}

int lbh_memory_create(lbh_memory *memory)
{
    *memory = (lbh_memory){0};
    memory->stream = fopencookie(memory, "wb", (cookie_io_functions_t){.write = append});
    return memory->stream ? LBH_OK : lbh_error(LBH_ENOMEM, "out of memory for a file in memory");
}

int lbh_memory_commit(lbh_memory *memory, int rc, void **data, size_t *size)
{
    int bad = ferror(memory->stream);
    bad |= fclose(memory->stream);
    if (!rc && bad)
        rc = lbh_error(LBH_ENOMEM, "out of memory for a file in memory");
    if (rc) {
        free(memory->data);
        return rc;
    }
    *data = memory->data;
    *size = memory->size;
    return LBH_OK;
}

void lbh_free(void *data)
{
    free(data);
}
