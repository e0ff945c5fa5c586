/* readers.c: finds the reader of a file by its extension, by what stands before it, or by its bytes. See
 * readers.h. */
#define _POSIX_C_SOURCE 200809L
#include "readers.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct reader {
    const char *extension;
    int (*open)(vectors *v, const char *path, const char *part);
} reader;

static const reader readers[] = {
    {".fvecs", read_fvecs},       {".bvecs", read_bvecs},  {".ivecs", read_ivecs},
    {".fbin", read_fbin},         {".u8bin", read_u8bin},  {".i8bin", read_i8bin},
    {".ibin", read_ibin},         {".npy", read_npy},      {".npz", read_npz},
    {".hdf5", read_hdf5},         {".h5", read_hdf5},      {"-ubyte", read_idx},
    {"-int", read_idx},           {".idx", read_idx},      {".bin", read_bin},
    {".txt", read_text_vectors},  {".vec", read_text_vectors}, {".rangeres", read_rangeres},
};
enum { READERS = sizeof readers / sizeof *readers };

/* big-ann-benchmarks calls the first N rows of NAME.u8bin NAME.u8bin.crop_nb_N: the length of what stands
 * before that. */
static size_t length_uncropped(const char *path)
{
    static const char crop[] = ".crop_nb_";
    const char *at = strstr(path, crop);
    const char *digits = at ? at + sizeof crop - 1 : "";
    return *digits && digits[strspn(digits, "0123456789")] == '\0' ? (size_t)(at - path) : strlen(path);
}

static const reader *find(const char *path)
{
    const reader *found = NULL;
    char *name = strndup(path, length_uncropped(path));
    for (size_t i = 0; name && i < READERS && !found; i++)
        if (ends_in(name, readers[i].extension, true))
            found = &readers[i];
    free(name);
    return found;
}

/* "KIND:FILE": cuts the kind off. */
static const reader *find_prefix(char **path)
{
    for (size_t i = 0; i < READERS; i++) {
        const char *kind = readers[i].extension + 1;
        size_t length = strlen(kind);
        if (strncasecmp(*path, kind, length) == 0 && (*path)[length] == ':' && (*path)[length + 1]) {
            *path += length + 1;
            return &readers[i];
        }
    }
    return NULL;
}

/* Whether a path is none of a file that could be mapped: standard input, a pipe, a device. */
static bool is_stream(const char *path)
{
    struct stat st;
    return is_stdin(path) || (stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode));
}

static bool is_there(const char *path)
{
    return is_stdin(path) || access(path, F_OK) == 0;
}

/* Cuts "FILE:PART" at the first colon before which `holds` is true; NULL: there is none, or the whole
 * is such a file. */
static const char *split_part(char *path, bool (*holds)(const char *))
{
    if (holds(path))
        return NULL;
    for (char *colon = strchr(path, ':'); colon; colon = strchr(colon + 1, ':')) {
        *colon = '\0';
        if (holds(path))
            return colon + 1;
        *colon = ':';
    }
    return NULL;
}

static bool is_known(const char *path)
{
    return find(path) != NULL;
}

static int unknown(const vectors *v)
{
    return fail_usage("'%s': unknown kind of file; .fvecs .bvecs .ivecs .fbin .u8bin .i8bin .ibin .npy "
                      ".hdf5 .bin .txt .vec and -ubyte are understood, also with .gz behind them, or in "
                      "front, as in fvecs:FILE", v->name);
}

/* The kind of a stream shows in its first bytes, or in no place at all. */
static int open_stream(vectors *v, const char *path, const char *part)
{
    static const struct {
        const char *bytes;
        size_t size;
        int (*open)(vectors *v, const char *path, const char *part);
    } known[] = {{"\x93NUMPY", 6, read_npy},
                 {"PK\x03\x04", 4, read_npz},
                 {"\x89HDF\r\n\x1a\n", 8, read_hdf5},
                 {"\0\0\x08", 3, read_idx}};
    int rc = reader_map(v, path, true);
    for (size_t i = 0; i < sizeof known / sizeof *known && rc == LBH_OK; i++)
        if (v->map_size >= known[i].size && memcmp(v->map, known[i].bytes, known[i].size) == 0)
            return known[i].open(v, path, part);
    return rc ? rc
              : fail_usage("'%s': nothing says what kind of file comes here; put it in front, as in "
                           "fvecs:%s (.npy, HDF5 and idx show in their first bytes)", v->name, path);
}

bool vectors_come_once(const char *spec)
{
    char *text = strdup(spec), *path = text;
    if (!text)
        return false;
    split_range(text);
    find_prefix(&path);
    split_part(path, is_stream);
    bool once = is_stream(path);
    free(text);
    return once;
}

int reader_open(vectors *v, char *path)
{
    const reader *r = find_prefix(&path);
    if (r)
        return r->open(v, path, split_part(path, is_there));
    const char *part = split_part(path, is_known);
    r = find(path);
    if (r)
        return r->open(v, path, part);
    part = split_part(path, is_stream);
    return is_stream(path) ? open_stream(v, path, part) : unknown(v);
}
