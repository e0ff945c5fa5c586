/* vectors.c: opens, checks and reads files of vectors. See vectors.h. */
#define _GNU_SOURCE
#include "vectors.h"

#include "command_options.h"
#include "readers.h"
#include "synthetic.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

size_t vec_type_size(vec_type type)
{
    static const size_t size[] = {4, 8, 1, 1, 4, 8};
    return size[type];
}

bool vec_format_of(const char *path, vec_format *format)
{
    static const char *const extension[] = {".fvecs", ".bvecs", ".ivecs", ".fbin",
                                            ".u8bin", ".ibin",  ".npy"};
    const char *dot = strrchr(path, '.');
    for (int i = 0; dot && i < 7; i++)
        if (strcmp(dot, extension[i]) == 0) {
            *format = (vec_format)i;
            return true;
        }
    return false;
}

static vec_type type_of(vec_format format)
{
    static const vec_type type[] = {VEC_F32, VEC_U8, VEC_I32, VEC_F32, VEC_U8, VEC_I32};
    return type[format];
}

static int open_vecs(vectors *v, vec_format format)
{
    const unsigned char *p = v->map;
    v->type = type_of(format);
    if (v->map_size < 4)
        return fail("'%s' is cut off: %zu bytes are no row", v->name, v->map_size);
    int rc = reader_check_d(v->name, (int32_t)load_u32(p));
    if (rc)
        return rc;
    v->d = (int)load_u32(p);
    v->stride = 4 + (size_t)v->d * vec_type_size(v->type);
    if (v->map_size % v->stride)
        return fail("'%s' is cut off or damaged: %zu bytes are not a whole number of rows of %zu "
                    "bytes (dimension %d)", v->name, v->map_size, v->stride, v->d);
    v->n = (int64_t)(v->map_size / v->stride);
    v->data = p + 4;
    v->prefixed = true;
    return EXIT_OK;
}

static int check_size(const vectors *v, size_t offset, bool with_distances)
{
    size_t bytes, have = v->map_size - offset;
    if (!reader_bytes(v->n, v->d, vec_type_size(v->type), &bytes) || bytes > have)
        return fail("'%s' is cut off: its header says %lld rows of %d numbers, but %zu bytes "
                    "follow", v->name, (long long)v->n, v->d, have);
    if (bytes < have && !(with_distances && bytes <= have / 2 && 2 * bytes == have))
        return fail("'%s' is longer than its header says (%lld rows of %d numbers)", v->name,
                    (long long)v->n, v->d);
    return EXIT_OK;
}

static int open_bin(vectors *v, vec_format format)
{
    const unsigned char *p = v->map;
    v->type = type_of(format);
    if (v->map_size < 8)
        return fail("'%s' is cut off: the header has 8 bytes, the file %zu", v->name, v->map_size);
    v->n = load_u32(p);
    int rc = reader_check_d(v->name, load_u32(p + 4));
    if (rc)
        return rc;
    v->d = (int)load_u32(p + 4);
    v->stride = (size_t)v->d * vec_type_size(v->type);
    v->data = p + 8;
    return check_size(v, 8, format == VEC_IBIN);
}

static int open_npy(vectors *v)
{
    int64_t d;
    size_t offset;
    int rc = npy_parse(v->map, v->map_size, v->name, &v->type, &v->n, &d, &offset);
    if (rc == EXIT_OK && v->n > 0)
        rc = reader_check_d(v->name, d);
    if (rc)
        return rc;
    v->d = (int)d;
    v->stride = (size_t)v->d * vec_type_size(v->type);
    v->data = (const unsigned char *)v->map + offset;
    return check_size(v, offset, false);
}

int map_file(const char *path, void **map, size_t *size)
{
    *map = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail_errno("open", path);
    struct stat st;
    int rc = EXIT_OK;
    if (fstat(fd, &st) != 0)
        rc = fail_errno("read", path);
    else if (S_ISDIR(st.st_mode))
        rc = fail("'%s' is a directory; a file is wanted", path);
    else if (!S_ISREG(st.st_mode))
        rc = fail("'%s' is not a regular file; lbh maps its input files", path);
    else if (st.st_size == 0)
        rc = fail("'%s' is empty", path);
    else {
        *size = (size_t)st.st_size;
        *map = mmap(NULL, *size, PROT_READ, MAP_SHARED, fd, 0);
        if (*map == MAP_FAILED) {
            *map = NULL;
            rc = fail_errno("map", path);
        }
    }
    close(fd);
    return rc;
}

static int open_file(vectors *v, char *path)
{
    vec_format format;
    bool array = vec_format_of(path, &format);
    int rc = array ? map_file(path, &v->map, &v->map_size) : reader_open(v, path);
    if (rc)
        return rc;
    if (array && format == VEC_NPY)
        rc = open_npy(v);
    else if (array)
        rc = format <= VEC_IVECS ? open_vecs(v, format) : open_bin(v, format);
    if (rc == EXIT_OK && v->n == 0)
        rc = fail("'%s' holds no rows", path);
    return rc;
}

char *split_range(char *spec)
{
    char *at = strrchr(spec, '@');
    if (!at)
        return NULL;
    const char *p = at + 1;
    p += strspn(p, "0123456789");
    if (*p++ != ':')
        return NULL;
    if (p[strspn(p, "0123456789")])
        return NULL;
    *at = '\0';
    return at + 1;
}

int parse_range(char *range, const char *name, int64_t n, int64_t *from, int64_t *to)
{
    char *colon = strchr(range, ':');
    *colon = '\0';
    *from = 0;
    *to = n;
    int rc = EXIT_OK;
    if (*range)
        rc = parse_int(range, 0, INT64_MAX, name, from);
    if (rc == EXIT_OK && colon[1])
        rc = parse_int(colon + 1, 0, INT64_MAX, name, to);
    if (rc == EXIT_OK && (*from >= *to || *to > n))
        rc = fail_usage("'%s': rows %lld to %lld are wanted, the file has rows 0 to %lld", name,
                        (long long)*from, (long long)*to, (long long)n);
    return rc;
}

static int select_rows(vectors *v, char *range)
{
    int64_t from, to;
    int rc = parse_range(range, v->name, v->n, &from, &to);
    if (rc)
        return rc;
    v->first = from;
    v->n = to - from;
    if (v->data)
        v->data += (size_t)from * v->stride;
    return EXIT_OK;
}

static int open_spec(vectors *v, char *path)
{
    char *range = split_range(path);
    int rc;
    if (strncmp(path, "synthetic:", 10) == 0 || strcmp(path, "synthetic") == 0) {
        rc = synthetic_open(&v->made, path[9] ? path + 10 : "");
        if (rc == EXIT_OK) {
            v->n = synthetic_rows(v->made);
            v->d = synthetic_d(v->made);
            v->type = VEC_F32;
        }
    } else
        rc = open_file(v, path);
    return rc == EXIT_OK && range ? select_rows(v, range) : rc;
}

int vectors_open(vectors *v, const char *spec)
{
    *v = (vectors){.name = strdup(spec)};
    char *path = strdup(spec);
    int rc = v->name && path ? open_spec(v, path) : fail_memory();
    free(path);
    if (rc)
        vectors_close(v);
    return rc;
}

void vectors_close(vectors *v)
{
    if (v->map)
        munmap(v->map, v->map_size);
    synthetic_close(v->made);
    free(v->owned);
    free(v->offset);
    free(v->pick);
    free(v->name);
    *v = (vectors){0};
}

int vectors_view(vectors *v, const vectors *first, const vectors *second, const char *part,
                 int64_t count, int64_t *rows)
{
    *v = (vectors){.n = count, .d = first->d, .type = VEC_F32, .part = {first, second},
                   .pick = rows};
    size_t room = strlen(first->name) + (second ? strlen(second->name) : 0) + strlen(part) + 8;
    v->name = malloc(room);
    if (!v->name) {
        vectors_close(v);
        return fail_memory();
    }
    snprintf(v->name, room, "%s%s%s, %s", first->name, second ? " + " : "",
             second ? second->name : "", part);
    return EXIT_OK;
}
