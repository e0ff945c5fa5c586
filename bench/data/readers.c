/* readers.c: finds the reader of a file by its extension. See readers.h. */
#define _POSIX_C_SOURCE 200809L
#include "readers.h"

#include <string.h>

typedef struct reader {
    const char *extension;
    int (*open)(vectors *v, const char *path, const char *part);
} reader;

static const reader readers[] = {
    {".hdf5", read_hdf5},         {".h5", read_hdf5},
    {"-ubyte", read_idx},         {"-ubyte.gz", read_idx},
    {"-int", read_idx},           {"-int.gz", read_idx},
    {".idx", read_idx},           {".idx.gz", read_idx},
    {".bin", read_bin},           {".i8bin", read_i8bin},
    {".txt", read_text_vectors},  {".vec", read_text_vectors},
};

static const reader *find(const char *path)
{
    size_t length = strlen(path);
    for (size_t i = 0; i < sizeof readers / sizeof *readers; i++) {
        size_t tail = strlen(readers[i].extension);
        if (length > tail && strcmp(path + length - tail, readers[i].extension) == 0)
            return &readers[i];
    }
    return NULL;
}

int reader_open(vectors *v, char *path)
{
    const reader *r = find(path);
    const char *part = NULL;
    for (char *colon = strchr(path, ':'); !r && colon; colon = strchr(colon + 1, ':')) {
        *colon = '\0';
        r = find(path);
        part = colon + 1;
        if (!r)
            *colon = ':';
    }
    if (!r)
        return fail_usage("'%s': unknown kind of file; .fvecs .bvecs .ivecs .fbin .u8bin .i8bin "
                          ".ibin .npy .hdf5 .bin .txt .vec and -ubyte[.gz] are understood",
                          v->name);
    return r->open(v, path, part);
}

int reader_check_d(const char *name, int64_t d)
{
    if (d < 1 || d > VEC_MAX_D)
        return fail("'%s': dimension %lld is not between 1 and %d; is it really a file of this "
                    "kind?", name, (long long)d, VEC_MAX_D);
    return EXIT_OK;
}

bool reader_bytes(int64_t n, int64_t d, size_t size, size_t *bytes)
{
    return !__builtin_mul_overflow((size_t)n, (size_t)d, bytes) &&
           !__builtin_mul_overflow(*bytes, size, bytes);
}
