/* index_file.c: index files, written and read by FAISS itself; around it, what makes that safe: whole or
 * no files on the way out, a look at the structure on the way in. */
#define _POSIX_C_SOURCE 200809L
#include "file_check.h"
#include "index_parts.h"

#include "durable_file.h"
#include "faiss_gap_life.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Runs `write` into a file that replaces `path` only when all is written. */
typedef int (*write_fn)(const void *index, FILE *stream);

static int save(const char *path, write_fn write, const void *index)
{
    lbh_file file;
    LBH_TRY(lbh_file_create(&file, path));
    errno = 0;
    int rc = write(index, file.stream);
    int reason = errno;
    if (rc == LBH_OK)
        return lbh_file_commit(&file);
    if (ferror(file.stream)) /* FAISS's "write error" says less than the system does */
        rc = lbh_error(LBH_EIO, "%s: cannot write: %s", path, strerror(reason ? reason : EIO));
    lbh_file_discard(&file);
    return rc;
}

static int write_binary(const void *index, FILE *stream)
{
    return lbh_gap_write(index, stream);
}

static int write_float(const void *index, FILE *stream)
{
    return lbh_gap_float_write(index, stream);
}

static int check_path(const void *handle, const char *path)
{
    if (!handle)
        return lbh_error(LBH_EINVAL, "index: no index given");
    if (!path || !*path)
        return lbh_error(LBH_EINVAL, "index: no file name given");
    return LBH_OK;
}

static int check_writable(const FaissIndexBinary *index, const char *path)
{
    if (!lbh_gap_unwritable(index))
        return LBH_OK;
    return lbh_error(LBH_EFAISS,
                     "%s: FAISS cannot save a multi-hash index of %lld codes that share one "
                     "bucket; add one more code or use BHash", path,
                     (long long)lbh_index_ntotal(index));
}

int lbh_index_save(const FaissIndexBinary *index, const char *path)
{
    LBH_TRY(check_path(index, path));
    LBH_TRY(check_writable(index, path));
    return save(path, write_binary, index);
}

int lbh_index_save_memory(const FaissIndexBinary *index, void **data, size_t *size)
{
    if (!index || !data || !size)
        return lbh_error(LBH_EINVAL, "index: no index, or no place for its bytes, given");
    LBH_TRY(check_writable(index, "memory"));
    lbh_memory memory;
    LBH_TRY(lbh_memory_create(&memory));
    return lbh_memory_commit(&memory, lbh_gap_write(index, memory.stream), data, size);
}

int lbh_index_load_memory(FaissIndexBinary **index, const void *data, size_t size)
{
    if (!index || !data)
        return lbh_error(LBH_EINVAL, "index: nowhere to put it, or no bytes, given");
    bool whole;
    LBH_TRY(lbh_file_check("index in memory", data, size, &whole));
    FILE *stream = fmemopen((void *)(uintptr_t)data, size, "rb"); /* which is only read */
    if (!stream)
        return lbh_error(LBH_ENOMEM, "index in memory: out of memory to read it");
    FaissIndexBinary *made = NULL;
    int rc = lbh_gap_read(&made, stream, "index in memory");
    fclose(stream);
    if (rc == LBH_OK)
        *index = made;
    return rc;
}

int lbh_float_index_save(const FaissIndex *index, const char *path)
{
    LBH_TRY(check_path(index, path));
    return save(path, write_float, index);
}

/* Opens a regular file that is not empty. */
static int open_input(FILE **stream, size_t *size, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe must not hang us */
    if (fd < 0)
        return lbh_error(LBH_EIO, "%s: cannot open: %s", path, strerror(errno));
    struct stat st;
    const char *why = NULL;
    int code = LBH_OK;
    if (fstat(fd, &st) != 0) {
        code = LBH_EIO;
        why = strerror(errno);
    } else if (!S_ISREG(st.st_mode)) {
        code = LBH_EIO;
        why = "not a regular file";
    } else if (st.st_size == 0) {
        why = "the file is empty";
        code = LBH_EFORMAT;
    } else if (!(*stream = fdopen(fd, "rb"))) {
        code = errno == ENOMEM ? LBH_ENOMEM : LBH_EIO;
        why = strerror(errno);
    }
    if (code != LBH_OK) {
        close(fd);
        return lbh_error(code, "%s: %s", path, why);
    }
    *size = (size_t)st.st_size;
    return LBH_OK;
}

static int check_structure(FILE *stream, size_t size, const char *path)
{
    void *data = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fileno(stream), 0);
    if (data == MAP_FAILED)
        return lbh_error(LBH_EIO, "%s: cannot read: %s", path, strerror(errno));
    bool whole;
    int rc = lbh_file_check(path, data, size, &whole);
    munmap(data, size);
    return rc;
}

int lbh_index_load(FaissIndexBinary **index, const char *path)
{
    LBH_TRY(check_path(index, path));
    FILE *stream;
    size_t size;
    LBH_TRY(open_input(&stream, &size, path));
    FaissIndexBinary *made = NULL;
    int rc = check_structure(stream, size, path);
    if (rc == LBH_OK)
        rc = lbh_gap_read(&made, stream, path);
    fclose(stream);
    if (rc == LBH_OK)
        *index = made;
    return rc;
}

int lbh_index_load_mapped(FaissIndexBinary **index, const char *path)
{
    LBH_TRY(check_path(index, path));
    FILE *stream;
    size_t size;
    LBH_TRY(open_input(&stream, &size, path));
    int rc = check_structure(stream, size, path);
    fclose(stream);
    return rc == LBH_OK ? lbh_gap_read_mapped(index, path) : rc;
}

int lbh_float_index_load(FaissIndex **index, const char *path)
{
    LBH_TRY(check_path(index, path));
    FILE *stream;
    size_t size;
    LBH_TRY(open_input(&stream, &size, path));
    FaissIndex *made = NULL;
    int rc = lbh_gap_float_read(&made, stream, path);
    fclose(stream);
    if (rc == LBH_OK)
        *index = made;
    return rc;
}
