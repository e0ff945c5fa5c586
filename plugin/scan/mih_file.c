/* mih_file.c: multi-index hashes in files: written whole or not at all, mapped, never trusted. */
#define _POSIX_C_SOURCE 200809L
#include "mih.h"

#include "digest.h"
#include "error.h"
#include "durable_file.h"
#include "watch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

_Static_assert(sizeof(lbh_mih_header) == 64, "the header fills one line");

uint64_t lbh_mih_header_sum(const lbh_mih_header *h)
{
    return XXH3_64bits(h, offsetof(lbh_mih_header, header_sum));
}

int lbh_mih_body_sum(const uint8_t *image, size_t size, uint64_t *sum)
{
    *sum = lbh_digest(image + sizeof(lbh_mih_header), size - sizeof(lbh_mih_header));
    return lbh_watch_check();
}

int lbh_mih_save(const lbh_mih *mih, const char *path)
{
    if (!mih || !path)
        return lbh_error(LBH_EINVAL, "mih: no %s given", mih ? "path" : "index");
    lbh_mih_header h = {.magic = "LBHT",
                        .version = LBH_MIH_VERSION,
                        .file_size = mih->size,
                        .n = (uint64_t)mih->n,
                        .code_size = (uint32_t)mih->code_size,
                        .substrings = (uint32_t)mih->m,
                        .has_ids = mih->ids != NULL,
                        .distinct = (uint64_t)mih->distinct};
    LBH_TRY(lbh_mih_body_sum(mih->image, mih->size, &h.body_sum));
    h.header_sum = lbh_mih_header_sum(&h);
    lbh_file file;
    LBH_TRY(lbh_file_create(&file, path));
    /* A failed write is remembered by the stream. */
    fwrite(&h, sizeof h, 1, file.stream);
    fwrite(mih->image + sizeof h, 1, mih->size - sizeof h, file.stream);
    return lbh_file_commit(&file);
}

static int check_header(const lbh_mih_header *h, uint64_t size, const char *path)
{
    if (memcmp(h->magic, "LBHT", 4) != 0)
        return lbh_error(LBH_EFORMAT, "%s: not a faiss-lbh multi-index hash", path);
    if (h->version < 1 || h->version > LBH_MIH_VERSION)
        return lbh_error(LBH_EFORMAT, "%s: file version %u, this library reads 1 to %d", path,
                         h->version, LBH_MIH_VERSION);
    if (h->header_sum != lbh_mih_header_sum(h))
        return lbh_error(LBH_EFORMAT, "%s: damaged: the header's checksum does not match", path);
    if (h->file_size != size)
        return lbh_error(LBH_EFORMAT, "%s: damaged: it has %llu bytes and should have %llu", path,
                         (unsigned long long)size, (unsigned long long)h->file_size);
    if (h->n >= UINT32_MAX || h->code_size > LBH_MIH_MAX_CODE_SIZE ||
        h->substrings > 8 * LBH_MIH_MAX_CODE_SIZE || h->has_ids > 1 || h->distinct > h->n)
        return lbh_error(LBH_EFORMAT, "%s: damaged: impossible numbers in the header", path);
    return LBH_OK;
}

/* What a header's numbers do wrong, said of the file. */
static int damaged(int rc, const char *path)
{
    char text[256];
    if (rc != LBH_EINVAL)
        return rc;
    snprintf(text, sizeof text, "%s", lbh_last_error());
    return lbh_error(LBH_EFORMAT, "%s: damaged: %s", path, text);
}

/* Version 1 had other tables behind codes (by rising id) and ids: made anew of these, in memory. */
static int read_version_1(lbh_mih **mih, const lbh_mih_header *h, const uint8_t *image, size_t size,
                          const char *path)
{
    const size_t line = sizeof *h, n = (size_t)h->n;
    size_t codes = (n * h->code_size + line - 1) / line * line;
    if (size < line + codes + (h->has_ids ? n * sizeof(int64_t) : 0))
        return lbh_error(LBH_EFORMAT, "%s: damaged: no room for its %zu codes", path, n);
    uint64_t sum = 0;
    LBH_TRY(lbh_mih_body_sum(image, size, &sum));
    if (h->body_sum != sum)
        return lbh_error(LBH_EFORMAT, "%s: damaged: the checksum does not match", path);
    int rc = h->substrings ? lbh_mih_build(mih, h->code_size, h->n ? (int64_t)h->n : 0, image + line,
                                           h->has_ids ? (const int64_t *)(const void *)(image + line + codes) : NULL,
                                           (int)h->substrings)
                           : lbh_mih_check_shape(h->code_size, (int64_t)h->n, 0);
    return damaged(rc, path);
}

/* The image of `size` bytes as an index, which owns it from then on. */
static int open_image(lbh_mih **mih, const lbh_mih_header *h, uint8_t *image, size_t size,
                      const char *path)
{
    lbh_mih *made = NULL;
    LBH_TRY(damaged(lbh_mih_new(&made, h->code_size, (int64_t)h->n, (int64_t)h->distinct,
                                (int)h->substrings, h->has_ids, image),
                    path));
    if (made->size != size) {
        uint64_t due = made->size;
        made->image = NULL; /* still the caller's */
        lbh_mih_free(made);
        return lbh_error(LBH_EFORMAT, "%s: damaged: %llu bytes for a shape of %llu", path,
                         (unsigned long long)size, (unsigned long long)due);
    }
    made->is_file = true;
    *mih = made;
    return LBH_OK;
}

static int map_file(lbh_mih **mih, int fd, const char *path)
{
    struct stat st;
    if (fstat(fd, &st))
        return lbh_error(LBH_EIO, "cannot read %s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return lbh_error(LBH_EIO, "cannot read %s: not a regular file", path);
    size_t size = (size_t)st.st_size;
    if (size < sizeof(lbh_mih_header))
        return lbh_error(LBH_EFORMAT, "%s: not a faiss-lbh multi-index hash", path);
    void *image = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (image == MAP_FAILED)
        return lbh_error(LBH_EIO, "cannot read %s: %s", path, strerror(errno));
    lbh_mih_header h;
    memcpy(&h, image, sizeof h);
    int rc = check_header(&h, size, path);
    bool old = rc == LBH_OK && h.version == 1;
    if (rc == LBH_OK)
        rc = old ? read_version_1(mih, &h, image, size, path)
                 : open_image(mih, &h, image, size, path);
    if (rc != LBH_OK || old)
        munmap(image, size);
    return rc;
}

int lbh_mih_load(lbh_mih **mih, const char *path)
{
    if (!mih || !path)
        return lbh_error(LBH_EINVAL, "mih: no %s given", mih ? "path" : "place for the index");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return lbh_error(LBH_EIO, "cannot read %s: %s", path, strerror(errno));
    int rc = map_file(mih, fd, path);
    close(fd);
    return rc;
}

int lbh_mih_verify(const lbh_mih *mih)
{
    if (!mih)
        return lbh_error(LBH_EINVAL, "mih: no index given");
    if (!mih->is_file)
        return LBH_OK;
    lbh_mih_header h;
    memcpy(&h, mih->image, sizeof h);
    uint64_t sum = 0;
    lbh_watch_begin("verify", 0);
    LBH_TRY(lbh_watch_end(lbh_mih_body_sum(mih->image, mih->size, &sum)));
    if (h.body_sum != sum)
        return lbh_error(LBH_EFORMAT, "mih: damaged: the checksum does not match");
    return LBH_OK;
}
