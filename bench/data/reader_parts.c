/* reader_parts.c: what the readers of files of vectors share. See readers.h. */
#include "command_options.h"
#include "readers.h"

#include <string.h>

size_t vec_type_size(vec_type type)
{
    static const size_t size[] = {4, 8, 1, 1, 4, 8};
    return size[type];
}

bool vec_format_of(const char *path, vec_format *format)
{
    static const char *const extension[] = {".fvecs", ".bvecs", ".ivecs", ".fbin",
                                            ".u8bin", ".ibin",  ".npy"};
    for (int i = 0; i < 7; i++)
        if (ends_in(path, extension[i], false)) {
            *format = (vec_format)i;
            return true;
        }
    return false;
}

int reader_map(vectors *v, const char *path, bool packed_shows)
{
    return v->map ? LBH_OK : map_file(path, packed_shows, &v->map, &v->map_size, &v->lies);
}

int reader_check_d(const char *name, int64_t d)
{
    if (d < 1 || d > VEC_MAX_D)
        return fail("'%s': dimension %lld is not between 1 and %d; is it really a file of this "
                    "kind?", name, (long long)d, VEC_MAX_D);
    return LBH_OK;
}

bool reader_bytes(int64_t n, int64_t d, size_t size, size_t *bytes)
{
    return !__builtin_mul_overflow((size_t)n, (size_t)d, bytes) &&
           !__builtin_mul_overflow(*bytes, size, bytes);
}

int reader_check_size(const vectors *v, size_t offset, size_t item)
{
    size_t bytes, have = v->map_size - offset;
    if (!reader_bytes(v->n, v->d, item, &bytes) || bytes > have)
        return fail("'%s' is cut off: its header says %lld rows of %d numbers, but %zu bytes "
                    "follow", v->name, (long long)v->n, v->d, have);
    if (bytes < have)
        return fail("'%s' is longer than its header says (%lld rows of %d numbers)", v->name,
                    (long long)v->n, v->d);
    return LBH_OK;
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
    int rc = LBH_OK;
    if (*range)
        rc = parse_int(range, 0, INT64_MAX, name, from);
    if (rc == LBH_OK && colon[1])
        rc = parse_int(colon + 1, 0, INT64_MAX, name, to);
    if (rc == LBH_OK && (*from >= *to || *to > n))
        rc = fail_usage("'%s': rows %lld to %lld are wanted, the file has rows 0 to %lld", name,
                        (long long)*from, (long long)*to, (long long)n);
    return rc;
}
