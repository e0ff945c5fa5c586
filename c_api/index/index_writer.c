/* index_writer.c: a BIVF of more codes than memory holds, put together in its file.
 *
 * The file is the one that FAISS writes, and lies fixed once the sizes of the lists are known:
 *     what comes before the lists of the trained index | "ilar" nlist code_size "full" sizes
 *     | codes of list 0, its ids | codes of list 1, its ids | ...
 * FAISS itself writes the first part (an empty index), so that only the lists are ours. Codes go to
 * their places in any order and as often as one likes: who was killed does the last portion again. */
#define _POSIX_C_SOURCE 200809L
#include "index_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What an empty index ends with: "ilar" nlist code_size "sprs" 0; and where ntotal stands. */
enum { EMPTY_LISTS = 4 + 8 + 8 + 4 + 8, NTOTAL_AT = 4 + 4 + 4 };

struct lbh_index_writer {
    int fd;
    char *path;
    size_t code_size;
    int64_t nlist;
    int64_t *size;  /* codes of each list */
    uint64_t *begin; /* of the file: where each list lies */
};

int lbh_index_assign_codes(const FaissIndexBinary *index, size_t code_size, int64_t n,
                           const uint8_t *codes, int64_t *lists)
{
    LBH_TRY(lbh_check_codes(index, code_size, n, codes));
    lbh_index_info info = lbh_gap_info(index);
    if (info.kind != LBH_KIND_IVF)
        return lbh_error(LBH_EINVAL, "%s has no lists; BIVF has", lbh_index_kind(index));
    if (n > 0 && !lists)
        return lbh_error(LBH_EINVAL, "index: no place for the lists given");
    if (!faiss_IndexBinary_is_trained(index))
        return lbh_error(LBH_ESTATE, "%s: the index is not trained", lbh_index_kind(index));
    int32_t *distances = lbh_alloc_rows(n, sizeof *distances, 0);
    if (!distances)
        return LBH_ENOMEM;
    int rc = lbh_index_search_codes(info.quantizer, code_size, n, codes, 1, distances, lists);
    free(distances);
    return rc;
}

static int write_at(const lbh_index_writer *f, const void *data, size_t size, uint64_t at)
{
    const char *p = data;
    while (size > 0) {
        ssize_t done = pwrite(f->fd, p, size, (off_t)at);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return lbh_error(LBH_EIO, "%s: cannot write: %s", f->path, strerror(done ? errno : EIO));
        p += done;
        size -= (size_t)done;
        at += (uint64_t)done;
    }
    return LBH_OK;
}

/* Head and sizes, and a file that is as long as it will be. */
static int write_head(lbh_index_writer *f, const uint8_t *empty, size_t length)
{
    const size_t head = length - EMPTY_LISTS, sizes = (size_t)f->nlist * sizeof *f->size;
    uint64_t count = (uint64_t)f->nlist, end = head + EMPTY_LISTS + sizes;
    int64_t total = 0;
    for (int64_t l = 0; l < f->nlist; l++) {
        f->begin[l] = end;
        end += (uint64_t)f->size[l] * (f->code_size + sizeof(int64_t));
        total += f->size[l];
    }
    if (ftruncate(f->fd, (off_t)end))
        return lbh_error(LBH_EIO, "%s: cannot write: %s", f->path, strerror(errno));
    LBH_TRY(write_at(f, empty, length - 12, 0)); /* all but "sprs" 0 */
    LBH_TRY(write_at(f, &total, sizeof total, NTOTAL_AT));
    LBH_TRY(write_at(f, "full", 4, length - 12));
    LBH_TRY(write_at(f, &count, sizeof count, length - 8));
    return write_at(f, f->size, sizes, length);
}

/* The trained index without codes, as FAISS writes it. */
static int start(lbh_index_writer *f, const FaissIndexBinary *trained)
{
    void *data;
    size_t length;
    LBH_TRY(lbh_index_save_memory(trained, &data, &length));
    const char *end = (const char *)data + length;
    bool known = length > EMPTY_LISTS && memcmp(end - EMPTY_LISTS, "ilar", 4) == 0 &&
                 memcmp(end - 12, "sprs\0\0\0\0\0\0\0\0", 12) == 0;
    int rc = known ? write_head(f, data, length)
                   : lbh_error(LBH_EFAISS, "FAISS %s writes the lists of an index otherwise than is "
                                           "known here", lbh_faiss_version());
    lbh_free(data);
    return rc;
}

static int check_trained(const FaissIndexBinary *trained, const int64_t *sizes, lbh_index_info *info)
{
    LBH_TRY(lbh_check_codes(trained, lbh_index_code_size(trained), 0, NULL));
    *info = lbh_gap_info(trained);
    if (info->kind != LBH_KIND_IVF || info->idmap)
        return lbh_error(LBH_EINVAL, "%s: lists in a file are those of a BIVF", lbh_index_kind(trained));
    if (!faiss_IndexBinary_is_trained(trained) || faiss_IndexBinary_ntotal(trained))
        return lbh_error(LBH_ESTATE, "%s: a trained index without codes is wanted",
                         lbh_index_kind(trained));
    for (int64_t l = 0; l < info->nlist; l++)
        if (!sizes || sizes[l] < 0)
            return lbh_error(LBH_EINVAL, "index: the size of list %lld is none", (long long)l);
    return LBH_OK;
}

int lbh_index_writer_open(lbh_index_writer **file, const FaissIndexBinary *trained, const int64_t *sizes,
                       const char *path)
{
    lbh_index_info info;
    if (!file || !trained || !path || !*path)
        return lbh_error(LBH_EINVAL, "index: no trained index, or no file name, given");
    LBH_TRY(check_trained(trained, sizes, &info));
    lbh_index_writer *f = calloc(1, sizeof *f);
    if (!f)
        return lbh_error(LBH_ENOMEM, "%s: out of memory", path);
    *f = (lbh_index_writer){.fd = -1, .nlist = info.nlist, .code_size = lbh_index_code_size(trained)};
    f->size = lbh_alloc_rows(f->nlist, sizeof *f->size, 0);
    f->begin = lbh_alloc_rows(f->nlist, sizeof *f->begin, 0);
    f->path = strdup(path);
    int rc = f->size && f->begin && f->path ? LBH_OK
                                            : lbh_error(LBH_ENOMEM, "%s: out of memory", path);
    if (rc == LBH_OK) {
        memcpy(f->size, sizes, (size_t)f->nlist * sizeof *f->size);
        f->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        rc = f->fd < 0 ? lbh_error(LBH_EIO, "%s: cannot open: %s", path, strerror(errno))
                       : start(f, trained);
    }
    if (rc == LBH_OK)
        *file = f;
    else
        lbh_index_writer_free(f);
    return rc;
}

/* How many of n codes go to each list, behind what is there: LBH_EINVAL where they do not fit. */
static int count_lists(const lbh_index_writer *f, int64_t n, const int64_t *lists,
                       const int64_t *filled, int64_t *start)
{
    memset(start, 0, ((size_t)f->nlist + 1) * sizeof *start);
    for (int64_t i = 0; i < n; i++) {
        if (lists[i] < 0 || lists[i] >= f->nlist)
            return lbh_error(LBH_EINVAL, "%s: code %lld is given list %lld of %lld", f->path,
                             (long long)i, (long long)lists[i], (long long)f->nlist);
        start[lists[i] + 1]++;
    }
    for (int64_t l = 0; l < f->nlist; l++) {
        if (filled[l] < 0 || start[l + 1] > f->size[l] - filled[l])
            return lbh_error(LBH_EINVAL, "%s: list %lld is to hold %lld codes, not so many", f->path,
                             (long long)l, (long long)f->size[l]);
        start[l + 1] += start[l];
    }
    return LBH_OK;
}

/* Codes and ids sorted by list, in their order; start[l] becomes the end of list l. */
static void sort_lists(const lbh_index_writer *f, int64_t n, const uint8_t *codes, int64_t first,
                       const int64_t *lists, int64_t *start, uint8_t *sorted, int64_t *ids)
{
    for (int64_t i = 0; i < n; i++) {
        int64_t to = start[lists[i]]++;
        memcpy(sorted + (size_t)to * f->code_size, codes + (size_t)i * f->code_size, f->code_size);
        ids[to] = first + i;
    }
}

static int write_lists(const lbh_index_writer *f, const int64_t *end, const uint8_t *sorted,
                       const int64_t *ids, int64_t *filled)
{
    for (int64_t l = 0, from = 0; l < f->nlist; from = end[l++]) {
        size_t count = (size_t)(end[l] - from), at = (size_t)filled[l];
        uint64_t ids_at = f->begin[l] + (uint64_t)f->size[l] * f->code_size + at * sizeof *ids;
        if (count == 0)
            continue;
        LBH_TRY(write_at(f, sorted + (size_t)from * f->code_size, count * f->code_size,
                         f->begin[l] + at * f->code_size));
        LBH_TRY(write_at(f, ids + from, count * sizeof *ids, ids_at));
        filled[l] += (int64_t)count;
    }
    return LBH_OK;
}

int lbh_index_writer_put(lbh_index_writer *f, int64_t n, const uint8_t *codes, int64_t first_id,
                      const int64_t *lists, int64_t *filled)
{
    if (!f || !filled || (n > 0 && !lists))
        return lbh_error(LBH_EINVAL, "index: no file, or no lists, given");
    LBH_TRY(lbh_check_rows(f->path, n, codes));
    if (first_id < 0 || first_id > INT64_MAX - n)
        return lbh_error(LBH_EINVAL, "%s: ids from %lld on are none", f->path, (long long)first_id);
    int64_t *begin = lbh_alloc_rows(f->nlist + 1, sizeof *begin, 0);
    int64_t *ids = lbh_alloc_rows(n, sizeof *ids, 0);
    uint8_t *sorted = lbh_alloc_rows(n, f->code_size, 0);
    int rc = begin && ids && sorted ? count_lists(f, n, lists, filled, begin) : LBH_ENOMEM;
    if (rc == LBH_OK) {
        sort_lists(f, n, codes, first_id, lists, begin, sorted, ids);
        rc = write_lists(f, begin, sorted, ids, filled);
    }
    free(begin);
    free(ids);
    free(sorted);
    return rc;
}

int lbh_index_writer_sync(lbh_index_writer *f)
{
    if (!f)
        return lbh_error(LBH_EINVAL, "index: no file given");
    if (fdatasync(f->fd))
        return lbh_error(LBH_EIO, "%s: cannot write: %s", f->path, strerror(errno));
    return LBH_OK;
}

void lbh_index_writer_free(lbh_index_writer *f)
{
    if (!f)
        return;
    if (f->fd >= 0)
        close(f->fd);
    free(f->size);
    free(f->begin);
    free(f->path);
    free(f);
}
