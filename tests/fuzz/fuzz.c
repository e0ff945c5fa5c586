/* fuzz.c: see fuzz.h.
 *
 * Linked with --wrap=mmap,--wrap=munmap: what our readers map becomes memory of malloc, so that
 * AddressSanitizer sees a read behind the last byte of a file, not only one behind its last page.
 * And with --wrap=setrlimit: the child process that tries libhdf5 gives up sooner. */
#define _GNU_SOURCE
#include "fuzz.h"

#include <fcntl.h>
#include <ftw.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

enum { FILES = 16, PATH_ROOM = 256 };

static char directory[PATH_ROOM];
static struct {
    char extension[24], path[PATH_ROOM + 64];
    int fd;
} files[FILES];

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st, (void)flag, (void)ftw;
    return remove(path);
}

static void remove_directory(void)
{
    nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void make_directory(void)
{
    const char *parent = getenv("TMPDIR");
    if (!parent)
        parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(directory, sizeof directory, "%.200s/lbh_fuzz.XXXXXX", parent);
    if (!mkdtemp(directory)) {
        perror(directory);
        exit(1);
    }
    atexit(remove_directory);
}

static int open_slot(const char *extension)
{
    int i = 0;
    while (i < FILES - 1 && *files[i].path && strcmp(files[i].extension, extension) != 0)
        i++;
    if (*files[i].path)
        return i;
    if (!*directory)
        make_directory();
    snprintf(files[i].extension, sizeof files[i].extension, "%s", extension);
    snprintf(files[i].path, sizeof files[i].path, "%s/x%s", directory, extension);
    files[i].fd = open(files[i].path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (files[i].fd < 0) {
        perror(files[i].path);
        exit(1);
    }
    return i;
}

const char *fuzz_file(const char *extension, const uint8_t *data, size_t size)
{
    int i = open_slot(extension);
    if (pwrite(files[i].fd, data, size, 0) != (ssize_t)size ||
        ftruncate(files[i].fd, (off_t)size) != 0) {
        perror(files[i].path);
        exit(1);
    }
    return files[i].path;
}

void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);
int __wrap_munmap(void *at, size_t size);

void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    (void)at, (void)protection;
    void *p = NULL;
    if (posix_memalign(&p, 64, size))
        return MAP_FAILED;
    if (flags & MAP_ANONYMOUS)
        memset(p, 0, size);
    else if (pread(fd, p, size, offset) != (ssize_t)size) {
        free(p);
        return MAP_FAILED;
    }
    return p;
}

int __wrap_munmap(void *at, size_t size)
{
    (void)size;
    free(at);
    return 0;
}

int __real_setrlimit(int resource, const struct rlimit *limit);
int __wrap_setrlimit(int resource, const struct rlimit *limit);

/* The sanitizer calls it too, before it is ready. */
__attribute__((no_sanitize_address, no_sanitize_undefined)) int
__wrap_setrlimit(int resource, const struct rlimit *limit)
{
    static const struct rlimit soon = {1, 2};
    return __real_setrlimit(resource, resource == RLIMIT_CPU ? &soon : limit);
}

char *fuzz_text(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    if (!text)
        exit(1);
    memcpy(text, data, size);
    text[size] = '\0';
    return text;
}

unsigned fuzz_choice(const uint8_t **data, size_t *size, unsigned count)
{
    if (*size == 0)
        return 0;
    unsigned byte = **data;
    ++*data;
    --*size;
    return byte % count;
}

uint8_t *fuzz_document(const uint8_t *data, size_t size)
{
    enum { HEADER = 64, SUM = 8 };
    uint8_t *file = malloc(size ? size : 1);
    if (!file)
        exit(1);
    if (size)
        memcpy(file, data, size);
    if (size < HEADER + SUM || data[size - 1] % 2 != 0)
        return file;
    uint64_t file_size = size, text = 0;
    for (size_t i = HEADER; i < size - SUM && file[i]; i++)
        text = file[i] == '\n' ? i + 1 - HEADER : text;
    memcpy(file, "LBHM\1\0\0\0", 8);
    memcpy(file + 8, &file_size, 8);
    memcpy(file + 16, &text, 8);
    uint64_t sum = XXH3_64bits(file, size - SUM);
    memcpy(file + size - SUM, &sum, SUM);
    return file;
}
