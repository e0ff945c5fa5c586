/* mih_file.c: multi-index hashes in files: written whole or not at all, mapped, never trusted. */
#define _POSIX_C_SOURCE 200809L
#include "mih.h"

#include "error.h"
#include "durable_file.h"
#include "watch.h"

#include <errno.h>
#include <fcntl.h>
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

/* XXH3 of what follows the header, which may be gigabytes to be read from a disk. */
static int body_sum(const lbh_mih *mih, uint64_t *sum)
{
    const size_t part = (size_t)1 << 24;
    XXH3_state_t *state = XXH3_createState();
    int rc = state ? LBH_OK : lbh_error(LBH_ENOMEM, "mih: out of memory for a checksum");
    if (!rc)
        XXH3_64bits_reset(state);
    for (size_t i = sizeof(lbh_mih_header); i < mih->size && !rc; i += part) {
        XXH3_64bits_update(state, mih->image + i, mih->size - i < part ? mih->size - i : part);
        rc = lbh_watch_check();
    }
    if (!rc)
        *sum = XXH3_64bits_digest(state);
    XXH3_freeState(state);
    return rc;
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
                        .has_ids = mih->ids != NULL};
    LBH_TRY(body_sum(mih, &h.body_sum));
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
    if (h->version != LBH_MIH_VERSION)
        return lbh_error(LBH_EFORMAT, "%s: file version %u, this library reads %d", path,
                         h->version, LBH_MIH_VERSION);
    if (h->header_sum != lbh_mih_header_sum(h))
        return lbh_error(LBH_EFORMAT, "%s: damaged: the header's checksum does not match", path);
    if (h->file_size != size)
        return lbh_error(LBH_EFORMAT, "%s: damaged: it has %llu bytes and should have %llu", path,
                         (unsigned long long)size, (unsigned long long)h->file_size);
    if (h->n >= UINT32_MAX || h->code_size > LBH_MIH_MAX_CODE_SIZE ||
        h->substrings > 8 * LBH_MIH_MAX_CODE_SIZE || h->has_ids > 1)
        return lbh_error(LBH_EFORMAT, "%s: damaged: impossible numbers in the header", path);
    return LBH_OK;
}

/* The image of `size` bytes as an index, which owns it from then on. */
static int open_image(lbh_mih **mih, uint8_t *image, size_t size, const char *path)
{
    lbh_mih_header h;
    memcpy(&h, image, sizeof h);
    LBH_TRY(check_header(&h, size, path));
    lbh_mih *made = NULL;
    int rc = lbh_mih_new(&made, h.code_size, (int64_t)h.n, (int)h.substrings, h.has_ids, image);
    if (rc != LBH_OK)
        return rc == LBH_EINVAL ? lbh_error(LBH_EFORMAT, "%s: damaged: %s", path, lbh_last_error())
                                : rc;
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
    int rc = open_image(mih, image, size, path);
    if (rc != LBH_OK)
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
    LBH_TRY(lbh_watch_end(body_sum(mih, &sum)));
    if (h.body_sum != sum)
        return lbh_error(LBH_EFORMAT, "mih: damaged: the checksum does not match");
    return LBH_OK;
}
