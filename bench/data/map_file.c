/* map_file.c: see map_file.h. */
#define _GNU_SOURCE /* mremap */
#define ZLIB_CONST
#include "map_file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

bool is_stdin(const char *path)
{
    return strcmp(path, "-") == 0 || strcmp(path, "/dev/stdin") == 0;
}

bool ends_in(const char *text, const char *end, bool or_packed)
{
    size_t length = strlen(text), tail = strlen(end);
    if (or_packed && length > 3 && strcasecmp(text + length - 3, ".gz") == 0)
        length -= 3;
    return length > tail && strncasecmp(text + length - tail, end, tail) == 0;
}

bool lies_there(const char *path)
{
    struct stat st;
    return !is_stdin(path) && !ends_in(path, ".gz", false) && stat(path, &st) == 0 &&
           S_ISREG(st.st_mode);
}

/* ---- Memory that grows, and that munmap frees ----------------------------------------------- */

typedef struct buffer {
    unsigned char *data;
    size_t size, room;
} buffer;

static int make_room(buffer *b, size_t least)
{
    size_t room = b->room ? b->room : (size_t)1 << 20;
    while (room - b->size < least)
        if (__builtin_mul_overflow(room, (size_t)2, &room))
            return fail_memory();
    if (room == b->room)
        return LBH_OK;
    void *data = b->data ? mremap(b->data, b->room, room, MREMAP_MAYMOVE)
                         : mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED)
        return fail_memory();
    b->data = data;
    b->room = room;
    return LBH_OK;
}

/* Gives the memory to the caller, or back to the system after an error or where it is empty. */
static int hand_over(buffer *b, int rc, void **map, size_t *size)
{
    if (rc == LBH_OK && b->size) {
        if (b->room > b->size) /* munmap(map, size) is then all of it, but for a part of a page */
            mremap(b->data, b->room, b->size, 0);
        *map = b->data;
        *size = b->size;
    } else if (b->data)
        munmap(b->data, b->room);
    return rc;
}

/* ---- Streams -------------------------------------------------------------------------------- */

/* To the end. Waits by poll, which a Ctrl-C ends: read would go on. */
static int read_stream(int fd, const char *path, void **map, size_t *size)
{
    enum { STEP = 1 << 18 };
    buffer b = {0};
    int rc = LBH_OK;
    for (ssize_t got = 1; rc == LBH_OK && got > 0;) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        bool woken = poll(&wait, 1, -1) < 0 && errno == EINTR;
        if (cli_interrupted())
            rc = fail_cancelled();
        else if (!woken && (rc = make_room(&b, STEP)) == LBH_OK) {
            got = read(fd, b.data + b.size, b.room - b.size);
            if (got < 0 && errno != EINTR)
                rc = fail_errno("read", path);
            b.size += got > 0 ? (size_t)got : 0;
            got = got < 0 ? 1 : got;
        }
    }
    if (rc == LBH_OK && !b.size)
        rc = fail("'%s' is empty", path);
    return hand_over(&b, rc, map, size);
}

/* ---- gzip ----------------------------------------------------------------------------------- */

static bool is_packed(const unsigned char *p, size_t size)
{
    return size > 3 && p[0] == 0x1f && p[1] == 0x8b && p[2] == 8;
}

static int damaged(const char *path, const char *why)
{
    return fail("'%s': the compressed data are damaged or cut off (%s)", path, why);
}

/* One member of a gzip file; *used bytes of p were its. */
static int unpack_member(const char *path, const unsigned char *p, size_t size, buffer *b, size_t *used)
{
    enum { STEP = 1 << 22, INPUT = 1 << 30 };
    z_stream z = {0};
    int rc = LBH_OK, code = Z_OK;
    if (inflateInit2(&z, 15 + 16) != Z_OK) /* 16: a gzip header, whose checksum is looked at */
        return fail_memory();
    z.next_in = p;
    while (rc == LBH_OK && code == Z_OK) {
        size_t left = size - (size_t)(z.next_in - p);
        z.avail_in = left < INPUT ? (uInt)left : INPUT;
        rc = cli_interrupted() ? fail_cancelled() : make_room(b, STEP);
        if (rc)
            break;
        size_t room = b->room - b->size;
        uInt given = room < INPUT ? (uInt)room : INPUT;
        z.next_out = b->data + b->size;
        z.avail_out = given;
        code = inflate(&z, Z_NO_FLUSH);
        b->size += given - z.avail_out;
    }
    *used = (size_t)(z.next_in - p);
    if (rc == LBH_OK && code != Z_STREAM_END)
        rc = damaged(path, z.msg ? z.msg : code == Z_BUF_ERROR ? "no end" : zError(code));
    inflateEnd(&z);
    return rc;
}

/* All members, which may be followed by zeros. */
static int unpack(const char *path, void **map, size_t *size)
{
    const unsigned char *p = *map;
    buffer b = {0};
    int rc = LBH_OK;
    for (size_t at = 0, used; at < *size && rc == LBH_OK; at += used) {
        used = 1;
        if (is_packed(p + at, *size - at))
            rc = unpack_member(path, p + at, *size - at, &b, &used);
        else if (p[at])
            rc = damaged(path, "something follows its end");
    }
    if (rc == LBH_OK && !b.size)
        rc = fail("'%s' is empty", path);
    munmap(*map, *size);
    *map = NULL;
    return hand_over(&b, rc, map, size);
}

/* --------------------------------------------------------------------------------------------- */

static int map_fd(int fd, const char *path, void **map, size_t *size, bool *lies)
{
    static bool drained; /* standard input, when it is no file */
    struct stat st;
    if (fstat(fd, &st) != 0)
        return fail_errno("read", path);
    if (S_ISDIR(st.st_mode))
        return fail("'%s' is a directory; a file is wanted", path);
    if (!S_ISREG(st.st_mode)) {
        if (is_stdin(path) && drained)
            return fail("'%s': standard input can be read once only", path);
        drained |= is_stdin(path);
        return read_stream(fd, path, map, size);
    }
    if (st.st_size == 0)
        return fail("'%s' is empty", path);
    *size = (size_t)st.st_size;
    *map = mmap(NULL, *size, PROT_READ, MAP_SHARED, fd, 0);
    if (*map == MAP_FAILED) {
        *map = NULL;
        return fail_errno("map", path);
    }
    *lies = true;
    return LBH_OK;
}

int map_file(const char *path, bool packed_shows, void **map, size_t *size, bool *lies)
{
    bool as_it_is = false;
    *map = NULL;
    int fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail_errno("open", path);
    int rc = map_fd(fd, path, map, size, &as_it_is);
    close(fd);
    if (rc == LBH_OK && (packed_shows || ends_in(path, ".gz", false)) && is_packed(*map, *size)) {
        as_it_is = false;
        rc = unpack(path, map, size);
    }
    if (lies)
        *lies = as_it_is;
    return rc;
}
