/* pipeline_members.c: the files of a saved pipeline: names, digests, and the text (manifest) that
 * says which of them belong together. Everything in the text is checked: it need not be trusted. */
#define _POSIX_C_SOURCE 200809L
#include "pipeline.h"

#include "digest.h"
#include "watch.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const extensions[LBH_MEMBERS + 1] = {"lbh", "faiss", "vectors.npy", "scale.npy",
                                                        "ids.npy", "manifest"};
static const char first_line[] = "faiss-lbh pipeline 1\n";

char *lbh_member_path(const char *path, int64_t generation, int member)
{
    size_t size = strlen(path) + 48;
    char *text = malloc(size);
    if (text)
        snprintf(text, size, "%s.%" PRId64 ".%s", path, generation, extensions[member]);
    else
        lbh_error(LBH_ENOMEM, "%s: out of memory for a file name", path);
    return text;
}

/* ---- Bytes --------------------------------------------------------------------------------- */

int lbh_map_file(const void **data, size_t *size, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe must not hang us */
    struct stat st;
    if (fd < 0)
        return lbh_error(LBH_EIO, "%s: cannot open: %s", path, strerror(errno));
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size == 0) {
        close(fd);
        return lbh_error(LBH_EFORMAT, "%s: not a regular file, or empty", path);
    }
    void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    int reason = errno;
    close(fd);
    if (map == MAP_FAILED)
        return lbh_error(LBH_EIO, "%s: cannot read: %s", path, strerror(reason));
    *data = map;
    *size = (size_t)st.st_size;
    return LBH_OK;
}

int lbh_member_measure(lbh_member *m, const char *path)
{
    const void *data = NULL;
    size_t size = 0;
    LBH_TRY(lbh_map_file(&data, &size, path));
    *m = (lbh_member){.size = size, .digest = lbh_digest(data, size), .present = 1};
    munmap((void *)(uintptr_t)data, size);
    return lbh_watch_check();
}

/* ---- The text ------------------------------------------------------------------------------ */

static const char *const metrics[] = {"l2", "ip", "cosine"}; /* by LBH_METRIC_* */

int lbh_manifest_write(const lbh_manifest *m, FILE *stream)
{
    char text[LBH_MANIFEST_MAX];
    int used = snprintf(text, sizeof text,
                        "%sfactory %s\nmetric %s\nd %d\nntotal %" PRId64 "\nnext_id %" PRId64
                        "\nparameters %s\ngeneration %" PRId64 "\n",
                        first_line, m->factory, metrics[m->metric], m->d,
                        m->ntotal, m->next_id, m->parameters, m->generation);
    for (int i = 0; i < LBH_MEMBERS; i++)
        if (m->member[i].present)
            used += snprintf(text + used, sizeof text - (size_t)used,
                             "file %s %" PRIu64 " %016" PRIx64 "\n", extensions[i],
                             m->member[i].size, m->member[i].digest);
    fwrite(text, (size_t)used, 1, stream);
    fprintf(stream, "end %016" PRIx64 "\n", lbh_digest(text, (size_t)used));
    return LBH_OK; /* the stream remembers a failure; lbh_file_commit reports it */
}

/* Cuts the next line off *at: the rest of one that starts with `name` and a blank, else NULL. */
static char *line_of(char **at, const char *name)
{
    char *line = *at, *end = strchr(line, '\n');
    size_t length = strlen(name);
    if (!end || strncmp(line, name, length) != 0 || line[length] != ' ')
        return NULL;
    *end = '\0';
    *at = end + 1;
    return line + length + 1;
}

static bool number_of(char **at, const char *name, int64_t max, int64_t *value)
{
    char *text = line_of(at, name);
    size_t length = text ? strlen(text) : 0;
    if (length < 1 || length > 18 || strspn(text, "0123456789") != length)
        return false;
    *value = strtoll(text, NULL, 10);
    return *value <= max;
}

static bool text_of(char **at, const char *name, char *text, size_t size)
{
    char *line = line_of(at, name);
    if (!line || strlen(line) >= size)
        return false;
    memcpy(text, line, strlen(line) + 1);
    return true;
}

static bool member_of(char **at, lbh_manifest *m)
{
    char *line = line_of(at, "file"), extension[16], rest;
    uint64_t size, digest;
    if (!line || sscanf(line, "%15s %20" SCNu64 " %16" SCNx64 "%c", extension, &size, &digest,
                        &rest) != 3)
        return false;
    for (int i = 0; i < LBH_MEMBERS; i++)
        if (strcmp(extensions[i], extension) == 0 && !m->member[i].present) {
            m->member[i] = (lbh_member){size, digest, 1};
            return true;
        }
    return false;
}

/* What follows the first line; changes the text. */
static bool parse(lbh_manifest *m, char *at)
{
    int64_t d;
    char metric[8];
    if (!text_of(&at, "factory", m->factory, sizeof m->factory) ||
        !text_of(&at, "metric", metric, sizeof metric) || !number_of(&at, "d", 65536, &d) ||
        !number_of(&at, "ntotal", INT64_MAX, &m->ntotal) ||
        !number_of(&at, "next_id", INT64_MAX, &m->next_id) ||
        !text_of(&at, "parameters", m->parameters, sizeof m->parameters) ||
        !number_of(&at, "generation", INT64_MAX, &m->generation))
        return false;
    m->d = (int)d;
    m->metric = LBH_METRIC_COSINE;
    while (m->metric >= 0 && strcmp(metric, metrics[m->metric]) != 0)
        m->metric--;
    while (*at)
        if (!member_of(&at, m))
            return false;
    return m->member[LBH_MEMBER_ENCODER].present && m->member[LBH_MEMBER_INDEX].present &&
           m->metric >= 0;
}

int lbh_manifest_read(lbh_manifest *m, const char *path)
{
    const void *data = NULL;
    size_t size = 0;
    LBH_TRY(lbh_map_file(&data, &size, path));
    int rc = lbh_manifest_parse(m, data, size, path);
    munmap((void *)(uintptr_t)data, size);
    return rc;
}

int lbh_manifest_parse(lbh_manifest *m, const void *data, size_t size, const char *path)
{
    *m = (lbh_manifest){0};
    char text[LBH_MANIFEST_MAX + 1], expected[32];
    size_t kept = size < LBH_MANIFEST_MAX ? size : LBH_MANIFEST_MAX;
    memcpy(text, data, kept);
    text[kept] = '\0';
    size_t first = sizeof first_line - 1, last = sizeof "end 0123456789abcdef";
    if (size > LBH_MANIFEST_MAX || strlen(text) != size || size < first + last ||
        memcmp(text, first_line, first) != 0)
        return lbh_error(LBH_EFORMAT, "%s: this is no pipeline of faiss-lbh", path);
    char *end = text + size - last;
    snprintf(expected, sizeof expected, "end %016" PRIx64 "\n",
             lbh_digest(text, (size_t)(end - text)));
    if (strcmp(end, expected) != 0)
        return lbh_error(LBH_EFORMAT, "%s: damaged: its digest is not that of its text", path);
    *end = '\0';
    if (!parse(m, text + first))
        return lbh_error(LBH_EFORMAT, "%s: damaged, or written by a later version", path);
    return LBH_OK;
}

/* ---- The directory ------------------------------------------------------------------------- */

/* The generation of a file name that is a member of `base` (or its temporary file), else -1. */
static int64_t generation_of(const char *name, const char *base)
{
    size_t length = strlen(base);
    if (strncmp(name, base, length) != 0 || name[length] != '.')
        return -1;
    const char *digits = name + length + 1, *p = digits;
    while (isdigit((unsigned char)*p))
        p++;
    if (p == digits || p - digits > 18 || *p != '.')
        return -1;
    for (int i = 0; i <= LBH_MEMBERS; i++) {
        size_t n = strlen(extensions[i]);
        if (strncmp(p + 1, extensions[i], n) == 0 &&
            (p[1 + n] == '\0' || (p[1 + n] == '.' && strlen(p + 2 + n) == 6))) /* system/durable_file.c's */
            return strtoll(digits, NULL, 10);
    }
    return -1;
}

/* Visits the members of `path`: the highest generation; with `remove`, removes all but `keep`. */
static int64_t visit(const char *path, bool remove, int64_t keep)
{
    char *copy1 = strdup(path), *copy2 = strdup(path);
    int64_t highest = 0;
    DIR *dir = copy1 && copy2 ? opendir(dirname(copy1)) : NULL;
    const char *base = copy2 ? basename(copy2) : "";
    for (struct dirent *e; dir && (e = readdir(dir)) != NULL;) {
        int64_t generation = generation_of(e->d_name, base);
        highest = generation > highest ? generation : highest;
        if (remove && generation >= 0 && generation != keep)
            unlinkat(dirfd(dir), e->d_name, 0);
    }
    if (dir)
        closedir(dir);
    free(copy1);
    free(copy2);
    return highest;
}

int64_t lbh_members_highest(const char *path)
{
    return visit(path, false, -1);
}

void lbh_members_clean(const char *path, int64_t keep)
{
    visit(path, true, keep);
}
