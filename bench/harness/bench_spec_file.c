/* bench_spec_file.c: specifications in files. See bench_spec.h. */
#define _GNU_SOURCE
#include "bench_spec.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

char *bench_spec_text(const char *path)
{
    FILE *f = fopen(path, "re");
    size_t size = 0, room = ((size_t)1 << 20) + 2; /* more is refused by the parser */
    if (!f) {
        fail_errno("open", path);
        return NULL;
    }
    char *text = cli_alloc((int64_t)room, 1);
    if (text)
        size = fread(text, 1, room - 1, f);
    int rc = !text       ? LBH_ENOMEM
             : ferror(f) ? fail_errno("read", path)
             : memchr(text, '\0', size)
                 ? fail_usage("%s: a zero byte; a specification is text", path)
                 : LBH_OK;
    fclose(f);
    if (rc) {
        free(text);
        return NULL;
    }
    text[size] = '\0';
    return text;
}

int bench_spec_of(bench_spec **spec, const char *dir)
{
    char *path, *text = NULL;
    *spec = NULL;
    if (asprintf(&path, "%s/spec.ini", dir) < 0)
        return fail_memory();
    int rc = LBH_OK;
    if (access(path, F_OK) == 0 || errno != ENOENT) {
        text = bench_spec_text(path);
        rc = text ? bench_spec_parse(spec, path, text, strlen(text)) : LBH_EIO;
    }
    free(text);
    free(path);
    return rc;
}
